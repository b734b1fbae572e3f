//! Latencies since the last snapshot: what the hot path writes. It leaves the core with a [`Snapshot`], and
//! comes back empty; what has been is added up elsewhere.
//!
//! A bucket is a byte, so that all of a series' lie close together. What it counts beyond 255 is carried to
//! a list, which has an entry for each bucket that ever did so in one interval.
//!
//! [`Snapshot`]: super::Snapshot

use super::scale::{BLOCK, BUCKETS, index_of};
use super::sparse::{Bits, Sparse};
use crate::limits::LATENCY_MAX_NS;

/// Latencies of some kinds since they were last taken: each recording has one of each.
///
/// Memory: 3.75 KiB and 32 bytes for each kind.
#[derive(Debug, Clone, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Recent<const KINDS: usize> {
    /// Each block of them is a line of the processor's cache.
    counts: [[u8; BUCKETS]; KINDS],
    known: [Known; KINDS],
    /// By kind and bucket, ascending.
    carried: Vec<Carried>,
    long: Option<Box<[Long; KINDS]>>,
}

/// A kind and a bucket, and what that counted beyond what it has room for, in units of 256.
type Carried = ([u16; 2], u32);

/// What is known exactly of latencies, as far as most go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// The blocks that are not all 0, a bit each.
    touched: u64,
    /// Of each no more than [`LONG_NS`], so that it is never full: not before 500 million in one interval.
    sum_ns: u64,
    min_ns: u64,
    /// How much longer the longest is: one comparison tells that a latency is neither.
    range_ns: u64,
}

/// What has no room there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Long {
    sum_ns: u128,
    overflow: u64,
}

/// What is known exactly of some latencies, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    /// A `u64` of nanoseconds is full after 21 days of 10,000 requests at a time.
    pub(super) sum_ns: u128,
    /// `u64::MAX` while there is none.
    pub(super) min_ns: u64,
    pub(super) max_ns: u64,
    /// Those above [`LATENCY_MAX_NS`].
    pub(super) overflow: u64,
}

/// Those of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfKind<'a> {
    counts: &'a [u8; BUCKETS],
    touched: u64,
    /// In the order of their buckets.
    carried: &'a [Carried],
    pub(super) exact: Exact,
}

/// From here on a latency is seldom enough to be recorded in another way: 34 s.
const LONG_NS: u64 = 1 << LATENCY_MAX_NS.ilog2();

impl<const KINDS: usize> Recent<KINDS> {
    pub(super) const fn new() -> Self {
        Self {
            counts: [[0; BUCKETS]; KINDS],
            known: [Known::NOTHING; KINDS],
            carried: Vec::new(),
            long: None,
        }
    }

    /// Records one latency of each kind.
    #[inline]
    pub(super) fn record(&mut self, latencies: [u64; KINDS]) {
        // As many bits as the longest has, and so as long at least.
        if latencies.iter().fold(0, |all, ns| all | ns) >= LONG_NS {
            return self.record_long(latencies);
        }
        for (kind, ns) in latencies.into_iter().enumerate() {
            self.known[kind].record(ns, ns);
            self.count(kind, index_of(ns));
        }
    }

    #[cold]
    fn record_long(&mut self, latencies: [u64; KINDS]) {
        for (kind, ns) in latencies.into_iter().enumerate() {
            let summed_ns = ns.min(LONG_NS);
            self.known[kind].record(ns, summed_ns);
            let long = self
                .long
                .get_or_insert_with(|| Box::new([Long::NOTHING; KINDS]));
            long[kind].sum_ns += u128::from(ns - summed_ns);
            long[kind].overflow += u64::from(ns > LATENCY_MAX_NS);
            self.count(kind, index_of(ns.min(LATENCY_MAX_NS)));
        }
    }

    #[inline]
    fn count(&mut self, kind: usize, index: usize) {
        self.known[kind].touched |= 1 << (index / BLOCK);
        let count = &mut self.counts[kind][index];
        *count = count.wrapping_add(1);
        if *count == 0 {
            self.carry([kind as u16, index as u16]);
        }
    }

