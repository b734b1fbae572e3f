//! Between a future that drives something for several others and those others, on one core: it runs
//! when one of them did something, and they are woken when something has come of it.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// Whom to wake. Those who wait may be part of the same task as the driver, which then polls them
/// itself: it goes on as long as any were woken.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// Few, and woken for whatever happens.
    waiting: RefCell<Vec<Waker>>,
    has_woken: Cell<bool>,
    driver: RefCell<Waker>,
    is_driving: Cell<bool>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            waiting: RefCell::default(),
            has_woken: Cell::new(false),
            driver: RefCell::new(Waker::noop().clone()),
            is_driving: Cell::new(false),
        }
    }
}

impl Waiters {
    /// The driver begins to run.
    pub(crate) fn enter(&self, cx: &mut Context<'_>) {
        self.is_driving.set(true);
        self.driver.borrow_mut().clone_from(cx.waker());
    }

    /// The driver is about to wait: whoever does something has to wake it again.
    pub(crate) fn leave(&self) {
        self.is_driving.set(false);
    }

    /// Whether any were to be woken since this was last asked.
    pub(crate) fn take_woken(&self) -> bool {
        self.has_woken.take()
    }

    /// Something has happened: wakes those who wait.
    pub(crate) fn wake(&self) {
        self.has_woken.set(true);
        for waker in self.waiting.take() {
            if !self.is_driving.get() || !waker.will_wake(&self.driver.borrow()) {
                waker.wake();
            }
        }
    }

    /// One of the others did something: has the driver see to it, unless it is about to.
    pub(crate) fn wake_driver(&self) {
        if !self.is_driving.get() {
            self.driver.borrow().wake_by_ref();
        }
    }

    /// Waits for something to happen.
    pub(crate) fn wait<T>(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Nothing more will happen.
impl Drop for Waiters {
    fn drop(&mut self) {
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}
