//! Bodies read as streams and as readers, and what becomes of errors on the way.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use futures_lite::future::block_on;
use futures_lite::io::Cursor;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, StreamExt, stream};

use super::*;

/// Yields its items in order, and fails the test when it is polled after the last.
struct Items(VecDeque<Option<io::Result<&'static str>>>);

impl Stream for Items {
    type Item = io::Result<&'static str>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().expect("polled past the end"))
    }
}

fn items(items: &[&'static str]) -> Items {
    let items = items.iter().map(|&item| Some(Ok(item)));
    Items(items.chain([None]).collect())
}

#[test]
fn what_a_stream_yields_is_the_content() {
    for pieces in [&[][..], &[""], &["a"], &["a", "", "bc", ""]] {
        let body = Body::from_stream(items(pieces));
        assert_eq!(body.length(), None);
        assert_eq!(block_on(body.collect(9)).unwrap(), pieces.concat());
    }
}

#[test]
fn what_a_reader_reads_is_the_content() {
    for bytes in [0, 1, READER_PIECE_BYTES, READER_PIECE_BYTES + 1] {
        let content = vec![b'x'; bytes];
        let mut body = Body::from_reader(Cursor::new(content.clone()), Some(bytes as u64));
        assert_eq!(body.length(), Some(bytes as u64));
        let mut pieces = 0;
        let mut seen = Vec::new();
        while let Some(piece) = block_on(body.next()) {
            seen.extend(piece.unwrap());
            pieces += 1;
        }
        assert!(seen == content, "{bytes}");
        assert_eq!(pieces, bytes.div_ceil(READER_PIECE_BYTES));
    }
}

/// Has nothing at every second poll, writes where nothing was written yet in the buffer, and tells how
/// much of that it found.
struct Marks {
    polls: usize,
    found: Rc<Cell<usize>>,
}

impl AsyncRead for Marks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let place = &mut buffer[self.polls];
        self.found
            .set(self.found.get() + usize::from(*place == b'x'));
        buffer.fill(b'x');
        self.polls += 1;
        match self.polls % 2 {
            1 => Poll::Pending,
            _ => Poll::Ready(Ok(self.polls)),
        }
    }
}

#[test]
fn a_buffer_is_made_once_for_what_comes_bit_by_bit() {
    let found = Rc::new(Cell::new(0));
    let marks = Marks {
        polls: 0,
        found: Rc::clone(&found),
    };
    let mut body = Body::from_reader(marks, None);
    let mut cx = Context::from_waker(Waker::noop());
    for polls in 1..=10 {
        let piece = body.poll_next(&mut cx).map(|piece| piece.unwrap().unwrap());
        let expected = (polls % 2 == 0).then(|| vec![b'x'; polls]);
        assert_eq!(expected.is_none(), piece.is_pending());
        if let Poll::Ready(piece) = piece {
            assert_eq!(Some(Vec::from(piece)), expected);
        }
    }
    // All but the first poll got what the one before had left.
    assert_eq!(found.get(), 9);
}

#[test]
fn the_error_of_a_source_ends_its_content_as_what_it_is() {
    let io = || io::Error::from(io::ErrorKind::AddrInUse);
    let kind = |error: Option<Result<Bytes, BodyError>>| match error {
        Some(Err(BodyError::Io(error))) => Some(error.kind()),
        _ => None,
    };
    let mut body = Body::from_stream(Items([Some(Ok("a")), Some(Err(io()))].into()));
    assert_eq!(block_on(body.next()).unwrap().unwrap(), "a");
    assert_eq!(kind(block_on(body.next())), Some(io::ErrorKind::AddrInUse));
    assert!(block_on(body.next()).is_none());

    let mut body = Body::from_stream(stream::iter([Err::<Bytes, _>(BodyError::TimedOut)]));
    let error = block_on(body.next()).unwrap().unwrap_err();
    assert!(matches!(error, BodyError::TimedOut));

    let text: Result<Bytes, &str> = Err("no");
    let mut body = Body::from_stream(stream::iter([text]));
    assert_eq!(kind(block_on(body.next())), Some(io::ErrorKind::Other));
}

#[test]
fn a_body_is_a_stream_and_a_reader() {
    let body = || Body::from_stream(items(&["a\nb", "", "c\n"]));
    let pieces: Vec<_> = block_on(StreamExt::collect(body().map(Result::unwrap)));
    assert_eq!(pieces, ["a\nb", "", "c\n"]);
    let mut text = String::new();
    block_on(body().into_reader().read_to_string(&mut text)).unwrap();
    assert_eq!(text, "a\nbc\n");
    let lines = body().into_reader().lines().map(Result::unwrap);
    assert_eq!(block_on(StreamExt::collect::<Vec<_>>(lines)), ["a", "bc"]);
}

#[test]
fn what_a_reader_meets_is_still_the_peers() {
    for (error, status) in [
        (BodyError::TimedOut, 408),
        (
            BodyError::Refused(crate::http::Refusal::BODY_TOO_LARGE),
            413,
        ),
        (BodyError::Disconnected, 400),
        (BodyError::Io(io::Error::other("disk on fire")), 500),
    ] {
        let body = Body::from_stream(stream::iter([Err::<Bytes, _>(error)]));
        let read = block_on(body.into_reader().read(&mut [0]));
        let error = super::super::error::Error::from(read.unwrap_err());
        assert_eq!(error.status().as_u16(), status, "{error:?}");
    }
}
