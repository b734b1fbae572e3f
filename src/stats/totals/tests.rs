use super::*;
use crate::limits::{RATE_INTERVAL_NS, STATS_SECONDS};
use crate::stats::distribution::Distribution;
use crate::stats::series::WHOLE;
use crate::stats::{Answered, LatencySummary, MethodIndex, Times, Whose};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

const REASONS: &[&str] = &["peer_closed", "head_timeout"];
const CORES: [usize; 3] = [0, 2, 5];
const SECOND: u64 = 1_000_000_000;

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
                recorder.request(&answered_with(status), ns);
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

/// A request that arrived at 0 and was answered with `status`.
fn answered_with(status: u16) -> Answered {
    Answered {
        status,
        ..Answered::unmatched(Times::default())
    }
}

/// A snapshot of a core that answered this many requests.
fn answered(core: usize, requests: u64, at_ns: u64) -> Snapshot {
    let mut recorder = Recorder::new(core, REASONS);
    for _ in 0..requests {
        recorder.request(&answered_with(200), 1_000);
    }
    recorder.snapshot(at_ns)
}

#[test]
fn without_snapshots_every_core_is_there_and_zero() {
    let view = Totals::new(&CORES, REASONS, 7).merge(10);
    assert_eq!(view.requests_total(), 0);
    assert_eq!(
        view.latency(Window::Total).summary(),
        LatencySummary::default()
    );
    assert_eq!(
        view.window(Window::Total)
            .counters
            .closed()
            .collect::<Vec<_>>(),
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
fn the_replaced_snapshot_comes_back_and_a_foreign_one_unused() {
    let mut totals = totals();
    for (given, returned, total) in [
        // (core, requests, at), (core, at), total after it
        ((0, 5, 20), (0, 0), 5),
        ((0, 6, 20), (0, 20), 6),
        ((9, 3, 30), (9, 30), 6),
        ((5, 1, 1), (5, 0), 7),
    ] {
        let (core, requests, at_ns) = given;
        let back = totals.keep(answered(core, requests, at_ns));
        assert_eq!((back.core(), back.at_ns()), returned, "{given:?}");
        assert_eq!(totals.merge(40).requests_total(), total, "{given:?}");
    }
}

#[test]
fn a_late_core_is_kept_with_the_time_of_its_snapshot() {
    let mut totals = totals();
    for (core, at_ns) in [(0, 90), (2, 10), (5, 100)] {
        let _ = totals.keep(answered(core, 3, at_ns));
    }
    let view = totals.merge(1_000_000);
    assert_eq!(view.requests_total(), 9);
    assert_eq!(view.cores[1].snapshot_at_ns, 10);
    assert_eq!(view.cores[1].requests_total, 3);
}

#[test]
fn stalls_have_the_names_of_their_routes_and_the_last_are_kept() {
    let mut totals = totals();
    totals.know_routes(2, vec![RouteName::new(None, "/slow")]);
    let mut recorder = Recorder::new(2, REASONS);
    recorder.know_routes(&[RouteName::new(None, "/slow")]);
    for at_ns in 0..STALLS as u64 {
        recorder.held(
            Whose::route(0),
            MethodIndex::of(&http::Method::GET),
            10 * SECOND,
        );
        recorder.turned(10 * SECOND, at_ns);
    }
    let _ = totals.keep(recorder.snapshot(1));
    recorder.turned(SECOND, 1_000);
    let _ = totals.keep(recorder.snapshot(2));
    let stalls = totals.merge(3).stalls;
    assert_eq!(stalls.len(), STALLS);
    let told = |stall: &StallView| {
        (
            stall.at,
            stall.by.as_ref().map(|by| (by.0.to_string(), by.1)),
        )
    };
    let at = |ns| UNIX_EPOCH + Duration::from_nanos(ns);
    assert_eq!(told(&stalls[0]), (at(1), Some(("/slow".into(), "GET"))));
    assert_eq!(told(&stalls[STALLS - 1]), (at(1_000), None));
}

#[test]
fn stalls_of_nobody_leave_room_for_those_of_handlers() {
    let mut totals = totals();
    let mut recorder = Recorder::new(2, REASONS);
    let mut stalled = |by_handler: bool, at_ns| {
        if by_handler {
            recorder.held(
                Whose::route(0),
                MethodIndex::of(&http::Method::GET),
                10 * SECOND,
            );
        }
        recorder.turned(10 * SECOND, at_ns);
        let _ = totals.keep(recorder.snapshot(at_ns));
    };
    // One of a handler, and more than there is room for that are nobody's.
    stalled(true, 0);
    for at_ns in 1..=2 * STALLS as u64 {
        stalled(false, at_ns);
    }
    // Then of handlers, until they have half of it.
    for at_ns in 1_001..1_000 + STALLS as u64 / 2 {
        stalled(true, at_ns);
    }
    let stalls = totals.merge(3_000).stalls;
    assert_eq!(stalls.len(), STALLS);
    assert_eq!(stalls[0].at, UNIX_EPOCH);
    let of_handlers = stalls.iter().filter(|stall| stall.by.is_some());
    assert_eq!(of_handlers.count(), STALLS / 2);
}

#[test]
fn a_core_is_seen_whether_it_tells_or_not() {
    let mut totals = totals();
    let seen = |run_delay_ns| Outside {
        accept_queue: None,
        run_delay_ns,
    };
    for (run_delay_ns, told) in [
        (None, None),
        (Some(5), Some(5)),
        (Some(7), Some(7)),
        // Its thread has ended.
        (None, Some(7)),
    ] {
        totals.see(2, seen(run_delay_ns));
        // One that there is none of.
        totals.see(77, seen(Some(99)));
        let view = totals.merge(1);
        let core = view.cores.iter().find(|core| core.core == 2);
        assert_eq!(core.expect("a core").outside.run_delay_ns, told);
    }
}

#[test]
fn what_was_told_keeps_its_time_when_the_calendar_is_set() {
    let mut totals = totals();
    let day = |day: u64| UNIX_EPOCH + Duration::from_secs(day * 24 * 60 * 60);
    let mut recorder = Recorder::new(2, REASONS);
    // It is set forward, and back.
    for (second, date) in [(1, day(2)), (2, day(9)), (3, day(5))] {
        totals.tell_time(second * SECOND, date);
        recorder.turned(SECOND, second * SECOND);
        let _ = totals.keep(recorder.snapshot(second * SECOND));
        totals.end_second(second * SECOND);
    }
    let view = totals.merge(4 * SECOND);
    let stalls: Vec<_> = view.stalls.iter().map(|stall| stall.at).collect();
    let seconds: Vec<_> = view.seconds.after(0).map(|second| second.at).collect();
    assert_eq!(stalls, [day(2), day(9), day(5)]);
    assert_eq!(seconds, stalls);
    let now = view.calendar.time_of(view.merged_at_ns);
    assert_eq!(now, day(5) + Duration::from_secs(1));
}

#[test]
fn the_rate_is_the_sum_of_the_cores_rates() {
    let mut totals = totals();
    let _ = totals.keep(answered(0, 10, SECOND));
    let _ = totals.keep(answered(2, 30, 3 * SECOND));
    assert_eq!(
        totals.merge(0).window(Window::Total).requests_per_second,
        20.0
    );
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
        prop_assert_eq!(view.requests_total(), requests as u64);
        prop_assert_eq!(view.latency(Window::Total).count(), requests as u64);
        prop_assert_eq!(view.window(Window::Total).counters.status.classes().iter().sum::<u64>(), requests as u64);
        let of_cores: u64 = view.cores.iter().map(|core| core.requests_total).sum();
        prop_assert_eq!(of_cores, requests as u64);
        let of_cores = (0..CORES.len()).map(|core| view.core_latency(Window::Total, core));
        let of_cores: u64 = of_cores.map(Distribution::count).sum();
        prop_assert_eq!(of_cores, requests as u64);
        let of_series = view.series(Window::Total).map(|(_, kinds)| kinds[WHOLE].count());
        let of_cores: u64 = of_series.sum();
        prop_assert_eq!(of_cores, requests as u64);

        let bytes: u64 = all.iter().map(|step| u64::from(step.bytes)).sum();
        prop_assert_eq!(view.window(Window::Total).counters.received_bytes, bytes);
        prop_assert_eq!(view.window(Window::Total).counters.sent_bytes, bytes * 2);

        let active: u64 = all.iter().map(|step| u64::from(step.accepted)).sum();
        prop_assert_eq!(view.connections.active, active);
        let of_cores: u64 = view.cores.iter().map(|core| core.connections_active).sum();
        prop_assert_eq!(of_cores, active);
        let closed: u64 = view.window(Window::Total).counters.closed().map(|(_, count)| count).sum();
        prop_assert_eq!(view.window(Window::Total).counters.accepted, active + closed);

        // Minimum, maximum and mean are those of all latencies, whichever core had them.
        let latencies = || all.iter().flat_map(|step| &step.requests).map(|&(_, ns)| ns);
        let sum: u128 = latencies().map(u128::from).sum();
        let told = view.latency(Window::Total).summary();
        prop_assert_eq!(told.min_ns, latencies().min().unwrap_or(0));
        prop_assert_eq!(told.max_ns, latencies().max().unwrap_or(0));
        prop_assert_eq!(u128::from(told.mean_ns), sum / requests.max(1) as u128);
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
        let (mixed, one_by_one) = (mixed.merge(now_ns), one_by_one.merge(now_ns));
        prop_assert_eq!(&mixed.cores, &one_by_one.cores);
        prop_assert_eq!(mixed.latency(Window::Total), one_by_one.latency(Window::Total));
        // They are numbered as they were met.
        let by_class = |view: &View| {
            let series = view.series(Window::Total);
            let told = series.map(|(name, kinds)| (name.class, kinds.map(Clone::clone)));
            told.collect::<BTreeMap<_, _>>()
        };
        prop_assert_eq!(by_class(&mixed), by_class(&one_by_one));
    }

    #[test]
    fn counters_never_go_backwards(steps in prop::collection::vec(step(), 1..6)) {
        let mut totals = totals();
        let mut before = totals.merge(0);
        for snapshot in snapshots(0, &steps) {
            let _ = totals.keep(snapshot);
            let after = totals.merge(0);
            let (now, then) = (after.window(Window::Total), before.window(Window::Total));
            prop_assert!(now.counters.requests >= then.counters.requests);
            prop_assert!(now.counters.accepted >= then.counters.accepted);
            prop_assert!(now.counters.received_bytes >= then.counters.received_bytes);
            for (now, then) in now.counters.status.classes().iter().zip(then.counters.status.classes()) {
                prop_assert!(*now >= then);
            }
            before = after;
        }
    }
}

proptest! {
    // Each is a minute.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn windows_are_what_came_in_their_seconds(
        seconds in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..5), 1..75),
    ) {
        let mut totals = totals();
        let mut recorder = Recorder::new(2, REASONS);
        for (second, latencies) in (1..).zip(&seconds) {
            for ns in latencies {
                recorder.request(&answered_with(200), *ns);
            }
            recorder.ran(second);
            recorder.waited(3 * second);
            let _ = totals.keep(recorder.snapshot(second * SECOND));
            totals.end_second(second * SECOND);
        }
        let view = totals.merge(seconds.len() as u64 * SECOND);
        for window in Window::MOVING {
            let count = window.seconds().min(seconds.len());
            let expected = seconds[seconds.len() - count..].concat();
            let figures = view.window(window);
            prop_assert_eq!(figures.span_ns, count as u64 * SECOND);
            prop_assert_eq!(figures.counters.requests, expected.len() as u64);
            prop_assert_eq!(figures.counters.status.codes().map(|(_, count)| count).sum::<u64>(), figures.counters.requests);
            prop_assert_eq!(figures.requests_per_second, expected.len() as f64 / count as f64);
            prop_assert_eq!(figures.busy_ratios[1], Some(0.25));
            prop_assert_eq!(figures.busy_ratios[0], None);
            let expected = Distribution::of(&expected);
            for told in [view.latency(window), view.core_latency(window, 1)] {
                prop_assert_eq!(told.summary(), expected.summary());
                prop_assert!(told.buckets().eq(expected.buckets()));
            }
            prop_assert_eq!(view.core_latency(window, 0).count(), 0);
        }
    }
}

#[test]
fn the_last_seconds_are_remembered_one_by_one() {
    let mut totals = totals();
    assert_eq!(totals.merge(0).newest_second(), 0);
    for second in 1..=STATS_SECONDS as u64 + 1 {
        let _ = totals.keep(answered(0, second, second * SECOND));
        totals.end_second(second * SECOND);
        let view = totals.merge(second * SECOND);
        assert_eq!(view.newest_second(), second);
        // `answered` makes a recorder of its own each time: its counters go on, and its latencies are all.
        let newest: Vec<_> = view.seconds.after(second - 1).collect();
        assert_eq!(newest.len(), 1);
        assert_eq!((newest[0].number, newest[0].requests), (second, 1));
        assert_eq!(newest[0].at, UNIX_EPOCH + Duration::from_secs(second));
        let first = view.seconds.after(0).next().map(|second| second.number);
        let gone = second.saturating_sub(STATS_SECONDS as u64);
        assert_eq!(first, Some(gone + 1));
        let count = view.seconds.after(0).count();
        assert_eq!(count, STATS_SECONDS.min(second as usize));
    }
}
