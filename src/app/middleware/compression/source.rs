//! Content that is compressed while it is sent.
//!
//! ```text
//! Body ─ pieces → slice ─ Encode → output ─ when the slice is full, the body pauses or ends → piece
//! ```
//!
//! A slice is what is taken between two turns of the core's other tasks. It ends with a flush, for
//! some encoders hold back several slices otherwise, to work on them at once; that costs half a
//! percent of the size.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::app::{Body, BodyError, BodySource, Headers};
use crate::coding::{Loan, Step};
use crate::limits::CODING_SLICE_BYTES;

pub(super) struct Encoded {
    body: Body,
    /// What the body still has to come to, if it has told its length.
    left: Option<u64>,
    /// None when all is encoded.
    encoder: Option<Loan>,
    /// What of the body's last piece was not taken.
    piece: Bytes,
    output: Vec<u8>,
    /// How much room is made for the output of a slice: about what the last one took.
    room: usize,
    /// How much of the slice was taken, in bytes.
    taken: usize,
    /// Whether something was taken since the last flush.
    is_held: bool,
}

impl Encoded {
    pub(super) fn new(body: Body, encoder: Loan) -> Encoded {
        Encoded {
            left: body.length(),
            body,
            encoder: Some(encoder),
            piece: Bytes::new(),
            output: Vec::new(),
            room: 0,
            taken: 0,
            is_held: false,
        }
    }

    pub(super) fn into_body(self) -> Body {
        Body::stream(self, None)
    }

    fn encode(&mut self, input: &[u8], step: Step) -> io::Result<()> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(());
        };
        self.is_held = step == Step::More;
        if self.output.capacity() == 0 && !input.is_empty() {
            self.output.reserve_exact(self.room);
        }
        encoder.encode(input, step, &mut self.output)
    }

    /// Takes note of a piece of `bytes`: what the body had declared would have been checked where it
    /// is sent, and is not told any more.
    fn account(&mut self, bytes: usize) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(bytes as u64).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the content is longer than declared",
                )
            })?;
        }
        Ok(())
    }

    /// Goes on until there is output to send; `None` at the end.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.encoder.is_none() {
            return Poll::Ready(Ok(None));
        }
        if self.taken >= CODING_SLICE_BYTES {
            self.taken = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if self.piece.is_empty() {
                match self.body.poll_next(cx) {
                    Poll::Ready(Some(piece)) => {
                        self.piece = piece?;
                        self.account(self.piece.len())?;
                        continue;
                    }
                    Poll::Ready(None) if self.left.is_some_and(|left| left > 0) => {
                        let error = io::ErrorKind::UnexpectedEof;
                        let error = io::Error::new(error, "the content is shorter than declared");
                        return Poll::Ready(Err(error.into()));
                    }
                    Poll::Ready(None) => {
                        self.encode(&[], Step::Finish)?;
                        self.encoder = None;
                        return Poll::Ready(Ok(Some(self.take_output())));
                    }
                    Poll::Pending if self.is_held => {
                        self.encode(&[], Step::Flush)?;
                        return Poll::Ready(Ok(Some(self.take_output())));
                    }
                    Poll::Pending => {
                        self.taken = 0;
                        return Poll::Pending;
                    }
                }
            }
            let room = CODING_SLICE_BYTES - self.taken;
            let input = self.piece.split_to(self.piece.len().min(room));
            self.taken += input.len();
            if self.taken >= CODING_SLICE_BYTES {
                self.encode(&input, Step::Flush)?;
                return Poll::Ready(Ok(Some(self.take_output())));
            }
            self.encode(&input, Step::More)?;
        }
    }

    fn take_output(&mut self) -> Bytes {
        let bytes = self.output.len();
        self.room = bytes + bytes / 8;
        std::mem::take(&mut self.output).into()
    }
}

impl BodySource for Encoded {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.advance(cx).map(Result::transpose)
    }

    fn stop(mut self: Pin<&mut Self>) {
        self.body.stop();
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        self.body.take_trailers()
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::task::Waker;

    use futures_lite::stream;

    use super::*;
    use crate::coding::Spares;
    use crate::http::ContentCoding;
    use crate::permits::Permits;

    fn encoded(body: Body) -> Body {
        let permit = Permits::new(1).take().unwrap();
        let encoder = Rc::new(Spares::default()).lend(ContentCoding::Gzip, permit);
        Encoded::new(body, encoder).into_body()
    }

    /// What polls of `body` gave until its end: the bytes of each piece, or `None` for a pause.
    fn polled(body: Body) -> Vec<Option<usize>> {
        let mut body = encoded(body);
        let mut cx = Context::from_waker(Waker::noop());
        let mut polls = Vec::new();
        loop {
            match body.poll_next(&mut cx) {
                Poll::Pending => polls.push(None),
                Poll::Ready(Some(piece)) => polls.push(Some(piece.unwrap().len())),
                Poll::Ready(None) => return polls,
            }
        }
    }

    #[test]
    fn room_for_a_slice_is_what_the_last_one_took() {
        let mut noise = vec![0; 4 * CODING_SLICE_BYTES];
        fastrand::Rng::with_seed(1).fill(&mut noise);
        let mut body = encoded(Body::from(noise));
        let mut cx = Context::from_waker(Waker::noop());
        let mut rooms = Vec::new();
        loop {
            match body.poll_next(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Some(piece)) => {
                    let piece = Vec::from(piece.unwrap());
                    rooms.push((piece.len(), piece.capacity()));
                }
                Poll::Ready(None) => break,
            }
        }
        let is_close = |&(bytes, room): &(usize, usize)| {
            bytes >= CODING_SLICE_BYTES && room < bytes + bytes / 4
        };
        // The first is not known before, and the last is what ends the stream.
        assert!(rooms[1..4].iter().all(is_close), "{rooms:?}");
        assert!(
            rooms.len() == 5 && rooms[4].1 < CODING_SLICE_BYTES,
            "{rooms:?}"
        );
    }

    #[test]
    fn a_slice_is_encoded_and_the_others_have_their_turn() {
        let is_piece = |poll: &Option<usize>| poll.is_some();
        for (slices, more) in [(0, 1), (1, 0), (1, 1), (3, 0), (3, 1)] {
            let bytes = slices * CODING_SLICE_BYTES + more;
            let whole = Body::from(vec![b'a'; bytes]);
            let pieces = bytes.div_ceil(1000);
            let pieces = (0..pieces).map(move |at| vec![b'a'; (bytes - at * 1000).min(1000)]);
            let pieces = stream::iter(pieces.map(io::Result::Ok));
            for body in [whole, Body::from_stream(pieces)] {
                let polls = polled(body);
                // A piece for each slice with a pause behind it, and the end.
                assert_eq!(polls.len(), 2 * slices + 1, "{bytes}: {polls:?}");
                for pair in polls.chunks(2) {
                    assert!(
                        is_piece(&pair[0]) && !pair[1..].iter().any(is_piece),
                        "{polls:?}"
                    );
                }
            }
        }
    }
}
