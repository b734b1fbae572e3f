//! The buffers that requests are answered with. A connection has some while it is at work; the service
//! lends them, and keeps them in between.

use super::access::Pending;
use super::pace::Pace;
use crate::http::{ErrorForm, HeadParser, RequestHead};
use crate::limits::GATHER_BYTES;
use crate::stats::Answered;
use bytes::Bytes;
use std::ops::{Deref, DerefMut};

/// Buffers for answering requests; kept by the service between visits.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Of a head that did not come whole, or was refused.
    pub(super) parser: HeadParser,
    /// A head of which the end has not come, from its first byte.
    pub(super) partial: Vec<u8>,
    /// The deadline of that head is armed.
    pub(super) head_timed: bool,
    /// What the request's Accept fields say, in case it has to be told of an error.
    pub(super) accept: Vec<u8>,
    /// Responses to be sent with the next message.
    pub(super) out: Vec<u8>,
    /// The content of the last of them, if it goes out from where it lies.
    pub(super) behind: Bytes,
    /// The requests that they answer.
    pub(super) answered: Vec<Answered>,
    /// What went out during this visit.
    pub(super) sent_bytes: u64,
    /// The requests that were answered, and the one that is served, for an app that is told of them.
    pub(super) pending: Vec<Pending>,
    /// How fast the peer takes the response that is being sent.
    pub(super) pace: Pace,
}

impl Work {
    /// Buffers above this size are not kept.
    const KEPT_BYTES: usize = 2 * GATHER_BYTES;

    /// Remembers in which form the request would read an error: which is found out only then.
    #[inline]
    pub(super) fn note_accept(&mut self, head: &RequestHead) {
        self.accept.clear();
        for value in head.field_values("accept") {
            if !self.accept.is_empty() {
                self.accept.push(b',');
            }
            self.accept.extend_from_slice(value);
        }
    }

    /// The form of an error for the request that is being served.
    pub(super) fn error_form(&self) -> ErrorForm {
        ErrorForm::preferred([&self.accept[..]])
    }

    /// Bytes of the next message.
    pub(super) fn gathered_bytes(&self) -> usize {
        self.out.len() + self.behind.len()
    }

    /// Lets `content` go out behind what was gathered, from where it lies.
    pub(super) fn put_behind(&mut self, content: Bytes) {
        self.close_up();
        self.behind = content;
    }

    /// Makes room for what follows the content that was to go out from where it lies: there is one of that
    /// kind in a message, its last.
    #[inline]
    pub(super) fn close_up(&mut self) {
        if !self.behind.is_empty() {
            let content = std::mem::take(&mut self.behind);
            self.out.extend_from_slice(&content);
        }
    }

    pub(super) fn recycle(&mut self) {
        self.parser.reset();
        self.head_timed = false;
        for buffer in [&mut self.partial, &mut self.accept, &mut self.out] {
            buffer.clear();
            buffer.shrink_to(Self::KEPT_BYTES);
        }
        self.behind = Bytes::new();
        self.answered.clear();
        self.sent_bytes = 0;
        self.pending.clear();
        self.pace = Pace::default();
    }
}

/// A work on loan from the service.
#[derive(Debug)]
pub(super) struct Lent(
    /// `None` once it was taken back.
    Option<Box<Work>>,
);

impl Lent {
    pub(super) fn new(work: Box<Work>) -> Self {
        Self(Some(work))
    }

    /// What was lent, once: it is of no use after that.
    pub(super) fn take_back(&mut self) -> Option<Box<Work>> {
        self.0.take()
    }
}

impl Deref for Lent {
    type Target = Work;

    #[inline]
    fn deref(&self) -> &Work {
        self.0.as_ref().unwrap_or_else(|| unreachable!("lent"))
    }
}

impl DerefMut for Lent {
    #[inline]
    fn deref_mut(&mut self) -> &mut Work {
        self.0.as_mut().unwrap_or_else(|| unreachable!("lent"))
    }
}
