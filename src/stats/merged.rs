//! Latencies that several servers told in the form `hdr`, made one distribution as if one server had
//! counted all of them. An average of percentiles is none; this is.

use super::distribution::{Distribution, LatencySummary, Sum};
use super::hdr::{UNIT, encode};
use super::scale::BUCKETS;
use super::view::Window;
use crate::limits::{LATENCY_DIGITS, LATENCY_MAX_NS};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::Deserializer;
use serde::Deserialize;
use std::io::Read as _;

/// What one server told.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLatencies {
    /// Over which time.
    pub window: Window,
    /// Which run of a process it is ([`ServerInfo::instance`](super::ServerInfo::instance)), if it says so.
    pub instance: Option<String>,
    /// How many cores it has.
    pub cores: usize,
    /// Of all its requests.
    pub latency: Distribution,
}

/// Why something is not what a server tells in the form `hdr`.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not JSON, or has other fields.
    #[error("not statistics in the form hdr: {0}")]
    Form(#[from] serde_json::Error),
    /// It is of a window that is not known, or in another unit.
    #[error("statistics of another kind: window {window:?} in {unit:?}")]
    Kind {
        /// What it says its window is.
        window: String,
        /// What it says its unit is.
        unit: String,
    },
    /// The histogram cannot be decoded.
    #[error("a histogram that cannot be decoded: {0}")]
    Encoding(String),
    /// The histogram is on another scale, or is not what is said of it.
    #[error("a histogram on another scale, or one that is not what its summary says")]
    Contradiction,
}

#[derive(Deserialize)]
struct Document {
    unit: String,
    window: String,
    instance: Option<String>,
    latency: String,
    summary: Option<LatencySummary>,
    cores: Vec<serde::de::IgnoredAny>,
}

impl NodeLatencies {
    /// Reads what a server answered with `?format=hdr`.
    ///
    /// # Errors
    /// If it is anything else. The exact figures in `summary`, and who it is, may be missing: a histogram in that
    /// form says enough to be merged.
    pub fn read(json: &[u8]) -> Result<NodeLatencies, Unreadable> {
        let Document {
            unit,
            window,
            instance,
            latency,
            summary,
            cores,
        } = serde_json::from_slice(json)?;
        let known = Window::ALL.into_iter().find(|one| one.name() == window);
        let Some(known) = known.filter(|_| unit == UNIT) else {
            return Err(Unreadable::Kind { window, unit });
        };
        let encoding = |error: &dyn std::fmt::Display| Unreadable::Encoding(error.to_string());
        let bytes = BASE64_STANDARD
            .decode(latency)
            .map_err(|error| encoding(&error))?;
        prove_scale(&bytes)?;
        let histogram = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(|error| encoding(&error))?;
        let latency = Distribution::from_hdr(&histogram, summary.as_ref())
            .ok_or(Unreadable::Contradiction)?;
        Ok(NodeLatencies {
            window: known,
            instance: instance.filter(|instance| !instance.is_empty()),
            cores: cores.len(),
            latency,
        })
    }
}

/// Reads the head of an encoded histogram, which says how much the rest takes: what decodes it believes
/// that, and would take 4 GiB for 40 bytes.
fn prove_scale(mut encoded: &[u8]) -> Result<(), Unreadable> {
    let mut cookie_and_length = [0; 8];
    let mut head = [[0; 4]; 8];
    let read = encoded
        .read_exact(&mut cookie_and_length)
        .and_then(|()| ZlibDecoder::new(encoded).read_exact(head.as_flattened_mut()));
    read.map_err(|error| Unreadable::Encoding(error.to_string()))?;
    let [_, length, _, digits, low @ .., high_high, high_low] = head.map(u32::from_be_bytes);
    let wide = |[high, low]: [u32; 2]| u64::from(high) << 32 | u64::from(low);
    let scale = (wide(low), wide([high_high, high_low]), digits);
    if scale != (1, LATENCY_MAX_NS, u32::from(LATENCY_DIGITS)) || length as usize > ENCODED_BYTES {
        return Err(Unreadable::Contradiction);
    }
    Ok(())
}

/// Most that the counts of a histogram take: each at most 9 bytes.
const ENCODED_BYTES: usize = 9 * BUCKETS;

/// All latencies together: percentiles are those that one server would have told that had counted them
/// all, and so are count, minimum and maximum. The mean is at most 1 ns too low.
pub fn merge<'a>(latencies: impl IntoIterator<Item = &'a Distribution>) -> Distribution {
    let mut sum = Sum::new();
    for latencies in latencies {
        sum.add(latencies);
    }
    sum.take()
}

