//! Why a message did not go, or a question was not answered.

use std::fmt;

/// Why a message was not sent. In a handler `?` answers with 503: the request was not at fault, and
/// may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// As many messages are on their way to that core as the lane holds.
    #[error("the lane to the core is full")]
    Full,
    /// This core is at the end of a shutdown, and sends no more.
    #[error("the core shuts down and sends no more")]
    Draining,
    /// Nobody receives there: the core has ended, has dropped its mailbox or never asked for one, or
    /// there is no core of that number.
    #[error("nobody receives on the core")]
    Gone,
}

/// A message that was not sent, and why.
///
/// It is no `std::error::Error`, which would ask of every message to be `Sync`; its `reason` is
/// one. `?` turns it into an [`Error`](crate::Error), and drops the message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<M> {
    /// Why.
    pub reason: Undelivered,
    /// The message, to be sent again or elsewhere.
    pub message: M,
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

/// A broadcast that did not reach all cores. In a handler `?` answers with 503.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a broadcast did not reach {} of the cores", missed.len())]
pub struct BroadcastError {
    /// The cores that it did not reach, and why. All others will get it.
    pub missed: Vec<(usize, Undelivered)>,
}
