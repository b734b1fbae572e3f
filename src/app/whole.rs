//! Content as a whole: its pieces gathered. Where that ends before its time, nothing is lost that
//! somebody else could take for the whole:
//!
//! | what ends it | what is left |
//! |---|---|
//! | it is larger than the limit | the content as it was: the pieces first, then the rest |
//! | whoever asked drops the future | the same |
//! | the content breaks off | that error, for all who ask |
//!
//! Content that was taken piece by piece before is never told as a whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::body::{Body, BodyError, BodySource, SendFile};
use super::headers::Headers;
use crate::http::Refusal;

/// The most that is reserved before any of the content has arrived, in bytes: a declared length alone
/// costs its peer nothing.
const RESERVE_BYTES: u64 = 16 * 1024;

impl Body {
    /// All of the content, if it is at most `limit` bytes.
    ///
    /// A single piece is passed on without copying it.
    ///
    /// # Errors
    /// [`Refusal::BODY_TOO_LARGE`] beyond the limit, before anything is read if the length is
    /// known; [`BodyError::Taken`] if some of it was taken before; otherwise the error of the source,
    /// though it was met before.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, BodyError> {
        self.gather(limit).await
    }

    /// [`Body::collect`] that leaves the trailers behind, and of content that was not gathered to its
    /// end what the module says.
    pub(super) async fn gather(&mut self, limit: u64) -> Result<Bytes, BodyError> {
        if let Some(error) = self.lack() {
            return Err(error);
        }
        let declared = self.length();
        if declared.is_some_and(|length| length > limit) {
            return Err(BodyError::Refused(Refusal::BODY_TOO_LARGE));
        }
        let mut gathering = Gathering {
            body: self,
            reserve: declared.unwrap_or(0).min(RESERVE_BYTES) as usize,
            whole: Vec::new(),
            last: Bytes::new(),
        };
        while let Some(piece) = poll_fn(|cx| gathering.body.poll_piece(cx)).await {
            match piece {
                Ok(piece) => gathering.add(piece),
                Err(error) => {
                    gathering.take();
                    *gathering.body = Body::broken(error.again());
                    return Err(error);
                }
            }
            if gathering.bytes() > limit {
                return Err(BodyError::Refused(Refusal::BODY_TOO_LARGE));
            }
        }
        Ok(gathering.take())
    }

    /// Content of which nothing comes but `error`.
    pub(super) fn broken(error: BodyError) -> Body {
        Body::stream(Broken(Some(error)), None)
    }

    /// Takes `pieces` back, which were the last that it gave away.
    fn take_back(&mut self, pieces: Bytes) {
        let Body::Stream { source, length, .. } = self else {
            *self = Body::Bytes(pieces);
            return;
        };
        *length = length.map(|length| length + pieces.len() as u64);
        if let Err(pieces) = source.as_mut().take_back(pieces) {
            let rest = std::mem::replace(source, Box::pin(Broken(None)));
            *source = Box::pin(Returned { pieces, rest });
        }
    }
}

/// The pieces of `body` so far, which go back into it unless they are taken.
struct Gathering<'a> {
    body: &'a mut Body,
    /// How much `whole` has room for at first, in bytes.
    reserve: usize,
    /// All but the last.
    whole: Vec<u8>,
    last: Bytes,
}

impl Gathering<'_> {
    fn bytes(&self) -> u64 {
        self.whole.len() as u64 + self.last.len() as u64
    }

    fn add(&mut self, piece: Bytes) {
        if !self.last.is_empty() {
            if self.whole.is_empty() {
                self.whole
                    .reserve(self.reserve.max(self.last.len() + piece.len()));
            }
            self.whole.extend_from_slice(&self.last);
        }
        self.last = piece;
    }

    fn take(&mut self) -> Bytes {
        let last = std::mem::take(&mut self.last);
        if self.whole.is_empty() {
            return last;
        }
        self.whole.extend_from_slice(&last);
        std::mem::take(&mut self.whole).into()
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let pieces = self.take();
        if !pieces.is_empty() {
            self.body.take_back(pieces);
        }
    }
}

/// A source with pieces before it that it had given away. There is one at most around a source.
struct Returned {
    pieces: Bytes,
    rest: Pin<Box<dyn BodySource>>,
}

