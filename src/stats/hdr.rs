//! Latencies without loss: HdrHistogram's V2 encoding, deflated and in base64, as JSON and as an interval
//! log. What several servers tell in these forms can be merged to what they had told together; the JSON has
//! the exact figures beside them, which the encoding does not keep.

use super::distribution::{Distribution, LatencySummary};
use super::json::{Selection, ServerInfo};
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
    serializer: V2DeflateSerializer,
    /// Those of the whole, and then of the cores, in base64.
    done: Vec<String>,
}

/// What latencies are in.
pub(super) const UNIT: &str = "ns";

#[derive(Serialize)]
struct Document<'a> {
    unit: &'static str,
    window: &'static str,
    latency: &'a str,
    summary: LatencySummary,
    cores: Vec<Core<'a>>,
}

#[derive(Serialize)]
struct Core<'a> {
    core: usize,
    latency: &'a str,
    summary: LatencySummary,
}

impl<'a> Encoding<'a> {
    pub(super) fn new(view: &'a View, selection: &'a Selection) -> Self {
        Self {
            view,
            selection,
            serializer: V2DeflateSerializer::new(),
            done: Vec::new(),
        }
    }

    /// Encodes the next histogram; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        let window = self.selection.window;
        let next: &Distribution = match self.done.len() {
            0 => self.view.latency(window),
            n if n <= self.view.cores.len() => self.view.core_latency(window, n - 1),
            _ => return false,
        };
        self.done.push(encode(&mut self.serializer, next));
        true
    }

    /// The JSON form, when all are encoded.
    pub(super) fn json(&self) -> Vec<u8> {
        let [whole, cores @ ..] = &self.done[..] else {
            unreachable!("the whole is encoded first");
        };
        let window = self.selection.window;
        let cores = self.view.cores.iter().zip(cores).enumerate();
        let document = Document {
            unit: UNIT,
            window: window.name(),
            latency: whole,
            summary: self.view.latency(window).summary(),
            cores: cores
                .map(|(place, (core, latency))| Core {
                    core: core.core,
                    latency,
                    summary: self.view.core_latency(window, place).summary(),
                })
                .collect(),
        };
        serde_json::to_vec(&document).expect("all keys are text")
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
    pub(super) fn new(view: &'a View, selection: &'a Selection, server: &'a ServerInfo) -> Self {
        let end = server.time_of(view.merged_at_ns);
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

    /// The log, when all intervals are written.
    pub(super) fn finish(self) -> Vec<u8> {
        self.log
    }
}

fn span(view: &View, selection: &Selection) -> Duration {
    Duration::from_nanos(view.window(selection.window).span_ns)
}
