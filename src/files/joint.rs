//! Work that several requests of a core wait for, and that is done once for all of them.
//!
//! No task of its own does it: whoever waits polls it, the first as long as it stays, and another when
//! the first has left. So it goes on as long as anybody waits for it, and is dropped with the last. Where what
//! comes of it is worth as much without them, a task does it: see `compressed.rs`.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Work under way, by what tells it apart. There is no more of it than there are requests.
#[derive(Debug)]
pub(super) struct Joint<K, V>(RefCell<HashMap<K, Rc<Work<V>>>>);

struct Work<V> {
    /// What is done, until it is.
    doing: RefCell<Option<Pin<Box<dyn Future<Output = V>>>>>,
    result: OnceCell<V>,
    /// Who polls it, of those who wait.
    driver: Cell<Option<usize>>,
    /// The others, and whoever has not polled yet.
    waiting: RefCell<Vec<(usize, Waker)>>,
    /// How many ever came, and how many have left.
    came: Cell<usize>,
    left: Cell<usize>,
}

/// One who waits for the work of `key`.
struct Waiting<'a, K: Eq + Hash, V> {
    joint: &'a Joint<K, V>,
    key: K,
    work: Rc<Work<V>>,
    number: usize,
}

impl<K, V> Default for Joint<K, V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Joint<K, V> {
    /// What comes of the work of `key`: of that which is under way, or else of that which `begin` begins.
    pub(super) async fn join<F>(&self, key: K, begin: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V> + 'static,
    {
        let waiting = self.enter(key, begin);
        poll_fn(|cx| waiting.work.poll(waiting.number, cx)).await
    }

    fn enter<F>(&self, key: K, begin: impl FnOnce() -> F) -> Waiting<'_, K, V>
    where
        F: Future<Output = V> + 'static,
    {
        let mut all = self.0.borrow_mut();
        let work = all.entry(key.clone()).or_insert_with(|| {
            Rc::new(Work {
                doing: RefCell::new(Some(Box::pin(begin()))),
                result: OnceCell::new(),
                driver: Cell::new(None),
                waiting: RefCell::default(),
                came: Cell::new(0),
                left: Cell::new(0),
            })
        });
        let work = Rc::clone(work);
        let number = work.came.get();
        work.came.set(number + 1);
        Waiting {
            joint: self,
            key,
            work,
            number,
        }
    }
}

#[cfg(test)]
impl<K, V> Joint<K, V> {
    /// How much work is waited for.
    pub(super) fn under_way(&self) -> usize {
        self.0.borrow().len()
    }
}

impl<V: Clone> Work<V> {
    fn poll(&self, number: usize, cx: &mut Context<'_>) -> Poll<V> {
        if let Some(result) = self.result.get() {
            return Poll::Ready(result.clone());
        }
        if self.driver.get().is_some_and(|driver| driver != number) {
            self.wait(number, cx.waker());
            return Poll::Pending;
        }
        self.driver.set(Some(number));
        let mut doing = self.doing.borrow_mut();
        let Some(work) = doing.as_mut() else {
            return Poll::Pending;
        };
        let Poll::Ready(result) = work.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        *doing = None;
        drop(doing);
        let result = self.result.get_or_init(|| result).clone();
        let waiting = self.waiting.take();
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
        Poll::Ready(result)
    }

