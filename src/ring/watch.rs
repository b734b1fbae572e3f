//! Watching a socket for its end while its bytes are left where they are. What arms it, and whom it
//! wakes, is in `socket.rs`.

use super::socket::End;
use std::task::Waker;

/// What a socket is polled for: the end of what its peer sends. A failure is always told.
pub(super) const HANG_UP: u32 = libc::POLLRDHUP as u32;

/// Somebody who waits for the end of a socket, beside its reader.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) waker: Option<Waker>,
    /// A poll is queued or in flight.
    pub(super) is_polling: bool,
    /// The end, if a poll saw it: before the receive, which has to take the bytes before it.
    pub(super) left: Option<End>,
}

impl Watch {
    pub(super) fn is_needed(&self) -> bool {
        self.waker.is_some() || self.is_polling || self.left.is_some()
    }

    /// The end that the result of a poll speaks of.
    pub(super) fn seen(result: i32) -> Option<End> {
        let events = i16::try_from(result).ok().filter(|events| *events > 0)?;
        match events & (libc::POLLERR | libc::POLLHUP) {
            0 => Some(End::Closed),
            // Which failure it was, the receive says when it gets there.
            _ => Some(End::Failed(libc::ECONNRESET)),
        }
    }
}
