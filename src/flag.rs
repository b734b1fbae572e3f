//! Something that happens once on a core, and that tasks of that core wait for.

use slab::Slab;
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Starts lowered; once raised it stays so.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    raised: Cell<bool>,
    /// Those that wait, and none that has gone.
    waiting: RefCell<Slab<Waker>>,
}

/// Waits for a [`Flag`].
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    flag: &'a Flag,
    key: Option<usize>,
}

impl Flag {
    pub(crate) fn raise(&self) {
        self.raised.set(true);
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.get()
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait {
            flag: self,
            key: None,
        }
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.flag.raised.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.flag.waiting.borrow_mut();
        let Some(key) = self.key else {
            let key = waiting.insert(cx.waker().clone());
            drop(waiting);
            self.key = Some(key);
            return Poll::Pending;
        };
        if !waiting[key].will_wake(cx.waker()) {
            let before = std::mem::replace(&mut waiting[key], cx.waker().clone());
            drop(waiting);
            // Not while the table is borrowed: with its last waker a task is dropped, and what it owns.
            drop(before);
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        // Raised, the flag has forgotten who waited.
        let left = self
            .key
            .and_then(|key| self.flag.waiting.borrow_mut().try_remove(key));
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once, zip};

    #[test]
    fn raised_once_it_stays_raised() {
        let flag = Flag::default();
        assert_eq!(block_on(poll_once(flag.wait())), None);
        block_on(zip(zip(flag.wait(), flag.wait()), async { flag.raise() }));
        assert!(flag.is_raised());
        block_on(flag.wait());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let flag = Flag::default();
        for _ in 0..3 {
            let (mut first, mut second) = (flag.wait(), flag.wait());
            assert_eq!(block_on(poll_once(zip(&mut first, &mut second))), None);
            assert_eq!(flag.waiting.borrow().len(), 2);
            drop(first);
            assert_eq!(block_on(poll_once(&mut second)), None);
            assert_eq!(flag.waiting.borrow().len(), 1);
        }
        assert!(flag.waiting.borrow().is_empty());
    }
}
