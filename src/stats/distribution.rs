//! How latencies of one kind are distributed: counters on the [scale](super::scale) with the exact
//! figures beside them, added up over intervals and cores.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::mem;

use super::recent::{Exact, OfKind};
use super::scale::{BAND, highest_of, index_of, place_behind};
use super::sparse::{Dense, Sparse};
use crate::limits::{LATENCY_DIGITS, LATENCY_MAX_NS, TOLD_REQUESTS};

/// Latencies, in nanoseconds.
///
/// Memory: 8 bytes for each bucket that is not empty, some 200 for a service under load, and for each block of
/// 64 that has such. It is added to once a second, and what it was before lies in views and windows then: a change makes
/// a new one, and that copy costs less than locks or full tables would.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    counts: Sparse<u64>,
    count: u64,
    exact: Exact,
}

/// Latencies of one second that are kept to be taken out of a sum again: half the memory.
#[derive(Debug)]
pub(super) struct Packed {
    counts: Sparse<u32>,
    pub(super) exact: Exact,
}

/// What many distributions are added to, one after the other.
///
/// Memory: 30 KiB.
#[derive(Debug)]
pub(super) struct Sum {
    counts: Dense,
    exact: Exact,
}

static NOTHING: Sparse<u64> = Sparse::new();

impl Packed {
    /// Of no latency.
    pub(super) const fn new() -> Packed {
        Packed {
            counts: Sparse::new(),
            exact: Exact::NONE,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

impl Sum {
    /// Of nothing.
    pub(super) fn new() -> Sum {
        Sum {
            counts: Dense::new(),
            exact: Exact::NONE,
        }
    }

    /// Adds the latencies of `other`.
    pub(super) fn add(&mut self, other: &Distribution) {
        self.counts.add(&other.counts);
        self.exact.add(&other.exact);
    }

    /// Takes what was added. Nothing is left but the memory.
    pub(super) fn take(&mut self) -> Distribution {
        let exact = mem::replace(&mut self.exact, Exact::NONE);
        Distribution::of_counts(self.counts.take(), exact)
    }
}

impl Distribution {
    pub(super) const fn new() -> Distribution {
        Distribution {
            counts: Sparse::new(),
            count: 0,
            exact: Exact::NONE,
        }
    }

    fn of_counts(counts: Sparse<u64>, exact: Exact) -> Distribution {
        Distribution {
            count: counts.sum(),
            counts,
            exact,
        }
    }

    /// Becomes what a snapshot says of some latencies, in the memory that it has.
    pub(super) fn set(&mut self, latencies: OfKind<'_>) {
        self.counts.clear();
        latencies.count_into(&mut self.counts);
        self.count = self.counts.sum();
        self.exact = latencies.exact;
    }

    /// These and the latencies of `other`.
    pub(super) fn with(&self, other: &Distribution) -> Distribution {
        let mut exact = self.exact;
        exact.add(&other.exact);
        Distribution::of_counts(self.counts.changed(&other.counts, &NOTHING), exact)
    }

    /// These and the latencies of `more`, without those that are `gone`. `others` is what is known exactly of all that
    /// are left: the shortest and the longest of them cannot be found out from a difference.
    pub(super) fn moved_on<'a>(
        &self,
        more: &Distribution,
        gone: &Packed,
        others: impl Iterator<Item = &'a Exact>,
    ) -> Distribution {
        let mut exact = self.exact;
        exact.add(&more.exact);
        exact.remove(&gone.exact, others);
        let moved = Distribution::of_counts(self.counts.changed(&more.counts, &gone.counts), exact);
        debug_assert_eq!(
            moved.count + gone.counts.sum(),
            self.count + more.count,
            "what falls out was added before, bucket by bucket"
        );
        moved
    }

    /// Takes out what `other` counted, which is part of it, for the counts of the rest alone: what is known exactly
    /// stays that of all.
    pub(super) fn take_out(&mut self, other: &Distribution) {
        let rest = self.counts.changed(&NOTHING, &other.counts);
        *self = Distribution::of_counts(rest, self.exact);
    }

    /// The same in as little memory as it takes, if it is of one second: no bucket of that has counted
    /// more than it holds.
    pub(super) fn pack(&self) -> Packed {
        Packed {
            counts: self.counts.packed(),
            exact: self.exact,
        }
    }

    /// The buckets that are not empty, by their number on the scale.
    fn counted(&self) -> impl Iterator<Item = (u16, u64)> {
        self.counts.counted()
    }

    /// How many latencies there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum in nanoseconds, exact.
    pub fn sum_ns(&self) -> u128 {
        self.exact.sum_ns
    }

    /// The buckets that are not empty, in ascending order: the highest latency that each counts, in
    /// nanoseconds, and how many it counted. The last may have counted longer ones than that, up to
    /// [`LatencySummary::max_ns`].
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counted()
            .map(|(index, count)| (highest_of(usize::from(index)), count))
    }

    /// How many latencies are at most each of `bounds`, which ascend, in nanoseconds: one pass for
    /// all. A latency counts for the first bound that its whole bucket is within: those of the bucket that
    /// a bound lies in, which ends at most 0.78 % above it, count for the next.
    pub fn at_most<const N: usize>(&self, bounds: &[u64; N]) -> [u64; N] {
        let places = bounds.iter().map(|bound_ns| place_behind(*bound_ns));
        let mut at_most = [0; N];
        let counted = at_most.iter_mut().zip(self.before(places));
        counted.for_each(|(at_most, counted)| *at_most = counted);
        at_most
    }

    /// How many latencies are in buckets before each of `places` on the scale, which ascend.
    pub(super) fn before(
        &self,
        places: impl IntoIterator<Item = u16>,
    ) -> impl Iterator<Item = u64> {
        self.counts.before(places)
    }

    /// The figures that are served; all 0 if there is no latency.
    pub fn summary(&self) -> LatencySummary {
        let count = self.count;
        if count == 0 {
            return LatencySummary::default();
        }
        let [p50_ns, p90_ns, p99_ns, p99_9_ns, p99_99_ns] =
            self.percentiles([5_000, 9_000, 9_900, 9_990, 9_999]);
        let Exact {
            sum_ns,
            min_ns,
            max_ns,
            overflow,
        } = self.exact;
        LatencySummary {
            count,
            min_ns,
            // A mean of u64 values is one.
            mean_ns: (sum_ns / u128::from(count)) as u64,
            p50_ns,
            p90_ns,
            p99_ns,
            p99_9_ns,
            p99_99_ns,
            max_ns,
            overflow,
        }
    }

    /// The smallest latency that so many of 10,000 are not above, for each of `per_10_000`, which
    /// ascend: never below the exact one, and at most 0.78 % above it.
    pub(super) fn percentiles<const N: usize>(&self, per_10_000: [u32; N]) -> [u64; N] {
        let mut seen = 0;
        let mut at_ns = 0;
        let mut buckets = self.buckets();
        per_10_000.map(|per_10_000| {
            let rank = u128::from(self.count) * u128::from(per_10_000);
            let rank = (rank.div_ceil(10_000) as u64).max(1);
            while seen < rank {
                let Some((highest, count)) = buckets.next() else {
                    break;
                };
                (at_ns, seen) = (highest, seen + count);
            }
            // The end of a bucket may lie above every latency in it or, beyond the scale, below.
            at_ns.clamp(self.exact.min_ns, self.exact.max_ns)
        })
    }

    /// The curve of its percentiles on an axis of nines, of which each is cut into [`NINE`] steps: the
    /// latency that a share of 1 - 10^(-step / NINE) were not above, step after step. The last is the
    /// longest. Empty if there is no latency.
    pub(super) fn curve(&self) -> Vec<u64> {
        let mut curve = Vec::new();
        let mut seen = 0;
        let mut at_ns = 0;
        let mut buckets = self.buckets();
        for step in 0.. {
            if curve.last() == Some(&self.exact.max_ns) || self.count == 0 {
                break;
            }
            let above = above(self.count, step);
            while seen < (self.count - above).max(1) {
                let Some((highest, count)) = buckets.next() else {
                    break;
                };
                (at_ns, seen) = (highest, seen + count);
            }
            curve.push(match above {
                0 => self.exact.max_ns,
                _ => at_ns.clamp(self.exact.min_ns, self.exact.max_ns),
            });
        }
        curve
    }

    /// How many latencies lie in each quarter of a power of two, from the first that has any to the last.
    pub(super) fn bands(&self) -> Bands {
        let first = self.counts.first().map_or(0, band_of);
        let mut counts = Vec::new();
        for (place, count) in self.counted() {
            counts.resize(band_of(place) - first + 1, 0);
            *counts.last_mut().expect("it has one at least") += count;
        }
        Bands { first, counts }
    }

    /// The same as a histogram of the crate that writes HdrHistogram's formats.
    pub(super) fn to_hdr(&self) -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, LATENCY_MAX_NS, LATENCY_DIGITS)
            .expect("the bounds in limits.rs are a valid range");
        for (highest, count) in self.buckets() {
            histogram
                .record_n(highest, count)
                .expect("it has the buckets of the scale");
        }
        histogram
    }

    /// The latencies that a histogram has, which `summary` says the exact figures of. Without one they are
    /// those of its buckets: the minimum, the mean and the maximum may be 0.78 % off. None if it is not on this
    /// scale, or one contradicts the other.
    pub(super) fn from_hdr(
        histogram: &Histogram<u64>,
        summary: Option<&LatencySummary>,
    ) -> Option<Self> {
        let scale = (histogram.low(), histogram.high(), histogram.sigfig());
        let counted = histogram.iter_recorded();
        let count = counted.fold(0, |sum: u128, at| sum + u128::from(at.count_at_value()));
        let is_known = count <= u128::from(TOLD_REQUESTS)
            && summary.is_none_or(|summary| count == u128::from(summary.count));
        if scale != (1, LATENCY_MAX_NS, LATENCY_DIGITS) || !is_known {
            return None;
        }
        if count == 0 {
            return Some(Distribution::new());
        }
        let place = |ns: u64| index_of(ns.min(LATENCY_MAX_NS)) as u16;
        let counted = histogram.iter_recorded();
        let counted = counted.map(|at| (place(at.value_iterated_to()), at.count_at_value()));
        let counts: Sparse<u64> = counted.collect();
        let exact = match summary {
            Some(summary) => summary.exact()?,
            None => Exact {
                sum_ns: histogram
                    .iter_recorded()
                    .map(|at| {
                        let middle = histogram.median_equivalent(at.value_iterated_to());
                        u128::from(middle) * u128::from(at.count_at_value())
                    })
                    .sum(),
                min_ns: histogram.min(),
                max_ns: histogram.max().min(LATENCY_MAX_NS),
                overflow: 0,
            },
        };
        let ends = (counts.first(), counts.last());
        let told = (place(exact.min_ns), place(exact.max_ns));
        let is_told = ends == (Some(told.0), Some(told.1));
        is_told.then(|| Distribution::of_counts(counts, exact))
    }

    #[cfg(test)]
    pub(super) fn of(values: &[u64]) -> Distribution {
        let mut recent = super::recent::Recent::new();
        values.iter().for_each(|ns| recent.record([*ns]));
        let mut distribution = Distribution::new();
        recent.kinds().for_each(|of_kind| distribution.set(of_kind));
        distribution
    }
}

