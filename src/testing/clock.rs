//! The time of conversations: it stands still until it is told to pass.

use crate::app::Timer;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// A time that is shared by whatever has a clone of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock(Rc<State>);

#[derive(Debug, Default)]
struct State {
    now_ns: Cell<u64>,
    /// How many wait for each point in time.
    waits: RefCell<BTreeMap<u64, usize>>,
}

impl Clock {
    pub(super) fn now_ns(&self) -> u64 {
        self.0.now_ns.get()
    }

    pub(super) fn pass(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.now_ns.set(self.now_ns().saturating_add(ns));
    }

    /// Lets time pass until the next wait is over; whether there is any.
    pub(super) fn pass_next(&self) -> bool {
        let next = self.0.waits.borrow().keys().next().copied();
        if let Some(at_ns) = next {
            self.0.now_ns.set(self.now_ns().max(at_ns));
        }
        next.is_some()
    }
}

impl Timer for Clock {
    fn now_ns(&self) -> u64 {
        Clock::now_ns(self)
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let wait = Wait::new(self.clone(), at_ns);
        // No waker is kept: a conversation polls after all it does.
        Box::pin(poll_fn(move |_| match wait.at_ns <= wait.clock.now_ns() {
            true => Poll::Ready(()),
            false => Poll::Pending,
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
