//! The time of a core for its handlers: the clock and the wheel of its ring.

use crate::app::Timer;
use crate::ring::{Deadline, Ring};
use std::future::Future;
use std::pin::Pin;

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
