//! A chat: what one says, all hear, whichever core they are connected to.
//!
//! `cargo run --features websocket --example chat` listens on 127.0.0.1:8080, or the address given.

use corelane::app::Html;
use corelane::between::Lanes;
use corelane::ws::{Message, WebSocket};
use corelane::{App, Request, Response, Result, Server, Shard};
use std::{cell::RefCell, rc::Rc};

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8"><title>chat</title>
<form><input autofocus></form><ul></ul>
<script>
    const socket = new WebSocket(location.href.replace(/^http/, "ws") + "chat");
    const [form, input, list] = ["form", "input", "ul"].map(name => document.querySelector(name));
    socket.onmessage = event => list.appendChild(document.createElement("li")).append(event.data);
    form.onsubmit = event => { event.preventDefault(); socket.send(input.value); form.reset(); };
</script>
"#;

/// Who is connected to a core.
type Room = Rc<RefCell<Vec<WebSocket>>>;

fn main() -> Result<()> {
    let address = std::env::args().nth(1);
    Server::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).run(app)
}

/// The application of one core, which tells its own what is said on any.
pub(crate) fn app(shard: &Shard) -> App {
    let (lanes, mut mailbox) = shard.lanes::<Message>();
    let room = Room::default();
    let told = Rc::clone(&room);
    let tell = async move {
        while let Some(message) = mailbox.recv().await {
            for socket in &*told.borrow() {
                // Who reads too slowly misses it, and holds up nobody.
                let _ = socket.try_send(message.clone());
            }
        }
    };
    let app = App::new().background(tell).state(lanes).state(room);
    app.get("/", async |_| Html(PAGE)).get("/chat", chat)
}

async fn chat(req: Request) -> Response {
    let (room, lanes) = (req.state::<Room>(), req.state::<Lanes<Message>>());
    let upgrade = WebSocket::upgrade(&req).same_origin();
    upgrade.on_upgrade(async move |socket| {
        room.borrow_mut().push(socket.clone());
        while let Some(Ok(message)) = socket.recv().await {
            // A core that is too busy to listen misses it.
            let _ = lanes.try_broadcast(message);
        }
        // Whatever the end, it is one for good.
        room.borrow_mut().retain(|other| !other.is_closed());
    })
}
