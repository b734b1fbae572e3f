//! A chat: what one says, all on the same core hear.
//!
//! `cargo run --features websocket --example chat` listens on 127.0.0.1:8080, or on the address given
//! as an argument. It runs on one core, so that there is one room.

use corelane::app::Html;
use corelane::cores::CoreSelection;
use corelane::ws::WebSocket;
use corelane::{App, Request, Response, Result, Server};
use slab::Slab;
use std::{cell::RefCell, num::NonZeroUsize};

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>chat</title>
<form><input autofocus></form>
<ul></ul>
<script>
    const socket = new WebSocket(location.href.replace(/^http/, "ws") + "chat");
    const [form, input, list] = ["form", "input", "ul"].map(name => document.querySelector(name));
    socket.onmessage = event => list.appendChild(document.createElement("li")).append(event.data);
    form.onsubmit = event => { event.preventDefault(); socket.send(input.value); form.reset(); };
</script>
"#;

/// Who is in the room.
type Room = RefCell<Slab<WebSocket>>;

fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080"))
        .cores(CoreSelection::Count(NonZeroUsize::MIN))
        .run(|_shard| app())
}

/// The application of one core.
pub(crate) fn app() -> App {
    App::new()
        .state(Room::default())
        .get("/", async |_| Html(PAGE))
        .get("/chat", chat)
}

async fn chat(req: Request) -> Response {
    let room = req.state::<Room>();
    WebSocket::upgrade(&req)
        .same_origin()
        .on_upgrade(async move |socket| {
            let place = room.borrow_mut().insert(socket.clone());
            while let Some(Ok(message)) = socket.recv().await {
                let everybody: Vec<_> = room
                    .borrow()
                    .iter()
                    .map(|(_, other)| other.clone())
                    .collect();
                for other in everybody {
                    // Who reads too slowly misses it, and holds up nobody.
                    let _ = other.try_send(message.clone());
                }
            }
            room.borrow_mut().remove(place);
        })
}
