//! Families as Prometheus's protocol buffers (`io.prometheus.client.MetricFamily`, each behind its
//! length): the form in which it takes native histograms, and that it asks for if it does.
//!
//! A histogram is written both ways, with the bounds of the classic one and the exponential buckets of
//! the native: which of them is kept is the scraper's choice.

use super::distribution::Distribution;
use super::families::{BOUNDS_NS, Encoder, Family, Kind, Label};
use super::scale::place_behind;
use crate::limits::LATENCY_MAX_NS;
use std::time::{SystemTime, UNIX_EPOCH};

/// Native buckets are powers of two cut into 2 to this power: each is 9 % wide.
const SCHEMA: i32 = 3;

/// Messages that families are written to.
#[derive(Debug)]
pub(super) struct Messages {
    /// What is complete, in pieces.
    out: Vec<Vec<u8>>,
    /// The family, of which the length comes first: the pieces that are full, and the last.
    full: Vec<Vec<u8>>,
    family: Message,
    kind: Option<Kind>,
    native: NativeBuckets,
}

/// Where the native buckets end on the scale of ours.
#[derive(Debug)]
struct NativeBuckets {
    /// The number of the first; the others follow.
    first: i32,
    /// The bucket of ours behind that of 0, and behind each of these.
    places: Vec<u16>,
}

/// The fields of one message.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

/// Wire types of fields.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;

/// Bytes of a piece of a family, but for those of its last metric: it is not copied again to grow.
const PIECE_BYTES: usize = 32 * 1024;

impl Messages {
    pub(super) fn new() -> Messages {
        Messages {
            out: Vec::new(),
            full: Vec::new(),
            family: Message::default(),
            kind: None,
            native: NativeBuckets::new(),
        }
    }

    /// What can be taken out of it at any time, and is all of it when all families are written.
    pub(super) fn written(&mut self) -> &mut Vec<Vec<u8>> {
        &mut self.out
    }

    fn metric(&mut self, labels: &[Label<'_>], value: impl FnOnce(&mut Message)) {
        let mut metric = Message::default();
        for (name, text) in labels {
            let mut label = Message::default();
            label.bytes(1, name.as_bytes());
            label.bytes(2, text.as_bytes());
            metric.message(1, &label);
        }
        value(&mut metric);
        self.family.message(4, &metric);
        if self.family.0.len() >= PIECE_BYTES {
            self.full.push(std::mem::take(&mut self.family.0));
        }
    }
}

impl Encoder for Messages {
    fn begin(&mut self, family: &Family) {
        let (suffix, kind) = match family.kind {
            Kind::Counter => ("_total", 0),
            Kind::Gauge => ("", 1),
            Kind::Info => ("_info", 1),
            Kind::Histogram => ("", 4),
        };
        let name = [family.name, suffix].concat();
        self.kind = Some(family.kind);
        self.family.bytes(1, name.as_bytes());
        self.family.bytes(2, family.help.as_bytes());
        self.family.varint(3, kind);
        if !family.unit.is_empty() {
            self.family.bytes(5, family.unit.as_bytes());
        }
    }

