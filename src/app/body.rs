//! The content of a message, in both directions: none, in memory, or streamed from a source. It is
//! read here piece by piece; as a whole it is in `whole.rs`.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::headers::Headers;
use crate::http::Refusal;

/// The content of a request or a response.
#[derive(Default)]
pub enum Body {
    /// No content.
    #[default]
    Empty,
    /// All of the content, in memory.
    Bytes(Bytes),
    /// Content that arrives piece by piece; nothing is read before it is asked for.
    Stream {
        /// Where the pieces come from.
        source: Pin<Box<dyn BodySource>>,
        /// The sum of the pieces still to come, in bytes, if known: it becomes Content-Length.
        length: Option<u64>,
        /// Whether a piece was taken: what is to come is not the whole.
        is_begun: bool,
    },
    /// Content of which nothing is to come any more.
    Ended(BodyEnd),
}

/// How content ended that was read, or given away.
#[derive(Debug, Default)]
pub struct BodyEnd {
    /// What followed it, if anything did.
    trailers: Option<Box<Headers>>,
    lack: Option<Lack>,
}

/// Why nothing is not the whole content.
#[derive(Debug)]
enum Lack {
    /// Pieces of it were taken.
    Taken,
    /// It broke off.
    Failed(Box<BodyError>),
}

/// Something that yields content piece by piece: a connection, a file, a generator.
pub trait BodySource {
    /// The next piece; `None` at the end, after which it is not polled again.
    ///
    /// Back-pressure is the caller's: a source makes a piece only when it is polled for one. A
    /// piece may be empty.
    ///
    /// # Errors
    /// What went wrong ends the content: the source is not polled again.
    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>>;

    /// Whether [`BodySource::send_from_file`] may send what comes next, as far as can be told without looking at
    /// the file: only where this is true is that called. It is false unless a source says otherwise.
    fn is_in_file(&self) -> bool {
        false
    }

    /// Sends bytes that come next from where they lie, instead of giving them away as a piece: `send` is
    /// lent them, and says how many it has sent, fewer if the peer takes no more now, and none when it is
    /// called again in the same turn.
    ///
    /// `None` where the next bytes have to be asked for with [`BodySource::poll_data`]: they do not lie
    /// in a file, or not in memory. That is what it is unless a source says otherwise.
    ///
    /// # Errors
    /// As those of [`BodySource::poll_data`].
    fn send_from_file(
        self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        let _ = send;
        None
    }

    /// The server shuts down: content that could go on for ever and is whole wherever it stops may end
    /// where nothing more of it is ready. Others, which this leaves as they are, go on to their end. It is
    /// said before each poll from then on.
    fn stop(self: Pin<&mut Self>) {}

    /// Takes `pieces` back, which it gave away last, to give them away again: the whole was asked for,
    /// and whoever asked did not wait for it.
    ///
    /// # Errors
    /// They are the error where it has no place for them, as is so unless a source says otherwise.
    fn take_back(self: Pin<&mut Self>, pieces: Bytes) -> Result<(), Bytes> {
        Err(pieces)
    }

    /// The trailer fields (RFC 9110 §6.5), asked for once, when the content has ended.
    ///
    /// Those of a request are what its peer sent, without fields that may not stand there. Of those
    /// of a response the ones are sent that its Trailer field announces, and only where the content
    /// goes out in chunks (HTTP/1.1 and no declared length).
    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        Headers::new()
    }
}

/// Sends what it is lent of a file, and says how many bytes of it it has sent.
pub type SendFile<'a> = dyn FnMut(FilePiece<'_>) -> usize + 'a;

/// What comes next of a file.
#[derive(Clone, Copy, Debug)]
pub enum FilePiece<'a> {
    /// It goes out as it lies in memory: what is written to the file before the network has taken it
    /// reaches the peer.
    Pages {
        /// The file.
        file: BorrowedFd<'a>,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// Its length.
        bytes: usize,
    },
    /// A copy, which nobody changes.
    Copy(&'a [u8]),
}

impl FilePiece<'_> {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match *self {
            Self::Pages { bytes, .. } => bytes,
            Self::Copy(content) => content.len(),
        }
    }

    /// As much of it as `most` bytes.
    fn limited(self, most: usize) -> Self {
        match self {
            Self::Pages {
                file,
                offset,
                bytes,
            } => Self::Pages {
                file,
                offset,
                bytes: bytes.min(most),
            },
            Self::Copy(content) => Self::Copy(&content[..content.len().min(most)]),
        }
    }
}

