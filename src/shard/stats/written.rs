//! Answers that are written: one at a time on a core and in slices, so that it goes on serving others, and
//! kept for a moment, so that many scrapers cost little more than one.
//!
//! They are written by a task of their own, and whoever asked waits for it to be done. A connection polls its
//! answer when it likes: not while it sends what is in front of it to a peer that does not read. Were it to write,
//! or to have the turn, all others would wait for that peer.

#[cfg(feature = "compression")]
use super::compressed::Gzip;
use super::held::{Pieces, Room};
use super::query::Query;
use super::queue::{Job, Queue};
use crate::app::{IntoResponse, Response};
use crate::limits::{STATS_KEPT, STATS_KEPT_BYTES};
use crate::log::About;
use crate::shard::Shard;
use crate::stats::Writing;
use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use std::cell::RefCell;
use std::collections::VecDeque;
#[cfg(feature = "compression")]
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

/// How long an answer is given again to whoever asks for the same, if no other view has come: many scrapers cost
/// little more than one, and what an answer says of ages is at most so old and the time that it took to write.
const KEPT: Duration = Duration::from_secs(1);

/// How long a core writes before it lets others run. The last piece of work may be begun just before that, and takes
/// some 30 µs at most ([`Writing::write_next`]; a step of gzip takes less): others run after 80 µs at the latest. Only
/// the first answer of a core that is compressed holds them up for longer, once: its encoder takes 0.2 ms to be made.
const SLICE: Duration = Duration::from_micros(50);