    #[cold]
    fn carry(&mut self, place: [u16; 2]) {
        match self
            .carried
            .binary_search_by_key(&place, |(place, _)| *place)
        {
            // Full after a million million in one interval: no core is that fast.
            Ok(at) => self.carried[at].1 = self.carried[at].1.saturating_add(1),
            Err(at) => self.carried.insert(at, (place, 1)),
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.known[0].touched == 0
    }

    /// Those of each kind, in their order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = OfKind<'_>> {
        let mut carried = &self.carried[..];
        let known = self.known.iter().zip(&self.counts).enumerate();
        known.map(move |(kind, (known, counts))| {
            let is_own = |([of, _], _): &Carried| usize::from(*of) == kind;
            let (own, others) = carried.split_at(carried.partition_point(is_own));
            carried = others;
            let long = self.long.as_ref().map_or(Long::NOTHING, |long| long[kind]);
            OfKind {
                counts,
                touched: known.touched,
                carried: own,
                exact: Exact {
                    sum_ns: u128::from(known.sum_ns) + long.sum_ns,
                    min_ns: known.min_ns,
                    max_ns: known.max_ns(),
                    overflow: long.overflow,
                },
            }
        })
    }

    /// Forgets them all. Nothing is left but the memory.
    pub(super) fn clear(&mut self) {
        for (counts, known) in self.counts.iter_mut().zip(&mut self.known) {
            let (blocks, _) = counts.as_chunks_mut::<BLOCK>();
            Bits(known.touched).for_each(|at| blocks[at] = [0; BLOCK]);
            *known = Known::NOTHING;
        }
        self.carried.clear();
        self.long = None;
    }
}

impl Known {
    const NOTHING: Known = Known {
        touched: 0,
        sum_ns: 0,
        min_ns: u64::MAX,
        range_ns: 0,
    };

    /// Knows of a latency of `ns`, of which `summed_ns` go into the sum.
    #[inline]
    fn record(&mut self, ns: u64, summed_ns: u64) {
        self.sum_ns += summed_ns;
        // Within min..=min+range the difference is at most the range, above it is more, and below it wraps to more
        // than any range that ends within a u64.
        if ns.wrapping_sub(self.min_ns) > self.range_ns {
            self.widen(ns);
        }
    }

    #[cold]
    fn widen(&mut self, ns: u64) {
        let max_ns = self.max_ns().max(ns);
        self.min_ns = self.min_ns.min(ns);
        self.range_ns = max_ns - self.min_ns;
    }

    fn max_ns(&self) -> u64 {
        match self.touched {
            0 => 0,
            _ => self.min_ns + self.range_ns,
        }
    }
}

impl Long {
    const NOTHING: Long = Long {
        sum_ns: 0,
        overflow: 0,
    };
}

impl OfKind<'_> {
    /// Adds what each bucket counted to `counts`, where nothing is yet.
    pub(super) fn count_into(self, counts: &mut Sparse<u64>) {
        let (blocks, _) = self.counts.as_chunks::<BLOCK>();
        let mut carried = self.carried;
        for at in Bits(self.touched) {
            let is_of_block = |([_, bucket], _): &Carried| usize::from(*bucket) / BLOCK == at;
            let (own, later) = carried.split_at(carried.partition_point(is_of_block));
            carried = later;
            // One that was carried may count nothing beyond that.
            let bit_of = |([_, bucket], _): &Carried| usize::from(*bucket) % BLOCK;
            let filled = own.iter().fold(filled(&blocks[at]), |filled, carried| {
                filled | 1 << bit_of(carried)
            });
            let mut own = own.iter().peekable();
            let counted = Bits(filled).map(|bit| {
                let carry = own.next_if(|carried| bit_of(carried) == bit);
                let beyond = carry.map_or(0, |(_, times)| u64::from(*times) << u8::BITS);
                u64::from(blocks[at][bit]) + beyond
            });
            counts.push_block(at, filled, counted);
        }
    }
}

