//! Server-sent events: a counter, and a page that shows it.
//!
//! `cargo run --example events` listens on 127.0.0.1:8080, or on the address given as an argument.
//! A browser that comes again after a break says which event was its last, and misses none.

use corelane::app::{Html, Sse, SseEvent};
use corelane::{App, Request, Result, Server};
use futures_lite::{StreamExt, stream};
use std::time::Duration;

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>events</title>
<p>Seconds: <output></output>
<script>
    const output = document.querySelector("output");
    const events = new EventSource("/events");
    events.addEventListener("tick", event => { output.textContent = event.data; });
</script>
"#;

fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).run(|_shard| app())
}

/// The application of one core.
pub(crate) fn app() -> App {
    App::new()
        .get("/", async |_| Html(PAGE))
        .get("/events", events)
}

/// Counts seconds. The stream is dropped when its peer leaves.
async fn events(req: Request) -> Sse {
    let last = req.header("last-event-id").map(str::parse::<u64>);
    let last = last.and_then(|last| last.ok()).unwrap_or(0);
    let time = req.time();
    let ticks = stream::iter(last.saturating_add(1)..).then(move |number| {
        let time = time.clone();
        async move {
            time.sleep(Duration::from_secs(1)).await;
            let number = number.to_string();
            SseEvent::data(&number).id(&number).event("tick")
        }
    });
    Sse::new(ticks).keep_alive(&req.time(), Duration::from_secs(15))
}
