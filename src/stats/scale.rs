//! The scale of all latency histograms: which bucket counts a latency, and what a bucket spans. It is
//! HdrHistogram's for 1 ns to [`LATENCY_MAX_NS`] with two significant digits, so that what is counted
//! here is what any implementation of that format reads.
//!
//! Up to 255 ns each nanosecond has a bucket. From there on each power of two is cut into 128.

use crate::limits::{LATENCY_DIGITS, LATENCY_MAX_NS};

/// Buckets of a histogram.
pub(super) const BUCKETS: usize = index_of(LATENCY_MAX_NS) / HALF * HALF + HALF;

/// Buckets of a block, the unit in which what was counted leaves a core.
pub(super) const BLOCK: usize = 64;

/// Buckets of a band, in which latencies are drawn: a quarter of a power of two.
pub(super) const BAND: usize = 32;

/// Buckets in each power of two.
const HALF: usize = 128;
const HALF_BITS: u32 = HALF.trailing_zeros();

/// The bucket that counts `ns`, which is at most [`LATENCY_MAX_NS`].
#[inline]
pub(super) const fn index_of(ns: u64) -> usize {
    let shift = (ns | (2 * HALF as u64 - 1)).ilog2() - HALF_BITS;
    shift as usize * HALF + (ns >> shift) as usize
}

/// The lowest latency that bucket `index` counts, in nanoseconds.
pub(super) const fn lowest_of(index: usize) -> u64 {
    let shift = (index / HALF).saturating_sub(1);
    ((index - shift * HALF) as u64) << shift
}

/// The highest latency that bucket `index` counts, in nanoseconds.
pub(super) const fn highest_of(index: usize) -> u64 {
    lowest_of(index + 1) - 1
}

/// The first bucket that counts latencies above `bound_ns`, which may be beyond all there are.
pub(super) const fn place_behind(bound_ns: u64) -> u16 {
    index_of(bound_ns.saturating_add(1)) as u16
}

// 128 parts of a power of two are what two digits need, and no fewer.
const _: () = assert!(LATENCY_DIGITS == 2);
const _: () = assert!(BUCKETS.is_multiple_of(BLOCK) && BUCKETS / BLOCK <= u64::BITS as usize);
const _: () = assert!(HALF.is_multiple_of(BAND));

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;
    use proptest::prelude::*;

    #[test]
    fn there_are_as_many_buckets_as_hdr_histogram_has() {
        let histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS);
        assert_eq!(histogram.expect("bounds").distinct_values(), BUCKETS);
    }

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        assert_eq!((lowest_of(0), highest_of(0)), (0, 0));
        for index in 0..BUCKETS {
            assert_eq!(index_of(lowest_of(index)), index);
            assert_eq!(index_of(highest_of(index)), index);
            assert_eq!(lowest_of(index + 1), highest_of(index) + 1);
            assert_eq!(usize::from(place_behind(highest_of(index))), index + 1);
            let inside = highest_of(index).checked_sub(1);
            let behind = inside.map_or(0, place_behind);
            assert_eq!(usize::from(behind), index);
        }
        assert!(highest_of(BUCKETS - 1) >= LATENCY_MAX_NS);
        assert!(usize::from(place_behind(u64::MAX)) >= BUCKETS);
    }

    proptest! {
        #[test]
        fn buckets_are_those_of_hdr_histogram(ns in 0..=LATENCY_MAX_NS) {
            let histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS)
                .expect("bounds");
            let index = index_of(ns);
            prop_assert_eq!(lowest_of(index), histogram.lowest_equivalent(ns));
            prop_assert_eq!(highest_of(index), histogram.highest_equivalent(ns));
        }
    }
}