    fn wait(&self, number: usize, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        match waiting.iter_mut().find(|(other, _)| *other == number) {
            Some((_, before)) => before.clone_from(waker),
            None => waiting.push((number, waker.clone())),
        }
    }
}

impl<V> std::fmt::Debug for Work<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, V> Drop for Waiting<'_, K, V> {
    fn drop(&mut self) {
        let work = &self.work;
        work.left.set(work.left.get() + 1);
        work.waiting
            .borrow_mut()
            .retain(|(other, _)| *other != self.number);
        if work.result.get().is_some() || work.left == work.came {
            let mut all = self.joint.0.borrow_mut();
            let is_this = all
                .get(&self.key)
                .is_some_and(|other| Rc::ptr_eq(other, work));
            let removed = is_this.then(|| all.remove(&self.key));
            drop(all);
            // Not while the table is borrowed: what is dropped may be anything.
            drop(removed);
        } else if work.driver.get().is_none_or(|driver| driver == self.number) {
            // Nobody polls it any more, or whoever was woken to do so has left as well.
            work.driver.set(None);
            let next = work
                .waiting
                .borrow()
                .first()
                .map(|(_, waker)| waker.clone());
            next.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once, yield_now, zip};
    use std::pin::pin;

    /// Work in so many turns, and how often it was begun.
    struct Turns {
        joint: Joint<u8, Result<u8, &'static str>>,
        begun: Cell<usize>,
    }

    impl Turns {
        fn new() -> Self {
            Self {
                joint: Joint::default(),
                begun: Cell::new(0),
            }
        }

        async fn join(&self, key: u8, turns: usize) -> Result<u8, &'static str> {
            let begin = || {
                self.begun.set(self.begun.get() + 1);
                async move {
                    for _ in 0..turns {
                        yield_now().await;
                    }
                    if key == 0 { Err("broken") } else { Ok(key) }
                }
            };
            self.joint.join(key, begin).await
        }

        fn under_way(&self) -> usize {
            self.joint.under_way()
        }
    }

    #[test]
    fn work_is_done_once_for_all_who_wait() {
        let turns = Turns::new();
        let both = zip(turns.join(1, 3), turns.join(1, 3));
        let all = block_on(zip(both, zip(turns.join(2, 1), turns.join(1, 3))));
        assert_eq!(all, ((Ok(1), Ok(1)), (Ok(2), Ok(1))));
        assert_eq!((turns.begun.get(), turns.under_way()), (2, 0));
        // Who comes later has it done again.
        assert_eq!(block_on(turns.join(1, 0)), Ok(1));
        assert_eq!((turns.begun.get(), turns.under_way()), (3, 0));
    }

    #[test]
    fn an_error_is_everybodys() {
        let turns = Turns::new();
        let both = block_on(zip(turns.join(0, 2), turns.join(0, 2)));
        assert_eq!(both, (Err("broken"), Err("broken")));
        assert_eq!((turns.begun.get(), turns.under_way()), (1, 0));
    }

    #[test]
    fn another_goes_on_where_one_leaves() {
        let turns = Turns::new();
        block_on(async {
            let mut first = Box::pin(turns.join(1, 3));
            let mut second = Box::pin(turns.join(1, 3));
            let third = Box::pin(turns.join(1, 3));
            for waiting in [&mut first, &mut second] {
                assert!(poll_once(waiting).await.is_none());
            }
            // The second waits, and has to be woken; the third has not even begun to wait.
            let left = async {
                yield_now().await;
                drop(first);
            };
            assert_eq!(zip(zip(second, third), left).await.0, (Ok(1), Ok(1)));
        });
        assert_eq!((turns.begun.get(), turns.under_way()), (1, 0));
    }

    #[test]
    fn another_goes_on_where_whoever_was_to_leaves_as_well() {
        let turns = Turns::new();
        block_on(async {
            let [mut first, mut second, mut third] = [(); 3].map(|()| Box::pin(turns.join(1, 3)));
            for waiting in [&mut first, &mut second] {
                assert!(poll_once(waiting).await.is_none());
            }
            let left = async {
                drop(first);
                drop(second);
            };
            let last = async {
                assert!(poll_once(&mut third).await.is_none());
                yield_now().await;
                third.await
            };
            assert_eq!(zip(last, left).await.0, Ok(1));
        });
        assert_eq!((turns.begun.get(), turns.under_way()), (1, 0));
    }

    #[test]
    fn what_nobody_waits_for_is_dropped() {
        let turns = Turns::new();
        block_on(async {
            let mut first = Box::pin(turns.join(1, 3));
            {
                let mut second = pin!(turns.join(1, 3));
                assert!(poll_once(&mut first).await.is_none());
                assert!(poll_once(&mut second).await.is_none());
            }
            assert_eq!(turns.under_way(), 1);
            drop(first);
            assert_eq!(turns.under_way(), 0);
        });
    }
}
