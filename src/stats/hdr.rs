//! Latencies without loss: HdrHistogram's V2 encoding, deflated and in base64, as JSON and as an interval
//! log. What several servers tell in these forms can be merged to what they had told together; the JSON has
//! the exact figures beside them, which the encoding does not keep.

use super::distribution::{Distribution, LatencySummary};
use super::json::{Kind, Selection, ServerInfo, Sink};
use super::view::View;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde::Serialize;
use std::time::{Duration, UNIX_EPOCH};

/// One histogram after the other, because each takes some 100 µs to deflate.
pub(super) struct Encoding<'a> {
    view: &'a View,
    selection: &'a Selection,
    instance: &'a str,
    serializer: V2DeflateSerializer,
    /// The next core; that of all comes before.
    core: Option<usize>,
}

/// What latencies are in.
pub(super) const UNIT: &str = "ns";

#[derive(Serialize)]
struct Core {
    core: usize,
    latency: String,
    summary: LatencySummary,
}

impl<'a> Encoding<'a> {
    pub(super) fn new(view: &'a View, selection: &'a Selection, server: &'a ServerInfo) -> Self {
        Self {
            view,
            selection,
            instance: &server.instance,
            serializer: V2DeflateSerializer::new(),
            core: None,
        }
    }

    /// Tells the next histogram; `false` when there is none.
    pub(super) fn next(&mut self, sink: &mut impl Sink) -> bool {
        let (view, window) = (self.view, self.selection.window);
        let Some(place) = self.core else {
            let latency = view.latency(window);
            sink.member("unit", &UNIT);
            sink.member("window", &window.name());
            if !self.instance.is_empty() {
                sink.member("instance", &self.instance);
            }
            sink.member("latency", &encode(&mut self.serializer, latency));
            sink.member("summary", &latency.summary());
            sink.open("cores", Kind::List);
            self.core = Some(0);
            return true;
        };
        let Some(core) = view.cores.get(place) else {
            if place == view.cores.len() {
                sink.close();
                self.core = Some(place + 1);
                return true;
            }
            return false;
        };
        let latency = view.core_latency(window, place);
        sink.item(&Core {
            core: core.core,
            latency: encode(&mut self.serializer, latency),
            summary: latency.summary(),
        });
        self.core = Some(place + 1);
        true
    }
}

/// `latencies` in HdrHistogram's encoding, in base64.
pub(super) fn encode(serializer: &mut V2DeflateSerializer, latencies: &Distribution) -> String {
    let mut encoded = Vec::new();
    serializer
        .serialize(&latencies.to_hdr(), &mut encoded)
        .expect("a vector takes all that is written, and the scale has fewer counters than fit");
    BASE64_STANDARD.encode(encoded)
}

/// The interval log (HdrHistogram's format): one interval, the window, of all requests and, tagged, of
/// those of each core. Maxima are in milliseconds, as its readers expect.
pub(super) struct Log<'a> {
    view: &'a View,
    selection: &'a Selection,
    start: Duration,
    log: Vec<u8>,
    /// The next core; that of all is written with the head.
    core: Option<usize>,
}

/// Nanoseconds of a millisecond.
const MAX_DIVISOR: f64 = 1e6;

const WRITES: &str = "a vector takes all that is written";

impl<'a> Log<'a> {
    pub(super) fn new(view: &'a View, selection: &'a Selection) -> Self {
        let end = view.calendar.time_of(view.merged_at_ns);
        let end = end.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            view,
            selection,
            start: end.saturating_sub(span(view, selection)),
            log: Vec::new(),
            core: None,
        }
    }

    /// Writes the next interval; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        let window = self.selection.window;
        let core = self.core.map(|place| (place, self.view.cores.get(place)));
        let (latency, name) = match core {
            None => (self.view.latency(window), None),
            Some((_, None)) => return false,
            Some((place, Some(core))) => {
                let latency = self.view.core_latency(window, place);
                (latency, Some(format!("core-{}", core.core)))
            }
        };
        let mut serializer = V2DeflateSerializer::new();
        let mut builder = IntervalLogWriterBuilder::new();
        let mut interval = Vec::new();
        let mut writer = builder
            .with_max_value_divisor(MAX_DIVISOR)
            .begin_log_with(&mut interval, &mut serializer)
            .expect(WRITES);
        let span = span(self.view, self.selection);
        let tag = name.as_deref().and_then(Tag::new);
        writer
            .write_histogram(&latency.to_hdr(), self.start, span, tag)
            .expect(WRITES);
        // Each interval is begun like a log, of which there is one head.
        let is_head = |line: &&[u8]| line.starts_with(b"#");
        for line in interval.split_inclusive(|octet| *octet == b'\n') {
            if self.core.is_none() || !is_head(&line) {
                self.log.extend(line);
            }
        }
        self.core = Some(self.core.map_or(0, |core| core + 1));
        true
    }

    /// What can be taken out of it between two intervals.
    pub(super) fn written(&mut self) -> &mut Vec<u8> {
        &mut self.log
    }
}

fn span(view: &View, selection: &Selection) -> Duration {
    Duration::from_nanos(view.window(selection.window).span_ns)
}
