//! The `/stats` resource of a shard: answered from its own copy of the merged statistics, so that
//! reading them waits for no other core, unless fresh ones are asked for.

use super::Shard;
use super::mailbox::Report;
use crate::app::{Answer, Response};
use crate::http::RequestHead;
use crate::limits::FRESH_TIMEOUT;
use crate::ring::Deadline;
use crate::stats::{View, json};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// Where statistics are found.
const PATH: &[u8] = b"/stats";

/// The requests that wait for fresh statistics, by a token that is never used again: what comes
/// late for one that gave up is nothing to another.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    next_token: u64,
    requests: BTreeMap<u64, Fresh>,
}

/// A request that waits for fresh statistics.
#[derive(Debug, Default)]
struct Fresh {
    view: Option<Arc<View>>,
    waker: Option<Waker>,
}

impl Waiting {
    fn enter(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.requests.insert(token, Fresh::default());
        token
    }
}

/// What a request for statistics asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Query {
    fresh: bool,
}

/// Whether the request is for the statistics and may have them. If not, it is one like any other.
pub(super) fn is_asked(shard: &Shard, head: &RequestHead, peer: SocketAddr) -> bool {
    head.path_octets() == PATH && shard.access.admits(peer.ip())
}

/// Answers a request for the statistics.
pub(super) fn answer(shard: &Rc<Shard>, head: &RequestHead) -> Answer {
    let response = match *head.method() {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(Response::new(StatusCode::NO_CONTENT)),
        _ => Some(Response::error(StatusCode::METHOD_NOT_ALLOWED, "")),
    };
    if let Some(response) = response {
        let allow = HeaderValue::from_static("GET, HEAD, OPTIONS");
        return Answer::ready(response.with_header(ALLOW, allow));
    }
    let query = match Query::parse(head.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(detail) => return Answer::ready(Response::error(StatusCode::BAD_REQUEST, detail)),
    };
    if !query.fresh {
        return Answer::ready(written(shard, &shard.view()));
    }
    let shard = Rc::clone(shard);
    Answer::pending(async move {
        let view = fresh(&shard).await;
        written(&shard, &view)
    })
}

fn written(shard: &Shard, view: &View) -> Response {
    let body = json(view, &shard.info, shard.ring().clock_ns());
    Response::new(StatusCode::OK)
        .with_header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_body(body)
}

impl Query {
    /// Reads `fresh=0|1`, `format=json` and `window=total`; what it does not know is ignored, as
    /// in any query.
    fn parse(query: &str) -> Result<Self, &'static str> {
        let mut asked = Self::default();
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("fresh", "0" | "1")) => asked.fresh = pair.ends_with('1'),
                Some(("fresh", _)) => return Err("fresh is 0 or 1"),
                Some(("format", format)) if format != "json" => return Err("format is json"),
                Some(("window", window)) if window != "total" => return Err("window is total"),
                _ => {}
            }
        }
        Ok(asked)
    }
}

/// Statistics merged from snapshots that every core takes now. A core that does not answer within
/// [`FRESH_TIMEOUT`] is in them as it was.
async fn fresh(shard: &Rc<Shard>) -> Arc<View> {
    let place = Place {
        shard,
        token: shard.fresh.borrow_mut().enter(),
    };
    let report = Report::Fresh {
        shard: shard.index,
        token: place.token,
    };
    if shard.reports.send(report).is_err() {
        return shard.view();
    }
    let merged = poll_fn(|cx| {
        let mut waiting = shard.fresh.borrow_mut();
        let fresh = waiting.requests.entry(place.token).or_default();
        match fresh.view.take() {
            Some(view) => Poll::Ready(view),
            None => {
                fresh.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    // The supervisor keeps the time limit; this one is for a supervisor that cannot.
    let limit = Deadline::new(shard.ring());
    limit.arm(2 * FRESH_TIMEOUT);
    limit.limit(merged).await.unwrap_or_else(|_| shard.view())
}

/// Takes the request out of the waiting ones, however it ends.
struct Place<'a> {
    shard: &'a Shard,
    token: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shard.fresh.borrow_mut().requests.remove(&self.token);
    }
}

/// Hands fresh statistics to the request that asked for them, if it still waits. The shard keeps
/// them too: whoever has seen them is not answered with older ones, even by a late supervisor.
pub(super) fn deliver(shard: &Shard, token: u64, view: Arc<View>) {
    shard.view.replace(Arc::clone(&view));
    let mut waiting = shard.fresh.borrow_mut();
    let Some(fresh) = waiting.requests.get_mut(&token) else {
        return;
    };
    fresh.view = Some(view);
    let waker = fresh.waker.take();
    drop(waiting);
    waker.into_iter().for_each(Waker::wake);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let table = [
            ("", Ok(false)),
            ("fresh=1", Ok(true)),
            ("fresh=0", Ok(false)),
            ("format=json&fresh=1", Ok(true)),
            ("window=total&other=1", Ok(false)),
            ("fresh=yes", Err("fresh is 0 or 1")),
            ("format=xml", Err("format is json")),
            ("window=1s", Err("window is total")),
        ];
        for (query, expected) in table {
            assert_eq!(
                Query::parse(query).map(|query| query.fresh),
                expected,
                "{query}"
            );
        }
    }
}
