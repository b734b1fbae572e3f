//! Fresh statistics: requests that wait for a round of snapshots of all cores.
//!
//! What they are given is the [newest](crate::shard::Newest) view when their turn to be answered comes, which is that of
//! their round or newer still: no request holds a view while it waits.

use crate::limits::FRESH_TIMEOUT;
use crate::ring::Deadline;
use crate::shard::{Report, Shard};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// The requests that wait, by a token that is never used again: what comes late for one that gave up is
/// nothing to another.
#[derive(Debug, Default)]
pub(in crate::shard) struct Waiters {
    next_token: u64,
    requests: BTreeMap<u64, Fresh>,
}

/// A request that waits for fresh statistics.
#[derive(Debug, Default)]
struct Fresh {
    are_there: bool,
    waker: Option<Waker>,
}

/// That a request waits, until it is dropped, however the wait ends.
struct Registration<'a> {
    shard: &'a Shard,
    token: u64,
}

/// Waits until the newest statistics are merged from snapshots that every core has taken since this was called.
/// A core that does not answer within [`FRESH_TIMEOUT`] is in them as it was.
pub(super) async fn freshen(shard: &Shard) {
    let registration = Registration {
        shard,
        token: shard.fresh.borrow_mut().enter(),
    };
    let report = Report::Fresh {
        shard: shard.index,
        token: registration.token,
    };
    if shard.reports.send(report).is_err() {
        return;
    }
    let merged = poll_fn(|cx| {
        let mut waiters = shard.fresh.borrow_mut();
        let fresh = waiters.requests.entry(registration.token).or_default();
        if fresh.are_there {
            return Poll::Ready(());
        }
        fresh.waker = Some(cx.waker().clone());
        Poll::Pending
    });
    // The supervisor keeps the time limits of the round and of the one before it; this one is for a supervisor that
    // cannot.
    let limit = Deadline::new(shard.ring());
    limit.arm(3 * FRESH_TIMEOUT);
    // Who is not told by then has what there is.
    let _ = limit.limit(merged).await;
}

/// Tells those of the requests with these tokens that still wait that the newest statistics are fresh.
pub(in crate::shard) fn deliver(shard: &Shard, tokens: &[u64]) {
    for token in tokens {
        let mut waiters = shard.fresh.borrow_mut();
        let Some(fresh) = waiters.requests.get_mut(token) else {
            continue;
        };
        fresh.are_there = true;
        let waker = fresh.waker.take();
        drop(waiters);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Waiters {
    fn enter(&mut self) -> u64 {
        let token = self.next_token;
        self.next_token += 1;
        self.requests.insert(token, Fresh::default());
        token
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.shard.fresh.borrow_mut().requests.remove(&self.token);
    }
}
