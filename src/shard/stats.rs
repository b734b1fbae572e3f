//! The `/stats` resource of a shard: answered from the newest merged statistics, so that reading them waits
//! for no other core, unless fresh ones are asked for.

#[cfg(feature = "compression")]
mod compressed;
mod written;

pub(super) use self::written::Written;

use self::written::{Pieces, Sent, content, write};
use super::Shard;
use super::messages::Report;
use crate::app::{Answer, IntoResponse, Response, Sse};
use crate::config::StatsAccess;
use crate::http::{AcceptedCodings, CodingChoice, ContentCoding, RequestHead, preferred_type};
use crate::latest::Follower;
use crate::limits::FRESH_TIMEOUT;
use crate::permits::Permit;
use crate::ring::Deadline;
use crate::stats::{Format, Selection, View, Window};
use bytes::Bytes;
use futures_lite::stream;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    VARY,
};
use http::{HeaderValue, StatusCode};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// Where scrapers look for the statistics.
const METRICS: &[u8] = super::reserved::METRICS.as_bytes();

/// The media types that ask for each format, in the order of [`Format::ALL`].
const OFFERS: [&[&str]; Format::ALL.len()] = [
    &["application/json"],
    &["text/plain"],
    &["application/openmetrics-text"],
    &["application/vnd.google.protobuf"],
    // These have no media type of their own: they are asked for by name.
    &[],
    &[],
    &["text/event-stream"],
    &["text/html"],
];

/// How long who follows the views waits before it comes again after a break.
const RETRY: Duration = Duration::from_secs(1);

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
#[derive(Clone, Debug, PartialEq, Eq)]
struct Query {
    fresh: bool,
    /// Whether the answer is compressed with gzip.
    is_gzipped: bool,
    format: Format,
    selection: Selection,
}

/// Whether the request is one that may have the statistics.
pub(super) fn are_for(access: &StatsAccess, head: &RequestHead, peer: SocketAddr) -> bool {
    let mut fields = StatsAccess::FORWARDED.iter();
    let is_forwarded = fields.any(|name| head.field(name).is_some());
    access.admits(peer.ip(), is_forwarded)
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
            None => {
                let detail = "Too many follow the statistics of this core.";
                Response::error(StatusCode::SERVICE_UNAVAILABLE, detail)
            }
        });
    }
    if !query.fresh
        && let Some(told) = shard
            .written
            .find(shard, &query, shard.newest.get().merged_at_ns)
    {
        return Answer::ready(response(&query, &told.pieces));
    }
    let shard = Rc::clone(shard);
    Answer::pending(async move {
        let view = match query.fresh {
            true => Some(fresh(&shard).await),
            false => None,
        };
        let told = write(&shard, &query, view).await;
        response(&query, &told.pieces)
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
    let state = (
        Follower::default(),
        None,
        query,
        Sent::of(&Pieces::default()),
    );
    let pieces = stream::unfold(state, move |(mut follower, last, mut query, mut event)| {
        let shard = Rc::clone(&shard);
        // It is held for as long as there are events.
        let _ = &permit;
        async move {
            if let Some(piece) = event.next() {
                return Some((piece, (follower, last, query, event)));
            }
            let is_first = follower.is_new();
            loop {
                follower.next(&shard.merged).await;
                // Who came between a merge and its being told of has that one.
                if last != Some(shard.newest.get().merged_at_ns) {
                    break;
                }
            }
            let told = write(&shard, &query, None).await;
            event = Sent::of(&told.pieces);
            if query.selection.charts {
                // Seconds in charts are told once, those of skipped views included.
                query.selection.after = told.newest_second;
            }
            let next = match is_first {
                true => Bytes::from(format!("retry: {}\n", RETRY.as_millis())),
                false => event.next().unwrap_or_default(),
            };
            Some((next, (follower, Some(told.merged_at_ns), query, event)))
        }
    });
    let vary = HeaderValue::from_static("accept");
    Sse::written(pieces).into_response().with_header(VARY, vary)
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

impl Query {
    /// Reads `fresh=0|1`, `format=NAME`, `window=total|1s|10s|60s`, `filter=TEXT`, `per_core=0|1` and
    /// `charts=0|1`. A name that it does not know is a mistake that would otherwise be taken for an answer; but for one that
    /// begins with `_`, as those do that are there to get past a cache. Without a format it is the one that `accept`, the
    /// values of all Accept fields, prefer of those for this path.
    fn parse<'a>(
        path: &[u8],
        query: &str,
        accept: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
            .map_err(|error| format!("the query cannot be read: {error}"))?;
        let mut selection = Selection::default();
        let (mut fresh, mut format) = (false, None);
        for (name, value) in pairs {
            match &*name {
                "fresh" => fresh = flag(&name, &value)?,
                "per_core" => selection.per_core = flag(&name, &value)?,
                "charts" => selection.charts = flag(&name, &value)?,
                "format" => format = Some(named("format", &value, Format::ALL, Format::name)?),
                "window" => {
                    selection.window = named("window", &value, Window::ALL, Window::name)?;
                }
                "filter" => selection.filter = Some(value),
                name if name.starts_with('_') => {}
                name => {
                    let known = NAMES.join(", ");
                    return Err(format!("{name:?} is not known here; {known} are"));
                }
            }
        }
        let format = format.unwrap_or_else(|| preferred(path, accept));
        if selection.window != Window::Total && !format.has_windows() {
            let name = format.name();
            return Err(format!("{name} counts since the start: leave out window"));
        }
        if selection.filter.is_some() && !format.has_routes() {
            let name = format.name();
            return Err(format!(
                "{name} is of all routes: leave out filter, or ask for json"
            ));
        }
        if fresh && format == Format::Sse {
            return Err("sse tells of each second when it ends: leave out fresh".to_owned());
        }
        Ok(Self {
            fresh,
            is_gzipped: false,
            format,
            selection,
        })
    }
}

/// What a query is made of.
const NAMES: [&str; 6] = ["format", "window", "filter", "per_core", "charts", "fresh"];

/// The format that `accept` prefers. Whoever wants none that there is gets the usual one.
fn preferred<'a>(path: &[u8], accept: impl Iterator<Item = &'a [u8]>) -> Format {
    let (mut offers, mut usual) = (OFFERS, Format::Json);
    if path == METRICS {
        // A scraper that takes anything means what scrapers take, and so does who looks at it with a browser.
        for (offer, format) in offers.iter_mut().zip(Format::ALL) {
            if matches!(format, Format::Json | Format::Sse | Format::Html) {
                *offer = &[];
            }
        }
        usual = Format::Prometheus;
    }
    preferred_type(accept, &offers).map_or(usual, |place| Format::ALL[place])
}

