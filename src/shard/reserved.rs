//! What the server answers itself, before any route: its statistics, and whether it serves. Who may have
//! what depends on where a connection came to:
//!
//! | | at the service's addresses | at the statistics' own, if they have one |
//! |---|---|---|
//! | `/stats`, `/metrics` | for those admitted, unless they have an address of their own | for those admitted |
//! | `/healthz` | for all, unless the app has a route of that name | for all |
//! | anything else | the app's | nothing |
//!
//! Whoever is not admitted finds what is at any unknown path, which at the service's addresses may be a
//! route of the app.

use super::{Door, Shard, stats};
use crate::app::{Answer, IntoResponse, Response};
use crate::http::RequestHead;
use crate::stats::Whose;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use std::net::SocketAddr;
use std::rc::Rc;

/// Where the health of the server is told.
pub(super) const HEALTH: &str = "/healthz";

/// The answer of the server itself, and whose it is, if it has one.
pub(super) fn answer(
    shard: &Rc<Shard>,
    head: &RequestHead,
    peer: SocketAddr,
    door: Door,
) -> Option<(Whose, Answer)> {
    let has_stats = door == Door::Stats || shard.access.listen.is_none();
    if has_stats && stats::is_asked(shard, head, peer) {
        return Some((Whose::STATS, read(head, || stats::answer(shard, head))));
    }
    let has_health = door == Door::Stats || !shard.tells_health.get();
    if has_health && head.path_octets() == HEALTH.as_bytes() {
        let health = || Answer::ready(health(shard.leaving.is_announced()));
        return Some((Whose::HEALTH, read(head, health)));
    }
    let nothing = || Answer::ready(Response::error(StatusCode::NOT_FOUND, ""));
    (door == Door::Stats).then(|| (Whose::UNMATCHED, nothing()))
}

/// Answers a request for something that can only be read.
fn read(head: &RequestHead, answer: impl FnOnce() -> Answer) -> Answer {
    let refusal = match *head.method() {
        Method::GET | Method::HEAD => return answer(),
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::error(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
    Answer::ready(refusal.with_header(ALLOW, allow))
}

/// Whether more requests are welcome.
fn health(is_leaving: bool) -> Response {
    let (status, word) = match is_leaving {
        false => (StatusCode::OK, "serving\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    };
    let no_store = HeaderValue::from_static("no-store");
    word.into_response()
        .with_status(status)
        .with_header(CACHE_CONTROL, no_store)
}
