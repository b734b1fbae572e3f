//! WebSockets in memory: the handshake, the protocol case by case, every end, and what a program and
//! its peer may do to each other.

mod handshake;
mod life;
mod protocol;

use super::support::frames::{Seen, seen};
use corelane::app::{App, Request};
use corelane::testing::Conversation;
use corelane::ws::{WebSocket, WebSocketError};
use std::cell::RefCell;
use std::rc::Rc;

/// The largest message and frame of `/echo`, in bytes.
const MESSAGE_BYTES: usize = 300;
const FRAME_BYTES: usize = 200;

/// The handshake for `path`, with more `fields`.
fn handshake(path: &str, fields: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
    .into_bytes()
}

/// How the last socket of `/echo` ended for its program.
type Ends = Rc<RefCell<Vec<Option<WebSocketError>>>>;

/// An app whose `/echo` says what it is told.
fn echo(ends: &Ends) -> App {
    let ends = Rc::clone(ends);
    App::new().any("/echo", move |req: Request| {
        let ends = Rc::clone(&ends);
        async move {
            WebSocket::upgrade(&req)
                .max_message_bytes(MESSAGE_BYTES)
                .max_frame_bytes(FRAME_BYTES)
                .on_upgrade(async move |socket| {
                    let end = loop {
                        match socket.recv().await {
                            None => break None,
                            Some(Err(error)) => break Some(error),
                            Some(Ok(message)) => {
                                let _ = socket.send(message).await;
                            }
                        }
                    };
                    assert!(socket.is_closed() && socket.recv().await.is_none());
                    ends.borrow_mut().push(end);
                })
        }
    })
}

/// A conversation in which the handshake for `path` is over.
fn open(app: App, path: &str) -> Conversation {
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&handshake(path, ""));
    assert_eq!(frames(&mut after_head(&mut peer)), []);
    peer
}

/// What was sent behind the head of the 101.
fn after_head(peer: &mut Conversation) -> Vec<u8> {
    let sent = peer.take_sent();
    let end = sent.windows(4).position(|octets| octets == b"\r\n\r\n");
    let (head, rest) = sent.split_at(end.expect("a head") + 4);
    let head = std::str::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The key and its answer are those of RFC 6455 §1.3.
    let accept = "\r\nSec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    assert!(head.contains(accept), "{head}");
    rest.to_vec()
}

fn frames(sent: &mut Vec<u8>) -> Vec<Seen> {
    seen(&std::mem::take(sent))
}

/// The frames that were sent since the last time.
fn said(peer: &mut Conversation) -> Vec<Seen> {
    seen(&peer.take_sent())
}
