//! Parts of a file as the content of a response: sent from its replica as far as there is one, or else from where
//! they lie as long as that is in memory, and otherwise read piece by piece.

use std::cmp::min;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::replica::Replica;
use super::representation::Multipart;
use super::transfer::{Held, Way};
use crate::app::{BodyError, BodySource, FilePiece, SendFile};
use crate::limits::{FILE_COPY_BYTES, FILE_PIECE_BYTES, FILE_TURN_BYTES};

/// What a response is made of, in order.
#[derive(Debug)]
enum Segment {
    Text(Bytes),
    Of(Range<u64>),
}

/// Where the content of a response is.
#[derive(Debug)]
pub(super) enum Origin {
    /// In a file, of which what is read fills the replica.
    Held(Held, Option<Rc<Replica>>),
    /// In a replica that is whole.
    Replica(Rc<Replica>),
}

impl Origin {
    /// Where a replica is: there, or in the file that it is filled from.
    pub(super) fn of(replica: &Rc<Replica>) -> Self {
        let replica = Rc::clone(replica);
        match replica.source() {
            Some(file) => Self::Held(Held::new(file, replica.version()), Some(replica)),
            None => Self::Replica(replica),
        }
    }

    /// Ready to be sent from `offset` on: see [`Held::sampled`].
    pub(super) async fn sampled(self, offset: u64) -> io::Result<Self> {
        Ok(match self {
            Self::Held(held, replica) => Self::Held(held.sampled(offset).await?, replica),
            Self::Replica(_) => self,
        })
    }

    /// So many bytes from `offset` on, which there are.
    pub(super) async fn read(self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Held(held, _) => held.read(offset, bytes).await.1,
            Self::Replica(replica) => replica.read(offset, bytes),
        }
    }
}

/// Parts of a file as the content of a response.
pub(super) struct FileBody {
    way: Way,
    /// At hand while nothing is read; none, if the replica is whole.
    held: Option<Held>,
    replica: Option<Rc<Replica>>,
    segments: VecDeque<Segment>,
    /// Of the first of the segments.
    reading: Option<Reading>,
    /// Whether it is sent from the file where that is in memory.
    is_sent_from_file: bool,
}

type Reading = Pin<Box<dyn Future<Output = (Held, io::Result<Vec<u8>>)>>>;

impl FileBody {
    /// The bytes of `range`.
    pub(super) fn part(origin: Origin, range: Range<u64>, way: Way) -> Self {
        Self::new(origin, [Segment::Of(range)].into(), way)
    }

    /// The parts of `multipart`.
    pub(super) fn parts(origin: Origin, multipart: Multipart, way: Way) -> Self {
        let Multipart { parts, end } = multipart;
        let segments = parts.into_iter().flat_map(|(head, range)| {
            let head = Segment::Text(head.into());
            [head, Segment::Of(range)]
        });
        let end = Segment::Text(end.into());
        Self::new(origin, segments.chain([end]).collect(), way)
    }

    fn new(origin: Origin, segments: VecDeque<Segment>, way: Way) -> Self {
        let (held, replica) = match origin {
            Origin::Held(held, replica) => (Some(held), replica),
            Origin::Replica(replica) => (None, Some(replica)),
        };
        Self {
            way,
            held,
            replica,
            segments,
            reading: None,
            is_sent_from_file: false,
        }
    }

    /// Bytes still to be sent.
    pub(super) fn length(&self) -> u64 {
        let length = |segment: &Segment| match segment {
            Segment::Text(text) => text.len() as u64,
            Segment::Of(range) => range.end - range.start,
        };
        self.segments.iter().map(length).sum()
    }

    /// Begins to read the next piece of `range`.
    fn read(&self, held: Held, range: Range<u64>) -> Reading {
        let bytes = range.end - range.start;
        let has_pages_sent = self.is_sent_from_file && matches!(self.way, Way::Pages);
        if has_pages_sent && bytes > FILE_PIECE_BYTES as u64 {
            return Box::pin(held.fetch(range));
        }
        let bytes = min(bytes, FILE_PIECE_BYTES as u64);
        Box::pin(held.read(range.start, bytes as usize))
    }
}

