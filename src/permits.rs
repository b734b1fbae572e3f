//! How many of something a core has at the same time, and the leave to have one more.

use std::cell::Cell;
use std::rc::Rc;

/// Counts what has leave to be there; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Permits {
    most: usize,
    taken: Rc<Cell<usize>>,
}

/// Leave for one, which is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Rc<Cell<usize>>);

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
        let taken = self.taken.get();
        (taken < self.most).then(|| {
            self.taken.set(taken + 1);
            Permit(Rc::clone(&self.taken))
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
        self.0.set(self.0.get() - 1);
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
}