/// Which counts are not 0, a bit each.
fn filled(counts: &[u8; BLOCK]) -> u64 {
    const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);
    let (words, _) = counts.as_chunks::<8>();
    let words = words.iter().map(|bytes| u64::from_le_bytes(*bytes));
    words.rev().fold(0, |filled, word| {
        // The highest bit of a byte is set if any of it is: a sum within a byte cannot be carried into the next.
        let is_filled = (((word & LOW_BITS) + LOW_BITS) | word) & !LOW_BITS;
        // Which are moved to the highest byte, each to its place.
        filled << 8 | (is_filled >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

impl Exact {
    /// Of no latencies.
    pub(super) const NONE: Exact = Exact {
        sum_ns: 0,
        min_ns: u64::MAX,
        max_ns: 0,
        overflow: 0,
    };

    /// Adds what is known of others.
    pub(super) fn add(&mut self, other: &Exact) {
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
    }

    /// Takes out what is known of some that were added. `others` is what is known of those that are left, which are
    /// looked at only if one that is gone was the shortest or the longest, and only until as short and as long a one is
    /// found.
    pub(super) fn remove<'a>(&mut self, gone: &Exact, others: impl Iterator<Item = &'a Exact>) {
        let before = *self;
        self.sum_ns -= gone.sum_ns;
        self.overflow -= gone.overflow;
        if gone.min_ns == before.min_ns {
            self.min_ns = Exact::NONE.min_ns;
        }
        if gone.max_ns == before.max_ns {
            self.max_ns = Exact::NONE.max_ns;
        }
        for other in others {
            if (self.min_ns, self.max_ns) == (before.min_ns, before.max_ns) {
                break;
            }
            self.min_ns = self.min_ns.min(other.min_ns);
            self.max_ns = self.max_ns.max(other.max_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What is taken of each kind: what its buckets counted, and what is known exactly.
    fn taken<const KINDS: usize>(
        recent: &mut Recent<KINDS>,
    ) -> [(BTreeMap<usize, u64>, Exact); KINDS] {
        let taken: Vec<_> = recent
            .kinds()
            .map(|of_kind| {
                let mut counts = Sparse::new();
                of_kind.count_into(&mut counts);
                let counted = counts.counted();
                let counted = counted.map(|(bucket, count)| (usize::from(bucket), count));
                (counted.collect(), of_kind.exact)
            })
            .collect();
        recent.clear();
        assert!(recent.is_empty());
        assert!(recent.counts.as_flattened().iter().all(|count| *count == 0));
        taken.try_into().expect("each kind")
    }

    #[test]
    fn clearing_empties_it() {
        let mut recent = Recent::new();
        assert_eq!(taken(&mut recent), [(BTreeMap::new(), Exact::NONE)]);
        let latencies = [5, 5, 63, 64, LATENCY_MAX_NS, LATENCY_MAX_NS + 1, u64::MAX];
        for _ in 0..2 {
            for ns in latencies {
                recent.record([ns]);
                assert!(!recent.is_empty());
            }
            let [(counted, exact)] = taken(&mut recent);
            // All that are too long are counted like the longest.
            let longest = index_of(LATENCY_MAX_NS);
            assert_eq!(
                counted,
                BTreeMap::from([(5, 2), (63, 1), (64, 1), (longest, 3)])
            );
            let expected = Exact {
                sum_ns: latencies.iter().copied().map(u128::from).sum(),
                min_ns: 5,
                max_ns: u64::MAX,
                overflow: 2,
            };
            assert_eq!(exact, expected);
        }
    }

    #[test]
    fn kinds_are_counted_apart() {
        let mut recent = Recent::new();
        for _ in 0..300 {
            recent.record([1, 2, LONG_NS]);
        }
        recent.record([3, 2, LONG_NS - 1]);
        let [first, second, third] = taken(&mut recent);
        assert_eq!(first.0, BTreeMap::from([(1, 300), (3, 1)]));
        assert_eq!(second.0, BTreeMap::from([(2, 301)]));
        assert_eq!(
            third.0,
            BTreeMap::from([(index_of(LONG_NS), 300), (index_of(LONG_NS - 1), 1)])
        );
        assert_eq!((first.1.sum_ns, second.1.sum_ns), (303, 602));
        assert_eq!(third.1.sum_ns, 301 * u128::from(LONG_NS) - 1);
        assert_eq!(third.1.overflow, 0);
    }

    #[test]
    fn a_bucket_counts_beyond_a_byte() {
        for times in [255, 256, 257, 511, 512, 100_000] {
            let mut recent = Recent::new();
            for _ in 0..times {
                recent.record([700]);
                recent.record([LATENCY_MAX_NS]);
            }
            let [(counted, exact)] = taken(&mut recent);
            let buckets = [index_of(700), index_of(LATENCY_MAX_NS)];
            assert_eq!(counted, buckets.map(|bucket| (bucket, times)).into());
            let sum_ns = u128::from(times) * u128::from(700 + LATENCY_MAX_NS);
            assert_eq!(exact.sum_ns, sum_ns);
            let [(counted, _)] = taken(&mut recent);
            assert!(counted.is_empty());
        }
    }

    #[test]
    fn the_shortest_and_the_longest_are_exact() {
        const MOST: u64 = u64::MAX;
        for (latencies, min_ns, max_ns) in [
            (&[0][..], 0, 0),
            (&[MOST], MOST, MOST),
            (&[MOST, 5], 5, MOST),
            (&[5, MOST, 0], 0, MOST),
            (&[700, 699, 701, 700], 699, 701),
            (&[3, 2, 1], 1, 3),
        ] {
            let mut recent = Recent::new();
            latencies.iter().for_each(|ns| recent.record([*ns]));
            let [(_, exact)] = taken(&mut recent);
            assert_eq!((exact.min_ns, exact.max_ns), (min_ns, max_ns));
        }
    }
}
