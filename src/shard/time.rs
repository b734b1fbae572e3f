//! The time of a core for its handlers: the clock and the wheel of its ring. And when all cores tick.

use crate::app::Timer;
use crate::limits::SNAPSHOT_INTERVAL;
use crate::ring::{Deadline, Ring};
use std::future::Future;
use std::pin::Pin;

/// When the tick behind `now_ns` on the monotonic clock is due: at whole intervals of a clock that all cores
/// have in common. So the supervisor, which looks half an interval later, has one snapshot of each core
/// in each of its seconds, and not none in one and two in the next.
pub(crate) const fn next_tick_ns(now_ns: u64) -> u64 {
    let interval_ns = SNAPSHOT_INTERVAL.as_nanos() as u64;
    (now_ns / interval_ns + 1) * interval_ns
}

/// The ring as a source of time.
#[derive(Debug)]
pub(super) struct RingTime(pub(super) Ring);

impl Timer for RingTime {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let deadline = Deadline::new(&self.0);
        deadline.arm_at(at_ns);
        Box::pin(async move { deadline.passed().await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_due_at_the_next_whole_second() {
        const SECOND: u64 = 1_000_000_000;
        for (now_ns, due_ns) in [
            (0, SECOND),
            (SECOND - 1, SECOND),
            (SECOND, 2 * SECOND),
            (SECOND + 1, 2 * SECOND),
        ] {
            assert_eq!(next_tick_ns(now_ns), due_ns, "{now_ns}");
        }
    }
}
