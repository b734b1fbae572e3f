//! Connections in memory: limits at their value and one beyond, deadlines to the nanosecond, and
//! what handlers and peers may say to each other. No socket and no clock is involved.

mod access;
mod bodies;
mod client;
#[cfg(feature = "compression")]
mod compression;
mod containment;
mod deadlines;
#[cfg(feature = "compression")]
mod decompression;
mod departures;
mod errors;
mod extract;
mod layers;
mod life;
mod limits;
mod log;
mod middleware;
#[cfg(feature = "multipart")]
mod multipart;
mod spans;
mod streaming;
#[cfg(feature = "websocket")]
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tower")]
mod tower;
mod trailers;
mod upgrade;
#[cfg(feature = "websocket")]
mod websocket;
mod whole;

use corelane::testing::Conversation;
use corelane::{App, Limits, Request};

/// A request with `fields`, each ended by CR LF, and nothing behind its head.
fn request(method: &str, target: &str, fields: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
}

/// `GET /`.
fn get() -> Vec<u8> {
    request("GET", "/", "")
}

/// An app whose `/` says hello and reads nothing, and whose `/take` tells how much it was sent.
fn app() -> App {
    App::new()
        .any("/", async |_| "Hello")
        .any("/take", async |mut request: Request| {
            Ok::<_, corelane::Error>(request.bytes().await?.len().to_string())
        })
}

fn with(change: impl FnOnce(&mut Limits)) -> Conversation {
    let mut limits = Limits::default();
    change(&mut limits);
    limits.prove().expect("limits that a server may have");
    Conversation::with_limits(app(), limits).expect("routes that fit together")
}

/// What was sent since the last time, as text.
fn sent(peer: &mut Conversation) -> String {
    String::from_utf8(peer.take_sent()).expect("text")
}

/// The status of each response in `sent`, none of which has a content that looks like one.
fn statuses(sent: &str) -> Vec<u16> {
    let lines = sent.split("HTTP/1.1 ").skip(1);
    lines
        .map(|line| line[..3].parse().expect("a status"))
        .collect()
}
