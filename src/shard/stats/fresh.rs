//! Fresh statistics: a look at all cores, shared by all who asked for one before it began.
//!
//! What comes of it is the [newest](crate::shard::Newest) view when the look is over, or one that is newer still:
//! whoever waited for a look has nothing else to be given.

use crate::flag::Flag;
use crate::limits::FRESH_TIMEOUT;
use crate::ring::Deadline;
use crate::shard::{Report, Shard};
use std::cell::RefCell;
use std::rc::Rc;

/// The looks of a core's requests. One is under way at a time: were each request to have its own, a thousand of them
/// would have as many views merged.
#[derive(Debug, Default)]
pub(in crate::shard) struct Looks {
    /// Raised when the one that is under way is over.
    under_way: RefCell<Option<Rc<Flag>>>,
    /// That of the next, if anybody waits for it.
    next: RefCell<Option<Rc<Flag>>>,
}

/// Waits until the newest statistics are merged from snapshots that every core has taken since this was called.
/// A core that does not answer within [`FRESH_TIMEOUT`] is in them as it was.
pub(super) async fn look(shard: &Shard) {
    let over = shard.looks.join(|| ask(shard));
    // The supervisor keeps the time limit, of one look that is under way and of the next; this one is for a
    // supervisor that cannot.
    let limit = Deadline::new(shard.ring());
    limit.arm(4 * FRESH_TIMEOUT);
    // Who is not told by then has what there is.
    let _ = limit.limit(over.wait()).await;
}

/// The look that is under way is over: the newest statistics are fresh.
pub(in crate::shard) fn looked(shard: &Shard) {
    shard.looks.end(|| ask(shard));
}

fn ask(shard: &Shard) {
    // Without a supervisor there is nobody to ask, and the shard is about to end.
    let _ = shard.reports.send(Report::Fresh { shard: shard.index });
}

impl Looks {
    /// What is raised when a look is over that begins now, which `begin` does, or is still to begin.
    fn join(&self, begin: impl FnOnce()) -> Rc<Flag> {
        let mut under_way = self.under_way.borrow_mut();
        if under_way.is_some() {
            return Rc::clone(self.next.borrow_mut().get_or_insert_default());
        }
        begin();
        Rc::clone(under_way.get_or_insert_default())
    }

    /// Ends the one that is under way, and begins the next if anybody still waits for it.
    fn end(&self, begin: impl FnOnce()) {
        let next = self.next.take().filter(|next| Rc::strong_count(next) > 1);
        if next.is_some() {
            begin();
        }
        let over = self.under_way.replace(next);
        over.into_iter().for_each(|over| over.raise());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_look_is_for_those_who_came_before_it_began() {
        let (looks, begun) = (Looks::default(), Cell::new(0));
        let begin = || begun.set(begun.get() + 1);
        let first = looks.join(begin);
        assert_eq!(begun.get(), 1);
        let (second, third) = (looks.join(begin), looks.join(begin));
        assert_eq!(begun.get(), 1);
        looks.end(begin);
        assert!(first.is_raised() && !second.is_raised());
        assert_eq!(begun.get(), 2);
        let fourth = looks.join(begin);
        looks.end(begin);
        assert!(second.is_raised() && third.is_raised() && !fourth.is_raised());
        assert_eq!(begun.get(), 3);
        // Nobody waits for the next: there is none, until somebody asks.
        drop(looks.join(begin));
        looks.end(begin);
        assert!(fourth.is_raised());
        assert_eq!(begun.get(), 3);
        drop(looks.join(begin));
        assert_eq!(begun.get(), 4);
    }
}
