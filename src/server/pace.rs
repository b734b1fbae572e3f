//! How the supervisor works beside shards, whose CPUs it shares: in slices, with a pause after each, so that a
//! shard that woke up meanwhile waits for no more than one.
//!
//! Its nice value is left alone: with a lower weight it would wait for busy shards all the longer, and with it who asks
//! for fresh statistics, for a slice that is short anyway.

use crate::limits::SUPERVISOR_SLICE;
use crate::ring::monotonic_ns;
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

    /// The thread has waited for something.
    pub(super) fn waited(&mut self) {
        self.since_ns = monotonic_ns();
    }

    /// Pauses if a slice is over. What is done between two calls is to take a fraction of one.
    pub(super) fn rest(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns - self.since_ns >= SUPERVISOR_SLICE.as_nanos() as u64 {
            thread::sleep(PAUSE);
            self.since_ns = monotonic_ns();
        }
    }
}
