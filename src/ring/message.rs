//! A message to send: bytes that the ring owns until the kernel has taken them.

use bytes::Bytes;
use std::ops::Range;

/// Bytes to send whole: a head that was built for the occasion and a body that may be shared.
///
/// The body is sent from where it lies; nothing is copied.
#[derive(Debug, Default)]
pub struct Message {
    /// What is sent first.
    pub head: Vec<u8>,
    /// What is sent after it; may be empty.
    pub body: Bytes,
    sent: usize,
}

impl Message {
    /// A message of `head` followed by `body`.
    pub fn new(head: Vec<u8>, body: Bytes) -> Self {
        Self {
            head,
            body,
            sent: 0,
        }
    }

    /// Bytes that the kernel has not taken yet.
    pub fn remaining(&self) -> usize {
        self.head.len() + self.body.len() - self.sent
    }

    /// Notes that the kernel took `bytes` more.
    pub(crate) fn advance(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.remaining());
        self.sent += bytes;
    }

    /// The parts still to be sent, in order; either may be empty.
    pub(crate) fn parts(&self) -> (&[u8], &[u8]) {
        let head: Range<usize> = self.sent.min(self.head.len())..self.head.len();
        let body = self.sent.saturating_sub(self.head.len())..self.body.len();
        (&self.head[head], &self.body[body])
    }
}

impl From<Vec<u8>> for Message {
    fn from(head: Vec<u8>) -> Self {
        Self::new(head, Bytes::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_at_every_offset() {
        let whole = b"headbody";
        for sent in 0..=whole.len() {
            let mut message = Message::new(b"head".to_vec(), Bytes::from_static(b"body"));
            message.advance(sent);
            let (head, body) = message.parts();
            assert_eq!([head, body].concat(), &whole[sent..]);
            assert_eq!(message.remaining(), whole.len() - sent);
        }
    }
}
