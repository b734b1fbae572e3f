//! Receiving from lanes.

use super::lanes::Post;
use crate::limits::MESSAGES_AT_ONCE;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Receives the messages of the type `M` that were sent to this core, from
/// [`Core::lanes`](super::Core::lanes).
///
/// It belongs to a task, commonly one of [`App::background`](crate::App::background), and ends by
/// itself in a shutdown. A core does not end before it has taken what was sent to it, and has come back
/// for more. What a mailbox holds when it is dropped is dropped with it, and who sends to it then is
/// told so.
///
/// Lanes of several cores take turns. After
/// [`MESSAGES_AT_ONCE`] messages other tasks get theirs, however many
/// there are.
pub struct Mailbox<M: Send + 'static> {
    post: Rc<Post<M>>,
    /// The core whose lane is looked at first.
    next: usize,
    /// Messages taken since other tasks had their turn.
    taken: usize,
}

impl<M: Send + 'static> Mailbox<M> {
    pub(super) fn new(post: Rc<Post<M>>) -> Self {
        Self {
            post,
            next: 0,
            taken: 0,
        }
    }

    /// The next message; `None` when there will be no more, because the server ends.
    ///
    /// Dropping the future loses no message.
    pub async fn recv(&mut self) -> Option<M> {
        Some(self.recv_from().await?.1)
    }

    /// The next message, behind the number of the core that sent it; `None` when there will be no more.
    ///
    /// Dropping the future loses no message.
    pub async fn recv_from(&mut self) -> Option<(usize, M)> {
        poll_fn(|cx| self.poll_recv_from(cx)).await
    }

    /// The next message, if there is one.
    pub fn try_recv(&mut self) -> Option<M> {
        Some(self.take()?.1)
    }

    fn poll_recv_from(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, M)>> {
        if self.taken >= MESSAGES_AT_ONCE {
            self.taken = 0;
            self.next += 1;
            self.post.set_reading(false);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(received) = self.take() {
            self.taken += 1;
            return Poll::Ready(Some(received));
        }
        self.taken = 0;
        if self.post.is_over() {
            return Poll::Ready(None);
        }
        drop(self.post.reader.replace(Some(cx.waker().clone())));
        Poll::Pending
    }

    /// The next message, with the core that sent it.
    fn take(&mut self) -> Option<(usize, M)> {
        let cores = self.post.core.count();
        for core in (self.next..self.next + cores).map(|core| core % cores) {
            if let Some(message) = self.post.take(core) {
                self.next = core;
                self.post.set_reading(true);
                return Some((core, message));
            }
        }
        self.post.set_reading(false);
        None
    }
}

impl<M: Send + 'static> Drop for Mailbox<M> {
    fn drop(&mut self) {
        self.post.end();
    }
}

impl<M: Send + 'static> fmt::Debug for Mailbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("core", &self.post.core)
            .finish_non_exhaustive()
    }
}
