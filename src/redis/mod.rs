//! Redis for handlers: a connection of each core, which all of its handlers share, by the crate
//! [`redis`](https://docs.rs/redis) on the core's own ring. No runtime of tokio's runs for it.
//!
//! ```no_run
//! use corelane::redis::{AsyncCommands, Options, Redis};
//! use corelane::{App, Request, Result, Server};
//!
//! fn main() -> Result<()> {
//!     let options: Options = "redis://cache.example/".parse()?;
//!     Server::bind("127.0.0.1:8080").run(move |shard| {
//!         App::new()
//!             .state(Redis::new(shard, &options))
//!             .get("/visits/{page}", visits)
//!     })
//! }
//!
//! async fn visits(req: Request) -> Result<String> {
//!     let mut redis = Redis::clone(&req.state::<Redis>());
//!     let visits: u64 = redis.incr(req.param("page"), 1).await?;
//!     Ok(visits.to_string())
//! }
//! ```
//!
//! A [`Redis`] is a [`ConnectionLike`]: the commands of `redis::AsyncCommands` and
//! `AsyncTypedCommands` are its methods, and `redis::cmd` and `redis::pipe` run on it. What the core's
//! handlers send meanwhile goes out together, and the answers find who asked, in whatever order those
//! give up. Commands that wait for others (`BLPOP`, `WAIT`) would hold up all of the core, and
//! subscriptions need a connection of their own: for both there is [`Redis::dedicated`].
//!
//! # What goes wrong
//! A command has [`Options::command_timeout`] in all, with the wait for a connection that is being
//! made. It fails with a `redis::RedisError`, which `?` answers with 503 where it is of the connection
//! or the time, and with 500 where the server refuses the command. Whether a command was done whose
//! connection broke, nobody knows; it is not sent again.
//!
//! A connection that broke is made again: at once if it had held for 2 s, and otherwise after pauses of
//! 50 ms to 2 s, each twice as long as the one before. In such a pause commands fail at once: a cache that is away costs
//! no time. A connection on which no answer came while a command waited for its whole time is taken for
//! dead and made anew.
//!
//! # TLS
//! There is none yet: `rediss://` is refused.

mod connect;
mod dedicated;
mod keeper;
mod link;
mod options;

use self::keeper::Keeper;
use crate::shard::Shard;
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};
use send_wrapper::SendWrapper;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use self::dedicated::Dedicated;
pub use self::options::Options;
pub use ::redis::{self, AsyncCommands, AsyncTypedCommands};

/// A core's connection to a Redis server. Clones share it.
///
/// It is `Send` because the traits of the `redis` crate ask for that, and yet belongs to its core:
/// used, or dropped, on another thread it panics.
#[derive(Clone)]
pub struct Redis(SendWrapper<Rc<Keeper>>);

impl Redis {
    /// The connection of a core, which is made as soon as may be, and made again whenever it breaks.
    pub fn new(shard: &Shard, options: &Options) -> Redis {
        let keeper = Keeper::start(shard.ring().clone(), shard.time(), options.clone());
        Redis(SendWrapper::new(keeper))
    }

    /// Another connection to the same server, for the caller alone: for commands that wait, and for
    /// subscriptions. Each of its commands waits for `limit` at most.
    ///
    /// # Errors
    /// It could not be made within [`Options::connect_timeout`].
    pub async fn dedicated(&self, limit: Duration) -> RedisResult<Dedicated> {
        self.0.dedicated(limit).await
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }
}

impl ConnectionLike for Redis {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(SendWrapper::new(self.0.ask(async move |mut connection| {
            connection.req_packed_command(command).await
        })))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(SendWrapper::new(self.0.ask(async move |mut connection| {
            let asked = connection.req_packed_commands(pipeline, offset, count);
            let answers: RedisResult<_> = asked.await;
            answers
        })))
    }

    fn get_db(&self) -> i64 {
        self.0.database()
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
