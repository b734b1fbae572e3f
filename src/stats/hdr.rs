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
use flate2::{Compress, Compression, FlushCompress, Status};
use hdrhistogram::serialization::{Serializer, V2Serializer};
use serde::Serialize;

/// One histogram after the other.
pub(super) struct Encoding<'a> {
    view: &'a View,
    selection: &'a Selection,
    instance: &'a str,
    encoder: Encoder,
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
            encoder: Encoder::new(),
            core: None,
        }
    }

    /// Tells the next histogram, or does some of the work for it; `false` when there is none.
    pub(super) fn next(&mut self, sink: &mut impl Sink) -> bool {
        let (view, window) = (self.view, self.selection.window);
        let Some(place) = self.core else {
            let latency = view.latency(window);
            let Some(encoded) = self.encoder.encode_next(latency) else {
                return true;
            };
            sink.member("unit", &UNIT);
            sink.member("window", &window.name());
            if !self.instance.is_empty() {
                sink.member("instance", &self.instance);
            }
            sink.member("latency", &encoded);
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
        let Some(encoded) = self.encoder.encode_next(latency) else {
            return true;
        };
        sink.item(&CoreLatencies {
            core: core.core,
            latency: encoded,
            summary: latency.summary(),
        });
        self.core = Some(place + 1);
        true
    }
}

/// Writes one histogram after the other in HdrHistogram's encoding and in base64, each in several steps.
///
/// The crate's own serializer deflates a histogram in one go, and with an encoder that it makes for each: 100 µs.
pub(super) struct Encoder {
    serializer: V2Serializer,
    /// It is made when it is needed, which takes as long as a step.
    deflate: Option<Compress>,
    /// The histogram that was begun, before it is deflated; nothing if none was.
    plain: Vec<u8>,
    is_deflated: bool,
    encoded: Vec<u8>,
}

/// The first bytes of what is deflated, behind which its length stands (HdrHistogram's `V2CompressedEncodingCookieBase`
/// with the length of a word).
const COOKIE: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();

/// Bytes that are deflated at a time.
const STEP_BYTES: usize = 512;

const ENCODES: &str =
    "a vector takes all that is written, and the scale has fewer counters than fit";

impl Encoder {
    pub(super) fn new() -> Encoder {
        Encoder {
            serializer: V2Serializer::new(),
            deflate: None,
            plain: Vec::new(),
            is_deflated: false,
            encoded: Vec::new(),
        }
    }

    /// Does the next step for `latencies`, which are the same until they are written: the text, when it was the last.
    pub(super) fn encode_next(&mut self, latencies: &Distribution) -> Option<String> {
        if self.plain.is_empty() {
            let histogram = latencies.to_hdr();
            let written = self.serializer.serialize(&histogram, &mut self.plain);
            written.expect(ENCODES);
            self.encoded.extend(COOKIE);
            // Its length stands here when it is known.
            self.encoded.extend([0; 4]);
            return None;
        }
        if self.is_deflated {
            return Some(self.take());
        }
        let deflate = self
            .deflate
            .get_or_insert_with(|| Compress::new(Compression::default(), true));
        let rest = &self.plain[deflate.total_in() as usize..];
        let step = &rest[..rest.len().min(STEP_BYTES)];
        // The end is a step of its own: it has the codes to find out.
        let flush = match step {
            [] => FlushCompress::Finish,
            _ => FlushCompress::None,
        };
        // More than what can come of all of it, so that nothing is held back for want of room.
        self.encoded.reserve(2 * self.plain.len() + STEP_BYTES);
        let deflated = deflate.compress_vec(step, &mut self.encoded, flush);
        self.is_deflated = deflated.expect(ENCODES) == Status::StreamEnd;
        None
    }

    /// The text of the histogram that was deflated. The next can begin.
    fn take(&mut self) -> String {
        let length = (self.encoded.len() - 2 * COOKIE.len()) as u32;
        self.encoded[COOKIE.len()..2 * COOKIE.len()].copy_from_slice(&length.to_be_bytes());
        self.deflate.iter_mut().for_each(Compress::reset);
        self.is_deflated = false;
        self.plain.clear();
        let text = BASE64_STANDARD.encode(&self.encoded);
        self.encoded.clear();
        text
    }
}

/// `latencies` in HdrHistogram's encoding, in base64.
pub(super) fn encode(latencies: &Distribution) -> String {
    let mut encoder = Encoder::new();
    loop {
        if let Some(encoded) = encoder.encode_next(latencies) {
            return encoded;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::samples::latency;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whoever_reads_the_encoding_gets_the_histograms(
            all in prop::collection::vec(prop::collection::vec(latency(), 0..2_000), 1..4),
        ) {
            let mut encoder = Encoder::new();
            for latencies in &all {
                let latencies = Distribution::of(latencies);
                let mut steps = 1;
                let encoded = loop {
                    match encoder.encode_next(&latencies) {
                        Some(encoded) => break encoded,
                        None => steps += 1,
                    }
                };
                let bytes = BASE64_STANDARD.decode(&encoded).expect("base64");
                let read: Histogram<u64> = Deserializer::new()
                    .deserialize(&mut &bytes[..])
                    .expect("HdrHistogram's encoding");
                prop_assert!(read == latencies.to_hdr());
                // One that was written before has left nothing behind.
                prop_assert_eq!(&encoded, &encode(&latencies));
                prop_assert!(steps > 1 + latencies.buckets().count() / STEP_BYTES);
            }
        }
    }
}
