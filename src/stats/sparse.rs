//! Counts of those buckets of the [scale](super::scale) that are not empty: of each block a word tells which of its
//! buckets those are, and what they counted lies close together.
//!
//! What is changed is made anew, in one pass over what there was and what changes. Counts are shared with views, so
//! that they would have to be copied anyway.

use super::scale::{BLOCK, BUCKETS};
use std::iter::Zip;
use std::mem;
use std::slice;

/// What the buckets that are not empty counted.
///
/// Memory: 8 bytes for each block that has such buckets, and a `C` for each of those.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sparse<C> {
    /// The blocks that have some, a bit each.
    touched: u64,
    /// Of each of these, ascending, the buckets that are not empty, a bit each.
    filled: Vec<u64>,
    /// What each of those counted, ascending.
    counts: Vec<C>,
}

/// Counts of all buckets, which many sparse ones are added to.
///
/// Memory: 30 KiB.
#[derive(Debug)]
pub(super) struct Dense {
    /// The blocks that have buckets which are not empty, a bit each.
    touched: u64,
    counts: Box<[[u64; BLOCK]]>,
}

/// The places of the bits that are set, ascending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits(pub(super) u64);

/// Buckets that are not empty, each with what it counted.
#[derive(Debug)]
pub(super) struct Counted<'a, C> {
    /// Behind the one that is being read: their numbers, and their buckets that are not empty, a bit each.
    blocks: Zip<Bits, slice::Iter<'a, u64>>,
    /// The number of that one.
    at: usize,
    /// Its buckets that were not read.
    left: Bits,
    counts: slice::Iter<'a, C>,
}

/// Reads counts block after block.
#[derive(Debug)]
struct Reader<'a, C> {
    touched: u64,
    /// Of the blocks that were not opened yet.
    later: slice::Iter<'a, u64>,
    /// The buckets of the open block that are not empty.
    filled: u64,
    /// What was not read yet.
    counts: &'a [C],
}

// The buckets of a block are the bits of a word.
const _: () = assert!(BLOCK == u64::BITS as usize);

impl Iterator for Bits {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let at = self.0.trailing_zeros();
        self.0 &= self.0.checked_sub(1)?;
        Some(at as usize)
    }
}

impl<C: Copy + Into<u64>> Iterator for Counted<'_, C> {
    type Item = (u16, u64);

    #[inline]
    fn next(&mut self) -> Option<(u16, u64)> {
        loop {
            if let Some(bit) = self.left.next() {
                let count = (*self.counts.next()?).into();
                return Some((bucket(self.at as u32, bit as u32), count));
            }
            let (at, filled) = self.blocks.next()?;
            (self.at, self.left) = (at, Bits(*filled));
        }
    }
}

impl<C> Sparse<C> {
    /// Of no bucket.
    pub(super) const fn new() -> Self {
        Self {
            touched: 0,
            filled: Vec::new(),
            counts: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.touched == 0
    }

    /// The first bucket that is not empty.
    pub(super) fn first(&self) -> Option<u16> {
        let filled = self.filled.first()?;
        Some(bucket(
            self.touched.trailing_zeros(),
            filled.trailing_zeros(),
        ))
    }

    /// The last of them.
    pub(super) fn last(&self) -> Option<u16> {
        let filled = self.filled.last()?;
        Some(bucket(self.touched.ilog2(), filled.ilog2()))
    }
}

impl<C: Copy + Into<u64>> Sparse<C> {
    /// The buckets that are not empty, ascending, each with what it counted.
    pub(super) fn counted(&self) -> Counted<'_, C> {
        Counted {
            blocks: Bits(self.touched).zip(&self.filled),
            at: 0,
            left: Bits(0),
            counts: self.counts.iter(),
        }
    }

    /// What all counted together.
    pub(super) fn sum(&self) -> u64 {
        total(&self.counts)
    }

    /// How much all buckets before each of `places`, which ascend, have counted together.
    ///
    /// Nothing is done for each bucket but to add its count: how many of a block lie before a place tells its word.
    pub(super) fn before(
        &self,
        places: impl IntoIterator<Item = u16>,
    ) -> impl Iterator<Item = u64> {
        let mut counts = Reader::of(self);
        // Of the open block: its first bucket, and the counts of it that were not added.
        let (mut start, mut open): (usize, &[C]) = (0, &[]);
        let mut blocks = Bits(self.touched).peekable();
        let mut sum = 0_u64;
        places.into_iter().map(move |place| {
            let place = usize::from(place);
            while let Some(at) = blocks.next_if(|at| at * BLOCK < place) {
                sum = sum.wrapping_add(total(open));
                counts.open(at);
                (start, open) = (at * BLOCK, counts.counts_of_open());
            }
            let bits = match place.saturating_sub(start) {
                0 => 0,
                bits @ 1..BLOCK => counts.filled & ((1 << bits) - 1),
                _ => counts.filled,
            };
            let later = counts.filled.count_ones() - bits.count_ones();
            let (before, after) = open.split_at(open.len().saturating_sub(later as usize));
            sum = sum.wrapping_add(total(before));
            open = after;
            sum
        })
    }

