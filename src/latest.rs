//! A value that is replaced from time to time, and tasks of the same core that follow it. Whoever is
//! slow is told of the newest alone: nothing is kept for anybody.

use crate::flag::Flag;
use std::cell::RefCell;
use std::rc::Rc;

/// The newest of its values.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    value: RefCell<T>,
    /// Raised when another value is published.
    replaced: RefCell<Rc<Flag>>,
}

/// Follows a [`Latest`].
#[derive(Debug, Default)]
pub(crate) struct Follower {
    /// The flag of the value that it was told of last.
    replaced: Option<Rc<Flag>>,
}

impl<T: Clone> Latest<T> {
    pub(crate) fn new(value: T) -> Latest<T> {
        Latest {
            value: RefCell::new(value),
            replaced: RefCell::default(),
        }
    }

    /// Replaces the value, and tells its followers.
    pub(crate) fn publish(&self, value: T) {
        self.value.replace(value);
        self.replaced.take().raise();
    }
}

impl Follower {
    /// Whether it has not been told of any value.
    pub(crate) fn is_new(&self) -> bool {
        self.replaced.is_none()
    }

    /// The value of `latest`: at first as it is, and from then on when one has been published since.
    pub(crate) async fn next<T: Clone>(&mut self, latest: &Latest<T>) -> T {
        if let Some(replaced) = &self.replaced {
            replaced.wait().await;
        }
        self.replaced = Some(Rc::clone(&latest.replaced.borrow()));
        latest.value.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn each_follower_is_told_of_what_is_published() {
        let latest = Latest::new(1);
        let mut followers = [Follower::default(), Follower::default()];
        for follower in &mut followers {
            assert_eq!(block_on(follower.next(&latest)), 1);
        }
        for value in [2, 2, 3] {
            latest.publish(value);
            for follower in &mut followers {
                assert_eq!(block_on(follower.next(&latest)), value);
            }
        }
    }

    #[test]
    fn who_is_slow_skips_what_was_replaced_meanwhile() {
        let latest = Latest::new(1);
        let mut follower = Follower::default();
        assert_eq!(block_on(follower.next(&latest)), 1);
        for value in [2, 3, 4] {
            latest.publish(value);
        }
        assert_eq!(block_on(follower.next(&latest)), 4);
        assert_eq!(block_on(poll_once(follower.next(&latest))), None);
    }
}
