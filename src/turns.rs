//! Tasks of one core that wait for the same thing, in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// Who waits.
///
/// What they wait for is theirs to know: that the first is done with something, as in [`Turns::take`], or
/// that there is room for the first.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    tickets: Cell<u64>,
    /// In the order of their tickets.
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
}

/// A place among those who wait. Dropped, it makes way for the next.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Turns {
    pub(crate) fn are_over(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// A place behind all others.
    pub(crate) fn enter(&self) -> Turn<'_> {
        let ticket = self.tickets.get();
        self.tickets.set(ticket + 1);
        self.waiting.borrow_mut().push_back((ticket, None));
        Turn {
            turns: self,
            ticket,
        }
    }

    /// Waits until all who came before are done: the place is the first, and is so until it is dropped.
    #[cfg(any(test, feature = "compression"))]
    pub(crate) async fn take(&self) -> Turn<'_> {
        let turn = self.enter();
        std::future::poll_fn(|cx| {
            if turn.has_come() {
                return std::task::Poll::Ready(());
            }
            turn.wait(cx);
            std::task::Poll::Pending
        })
        .await;
        turn
    }

    /// Has the first look again.
    pub(crate) fn wake_first(&self) {
        self.wake_behind(0);
    }

    /// Has the one look again behind so many others.
    pub(crate) fn wake_behind(&self, others: usize) {
        let waker = (self.waiting.borrow_mut().get_mut(others)).and_then(|(_, waker)| waker.take());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Turn<'_> {
    pub(crate) fn has_come(&self) -> bool {
        self.before() == 0
    }

    /// How many came before and are not done.
    pub(crate) fn before(&self) -> usize {
        let waiting = self.turns.waiting.borrow();
        let place = waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        place.unwrap_or_else(|_| unreachable!("it is in there until it is dropped"))
    }

    /// Wakes the task of `cx` when its turn has come, or [`Turns::wake_first`] is for it.
    pub(crate) fn wait(&self, cx: &Context<'_>) {
        let mut waiting = self.turns.waiting.borrow_mut();
        let place = waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        let before = place.map(|place| waiting[place].1.replace(cx.waker().clone()));
        drop(waiting);
        // Not while the table is borrowed: with its last waker a task is dropped, and what it owns.
        drop(before);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.turns.waiting.borrow_mut();
        let place = waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        let left = place.map(|place| waiting.remove(place));
        drop(waiting);
        drop(left);
        self.turns.wake_first();
    }
}

#[cfg(all(test, feature = "compression"))]
impl Turns {
    /// How many came so far.
    pub(crate) fn came(&self) -> u64 {
        self.tickets.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once, yield_now, zip};

    #[test]
    fn turns_come_in_order_and_pass_over_who_left() {
        let turns = Turns::default();
        let (first, second, third) = (turns.enter(), turns.enter(), turns.enter());
        assert!(first.has_come() && !second.has_come() && !third.has_come());
        drop(second);
        assert!(first.has_come() && !third.has_come());
        drop(first);
        assert!(third.has_come() && !turns.are_over());
        drop(third);
        assert!(turns.are_over());
    }

    #[test]
    fn each_is_done_in_the_order_of_coming() {
        let turns = Turns::default();
        let told = RefCell::new(String::new());
        let work = async |name: char| {
            for _ in 0..3 {
                let turn = turns.take().await;
                told.borrow_mut().push(name);
                drop(turn);
                yield_now().await;
            }
        };
        block_on(zip(work('a'), zip(work('b'), work('c'))));
        assert_eq!(told.take(), "abcabcabc");
        assert!(turns.are_over());
    }

    #[test]
    fn whoever_leaves_keeps_nobody_waiting() {
        let turns = Turns::default();
        block_on(async {
            let first = turns.take().await;
            let [mut second, mut third, mut last] = [(); 3].map(|()| Box::pin(turns.take()));
            for waiting in [&mut second, &mut third, &mut last] {
                assert!(poll_once(waiting).await.is_none());
            }
            // One that waits, the one that has it, and the one that was woken for it.
            drop(third);
            drop(first);
            drop(second);
            drop(last.await);
        });
        assert!(turns.are_over());
    }
}
