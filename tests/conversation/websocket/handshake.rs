//! What becomes of a request that asks for a WebSocket, or should.

use super::{Ends, after_head, echo, handshake};
use corelane::app::{App, Request};
use corelane::testing::Conversation;
use corelane::ws::WebSocket;

const LINE: &str = "GET /echo HTTP/1.1\r\nHost: h\r\n";
const CONNECTION: &str = "Connection: keep-alive, Upgrade\r\n";
const UPGRADE: &str = "Upgrade: WebSocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The head of the answer to a request with these `lines`.
fn answer(app: App, lines: &[&str]) -> String {
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(format!("{}\r\n", lines.concat()).as_bytes());
    let sent = String::from_utf8(peer.take_sent()).unwrap();
    sent.split("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn every_part_of_it_is_needed_and_refused_with_its_status() {
    let key = |value: &str| format!("Sec-WebSocket-Key: {value}\r\n");
    let (short, long) = (key("dGhlIHNhbXBsZSBub25j"), key("dGhlIHNhbXBsZSBub25jZXg="));
    let (loose, foreign) = (
        key("dGhlIHNhbXBsZSBub25jZR=="),
        key("dGhlIHNhbXBsZSBub25jZ-=="),
    );
    let bare = key("dGhlIHNhbXBsZSBub25jZQ");
    let version = |value: &str| format!("Sec-WebSocket-Version: {value}\r\n");
    let (draft, padded) = (version("8"), version("013"));
    let protocols = |names: &str| format!("Sec-WebSocket-Protocol: {names}\r\n");
    let (no_token, twice) = (protocols("a b"), protocols("a, b, a"));
    let content = "Content-Length: 1\r\n";
    let post = "POST /echo HTTP/1.1\r\nHost: h\r\n";
    let old = "GET /echo HTTP/1.0\r\nHost: h\r\n";
    let (named, ask) = ("Upgrade: websocket", "Sec-Websocket-Version: 13");
    let table: &[(&[&str], u16, &str)] = &[
        (&[LINE, CONNECTION, UPGRADE, VERSION, KEY], 101, named),
        (
            &[post, CONNECTION, UPGRADE, VERSION, KEY],
            405,
            "Allow: GET",
        ),
        (&[LINE], 426, named),
        (&[LINE, CONNECTION, VERSION, KEY], 426, named),
        (
            &[LINE, CONNECTION, "Upgrade: h2c\r\n", VERSION, KEY],
            426,
            named,
        ),
        (&[old, CONNECTION, UPGRADE, VERSION, KEY], 426, named),
        (&[LINE, UPGRADE, VERSION, KEY], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, KEY], 426, ask),
        (&[LINE, CONNECTION, UPGRADE, &draft, KEY], 426, ask),
        (&[LINE, CONNECTION, UPGRADE, &padded, KEY], 426, ask),
        (&[LINE, CONNECTION, UPGRADE, VERSION, VERSION, KEY], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, KEY, KEY], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, &short], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, &long], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, &loose], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, &foreign], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, &bare], 400, ""),
        (&[LINE, CONNECTION, UPGRADE, VERSION, KEY, content], 400, ""),
        (
            &[LINE, CONNECTION, UPGRADE, VERSION, KEY, &no_token],
            400,
            "",
        ),
        (&[LINE, CONNECTION, UPGRADE, VERSION, KEY, &twice], 400, ""),
    ];
    for (lines, status, field) in table {
        let head = answer(echo(&Ends::default()), lines);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{lines:?} {head}"
        );
        assert!(head.contains(field), "{lines:?} {head}");
        // No extension is agreed on, and no protocol that was not asked for.
        assert!(!head.contains("Sec-Websocket-Extensions"), "{head}");
        assert!(!head.contains("Sec-Websocket-Protocol"), "{head}");
    }
}

#[test]
fn a_refused_handshake_leaves_the_connection_to_http() {
    let mut peer = Conversation::new(echo(&Ends::default())).unwrap();
    peer.deliver(format!("{LINE}{CONNECTION}{UPGRADE}{VERSION}\r\n").as_bytes());
    assert!(peer.take_sent().starts_with(b"HTTP/1.1 400 "));
    peer.deliver(&handshake("/echo", ""));
    assert_eq!(after_head(&mut peer), b"");
    assert_eq!((peer.in_flight(), peer.ended()), (0, None));
}

#[test]
fn the_subprotocol_is_chosen_by_the_servers_order() {
    fn app() -> App {
        App::new().get("/echo", async |req: Request| {
            WebSocket::upgrade(&req)
                .protocols(["chat.v2", "chat.v1"])
                .on_upgrade(async |socket| {
                    let name = socket.protocol().unwrap_or("none").to_owned();
                    let _ = socket.send(name).await;
                })
        })
    }
    let table = [
        ("", None),
        (
            "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n",
            Some("chat.v2"),
        ),
        (
            "Sec-WebSocket-Protocol: chat.v1\r\nSec-WebSocket-Protocol: chat.v2\r\n",
            Some("chat.v2"),
        ),
        ("Sec-WebSocket-Protocol: chat.v1\r\n", Some("chat.v1")),
        // They are compared as they are.
        ("Sec-WebSocket-Protocol: CHAT.v1, chat\r\n", None),
    ];
    for (fields, protocol) in table {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&handshake("/echo", fields));
        let sent = String::from_utf8_lossy(&peer.take_sent()).into_owned();
        let line = "\r\nSec-Websocket-Protocol: ";
        let told = sent
            .split_once(line)
            .map(|(_, rest)| rest.split("\r\n").next().unwrap());
        assert_eq!(told, protocol, "{sent}");
        assert!(sent.contains(protocol.unwrap_or("none")), "{sent}");
    }
}

#[test]
fn pages_of_other_origins_are_let_in_where_that_is_wanted() {
    fn app() -> App {
        App::new()
            .get("/any", async |req: Request| {
                WebSocket::upgrade(&req).on_upgrade(async |_| {})
            })
            .get("/same", async |req: Request| {
                WebSocket::upgrade(&req)
                    .same_origin()
                    .on_upgrade(async |_| {})
            })
            .get("/listed", async |req: Request| {
                WebSocket::upgrade(&req)
                    .origins(["https://a.example", "https://b.example"])
                    .on_upgrade(async |_| {})
            })
    }
    let table = [
        ("/any", "Origin: https://evil.example\r\n", 101),
        ("/same", "", 101),
        ("/same", "Origin: http://h\r\n", 101),
        ("/same", "Origin: https://evil.example\r\n", 403),
        ("/same", "Origin: null\r\n", 403),
        (
            "/same",
            "Origin: http://h\r\nOrigin: https://evil.example\r\n",
            400,
        ),
        ("/listed", "", 101),
        ("/listed", "Origin: https://b.example\r\n", 101),
        ("/listed", "Origin: http://b.example\r\n", 403),
        ("/listed", "Origin: http://h\r\n", 403),
    ];
    for (path, fields, status) in table {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&handshake(path, fields));
        let sent = String::from_utf8_lossy(&peer.take_sent()).into_owned();
        assert!(
            sent.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {fields} {sent}"
        );
    }
}