impl BodySource for Returned {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self.pieces.is_empty() {
            true => self.rest.as_mut().poll_data(cx),
            false => Poll::Ready(Some(Ok(std::mem::take(&mut self.pieces)))),
        }
    }

    fn is_in_file(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_in_file()
    }

    fn send_from_file(
        mut self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        match self.pieces.is_empty() {
            true => self.rest.as_mut().send_from_file(send),
            false => None,
        }
    }

    fn stop(mut self: Pin<&mut Self>) {
        self.rest.as_mut().stop();
    }

    fn take_back(mut self: Pin<&mut Self>, pieces: Bytes) -> Result<(), Bytes> {
        self.pieces = match self.pieces.is_empty() {
            true => pieces,
            false => [pieces, std::mem::take(&mut self.pieces)].concat().into(),
        };
        Ok(())
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        self.rest.as_mut().take_trailers()
    }
}

/// A source that has nothing but an error.
struct Broken(Option<BodyError>);

impl BodySource for Broken {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    type Piece = Option<Result<Bytes, BodyError>>;

    /// Yields its pieces in order, waits once where there is none, and fails the test when it is
    /// polled after the last.
    struct Pieces(VecDeque<Poll<Piece>>);

    impl BodySource for Pieces {
        fn poll_data(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Piece> {
            self.0.pop_front().expect("polled past the end")
        }

        fn take_trailers(self: Pin<&mut Self>) -> Headers {
            let mut trailers = Headers::new();
            trailers.append("x-sum".parse().unwrap(), "5".parse().unwrap());
            trailers
        }
    }

    fn piece(text: &'static str) -> Poll<Piece> {
        Poll::Ready(Some(Ok(text.into())))
    }

    fn source(pieces: impl IntoIterator<Item = Poll<Piece>>) -> Pieces {
        Pieces(pieces.into_iter().collect())
    }

