use super::super::Times;
use super::super::series::{STAGES, WHOLE};
use super::super::snapshot::Of;
use super::super::sparse::Sparse;
use super::*;
use crate::limits::{LEAST_STALL_THRESHOLD, MOST_STALL_THRESHOLD, STATS_ROWS};
use http::Method;

const REASONS: &[&str] = &["peer_closed", "head_timeout"];
const BUFFERS: ReceiveBuffers = ReceiveBuffers {
    held: 3,
    bytes: 8_192,
};
const METHOD: MethodIndex = MethodIndex::OTHER;

/// A request of `whose` that was answered with `status`.
fn answered(whose: Whose, status: u16) -> Answered {
    Answered {
        whose,
        method: MethodIndex::of(&Method::GET),
        status,
        times: Times::arrived(0),
    }
}

/// So many routes for GET.
fn routes(count: usize) -> Vec<RouteName> {
    let name = |number| RouteName::new(None, &format!("/{number}")).of(&Method::GET);
    (0..count).map(name).collect()
}

/// A recorder that has seen something of everything.
fn busy() -> Recorder {
    let mut recorder = Recorder::new(3, REASONS);
    recorder.know_routes(&routes(2));
    for status in [200, 200, 404] {
        recorder.request_started();
        let request = answered(Whose::route(1), status);
        recorder.request(&request, u64::from(status) * 1_000);
        recorder.request_finished();
    }
    for _ in 0..4 {
        recorder.accepted();
        recorder.connection_idle();
    }
    recorder.connection_busy();
    recorder.connection_busy();
    recorder.request_started();
    recorder.request_started();
    recorder.request_abandoned();
    recorder.closed(1);
    recorder.received(100);
    recorder.received(11);
    recorder.sent(2_000);
    recorder.sent(22);
    recorder.accept_paused();
    recorder.receive_buffers(BUFFERS);
    recorder.ran(30);
    recorder.waited(70);
    recorder.turned(500, 1);
    recorder.held(Whose::route(0), METHOD, STALL_NS);
    recorder.turned(STALL_NS, 2);
    recorder
}

const STALL_NS: u64 = STALL_THRESHOLD.as_nanos() as u64;

/// The latencies of each kind in a snapshot, and how many they are.
fn parts(snapshot: &Snapshot) -> Vec<(Of, u64)> {
    let parts = snapshot.parts();
    parts
        .map(|(of, taken)| {
            let mut counts = Sparse::new();
            taken.count_into(&mut counts);
            (of, counts.sum())
        })
        .collect()
}

/// The whole latencies among them: of whom, of which class, how many.
fn wholes(snapshot: &Snapshot) -> Vec<(Whose, u8, u64)> {
    let parts = parts(snapshot).into_iter();
    let wholes = parts.filter_map(|(of, count)| match of {
        Of::Series(series, kind) if usize::from(kind) == WHOLE => {
            Some((series.whose, series.class, count))
        }
        _ => None,
    });
    wholes.collect()
}

#[test]
fn everything_is_counted_where_it_belongs() {
    let snapshot = busy().snapshot(99);
    assert_eq!(snapshot.core(), 3);
    assert_eq!(snapshot.at_ns(), 99);
    assert_eq!(snapshot.receive_buffers, Some(BUFFERS));
    let counters = &snapshot.counters;
    assert_eq!(counters.requests, 3);
    assert_eq!(
        counters.status.codes().collect::<Vec<_>>(),
        [(200, 2), (404, 1)]
    );
    assert_eq!(counters.in_flight, 1);
    assert_eq!(counters.accepted, 4);
    assert_eq!(counters.active(), 3);
    assert_eq!(counters.idle, 2);
    assert_eq!(*counters.closed, [0, 1]);
    assert_eq!((counters.received_bytes, counters.sent_bytes), (111, 2_022));
    assert_eq!(counters.accept_pauses, 1);
    assert_eq!((counters.busy_ns, counters.waiting_ns), (30, 70));
    let route = Whose::route(1);
    assert_eq!(wholes(&snapshot), [(route, 1, 2), (route, 3, 1)]);
    // Each stage has as many as the whole.
    assert_eq!(parts(&snapshot).len(), 2 * (1 + STAGES.len()) + 1);
    assert_eq!(parts(&snapshot).last(), Some(&(Of::Lag, 2)));
    let stall = Stall {
        core: 3,
        at_ns: 2,
        held_ns: STALL_NS,
        ran: None,
        by: Some((Whose::route(0), METHOD)),
    };
    assert_eq!(snapshot.stalls, [stall]);
    assert_eq!(counters.stalls, 1);
}