/// The one of `all` that is called `value`.
fn named<T: Copy, const N: usize>(
    what: &str,
    value: &str,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.into_iter().find(|one| name(*one) == value);
    found.ok_or_else(|| format!("{what} is one of {}", all.map(name).join(", ")))
}

fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(format!("{name} is 0 or 1")),
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
        return shard.newest.get();
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
    // The supervisor keeps the time limits of the round and of the one before it; this one is for a supervisor that
    // cannot.
    let limit = Deadline::new(shard.ring());
    limit.arm(3 * FRESH_TIMEOUT);
    limit
        .limit(merged)
        .await
        .unwrap_or_else(|_| shard.newest.get())
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

/// Hands fresh statistics to those of the requests that asked for them that still wait.
pub(super) fn deliver(shard: &Shard, tokens: &[u64], view: &Arc<View>) {
    for token in tokens {
        let mut waiting = shard.fresh.borrow_mut();
        let Some(fresh) = waiting.requests.get_mut(token) else {
            continue;
        };
        fresh.view = Some(Arc::clone(view));
        let waker = fresh.waker.take();
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str, query: &str, accept: &str) -> Result<Query, String> {
        Query::parse(path.as_bytes(), query, [accept.as_bytes()].into_iter())
    }

    #[test]
    fn queries() {
        let default = parsed("/stats", "", "").expect("a query");
        assert_eq!(default.format, Format::Json);
        assert_eq!(default.selection, Selection::default());
        let all = "format=json&fresh=1&window=10s&filter=%2Fa+b&per_core=1&charts=1&_=17";
        let asked = parsed("/stats", all, "text/plain").expect("a query");
        assert_eq!(
            asked,
            Query {
                fresh: true,
                is_gzipped: false,
                format: Format::Json,
                selection: Selection {
                    window: Window::TenSeconds,
                    filter: Some("/a b".into()),
                    per_core: true,
                    charts: true,
                    after: 0,
                },
            }
        );
        for (query, error) in [
            ("fresh=yes", "fresh is 0 or 1"),
            ("per_core=2", "per_core is 0 or 1"),
            (
                "format=xml",
                "format is one of json, prometheus, openmetrics, protobuf, hdr, hlog, sse, html",
            ),
            ("window=2s", "window is one of total, 1s, 10s, 60s"),
            (
                "window=1s&format=prometheus",
                "prometheus counts since the start: leave out window",
            ),
            (
                "filter=a&format=hdr",
                "hdr is of all routes: leave out filter, or ask for json",
            ),
            (
                "format=hlog&filter=",
                "hlog is of all routes: leave out filter, or ask for json",
            ),
            (
                "fresh=1&windows=1s",
                "\"windows\" is not known here; format, window, filter, per_core, charts, fresh are",
            ),
            (
                "fresh=1&format=sse",
                "sse tells of each second when it ends: leave out fresh",
            ),
        ] {
            assert_eq!(parsed("/stats", query, ""), Err(error.into()), "{query}");
        }
    }

    #[test]
    fn formats_that_are_accepted() {
        // What Prometheus 2.42 and 3 send, with native histograms and without.
        let native = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
            encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let classic = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (path, accept, format) in [
            ("/stats", "*/*", Format::Json),
            ("/stats", "image/png", Format::Json),
            ("/stats", "text/plain", Format::Prometheus),
            ("/stats", "text/event-stream", Format::Sse),
            ("/stats", browser, Format::Html),
            ("/metrics", browser, Format::Prometheus),
            ("/metrics", "text/event-stream", Format::Prometheus),
            ("/stats", native, Format::Protobuf),
            ("/stats", classic, Format::OpenMetrics),
            ("/metrics", "", Format::Prometheus),
            ("/metrics", "*/*", Format::Prometheus),
            ("/metrics", "application/json", Format::Prometheus),
            ("/metrics", native, Format::Protobuf),
            ("/metrics", classic, Format::OpenMetrics),
        ] {
            let asked = parsed(path, "", accept).expect("a query");
            assert_eq!(asked.format, format, "{path} {accept}");
        }
    }
}