    /// With what `more` counted besides, and without what is `gone`: none is below 0.
    pub(super) fn changed<M, G>(&self, more: &Sparse<M>, gone: &Sparse<G>) -> Sparse<u64>
    where
        M: Copy + Into<u64>,
        G: Copy + Into<u64>,
    {
        let mut changed = Sparse::new();
        changed.counts.reserve_exact(self.length_with(more));
        let (mut own, mut more, mut gone) = (Reader::of(self), Reader::of(more), Reader::of(gone));
        // All 0 again behind each block.
        let mut sums = [0; BLOCK];
        for at in Bits(own.touched | more.touched | gone.touched) {
            own.open(at);
            more.open(at);
            gone.open(at);
            if more.filled | gone.filled == 0 {
                changed.push_block(at, own.filled, own.rest());
                continue;
            }
            // Passes that do one thing each: finding out of every bucket which of the three have it takes longer.
            let mut filled = own.filled | more.filled;
            own.read(|bit, count| sums[bit] = count);
            more.read(|bit, count| sums[bit] = count.wrapping_add(sums[bit]));
            gone.read(|bit, count| {
                sums[bit] = sums[bit].saturating_sub(count);
                filled &= !(u64::from(sums[bit] == 0) << bit);
            });
            changed.push_block(
                at,
                filled,
                Bits(filled).map(|bit| mem::take(&mut sums[bit])),
            );
        }
        changed
    }

    /// How many buckets are not empty in this or in `other`.
    fn length_with<M: Copy + Into<u64>>(&self, other: &Sparse<M>) -> usize {
        let (mut own, mut other) = (Reader::of(self), Reader::of(other));
        let lengths = Bits(own.touched | other.touched).map(|at| {
            own.open(at);
            other.open(at);
            (own.filled | other.filled).count_ones() as usize
        });
        lengths.sum()
    }
}

impl Sparse<u64> {
    /// Adds block `at` behind those that there are: of the buckets that are `filled`, a bit each, these counts, none
    /// of which is 0.
    pub(super) fn push_block(&mut self, at: usize, filled: u64, counts: impl Iterator<Item = u64>) {
        if filled > 0 {
            self.touched |= 1 << at;
            self.filled.push(filled);
            self.counts.extend(counts);
        }
    }

    /// The same in half the memory, if no bucket has counted more than that holds.
    pub(super) fn packed(&self) -> Sparse<u32> {
        Sparse {
            touched: self.touched,
            filled: self.filled.as_slice().into(),
            counts: self.counts.iter().map(|count| *count as u32).collect(),
        }
    }

    /// Forgets all, but not the memory.
    pub(super) fn clear(&mut self) {
        self.touched = 0;
        self.filled.clear();
        self.counts.clear();
    }
}

impl FromIterator<(u16, u64)> for Sparse<u64> {
    /// Of buckets that ascend, each with what it counted.
    fn from_iter<I: IntoIterator<Item = (u16, u64)>>(counted: I) -> Self {
        let mut all = Dense::new();
        for (bucket, count) in counted {
            all.add_to(
                usize::from(bucket) / BLOCK,
                usize::from(bucket) % BLOCK,
                count,
            );
        }
        all.take()
    }
}

impl Dense {
    pub(super) fn new() -> Self {
        Self {
            touched: 0,
            counts: vec![[0; BLOCK]; BUCKETS / BLOCK].into(),
        }
    }

    pub(super) fn add(&mut self, more: &Sparse<u64>) {
        let mut more = Reader::of(more);
        for at in Bits(more.touched) {
            more.open(at);
            more.read(|bit, count| self.add_to(at, bit, count));
        }
    }

    fn add_to(&mut self, at: usize, bit: usize, count: u64) {
        self.touched |= 1 << at;
        let sum = &mut self.counts[at][bit];
        *sum = sum.wrapping_add(count);
    }

    /// Takes what there is. Nothing is left but the memory.
    pub(super) fn take(&mut self) -> Sparse<u64> {
        let mut taken = Sparse::new();
        for at in Bits(mem::take(&mut self.touched)) {
            let counts = mem::replace(&mut self.counts[at], [0; BLOCK]);
            let is_filled = counts.iter().enumerate();
            let filled = is_filled.fold(0, |filled, (bit, count)| {
                filled | u64::from(*count > 0) << bit
            });
            taken.push_block(at, filled, Bits(filled).map(|bit| counts[bit]));
        }
        taken
    }
}