#[test]
fn a_stall_begins_at_its_threshold() {
    let usual = || Recorder::new(0, REASONS);
    assert_eq!(usual().stall_threshold(), STALL_THRESHOLD);
    for threshold in [STALL_THRESHOLD, LEAST_STALL_THRESHOLD, MOST_STALL_THRESHOLD] {
        let threshold_ns = threshold.as_nanos() as u64;
        for (ns, stalls) in [
            (threshold_ns - 1, 0),
            (threshold_ns, 1),
            (threshold_ns + 1, 1),
        ] {
            let mut recorder = usual().with_stall_threshold(threshold);
            recorder.turned(ns, 0);
            assert_eq!(
                recorder.snapshot(0).stalls.len(),
                stalls,
                "{threshold:?} {ns}"
            );
        }
    }
}

#[test]
fn a_stall_is_theirs_who_took_half_of_it_in_that_turn() {
    let route = Whose::route(0);
    for (held_ns, by) in [
        (&[STALL_NS / 2 - 1, STALL_NS / 2 - 1][..], None),
        (&[STALL_NS / 2], Some((route, METHOD))),
        (&[STALL_NS / 2, 7], Some((route, METHOD))),
    ] {
        let mut recorder = Recorder::new(0, REASONS);
        // One of an earlier turn explains nothing.
        recorder.held(Whose::STATS, METHOD, STALL_NS);
        recorder.turned(1, 0);
        for ns in held_ns {
            recorder.held(route, METHOD, *ns);
        }
        recorder.turned(STALL_NS, 0);
        assert_eq!(recorder.snapshot(0).stalls[0].by, by, "{held_ns:?}");
    }
}

#[test]
fn the_last_stalls_are_kept_and_all_are_counted() {
    for (number, kept_from) in [(STALLS, 0), (STALLS + 1, 1)] {
        let mut recorder = Recorder::new(0, REASONS);
        for at_ns in 0..number as u64 {
            recorder.turned(STALL_NS, at_ns);
        }
        let snapshot = recorder.snapshot(0);
        assert_eq!(snapshot.counters.stalls, number as u64);
        assert_eq!(snapshot.stalls.len(), STALLS);
        assert_eq!(snapshot.stalls[0].at_ns, kept_from);
    }
}

#[test]
fn routes_beyond_the_bound_are_counted_together() {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.know_routes(&routes(STATS_ROWS + 1));
    let told = |recorder: &mut Recorder| {
        for number in 0..=STATS_ROWS as u16 {
            recorder.request(&answered(Whose::route(number), 200), 1);
        }
        wholes(&recorder.snapshot(0))
    };
    for _ in 0..2 {
        let wholes = told(&mut recorder);
        assert_eq!(wholes.len(), STATS_ROWS + 1);
        assert_eq!(wholes[0], (Whose::OTHER, 1, 1));
        assert_eq!(
            wholes[STATS_ROWS],
            (Whose::route(STATS_ROWS as u16 - 1), 1, 1)
        );
    }
    // One that was never told of is no reason to fail.
    recorder.request(&answered(Whose::route(u16::MAX), 200), 1);
    assert_eq!(wholes(&recorder.snapshot(0)), [(Whose::OTHER, 1, 1)]);
}

#[test]
fn what_no_route_is_for_is_one_row_whatever_its_method() {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.know_routes(&routes(1));
    for method in MethodIndex::all() {
        let unmatched = Answered {
            method,
            ..answered(Whose::UNMATCHED, 404)
        };
        recorder.request(&unmatched, 1);
        recorder.request(&unmatched, 1);
    }
    let snapshot = recorder.snapshot(0);
    let [(series, _)] = &snapshot.series[..] else {
        panic!("{snapshot:?}");
    };
    assert_eq!(
        (series.whose, series.method),
        (Whose::UNMATCHED, MethodIndex::OTHER)
    );
    assert_eq!(
        wholes(&snapshot),
        [(Whose::UNMATCHED, 3, 2 * METHODS.len() as u64)]
    );
}