    fn number(&mut self, labels: &[Label<'_>], value: f64) {
        let field = match self.kind {
            Some(Kind::Counter) => 3,
            _ => 2,
        };
        self.metric(labels, |metric| {
            let mut number = Message::default();
            number.double(1, value);
            metric.message(field, &number);
        });
    }

    fn histogram(
        &mut self,
        labels: &[Label<'_>],
        distribution: &Distribution,
        since: Option<SystemTime>,
    ) {
        let mut histogram = Message::default();
        histogram.varint(1, distribution.count());
        histogram.double(2, distribution.sum_ns() as f64 / 1e9);
        let mut bucket = Message::default();
        for (bound_ns, count) in BOUNDS_NS.iter().zip(distribution.at_most(&BOUNDS_NS)) {
            bucket.0.clear();
            bucket.varint(1, count);
            bucket.double(2, *bound_ns as f64 / 1e9);
            histogram.message(3, &bucket);
        }
        self.native.write(&mut histogram, distribution);
        if let Some(since) = since {
            let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut created = Message::default();
            created.varint(1, since.as_secs());
            created.varint(2, since.subsec_nanos().into());
            histogram.message(15, &created);
        }
        self.metric(labels, |metric| metric.message(7, &histogram));
    }

    fn end(&mut self) {
        let last = std::mem::take(&mut self.family.0);
        let length = last.len() + self.full.iter().map(Vec::len).sum::<usize>();
        let mut head = Vec::new();
        varint(&mut head, length as u64);
        match self.out.last_mut() {
            // Most families are a few numbers.
            Some(before) if self.full.is_empty() && before.len() < PIECE_BYTES => {
                before.extend(head);
                before.extend(last);
            }
            _ => {
                self.out.push(head);
                self.out.append(&mut self.full);
                self.out.push(last);
            }
        }
    }
}

impl NativeBuckets {
    /// All that latencies may be in.
    fn new() -> NativeBuckets {
        let [first, last] = [1, LATENCY_MAX_NS].map(native_index);
        // A bucket of ours that reaches into two of these is counted in that of its end.
        let ends = (first..last).map(|index| {
            let end_ns = 1e9 * (f64::from(index) / f64::from(1 << SCHEMA)).exp2();
            place_behind(end_ns as u64)
        });
        // The last of ours may end above that of the longest latency.
        let places = [place_behind(0)].into_iter().chain(ends).chain([u16::MAX]);
        NativeBuckets {
            first,
            places: places.collect(),
        }
    }

    /// How many latencies of `distribution` are 0, and those buckets that are not empty, ascending: their numbers, and
    /// what they counted.
    fn counts(&self, distribution: &Distribution) -> (u64, Vec<(i32, u64)>) {
        let mut before = distribution.before(self.places.iter().copied());
        let zeros = before.next().unwrap_or(0);
        let mut seen = zeros;
        let counts = before.map(|sum| sum - std::mem::replace(&mut seen, sum));
        let counted = (self.first..).zip(counts).filter(|(_, count)| *count > 0);
        (zeros, counted.collect())
    }

    /// Writes the fields of a native histogram.
    fn write(&self, histogram: &mut Message, distribution: &Distribution) {
        let (zeros, buckets) = self.counts(distribution);
        histogram.varint(5, zigzag(i64::from(SCHEMA)));
        // Nothing but 0 is 0.
        histogram.double(6, f64::MIN_POSITIVE);
        histogram.varint(7, zeros);
        let mut spans: Vec<(i32, u32)> = Vec::new();
        let mut next = 0;
        for (index, _) in &buckets {
            match spans.last_mut() {
                Some((_, length)) if *index == next => *length += 1,
                _ => spans.push((index - next, 1)),
            }
            next = index + 1;
        }
        // One without buckets is known for native by a span without length.
        if spans.is_empty() {
            spans.push((0, 0));
        }
        let mut span = Message::default();
        for (offset, length) in spans {
            span.0.clear();
            span.varint(1, zigzag(i64::from(offset)));
            span.varint(2, u64::from(length));
            histogram.message(12, &span);
        }
        let mut before = 0;
        for (_, count) in buckets {
            histogram.varint(13, zigzag(count as i64 - before));
            before = count as i64;
        }
    }
}

/// The native bucket of a latency: the lowest that ends at or above it.
fn native_index(ns: u64) -> i32 {
    let power = (ns as f64 / 1e9).log2() * f64::from(1 << SCHEMA);
    power.ceil() as i32
}

impl Message {
    fn tag(&mut self, field: u8, wire: u8) {
        self.0.push(field << 3 | wire);
    }

    fn varint(&mut self, field: u8, value: u64) {
        self.tag(field, VARINT);
        varint(&mut self.0, value);
    }

    fn double(&mut self, field: u8, value: f64) {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, bytes: &[u8]) {
        self.tag(field, LENGTH);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn message(&mut self, field: u8, message: &Message) {
        self.bytes(field, &message.0);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A signed number as an unsigned one that is small if it is near 0.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::scale::{BUCKETS, highest_of};

    #[test]
    fn numbers_are_written_in_groups_of_seven_bits() {
        let table: [(u64, &[u8]); 5] = [
            (0, &[0]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (value, expected) in table {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
        for (value, expected) in [(0, 0), (-1, 1), (1, 2), (i64::MIN, u64::MAX)] {
            assert_eq!(zigzag(value), expected, "{value}");
        }
    }

    #[test]
    fn native_buckets_end_at_powers_of_the_eighth_root_of_two() {
        // 1 s is the end of bucket 0, and 2 s of bucket 8.
        for (ns, index) in [
            (1_000_000_000, 0),
            (1_000_000_001, 1),
            (2_000_000_000, 8),
            (2_000_000_001, 9),
            (500_000_000, -8),
            (1, -239),
        ] {
            assert_eq!(native_index(ns), index, "{ns}");
        }
    }

    #[test]
    fn each_of_our_buckets_is_counted_in_the_native_one_of_its_end() {
        let native = NativeBuckets::new();
        for place in 1..BUCKETS {
            let ns = highest_of(place).min(LATENCY_MAX_NS);
            let (zeros, counts) = native.counts(&Distribution::of(&[0, ns]));
            let index = native_index(ns);
            assert_eq!((zeros, &counts[..]), (1, &[(index, 1)][..]), "{ns}");
        }
    }
}
