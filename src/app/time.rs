//! The time that handlers and middleware run by: a core's, or a test's. It reads no clock itself.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// The time of whatever serves the app, from [`Request::time`](super::Request::time): on a core it
/// passes by itself, in a test ([`crate::testing`]) when it is told to.
///
/// On a core a wait ends up to 100 ms late, or up to 1 s late when it is longer than 5 s, and never
/// early: it costs little, and is meant for timeouts.
///
/// ```
/// use corelane::{App, Request};
/// use std::time::Duration;
///
/// let app = App::new().get("/slow", |req: Request| async move {
///     req.time().sleep(Duration::from_secs(1)).await;
///     "at last"
/// });
/// ```
#[derive(Clone)]
pub struct Time(Option<Rc<dyn Timer>>);

/// Where time comes from.
pub(crate) trait Timer {
    /// The time since some start, in nanoseconds.
    fn now_ns(&self) -> u64;

    /// Ready at `at_ns`.
    fn passed(&self, at_ns: u64) -> Pause;
}

/// A wait for a time.
pub(crate) type Pause = Pin<Box<dyn Future<Output = ()>>>;

/// The time for something passed before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it took too long")]
pub struct Elapsed;

impl Time {
    pub(crate) fn new(timer: impl Timer + 'static) -> Time {
        Time(Some(Rc::new(timer)))
    }

    /// A time that does not pass.
    pub(super) fn still() -> Time {
        Time(None)
    }

    /// The time since some start: only differences mean something.
    pub fn now(&self) -> Duration {
        self.0
            .as_ref()
            .map_or(Duration::ZERO, |timer| Duration::from_nanos(timer.now_ns()))
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        self.pause(duration).await;
    }

    /// A wait for `duration` from now on, to be kept.
    pub(crate) fn pause(&self, duration: Duration) -> Pause {
        let Some(timer) = &self.0 else {
            return Box::pin(std::future::pending());
        };
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        timer.passed(timer.now_ns().saturating_add(ns))
    }

    /// Runs `work` for no longer than `duration`: it is then dropped, unfinished.
    ///
    /// # Errors
    /// [`Elapsed`] when it was not done in time.
    pub async fn limit<T>(
        &self,
        duration: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let (mut work, mut late) = (pin!(work), pin!(self.sleep(duration)));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => late.as_mut().poll(cx).map(|()| Err(Elapsed)),
        })
        .await
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.now()).finish()
    }
}
