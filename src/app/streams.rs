//! Bodies made of futures' streams and readers, and read as such; trailers behind a body. What a
//! body is stands in `body.rs`.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_lite::{AsyncBufRead, AsyncRead, Stream};
use http::header::TRAILER;
use http::{HeaderName, HeaderValue};

use super::body::{Body, BodyError, BodySource};
use super::headers::Headers;
use super::response::Response;
use crate::limits::READER_PIECE_BYTES;

/// What of a reader is copied out of its buffer, which is used again then, up to this many bytes: a piece
/// does not keep room that it does not need.
const SHORT_BYTES: usize = READER_PIECE_BYTES / 2;

impl Body {
    /// Content that `stream` yields, of a length that is not known before.
    ///
    /// The stream is polled when the connection has room for more, and what it has yielded goes
    /// out before it is waited for. Where it fails, or panics, the content breaks off: the peer
    /// sees that it is not whole, and the log has the error.
    ///
    /// ```
    /// use corelane::{Body, IntoResponse, Request};
    /// use futures_lite::{StreamExt, stream};
    ///
    /// async fn count(_: Request) -> impl IntoResponse {
    ///     let lines = stream::iter(1..=1000).map(|n| std::io::Result::Ok(format!("{n}\n")));
    ///     Body::from_stream(lines)
    /// }
    /// ```
    pub fn from_stream<S, T, E>(stream: S) -> Body
    where
        S: Stream<Item = Result<T, E>> + 'static,
        T: Into<Bytes>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Body::stream(Streamed(Box::pin(stream)), None)
    }

    /// This content, which ends in order when the server shuts down, where nothing more of it is ready:
    /// news that never end would otherwise hold the shutdown up to its deadline. Its length is not
    /// declared. [`Sse`](super::Sse) is of this kind by itself.
    #[must_use]
    pub fn until_shutdown(self) -> Body {
        let until = UntilShutdown {
            body: self,
            is_stopped: false,
        };
        Body::stream(until, None)
    }

    /// Content that is read from `reader`, `length` bytes in all if that is known.
    ///
    /// It is read [`READER_PIECE_BYTES`] at a time, when the connection has room for more. A reader
    /// that ends before `length` has the content break off, as does one that fails.
    pub fn from_reader(reader: impl AsyncRead + 'static, length: Option<u64>) -> Body {
        let read = Read {
            reader: Box::pin(reader),
            buffer: Vec::new(),
        };
        Body::stream(read, length)
    }

    /// This content with the trailer fields that `trailers` makes when it has ended (RFC 9110
    /// §6.5), for instance a checksum of it. Those of its own go.
    ///
    /// As trailers are sent only where the content goes out in chunks, its length is not told
    /// before. They have to be announced, too: [`Response::with_trailers`] does both.
    #[must_use]
    pub fn with_trailers(self, trailers: impl FnOnce() -> Headers + 'static) -> Body {
        let trailed = Trailed {
            body: self,
            trailers: Some(Box::new(trailers)),
        };
        Body::stream(trailed, None)
    }

    /// This content as an [`AsyncRead`] and [`AsyncBufRead`], for code that reads.
    ///
    /// A [`BodyError`] comes as the [`io::Error`] that is made from it. `?` turns that back, so that
    /// what the peer did wrong is still answered with its 4xx status.
    pub fn into_reader(self) -> BodyReader {
        BodyReader {
            body: self,
            piece: Bytes::new(),
        }
    }
}

impl Response {
    /// This response with trailer fields behind its content, which `trailers` makes when that has
    /// ended. `names` are announced before (RFC 9110 §6.6.2), and others are not sent.
    ///
    /// HTTP/1.0 has no trailers: there they are left out.
    ///
    /// ```
    /// use corelane::app::{Headers, Response};
    /// use corelane::{IntoResponse, Request};
    /// use http::{HeaderName, HeaderValue};
    ///
    /// async fn export(_: Request) -> Response {
    ///     const ROWS: HeaderName = HeaderName::from_static("x-rows");
    ///     "a,b\n1,2\n".into_response().with_trailers(&[ROWS], || {
    ///         let mut trailers = Headers::new();
    ///         trailers.append(ROWS, HeaderValue::from(1));
    ///         trailers
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn with_trailers(
        mut self,
        names: &[HeaderName],
        trailers: impl FnOnce() -> Headers + 'static,
    ) -> Response {
        for name in names {
            self.headers
                .append(TRAILER, HeaderValue::from(name.clone()));
        }
        self.body = self.body.with_trailers(trailers);
        self
    }
}

