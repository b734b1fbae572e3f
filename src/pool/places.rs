//! A bounded number of places, lent out in the order in which they were asked for.
//!
//! A place that comes back goes to whoever has waited longest, and to nobody who comes by meanwhile.
//! Whoever stops waiting for a place that it was given already passes it on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The places of a pool.
#[derive(Clone, Debug)]
pub(super) struct Places(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    size: usize,
    /// Places that nobody has. While any is free, nobody waits.
    free: usize,
    last_ticket: u64,
    waiting: BTreeMap<u64, Waker>,
    /// Tickets that have been given a place and do not know of it yet.
    given: BTreeSet<u64>,
    closed: bool,
    /// Who waits for all places to come back.
    settling: Vec<Waker>,
}

/// Room for one connection in a [`Pool`](super::Pool). When it is dropped, the next may be made.
pub struct Place(Places);

/// No more places are lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Places {
    pub(super) fn new(size: usize) -> Places {
        Places(Rc::new(RefCell::new(State {
            size,
            free: size,
            last_ticket: 0,
            waiting: BTreeMap::new(),
            given: BTreeSet::new(),
            closed: false,
            settling: Vec::new(),
        })))
    }

    /// A place, if one is free now, closed or not.
    pub(super) fn try_take(&self) -> Option<Place> {
        let mut state = self.0.borrow_mut();
        state.free = state.free.checked_sub(1)?;
        Some(Place(self.clone()))
    }

    /// A place, when it is this caller's turn.
    pub(super) fn take(&self) -> Turn {
        Turn {
            places: self.clone(),
            ticket: None,
        }
    }

    /// Places that are lent, and how many wait for one.
    pub(super) fn lent(&self) -> (usize, usize) {
        let state = self.0.borrow();
        (state.size - state.free, state.waiting.len())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.borrow().closed
    }

    /// Lends no more places; who waits for one is told.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.0.borrow_mut();
            state.closed = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
    }

    /// Waits until nobody has a place.
    pub(super) async fn settled(&self) {
        poll_fn(|cx| {
            let mut state = self.0.borrow_mut();
            if state.free == state.size {
                return Poll::Ready(());
            }
            if !state.settling.iter().any(|it| it.will_wake(cx.waker())) {
                state.settling.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn give_back(&self) {
        let mut woken = Vec::new();
        {
            let mut state = self.0.borrow_mut();
            match state.waiting.pop_first() {
                Some((ticket, waker)) => {
                    state.given.insert(ticket);
                    woken.push(waker);
                }
                None => {
                    state.free += 1;
                    if state.free == state.size {
                        woken.append(&mut state.settling);
                    }
                }
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

/// Waits for a [`Place`].
#[derive(Debug)]
pub(super) struct Turn {
    places: Places,
    ticket: Option<u64>,
}

impl Future for Turn {
    type Output = Result<Place, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = self.get_mut();
        let ticket = turn.ticket.take();
        let mut state = turn.places.0.borrow_mut();
        if ticket.is_some_and(|ticket| state.given.remove(&ticket)) {
            return Poll::Ready(Ok(Place(turn.places.clone())));
        }
        if state.closed {
            return Poll::Ready(Err(Closed));
        }
        if ticket.is_none() && state.free > 0 {
            state.free -= 1;
            return Poll::Ready(Ok(Place(turn.places.clone())));
        }
        let ticket = ticket.unwrap_or(state.last_ticket + 1);
        state.last_ticket = state.last_ticket.max(ticket);
        let displaced = state.waiting.insert(ticket, cx.waker().clone());
        drop(state);
        turn.ticket = Some(ticket);
        drop(displaced);
        Poll::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let mut state = self.places.0.borrow_mut();
        let was_given = state.given.remove(&ticket);
        let waker = state.waiting.remove(&ticket);
        drop(state);
        drop(waker);
        if was_given {
            self.places.give_back();
        }
    }
}
