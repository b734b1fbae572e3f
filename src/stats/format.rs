//! The formats of `/stats`, and writing a view in one of them, piece by piece, so that a core that does
//! so can serve others in between.

use super::dashboard::{self, Page};
use super::families::Telling;
use super::hdr::Encoding;
use super::interval_log::IntervalLog;
use super::json::{self, Json, Selection, ServerInfo};
use super::protobuf::Messages;
use super::text::{Dialect, Text};
use super::view::View;
#[cfg(test)]
use super::view::Window;
use bytes::Bytes;

/// A format of `/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// Prometheus's text, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus's protocol buffers, with native histograms.
    Protobuf,
    /// HdrHistogram's encoding in JSON.
    Hdr,
    /// An HdrHistogram interval log.
    Hlog,
    /// Server-sent events: the JSON of each view that comes.
    Sse,
    /// A page for people, the dashboard.
    Html,
}

impl Format {
    /// All there are, the one that is preferred first.
    pub const ALL: [Format; 8] = [
        Format::Json,
        Format::Prometheus,
        Format::OpenMetrics,
        Format::Protobuf,
        Format::Hdr,
        Format::Hlog,
        Format::Sse,
        Format::Html,
    ];

    /// Its name in queries.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Prometheus => "prometheus",
            Format::OpenMetrics => "openmetrics",
            Format::Protobuf => "protobuf",
            Format::Hdr => "hdr",
            Format::Hlog => "hlog",
            Format::Sse => "sse",
            Format::Html => "html",
        }
    }

    /// The value of Content-Type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Format::Json | Format::Hdr => "application/json",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
            Format::Hlog => "text/plain; charset=utf-8",
            Format::Sse => "text/event-stream",
            Format::Html => "text/html; charset=utf-8",
        }
    }

    /// The value of Content-Disposition, where it is to be kept as a file.
    pub const fn disposition(self) -> Option<&'static str> {
        match self {
            Format::Hlog => Some("attachment; filename=\"corelane.hlog\""),
            _ => None,
        }
    }

    /// The value of Content-Security-Policy, where it is a page.
    pub const fn policy(self) -> Option<&'static str> {
        match self {
            Format::Html => Some(dashboard::POLICY),
            _ => None,
        }
    }

    /// Whether it is worth compressing; the others are already, or are to be there at once.
    pub const fn is_compressible(self) -> bool {
        !matches!(self, Format::Hdr | Format::Hlog | Format::Sse)
    }

    /// Whether it tells of routes, and so of some of them; the others are of all requests.
    pub const fn has_routes(self) -> bool {
        !matches!(self, Format::Hdr | Format::Hlog)
    }

    /// Whether it can have what charts are drawn of. The page has charts in any case.
    pub const fn has_charts(self) -> bool {
        matches!(self, Format::Json | Format::Sse | Format::Html)
    }

    /// Whether it tells of windows; the others count since the start alone, as scrapers expect.
    pub const fn has_windows(self) -> bool {
        !matches!(
            self,
            Format::Prometheus | Format::OpenMetrics | Format::Protobuf
        )
    }
}

/// A view on its way to be written.
///
/// What is written comes in pieces as well: all of it would be megabytes where there are many series, and
/// could only grow by being copied.
pub struct Writing<'a> {
    step: Step<'a>,
    pieces: Vec<Bytes>,
}

enum Step<'a> {
    Json(Json<'a>, json::Text),
    Event(Json<'a>, json::Text),
    Hdr(Encoding<'a>, json::Text),
    Hlog(IntervalLog<'a>),
    Text(Telling<'a>, Text),
    Protobuf(Telling<'a>, Messages),
    Html(Page<'a>),
}

/// Bytes of a piece of what is written, but for what is written at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes that a step of the work adds to a text, for which there is room behind a piece: nothing is copied to grow.
const TEXT_STEP_BYTES: usize = 8 * 1024;

impl<'a> Writing<'a> {
    /// Begins to write `view` at `now_ns` on the monotonic clock.
    pub fn new(
        format: Format,
        view: &'a View,
        selection: &'a Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Self {
        let telling = || Telling::new(view, selection, server, now_ns);
        let json = || Json::new(view, selection.clone(), server, now_ns);
        let step = match format {
            Format::Json => Step::Json(json(), json::Text::behind(b"")),
            Format::Sse => Step::Event(json(), json::Text::behind(b"data: ")),
            Format::Prometheus => Step::Text(telling(), Text::new(Dialect::Prometheus)),
            Format::OpenMetrics => Step::Text(telling(), Text::new(Dialect::OpenMetrics)),
            Format::Protobuf => Step::Protobuf(telling(), Messages::new()),
            Format::Hdr => {
                let encoding = Encoding::new(view, selection, server);
                Step::Hdr(encoding, json::Text::behind(b""))
            }
            Format::Html => Step::Html(Page::new(view, selection, server, now_ns)),
            Format::Hlog => Step::Hlog(IntervalLog::new(view, selection)),
        };
        Self {
            step,
            pieces: Vec::new(),
        }
    }

    /// Does the next piece of the work, which takes some 30 µs at most; `false` when there is none.
    pub fn write_next(&mut self) -> bool {
        let pieces = &mut self.pieces;
        match &mut self.step {
            Step::Json(json, text) | Step::Event(json, text) => {
                let is_more = json.next(text);
                cut(&mut text.written, pieces);
                is_more
            }
            Step::Hdr(encoding, text) => {
                let is_more = encoding.next(text);
                cut(&mut text.written, pieces);
                is_more
            }
            Step::Text(telling, text) => {
                let is_more = telling.next(text);
                if cut(text.written(), pieces) {
                    text.written().reserve(PIECE_BYTES + TEXT_STEP_BYTES);
                }
                is_more
            }
            Step::Protobuf(telling, messages) => telling.next(messages),
            Step::Hlog(log) => {
                let is_more = log.next();
                cut(log.written(), pieces);
                is_more
            }
            Step::Html(page) => page.next(),
        }
    }

    /// What is written, when all of the work is done: one behind the other.
    pub fn finish(mut self) -> Vec<Bytes> {
        let last: Bytes = match self.step {
            Step::Json(_, text) | Step::Hdr(_, text) => text.finish().into(),
            Step::Event(_, text) => {
                // JSON has no line break, and so is one line of data.
                let mut last = text.finish();
                last.extend(b"\n\n");
                last.into()
            }
            Step::Text(_, text) => text.finish().into(),
            Step::Protobuf(_, mut messages) => {
                let all = messages.written().drain(..).map(Bytes::from);
                self.pieces.extend(all);
                Bytes::new()
            }
            Step::Hlog(mut log) => std::mem::take(log.written()).into(),
            Step::Html(page) => page.finish().into(),
        };
        self.pieces.extend((!last.is_empty()).then_some(last));
        self.pieces
    }
}

/// Takes a piece out of what is written, if it is one already; whether it was.
fn cut<T: AsRef<[u8]> + Default + Into<Bytes>>(written: &mut T, pieces: &mut Vec<Bytes>) -> bool {
    let is_one = written.as_ref().len() >= PIECE_BYTES;
    if is_one {
        pieces.push(std::mem::take(written).into());
    }
    is_one
}

#[cfg(test)]
mod tests;
