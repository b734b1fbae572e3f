//! Forms with files (`multipart/form-data`, RFC 7578), part by part. What separates parts is the
//! crate multer's work; here it gets the content, and no more of it than it asks for.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_lite::Stream;
use http::StatusCode;

use super::body::Body;
use super::error::{Error, Result};
use super::request::Request;
use crate::limits::{PART_BYTES, PART_HEAD_BYTES, PARTS};

/// RFC 2046 §5.1.1: the longest boundary there is, in bytes.
const BOUNDARY_BYTES: usize = 70;

/// A form whose parts are read one after the other.
///
/// ```
/// use corelane::{Request, Result};
///
/// /// Tells how large each file of an upload is.
/// async fn upload(mut request: Request) -> Result<String> {
///     let mut form = request.multipart()?.with_part_limit(64 << 20);
///     let mut told = String::new();
///     while let Some(mut part) = form.next_part().await? {
///         let name = part.file_name().unwrap_or("(no file)").to_owned();
///         let mut bytes = 0;
///         while let Some(piece) = part.next().await? {
///             bytes += piece.len();
///         }
///         told += &format!("{name}: {bytes}\n");
///     }
///     Ok(told)
/// }
/// ```
pub struct Multipart {
    parser: multer::Multipart<'static>,
    /// The part that is being read.
    part: Option<multer::Field<'static>>,
    body: Body,
    feed: Arc<Mutex<Feed>>,
    parts: usize,
    part_limit: u64,
}

/// What the parser is given to read. It asks for what could go to another thread, hence the lock
/// around this, which only one thread knows of.
#[derive(Default)]
struct Feed {
    piece: Option<Bytes>,
    has_ended: bool,
}

/// The parser's end of a feed.
struct Fed(Arc<Mutex<Feed>>);

/// One part of a form: a field or a file.
///
/// It is read to its end, or as far as it is wanted: the rest is skipped.
pub struct Part<'a> {
    form: &'a mut Multipart,
    /// How many bytes of its content were read.
    bytes: u64,
}

impl Request {
    /// The content as a form with files (`multipart/form-data`). It is taken out of the request.
    ///
    /// In all it is no larger than other content: [`with_body_limit`](super::with_body_limit) sets
    /// that. It has no more than [`PARTS`] parts, each of up to [`PART_BYTES`] bytes unless
    /// [`Multipart::with_part_limit`] says otherwise.
    ///
    /// # Errors
    /// 415 if the media type is another or missing, 400 if it names no boundary.
    pub fn multipart(&mut self) -> Result<Multipart> {
        const FORM: &str = "multipart/form-data";
        let media_type = self.media_type();
        if !media_type.is_some_and(|is| is.eq_ignore_ascii_case(FORM)) {
            return Err(super::extract::unsupported(FORM));
        }
        let content_type = self.header("content-type").unwrap_or_default();
        let boundary = multer::parse_boundary(content_type)
            .ok()
            .filter(|boundary| (1..=BOUNDARY_BYTES).contains(&boundary.len()))
            .ok_or_else(|| bad_request("The Content-Type names no boundary."))?;
        let feed = Arc::default();
        Ok(Multipart {
            parser: multer::Multipart::new(Fed(Arc::clone(&feed)), boundary),
            part: None,
            body: self.take_body(),
            feed,
            parts: 0,
            part_limit: PART_BYTES,
        })
    }
}

impl Multipart {
    /// Accepts up to `bytes` of each part, instead of [`PART_BYTES`].
    #[must_use]
    pub fn with_part_limit(mut self, bytes: u64) -> Multipart {
        self.part_limit = bytes;
        self
    }

