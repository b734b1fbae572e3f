//! Reads the body of a request out of the bytes that follow its head.
//!
//! It copies nothing and keeps nothing: it says which of the given bytes are content.

use std::ops::Range;

use ::http::{HeaderName, HeaderValue};

use super::chunked::ChunkedDecoder;
use super::framing::Framing;
use super::refusal::Refusal;
use crate::limits::Limits;

/// How much the body of a request may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most content, in bytes. Beyond: 413. Default: [`BODY_BYTES`](crate::limits::BODY_BYTES).
    pub content_bytes: u64,
    /// Longest chunk line, CR LF included, in bytes. Beyond: 400. Default:
    /// [`CHUNK_LINE_BYTES`](crate::limits::CHUNK_LINE_BYTES).
    pub chunk_line_bytes: usize,
    /// Most bytes that all chunk lines have beyond plain ones. Beyond: 400. Default:
    /// [`CHUNK_EXCESS_BYTES`](crate::limits::CHUNK_EXCESS_BYTES).
    pub chunk_excess_bytes: usize,
    /// Longest trailer section with the empty line that ends it, in bytes. Beyond: 431. Default:
    /// [`TRAILER_BYTES`](crate::limits::TRAILER_BYTES).
    pub trailer_bytes: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}

impl From<&Limits> for BodyLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            content_bytes: limits.body_bytes,
            chunk_line_bytes: limits.chunk_line_bytes,
            chunk_excess_bytes: limits.chunk_excess_bytes,
            trailer_bytes: limits.trailer_bytes,
        }
    }
}

impl BodyLimits {
    /// These limits with another for the content.
    #[must_use]
    pub fn with_content_bytes(mut self, content_bytes: u64) -> Self {
        self.content_bytes = content_bytes;
        self
    }
}

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes of the input are done with. 0 only if the input was empty or the body was
    /// complete.
    pub consumed: usize,
    /// Which of the consumed bytes are content; empty if they were all framing.
    pub data: Range<usize>,
}

/// Where the reading of one request's body stands.
#[derive(Debug, Clone)]
pub struct BodyDecoder(State);

#[derive(Debug, Clone)]
enum State {
    /// So many bytes to come; 0 is the end of any body that is not chunked.
    Length(u64),
    Chunked(ChunkedDecoder),
}

impl BodyDecoder {
    /// A decoder at the first byte after the head, for a body within `limits`.
    ///
    /// # Errors
    /// [`Refusal::BODY_TOO_LARGE`] if the declared length is over the limit (RFC 9110 §15.5.14).
    pub fn new(framing: Framing, limits: &BodyLimits) -> Result<Self, Refusal> {
        match framing {
            Framing::None => Ok(Self(State::Length(0))),
            Framing::Length(length) if length > limits.content_bytes => {
                Err(Refusal::BODY_TOO_LARGE)
            }
            Framing::Length(length) => Ok(Self(State::Length(length))),
            Framing::Chunked => Ok(Self(State::Chunked(ChunkedDecoder::new(*limits)))),
        }
    }

    /// Reads on in `input`: bytes that were not consumed yet. It never asks to see any twice.
    ///
    /// Stops after one contiguous run of content and the framing behind it, and at the end of the
    /// body: call it again with the rest until [`Self::is_complete`] or the input is used up. What
    /// is left then belongs to the next request.
    ///
    /// # Errors
    /// A [`Refusal`] for broken framing or a body over the limit. What was consumed in the same
    /// call is lost, and the decoder is of no use afterwards.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, Refusal> {
        match &mut self.0 {
            State::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= taken as u64;
                Ok(Decoded {
                    consumed: taken,
                    data: 0..taken,
                })
            }
            State::Chunked(chunked) => chunked.decode(input),
        }
    }

    /// Whether the whole body was read.
    #[inline]
    pub fn is_complete(&self) -> bool {
        match &self.0 {
            State::Length(left) => *left == 0,
            State::Chunked(chunked) => chunked.is_complete(),
        }
    }

    /// The trailer fields that followed the content, in the order received; once, and only when the
    /// body is complete. Those that RFC 9110 §6.5.1 forbids there are left out.
    pub fn take_trailers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        match &mut self.0 {
            State::Length(_) => Vec::new(),
            State::Chunked(chunked) => chunked.take_trailers(),
        }
    }

    /// How many bytes are still to come, where that is known: not in chunks, until they ended.
    ///
    /// It tells whether an unread body is worth draining.
    pub fn remaining_hint(&self) -> Option<u64> {
        match &self.0 {
            State::Length(left) => Some(*left),
            State::Chunked(chunked) => chunked.is_complete().then_some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::deliveries::body;
    use super::*;

    fn most(content_bytes: u64) -> BodyLimits {
        BodyLimits::default().with_content_bytes(content_bytes)
    }

    #[test]
    fn declared_lengths() {
        // Framing, bytes, then the content and what is left for the next request.
        type Case<'a> = (Framing, &'a [u8], &'a [u8], &'a [u8]);
        let cases: &[Case<'_>] = &[
            (Framing::None, b"GET", b"", b"GET"),
            (Framing::Length(0), b"GET", b"", b"GET"),
            (Framing::Length(3), b"abc", b"abc", b""),
            (Framing::Length(3), b"abcGET", b"abc", b"GET"),
            (
                Framing::Chunked,
                b"3\r\nabc\r\n0\r\n\r\nGET",
                b"abc",
                b"GET",
            ),
        ];
        for (framing, bytes, content, rest) in cases {
            body(*framing, 3, bytes, |outcome| {
                let read = outcome.as_ref().expect("a valid body");
                assert_eq!(
                    (&read.content[..], &bytes[read.consumed..]),
                    (*content, *rest)
                );
                assert!(read.complete);
            });
        }
    }

    #[test]
    fn a_short_body_is_not_complete() {
        let mut decoder = BodyDecoder::new(Framing::Length(u64::MAX), &most(u64::MAX)).unwrap();
        assert_eq!(
            decoder.decode(b"abc"),
            Ok(Decoded {
                consumed: 3,
                data: 0..3
            })
        );
        assert!(!decoder.is_complete());
        assert_eq!(decoder.remaining_hint(), Some(u64::MAX - 3));
    }

    #[test]
    fn a_length_at_the_limit_and_one_over() {
        for framing in [Framing::None, Framing::Length(10), Framing::Chunked] {
            assert!(BodyDecoder::new(framing, &most(10)).is_ok());
        }
        let over = BodyDecoder::new(Framing::Length(11), &most(10));
        assert_eq!(over.err(), Some(Refusal::BODY_TOO_LARGE));
    }

    #[test]
    fn the_hint_knows_lengths_and_ends() {
        let hint = |framing, input: &[u8]| {
            let mut decoder = BodyDecoder::new(framing, &most(10)).unwrap();
            decoder.decode(input).unwrap();
            decoder.remaining_hint()
        };
        assert_eq!(hint(Framing::None, b""), Some(0));
        assert_eq!(hint(Framing::Length(9), b"abcd"), Some(5));
        assert_eq!(hint(Framing::Chunked, b"3\r\nabc\r\n"), None);
        assert_eq!(hint(Framing::Chunked, b"0\r\n\r\n"), Some(0));
    }
}