#[test]
fn without_latencies_requests_are_counted_all_the_same() {
    let mut recorder = Recorder::new(0, REASONS).without_latencies();
    recorder.request(&answered(Whose::STATS, 200), 1);
    recorder.turned(STALL_NS, 1);
    let snapshot = recorder.snapshot(0);
    assert_eq!(snapshot.counters.requests, 1);
    assert!(parts(&snapshot).is_empty() && snapshot.stalls.is_empty());
}

#[test]
fn an_abandoned_request_leaves_in_flight_and_is_counted_apart() {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.request_started();
    recorder.request_abandoned();
    let counters = recorder.snapshot(0).counters;
    assert_eq!(
        (counters.requests, counters.in_flight, counters.abandoned),
        (0, 0, 1)
    );
}

#[test]
fn a_snapshot_takes_the_latencies_and_copies_the_counters() {
    let mut recorder = busy();
    let first = recorder.snapshot(1);
    assert_eq!(first, busy().snapshot(1));
    recorder.request(&answered(Whose::route(0), 500), 1);
    let second = recorder.snapshot(2);
    assert_eq!(second.counters.requests, 4);
    assert_eq!(wholes(&second), [(Whose::route(0), 4, 1)]);
}

#[test]
fn snapshot_into_leaves_nothing_of_the_old_one() {
    let old = busy().snapshot(5);
    for make in [busy, || Recorder::new(1, REASONS)] {
        let mut reused = old.clone();
        make().snapshot_into(&mut reused, 6);
        // But for memory.
        assert!(reused.spare.iter().all(|recent| recent.is_empty()));
        reused.spare.clear();
        assert_eq!(reused, make().snapshot(6));
    }
}

#[test]
fn snapshot_into_uses_the_memory_that_is_there() {
    let memory = |snapshot: &Snapshot| {
        let counters = &snapshot.counters;
        (counters.status.memory(), counters.closed.as_ptr())
    };
    let mut reused = busy().snapshot(5);
    let before = memory(&reused);
    busy().snapshot_into(&mut reused, 6);
    assert_eq!(memory(&reused), before);
}

#[test]
fn what_latencies_are_counted_in_comes_and_goes() {
    let places = |snapshot: &Snapshot| -> Vec<*const Recent<KINDS>> {
        let recents = snapshot.series.iter().map(|(_, recent)| &**recent);
        let mut places: Vec<_> = recents.map(std::ptr::from_ref).collect();
        places.sort_unstable();
        places
    };
    let mut recorder = busy();
    let request = |recorder: &mut Recorder| {
        for status in [200, 404] {
            recorder.request(&answered(Whose::route(1), status), 1_000);
        }
    };
    let mut snapshot = recorder.snapshot(1);
    let first = places(&snapshot);
    request(&mut recorder);
    recorder.snapshot_into(&mut snapshot, 2);
    let second = places(&snapshot);
    assert!(first.iter().all(|place| !second.contains(place)));
    request(&mut recorder);
    recorder.snapshot_into(&mut snapshot, 3);
    assert_eq!(places(&snapshot), first);
    assert_eq!(wholes(&snapshot).len(), 2);
    // Whoever is not met any more leaves its own behind, and no more are made.
    recorder.snapshot_into(&mut snapshot, 4);
    assert!(snapshot.series.is_empty());
    assert_eq!(snapshot.spare.len(), 2);
}

#[test]
fn requests_that_are_told_of_together_are_counted_as_each_by_itself() {
    let unmatched = Answered::unmatched(Times::arrived(3));
    let of_route = |status| answered(Whose::route(1), status);
    let all = [
        of_route(200),
        of_route(200),
        of_route(404),
        of_route(200),
        unmatched,
        Answered {
            times: Times::arrived(70),
            ..unmatched
        },
        of_route(204),
    ];
    for is_on in [true, false] {
        let [together, apart] = [all.len(), 1].map(|at_a_time| {
            let mut recorder = busy();
            recorder.is_on = is_on;
            for answered in all.chunks(at_a_time) {
                answered.iter().for_each(|_| recorder.request_started());
                recorder.requests(answered, 1_000);
                recorder.requests_finished(answered.len() as u64);
            }
            recorder.snapshot(1)
        });
        assert_eq!(together, apart);
    }
}

#[test]
fn snapshots_are_sent_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Snapshot>();
}
