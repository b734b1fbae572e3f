//! Something that happens once on a core, and that tasks of that core wait for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Starts lowered; once raised it stays so.
#[derive(Debug, Default)]
pub(crate) struct Flag {
    raised: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Flag {
    pub(crate) fn raise(&self) {
        self.raised.set(true);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.get()
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|cx| {
            if self.raised.get() {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
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
}