/// Why content ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer's message is malformed or too large.
    #[error("{0}")]
    Refused(Refusal),
    /// The peer closed or reset the connection in the middle of its content.
    #[error("the peer closed the connection in the middle of its content")]
    Disconnected,
    /// The peer sent its content too slowly.
    #[error("the content did not arrive in time")]
    TimedOut,
    /// All of it was asked for, and some was taken before, piece by piece or with the body. It is the
    /// handler's failure.
    #[error("all of the content was asked for, of which some was taken before")]
    Taken,
    /// Reading from the source failed. It is the handler's failure, and answered with 500; with 503 if it
    /// is [`io::ErrorKind::ResourceBusy`], for the source can be read later. Where a part is out already, the
    /// log is told of that, and of [`io::ErrorKind::QuotaExceeded`], by which a source says that it is more than
    /// is taken, as WARN, and of others as ERROR.
    #[error("reading the content failed")]
    Io(#[from] io::Error),
}

impl Body {
    /// Content from `source`, `length` bytes in all if that is known.
    pub fn stream(source: impl BodySource + 'static, length: Option<u64>) -> Body {
        Body::Stream {
            source: Box::pin(source),
            length,
            is_begun: false,
        }
    }

    /// How many bytes are still to come, if known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Empty | Body::Ended(_) => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream { length, .. } => *length,
        }
    }

    /// Whether it is known that nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.length() == Some(0)
    }

    /// The trailer fields, once the content has been read to its end and if there are any.
    pub fn trailers(&self) -> Option<&Headers> {
        match self {
            Body::Ended(ended) => ended.trailers.as_deref(),
            _ => None,
        }
    }

    /// Why what is to come is not the whole content, if it is not.
    pub(super) fn lack(&self) -> Option<BodyError> {
        match self {
            Body::Stream { is_begun: true, .. } => Some(BodyError::Taken),
            Body::Ended(ended) => match ended.lack.as_ref()? {
                Lack::Taken => Some(BodyError::Taken),
                Lack::Failed(error) => Some(error.again()),
            },
            _ => None,
        }
    }

    /// [`Body::trailers`] for a source that hands them on: the body is empty then.
    pub(super) fn take_trailers(&mut self) -> Headers {
        match std::mem::take(self) {
            Body::Ended(BodyEnd {
                trailers: Some(trailers),
                ..
            }) => *trailers,
            _ => Headers::new(),
        }
    }

    /// The next piece of the content; `None` at its end, and ever after.
    ///
    /// # Errors
    /// Those of the source. An error ends the content: what came before it is not all of it.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// [`Body::next`] for code that polls.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = ready!(self.poll_piece(cx));
        if piece
            .as_ref()
            .is_some_and(|piece| piece.as_ref().is_ok_and(|bytes| !bytes.is_empty()))
        {
            match self {
                Body::Stream { is_begun, .. } => *is_begun = true,
                _ => *self = Body::Ended(BodyEnd::new(None, Some(Lack::Taken))),
            }
        }
        Poll::Ready(piece)
    }

    /// [`Body::poll_next`] for whoever keeps the pieces together: none is missing from the whole then.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Body::Stream {
            source,
            length,
            is_begun,
        } = self
        else {
            return Poll::Ready(match self {
                Body::Bytes(bytes) => {
                    let bytes = std::mem::take(bytes);
                    *self = Body::Empty;
                    (!bytes.is_empty()).then_some(Ok(bytes))
                }
                _ => None,
            });
        };
        let piece = ready!(source.as_mut().poll_data(cx));
        match &piece {
            Some(Ok(bytes)) => {
                *length = length.map(|length| length.saturating_sub(bytes.len() as u64));
            }
            // Neither an error nor the end is polled past, and the source's resources go now.
            Some(Err(error)) => {
                let lack = Lack::Failed(Box::new(error.again()));
                *self = Body::Ended(BodyEnd::new(None, Some(lack)));
            }
            None => {
                let trailers = source.as_mut().take_trailers();
                let trailers = (!trailers.is_empty()).then(|| Box::new(trailers));
                let lack = is_begun.then_some(Lack::Taken);
                *self = Body::Ended(BodyEnd::new(trailers, lack));
            }
        }
        Poll::Ready(piece)
    }

    /// [`BodySource::stop`] of its source.
    pub(crate) fn stop(&mut self) {
        if let Body::Stream { source, .. } = self {
            source.as_mut().stop();
        }
    }

    /// [`BodySource::is_in_file`] of its source.
    pub(crate) fn is_in_file(&self) -> bool {
        matches!(self, Body::Stream { source, .. } if source.is_in_file())
    }

    /// [`BodySource::send_from_file`] of its source, which is offered no more than is to come.
    pub(crate) fn send_from_file(
        &mut self,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        let Body::Stream { source, length, .. } = self else {
            return None;
        };
        let left = length.as_mut()?;
        source.as_mut().send_from_file(&mut |piece| {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            let sent = send(piece.limited(most));
            *left -= sent as u64;
            sent
        })
    }
}

