//! The `/stats` resource of a shard: answered from the newest merged statistics, so that reading them waits
//! for no other core, unless fresh ones are asked for.

mod asker;
#[cfg(feature = "compression")]
mod compressed;
mod fresh;
mod held;
mod query;
mod queue;
mod written;

pub(super) use self::fresh::{Waiters, deliver};
pub(super) use self::written::Written;

use self::asker::may_be_for_others;
use self::fresh::freshen;
use self::held::{Pieces, Sent, content};
use self::query::Query;
use self::written::{Unwritten, try_later, write};
use super::Shard;
use crate::app::{Answer, IntoResponse, Response, Sse};
use crate::config::StatsAccess;
use crate::http::{AcceptedCodings, CodingChoice, ContentCoding, RequestHead};
use crate::latest::Follower;
use crate::permits::Permit;
use crate::stats::Format;
use bytes::Bytes;
use futures_lite::stream;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    VARY,
};
use http::{HeaderValue, StatusCode};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How long who follows the views waits before it comes again after a break.
const RETRY: Duration = Duration::from_secs(1);

/// A peer that follows the views.
struct Following {
    shard: Rc<Shard>,
    query: Query,
    follower: Follower,
    /// When the view was merged that it was told of last.
    last_ns: Option<u64>,
    /// What is left of the event.
    event: Sent,
    /// It counts among the followers for as long as there are events.
    _permit: Permit,
}

/// Whether the request is one that may have the statistics.
pub(super) fn are_for(access: &StatsAccess, head: &RequestHead, peer: SocketAddr) -> bool {
    access.admits(peer.ip(), may_be_for_others(head))
}

/// Answers a request for the statistics that is to be read.
pub(super) fn answer(shard: &Rc<Shard>, head: &RequestHead) -> Answer {
    let accept = head.field_values("accept");
    let query = match Query::parse(head.path_octets(), head.query().unwrap_or_default(), accept) {
        Ok(query) => Query {
            is_gzipped: query.format.is_compressible() && takes_gzip(head),
            ..query
        },
        Err(detail) => return Answer::ready(Response::error(StatusCode::BAD_REQUEST, &detail)),
    };
    if query.format == Format::Sse {
        return Answer::ready(match shard.followers.take() {
            Some(permit) => events(Rc::clone(shard), permit, query),
            None => try_later("Too many follow the statistics of this core."),
        });
    }
    if !query.fresh
        && let Some(told) = shard.written.newest(shard, &query)
    {
        return Answer::ready(response(&query, &told.pieces));
    }
    let shard = Rc::clone(shard);
    Answer::pending(async move {
        if query.fresh {
            freshen(&shard).await;
        }
        match write(&shard, &query).await {
            Ok(told) => response(&query, &told.pieces),
            Err(unwritten) => unwritten.into_response(),
        }
    })
}

/// Whether the answer to the request is to be compressed with gzip.
fn takes_gzip(head: &RequestHead) -> bool {
    let accepted = AcceptedCodings::of(head.field_values("accept-encoding"));
    let choice = accepted.choose(&[ContentCoding::Gzip]);
    cfg!(feature = "compression") && matches!(choice, CodingChoice::Coded(_))
}

/// The views that come, each as an event, until the server shuts down. The next is written when the peer
/// has taken the last, so that a slow one skips views, and nothing is kept for it.
fn events(shard: Rc<Shard>, permit: Permit, query: Query) -> Response {
    let following = Following {
        shard,
        query,
        follower: Follower::default(),
        last_ns: None,
        event: Sent::default(),
        _permit: permit,
    };
    let pieces = stream::unfold(following, async |mut following| {
        let piece = following.next().await?;
        Some((piece, following))
    });
    let vary = HeaderValue::from_static("accept");
    Sse::written(pieces).into_response().with_header(VARY, vary)
}

impl Following {
    /// The next piece of an event. None if it cannot be written: who comes again gets what can.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.event.next() {
            return Some(piece);
        }
        let is_first = self.follower.is_new();
        let told = loop {
            self.follower.next(&self.shard.merged).await;
            // Who came between a merge and its being told of has that one.
            if self.last_ns == Some(self.shard.newest.get().merged_at_ns) {
                continue;
            }
            match write(&self.shard, &self.query).await {
                Ok(told) => break told,
                // There may be room for the next.
                Err(Unwritten::Crowded) => {}
                Err(_) => return None,
            }
        };
        self.event = Sent::of(&told.pieces);
        self.last_ns = Some(told.merged_at_ns);
        if self.query.selection.charts {
            // Seconds in charts are told once, those of skipped views included.
            self.query.selection.after = told.newest_second;
        }
        if is_first {
            return Some(Bytes::from(format!("retry: {}\n", RETRY.as_millis())));
        }
        self.event.next()
    }
}

fn response(query: &Query, pieces: &Pieces) -> Response {
    let media_type = HeaderValue::from_static(query.format.media_type());
    let response = Response::new(StatusCode::OK)
        .with_header(CONTENT_TYPE, media_type)
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(VARY, HeaderValue::from_static("accept, accept-encoding"))
        .with_body(content(pieces));
    let of_format = [
        (CONTENT_ENCODING, query.is_gzipped.then_some("gzip")),
        (CONTENT_SECURITY_POLICY, query.format.policy()),
        (CONTENT_DISPOSITION, query.format.disposition()),
    ];
    let of_format = of_format
        .into_iter()
        .filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
    of_format.fold(response, |response, (name, value)| {
        response.with_header(name, value)
    })
}
