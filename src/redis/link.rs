//! A connection as far as it is known to those who use it: there, being made, or away for a while.

use super::keeper::Live;
use crate::net::ConnectError;
use redis::{RedisError, RedisResult};
use std::cell::RefCell;
use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

/// What there is of a connection now.
#[derive(Default)]
pub(super) struct Link(RefCell<State>);

enum State {
    /// It is being made, and these wait for it.
    Connecting(Vec<Waker>),
    Live(Rc<Live>),
    /// It could not be made, and will be tried again after a pause.
    Away(Reason),
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Reason {
    Connect(ConnectError),
    Refused(RedisError),
    /// The server took the connection and then said nothing.
    Silent,
    /// It broke after a time.
    Broke(Duration),
}

impl Link {
    /// The connection; waits for it while it is being made.
    ///
    /// # Errors
    /// It is away, and why.
    pub(super) async fn live(&self) -> RedisResult<Rc<Live>> {
        poll_fn(|cx| match &mut *self.0.borrow_mut() {
            State::Live(live) => Poll::Ready(Ok(Rc::clone(live))),
            State::Away(reason) => {
                let away = Away(reason.to_string());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, away).into()))
            }
            State::Connecting(waiting) => {
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(*self.0.borrow(), State::Live(_))
    }

    /// It is being made.
    pub(super) fn connecting(&self) {
        self.change(State::Connecting(Vec::new()));
    }

    /// It is there.
    pub(super) fn connected(&self, live: Rc<Live>) {
        self.change(State::Live(live));
    }

    /// It cannot be made now.
    pub(super) fn away(&self, reason: Reason) {
        self.change(State::Away(reason));
    }

    fn change(&self, state: State) {
        // Dropped, and woken, when nothing is borrowed.
        if let State::Connecting(waiting) = self.0.replace(state) {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl Default for State {
    fn default() -> State {
        State::Connecting(Vec::new())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Connect(error) => {
                error.fmt(f)?;
                error
                    .source()
                    .map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Reason::Refused(error) => error.fmt(f),
            Reason::Silent => f.write_str("the server does not answer"),
            Reason::Broke(after) => write!(f, "the connection broke after {after:?}"),
        }
    }
}

/// There is no connection, and this is why.
#[derive(Debug, thiserror::Error)]
#[error("Redis is away: {0}")]
struct Away(String);
