//! A cache of each core in front of Redis: what was read in the last second is not asked for again.
//!
//! `REDIS_URL=redis://HOST cargo run --features redis --example cache -- --listen 127.0.0.1:8080`

use corelane::redis::{AsyncCommands, Options, Redis};
use corelane::{App, Request, Result, Server, Shard};
use std::{cell::RefCell, collections::HashMap, time::Duration};

/// How old an answer of this core may be, and how many it remembers; how long Redis keeps a value.
const FRESH: Duration = Duration::from_secs(1);
const VALUES: usize = 10_000;
const KEPT_SECONDS: u64 = 3600;

/// What Redis said, and when.
type Memory = RefCell<HashMap<String, (Option<String>, Duration)>>;

fn main() -> Result<()> {
    let options = Options::from_env("REDIS_URL")?;
    let mut listen = std::env::args().skip_while(|given| given != "--listen");
    let address = listen.nth(1).unwrap_or("127.0.0.1:8080".into());
    Server::bind(address).run(move |shard| app(shard, &options))
}

/// The application of one core.
pub(crate) fn app(shard: &Shard, options: &Options) -> App {
    App::new()
        .state(Redis::new(shard, options))
        .state(Memory::default())
        .get("/{key}", read)
        .put("/{key}", write)
}

async fn read(req: Request) -> Result<Option<String>> {
    let (key, memory, now) = (req.param("key"), req.state::<Memory>(), req.time().now());
    let known = memory.borrow().get(&*key).cloned();
    if let Some((value, _)) = known.filter(|(_, at)| now - *at < FRESH) {
        return Ok(value);
    }
    let value: Option<String> = Redis::clone(&req.state::<Redis>()).get(key).await?;
    remember(&req, value.clone());
    Ok(value)
}

async fn write(mut req: Request) -> Result<()> {
    let value = req.text().await?;
    let mut redis = Redis::clone(&req.state::<Redis>());
    let () = redis.set_ex(req.param("key"), &value, KEPT_SECONDS).await?;
    remember(&req, Some(value));
    Ok(())
}

fn remember(req: &Request, value: Option<String>) {
    let memory = req.state::<Memory>();
    let mut memory = memory.borrow_mut();
    if memory.len() >= VALUES {
        memory.clear();
    }
    memory.insert(req.param("key").into_owned(), (value, req.time().now()));
}
