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
use crate::config::StatsAccess;
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

/// What the server answers with itself.
enum Own {
    Statistics,
    Health,
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
    let taken = match door {
        Door::Service => shard.taken.get(),
        Door::Stats => Taken::default(),
    };
    let Some(own) = own(&shard.access, head, peer, door, taken) else {
        let nothing = || Answer::ready(Response::error(StatusCode::NOT_FOUND, ""));
        return (door == Door::Stats).then(|| (Whose::STATS, nothing()));
    };
    let whose = match own {
        Own::Statistics => Whose::STATS,
        Own::Health => Whose::HEALTH,
    };
    let answer = match (not_read(head), own) {
        (Some(refusal), _) => Answer::ready(refusal),
        (None, Own::Statistics) => stats::answer(shard, head),
        (None, Own::Health) => Answer::ready(health(shard.leaving.is_announced())),
    };
    Some((whose, answer))
}

/// What there is of the server's own for the request, if there is anything.
fn own(
    access: &StatsAccess,
    head: &RequestHead,
    peer: SocketAddr,
    door: Door,
    taken: Taken,
) -> Option<Own> {
    let path = head.path_octets();
    let is_stats =
        path == STATS.as_bytes() && !taken.stats || path == METRICS.as_bytes() && !taken.metrics;
    let has_stats = door == Door::Stats || access.listen.is_none();
    if is_stats && has_stats && stats::are_for(access, head, peer) {
        return Some(Own::Statistics);
    }
    (path == HEALTH.as_bytes() && !taken.health).then_some(Own::Health)
}

/// The paths that the server answers itself at the service's addresses, where the app has no route of that
/// name: all of them to some.
pub(crate) fn paths(access: &StatsAccess) -> impl Iterator<Item = &'static str> {
    let statistics = (access.enabled && access.listen.is_none()).then_some([STATS, METRICS]);
    statistics.into_iter().flatten().chain([HEALTH])
}

/// What the server answers itself.
pub(crate) struct Explained {
    /// What it is.
    pub(crate) what: &'static str,
    pub(crate) response: Response,
    /// Whether the response is all of it: statistics are what they are when they are asked for.
    pub(crate) is_whole: bool,
}

/// What the server answers itself, at the service's addresses and while it serves on, where the app has
/// no route of that name.
pub(crate) fn explained(
    access: &StatsAccess,
    head: &RequestHead,
    peer: SocketAddr,
) -> Option<Explained> {
    let own = own(access, head, peer, Door::Service, Taken::default())?;
    let what = match own {
        Own::Statistics => "its statistics, for those admitted, such as peers on this machine",
        Own::Health => "whether it serves, for all",
    };
    let (response, is_whole) = match (not_read(head), own) {
        (Some(refusal), _) => (refusal, true),
        (None, Own::Statistics) => (Response::new(StatusCode::OK), false),
        (None, Own::Health) => (health(false), true),
    };
    Some(Explained {
        what,
        response,
        is_whole,
    })
}

/// The response to a request that is not to read what can only be read.
fn not_read(head: &RequestHead) -> Option<Response> {
    let refusal = match *head.method() {
        Method::GET | Method::HEAD => return None,
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::error(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
    Some(refusal.with_header(ALLOW, allow))
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
