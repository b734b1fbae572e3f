use super::super::Times;
use super::super::scale::{BLOCK, BUCKETS, lowest_of};
use super::super::series::{STAGES, WHOLE};
use super::*;
use http::Method;

const REASONS: &[&str] = &["peer_closed", "head_timeout"];
const BUFFERS: ReceiveBuffers = ReceiveBuffers {
    held: 3,
    bytes: 8_192,
};
const QUEUE: AcceptQueue = AcceptQueue {
    waiting: 7,
    limit: 4_096,
};
const GET: MethodIndex = MethodIndex::OTHER;

/// A request of `whose` that was answered with `status`.
fn answered(whose: Whose, status: u16) -> Answered {
    Answered {
        whose,
        method: MethodIndex::of(&Method::GET),
        status,
        times: Times::arrived(0),
    }
}

/// A recorder that has seen something of everything.
fn busy() -> Recorder {
    let mut recorder = Recorder::new(3, REASONS);
    recorder.know_routes(2);
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
    recorder.accept_queue(QUEUE);
    recorder.receive_buffers(BUFFERS);
    recorder.ran(30);
    recorder.waited(70);
    recorder.turned(500, 1);
    recorder.held(Whose::route(0), GET, STALL_NS);
    recorder.turned(STALL_NS, 2);
    recorder
}

const STALL_NS: u64 = STALL.as_nanos() as u64;

/// The latencies of each kind in a snapshot, and how many they are.
fn parts(snapshot: &Snapshot) -> Vec<(Of, u64)> {
    let parts = snapshot.parts();
    parts
        .map(|(of, taken)| (of, taken.counted().map(|(_, count)| count).sum()))
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
    assert_eq!(snapshot.accept_queue, Some(QUEUE));
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
    assert_eq!(parts(&snapshot).first(), Some(&(Of::Lag, 2)));
    let stall = Stall {
        core: 3,
        at_ns: 2,
        held_ns: STALL_NS,
        by: Some((Whose::route(0), GET)),
    };
    assert_eq!(snapshot.stalls, [stall]);
    assert_eq!(counters.stalls, 1);
}

#[test]
fn a_stall_begins_at_its_threshold() {
    for (ns, stalls) in [(STALL_NS - 1, 0), (STALL_NS, 1), (STALL_NS + 1, 1)] {
        let mut recorder = Recorder::new(0, REASONS);
        recorder.turned(ns, 0);
        assert_eq!(recorder.snapshot(0).stalls.len(), stalls, "{ns}");
    }
}

#[test]
fn a_stall_is_theirs_who_took_half_of_it_in_that_turn() {
    let route = Whose::route(0);
    for (held_ns, by) in [
        (&[STALL_NS / 2 - 1, STALL_NS / 2 - 1][..], None),
        (&[STALL_NS / 2], Some((route, GET))),
        (&[STALL_NS / 2, 7], Some((route, GET))),
    ] {
        let mut recorder = Recorder::new(0, REASONS);
        // One of an earlier turn explains nothing.
        recorder.held(Whose::STATS, GET, STALL_NS);
        recorder.turned(1, 0);
        for ns in held_ns {
            recorder.held(route, GET, *ns);
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
    recorder.know_routes(STATS_ROWS + 1);
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

/// A snapshot in the memory of another.
fn snapshot_in(spare: Snapshot, mut recorder: Recorder, at_ns: u64) -> Snapshot {
    recorder.begin_snapshot(Some(spare), at_ns);
    recorder.snapshot(0)
}

#[test]
fn a_snapshot_in_the_memory_of_another_leaves_nothing_of_it() {
    let old = busy().snapshot(5);
    for make in [busy, || Recorder::new(1, REASONS)] {
        let reused = snapshot_in(old.clone(), make(), 6);
        assert_eq!(reused, make().snapshot(6));
    }
}

#[test]
fn a_snapshot_in_the_memory_of_another_uses_what_is_there() {
    let memory = |snapshot: &Snapshot| {
        let counters = &snapshot.counters;
        (
            counters.status.memory(),
            counters.closed.as_ptr(),
            snapshot.memory(),
        )
    };
    let old = busy().snapshot(5);
    let before = memory(&old);
    assert_eq!(memory(&snapshot_in(old, busy(), 6)), before);
}

/// A recorder with a latency in every block of every row and class that there may be, and how many of the
/// latter there are.
fn full() -> (Recorder, usize) {
    let mut recorder = Recorder::new(0, REASONS);
    recorder.know_routes(STATS_ROWS + 1);
    for number in 0..=STATS_ROWS as u16 {
        for class in 1..=CLASSES.len() as u16 {
            for block in 0..BUCKETS / BLOCK {
                let sent_ns = lowest_of(block * BLOCK);
                recorder.request(&answered(Whose::route(number), class * 100), sent_ns);
            }
        }
    }
    (recorder, (STATS_ROWS + 1) * CLASSES.len())
}

#[test]
fn a_snapshot_is_taken_in_pieces() {
    let (mut recorder, series) = full();
    assert!(recorder.next_of_snapshot().is_none());
    recorder.begin_snapshot(None, 7);
    // Each request has its latency in the whole and in `write`, and the rest of the stages in one block.
    let blocks = series * (2 * BUCKETS / BLOCK + 3);
    let series_blocks = blocks / series;
    let mut pieces = 1;
    let snapshot = loop {
        match recorder.next_of_snapshot() {
            Some(snapshot) => break snapshot,
            None => pieces += 1,
        }
    };
    assert!(pieces >= blocks / (PIECE_BLOCKS + series_blocks));
    assert_eq!(snapshot, full().0.snapshot(7));
    assert!(recorder.next_of_snapshot().is_none());
    assert!(wholes(&recorder.snapshot(8)).is_empty());
}

#[test]
fn what_is_recorded_while_a_snapshot_is_taken_is_in_the_next() {
    let (mut recorder, series) = full();
    recorder.begin_snapshot(None, 7);
    // One that was taken, one that is to be taken, and one that was not there.
    assert!(recorder.next_of_snapshot().is_none());
    let met = [(0, 200), (STATS_ROWS as u16 - 1, 500)];
    for (route, status) in [met[0], met[1], met[1]] {
        recorder.request(&answered(Whose::route(route), status), 5);
    }
    recorder.turned(1, 8);
    // It goes on as it began.
    recorder.begin_snapshot(None, 9);
    let first = recorder.snapshot(9);
    assert_eq!(first.at_ns(), 7);
    assert_eq!(first.counters.requests, (series * BUCKETS / BLOCK) as u64);
    assert_eq!(wholes(&first).len(), series);
    let counted: u64 = wholes(&first).iter().map(|(.., count)| count).sum();
    assert_eq!(counted, first.counters.requests);
    let second = recorder.snapshot(10);
    assert_eq!(second.counters.requests, first.counters.requests + 3);
    let [met, twice] = met.map(|(route, status)| (Whose::route(route), class_of(status) as u8));
    assert_eq!(wholes(&second), [(met.0, met.1, 1), (twice.0, twice.1, 2)]);
    assert_eq!(parts(&second)[0], (Of::Lag, 1));
}

#[test]
fn snapshots_are_sent_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Snapshot>();
}
