//! Work that is done one at a time on a core, in the order in which it was asked for, by a task of its own
//! that whoever asks first has begun.

use crate::flag::Flag;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// What is to be done: each an `A`, of which comes a `T`. There is no more of it than there are who wait.
#[derive(Debug)]
pub(super) struct Queue<A, T> {
    next_ticket: Cell<u64>,
    /// By their tickets, which are in the order in which they were asked for.
    waiting: RefCell<BTreeMap<u64, Job<A, T>>>,
    /// Whether there is a task that does it.
    is_served: Cell<bool>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Job<A, T> {
    pub(super) what: A,
    outcome: Rc<Outcome<T>>,
}

/// What came of one, for whoever asked.
struct Outcome<T> {
    value: Cell<Option<T>>,
    is_there: Flag,
}

/// A place in the queue, which is left however the wait ends.
struct Place<'a, A, T> {
    queue: &'a Queue<A, T>,
    ticket: u64,
}

impl<A, T> Queue<A, T> {
    /// Has `what` done behind all else, and waits for what comes of it. Where no task does such work, `begin` is
    /// to begin one, which takes all there is from [`Queue::next`].
    pub(super) async fn ask(&self, what: A, begin: impl FnOnce()) -> T {
        let outcome = Rc::new(Outcome::default());
        let place = self.enter(Job {
            what,
            outcome: Rc::clone(&outcome),
        });
        if !self.is_served.replace(true) {
            begin();
        }
        outcome.is_there.wait().await;
        drop(place);
        let value = outcome.value.take();
        value.unwrap_or_else(|| {
            unreachable!("it is there when that is raised, and one waits for it")
        })
    }

    /// The first that is to be done. If there is none, nobody looks for more until one is asked for.
    pub(super) fn next(&self) -> Option<Job<A, T>> {
        let first = self.waiting.borrow_mut().pop_first();
        self.is_served.set(first.is_some());
        first.map(|(_, job)| job)
    }

    /// A place behind all others.
    fn enter(&self, job: Job<A, T>) -> Place<'_, A, T> {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        self.waiting.borrow_mut().insert(ticket, job);
        Place {
            queue: self,
            ticket,
        }
    }
}

impl<A, T> Job<A, T> {
    /// Whether whoever asked still waits.
    pub(super) fn is_wanted(&self) -> bool {
        Rc::strong_count(&self.outcome) > 1
    }

    /// This came of it.
    pub(super) fn done(self, value: T) {
        self.outcome.value.set(Some(value));
        self.outcome.is_there.raise();
    }
}

impl<A, T> Drop for Place<'_, A, T> {
    fn drop(&mut self) {
        let left = self.queue.waiting.borrow_mut().remove(&self.ticket);
        // Not while the queue is borrowed.
        drop(left);
    }
}

impl<A, T> Default for Queue<A, T> {
    fn default() -> Self {
        Self {
            next_ticket: Cell::default(),
            waiting: RefCell::default(),
            is_served: Cell::default(),
        }
    }
}

impl<T> Default for Outcome<T> {
    fn default() -> Self {
        Self {
            value: Cell::default(),
            is_there: Flag::default(),
        }
    }
}

impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    /// Where one is to be begun, and one is not.
    fn begun(count: &Cell<u32>) -> impl FnOnce() {
        || count.set(count.get() + 1)
    }

    #[test]
    fn it_is_done_in_order_and_passes_over_who_left() {
        let (queue, count) = (Queue::<char, char>::default(), Cell::new(0));
        let mut asked = "abcd"
            .chars()
            .map(|what| Box::pin(queue.ask(what, begun(&count))));
        let [mut a, mut b, mut c, mut d] = std::array::from_fn(|_| asked.next().expect("a wait"));
        block_on(async {
            for wait in [&mut a, &mut b, &mut c, &mut d] {
                assert_eq!(poll_once(wait).await, None);
            }
            assert_eq!(count.get(), 1);
            drop(b);
            let first = queue.next().expect("a job");
            assert!(first.what == 'a' && first.is_wanted());
            first.done('A');
            let third = queue.next().expect("a job");
            assert_eq!(third.what, 'c');
            assert_eq!(poll_once(&mut a).await, Some('A'));
            // One that is being done is not in the way when whoever asked leaves.
            drop(c);
            assert!(!third.is_wanted());
            third.done('C');
            queue.next().expect("a job").done('D');
            assert_eq!(poll_once(&mut d).await, Some('D'));
        });
        assert!(queue.waiting.borrow().is_empty());
    }

    #[test]
    fn a_task_is_begun_where_none_does_the_work() {
        let (queue, count) = (Queue::<(), ()>::default(), Cell::new(0));
        block_on(async {
            for round in 1..=3 {
                let mut asked = pin!(queue.ask((), begun(&count)));
                assert_eq!(poll_once(&mut asked).await, None);
                assert_eq!(count.get(), round);
                // Whoever comes while one is done does not begin another.
                let job = queue.next().expect("a job");
                let mut other = pin!(queue.ask((), begun(&count)));
                assert_eq!(poll_once(&mut other).await, None);
                job.done(());
                assert_eq!(poll_once(&mut asked).await, Some(()));
                queue.next().expect("a job").done(());
                assert_eq!(poll_once(&mut other).await, Some(()));
                assert_eq!(count.get(), round);
                assert!(queue.next().is_none());
            }
        });
    }
}
