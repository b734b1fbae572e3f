//! Latencies since the last snapshot: what the hot path writes. It is emptied into a [`Snapshot`], which
//! leaves the core; what has been is added up elsewhere.
//!
//! A bucket is a byte, so that all of a series' lie close together. What it counts beyond 255 is carried to
//! a list, which has an entry for each bucket that ever did so in one interval.
//!
//! [`Snapshot`]: super::Snapshot

use super::scale::{BLOCK, BUCKETS, index_of};
use crate::limits::LATENCY_MAX_NS;
use std::ops::Range;

/// Latencies of some kinds since they were last taken: each recording has one of each.
///
/// Memory: 3.75 KiB and 32 bytes for each kind.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Recent<const KINDS: usize> {
    /// Each block of them is a line of the processor's cache.
    counts: [[u8; BUCKETS]; KINDS],
    known: [Known; KINDS],
    /// By kind and bucket, ascending.
    carried: Vec<([u16; 2], u32)>,
    long: Option<Box<[Long; KINDS]>>,
}

/// Some of the counters of a histogram.
pub(super) type Block = [u8; BLOCK];

/// What a bucket counted beyond what it has room for: so many times 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Carry {
    bucket: u16,
    times: u32,
}

/// What is known exactly of latencies, as far as most go.
#[derive(Debug, Clone, Copy)]
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
#[derive(Debug, Clone, Copy)]
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

/// What was taken of one kind, but for its blocks and carries, which lie behind those of others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Which blocks there are, a bit each.
    touched: u64,
    /// How many carries.
    carries: u32,
    exact: Exact,
}

/// Latencies of one kind that were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    touched: u64,
    blocks: &'a [Block],
    /// In the order of their buckets.
    carries: &'a [Carry],
    pub(super) exact: &'a Exact,
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

    /// Takes what is known of them all, and with it leaves the object for empty: the counters that belong to
    /// it stay where they are until [`Recent::take`], which has to come before the next latency.
    pub(super) fn seal(&mut self) -> Sealed<KINDS> {
        Sealed(std::mem::replace(&mut self.known, [Known::NOTHING; KINDS]))
    }

    /// Moves the counters of what was sealed behind `blocks` and `carries`, and hands the part of every kind
    /// to `each`, in their order. Nothing is left but the memory.
    pub(super) fn take(
        &mut self,
        Sealed(known): Sealed<KINDS>,
        blocks: &mut Vec<Block>,
        carries: &mut Vec<Carry>,
        mut each: impl FnMut(usize, Part),
    ) {
        let long = self.long.take();
        let mut carried = self.carried.drain(..).peekable();
        for (kind, (counts, known)) in self.counts.iter_mut().zip(known).enumerate() {
            let (counts, _) = counts.as_chunks_mut();
            for run in Runs(known.touched) {
                let touched: &mut [Block] = &mut counts[run];
                blocks.extend_from_slice(touched);
                touched.as_flattened_mut().fill(0);
            }
            let before = carries.len();
            while let Some(([_, bucket], times)) =
                carried.next_if(|([of, _], _)| usize::from(*of) == kind)
            {
                carries.push(Carry { bucket, times });
            }
            let long = long.as_ref().map_or(Long::NOTHING, |long| long[kind]);
            let exact = Exact {
                sum_ns: u128::from(known.sum_ns) + long.sum_ns,
                min_ns: known.min_ns,
                max_ns: known.max_ns(),
                overflow: long.overflow,
            };
            let part = Part {
                touched: known.touched,
                carries: (carries.len() - before) as u32,
                exact,
            };
            each(kind, part);
        }
    }
}

/// What is known of latencies whose counters are still to be taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sealed<const KINDS: usize>([Known; KINDS]);

/// The blocks whose bits are set, ascending.
struct Touched(u64);

impl Iterator for Touched {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let at = self.0.trailing_zeros();
        self.0 &= self.0.checked_sub(1)?;
        Some(at as usize)
    }
}

/// The same, those that lie side by side together: of one latency after the other most do.
struct Runs(u64);

impl Iterator for Runs {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.0.trailing_zeros();
        let length = self.0.checked_shr(start)?.trailing_ones();
        let end = start + length;
        self.0 &= u64::MAX.checked_shl(end).unwrap_or(0);
        Some(start as usize..end as usize)
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
        // One that is shorter than the shortest is further from it than any.
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

impl<'a> Taken<'a> {
    /// What belongs to `part`, which is the first in `blocks` and `carries`; the others are left there.
    pub(super) fn split_off(
        part: &'a Part,
        blocks: &mut &'a [Block],
        carries: &mut &'a [Carry],
    ) -> Taken<'a> {
        let (own_blocks, other_blocks) = blocks.split_at(part.touched.count_ones() as usize);
        let (own_carries, other_carries) = carries.split_at(part.carries as usize);
        (*blocks, *carries) = (other_blocks, other_carries);
        Taken {
            touched: part.touched,
            blocks: own_blocks,
            carries: own_carries,
            exact: &part.exact,
        }
    }

    /// The buckets that are not empty, ascending, each with what it counted.
    pub(super) fn counted(self) -> impl Iterator<Item = (u16, u64)> + 'a {
        let blocks = Touched(self.touched).zip(self.blocks);
        let counts = blocks.flat_map(|(at, block)| {
            let counts = block.iter().enumerate();
            counts.map(move |(place, count)| ((at * BLOCK + place) as u16, u64::from(*count)))
        });
        let mut carries = self.carries.iter().peekable();
        let counts = counts.map(move |(bucket, count)| {
            let carry = carries.next_if(|carry| carry.bucket == bucket);
            let carried = carry.map_or(0, |carry| u64::from(carry.times) << u8::BITS);
            (bucket, count + carried)
        });
        counts.filter(|(_, count)| *count > 0)
    }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What is taken of each kind: what its buckets counted, and what is known exactly.
    fn taken<const KINDS: usize>(
        recent: &mut Recent<KINDS>,
    ) -> [(BTreeMap<usize, u64>, Exact); KINDS] {
        let (mut blocks, mut carries, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let sealed = recent.seal();
        recent.take(sealed, &mut blocks, &mut carries, |_, part| {
            parts.push(part)
        });
        assert!(recent.is_empty());
        let (mut blocks, mut carries) = (&blocks[..], &carries[..]);
        std::array::from_fn(|kind| {
            let taken = Taken::split_off(&parts[kind], &mut blocks, &mut carries);
            let counted: Vec<_> = taken.counted().collect();
            assert!(counted.is_sorted());
            let counted = counted.iter();
            let counted = counted.map(|(bucket, count)| (usize::from(*bucket), *count));
            (counted.collect(), *taken.exact)
        })
    }

    #[test]
    fn taking_empties_it() {
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
