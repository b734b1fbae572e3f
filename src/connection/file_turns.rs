//! Whose turn it is to send of a file: one transfer after the other, however many a core has.
//!
//! Nobody knows before how long it takes to hand a piece to a socket, so turns are bounded by time. Were each
//! transfer to have one whenever its task runs, a pass of the executor with 64 of them in it would last for 6 ms,
//! and for as long nobody would look what else has come. So all of them together have [`FILE_TURN`] between two
//! turns of the ring, and the piece in hand; who comes too late for it is the first after the next. Where others make
//! passes long, they have a quarter of the last one instead, up to [`FILE_TURN_MOST`]: beside 32 streams they would
//! have an eighth of what those have.
//!
//! The first few that wait run in each pass and look whether they are the first: were each to be woken by the one
//! before, it would stand behind the ring's next turn, however little of the time was used.

use super::transport::Clocked;
use crate::limits::{FILE_TURN, FILE_TURN_MOST};
use crate::turns::{Turn, Turns};
use futures_lite::future::yield_now;
use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

/// How many transfers that are next run in each pass: as many as may have a turn in one, if sockets take as
/// little as a few KiB.
const READY: usize = 8;

/// The turns of a core's transfers, in the order in which they came for them.
#[derive(Debug, Default)]
pub(super) struct FileTurns {
    order: Turns,
    /// When the ring had its last turn before the first transfer after it.
    looked_ns: Cell<u64>,
    /// When that began to send.
    began_ns: Cell<u64>,
    /// For how long all may send from then on.
    allowed_ns: Cell<u64>,
}

/// A turn. It is to be dropped before its transfer waits for anything, for nobody else has one meanwhile.
#[derive(Debug)]
pub(super) struct FileTurn<'a> {
    turns: &'a FileTurns,
    place: Option<Turn<'a>>,
}

impl FileTurns {
    /// Waits for a turn behind all who wait for one. `ring` is that of all of them.
    pub(super) async fn take(&self, ring: &impl Clocked) -> FileTurn<'_> {
        let place = self.order.enter();
        poll_fn(|cx| {
            match place.before() {
                0 => return Poll::Ready(()),
                before if before < READY => cx.waker().wake_by_ref(),
                _ => place.wait(cx),
            }
            Poll::Pending
        })
        .await;
        let is_later = self.looked_ns.get() != ring.now_ns();
        if is_later || self.are_over(ring) {
            if !is_later {
                // The ring stands in front of whoever comes back.
                yield_now().await;
            }
            let looked_ns = ring.now_ns();
            let pass_ns = looked_ns.saturating_sub(self.looked_ns.replace(looked_ns));
            let [least_ns, most_ns] =
                [FILE_TURN, FILE_TURN_MOST].map(|time| time.as_nanos() as u64);
            self.allowed_ns.set((pass_ns / 4).clamp(least_ns, most_ns));
            self.began_ns.set(ring.clock_ns());
        }
        FileTurn {
            turns: self,
            place: Some(place),
        }
    }

    /// Whether there is no time left until the ring had its turn.
    fn are_over(&self, ring: &impl Clocked) -> bool {
        let taken_ns = ring.clock_ns().saturating_sub(self.began_ns.get());
        taken_ns >= self.allowed_ns.get()
    }
}

impl FileTurn<'_> {
    /// Whether there is time for another piece.
    pub(super) fn may_go_on(&self, ring: &impl Clocked) -> bool {
        !self.turns.are_over(ring)
    }
}