impl<'a, C: Copy + Into<u64>> Reader<'a, C> {
    fn of(counts: &'a Sparse<C>) -> Self {
        Self {
            touched: counts.touched,
            later: counts.filled.iter(),
            filled: 0,
            counts: &counts.counts,
        }
    }

    /// Goes on to block `at`. All of the one before was read.
    fn open(&mut self, at: usize) {
        self.filled = match self.touched >> at & 1 {
            1 => self.later.next().copied().unwrap_or(0),
            _ => 0,
        };
    }

    /// Reads the open block: each bucket that is not empty, and what it counted.
    #[inline]
    fn read(&mut self, mut each: impl FnMut(usize, u64)) {
        for (bit, count) in Bits(self.filled).zip(self.rest()) {
            each(bit, count);
        }
    }

    /// Reads what the buckets of the open block counted.
    fn rest(&mut self) -> impl Iterator<Item = u64> + use<'a, C> {
        self.counts_of_open().iter().map(|count| (*count).into())
    }

    /// The same as they are.
    fn counts_of_open(&mut self) -> &'a [C] {
        let (own, later) = self.counts.split_at(self.filled.count_ones() as usize);
        self.counts = later;
        own
    }
}

fn total<C: Copy + Into<u64>>(counts: &[C]) -> u64 {
    let counts = counts.iter();
    counts.fold(0, |sum, count| sum.wrapping_add((*count).into()))
}

/// The bucket with this bit in block `at`.
fn bucket(at: u32, bit: u32) -> u16 {
    (at * BLOCK as u32 + bit) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What buckets counted, in blocks that are next to each other and far apart.
    fn counted() -> impl Strategy<Value = BTreeMap<u16, u64>> {
        let bucket = prop_oneof![0..200_u16, (BUCKETS as u16 - 70)..BUCKETS as u16];
        prop::collection::btree_map(bucket, 1..4_u64, 0..40)
    }

    fn sparse(counted: &BTreeMap<u16, u64>) -> Sparse<u64> {
        counted
            .iter()
            .map(|(bucket, count)| (*bucket, *count))
            .collect()
    }

    fn told<C: Copy + Into<u64>>(counts: &Sparse<C>) -> BTreeMap<u16, u64> {
        let told: Vec<_> = counts.counted().collect();
        assert!(told.is_sorted_by(|(one, _), (next, _)| one < next));
        told.into_iter().collect()
    }

    proptest! {
        #[test]
        fn it_tells_what_it_is_made_of(counted in counted()) {
            let counts = sparse(&counted);
            prop_assert_eq!(&told(&counts), &counted);
            prop_assert_eq!(&told(&counts.packed()), &counted);
            prop_assert_eq!(counts.sum(), counted.values().sum::<u64>());
            prop_assert_eq!(counts.first(), counted.keys().next().copied());
            prop_assert_eq!(counts.last(), counted.keys().next_back().copied());
            prop_assert_eq!(counts.is_empty(), counted.is_empty());
        }

        #[test]
        fn before_each_place_is_what_the_buckets_there_counted(
            counted in counted(),
            mut places in prop::collection::vec(
                prop_oneof![0..200_u16, 0..=BUCKETS as u16 + 70],
                0..20,
            ),
        ) {
            places.sort_unstable();
            let expected: Vec<u64> = places
                .iter()
                .map(|place| counted.range(..place).map(|(_, count)| count).sum())
                .collect();
            let before: Vec<_> = sparse(&counted).before(places).collect();
            prop_assert_eq!(before, expected);
        }

        #[test]
        fn a_change_is_that_of_each_bucket(own in counted(), more in counted(), gone in counted()) {
            let mut expected = own.clone();
            for (bucket, count) in &more {
                *expected.entry(*bucket).or_default() += count;
            }
            for (bucket, count) in &gone {
                let left = expected.entry(*bucket).or_default();
                *left = left.saturating_sub(*count);
            }
            expected.retain(|_, count| *count > 0);
            let changed = sparse(&own).changed(&sparse(&more), &sparse(&gone).packed());
            prop_assert_eq!(&told(&changed), &expected);
            // Two that tell the same are equal, however they came about.
            prop_assert_eq!(changed, sparse(&expected));
        }

        #[test]
        fn many_are_added_up(all in prop::collection::vec(counted(), 0..4)) {
            let (mut sum, mut expected) = (Dense::new(), BTreeMap::new());
            for _ in 0..2 {
                for counted in &all {
                    sum.add(&sparse(counted));
                    for (bucket, count) in counted {
                        *expected.entry(*bucket).or_default() += count;
                    }
                }
                // Nothing is left for the second time.
                prop_assert_eq!(told(&sum.take()), mem::take(&mut expected));
            }
        }
    }
}
