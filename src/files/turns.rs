//! Turns: of those that want one, each has it in the order in which it came.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// Who has the turn, and who waits for it behind.
#[derive(Debug, Default)]
pub(super) struct Turns {
    came: Cell<u64>,
    /// The first has it.
    queue: RefCell<VecDeque<(u64, Option<Waker>)>>,
}

/// A place among those that want a turn. Dropped, it is the next one's.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// Waits until all who came before have had theirs.
    pub(super) async fn take(&self) -> Turn<'_> {
        let number = self.came.get();
        self.came.set(number + 1);
        self.queue.borrow_mut().push_back((number, None));
        let turn = Turn {
            turns: self,
            number,
        };
        poll_fn(|cx| {
            let mut queue = self.queue.borrow_mut();
            match queue.front() {
                Some((first, _)) if *first == number => return Poll::Ready(()),
                _ => {}
            }
            let mut others = queue.iter_mut();
            if let Some((_, waker)) = others.find(|(other, _)| *other == number) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        turn
    }
}

#[cfg(test)]
impl Turns {
    /// How many were taken so far, or are waited for.
    pub(super) fn taken(&self) -> u64 {
        self.came.get()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue.borrow_mut();
        queue.retain(|(number, _)| *number != self.number);
        let next = queue.front_mut().and_then(|(_, waker)| waker.take());
        drop(queue);
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once, yield_now, zip};

    #[test]
    fn each_has_its_turn_in_the_order_of_coming() {
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
        assert!(turns.queue.borrow().is_empty());
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
        assert!(turns.queue.borrow().is_empty());
    }
}
