//! What the server answers itself, before any route: its statistics, and whether it serves. Who may have
//! what depends on where a connection came to:
//!
//! | | at the service's addresses | at the statistics' own, if they have one |
//! |---|---|---|
//! | `/stats`, `/metrics` | for those admitted, unless they have an address of their own, or the app has a route of that name | for those admitted |
//! | `/healthz` | for all, unless the app has a route of that name | for all |
//! | anything else | the app's | nothing |
//!
//! Whoever is not admitted finds what is at any unknown path, which at the service's addresses may be a
//! route of the app.

use super::{Door, Shard, stats};
use crate::app::{Answer, IntoResponse, Response, Router};
use crate::http::RequestHead;
use crate::stats::Whose;
use http::header::{ALLOW, CACHE_CONTROL};
use http::{HeaderValue, Method, StatusCode};
use std::net::SocketAddr;
use std::rc::Rc;

/// Where statistics are found, and where scrapers look for them.
const STATS: &str = "/stats";
pub(super) const METRICS: &str = "/metrics";
/// Where the health of the server is told.
const HEALTH: &str = "/healthz";

/// Of which of these paths the app has a route of its own. One with a parameter in it, a fallback or a
/// folder is none: it would have anything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    stats: bool,
    metrics: bool,
    health: bool,
}

impl Taken {
    pub(super) fn by(router: &Router) -> Taken {
        let has = |path| router.routes().any(|route| route.template == path);
        Taken {
            stats: has(STATS),
            metrics: has(METRICS),
            health: has(HEALTH),
        }
    }
}

/// The answer of the server itself, and whose it is, if it has one.
pub(super) fn answer(
    shard: &Rc<Shard>,
    head: &RequestHead,
    peer: SocketAddr,
    door: Door,
) -> Option<(Whose, Answer)> {
    let path = head.path_octets();
    let taken = match door {
        Door::Service => shard.taken.get(),
        Door::Stats => Taken::default(),
    };
    let is_stats =
        path == STATS.as_bytes() && !taken.stats || path == METRICS.as_bytes() && !taken.metrics;
    let has_stats = door == Door::Stats || shard.access.listen.is_none();
    if is_stats && has_stats && stats::are_for(shard, head, peer) {
        return Some((Whose::STATS, read(head, || stats::answer(shard, head))));
    }
    if path == HEALTH.as_bytes() && !taken.health {
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
