//! Tasks of one core that wait for the same thing, in the order in which they came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Turns {
    tickets: Cell<u64>,
    /// In the order of their tickets.
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
}

/// A place among those who wait. Dropped, it makes way for the next.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    ticket: u64,
}

impl Turns {
    pub(super) fn are_over(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// A place behind all others.
    pub(super) fn enter(&self) -> Turn<'_> {
        let ticket = self.tickets.get();
        self.tickets.set(ticket + 1);
        self.waiting.borrow_mut().push_back((ticket, None));
        Turn {
            turns: self,
            ticket,
        }
    }

    /// Has the first look again.
    pub(super) fn wake_first(&self) {
        let first = self.waiting.borrow_mut().front_mut().map(|(_, w)| w.take());
        if let Some(waker) = first.flatten() {
            waker.wake();
        }
    }
}

impl Turn<'_> {
    pub(super) fn has_come(&self) -> bool {
        let waiting = self.turns.waiting.borrow();
        waiting
            .front()
            .is_some_and(|(first, _)| *first == self.ticket)
    }

    /// Wakes the task of `cx` when its turn has come, or [`Turns::wake_first`] is for it.
    pub(super) fn wait(&self, cx: &Context<'_>) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
