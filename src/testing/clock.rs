//! The time of conversations: it stands still until it is told to pass.

use crate::app::Timer;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// A time that is shared by whatever has a clone of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Rc<State>);

#[derive(Debug, Default)]
struct State {
    now_ns: Cell<u64>,
    /// How many wait for each point in time.
    waits: RefCell<BTreeMap<u64, usize>>,
    wakers: RefCell<Vec<Waker>>,
}

impl Clock {
    pub(super) fn now_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    pub(super) fn pass(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.set(self.now_ns().saturating_add(ns));
    }

    /// Lets time pass until the next wait is over; whether there is any.
    pub(super) fn pass_next(&self) -> bool {
        let next = self.0.waits.borrow().keys().next().copied();
        if let Some(at_ns) = next {
            self.set(self.now_ns().max(at_ns));
        }
        next.is_some()
    }

    fn set(&self, now_ns: u64) {
        self.0.now_ns.set(now_ns);
        self.0.wakers.take().into_iter().for_each(Waker::wake);
    }
}

impl Timer for Clock {
    fn now_ns(&self) -> u64 {
        Clock::now_ns(self)
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let wait = Wait::new(self.clone(), at_ns);
        Box::pin(poll_fn(move |cx| {
            if wait.at_ns <= wait.clock.now_ns() {
                return Poll::Ready(());
            }
            let mut wakers = wait.clock.0.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            Poll::Pending
        }))
    }
}

/// A wait that is counted as long as it lives.
#[derive(Debug)]
struct Wait {
    clock: Clock,
    at_ns: u64,
}

impl Wait {
    fn new(clock: Clock, at_ns: u64) -> Wait {
        *clock.0.waits.borrow_mut().entry(at_ns).or_default() += 1;
        Wait { clock, at_ns }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut waits = self.clock.0.waits.borrow_mut();
        if let Some(count) = waits.get_mut(&self.at_ns) {
            *count -= 1;
            if *count == 0 {
                waits.remove(&self.at_ns);
            }
        }
    }
}
