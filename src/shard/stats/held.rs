//! Answers that a core holds until the last of those they are sent to has taken them. A peer takes as long as it
//! likes, so the bytes of all of them are counted, each answer's once, and beyond [`STATS_HELD_BYTES`] none is held.

use crate::app::{Body, BodyError, BodySource};
use crate::limits::{INLINE_BODY_BYTES, STATS_HELD_BYTES};
use crate::permits::{Permit, Permits};
use bytes::Bytes;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Room for the answers of a core.
#[derive(Debug)]
pub(super) struct Room(Permits);

/// What was written, for all whom it is sent to.
pub(super) type Pieces = Rc<Held>;

/// What was written: one piece behind the other.
#[derive(Debug)]
pub(super) struct Held {
    pieces: Vec<Bytes>,
    /// Its bytes count for as long as it is there.
    _leave: Permit,
}

/// The pieces of an answer, one after the other. It is let go of at its end.
#[derive(Default)]
pub(super) struct Sent {
    pieces: Option<Pieces>,
    count: usize,
}

/// The content of a response that sends them.
pub(super) fn content(pieces: &Pieces) -> Body {
    match &pieces.pieces[..] {
        // It is gathered as any other content is, and not held.
        [one] if one.len() <= INLINE_BODY_BYTES => Body::Bytes(one.clone()),
        _ => Body::stream(Sent::of(pieces), Some(pieces.bytes() as u64)),
    }
}

impl Default for Room {
    fn default() -> Self {
        Self(Permits::new(STATS_HELD_BYTES))
    }
}

impl Room {
    /// Holds what was written, if there is room for it after `make_room`, which is called if there is none.
    pub(super) fn hold(&self, pieces: Vec<Bytes>, make_room: impl FnOnce()) -> Option<Pieces> {
        // One that is longer than all may be together is held where there is no other.
        let count = bytes(&pieces).min(STATS_HELD_BYTES);
        let leave = self.0.take_some(count).or_else(|| {
            make_room();
            self.0.take_some(count)
        })?;
        Some(Rc::new(Held {
            pieces,
            _leave: leave,
        }))
    }

    /// What counts the bytes.
    #[cfg(test)]
    pub(super) fn permits(&self) -> Permits {
        self.0.clone()
    }
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.pieces)
    }
}

fn bytes(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

impl Sent {
    pub(super) fn of(pieces: &Pieces) -> Self {
        Self {
            pieces: Some(Rc::clone(pieces)),
            count: 0,
        }
    }
}

impl Iterator for Sent {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let next = self.pieces.as_ref()?.pieces.get(self.count).cloned();
        self.count += 1;
        if next.is_none() {
            self.pieces = None;
        }
        next
    }
}

impl BodySource for Sent {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(self.next().map(Ok))
    }
}

#[cfg(test)]
/// So many bytes, in two pieces.
pub(super) fn pieces(bytes: usize) -> Vec<Bytes> {
    let halves = [vec![0; bytes / 2], vec![0; bytes - bytes / 2]];
    halves.map(Bytes::from).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(room: &Room, pieces: Vec<Bytes>) -> Option<Pieces> {
        room.hold(pieces, || ())
    }

    #[test]
    fn as_much_is_held_as_there_is_room_for() {
        const ALMOST: usize = STATS_HELD_BYTES - 10;
        let room = Room::default();
        let long = hold(&room, pieces(ALMOST)).expect("room");
        assert!(hold(&room, pieces(11)).is_none());
        let short = hold(&room, pieces(10)).expect("room");
        assert!(hold(&room, pieces(1)).is_none());
        // Whoever else is sent one that is held takes no room.
        let (mut first, mut second) = (Sent::of(&long), Sent::of(&long));
        drop(long);
        assert_eq!(
            first.by_ref().map(|piece| piece.len()).sum::<usize>(),
            ALMOST
        );
        assert!(hold(&room, pieces(1)).is_none());
        assert!(second.by_ref().take(2).count() == 2 && hold(&room, pieces(1)).is_none());
        // Its end is found when the last piece is out.
        assert_eq!(second.next(), None);
        assert!(hold(&room, pieces(ALMOST + 1)).is_none());
        assert!(hold(&room, pieces(ALMOST)).is_some());
        // One that is too long for all the room gets it where there is no other.
        assert!(hold(&room, pieces(STATS_HELD_BYTES + 1)).is_none());
        drop(short);
        let longest = hold(&room, pieces(STATS_HELD_BYTES + 1)).expect("room");
        assert!(hold(&room, pieces(1)).is_none());
        drop(longest);
        assert!(hold(&room, pieces(STATS_HELD_BYTES)).is_some());
    }

    #[test]
    fn pieces_are_one_content() {
        let room = Room::default();
        let held = |pieces: Vec<Bytes>| hold(&room, pieces).expect("room");
        let mut body = content(&held(["ab", "", "c"].map(Bytes::from).into()));
        assert_eq!(body.length(), Some(3));
        let read = futures_lite::future::block_on(async {
            let mut read = Vec::new();
            while let Some(piece) = body.next().await {
                read.extend(piece.expect("it cannot fail"));
            }
            read
        });
        assert_eq!(read, b"abc");
        let one = |bytes| content(&held(vec![Bytes::from(vec![0; bytes])]));
        assert!(matches!(one(INLINE_BODY_BYTES), Body::Bytes(_)));
        // It is held for as long as it is sent.
        let body = one(INLINE_BODY_BYTES + 1);
        assert_eq!(body.length(), Some(INLINE_BODY_BYTES as u64 + 1));
        assert!(hold(&room, pieces(STATS_HELD_BYTES)).is_none());
        drop(body);
        assert!(hold(&room, pieces(STATS_HELD_BYTES)).is_some());
    }
}
