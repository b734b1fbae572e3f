//! What must hold for a WebSocket, whatever its peer sends and however it is delivered: what is heard
//! is what tungstenite's own context hears, what is sent is whole frames, and none of it depends on
//! how the bytes were split.

use crate::delivery::pieces;
use crate::support::frames::{CLOSE, PONG, Seen, seen};
use corelane::app::{App, Request};
use corelane::testing::Conversation;
use corelane::ws::{WebSocket, code};
use std::io::{self, Cursor, Read, Write};
use tungstenite::Message;
use tungstenite::protocol::{Role, WebSocketConfig};

/// The largest message and frame, in bytes: near enough for short inputs to come to them, and above
/// what control frames may have, which ours does not count among them.
const MESSAGE_BYTES: usize = 140;
const FRAME_BYTES: usize = 130;

const HANDSHAKE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The first octet chooses how the rest is delivered.
pub(crate) fn socket(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let whole = answers(&[bytes]);
    let pieces = pieces(choice, bytes);
    assert_eq!(whole, answers(&pieces), "split");
    let (heard, is_over) = theirs(bytes);
    let close = whole.last().filter(|last| last.opcode == CLOSE);
    let answered: Vec<_> = whole
        .iter()
        .filter(|frame| frame.opcode != CLOSE)
        .cloned()
        .collect();
    let reason = close.and_then(|close| close.payload.get(2..));
    match reason {
        // Theirs takes lengths in more bytes than are needed.
        Some(b"a length is not written as it has to be") => {
            assert!(heard.starts_with(&answered), "{heard:?} {whole:?}");
        }
        _ => assert_eq!(heard, answered, "{whole:?}"),
    }
    // Ours may refuse what has not come whole.
    let is_refused = close
        .and_then(Seen::code)
        .is_some_and(|code| matches!(code, code::PROTOCOL | code::INVALID | code::TOO_LARGE));
    assert!(
        is_over == close.is_some() || !is_over && is_refused,
        "{whole:?}"
    );
}

/// What a socket that says what it is told answers.
fn answers(pieces: &[&[u8]]) -> Vec<Seen> {
    let app = App::new().get("/", async |req: Request| {
        WebSocket::upgrade(&req)
            .max_message_bytes(MESSAGE_BYTES)
            .max_frame_bytes(FRAME_BYTES)
            .on_upgrade(async |socket| {
                while let Some(Ok(message)) = socket.recv().await {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
            })
    });
    let mut peer = Conversation::new(app).expect("one route");
    peer.deliver(HANDSHAKE);
    let head = peer.take_sent();
    assert!(head.starts_with(b"HTTP/1.1 101 ") && head.ends_with(b"\r\n\r\n"));
    pieces.iter().for_each(|piece| peer.deliver(piece));
    let answers = seen(&peer.take_sent());
    let is_closed = answers.last().is_some_and(|last| last.opcode == CLOSE);
    assert_eq!(peer.is_shut(), is_closed);
    peer.close();
    assert!(peer.ended().is_some() && peer.in_flight() == 0);
    answers
}

/// What tungstenite hears in `bytes`, as the answers of such a socket, and whether that is over.
fn theirs(bytes: &[u8]) -> (Vec<Seen>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(FRAME_BYTES));
    let wire = OneWay(Cursor::new(bytes));
    let mut socket = tungstenite::WebSocket::from_raw_socket(wire, Role::Server, Some(config));
    let mut heard = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => heard.push(Seen::new(1, text.as_bytes())),
            Ok(Message::Binary(bytes)) => heard.push(Seen::new(2, &bytes)),
            Ok(Message::Ping(payload)) => heard.push(Seen::new(PONG, &payload)),
            Ok(Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) => return (heard, true),
            Err(tungstenite::Error::Io(_)) => return (heard, false),
            Err(_) => return (heard, true),
        }
    }
}

/// Bytes to be read, and then none yet; what is written is lost.
struct OneWay<'a>(Cursor<&'a [u8]>);

impl Read for OneWay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            bytes => Ok(bytes),
        }
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