impl BodySource for FileBody {
    fn is_in_file(&self) -> bool {
        let Some(Segment::Of(range)) = self.segments.front() else {
            return false;
        };
        let is_filled = || filled(&self.replica, range).is_some();
        let left = range.end - range.start;
        self.reading.is_none() && (left > self.way.kept_back() || left > 0 && is_filled())
    }

    /// Of pages the end of each part is read as any other piece, and given away only if all before it
    /// was of one version: what is changed in time for that is no whole response.
    fn send_from_file(
        self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        let body = self.get_mut();
        body.is_sent_from_file = true;
        let Some(Segment::Of(range)) = body.segments.front_mut() else {
            return None;
        };
        let (offset, left) = (range.start, range.end - range.start);
        if let Some((replica, bytes)) = filled(&body.replica, range) {
            let bytes = min(bytes, FILE_TURN_BYTES as u64) as usize;
            range.start += send(FilePiece::Pages {
                file: replica.pages(),
                offset,
                bytes,
            }) as u64;
            if replica.is_whole() {
                body.held = None;
            }
            return Some(Ok(()));
        }
        let held = body.held.as_mut()?;
        if let Err(error) = held.go_on(offset, body.replica.as_deref()) {
            return Some(Err(error.into()));
        }
        let most = match body.way {
            Way::Pages => FILE_TURN_BYTES as u64,
            Way::Copies(_) => FILE_COPY_BYTES as u64,
        };
        let bytes = min(left.checked_sub(body.way.kept_back())?, most) as usize;
        if bytes == 0 {
            return None;
        }
        let sent = match &mut body.way {
            Way::Pages => held.send_pages(offset, bytes, send)?,
            Way::Copies(copied) => {
                let replica = body.replica.as_deref();
                held.send_copy(offset, bytes, copied, replica, send)?
            }
        };
        Some(
            sent.map(|sent| range.start += sent as u64)
                .map_err(BodyError::from),
        )
    }

    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let body = self.get_mut();
        loop {
            if let Some(reading) = &mut body.reading {
                let (held, piece) = ready!(reading.as_mut().poll(cx));
                body.reading = None;
                if let (Ok(piece), Some(Segment::Of(range))) = (&piece, body.segments.front_mut()) {
                    if let Some(replica) = &body.replica {
                        replica.fill(held.version(), range.start, piece);
                    }
                    range.start += piece.len() as u64;
                }
                body.held = Some(held);
                return Poll::Ready(Some(piece.map(Bytes::from).map_err(BodyError::from)));
            }
            match body.segments.front_mut() {
                None => return Poll::Ready(None),
                Some(Segment::Of(range)) if !range.is_empty() => {
                    if let Some((replica, bytes)) = filled(&body.replica, range) {
                        let bytes = min(bytes, FILE_PIECE_BYTES as u64);
                        let piece = replica.read(range.start, bytes as usize);
                        range.start += bytes;
                        return Poll::Ready(Some(piece.map(Bytes::from).map_err(BodyError::from)));
                    }
                    let range = range.clone();
                    let Some(mut held) = body.held.take() else {
                        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                        return Poll::Ready(Some(Err(error.into())));
                    };
                    if let Err(error) = held.go_on(range.start, body.replica.as_deref()) {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    body.reading = Some(body.read(held, range));
                }
                Some(_) => {
                    if let Some(Segment::Text(text)) = body.segments.pop_front() {
                        return Poll::Ready(Some(Ok(text)));
                    }
                }
            }
        }
    }
}

/// As many bytes of `range`, from its beginning on, as there are in the replica, if there are any.
fn filled<'a>(replica: &'a Option<Rc<Replica>>, range: &Range<u64>) -> Option<(&'a Replica, u64)> {
    let replica = replica.as_deref()?;
    let bytes = min(replica.filled_from(range.start), range.end - range.start);
    (bytes > 0).then_some((replica, bytes))
}
