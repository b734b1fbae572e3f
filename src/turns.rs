//! One at a time on a core, in the order in which they came.

use crate::flag::Flag;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Gives out turns.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    is_taken: Cell<bool>,
    /// Each is raised when its turn has come, and is then no longer here.
    waiting: RefCell<VecDeque<Rc<Flag>>>,
}

/// A turn, which is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a Turns);

/// One who waits, and may leave before.
struct Waiting<'a> {
    turns: &'a Turns,
    flag: Rc<Flag>,
    has_taken: bool,
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(&self) -> Turn<'_> {
        if self.is_taken.replace(true) {
            let flag = Rc::<Flag>::default();
            self.waiting.borrow_mut().push_back(Rc::clone(&flag));
            let mut waiting = Waiting {
                turns: self,
                flag,
                has_taken: false,
            };
            waiting.flag.wait().await;
            waiting.has_taken = true;
        }
        Turn(self)
    }

    fn give_on(&self) {
        let next = self.waiting.borrow_mut().pop_front();
        match next {
            Some(flag) => flag.raise(),
            None => self.is_taken.set(false),
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.give_on();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.has_taken {
            return;
        }
        if self.flag.is_raised() {
            return self.turns.give_on();
        }
        let mut waiting = self.turns.waiting.borrow_mut();
        waiting.retain(|flag| !Rc::ptr_eq(flag, &self.flag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    #[test]
    fn they_come_in_order() {
        let turns = Turns::default();
        block_on(async {
            let first = turns.take().await;
            let (mut second, mut third) = (pin!(turns.take()), pin!(turns.take()));
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            drop(first);
            assert!(poll_once(&mut third).await.is_none());
            // Who comes now is behind those who wait.
            let mut fourth = pin!(turns.take());
            assert!(poll_once(&mut fourth).await.is_none());
            let second = second.await;
            assert!(poll_once(&mut third).await.is_none());
            drop(second);
            drop(third.await);
            drop(fourth.await);
            drop(turns.take().await);
        });
    }

    #[test]
    fn who_leaves_holds_nobody_up() {
        let turns = Turns::default();
        block_on(async {
            let first = turns.take().await;
            let mut second = Box::pin(turns.take());
            let mut third = Box::pin(turns.take());
            let mut fourth = pin!(turns.take());
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            assert!(poll_once(&mut fourth).await.is_none());
            drop(second);
            drop(first);
            // It was given the turn, and leaves without having looked.
            drop(third);
            drop(fourth.await);
            assert!(turns.waiting.borrow().is_empty());
            drop(turns.take().await);
        });
    }
}