/// Counts of latencies in bands: the `n`th is of the buckets of the scale from [`BAND`] × n on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Bands {
    /// The number of the first that is told of.
    first: usize,
    /// What it has counted, and those behind it.
    counts: Vec<u64>,
}

/// Steps for each nine of a curve.
const NINE: u32 = 16;

/// How many of `count` latencies may be above a step of a curve.
fn above(count: u64, step: u32) -> u64 {
    match (step / NINE, step % NINE) {
        // Exact, so that the curve goes through the percentiles that are told of.
        (nines, 0) => 10_u64.checked_pow(nines).map_or(0, |parts| count / parts),
        _ => (count as f64 * 10_f64.powf(-f64::from(step) / f64::from(NINE))) as u64,
    }
}

fn band_of(place: u16) -> usize {
    usize::from(place) / BAND
}

/// What is told of a set of latencies, in nanoseconds; all 0 if there were none.
///
/// Serialised, it has the names and the order of the `latency` section of `/stats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// How many were longer than [`LATENCY_MAX_NS`], which percentiles take for that long. Servers that do not
    /// tell are read as if there were none.
    #[serde(default)]
    pub overflow: u64,
}

impl LatencySummary {
    /// What it says exactly of latencies, of which there are some; none if it contradicts itself.
    fn exact(&self) -> Option<Exact> {
        let is_ordered = self.min_ns <= self.mean_ns && self.mean_ns <= self.max_ns;
        let is_beyond = self.max_ns > LATENCY_MAX_NS;
        let is_told_beyond = self.overflow > 0;
        if !is_ordered || is_beyond != is_told_beyond || self.overflow > self.count {
            return None;
        }
        Some(Exact {
            // What the mean was rounded by is lost: less than a nanosecond for each.
            sum_ns: u128::from(self.mean_ns) * u128::from(self.count),
            min_ns: self.min_ns,
            max_ns: self.max_ns,
            overflow: self.overflow,
        })
    }
}

#[cfg(test)]
mod tests;