impl BodyEnd {
    fn new(trailers: Option<Box<Headers>>, lack: Option<Lack>) -> BodyEnd {
        BodyEnd { trailers, lack }
    }

    /// Its trailers, if it has any.
    pub(super) fn into_trailers(self) -> Option<Box<Headers>> {
        self.trailers
    }
}

impl BodyError {
    /// The same error once more, for another who asks.
    pub(super) fn again(&self) -> BodyError {
        match self {
            BodyError::Refused(refusal) => BodyError::Refused(*refusal),
            BodyError::Disconnected => BodyError::Disconnected,
            BodyError::TimedOut => BodyError::TimedOut,
            BodyError::Taken => BodyError::Taken,
            BodyError::Io(error) => BodyError::Io(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
        }
    }
}

impl fmt::Debug for Body {
    /// Leaves the content out, for it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Body::Empty => "Empty",
            Body::Bytes(_) => "Bytes",
            Body::Stream { .. } => "Stream",
            Body::Ended(_) => "Ended",
        };
        f.debug_struct(kind)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body::Bytes(bytes.into())
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::Bytes(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Body {
        Body::Bytes(Bytes::from_static(text.as_bytes()))
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Body {
        Body::Bytes(Bytes::from_static(bytes))
    }
}

impl From<Box<str>> for Body {
    fn from(text: Box<str>) -> Body {
        Body::from(String::from(text))
    }
}

impl From<Cow<'static, str>> for Body {
    fn from(text: Cow<'static, str>) -> Body {
        match text {
            Cow::Borrowed(text) => Body::from(text),
            Cow::Owned(text) => Body::from(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures_lite::future::block_on;

    use super::*;

    /// Yields its pieces in order, and fails the test when it is polled after the last.
    struct Pieces(VecDeque<Option<Result<Bytes, BodyError>>>);

    impl BodySource for Pieces {
        fn poll_data(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Bytes, BodyError>>> {
            Poll::Ready(self.0.pop_front().expect("polled past the end"))
        }
    }

    fn stream(pieces: &[&'static str], length: Option<u64>) -> Body {
        let pieces = pieces.iter().map(|&piece| Some(Ok(Bytes::from(piece))));
        Body::stream(Pieces(pieces.chain([None]).collect()), length)
    }

    fn broken(error: BodyError) -> Body {
        let pieces = [Some(Ok(Bytes::from("ab"))), Some(Err(error))];
        Body::stream(Pieces(pieces.into()), None)
    }

    #[test]
    fn the_length_counts_down_and_the_end_is_final() {
        let mut body = stream(&["ab", "c"], Some(3));
        let mut seen = Vec::new();
        while let Some(piece) = block_on(body.next()) {
            seen.push((piece.unwrap(), body.length()));
        }
        assert_eq!(seen, [("ab".into(), Some(1)), ("c".into(), Some(0))]);
        assert!(block_on(body.next()).is_none());

        let mut body = Body::from("abc");
        assert_eq!(block_on(body.next()).unwrap().unwrap(), "abc");
        assert!(body.is_empty() && block_on(body.next()).is_none());
    }

    #[test]
    fn an_error_ends_the_content() {
        let mut body = broken(BodyError::Disconnected);
        assert!(block_on(body.next()).unwrap().is_ok());
        assert!(block_on(body.next()).unwrap().is_err());
        assert!(block_on(body.next()).is_none());
    }
}
