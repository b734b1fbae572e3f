//! Answers that are written: one at a time on a core and in slices, so that it goes on serving others, and
//! kept for a moment, so that many scrapers cost little more than one.

use super::Query;
use crate::app::{Body, BodyError, BodySource};
use crate::limits::{STATS_KEPT, STATS_KEPT_BYTES};
use crate::shard::Shard;
use crate::stats::{View, Writing};
use crate::turns::Turns;
use bytes::Bytes;
use futures_lite::future::yield_now;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long an answer is given again to whoever asks for the same, if no other view has come: many scrapers cost
/// little more than one, and what an answer says of ages is at most so old.
const KEPT: Duration = Duration::from_secs(1);

/// How long a core writes before it lets others run. The last piece of work may be begun just before that, and
/// takes some 100 µs at most ([`Writing::write_next`]).
const SLICE: Duration = Duration::from_micros(50);

/// The answers of a core: those that were written a moment ago, and whose turn it is to write. One at a time
/// does, so that a turn of the core's loop has one slice of it in it, however many ask.
#[derive(Debug, Default)]
pub(in crate::shard) struct Written {
    kept: RefCell<VecDeque<Kept>>,
    turns: Turns,
}

/// One that was written.
#[derive(Debug)]
struct Kept {
    at_ns: u64,
    /// When the view was merged that it was written from.
    merged_at_ns: u64,
    query: Query,
    pieces: Pieces,
}

/// What was written: one piece behind the other.
pub(super) type Pieces = Rc<[Bytes]>;

/// The pieces of an answer, one after the other.
pub(super) struct Sent {
    pieces: Pieces,
    count: usize,
}

/// Writes `view` when it is its turn, and lets others run in between. If another has written the same
/// meanwhile, it is that.
pub(super) async fn write(shard: &Shard, query: &Query, view: &View) -> Pieces {
    let _turn = shard.written.turns.take().await;
    if !query.fresh
        && let Some(pieces) = shard.written.find(shard, query, view)
    {
        return pieces;
    }
    let at_ns = shard.ring().clock_ns();
    let mut writing = Writing::new(query.format, view, &query.selection, &shard.info, at_ns);
    let mut slice_ns = at_ns;
    while writing.write_next() {
        if shard.ring().clock_ns() - slice_ns >= SLICE.as_nanos() as u64 {
            yield_now().await;
            slice_ns = shard.ring().clock_ns();
        }
    }
    let pieces: Pieces = writing.finish().into();
    // Whoever wants fresh figures gets no one else's.
    if !query.fresh {
        shard.written.keep(Kept {
            at_ns,
            merged_at_ns: view.merged_at_ns,
            query: query.clone(),
            pieces: Rc::clone(&pieces),
        });
    }
    pieces
}

/// The content of a response that sends them.
pub(super) fn content(pieces: &Pieces) -> Body {
    match &pieces[..] {
        [one] => Body::Bytes(one.clone()),
        many => {
            let length = many.iter().map(|piece| piece.len() as u64).sum();
            Body::stream(Sent::of(pieces), Some(length))
        }
    }
}

impl Sent {
    pub(super) fn of(pieces: &Pieces) -> Self {
        Self {
            pieces: Rc::clone(pieces),
            count: 0,
        }
    }
}

impl Iterator for Sent {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let next = self.pieces.get(self.count)?;
        self.count += 1;
        Some(next.clone())
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

impl Written {
    /// The answer to the same question, from the same view, if it is not too old.
    pub(super) fn find(&self, shard: &Shard, query: &Query, view: &View) -> Option<Pieces> {
        self.forget(shard);
        let kept = self.kept.borrow();
        let same = |kept: &&Kept| kept.merged_at_ns == view.merged_at_ns && kept.query == *query;
        kept.iter().find(same).map(|kept| Rc::clone(&kept.pieces))
    }

    /// Keeps an answer if there is room for it, and as many of those before it as there is then.
    fn keep(&self, new: Kept) {
        if new.bytes() > STATS_KEPT_BYTES {
            return;
        }
        let mut kept = self.kept.borrow_mut();
        kept.push_front(new);
        let mut bytes = 0;
        let fits = |kept: &&Kept| {
            bytes += kept.bytes();
            bytes <= STATS_KEPT_BYTES
        };
        let fit = kept.iter().take(STATS_KEPT).take_while(fits).count();
        kept.truncate(fit);
    }

    /// Forgets what is too old.
    pub(in crate::shard) fn forget(&self, shard: &Shard) {
        let now_ns = shard.ring().now_ns();
        let kept_ns = KEPT.as_nanos() as u64;
        self.kept
            .borrow_mut()
            .retain(|kept| now_ns.saturating_sub(kept.at_ns) < kept_ns);
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Format, Selection};

    /// An answer of so many bytes, in two pieces.
    fn answer(bytes: usize) -> Kept {
        let pieces = [vec![0; bytes / 2], vec![0; bytes - bytes / 2]];
        Kept {
            at_ns: bytes as u64,
            merged_at_ns: 0,
            query: Query {
                fresh: false,
                format: Format::Json,
                selection: Selection::default(),
            },
            pieces: pieces.map(Bytes::from).into(),
        }
    }

    /// The bytes of the answers that are kept of these.
    fn kept(answers: &[usize]) -> Vec<usize> {
        let written = Written::default();
        answers
            .iter()
            .for_each(|bytes| written.keep(answer(*bytes)));
        let kept = written.kept.borrow();
        kept.iter().map(Kept::bytes).collect()
    }

    #[test]
    fn as_many_are_kept_as_there_is_room_for() {
        let number = |count: usize| kept(&vec![1; count]).len();
        assert_eq!(number(STATS_KEPT), STATS_KEPT);
        assert_eq!(number(STATS_KEPT + 1), STATS_KEPT);
        let rest = STATS_KEPT_BYTES - 10;
        assert_eq!(kept(&[1, 10, rest]), [rest, 10]);
        assert_eq!(kept(&[11, rest, 10]), [10, rest]);
        assert_eq!(kept(&[7, STATS_KEPT_BYTES]), [STATS_KEPT_BYTES]);
        // One that is longer is no reason to forget the others.
        assert_eq!(kept(&[7, STATS_KEPT_BYTES + 1]), [7]);
    }

    #[test]
    fn pieces_are_one_content() {
        let pieces: Pieces = ["ab", "", "c"].map(Bytes::from).into();
        let mut body = content(&pieces);
        assert_eq!(body.length(), Some(3));
        let read = futures_lite::future::block_on(async {
            let mut read = Vec::new();
            while let Some(piece) = body.next().await {
                read.extend(piece.expect("it cannot fail"));
            }
            read
        });
        assert_eq!(read, b"abc");
        assert!(matches!(
            content(&[Bytes::from("ab")].into()),
            Body::Bytes(_)
        ));
    }
}