/// The answers of a core: those that were written a moment ago, and those that are to be written. One at a
/// time is, so that a turn of the core's loop has one slice of it in it, however many ask.
#[derive(Debug, Default)]
pub(in crate::shard) struct Written {
    /// For those that are kept, or on their way to somebody.
    room: Room,
    kept: RefCell<VecDeque<Kept>>,
    queue: Queue<Query, Result<Told, Unwritten>>,
    #[cfg(feature = "compression")]
    gzip: Gzip,
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

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unwritten {
    /// Writing it panicked, which the log has been told.
    Panicked,
    /// There is no room for it beside the answers that are on their way.
    Crowded,
    /// It could not be compressed.
    #[cfg(feature = "compression")]
    Uncompressed(io::Error),
}

/// One that is given again.
#[derive(Debug)]
struct Kept {
    /// When it had been written.
    at_ns: u64,
    query: Query,
    told: Told,
}

/// Has the answer to `query` written behind what others have asked for, from the statistics that are the newest
/// when its turn comes. If the same has been written meanwhile, it is that.
pub(super) async fn write(shard: &Rc<Shard>, query: &Query) -> Result<Told, Unwritten> {
    let begin = || {
        glommio::spawn_local(serve(Rc::clone(shard))).detach();
    };
    shard.written.queue.ask(query.clone(), begin).await
}

/// Writes what is asked for until there is nothing left.
async fn serve(shard: Rc<Shard>) {
    let mut slice = Slice::begin(&shard);
    while let Some(job) = shard.written.queue.next() {
        let telling = AssertUnwindSafe(tell(&shard, &job, &mut slice));
        match telling.catch_unwind().await {
            Ok(outcome) => {
                if let Some(outcome) = outcome.transpose() {
                    job.done(outcome);
                }
            }
            Err(payload) => {
                let now_ns = shard.ring().now_ns();
                shard.service.log.panicked(&*payload, now_ns, About::nobody);
                job.done(Err(Unwritten::Panicked));
            }
        }
        slice.rest().await;
    }
}

/// Writes one, if it is not kept. None if nobody wants it any more.
async fn tell(
    shard: &Shard,
    job: &Job<Query, Result<Told, Unwritten>>,
    slice: &mut Slice<'_>,
) -> Result<Option<Told>, Unwritten> {
    let query = &job.what;
    if let Some(told) = shard.written.newest(shard, query) {
        return Ok(Some(told));
    }
    let view = shard.newest.get();
    let now_ns = shard.ring().clock_ns();
    let mut writing = Writing::new(query.format, &view, &query.selection, &shard.info, now_ns);
    while writing.write_next() {
        slice.rest().await;
        if !job.is_wanted() {
            return Ok(None);
        }
    }
    let pieces = writing.finish();
    #[cfg(feature = "compression")]
    let pieces = match query.is_gzipped {
        true => {
            let gzip = &shard.written.gzip;
            let compressed = gzip
                .compress(&pieces, async || slice.rest().await, || job.is_wanted())
                .await;
            match compressed.map_err(Unwritten::Uncompressed)? {
                Some(compressed) => compressed,
                None => return Ok(None),
            }
        }
        false => pieces,
    };
    let told = Told {
        pieces: shard.written.hold(pieces).ok_or(Unwritten::Crowded)?,
        merged_at_ns: view.merged_at_ns,
        newest_second: view.newest_second(),
    };
    shard.written.keep(Kept {
        at_ns: shard.ring().clock_ns(),
        query: query.clone(),
        told: told.clone(),
    });
    Ok(Some(told))
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

impl IntoResponse for Unwritten {
    fn into_response(self) -> Response {
        match self {
            Unwritten::Panicked => Response::error(StatusCode::INTERNAL_SERVER_ERROR, ""),
            Unwritten::Crowded => {
                try_later("Too many read the statistics of this core too slowly.")
            }
            // As an error of a handler it is told to the log.
            #[cfg(feature = "compression")]
            Unwritten::Uncompressed(error) => crate::app::Error::from(error).into_response(),
        }
    }
}

/// Refuses the statistics while as many have them as may.
pub(super) fn try_later(detail: &str) -> Response {
    Response::error(StatusCode::SERVICE_UNAVAILABLE, detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
}

impl Written {
    /// The answer to the same question from the newest view, if there is one that is not too old.
    pub(super) fn newest(&self, shard: &Shard, query: &Query) -> Option<Told> {
        self.forget(shard);
        let merged_at_ns = shard.newest.get().merged_at_ns;
        let kept = self.kept.borrow();
        let same = |kept: &&Kept| kept.told.merged_at_ns == merged_at_ns && kept.query == *query;
        kept.iter().find(same).map(|kept| kept.told.clone())
    }

    /// Holds what was written if there is room for it. What is only kept makes room.
    fn hold(&self, pieces: Vec<Bytes>) -> Option<Pieces> {
        let make_room = || self.kept.borrow_mut().clear();
        self.room.hold(pieces, make_room)
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
        self.told.pieces.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::held::pieces;
    use super::*;
    use crate::cores::CoreSelection;
    use crate::limits::STATS_HELD_BYTES;
    use crate::stats::{Format, Selection, View};
    use crate::{App, Request, Server};
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    fn query(format: Format) -> Query {
        Query {
            fresh: false,
            is_gzipped: false,
            format,
            selection: Selection::default(),
        }
    }

    /// An answer of so many bytes.
    fn answer(written: &Written, bytes: usize) -> Kept {
        Kept {
            at_ns: bytes as u64,
            query: query(Format::Json),
            told: Told {
                pieces: written.hold(pieces(bytes)).expect("room"),
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
            .for_each(|bytes| written.keep(answer(&written, *bytes)));
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
    fn what_is_only_kept_makes_room() {
        let written = Written::default();
        written.keep(answer(&written, 5));
        written.keep(answer(&written, 5));
        let rest = written.hold(pieces(STATS_HELD_BYTES - 10)).expect("room");
        assert_eq!(written.kept.borrow().len(), 2);
        let _last = written.hold(pieces(10)).expect("room");
        assert!(written.kept.borrow().is_empty());
        drop(rest);
    }

    #[test]
    fn none_is_written_while_there_is_no_room_for_it() {
        let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
        let running = server.start(|shard| {
            let held = shard.written.room.permits();
            let leave = Rc::new(RefCell::new(None));
            let given_up = Rc::clone(&leave);
            App::new()
                .get("/fill", move |_: Request| {
                    *leave.borrow_mut() = held.take_some(STATS_HELD_BYTES);
                    let is_full = leave.borrow().is_some();
                    async move { is_full.to_string() }
                })
                .get("/empty", move |_: Request| {
                    given_up.take();
                    async {}
                })
        });
        let running = running.expect("the server starts");
        let address = running.addresses()[0];
        let paths = ["/fill", "/stats", "/stats?format=prometheus&fresh=1"];
        let refused = responses(address, &paths);
        assert!(refused[0].ends_with("true"), "{refused:?}");
        for response in &refused[1..] {
            let (head, _) = response.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("503 "), "{response}");
            assert!(
                head.to_ascii_lowercase().contains("\r\nretry-after: 1\r\n"),
                "{response}"
            );
        }
        // Who follows them waits for a view for which there is room.
        let mut follower = TcpStream::connect(address).expect("it is accepted");
        write!(
            follower,
            "GET /stats?format=sse HTTP/1.1\r\nHost: a\r\n\r\n"
        )
        .expect("it is sent");
        let mut lines = BufReader::new(follower).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        while !line().is_empty() {}
        assert_eq!(last_status(address, &["/stats"]), "503");
        assert_eq!(last_status(address, &["/empty", "/stats"]), "200");
        loop {
            let line = line();
            assert_ne!(line, "0", "the events ended");
            if line.starts_with("data: ") {
                break;
            }
        }
        running.stop().expect("no shard failed");
    }

    /// The status of the last response to requests for these paths.
    fn last_status(address: SocketAddr, paths: &[&str]) -> String {
        let responses = responses(address, paths);
        responses[paths.len() - 1][..3].to_owned()
    }

    /// The responses to requests for these paths on a connection of their own, each from its status on.
    fn responses(address: SocketAddr, paths: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(address).expect("it is accepted");
        for (place, path) in paths.iter().enumerate() {
            let close = match place + 1 == paths.len() {
                true => "Connection: close\r\n",
                false => "",
            };
            write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n{close}\r\n").expect("it is sent");
        }
        let mut received = String::new();
        stream.read_to_string(&mut received).expect("text");
        let responses = received.split("HTTP/1.1 ").skip(1);
        let responses: Vec<_> = responses.map(str::to_owned).collect();
        assert_eq!(responses.len(), paths.len(), "{received}");
        responses
    }

    #[test]
    fn one_that_panics_when_it_is_written_is_answered_and_the_next_is_written() {
        let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
        let running = server.start(|shard| {
            let newest = shard.newest.clone();
            App::new().get("/break", move |_: Request| {
                let view = View::clone(&newest.get()).unwritable();
                newest.put(Arc::new(view));
                async {}
            })
        });
        let running = running.expect("the server starts");
        let address = running.addresses()[0];
        // The supervisor may put the next view there just in between.
        for _ in 0..2 {
            while last_status(address, &["/break", "/stats"]) != "500" {}
        }
        // It does within a second, and no panic was the end of what writes them.
        while last_status(address, &["/stats"]) != "200" {}
        running.stop().expect("no shard failed");
    }

    #[cfg(feature = "compression")]
    #[test]
    fn one_that_cannot_be_compressed_is_answered_and_told_to_the_log() {
        let unwritten = Unwritten::Uncompressed(io::Error::other("no memory"));
        let response = unwritten.into_response();
        assert_eq!(response.status, StatusCode::INTERNAL_SERVER_ERROR);
        let failure = response.failure().map(|failure| format!("{failure:?}"));
        assert!(failure.is_some_and(|failure| failure.contains("no memory")));
    }
}
