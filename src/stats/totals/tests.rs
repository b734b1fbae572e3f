use super::*;
use crate::limits::{RATE_INTERVAL_NS, STATS_ROWS, STATS_SECONDS};
use crate::stats::distribution::Distribution;
use crate::stats::samples::latency;
use crate::stats::series::{KINDS, WHOLE};
use crate::stats::{Answered, LatencySummary, MethodIndex, Times, Whose};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
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
fn stalls_are_in_the_order_in_which_they_were_over() {
    let mut totals = totals();
    for core in [0, 1] {
        let mut recorder = Recorder::new(CORES[core], REASONS);
        for second in [core as u64, core as u64 + 2] {
            recorder.turned(SECOND, second * SECOND);
        }
        let _ = totals.keep(recorder.snapshot(4 * SECOND));
    }
    let stalls = totals.merge(4 * SECOND).stalls;
    let told: Vec<_> = stalls.iter().map(|stall| stall.at_ns / SECOND).collect();
    assert_eq!(told, [0, 1, 2, 3]);
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

/// For how long a core runs in a second: in each for longer.
fn busy_ns(second: u64) -> u64 {
    second * 1_000_000
}

/// A request that comes in a second: the place of its core, its route, and when it reached which stage.
#[derive(Debug, Clone)]
struct Came {
    core: usize,
    route: usize,
    times: Times,
    sent_ns: u64,
}

const ROUTES: [&str; 3] = ["/a", "/b", "/c"];

fn came() -> impl Strategy<Value = Came> {
    let times = prop::array::uniform3(latency());
    (0..CORES.len(), 0..ROUTES.len(), times, latency()).prop_map(
        |(core, route, [begun_ns, parsed_ns, handled_ns], sent_ns)| Came {
            core,
            route,
            times: Times {
                begun_ns,
                parsed_ns,
                handled_ns,
                ..Times::arrived(0)
            },
            sent_ns,
        },
    )
}

/// Totals and recorders of cores that have [`ROUTES`].
fn routed() -> (Totals, [Recorder; CORES.len()]) {
    let names = ROUTES.map(|path| RouteName::new(None, path));
    let mut totals = totals();
    let recorders = CORES.map(|core| {
        totals.know_routes(core, names.to_vec());
        let mut recorder = Recorder::new(core, REASONS);
        recorder.know_routes(&names);
        recorder
    });
    (totals, recorders)
}

/// A second that ends at `at_ns`, in which this came. For each request the loop turns once.
fn pass<'a>(
    totals: &mut Totals,
    recorders: &mut [Recorder],
    all: impl IntoIterator<Item = &'a Came>,
    at_ns: u64,
) {
    for came in all {
        let answered = Answered {
            whose: Whose::route(came.route as u16),
            method: MethodIndex::of(&http::Method::GET),
            status: 200,
            times: came.times,
        };
        recorders[came.core].request(&answered, came.sent_ns);
        recorders[came.core].turned(came.sent_ns, at_ns);
    }
    for recorder in recorders {
        let _ = totals.keep(recorder.snapshot(at_ns));
    }
    totals.end_second(at_ns);
}

/// All latencies that are told of a window, each with what it is of.
fn told(view: &View, window: Window) -> BTreeMap<String, Distribution> {
    let stages = view.stages(window);
    let stages = stages.map(|(stage, latencies)| (stage.to_owned(), latencies));
    let cores = (0..CORES.len()).flat_map(|core| {
        let latencies = view.core_latency(window, core);
        let lag = view.lag(window, core);
        [
            (format!("core {core}"), latencies),
            (format!("lag {core}"), lag),
        ]
    });
    let series = view.series(window).flat_map(|(name, kinds)| {
        let kinds = kinds.into_iter().enumerate();
        kinds.map(move |(kind, latencies)| (format!("{} {kind}", name.route), latencies))
    });
    let all = [("all".to_owned(), view.latency(window))].into_iter();
    let told = all.chain(stages).chain(cores).chain(series);
    told.map(|(of, latencies)| (of, latencies.clone()))
        .collect()
}

/// Into how many pieces `act` cuts what it does.
fn pieces(act: impl FnOnce(&mut dyn FnMut())) -> usize {
    let mut rests = 0;
    act(&mut || rests += 1);
    rests
}

#[test]
fn what_grows_with_the_series_is_done_in_pieces() {
    let mut totals = totals();
    let names = (0..STATS_ROWS).map(|route| RouteName::new(None, &format!("/{route}")));
    let names: Vec<_> = names.collect();
    let mut recorder = Recorder::new(CORES[0], REASONS);
    recorder.know_routes(&names);
    totals.know_routes(CORES[0], names);
    for route in 0..STATS_ROWS as u16 {
        let answered = Answered {
            whose: Whose::route(route),
            ..answered_with(200)
        };
        recorder.request(&answered, 1_000);
    }
    let _ = totals.keep(recorder.snapshot(SECOND));
    totals.end_second(SECOND);
    let slots = totals.total.filled().count();
    assert!(slots > KINDS * STATS_ROWS);
    let mut view = None;
    let merged = pieces(|rest| view = Some(totals.merge_in_pieces(SECOND, rest)));
    assert!(merged >= slots / 64, "{merged}");
    // Nothing comes, and the second before is given up.
    let ended = pieces(|rest| totals.end_second_in_pieces(2 * SECOND, rest));
    assert!(ended >= slots, "{ended}");
    // The view alone has that second now, and besides what is all the same still.
    let freed = pieces(|rest| view.take().expect("a view").free(rest));
    assert!(freed >= 2 * slots, "{freed}");
}

proptest! {
    // Each is a minute.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn windows_are_what_came_in_their_seconds(
        seconds in prop::collection::vec(prop::collection::vec(came(), 0..5), 1..75),
    ) {
        let (mut totals, mut recorders) = routed();
        for (second, came) in (1..).zip(&seconds) {
            recorders[1].ran(busy_ns(second));
            recorders[1].waited(SECOND - busy_ns(second));
            pass(&mut totals, &mut recorders, came, second * SECOND);
        }
        let view = totals.merge(seconds.len() as u64 * SECOND);
        let share = |ended: RangeInclusive<u64>| {
            let told_ns = ended.clone().count() as u64 * SECOND;
            Some(ended.map(busy_ns).sum::<u64>() as f64 / told_ns as f64)
        };
        let last = seconds.len() as u64;
        prop_assert_eq!(&view.window(Window::Total).busy_ratios, &[None, share(1..=last), None]);
        for window in Window::MOVING {
            let count = window.seconds().min(seconds.len());
            let came = seconds[seconds.len() - count..].concat();
            let figures = view.window(window);
            prop_assert_eq!(figures.span_ns, count as u64 * SECOND);
            prop_assert_eq!(figures.counters.requests, came.len() as u64);
            prop_assert_eq!(figures.counters.status.codes().map(|(_, count)| count).sum::<u64>(), figures.counters.requests);
            prop_assert_eq!(figures.requests_per_second, came.len() as f64 / count as f64);
            prop_assert_eq!(&figures.busy_ratios, &[None, share(last + 1 - count as u64..=last), None]);
            let wholes = came.iter().map(|came| came.times.latencies(came.sent_ns)[WHOLE]);
            let wholes = Distribution::of(&wholes.collect::<Vec<_>>());
            prop_assert_eq!(view.latency(window), &wholes);
            // The same as if all had come in one second, and nothing before.
            let (mut at_once, mut recorders) = routed();
            pass(&mut at_once, &mut recorders, &came, SECOND);
            prop_assert_eq!(told(&view, window), told(&at_once.merge(SECOND), Window::Second));
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
