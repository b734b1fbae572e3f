//! Answers that are written: one at a time on a core and in slices, so that it goes on serving others, and
//! kept for a moment, so that many scrapers cost little more than one.
//!
//! They are written by a task of their own, and whoever asked waits for it to be done. A connection polls its
//! answer when it likes: not while it sends what is in front of it to a peer that does not read. Were it to write,
//! or to have the turn, all others would wait for that peer.

use super::Query;
#[cfg(feature = "compression")]
use super::compressed::Gzip;
use crate::app::{Body, BodyError, BodySource};
use crate::flag::Flag;
use crate::limits::{STATS_KEPT, STATS_KEPT_BYTES};
use crate::shard::Shard;
use crate::stats::{View, Writing};
use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

/// How long an answer is given again to whoever asks for the same, if no other view has come: many scrapers cost
/// little more than one, and what an answer says of ages is at most so old and the time that it took to write.
const KEPT: Duration = Duration::from_secs(1);

/// How long a core writes before it lets others run. The last piece of work may be begun just before that, and
/// takes some 100 µs at most ([`Writing::write_next`]).
const SLICE: Duration = Duration::from_micros(50);

/// The answers of a core: those that were written a moment ago, and those that are to be written. One at a
/// time is, so that a turn of the core's loop has one slice of it in it, however many ask.
#[derive(Debug, Default)]
pub(in crate::shard) struct Written {
    kept: RefCell<VecDeque<Kept>>,
    queue: RefCell<Queue>,
    #[cfg(feature = "compression")]
    gzip: Gzip,
}

/// Those that are to be written.
#[derive(Debug, Default)]
struct Queue {
    next_ticket: u64,
    /// By their tickets, which are in the order in which they were asked for.
    asked: BTreeMap<u64, Asked>,
    /// Whether there is a task that writes them.
    is_served: bool,
}

/// One that is to be written.
#[derive(Debug)]
struct Asked {
    query: Query,
    /// Without one it is the newest when it is written.
    view: Option<Arc<View>>,
    outcome: Rc<Outcome>,
}

/// What became of one, for whoever asked.
#[derive(Default)]
struct Outcome {
    told: Cell<Option<thread::Result<Told>>>,
    is_there: Flag,
}

/// An answer that is written.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) pieces: Pieces,
    /// When the view was merged that it was written from.
    pub(super) merged_at_ns: u64,
    /// The last second that had ended by then.
    pub(super) newest_second: u64,
}

/// One that is given again.
#[derive(Debug)]
struct Kept {
    /// When it had been written.
    at_ns: u64,
    query: Query,
    told: Told,
}

/// What was written: one piece behind the other.
pub(super) type Pieces = Rc<[Bytes]>;

/// The pieces of an answer, one after the other.
pub(super) struct Sent {
    pieces: Pieces,
    count: usize,
}

/// A place in the queue, which is left however the wait ends.
struct Place<'a> {
    written: &'a Written,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.written.queue.borrow_mut().asked.remove(&self.ticket);
        // Not while the queue is borrowed: it may have the last of a view.
        drop(left);
    }
}

/// Has `view`, or the newest when its turn comes, written behind what others have asked for. If the same has
/// been written meanwhile, it is that.
pub(super) async fn write(shard: &Rc<Shard>, query: &Query, view: Option<Arc<View>>) -> Told {
    let outcome = Rc::new(Outcome::default());
    let place = shard.written.enter(Asked {
        query: query.clone(),
        view,
        outcome: Rc::clone(&outcome),
    });
    if !shard.written.queue.borrow().is_served {
        shard.written.queue.borrow_mut().is_served = true;
        glommio::spawn_local(serve(Rc::clone(shard))).detach();
    }
    outcome.is_there.wait().await;
    drop(place);
    match outcome.told.take() {
        Some(Ok(told)) => told,
        // It is for whoever asked, who knows of which request it is.
        Some(Err(payload)) => resume_unwind(payload),
        None => unreachable!("it is there when that is raised, and one waits for it"),
    }
}

/// Writes what is asked for until there is nothing left.
async fn serve(shard: Rc<Shard>) {
    let mut slice = Slice::begin(&shard);
    while let Some(Asked {
        query,
        view,
        outcome,
    }) = shard.written.next()
    {
        let is_wanted = || Rc::strong_count(&outcome) > 1;
        let told = AssertUnwindSafe(tell(&shard, query, view, &mut slice, is_wanted))
            .catch_unwind()
            .await;
        if let Some(told) = told.transpose() {
            outcome.told.set(Some(told));
            outcome.is_there.raise();
        }
        slice.rest().await;
    }
}

