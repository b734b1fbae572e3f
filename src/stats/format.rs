//! The formats of `/stats`, and writing a view in one of them, piece by piece, so that a core that does
//! so can serve others in between.

use super::dashboard::{self, Page};
use super::families::Telling;
use super::hdr::{self, Encoding};
use super::json::{Selection, ServerInfo, json};
use super::protobuf::Messages;
use super::text::{Dialect, Text};
use super::view::View;
#[cfg(test)]
use super::view::Window;

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

    /// The value of Content-Security-Policy, where it is a page.
    pub const fn policy(self) -> Option<&'static str> {
        match self {
            Format::Html => Some(dashboard::POLICY),
            _ => None,
        }
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
pub struct Writing<'a>(Step<'a>);

enum Step<'a> {
    /// In one piece.
    Json(&'a View, &'a Selection, &'a ServerInfo, u64),
    Hlog(hdr::Log<'a>),
    Text(Telling<'a>, Text),
    Protobuf(Telling<'a>, Messages),
    Hdr(Encoding<'a>),
    Html(Page),
}

impl<'a> Writing<'a> {
    /// Begins to write `view` at `now_ns` on the monotonic clock.
    pub fn new(
        format: Format,
        view: &'a View,
        selection: &'a Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Self {
        let telling = Telling::new(view, selection, server, now_ns);
        Self(match format {
            // What the data of an event is.
            Format::Json | Format::Sse => Step::Json(view, selection, server, now_ns),
            Format::Prometheus => Step::Text(telling, Text::new(Dialect::Prometheus)),
            Format::OpenMetrics => Step::Text(telling, Text::new(Dialect::OpenMetrics)),
            Format::Protobuf => Step::Protobuf(telling, Messages::default()),
            Format::Hdr => Step::Hdr(Encoding::new(view, selection)),
            Format::Html => Step::Html(Page::new(view, selection, server, now_ns)),
            Format::Hlog => Step::Hlog(hdr::Log::new(view, selection, server)),
        })
    }

    /// Writes the next piece; `false` when there is none.
    pub fn write_next(&mut self) -> bool {
        match &mut self.0 {
            Step::Json(..) => false,
            Step::Text(telling, text) => telling.next(text),
            Step::Protobuf(telling, messages) => telling.next(messages),
            Step::Hdr(encoding) => encoding.next(),
            Step::Hlog(log) => log.next(),
            Step::Html(page) => page.next(),
        }
    }

    /// The whole, when all pieces are written.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Step::Json(view, selection, server, now_ns) => json(view, selection, server, now_ns),
            Step::Text(_, text) => text.finish(),
            Step::Protobuf(_, messages) => messages.finish(),
            Step::Hdr(encoding) => encoding.json(),
            Step::Hlog(log) => log.finish(),
            Step::Html(page) => page.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
