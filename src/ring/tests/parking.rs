//! Going to sleep: what must be seen before it, and how seldom an idle ring wakes.

use super::super::enter::Wait;
use super::alone::alone;
use super::*;

const MS: u64 = 1_000_000;

/// A deadline on the wheel of a ring without a driver.
fn deadline_in(shared: &Shared, ns: u64) -> wheel::TimerKey {
    let now = monotonic_ns();
    shared.with(|state| {
        let key = state.wheel.insert();
        state.wheel.arm(key, now + ns, now);
        key
    })
}

#[test]
fn no_park_after_the_alarm_rang_for_a_deadline_that_was_moved() {
    let shared = Shared::new(256).unwrap();
    // Later than what comes before it takes, whatever else runs on this machine.
    let key = deadline_in(&shared, 1_000 * MS);
    shared.arm_bell();
    assert!(!shared.turn(Wait::Look).unwrap().woke);
    assert!(shared.may_park());
    // Moved later, as the idle deadline of a connection is: the alarm stays where it was.
    shared.with(|state| {
        let now = monotonic_ns();
        state.wheel.arm(key, now + 60_000 * MS, now);
    });
    shared.disarm_bell();
    shared.arm_bell();
    // The turn before the park is the one that sees it ring.
    let turn = shared.turn(Wait::AtMost(Duration::from_secs(10))).unwrap();
    assert!(!turn.woke && !turn.traffic);
    assert!(!shared.may_park(), "nothing would end this park");
    shared.disarm_bell();
    shared.arm_bell();
    shared.turn(Wait::Look).unwrap();
    assert!(shared.may_park());
}

#[test]
fn no_park_with_entries_that_were_not_submitted() {
    let shared = Shared::new(256).unwrap();
    shared.arm_bell();
    shared.turn(Wait::Look).unwrap();
    assert!(shared.may_park());
    shared.with(|state| state.cancel(key::Target::Nobody));
    assert!(!shared.may_park());
    shared.turn(Wait::Look).unwrap();
    assert!(shared.may_park());
}

#[test]
fn a_queue_longer_than_the_submission_ring_is_submitted_whole() {
    with_ring(RingOptions::default(), |ring| async move {
        let mut pairs: Vec<_> = (0..150).map(|_| pair(&ring)).collect();
        for round in 0..20 {
            for (stream, _) in &mut pairs {
                let polled = futures_lite::future::poll_once(stream.receive()).await;
                assert!(polled.is_none());
            }
            // Cancellations of nothing: each is a completion that wakes nobody.
            ring.0.with(|state| {
                for _ in 0..10_000 {
                    state.cancel(key::Target::Nobody);
                }
            });
            for (stream, peer) in &mut pairs {
                peer.write_all(&[round]).unwrap();
                assert_eq!(receive_exact(stream, 1).await, [round]);
            }
        }
        drop(pairs);
        settled(&ring, [0; 5]).await;
    });
}

/// Times that the calling thread went to sleep.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap()
}

#[test]
fn an_idle_ring_hardly_wakes() {
    alone("parking::an_idle_ring_hardly_wakes", || {
        with_ring(RingOptions::default(), |ring| async move {
            let (stream, _peer) = pair(&ring);
            // Something that waits, so that it is a server's idleness.
            assert!(
                futures_lite::future::poll_once(stream.receive())
                    .await
                    .is_none()
            );
            let deadline = Deadline::new(&ring);
            deadline.arm(Duration::from_millis(200));
            deadline.passed().await;
            // What else runs on this machine may add waits in the kernel, for membarrier(2) say. What wakes
            // the ring by itself is in every interval, so the quietest tells.
            let (mut counts, seconds) = (Vec::new(), 3);
            while counts.len() < 5 && counts.iter().all(|count| *count >= 5 * seconds) {
                let before = sleeps();
                deadline.arm(Duration::from_secs(seconds));
                deadline.passed().await;
                counts.push(sleeps() - before);
            }
            let quietest = counts.iter().min().unwrap();
            assert!(*quietest < 5 * seconds, "{counts:?}, each in {seconds} s");
        });
    });
}