/// The pieces of the content: the same as [`Body::next`].
impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Body::poll_next(self.get_mut(), cx)
    }
}

/// A stream whose items are pieces.
struct Streamed<S>(Pin<Box<S>>);

impl<S, T, E> BodySource for Streamed<S>
where
    S: Stream<Item = Result<T, E>>,
    T: Into<Bytes>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let item = ready!(self.0.as_mut().poll_next(cx));
        Poll::Ready(item.map(|item| match item {
            Ok(piece) => Ok(piece.into()),
            Err(error) => Err(BodyError::from_any(error.into())),
        }))
    }
}

/// A reader whose content is read piece by piece.
struct Read<R> {
    reader: Pin<Box<R>>,
    /// What is read into, if it has been made: kept while the reader has nothing, and behind pieces that are
    /// short.
    buffer: Vec<u8>,
}

impl<R: AsyncRead> BodySource for Read<R> {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Read { reader, buffer } = &mut *self;
        buffer.resize(READER_PIECE_BYTES, 0);
        let piece = match ready!(reader.as_mut().poll_read(cx, buffer)) {
            Ok(0) => None,
            Ok(read @ ..SHORT_BYTES) => Some(Ok(Bytes::copy_from_slice(&buffer[..read]))),
            Ok(read) => {
                buffer.truncate(read);
                return Poll::Ready(Some(Ok(std::mem::take(buffer).into())));
            }
            Err(error) => Some(Err(BodyError::from(error))),
        };
        if !matches!(piece, Some(Ok(_))) {
            *buffer = Vec::new();
        }
        Poll::Ready(piece)
    }
}

/// A body that may end at a shutdown.
struct UntilShutdown {
    body: Body,
    is_stopped: bool,
}

impl BodySource for UntilShutdown {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        match self.body.poll_next(cx) {
            Poll::Pending if self.is_stopped => Poll::Ready(None),
            polled => polled,
        }
    }

    fn stop(mut self: Pin<&mut Self>) {
        self.is_stopped = true;
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        self.body.take_trailers()
    }
}

/// A body with trailers of its handler's making.
struct Trailed {
    body: Body,
    trailers: Option<Box<dyn FnOnce() -> Headers>>,
}

impl BodySource for Trailed {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.body.poll_next(cx)
    }

    fn stop(mut self: Pin<&mut Self>) {
        self.body.stop();
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        let trailers = self.trailers.take();
        trailers.map_or_else(Headers::new, |trailers| trailers())
    }
}

/// A [`Body`] that is read: see [`Body::into_reader`].
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
    /// What of the last piece was not read.
    piece: Bytes,
}

impl AsyncRead for BodyReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let piece = ready!(self.as_mut().poll_fill_buf(cx))?;
        let bytes = piece.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&piece[..bytes]);
        self.consume(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncBufRead for BodyReader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let reader = self.get_mut();
        while reader.piece.is_empty() {
            match ready!(reader.body.poll_next(cx)) {
                Some(piece) => reader.piece = piece?,
                // What broke off has no end.
                None => match reader.body.lack() {
                    None | Some(BodyError::Taken) => break,
                    Some(error) => return Poll::Ready(Err(error.into())),
                },
            }
        }
        Poll::Ready(Ok(&reader.piece))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        let piece = &mut self.get_mut().piece;
        // More than there was is a mistake of the caller's, and no reason to panic.
        let _ = piece.split_to(bytes.min(piece.len()));
    }
}

impl BodyError {
    /// An error of a source: itself where it is one, else [`BodyError::Io`].
    pub(super) fn from_any(error: Box<dyn StdError + Send + Sync>) -> BodyError {
        let error = match error.downcast::<BodyError>() {
            Ok(error) => return *error,
            Err(error) => error,
        };
        match error.downcast::<io::Error>() {
            Ok(error) => BodyError::Io(*error),
            Err(error) => BodyError::Io(io::Error::other(error)),
        }
    }
}

/// For code that reads; the [`BodyError`] is in it.
impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> io::Error {
        let kind = match error {
            BodyError::Io(error) => return error,
            BodyError::Refused(_) => io::ErrorKind::InvalidData,
            BodyError::Disconnected => io::ErrorKind::UnexpectedEof,
            BodyError::TimedOut => io::ErrorKind::TimedOut,
            BodyError::Taken => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
