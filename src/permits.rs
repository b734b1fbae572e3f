//! How many of something a core has at the same time, and the leave to have one more.

use std::cell::Cell;
use std::rc::Rc;

/// Counts what has leave to be there; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    most: usize,
    taken: Rc<Cell<usize>>,
}

/// Leave for one, or for some at once, which are counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    taken: Rc<Cell<usize>>,
    count: usize,
}

impl Permits {
    /// For `most` at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Rc::default(),
        }
    }

    /// Leave for one more, unless there are as many as there may be.
    pub(crate) fn take(&self) -> Option<Permit> {
        self.take_some(1)
    }

    /// Leave for `count` more, unless that would be more than there may be.
    pub(crate) fn take_some(&self, count: usize) -> Option<Permit> {
        let taken = self.taken.get().checked_add(count)?;
        (taken <= self.most).then(|| {
            self.taken.set(taken);
            Permit {
                taken: Rc::clone(&self.taken),
                count,
            }
        })
    }

    /// Whether there is any that has leave.
    #[cfg(feature = "compression")]
    pub(crate) fn are_taken(&self) -> bool {
        self.taken.get() > 0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.taken.set(self.taken.get() - self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_there_may_be() {
        assert!(Permits::new(0).take().is_none());
        let permits = Permits::new(3);
        let mut taken: Vec<_> = (0..3).map(|_| permits.clone().take()).collect();
        assert!(taken.iter().all(Option::is_some));
        assert!(permits.take().is_none());
        taken.pop();
        assert!(permits.take().is_some());
        let _last = permits.take();
        assert!(permits.take().is_none());
    }

    #[test]
    fn some_have_leave_together_or_none_of_them() {
        let permits = Permits::new(10);
        let six = permits.take_some(6).unwrap();
        assert!(permits.take_some(5).is_none());
        assert!(permits.take_some(usize::MAX).is_none());
        let four = permits.take_some(4).unwrap();
        assert!(permits.take().is_none());
        drop(six);
        assert!(permits.take_some(6).is_some());
        drop(four);
        assert!(permits.take_some(10).is_some());
    }
}
