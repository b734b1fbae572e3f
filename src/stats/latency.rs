//! Latencies of one kind: a histogram with the exact figures beside it. It knows neither a clock
//! nor what was measured.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::limits::{LATENCY_DIGITS, LATENCY_MAX_NS};

/// Recorded latencies, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Latencies {
    /// Its length is the exact count, because every latency is recorded, clamped if need be.
    histogram: Histogram<u64>,
    /// A `u64` of nanoseconds is full after 21 days of 10,000 requests at a time.
    sum_ns: u128,
    /// `u64::MAX` while there is none.
    min_ns: u64,
    max_ns: u64,
    overflow: u64,
}

impl Latencies {
    /// Makes an empty one; the only allocation of its life.
    pub(super) fn new() -> Latencies {
        Latencies {
            histogram: Histogram::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS)
                .expect("the bounds in limits.rs are a valid range"),
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
            overflow: 0,
        }
    }

    /// Records one latency.
    #[inline]
    pub(super) fn record(&mut self, ns: u64) {
        self.sum_ns += u128::from(ns);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.overflow += u64::from(ns > LATENCY_MAX_NS);
        // The histogram itself reaches a little beyond its bound: clamped here, one longer latency
        // is counted like another.
        self.histogram.saturating_record(ns.min(LATENCY_MAX_NS));
    }

    /// How many latencies were recorded.
    pub(super) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Becomes a copy of `source` without allocating.
    pub(super) fn copy_from(&mut self, source: &Latencies) {
        self.histogram
            .set_to(&source.histogram)
            .expect("all latency histograms have the same bounds");
        self.sum_ns = source.sum_ns;
        self.min_ns = source.min_ns;
        self.max_ns = source.max_ns;
        self.overflow = source.overflow;
    }

    /// Adds what `other` recorded.
    pub(super) fn add(&mut self, other: &Latencies) {
        self.histogram
            .add(&other.histogram)
            .expect("all latency histograms have the same bounds");
        self.sum_ns += other.sum_ns;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.overflow += other.overflow;
    }

    /// The figures that are served; all 0 if nothing was recorded.
    pub(super) fn summary(&self) -> LatencySummary {
        let count = self.count();
        if count == 0 {
            return LatencySummary::default();
        }
        // A percentile is the upper end of its bucket, which may lie above every value in it, or,
        // for latencies beyond the histogram's range, below them.
        let at = |quantile| {
            let ns = self.histogram.value_at_quantile(quantile);
            ns.clamp(self.min_ns, self.max_ns)
        };
        LatencySummary {
            count,
            min_ns: self.min_ns,
            // A mean of u64 values is one.
            mean_ns: (self.sum_ns / u128::from(count)) as u64,
            p50_ns: at(0.50),
            p90_ns: at(0.90),
            p99_ns: at(0.99),
            p99_9_ns: at(0.999),
            p99_99_ns: at(0.9999),
            max_ns: self.max_ns,
            overflow: self.overflow,
        }
    }
}

