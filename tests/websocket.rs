//! WebSockets over real sockets: the example `chat`, and clients that others wrote (the Python package
//! websockets, and a browser).
#![cfg(feature = "websocket")]

#[path = "examples/chat.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod chat;
#[path = "support/mod.rs"]
mod support;

use corelane::app::Html;
use corelane::cores::CoreSelection;
use corelane::testing::{TestClient, TestWebSocket};
use corelane::ws::{Message, WebSocket, code};
use corelane::{App, Request, Running, Server, Shard};
use std::cell::Cell;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;
use support::outside::{has, not_run, run};
use support::{fresh_stats, number};

/// The example, and a socket that does what it is told.
fn app(shard: &Shard) -> App {
    chat::app(shard).get("/echo", async |req: Request| {
        let upgrade = WebSocket::upgrade(&req).protocols(["a", "b"]);
        upgrade.on_upgrade(async |socket| {
            while let Some(Ok(message)) = socket.recv().await {
                match message.as_text() {
                    Some("close") => return socket.close(4002, "as asked").await,
                    Some("end") => return,
                    _ => {}
                }
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    })
}

fn start(app: fn(&Shard) -> App, cores: CoreSelection) -> (Running, SocketAddr) {
    let server = Server::bind("127.0.0.1:0")
        .cores(cores)
        .shutdown_timeout(Duration::from_secs(30));
    let running = server.start(app).expect("the server starts");
    let address = running.addresses()[0];
    (running, address)
}

fn stop(running: Running) {
    running.stop().expect("no shard failed");
}

/// The Python that has the package, of the version that `.ci/run` installs.
fn python() -> Option<String> {
    let wanted = include_str!("websocket/requirements.txt");
    let python = std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let print = "import websockets; print('websockets==' + websockets.__version__)";
    let asked = Command::new(&python).args(["-c", print]).output();
    let found = asked.map_or(Vec::new(), |output| output.stdout);
    let is_there = found == wanted.as_bytes();
    let why = || format!("{python} has no {}", wanted.trim());
    (is_there || not_run(&why())).then_some(python)
}

/// The next messages of a socket, up to `last`.
fn hear_until(socket: &mut TestWebSocket, last: &str) {
    while socket.recv().expect("the socket is open").as_text() != Some(last) {}
}

#[test]
fn the_chat_is_heard_on_all_cores() {
    let (running, address) = start(app, CoreSelection::All);
    let mut first = TestClient::connect(address);
    assert!(first.get("/").send().text().contains("new WebSocket"));
    // The kernel says which core gets a connection: so many that each has one.
    let mut clients = vec![first];
    loop {
        let stats = fresh_stats(address);
        let cores = stats["cores"].as_array().expect("a list");
        // One may be that of whoever asks.
        if cores
            .iter()
            .all(|core| number(core, "/connections_active") > 1)
        {
            break;
        }
        assert!(clients.len() < 1000, "{stats}");
        let mut client = TestClient::connect(address);
        assert_eq!(client.get("/").send().status().as_u16(), 200);
        clients.push(client);
    }
    let sockets = clients.iter_mut();
    let mut sockets: Vec<_> = sockets
        .map(|client| client.get("/chat").websocket())
        .collect();
    for (index, socket) in sockets.iter_mut().enumerate() {
        let words = format!("{index} is here");
        socket.send(words.as_str());
        hear_until(socket, &words);
    }
    sockets[0].send("hello");
    for socket in &mut sockets {
        hear_until(socket, "hello");
    }
    // Who leaves is not missed.
    sockets[0].close(code::NORMAL, "");
    while sockets[0].recv().is_some() {}
    sockets[1].send("bye");
    for socket in &mut sockets[1..] {
        hear_until(socket, "bye");
        socket.close(code::NORMAL, "");
    }
    drop(clients);
    stop(running);
}

#[test]
fn a_shutdown_tells_every_socket_and_is_over_when_they_have_answered() {
    let (running, address) = start(app, CoreSelection::All);
    let mut client = TestClient::connect(address);
    let mut other = client.another();
    let mut sockets = [
        client.get("/echo").websocket(),
        other.get("/chat").websocket(),
    ];
    for socket in &mut sockets {
        socket.send("here");
        assert_eq!(socket.recv(), Some(Message::from("here")));
    }
    let stats = fresh_stats(address);
    assert_eq!(number(&stats, "/status/codes/101"), 2);
    assert_eq!(number(&stats, "/requests/in_flight"), 1);
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| stop(running));
        for socket in &mut sockets {
            assert_eq!(socket.recv(), None);
            assert_eq!(socket.close_frame().unwrap().code, code::GOING_AWAY);
        }
        drop(sockets);
        stopping.join().unwrap();
    });
}

#[test]
fn the_python_package_websockets_is_content() {
    let Some(python) = python() else {
        return;
    };
    let (running, address) = start(app, CoreSelection::All);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/websocket/client.py");
    let told = run(Command::new(python).arg(script).arg(address.to_string()));
    assert_eq!(told.trim(), "done");
    stop(running);
}

/// A page that talks to `/echo`, and is loaded when it has: `/hold` is answered after `/release`.
const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<output></output>
<script>
    const output = document.querySelector("output");
    const socket = new WebSocket("ws://" + location.host + "/echo", ["z", "a"]);
    socket.binaryType = "arraybuffer";
    const large = "é".repeat(100000);
    socket.onopen = () => { socket.send("grüße"); socket.send(new Uint8Array([1, 2])); socket.send(large); };
    let heard = 0;
    socket.onmessage = ({ data }) => {
        heard += 1;
        if (heard == 1) output.append(`text ${data}; `);
        if (heard == 2) output.append(`bytes ${new Uint8Array(data)}; `);
        if (heard == 3) { output.append(`large ${data === large}; `); socket.send("close"); }
    };
    socket.onclose = ({ code, reason, wasClean }) => {
        output.append(`protocol ${socket.protocol}; closed ${code} ${reason} ${wasClean}`);
        fetch("/release");
    };
</script>
<img src="/hold">
"#;

fn browsed(shard: &Shard) -> App {
    let is_over = Rc::new(Cell::new(false));
    let released = Rc::clone(&is_over);
    app(shard)
        .get("/page", async |_| Html(PAGE))
        .get("/release", move |_: Request| {
            released.set(true);
            async {}
        })
        .get("/hold", move |req: Request| {
            let is_over = Rc::clone(&is_over);
            async move {
                while !is_over.get() {
                    req.time().sleep(Duration::from_millis(50)).await;
                }
            }
        })
}

#[test]
fn a_browser_is_content() {
    if !has("chromium") {
        return;
    }
    let (running, address) = start(browsed, CoreSelection::Count(NonZeroUsize::MIN));
    let profile = tempfile::tempdir().expect("a folder");
    let told = run(Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--dump-dom")
        .arg(format!("http://{address}/page")));
    let expected = "text grüße; bytes 1,2; large true; protocol a; closed 4002 as asked true";
    assert!(told.contains(expected), "{told}");
    stop(running);
}
