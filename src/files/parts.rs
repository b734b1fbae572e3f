//! Parts of a file as the content of a response: sent from where they lie as long as that is in memory, and
//! otherwise read piece by piece.

use std::cmp::min;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::representation::Multipart;
use super::transfer::{Held, Way};
use crate::app::{BodyError, BodySource, SendFile};
use crate::limits::{FILE_COPY_BYTES, FILE_PIECE_BYTES, FILE_SAMPLE_BYTES, FILE_TURN_BYTES};

/// What a response is made of, in order.
#[derive(Debug)]
enum Segment {
    Text(Bytes),
    Of(Range<u64>),
}

/// Parts of a file as the content of a response.
pub(super) struct FileBody {
    way: Way,
    /// At hand while nothing is read.
    held: Option<Held>,
    segments: VecDeque<Segment>,
    /// Of the first of the segments.
    reading: Option<Reading>,
    /// Whether it is sent from the file where that is in memory.
    is_sent_from_file: bool,
}

type Reading = Pin<Box<dyn Future<Output = (Held, io::Result<Vec<u8>>)>>>;

impl FileBody {
    /// The bytes of `range`.
    pub(super) fn part(held: Held, range: Range<u64>, way: Way) -> Self {
        Self::new(held, [Segment::Of(range)].into(), way)
    }

    /// The parts of `multipart`.
    pub(super) fn parts(held: Held, multipart: Multipart, way: Way) -> Self {
        let Multipart { parts, end } = multipart;
        let segments = parts.into_iter().flat_map(|(head, range)| {
            let head = Segment::Text(head.into());
            [head, Segment::Of(range)]
        });
        let end = Segment::Text(end.into());
        Self::new(held, segments.chain([end]).collect(), way)
    }

    fn new(held: Held, segments: VecDeque<Segment>, way: Way) -> Self {
        Self {
            way,
            held: Some(held),
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
    /// Of pages the end of each part is read as any other piece, and given away only if all before it
    /// was of one version: what is changed in time for that is no whole response.
    fn send_from_file(
        self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        let body = self.get_mut();
        body.is_sent_from_file = true;
        let (Some(held), Some(Segment::Of(range))) = (&mut body.held, body.segments.front_mut())
        else {
            return None;
        };
        let (offset, left) = (range.start, range.end - range.start);
        let (kept_back, most) = match body.way {
            Way::Pages => (FILE_SAMPLE_BYTES as u64, FILE_TURN_BYTES as u64),
            Way::Copies(_) => (0, FILE_COPY_BYTES as u64),
        };
        let bytes = min(left.checked_sub(kept_back)?, most) as usize;
        if bytes == 0 {
            return None;
        }
        let sent = match &mut body.way {
            Way::Pages => held.send_pages(offset, bytes, send)?,
            Way::Copies(copied) => held.send_copy(offset, bytes, copied, send)?,
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
                body.held = Some(held);
                if let (Ok(piece), Some(Segment::Of(range))) = (&piece, body.segments.front_mut()) {
                    range.start += piece.len() as u64;
                }
                return Poll::Ready(Some(piece.map(Bytes::from).map_err(BodyError::from)));
            }
            match body.segments.front() {
                None => return Poll::Ready(None),
                Some(Segment::Of(range)) if !range.is_empty() => {
                    let range = range.clone();
                    let held = body.held.take();
                    body.reading = held.map(|held| body.read(held, range));
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
