//! How the supervisor works beside shards, whose CPUs it shares: in slices, with a pause after each, so that a
//! shard that woke up meanwhile waits for no more than one.
//!
//! Its nice value is left alone: with a lower weight it would wait for busy shards all the longer, and with it who asks
//! for fresh statistics, for a slice that is short anyway.

use crate::limits::{SUPERVISOR_PIECE, SUPERVISOR_SLICE};
use crate::ring::monotonic_ns;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a pause is at least; with what the kernel adds to short ones (`PR_SET_TIMERSLACK`, 50 µs) it is twice that.
///
/// It is a sleep, since `sched_yield(2)` lets nobody run whom the kernel takes to have had enough.
const PAUSE: Duration = Duration::from_micros(50);

/// Since when the thread has not paused.
#[derive(Debug)]
pub(super) struct Pace {
    since_ns: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            since_ns: monotonic_ns(),
        }
    }

    /// Takes the next message, for which it waits no longer than `wait`. One that is there already is no pause: taken
    /// one after another, many would make a slice without an end.
    pub(super) fn receive<T>(
        &mut self,
        inbox: &Receiver<T>,
        wait: Duration,
    ) -> Result<T, RecvTimeoutError> {
        inbox.try_recv().or_else(|_| {
            let received = inbox.recv_timeout(wait);
            self.since_ns = monotonic_ns();
            received
        })
    }

    /// Pauses if one more piece of work might be too much for the slice. What is done between two calls is such a piece.
    pub(super) fn rest(&mut self) {
        if self.is_over(monotonic_ns()) {
            self.pause();
        }
    }

    /// Pauses in any case: what comes next may take more of a slice than a piece.
    pub(super) fn pause(&mut self) {
        thread::sleep(PAUSE);
        self.since_ns = monotonic_ns();
    }

    fn is_over(&self, now_ns: u64) -> bool {
        let until = SUPERVISOR_SLICE - SUPERVISOR_PIECE;
        now_ns - self.since_ns >= until.as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_slice_ends_while_there_is_time_for_a_piece() {
        let pace = Pace { since_ns: 7 };
        let end_ns = 7 + (SUPERVISOR_SLICE - SUPERVISOR_PIECE).as_nanos() as u64;
        assert!(!pace.is_over(7));
        assert!(!pace.is_over(end_ns - 1));
        assert!(pace.is_over(end_ns));
    }

    #[test]
    fn the_next_slice_begins_behind_the_pause() {
        let before_ns = monotonic_ns();
        let mut pace = Pace { since_ns: 0 };
        pace.rest();
        assert!(pace.since_ns >= before_ns + PAUSE.as_nanos() as u64);
    }

    #[test]
    fn what_is_there_already_is_no_pause() {
        let (sender, inbox) = channel();
        let mut pace = Pace { since_ns: 0 };
        for message in 0..3 {
            sender.send(message).expect("the inbox is there");
        }
        for message in 0..3 {
            assert_eq!(pace.receive(&inbox, Duration::MAX), Ok(message));
            assert_eq!(pace.since_ns, 0);
        }
        let waited = pace.receive(&inbox, PAUSE);
        assert_eq!(waited, Err(RecvTimeoutError::Timeout));
        assert!(pace.since_ns > 0);
    }
}