/// What is told of a set of latencies, in nanoseconds; all 0 if there were none.
///
/// Serialised, it has the names and the order of the `latency` section of `/stats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LatencySummary {
    /// How many there were.
    pub count: u64,
    /// The shortest, exact.
    pub min_ns: u64,
    /// The mean, exact, rounded down.
    pub mean_ns: u64,
    /// The median: at least half were at most this long.
    pub p50_ns: u64,
    /// At least 90 % were at most this long.
    pub p90_ns: u64,
    /// At least 99 % were at most this long.
    pub p99_ns: u64,
    /// At least 99.9 % were at most this long.
    pub p99_9_ns: u64,
    /// At least 99.99 % were at most this long.
    pub p99_99_ns: u64,
    /// The longest, exact.
    pub max_ns: u64,
    /// How many were longer than [`LATENCY_MAX_NS`]; not part of the JSON.
    #[serde(skip)]
    pub overflow: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Latencies {
        let mut latencies = Latencies::new();
        for &ns in values {
            latencies.record(ns);
        }
        latencies
    }

    /// The smallest value that at least `per_10_000` of 10,000 are not above.
    fn exact_percentile(sorted: &[u64], per_10_000: usize) -> u64 {
        sorted[(sorted.len() * per_10_000).div_ceil(10_000).max(1) - 1]
    }

    fn assert_close(summary: &LatencySummary, values: &[u64]) {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        for (per_10_000, told) in [
            (5_000, summary.p50_ns),
            (9_000, summary.p90_ns),
            (9_900, summary.p99_ns),
            (9_990, summary.p99_9_ns),
            (9_999, summary.p99_99_ns),
        ] {
            let exact = exact_percentile(&sorted, per_10_000);
            assert!(told >= exact, "{per_10_000}: {told} is below {exact}");
            // 1/128 is 0.78125 %; multiplied out, so that the comparison is exact.
            let error = u128::from(told - exact) * 128;
            assert!(error <= exact.into(), "{per_10_000}: {told} for {exact}");
        }
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        assert_eq!(Latencies::new().summary(), LatencySummary::default());
    }

    #[test]
    fn the_histogram_costs_30_kib() {
        assert_eq!(Latencies::new().histogram.distinct_values() * 8, 30 * 1024);
    }

    #[test]
    fn count_minimum_mean_and_maximum_are_exact() {
        for (values, min_ns, mean_ns, max_ns) in [
            (&[0][..], 0, 0, 0),
            (&[1], 1, 1, 1),
            (&[1, 2], 1, 1, 2),
            (&[1_000_003, 7, 123_456_789], 7, 41_485_599, 123_456_789),
            (&[u64::MAX, u64::MAX, 1], 1, u64::MAX / 3 * 2, u64::MAX),
        ] {
            let summary = of(values).summary();
            assert_eq!(summary.count, values.len() as u64, "{values:?}");
            assert_eq!(summary.min_ns, min_ns, "{values:?}");
            assert_eq!(summary.mean_ns, mean_ns, "{values:?}");
            assert_eq!(summary.max_ns, max_ns, "{values:?}");
        }
    }

    #[test]
    fn overflow_begins_one_nanosecond_beyond_the_limit() {
        for (ns, overflow) in [
            (LATENCY_MAX_NS - 1, 0),
            (LATENCY_MAX_NS, 0),
            (LATENCY_MAX_NS + 1, 1),
            (u64::MAX, 1),
        ] {
            let summary = of(&[ns]).summary();
            assert_eq!(summary.overflow, overflow, "{ns}");
            assert_eq!(summary.count, 1, "{ns}");
            // One value is its own minimum, percentiles and maximum, in range or not.
            assert_eq!(summary.min_ns, ns);
            assert_eq!(summary.p50_ns, ns);
            assert_eq!(summary.p99_99_ns, ns);
            assert_eq!(summary.max_ns, ns);
        }
    }

    #[test]
    fn all_latencies_beyond_the_limit_are_counted_alike() {
        let first = of(&[LATENCY_MAX_NS]).histogram;
        for ns in [LATENCY_MAX_NS + 1, 65_000_000_000, u64::MAX] {
            assert_eq!(of(&[ns]).histogram, first, "{ns}");
        }
    }

    #[test]
    fn percentiles_of_a_long_tail_are_within_the_promised_error() {
        // A linear congruential generator, its output bent to span seven decades.
        let mut state = 1_u64;
        let values: Vec<u64> = (0..200_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let decade = 10_u64.pow(3 + (state >> 61) as u32);
                decade + (state >> 32) % (decade * 9)
            })
            .filter(|&ns| ns <= LATENCY_MAX_NS)
            .collect();
        assert_close(&of(&values).summary(), &values);
    }

    #[test]
    fn copying_leaves_nothing_of_the_former_content() {
        let mut copy = of(&[5, 500, 70_000_000_000]);
        for source in [of(&[1, 2, 3]), Latencies::new()] {
            copy.copy_from(&source);
            assert_eq!(copy, source);
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_within_the_promised_error(
            values in prop::collection::vec(0..=LATENCY_MAX_NS, 1..400),
        ) {
            assert_close(&of(&values).summary(), &values);
        }

        #[test]
        fn adding_is_recording_all_in_one(
            left in prop::collection::vec(any::<u64>(), 0..50),
            right in prop::collection::vec(0..2 * LATENCY_MAX_NS, 0..50),
        ) {
            let mut sum = of(&left);
            sum.add(&of(&right));
            prop_assert_eq!(sum, of(&[left, right].concat()));
        }
    }
}