impl Distribution {
    /// In HdrHistogram's V2 encoding, deflated and in base64.
    pub fn encode(&self) -> String {
        encode(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::TOLD_REQUESTS;
    use flate2::Compression;
    use flate2::read::ZlibEncoder;
    use hdrhistogram::serialization::V2DeflateSerializer;
    use proptest::prelude::*;
    use serde_json::json;

    fn document(latencies: &Distribution) -> serde_json::Value {
        json!({
            "unit": "ns",
            "window": "10s",
            "instance": "2f1a",
            "latency": latencies.encode(),
            "summary": latencies.summary(),
            "cores": [{}, {}],
        })
    }

    fn read(document: &serde_json::Value) -> Result<NodeLatencies, Unreadable> {
        NodeLatencies::read(document.to_string().as_bytes())
    }

    proptest! {
        #[test]
        fn several_are_what_one_had_counted(
            latencies in prop::collection::vec(
                prop::collection::vec(0..2 * LATENCY_MAX_NS, 0..50), 1..5
            )
        ) {
            let told: Vec<_> = latencies
                .iter()
                .map(|latencies| read(&document(&Distribution::of(latencies))).expect("hdr"))
                .collect();
            let mut merged = merge(told.iter().map(|told| &told.latency)).summary();
            let mut one = Distribution::of(&latencies.concat()).summary();
            prop_assert!((merged.mean_ns..=merged.mean_ns + 1).contains(&one.mean_ns));
            (merged.mean_ns, one.mean_ns) = (0, 0);
            prop_assert_eq!(merged, one);
        }

        #[test]
        fn nothing_makes_it_panic(bytes: Vec<u8>, latency: Vec<u8>) {
            let _ = NodeLatencies::read(&bytes);
            let mut document = document(&Distribution::of(&[1]));
            document["latency"] = BASE64_STANDARD.encode(latency).into();
            prop_assert!(read(&document).is_err());
        }

        #[test]
        fn no_summary_makes_it_panic(latencies in prop::collection::vec(0..2 * LATENCY_MAX_NS, 0..4),
            figures in prop::collection::vec(prop_oneof![0..2 * LATENCY_MAX_NS, any::<u64>()], 5)) {
            let mut document = document(&Distribution::of(&latencies));
            let names = ["min_ns", "mean_ns", "max_ns", "overflow", "p50_ns"];
            for (name, figure) in names.into_iter().zip(figures) {
                document["summary"][name] = figure.into();
                if let Ok(told) = read(&document) {
                    let summary = merge([&told.latency, &told.latency]).summary();
                    prop_assert!(summary.min_ns <= summary.mean_ns && summary.mean_ns <= summary.max_ns);
                    prop_assert!(summary.overflow <= summary.count);
                }
            }
        }
    }

    #[test]
    fn what_is_told() {
        let told = read(&document(&Distribution::of(&[5, 700]))).expect("hdr");
        assert_eq!((told.window, told.cores), (Window::TenSeconds, 2));
        let summary = told.latency.summary();
        assert_eq!((summary.count, summary.min_ns, summary.max_ns), (2, 5, 700));
        assert_eq!(told.instance.as_deref(), Some("2f1a"));
        let nothing = read(&document(&Distribution::new())).expect("hdr");
        assert_eq!(nothing.latency.summary(), LatencySummary::default());
    }

    /// A histogram on the scale that says of itself to be `length` bytes long, and is nothing.
    fn of_length(length: u32) -> String {
        let mut head = Vec::new();
        for word in [0x1c84_9313, length, 0, u32::from(LATENCY_DIGITS), 0, 1] {
            head.extend(word.to_be_bytes());
        }
        head.extend(LATENCY_MAX_NS.to_be_bytes());
        head.extend(1_f64.to_be_bytes());
        let mut deflated = ZlibEncoder::new(&head[..], Compression::fast());
        let mut encoded = vec![0x1c, 0x84, 0x93, 0x14, 0, 0, 0, 255];
        deflated.read_to_end(&mut encoded).expect("it deflates");
        BASE64_STANDARD.encode(encoded)
    }

    #[test]
    fn how_long_it_says_it_is() {
        let read = |length| {
            let mut document = document(&Distribution::new());
            document["latency"] = of_length(length).into();
            read(&document).map_err(|error| error.to_string())
        };
        assert!(read(0).is_ok());
        // What is not there is missed, but not before it may be.
        let missed = read(ENCODED_BYTES as u32).expect_err("an end");
        assert!(missed.starts_with("a histogram that cannot be decoded"));
        for length in [ENCODED_BYTES as u32 + 1, u32::MAX] {
            let refused = read(length).expect_err("too long");
            assert!(refused.starts_with("a histogram on another scale"));
        }
    }

    #[test]
    fn a_summary_whose_ends_are_turned_round_is_refused() {
        // Both lie in one bucket.
        let mut document = document(&Distribution::of(&[700, 701]));
        assert!(read(&document).is_ok());
        document["summary"]["min_ns"] = 701.into();
        document["summary"]["mean_ns"] = 701.into();
        assert!(read(&document).is_ok());
        document["summary"]["max_ns"] = 700.into();
        assert!(matches!(read(&document), Err(Unreadable::Contradiction)));
    }

    #[test]
    fn what_is_beyond_the_scale_is_told_as_that() {
        let document = document(&Distribution::of(&[5, LATENCY_MAX_NS + 1]));
        let told = read(&document).expect("hdr");
        assert_eq!(told.latency.summary().overflow, 1);
        for overflow in [0, 3] {
            let mut document = document.clone();
            document["summary"]["overflow"] = overflow.into();
            assert!(matches!(read(&document), Err(Unreadable::Contradiction)));
        }
    }

    #[test]
    fn an_older_server_does_not_tell_what_is_beyond_the_scale() {
        let mut document = document(&Distribution::of(&[5, 700]));
        let summary = document["summary"].as_object_mut().expect("an object");
        assert!(summary.remove("overflow").is_some());
        assert_eq!(read(&document).expect("hdr").latency.summary().overflow, 0);
    }

    #[test]
    fn exact_figures_and_who_it_is_may_be_missing() {
        let latencies = Distribution::of(&[5, 700, 700, 1_000_000, LATENCY_MAX_NS + 1]);
        let mut document = document(&latencies);
        for name in ["summary", "instance"] {
            document.as_object_mut().expect("an object").remove(name);
        }
        let told = read(&document).expect("hdr");
        assert_eq!(told.instance, None);
        let (exact, known) = (latencies.summary(), told.latency.summary());
        let percentiles = |summary: &LatencySummary| [summary.p50_ns, summary.p90_ns];
        assert_eq!(known.count, exact.count);
        assert_eq!(percentiles(&known)[0], percentiles(&exact)[0]);
        assert_eq!((known.min_ns, known.max_ns), (5, LATENCY_MAX_NS));
        assert!(known.mean_ns.abs_diff(exact.mean_ns) * 10_000 <= 78 * exact.mean_ns);
        let nothing = {
            document["latency"] = Distribution::new().encode().into();
            read(&document).expect("hdr")
        };
        assert_eq!(nothing.latency, Distribution::new());
    }

    #[test]
    fn as_many_requests_are_believed_as_numbers_in_json_count() {
        let told = |count: u64| {
            let mut histogram =
                hdrhistogram::Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, 2)
                    .expect("the scale");
            histogram.record_n(5, count).expect("a count");
            let mut bytes = Vec::new();
            hdrhistogram::serialization::Serializer::serialize(
                &mut V2DeflateSerializer::new(),
                &histogram,
                &mut bytes,
            )
            .expect("an encoding");
            let mut document = document(&Distribution::of(&[5]));
            document["latency"] = BASE64_STANDARD.encode(bytes).into();
            document["summary"]["count"] = count.into();
            read(&document)
        };
        let most = told(TOLD_REQUESTS).expect("hdr").latency;
        assert_eq!(merge([&most; 1_000]).count(), 1_000 * TOLD_REQUESTS);
        assert!(matches!(
            told(TOLD_REQUESTS + 1),
            Err(Unreadable::Contradiction)
        ));
    }

    #[test]
    fn what_is_refused() {
        let good = document(&Distribution::of(&[5, 700]));
        let other = Distribution::of(&[5]).encode();
        let mut wide = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000, 3).unwrap();
        wide.record_n(5, 2).unwrap();
        let mut bytes = Vec::new();
        hdrhistogram::serialization::Serializer::serialize(
            &mut V2DeflateSerializer::new(),
            &wide,
            &mut bytes,
        )
        .unwrap();
        for (pointer, value, expected) in [
            ("/unit", json!("ms"), "statistics of another kind"),
            ("/window", json!("2s"), "statistics of another kind"),
            ("/latency", json!("?"), "a histogram that cannot be decoded"),
            (
                "/latency",
                json!("AAAA"),
                "a histogram that cannot be decoded",
            ),
            ("/latency", json!(other), "a histogram on another scale"),
            (
                "/latency",
                json!(BASE64_STANDARD.encode(bytes)),
                "a histogram on another scale",
            ),
            ("/summary/count", json!(3), "a histogram on another scale"),
            ("/summary/max_ns", json!(7), "a histogram on another scale"),
            ("/summary/mean_ns", json!(4), "a histogram on another scale"),
            (
                "/summary/mean_ns",
                json!(701),
                "a histogram on another scale",
            ),
            (
                "/summary/overflow",
                json!(1),
                "a histogram on another scale",
            ),
            (
                "/summary/overflow",
                json!(3),
                "a histogram on another scale",
            ),
            (
                "/summary/overflow",
                json!(u64::MAX),
                "a histogram on another scale",
            ),
            ("/summary", json!("?"), "not statistics in the form hdr"),
            ("/instance", json!(7), "not statistics in the form hdr"),
        ] {
            let mut document = good.clone();
            *document.pointer_mut(pointer).expect("a field") = value;
            let refused = read(&document).expect_err(pointer).to_string();
            assert!(refused.starts_with(expected), "{pointer}: {refused}");
        }
    }
}
