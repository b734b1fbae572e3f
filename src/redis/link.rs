//! A connection as far as it is known to those who use it: there, being made, or away for a while.

use super::keeper::Live;
use crate::flag::Flag;
use crate::net::ConnectError;
use redis::{RedisError, RedisResult};
use std::cell::RefCell;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What there is of a connection now.
#[derive(Default)]
pub(super) struct Link(RefCell<State>);

enum State {
    /// It is being made; the flag is raised when something has come of it.
    Connecting(Rc<Flag>),
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
        loop {
            let decided = match &*self.0.borrow() {
                State::Live(live) => return Ok(Rc::clone(live)),
                State::Away(reason) => return Err(reason.to_error()),
                State::Connecting(decided) => Rc::clone(decided),
            };
            decided.wait().await;
        }
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(*self.0.borrow(), State::Live(_))
    }

    /// It is being made.
    pub(super) fn connecting(&self) {
        self.change(State::default());
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
        if let State::Connecting(decided) = self.0.replace(state) {
            decided.raise();
        }
    }
}

/// Nothing was answered within `limit`.
pub(super) fn unanswered(limit: Duration) -> RedisError {
    let what = format!("Redis did not answer within {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

impl Reason {
    /// What whoever needs the connection is told.
    pub(super) fn to_error(&self) -> RedisError {
        let away = Away(self.to_string());
        io::Error::new(io::ErrorKind::NotConnected, away).into()
    }
}

impl Default for State {
    fn default() -> State {
        State::Connecting(Rc::default())
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