    fn stream(pieces: &[&'static str], length: Option<u64>) -> Body {
        let pieces = pieces.iter().map(|text| piece(text));
        Body::stream(source(pieces.chain([Poll::Ready(None)])), length)
    }

    fn is_too_large(outcome: Result<Bytes, BodyError>) -> bool {
        matches!(outcome, Err(BodyError::Refused(Refusal::BODY_TOO_LARGE)))
    }

    /// Each body of five bytes that there is, and the smaller ones.
    fn bodies() -> Vec<(Body, &'static str)> {
        vec![
            (Body::Empty, ""),
            (Body::from(""), ""),
            (stream(&[], None), ""),
            (stream(&[""], Some(0)), ""),
            (Body::from("hello"), "hello"),
            (stream(&["hello"], None), "hello"),
            (stream(&["hello"], Some(5)), "hello"),
            (stream(&["he", "", "llo"], None), "hello"),
            (stream(&["h", "e", "l", "l", "o"], Some(5)), "hello"),
            (stream(&["", "hello", ""], None), "hello"),
        ]
    }

    #[test]
    fn all_pieces_are_collected() {
        for (body, expected) in bodies() {
            let name = format!("{body:?}");
            let collected = block_on(body.collect(1000)).unwrap();
            assert_eq!(collected, expected, "{name}");
        }
    }

    #[test]
    fn content_is_collected_up_to_the_limit() {
        for (body, content) in bodies() {
            let name = format!("{body:?}");
            let collected = block_on(body.collect(content.len() as u64)).unwrap();
            assert_eq!(collected, content, "{name}");
        }
        for (body, _) in bodies()
            .into_iter()
            .filter(|(_, content)| content.len() == 5)
        {
            let name = format!("{body:?}");
            let refused = block_on(body.collect(4)).unwrap_err();
            assert!(
                matches!(refused, BodyError::Refused(Refusal::BODY_TOO_LARGE)),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_refused_before_reading() {
        struct Untouched;
        impl BodySource for Untouched {
            fn poll_data(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Bytes, BodyError>>> {
                panic!("the source was polled");
            }
        }
        let body = Body::stream(Untouched, Some(11));
        assert!(block_on(body.collect(10)).is_err());
    }

    /// `01`, a wait, `234`, a wait, `5`, and trailers.
    fn slow(length: Option<u64>) -> Body {
        let pieces = [
            piece("01"),
            Poll::Pending,
            piece("234"),
            Poll::Pending,
            piece("5"),
            Poll::Ready(None),
        ];
        Body::stream(source(pieces), length)
    }

    #[test]
    fn whoever_asks_again_after_a_future_was_dropped_gets_all() {
        for length in [None, Some(6)] {
            let mut body = slow(length);
            for _ in 0..2 {
                assert!(block_on(poll_once(body.gather(6))).is_none());
                assert_eq!(body.length(), length);
            }
            assert_eq!(block_on(body.gather(6)).unwrap(), "012345");
            assert!(body.trailers().is_some());

            // The same in pieces.
            let mut body = slow(length);
            assert!(block_on(poll_once(body.gather(6))).is_none());
            assert!(block_on(poll_once(body.gather(6))).is_none());
            let mut next = || block_on(body.next()).map(Result::unwrap);
            assert_eq!([next(), next()], [Some("01234".into()), Some("5".into())]);
            assert_eq!(next(), None);
            assert!(body.trailers().is_some());
        }
    }

    #[test]
    fn whoever_asks_again_with_a_higher_limit_gets_all() {
        for limits in [&[1, 6][..], &[0, 4, 5, 6], &[1, 1, 1, 6]] {
            for length in [None, Some(6)] {
                let mut body = stream(&["01", "234", "", "5"], length);
                let (last, lower) = limits.split_last().unwrap();
                for &limit in lower {
                    assert!(is_too_large(block_on(body.gather(limit))), "{limits:?}");
                    assert_eq!(body.length(), length);
                }
                let all = block_on(body.gather(*last)).unwrap();
                assert_eq!(all, "012345", "{limits:?}");
                assert!(body.trailers().is_some());
            }
        }
    }

    #[test]
    fn what_was_returned_is_kept_in_one_place() {
        let waits = (0..20_000).flat_map(|_| [piece("x"), Poll::Pending]);
        let mut body = Body::stream(source(waits.chain([Poll::Ready(None)])), None);
        let mut dropped = 0;
        let all = loop {
            match block_on(poll_once(body.gather(1 << 20))) {
                Some(all) => break all.unwrap(),
                None => dropped += 1,
            }
        };
        assert_eq!((all.len(), dropped), (20_000, 20_000));
    }

    #[test]
    fn an_error_is_everybodys() {
        let broken = || {
            let pieces = [piece("01"), Poll::Ready(Some(Err(BodyError::TimedOut)))];
            Body::stream(source(pieces), None)
        };
        let is_late = |outcome| matches!(outcome, Err(BodyError::TimedOut));
        // Met by whoever asked for all of it,
        let mut body = broken();
        for _ in 0..3 {
            assert!(is_late(block_on(body.gather(9))));
        }
        assert!(!body.is_empty());
        assert!(is_late(block_on(body.next()).unwrap()));
        assert!(block_on(body.next()).is_none());
        assert!(is_late(block_on(body.gather(9))));
        // or by whoever read it in pieces.
        let mut body = broken();
        assert!(block_on(body.next()).unwrap().is_ok());
        assert!(is_late(block_on(body.next()).unwrap()));
        for _ in 0..2 {
            assert!(is_late(block_on(body.gather(9))));
        }
        assert!(block_on(body.next()).is_none());
        assert!(is_late(block_on(body.collect(9))));
    }

    #[test]
    fn what_is_left_of_pieces_is_not_told_as_all() {
        let is_taken = |outcome| matches!(outcome, Err(BodyError::Taken));
        for pieces in 1..=4 {
            for mut body in [slow(None), slow(Some(6)), Body::from("012345")] {
                for _ in 0..pieces {
                    while block_on(poll_once(body.next())).is_none() {}
                }
                for limit in [9, 0] {
                    assert!(is_taken(block_on(body.gather(limit))), "{body:?}, {pieces}");
                }
                assert!(is_taken(block_on(body.collect(9))));
            }
        }
        // Nothing is missing where nothing was taken.
        for mut body in [stream(&[], None), stream(&["", ""], None), Body::Empty] {
            while block_on(body.next()).is_some() {}
            assert_eq!(block_on(body.gather(0)).unwrap(), "");
        }
    }
}