    /// The next part; `None` behind the last. What was not read of the one before is skipped.
    ///
    /// # Errors
    /// 413 if a part is too large, or there are too many; 400 if the form is malformed or breaks
    /// off; those of the content as it arrives (408, 413).
    pub async fn next_part(&mut self) -> Result<Option<Part<'_>>> {
        let mut skipped = 0;
        while self.next_piece(&mut skipped).await?.is_some() {}
        self.part = None;
        let mut head_bytes = 0;
        let next = poll_fn(|cx| {
            self.poll_fed(cx, &mut head_bytes, |form, cx| {
                form.parser.poll_next_field(cx)
            })
        });
        let Some(part) = next.await? else {
            return Ok(None);
        };
        if self.parts == PARTS {
            return Err(too_large("The form has too many parts."));
        }
        self.parts += 1;
        self.part = Some(part);
        Ok(Some(Part {
            form: self,
            bytes: 0,
        }))
    }

    /// The next piece of the part that is being read, of which `bytes` were read before.
    async fn next_piece(&mut self, bytes: &mut u64) -> Result<Option<Bytes>> {
        let piece = poll_fn(|cx| {
            // Of a part's content nothing is kept, so it may be fed without end.
            self.poll_fed(cx, &mut 0, |form, cx| match &mut form.part {
                Some(part) => Pin::new(part).poll_next(cx).map(Option::transpose),
                None => Poll::Ready(Ok(None)),
            })
        });
        let piece = piece.await?;
        *bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if *bytes > self.part_limit {
            return Err(too_large("A part of the form is too large."));
        }
        Ok(piece)
    }

    /// What `poll` gets from the parser, which is fed for as long as it asks for more. It keeps
    /// what it is fed while it looks for the head of a part, so `fed_bytes`, which counts what it
    /// was fed in vain, has a limit.
    fn poll_fed<T>(
        &mut self,
        cx: &mut Context<'_>,
        fed_bytes: &mut usize,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<multer::Result<T>>,
    ) -> Poll<Result<T>> {
        loop {
            if let Poll::Ready(outcome) = poll(self, cx) {
                return Poll::Ready(outcome.map_err(malformed));
            }
            if self.lock_feed().has_ended {
                // It looked at all there is, and waits for more.
                return Poll::Ready(Err(bad_request("The form breaks off.")));
            }
            if *fed_bytes > PART_HEAD_BYTES {
                return Poll::Ready(Err(bad_request("The head of a part is too long.")));
            }
            let piece = ready!(self.body.poll_next(cx)).transpose()?;
            *fed_bytes += piece.as_ref().map_or(0, Bytes::len);
            let mut feed = self.lock_feed();
            feed.has_ended = piece.is_none();
            feed.piece = piece;
        }
    }

    fn lock_feed(&self) -> std::sync::MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Fed {
    type Item = Result<Bytes, Infallible>;

    /// Whoever feeds polls the parser afterwards, so no wait keeps its waker.
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut feed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match feed.piece.take() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if feed.has_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Part<'_> {
    /// The name of its field. `None` if it has none, or none that is UTF-8.
    pub fn name(&self) -> Option<&str> {
        self.form.part.as_ref()?.name()
    }

    /// The name of the file as the peer tells it, if it is one: any text, and no safe path.
    pub fn file_name(&self) -> Option<&str> {
        self.form.part.as_ref()?.file_name()
    }

    /// The media type as the peer tells it, such as `image/png`.
    pub fn media_type(&self) -> Option<&str> {
        let content_type = self.form.part.as_ref()?.content_type();
        content_type.map(|media_type| media_type.essence_str())
    }

    /// The next piece of its content; `None` at its end. A piece may be empty.
    ///
    /// # Errors
    /// Those of [`Multipart::next_part`].
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.form.next_piece(&mut self.bytes).await
    }

    /// All that is left of its content.
    ///
    /// # Errors
    /// Those of [`Multipart::next_part`].
    pub async fn bytes(mut self) -> Result<Bytes> {
        let mut content = Vec::new();
        while let Some(piece) = self.next().await? {
            content.extend_from_slice(&piece);
        }
        Ok(content.into())
    }

    /// All that is left of its content as UTF-8 text.
    ///
    /// # Errors
    /// 400 if it is not UTF-8; those of [`Multipart::next_part`].
    pub async fn text(self) -> Result<String> {
        let content = self.bytes().await?;
        String::from_utf8(content.into())
            .map_err(|error| bad_request("A field of the form is not UTF-8.").with_source(error))
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Multipart")
            .field("body", &self.body)
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("name", &self.name())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cold]
fn malformed(error: multer::Error) -> Error {
    bad_request("The form is malformed.").with_source(error)
}

#[cold]
fn bad_request(message: &'static str) -> Error {
    Error::new(StatusCode::BAD_REQUEST, message)
}

#[cold]
fn too_large(message: &'static str) -> Error {
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}