/// Writes one, if it is not kept. None if nobody wants it any more.
async fn tell(
    shard: &Shard,
    query: Query,
    view: Option<Arc<View>>,
    slice: &mut Slice<'_>,
    is_wanted: impl Fn() -> bool,
) -> Option<Told> {
    let view = view.unwrap_or_else(|| shard.newest.get());
    if !query.fresh
        && let Some(told) = shard.written.find(shard, &query, view.merged_at_ns)
    {
        return Some(told);
    }
    let now_ns = shard.ring().clock_ns();
    let mut writing = Writing::new(query.format, &view, &query.selection, &shard.info, now_ns);
    while writing.write_next() {
        slice.rest().await;
        if !is_wanted() {
            return None;
        }
    }
    let pieces = writing.finish();
    #[cfg(feature = "compression")]
    let pieces = match query.is_gzipped {
        true => {
            let gzip = &shard.written.gzip;
            let compressed = gzip.compress(&pieces, slice, &is_wanted).await;
            compressed.expect("there is memory for an encoder")?
        }
        false => pieces,
    };
    let told = Told {
        pieces: pieces.into(),
        merged_at_ns: view.merged_at_ns,
        newest_second: view.newest_second(),
    };
    // Whoever wants fresh figures gets no one else's.
    if !query.fresh {
        shard.written.keep(Kept {
            at_ns: shard.ring().clock_ns(),
            query,
            told: told.clone(),
        });
    }
    Some(told)
}

/// What is done before others run.
pub(super) struct Slice<'a> {
    shard: &'a Shard,
    since_ns: u64,
}

impl<'a> Slice<'a> {
    fn begin(shard: &'a Shard) -> Self {
        let since_ns = shard.ring().clock_ns();
        Self { shard, since_ns }
    }

    /// Lets others run if it has been long enough.
    pub(super) async fn rest(&mut self) {
        if self.shard.ring().clock_ns() - self.since_ns >= SLICE.as_nanos() as u64 {
            yield_now().await;
            self.since_ns = self.shard.ring().clock_ns();
        }
    }
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
    /// A place behind all others.
    fn enter(&self, asked: Asked) -> Place<'_> {
        let mut queue = self.queue.borrow_mut();
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.asked.insert(ticket, asked);
        Place {
            written: self,
            ticket,
        }
    }

    /// The first that is to be written. If there is none, nobody looks for more until one is asked for.
    fn next(&self) -> Option<Asked> {
        let mut queue = self.queue.borrow_mut();
        let first = queue.asked.pop_first();
        queue.is_served = first.is_some();
        first.map(|(_, asked)| asked)
    }

    /// The answer to the same question, from the view that was merged then, if it is not too old.
    pub(super) fn find(&self, shard: &Shard, query: &Query, merged_at_ns: u64) -> Option<Told> {
        self.forget(shard);
        let kept = self.kept.borrow();
        let same = |kept: &&Kept| kept.told.merged_at_ns == merged_at_ns && kept.query == *query;
        kept.iter().find(same).map(|kept| kept.told.clone())
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
        self.told.pieces.iter().map(Bytes::len).sum()
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Format, Selection};

    fn query(format: Format) -> Query {
        Query {
            fresh: false,
            is_gzipped: false,
            format,
            selection: Selection::default(),
        }
    }

    /// An answer of so many bytes, in two pieces.
    fn answer(bytes: usize) -> Kept {
        let pieces = [vec![0; bytes / 2], vec![0; bytes - bytes / 2]];
        Kept {
            at_ns: bytes as u64,
            query: query(Format::Json),
            told: Told {
                pieces: pieces.map(Bytes::from).into(),
                merged_at_ns: 0,
                newest_second: 0,
            },
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
    fn what_is_asked_for_is_written_in_order_but_for_who_left() {
        let written = Written::default();
        let [first, second, third, last] = [Format::Json, Format::Hdr, Format::Hlog, Format::Html]
            .map(|format| {
                written.enter(Asked {
                    query: query(format),
                    view: None,
                    outcome: Rc::default(),
                })
            });
        let next = || written.next().map(|asked| asked.query.format);
        drop(first);
        assert_eq!(next(), Some(Format::Hdr));
        // The one that is being written is not in the way when it leaves.
        drop(second);
        drop(last);
        assert!(written.queue.borrow().is_served);
        assert_eq!((next(), next()), (Some(Format::Hlog), None));
        assert!(!written.queue.borrow().is_served);
        drop(third);
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
