//! Latencies without loss as JSON: HdrHistogram's V2 encoding, deflated and in base64. What several servers tell in
//! this form can be merged to what they had told together; the exact figures are beside it, which the encoding does
//! not keep.
//!
//! A percentile of the JSON is the latency with the rank ⌈p n⌉ of n, so that at least the share p was not above it.
//! Libraries of HdrHistogram round p n to the nearest, and may say the latency before that: where few are slow, it can
//! be a much shorter one.

use super::distribution::{Distribution, LatencySummary};
use super::json::{Nesting, Selection, ServerInfo, Sink};
use super::view::View;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde::Serialize;

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
struct CoreLatencies {
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
            sink.open("cores", Nesting::List);
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
        sink.item(&CoreLatencies {
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
