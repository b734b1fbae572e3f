use super::super::samples::latency;
use super::*;
use proptest::prelude::*;

fn of(values: &[u64]) -> Distribution {
    Distribution::of(values)
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
    assert_eq!(Distribution::new().summary(), LatencySummary::default());
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
    let first: Vec<_> = of(&[LATENCY_MAX_NS]).buckets().collect();
    for ns in [LATENCY_MAX_NS + 1, 65_000_000_000, u64::MAX] {
        assert_eq!(of(&[ns]).buckets().collect::<Vec<_>>(), first, "{ns}");
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
fn bounds_are_met_to_the_bucket() {
    let distribution = of(&[1, 10, 10, 11, 300, 301, 302, LATENCY_MAX_NS + 1]);
    // From 256 on a bucket spans two nanoseconds: that of 300 ends at 301.
    let bounds = [0, 1, 9, 10, 255, 300, 301, 303, LATENCY_MAX_NS, u64::MAX];
    assert_eq!(
        distribution.at_most(&bounds),
        [0, 1, 1, 3, 4, 4, 6, 7, 7, 8]
    );
}

#[test]
fn the_form_of_the_histogram_crate_tells_the_same() {
    let values: Vec<u64> = (0..5_000).map(|n| n * n * 7).collect();
    let distribution = of(&values);
    let histogram = distribution.to_hdr();
    assert_eq!(histogram.len(), 5_000);
    let summary = distribution.summary();
    for (quantile, told) in [(0.5, summary.p50_ns), (0.999, summary.p99_9_ns)] {
        // That one does not know the exact maximum.
        let at = histogram.value_at_quantile(quantile);
        assert_eq!(at.min(summary.max_ns), told);
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
        left in prop::collection::vec(latency(), 0..50),
        right in prop::collection::vec(latency(), 0..50),
    ) {
        let both = of(&[&left[..], &right].concat());
        prop_assert_eq!(&of(&left).with(&of(&right)), &both);
        let mut sum = Sum::new();
        sum.add(&of(&left));
        sum.add(&of(&right));
        prop_assert_eq!(sum.take(), both);
    }

    #[test]
    fn removing_is_the_opposite_of_adding(
        kept in prop::collection::vec(prop::collection::vec(latency(), 0..20), 0..4),
        gone in prop::collection::vec(latency(), 0..50),
    ) {
        let (others, gone): (Vec<_>, _) = (kept.iter().map(|some| of(some)).collect(), of(&gone));
        let kept = of(&kept.concat());
        let both = Distribution::new().with(&gone);
        let left = both.moved_on(&kept, &gone.pack(), others.iter().map(|other| &other.exact));
        prop_assert_eq!(left, kept);
    }
}

#[test]
fn the_curve_goes_through_the_percentiles_and_ends_at_the_longest() {
    assert!(Distribution::new().curve().is_empty());
    assert_eq!(Distribution::of(&[7]).curve(), [7]);
    let values: Vec<u64> = (1..=10_000).map(|n| n * 1_000).collect();
    let distribution = Distribution::of(&values);
    let curve = distribution.curve();
    let nines = distribution.percentiles([9_000, 9_900, 9_990]);
    // Where it has ended it is flat.
    let told = [1, 2, 3].map(|nine| curve[(nine * NINE as usize).min(curve.len() - 1)]);
    assert_eq!(told, nines);
    assert!(curve.is_sorted());
    assert_eq!(curve.last(), Some(&10_000_000));
    // One more step than nines of so many requests have: there nothing is above.
    assert!(curve.len() <= 4 * NINE as usize + 2, "{}", curve.len());
    // A latency beyond the scale is no shorter for it.
    assert_eq!(
        Distribution::of(&[5, u64::MAX]).curve().last(),
        Some(&u64::MAX)
    );
}

#[test]
fn bands_count_every_latency_once() {
    assert_eq!(
        Distribution::new().bands(),
        Bands {
            first: 0,
            counts: Vec::new()
        }
    );
    // A quarter of a power of two is from 1,024 ns up to 1,279 ns, say.
    let bands = Distribution::of(&[1_023, 1_024, 1_279, 1_280, 2_048]).bands();
    assert_eq!(
        (bands.first, &bands.counts[..]),
        (15, &[1, 2, 1, 0, 0, 1][..])
    );
}
