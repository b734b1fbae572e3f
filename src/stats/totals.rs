//! The newest snapshot of every core, and their exact sum. It waits for nobody: snapshots and the
//! time are handed to it.

use std::mem;

use super::Recorder;
use super::rate::Rate;
use super::snapshot::{Counters, Snapshot};
use super::view::{Connections, CoreView, View};

/// What the supervisor knows of all cores.
#[derive(Debug)]
pub struct Totals {
    close_reasons: &'static [&'static str],
    cores: Vec<Core>,
}

/// One core: its newest snapshot, and its rate.
#[derive(Debug)]
struct Core {
    newest: Snapshot,
    rate: Rate,
}

impl Totals {
    /// Knows nothing yet of these cores, which start at `started_ns` on the monotonic clock and
    /// have recorders with the same `close_reasons`.
    pub fn new(cores: &[usize], close_reasons: &'static [&'static str], started_ns: u64) -> Totals {
        let cores = cores
            .iter()
            .map(|&core| Core {
                newest: Recorder::new(core, close_reasons).snapshot(started_ns),
                rate: Rate::new(started_ns),
            })
            .collect();
        Totals {
            close_reasons,
            cores,
        }
    }

    /// Keeps `snapshot` in place of the one it had of that core, and returns the one that is not
    /// needed any more, for [`Recorder::snapshot_into`].
    ///
    /// A snapshot older than the one it has comes straight back: counters never go backwards. So
    /// does one of a core that it was not made for.
    #[must_use = "the memory of a snapshot is used again"]
    pub fn keep(&mut self, snapshot: Snapshot) -> Snapshot {
        let known = self
            .cores
            .iter_mut()
            .find(|known| known.newest.core == snapshot.core);
        match known {
            Some(known) if snapshot.at_ns >= known.newest.at_ns => {
                known.rate.observe(&snapshot);
                mem::replace(&mut known.newest, snapshot)
            }
            _ => snapshot,
        }
    }

    /// Merges what it has, at `now_ns` on the monotonic clock.
    pub fn merge(&self, now_ns: u64) -> View {
        let mut sum = Counters::new(self.close_reasons);
        let mut requests_per_second = 0.0;
        for Core { newest, rate } in &self.cores {
            sum.add(&newest.counters);
            requests_per_second += rate.per_second(now_ns.saturating_sub(newest.at_ns));
        }
        View {
            merged_at_ns: now_ns,
            requests_total: sum.latency.count(),
            requests_per_second,
            requests_in_flight: sum.in_flight,
            latency: sum.latency.summary(),
            connections: Connections {
                accepted_total: sum.accepted,
                active: sum.active(),
                idle: sum.idle,
                accept_pauses_total: sum.accept_pauses,
                closed: self
                    .close_reasons
                    .iter()
                    .copied()
                    .zip(sum.closed.iter().copied())
                    .collect(),
            },
            received_bytes: sum.received_bytes,
            sent_bytes: sum.sent_bytes,
            status: sum.status,
            cores: self.cores.iter().map(Core::view).collect(),
        }
    }
}

