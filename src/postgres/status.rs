//! Whether a session is in a transaction, which the server says at the end of whatever it was asked to
//! do (`ReadyForQuery`). The crate keeps it to itself, so it is read on its way to it.

use std::cell::Cell;

/// Bytes of a message before its content: its type, and its length, which counts itself.
const HEAD: usize = 5;

/// What is known of the transaction of a session.
#[derive(Debug, Default)]
pub(super) struct Status {
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// There is none.
    #[default]
    Idle,
    Open,
    /// It was open, and ROLLBACK is on its way.
    Ending,
}

/// Follows what a server sends, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(super) struct Messages {
    head: [u8; HEAD],
    /// How much of the head is there.
    begun: usize,
    /// How much of the content is still to come.
    rest: usize,
}

impl Status {
    /// Whether nothing is left of a transaction for who asks next.
    pub(super) fn is_clear(&self) -> bool {
        self.state.get() != State::Open
    }

    /// ROLLBACK was sent: whatever is sent next comes behind it.
    pub(super) fn ends(&self) {
        self.state.set(State::Ending);
    }

    /// Takes what the server said, if it did.
    pub(super) fn told(&self, said: Option<u8>) {
        match said {
            Some(b'I') => self.state.set(State::Idle),
            // While it ends, what was asked before is still being answered.
            Some(_) if self.state.get() != State::Ending => self.state.set(State::Open),
            _ => {}
        }
    }
}

impl Messages {
    /// What the last `ReadyForQuery` in `bytes` says: `I` outside of a transaction, `T` in one, `E` in
    /// one that has failed.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Option<u8> {
        let mut said = None;
        while let Some((first, others)) = bytes.split_first() {
            if self.begun < HEAD {
                self.head[self.begun] = *first;
                self.begun += 1;
                bytes = others;
                let [_, length @ ..] = self.head;
                self.rest = (u32::from_be_bytes(length) as usize).saturating_sub(length.len());
            } else {
                if self.head[0] == b'Z' {
                    said = Some(*first);
                }
                let taken = self.rest.min(bytes.len());
                self.rest -= taken;
                bytes = &bytes[taken..];
            }
            if self.begun == HEAD && self.rest == 0 {
                self.begun = 0;
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_found_in_whatever_pieces() {
        const SENT: &[u8] =
            b"C\0\0\0\x0aBEGIN\0Z\0\0\0\x05T1\0\0\0\x04D\0\0\0\x09Z\0\0\0IZ\0\0\0\x05E";
        for length in 1..=SENT.len() {
            let mut messages = Messages::default();
            let pieces = SENT.chunks(length);
            let said: Vec<_> = pieces.filter_map(|it| messages.follow(it)).collect();
            assert_eq!(said.last(), Some(&b'E'), "{length}");
            assert!(!said.contains(&b'I'), "{length}");
            if length < 10 {
                assert_eq!(said, *b"TE", "{length}");
            }
        }
    }

    #[test]
    fn a_rollback_on_its_way_is_as_good_as_done() {
        let status = Status::default();
        for (said, is_clear) in [(b'I', true), (b'T', false), (b'E', false), (b'I', true)] {
            status.told(Some(said));
            status.told(None);
            assert_eq!(status.is_clear(), is_clear);
        }
        status.told(Some(b'T'));
        status.ends();
        // Of a query before it.
        status.told(Some(b'E'));
        assert!(status.is_clear());
        status.told(Some(b'I'));
        status.told(Some(b'T'));
        assert!(!status.is_clear());
    }
}