impl Drop for FileTurn<'_> {
    fn drop(&mut self) {
        self.place = None;
        self.turns.order.wake_behind(READY - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::{Ring, RingOptions};
    use futures_lite::future::{block_on, poll_once};
    use std::cell::RefCell;
    use std::pin::pin;
    use std::rc::Rc;

    /// A ring's clock as it is told to be.
    #[derive(Debug, Default)]
    struct Told {
        looked_ns: Cell<u64>,
        clock_ns: Cell<u64>,
    }

    impl Told {
        fn pass(&self, ns: u64) {
            self.clock_ns.set(self.clock_ns.get() + ns);
        }

        fn look(&self) {
            self.looked_ns.set(self.clock_ns.get());
        }
    }

    impl Clocked for Told {
        fn now_ns(&self) -> u64 {
            self.looked_ns.get()
        }

        fn clock_ns(&self) -> u64 {
            self.clock_ns.get()
        }
    }

    const TURN_NS: u64 = FILE_TURN.as_nanos() as u64;

    /// A ring that has just looked.
    fn ring_told() -> Told {
        let ring = Told::default();
        ring.pass(1);
        ring.look();
        ring
    }

    #[test]
    fn all_together_have_one_time_between_two_turns_of_the_ring() {
        let (turns, ring) = (FileTurns::default(), ring_told());
        block_on(async {
            // It is counted from the first, not from the ring's turn.
            ring.pass(TURN_NS);
            let first = turns.take(&ring).await;
            ring.pass(TURN_NS - 1);
            assert!(first.may_go_on(&ring));
            drop(first);
            let second = poll_once(turns.take(&ring)).await.expect("time is left");
            ring.pass(1);
            assert!(!second.may_go_on(&ring));
            drop(second);

            let mut third = pin!(turns.take(&ring));
            let mut fourth = pin!(turns.take(&ring));
            assert!(poll_once(&mut third).await.is_none());
            assert!(poll_once(&mut fourth).await.is_none());
            ring.pass(1);
            ring.look();
            let third = poll_once(third).await.expect("the ring had its turn");
            assert!(third.may_go_on(&ring) && poll_once(&mut fourth).await.is_none());
            drop(third);
            let fourth = poll_once(fourth).await.expect("time is left");
            ring.pass(TURN_NS);
            assert!(!fourth.may_go_on(&ring));
        });
    }

    #[test]
    fn a_turn_of_the_ring_begins_the_time_anew() {
        let (turns, ring) = (FileTurns::default(), ring_told());
        block_on(async {
            for _ in 0..3 {
                let turn = poll_once(turns.take(&ring)).await.expect("a new turn");
                ring.pass(TURN_NS);
                assert!(!turn.may_go_on(&ring));
                ring.look();
            }
        });
    }

    #[test]
    fn a_long_pass_makes_the_time_longer() {
        let (turns, ring) = (FileTurns::default(), ring_told());
        let most_ns = FILE_TURN_MOST.as_nanos() as u64;
        block_on(async {
            drop(turns.take(&ring).await);
            for (pass_ns, allowed_ns) in [
                (4 * TURN_NS + 3, TURN_NS),
                (4 * TURN_NS + 4, TURN_NS + 1),
                (4 * most_ns, most_ns),
                (4 * most_ns + 4, most_ns),
            ] {
                // The ring's last turn was as long ago as the transfer sent.
                ring.pass(pass_ns - (ring.clock_ns() - ring.now_ns()));
                ring.look();
                let turn = turns.take(&ring).await;
                ring.pass(allowed_ns - 1);
                assert!(turn.may_go_on(&ring), "{pass_ns}");
                ring.pass(1);
                assert!(!turn.may_go_on(&ring), "{pass_ns}");
            }
        });
    }

    #[test]
    fn a_ring_that_has_no_turn_is_not_waited_for_twice() {
        let (turns, ring) = (FileTurns::default(), ring_told());
        block_on(async {
            drop(turns.take(&ring).await);
            ring.pass(TURN_NS);
            let mut late = pin!(turns.take(&ring));
            assert!(poll_once(&mut late).await.is_none());
            assert!(
                poll_once(late)
                    .await
                    .expect("once is enough")
                    .may_go_on(&ring)
            );
        });
    }

    #[test]
    fn whoever_leaves_keeps_nobody_waiting() {
        let (turns, ring) = (FileTurns::default(), ring_told());
        block_on(async {
            drop(turns.take(&ring).await);
            ring.pass(TURN_NS);
            let mut late = Box::pin(turns.take(&ring));
            let mut next = pin!(turns.take(&ring));
            assert!(poll_once(&mut late).await.is_none());
            assert!(poll_once(&mut next).await.is_none());
            drop(late);
            ring.look();
            assert!(poll_once(next).await.is_some());
        });
    }

    /// The time that is told as that of the ring's turn is that of a real ring; the clock stands.
    struct Real<'a>(&'a Ring, &'a Told);

    impl Clocked for Real<'_> {
        fn now_ns(&self) -> u64 {
            self.0.now_ns()
        }

        fn clock_ns(&self) -> u64 {
            self.1.clock_ns()
        }
    }

    #[test]
    fn those_who_use_little_of_the_time_share_it() {
        let outcome = crate::ring::run(None, RingOptions::default(), |ring| async move {
            let (turns, told) = (Rc::new(FileTurns::default()), Rc::new(ring_told()));
            let seen = Rc::new(RefCell::new(Vec::new()));
            let tasks = (0..16).map(|_| {
                let (ring, turns, told) = (ring.clone(), Rc::clone(&turns), Rc::clone(&told));
                let seen = Rc::clone(&seen);
                glommio::spawn_local(async move {
                    let real = Real(&ring, &told);
                    let turn = turns.take(&real).await;
                    let mut seen = seen.borrow_mut();
                    if seen.is_empty() {
                        // All others come too late for a turn before the ring's next.
                        told.pass(FILE_TURN_MOST.as_nanos() as u64);
                    }
                    seen.push(ring.now_ns());
                    drop(turn);
                })
                .detach()
            });
            for task in tasks.collect::<Vec<_>>() {
                task.await;
            }
            seen.take()
        });
        let mut seen = outcome.expect("the ring runs");
        seen.dedup();
        // The first; those that had waited near; those that came near when they left.
        assert!((2..=4).contains(&seen.len()), "{seen:?}");
    }
}
