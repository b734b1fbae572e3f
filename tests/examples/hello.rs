//! A small service: greetings, a counter for each core, and a folder of files.
//!
//! `cargo run --example hello` listens on 127.0.0.1:8080, or on the address given as an argument.

use corelane::{App, Error, Request, Result, Server, Shard};
use http::StatusCode;
use std::cell::Cell;
use std::rc::Rc;

/// The folder behind `/static`.
const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples/public");

fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).run(app)
}

/// The application of one core; called once on each.
pub(crate) fn app(shard: &Shard) -> App {
    // Nothing is shared between cores, so a handler's state needs neither locks nor atomics.
    let visits = Rc::new(Cell::new(0u64));
    let core = shard.index();
    App::new()
        .get("/", |_req: Request| async { "Hello, Anonymous" })
        .get("/{name}", |req: Request| async move {
            format!("Hello, {}", req.param("name"))
        })
        .get("/visits", move |_req: Request| {
            visits.set(visits.get() + 1);
            let answer = format!("visit {} on core {core}", visits.get());
            async { answer }
        })
        .post("/double", double)
        .files("/static", PUBLIC)
}

/// Doubles the number in the body. `?` answers with the error's status, or with 500 for any other.
async fn double(mut req: Request) -> Result<String> {
    let text = req.text().await?;
    let number: Option<u64> = text.trim().parse().ok();
    let doubled = number.and_then(|number| number.checked_mul(2));
    let refusal = || Error::new(StatusCode::BAD_REQUEST, "send a whole number");
    Ok(doubled.ok_or_else(refusal)?.to_string())
}