impl Core {
    fn view(&self) -> CoreView {
        let counters = &self.newest.counters;
        CoreView {
            core: self.newest.core,
            snapshot_at_ns: self.newest.at_ns,
            requests_total: counters.latency.count(),
            connections_active: counters.active(),
            accept_queue: self.newest.accept_queue,
            receive_buffers: self.newest.receive_buffers,
            file_cache: self.newest.file_cache,
            busy_ratio: self.rate.busy_ratio(),
            latency: counters.latency.summary(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RATE_INTERVAL_NS;
    use crate::stats::LatencySummary;
    use proptest::prelude::*;
    use std::sync::Arc;

    const REASONS: &[&str] = &["peer_closed", "head_timeout"];
    const CORES: [usize; 3] = [0, 2, 5];

    /// What a core is told between two snapshots.
    #[derive(Debug, Clone)]
    struct Step {
        requests: Vec<(u16, u64)>,
        accepted: u8,
        closed: Vec<usize>,
        bytes: u32,
        after_ns: u64,
    }

    fn step() -> impl Strategy<Value = Step> {
        (
            prop::collection::vec((0..1_000_u16, any::<u64>()), 0..20),
            any::<u8>(),
            prop::collection::vec(0..REASONS.len(), 0..4),
            any::<u32>(),
            1..2 * RATE_INTERVAL_NS,
        )
            .prop_map(|(requests, accepted, closed, bytes, after_ns)| Step {
                requests,
                accepted,
                closed,
                bytes,
                after_ns,
            })
    }

    /// The snapshots of one core that goes through `steps`.
    fn snapshots(core: usize, steps: &[Step]) -> Vec<Snapshot> {
        let mut recorder = Recorder::new(core, REASONS);
        let mut now_ns = 0;
        steps
            .iter()
            .map(|step| {
                for &(status, ns) in &step.requests {
                    recorder.request_started();
                    recorder.request(status, ns);
                    recorder.request_finished();
                }
                for _ in 0..step.accepted {
                    recorder.accepted();
                }
                for &reason in &step.closed {
                    recorder.accepted();
                    recorder.closed(reason);
                }
                recorder.received(step.bytes.into());
                recorder.sent(u64::from(step.bytes) * 2);
                recorder.ran(u64::from(step.bytes));
                recorder.waited(step.after_ns);
                now_ns += step.after_ns;
                recorder.snapshot(now_ns)
            })
            .collect()
    }

    fn totals() -> Totals {
        Totals::new(&CORES, REASONS, 0)
    }

    /// A snapshot of a core that answered this many requests.
    fn answered(core: usize, requests: u64, at_ns: u64) -> Snapshot {
        let mut recorder = Recorder::new(core, REASONS);
        for _ in 0..requests {
            recorder.request(200, 1_000);
        }
        recorder.snapshot(at_ns)
    }

    #[test]
    fn without_snapshots_every_core_is_there_and_zero() {
        let view = Totals::new(&CORES, REASONS, 7).merge(10);
        assert_eq!(view.requests_total, 0);
        assert_eq!(view.latency, LatencySummary::default());
        assert_eq!(
            view.connections.closed,
            [("peer_closed", 0), ("head_timeout", 0)]
        );
        let cores: Vec<_> = view
            .cores
            .iter()
            .map(|core| (core.core, core.snapshot_at_ns))
            .collect();
        assert_eq!(cores, [(0, 7), (2, 7), (5, 7)]);
    }

    #[test]
    fn the_replaced_snapshot_comes_back_and_an_old_or_foreign_one_unused() {
        let mut totals = totals();
        for (given, returned, total) in [
            // (core, requests, at), (core, at), total after it
            ((0, 5, 20), (0, 0), 5),
            ((0, 4, 19), (0, 19), 5),
            ((0, 6, 20), (0, 20), 6),
            ((9, 3, 30), (9, 30), 6),
            ((5, 1, 1), (5, 0), 7),
        ] {
            let (core, requests, at_ns) = given;
            let back = totals.keep(answered(core, requests, at_ns));
            assert_eq!((back.core(), back.at_ns()), returned, "{given:?}");
            assert_eq!(totals.merge(40).requests_total, total, "{given:?}");
        }
    }

    #[test]
    fn a_late_core_is_kept_with_the_time_of_its_snapshot() {
        let mut totals = totals();
        for (core, at_ns) in [(0, 90), (2, 10), (5, 100)] {
            let _ = totals.keep(answered(core, 3, at_ns));
        }
        let view = totals.merge(1_000_000);
        assert_eq!(view.requests_total, 9);
        assert_eq!(view.cores[1].snapshot_at_ns, 10);
        assert_eq!(view.cores[1].requests_total, 3);
    }

    #[test]
    fn the_rate_is_the_sum_of_the_cores_rates() {
        let mut totals = totals();
        let _ = totals.keep(answered(0, 10, RATE_INTERVAL_NS));
        let _ = totals.keep(answered(2, 30, 3 * RATE_INTERVAL_NS));
        assert_eq!(totals.merge(0).requests_per_second, 20.0);
    }

    #[test]
    fn views_are_shared_between_threads() {
        fn is_shared<T: Send + Sync + 'static>() {}
        is_shared::<Arc<View>>();
    }

    proptest! {
        #[test]
        fn the_sum_over_the_cores_is_the_total(
            steps in prop::collection::vec(prop::collection::vec(step(), 0..4), CORES.len()),
        ) {
            let mut totals = totals();
            let mut all = Vec::new();
            for (core, steps) in CORES.into_iter().zip(&steps) {
                for snapshot in snapshots(core, steps) {
                    let _ = totals.keep(snapshot);
                }
                all.extend(steps);
            }
            let view = totals.merge(u64::MAX);

            let requests: usize = all.iter().map(|step| step.requests.len()).sum();
            prop_assert_eq!(view.requests_total, requests as u64);
            prop_assert_eq!(view.latency.count, requests as u64);
            prop_assert_eq!(view.status.classes().iter().sum::<u64>(), requests as u64);
            let of_cores: u64 = view.cores.iter().map(|core| core.requests_total).sum();
            prop_assert_eq!(of_cores, requests as u64);
            let of_cores: u64 = view.cores.iter().map(|core| core.latency.count).sum();
            prop_assert_eq!(of_cores, requests as u64);

            let bytes: u64 = all.iter().map(|step| u64::from(step.bytes)).sum();
            prop_assert_eq!(view.received_bytes, bytes);
            prop_assert_eq!(view.sent_bytes, bytes * 2);

            let active: u64 = all.iter().map(|step| u64::from(step.accepted)).sum();
            prop_assert_eq!(view.connections.active, active);
            let of_cores: u64 = view.cores.iter().map(|core| core.connections_active).sum();
            prop_assert_eq!(of_cores, active);
            let closed: u64 = view.connections.closed.iter().map(|&(_, count)| count).sum();
            prop_assert_eq!(view.connections.accepted_total, active + closed);

            // Minimum, maximum and mean are those of all latencies, whichever core had them.
            let latencies = || all.iter().flat_map(|step| &step.requests).map(|&(_, ns)| ns);
            let sum: u128 = latencies().map(u128::from).sum();
            prop_assert_eq!(view.latency.min_ns, latencies().min().unwrap_or(0));
            prop_assert_eq!(view.latency.max_ns, latencies().max().unwrap_or(0));
            prop_assert_eq!(u128::from(view.latency.mean_ns), sum / requests.max(1) as u128);
        }

        #[test]
        fn cores_may_be_merged_in_any_order(
            steps in prop::collection::vec(prop::collection::vec(step(), 1..4), CORES.len()),
            order in Just((0..CORES.len()).flat_map(|core| [core; 3]).collect::<Vec<_>>())
                .prop_shuffle(),
        ) {
            let mut one_by_one = totals();
            let mut mixed = totals();
            let mut waiting: Vec<_> = CORES
                .into_iter()
                .zip(&steps)
                .map(|(core, steps)| snapshots(core, steps).into_iter())
                .collect();
            for snapshot in waiting.clone().into_iter().flatten() {
                let _ = one_by_one.keep(snapshot);
            }
            // Each core's own snapshots keep their order; between cores there is none.
            for core in order {
                if let Some(snapshot) = waiting[core].next() {
                    let _ = mixed.keep(snapshot);
                }
            }
            let now_ns = 5 * RATE_INTERVAL_NS;
            prop_assert_eq!(mixed.merge(now_ns), one_by_one.merge(now_ns));
        }

        #[test]
        fn counters_never_go_backwards_whatever_the_order(
            steps in prop::collection::vec(step(), 1..6),
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let snapshots = snapshots(0, &steps);
            let mut totals = totals();
            let mut before = totals.merge(0);
            for snapshot in order.into_iter().filter_map(|i| snapshots.get(i)) {
                let _ = totals.keep(snapshot.clone());
                let after = totals.merge(0);
                prop_assert!(after.requests_total >= before.requests_total);
                prop_assert!(after.connections.accepted_total >= before.connections.accepted_total);
                prop_assert!(after.received_bytes >= before.received_bytes);
                for (after, before) in after.status.classes().iter().zip(before.status.classes()) {
                    prop_assert!(*after >= before);
                }
                before = after;
            }
            // And whatever the order, the newest is what is told.
            let newest = snapshots.last().map(|snapshot| snapshot.counters.latency.count());
            prop_assert_eq!(Some(before.requests_total), newest);
        }
    }
}
