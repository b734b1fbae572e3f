//! A deadline on the ring's wheel.

use super::Ring;
use super::wheel::TimerKey;
use futures_lite::Stream;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// One deadline that can be moved as often as needed; moving it later costs a store.
///
/// It passes up to 100 ms late, or up to 1 s late when it was armed for more than 5 s ahead, and
/// never early.
#[derive(Debug)]
pub struct Deadline {
    ring: Ring,
    key: TimerKey,
}

/// A stream that yields whenever a time has passed: see [`Ring::ticks`].
#[derive(Debug)]
pub struct Ticks {
    deadline: Deadline,
    every: Duration,
}

/// The deadline passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct Elapsed;

impl Deadline {
    /// A deadline that is not armed.
    pub fn new(ring: &Ring) -> Self {
        Self {
            ring: ring.clone(),
            key: ring.0.with(|state| state.wheel.insert()),
        }
    }

    /// Arms it for `duration` after the ring's [`now`](Ring::now_ns), or moves it there.
    pub fn arm(&self, duration: Duration) {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.arm_at(self.ring.now_ns().saturating_add(duration_ns));
    }

    /// Arms it for a point on the ring's clock, in nanoseconds, or moves it there.
    pub fn arm_at(&self, at_ns: u64) {
        let now_ns = self.ring.now_ns();
        self.ring
            .0
            .with(|state| state.wheel.arm(self.key, at_ns, now_ns));
        self.ring.0.kick_if_parked();
    }

    /// Disarms it.
    pub fn disarm(&self) {
        self.ring.0.with(|state| state.wheel.disarm(self.key));
    }

    /// Whether it has passed since it was armed.
    pub fn has_passed(&self) -> bool {
        self.ring.0.with(|state| state.wheel.has_fired(self.key))
    }

    /// Ready once it has passed; pending for ever while it is not armed.
    pub fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let (outcome, _displaced) = self.ring.0.with(|state| {
            if state.wheel.has_fired(self.key) {
                (Poll::Ready(()), None)
            } else {
                (
                    Poll::Pending,
                    super::displace(state.wheel.waiter(self.key), cx),
                )
            }
        });
        outcome
    }

    /// Runs `work`, unless the deadline passes first: `work` is then dropped.
    ///
    /// # Errors
    /// [`Elapsed`] when the deadline passed.
    pub async fn limit<T>(&self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        let outcome = limit(work, |cx| self.poll_passed(cx)).await;
        outcome.ok_or(Elapsed)
    }

    /// Waits until it has passed.
    pub async fn passed(&self) {
        poll_fn(|cx| self.poll_passed(cx)).await;
    }
}

/// Runs `work` until it is done, or `passed` is ready: `None` then.
pub(crate) async fn limit<T>(
    work: impl Future<Output = T>,
    mut passed: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => passed(cx).map(|()| None),
    })
    .await
}

impl Ring {
    /// A stream that yields each time that `every` has passed, counted from its last yield, without
    /// end: the pace of a heartbeat, say. It is as late as a [`Deadline`] may be.
    pub fn ticks(&self, every: Duration) -> Ticks {
        let deadline = Deadline::new(self);
        deadline.arm(every);
        Ticks { deadline, every }
    }
}

impl Stream for Ticks {
    type Item = ();

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        ready!(self.deadline.poll_passed(cx));
        self.deadline.arm(self.every);
        Poll::Ready(Some(()))
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let _displaced = self.ring.0.with(|state| state.wheel.remove(self.key));
    }
}
