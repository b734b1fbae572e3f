//! Leaving HTTP: a response that switches protocols (RFC 9110 §7.8), and the connection as whatever
//! speaks the other protocol sees it. Who moves the bytes is elsewhere.
//!
//! ```text
//! upgrade(&req, "name", work) ─→ 101 ─→ work(Upgraded) ─→ its end is the connection's
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_lite::{AsyncRead, AsyncWrite};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, StatusCode, Version};

use super::request::Request;
use super::response::Response;
use crate::http::{Event, Framing, members};
use crate::limits::GATHER_BYTES;

/// The answer to `req` that switches its connection to `protocol`, and has `work` speak that: 101
/// (Switching Protocols). When the future that `work` makes ends, the connection does.
///
/// Where the request did not ask for `protocol` it is 426 (Upgrade Required), and 400 where it has
/// content or is malformed; `work` is then dropped.
///
/// ```
/// use corelane::app::{self, App, Request, Upgraded};
/// use futures_lite::{AsyncReadExt, AsyncWriteExt};
///
/// async fn shout(req: Request) -> corelane::Response {
///     app::upgrade(&req, "shout", async |mut stream: Upgraded| {
///         let mut buffer = [0; 1024];
///         while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
///             buffer[..bytes].make_ascii_uppercase();
///             if stream.write_all(&buffer[..bytes]).await.is_err() {
///                 return;
///             }
///         }
///     })
/// }
///
/// let app = App::new().get("/shout", shout);
/// ```
///
/// # Panics
/// If `protocol` is no value of a field.
pub fn upgrade<F>(
    req: &Request,
    protocol: &str,
    work: impl FnOnce(Upgraded) -> F + 'static,
) -> Response
where
    F: Future<Output = ()> + 'static,
{
    let Ok(name) = HeaderValue::from_str(protocol) else {
        panic!("{protocol:?} is no name of a protocol");
    };
    match refusal(req, protocol) {
        Some((status, detail)) => Response::error(status, detail).with_header(UPGRADE, name),
        None => Response::new(StatusCode::SWITCHING_PROTOCOLS)
            .with_header(UPGRADE, name)
            .switching(Switch(Box::new(|stream| Box::pin(work(stream))))),
    }
}

/// Why the connection of `req` is not switched to `protocol`, if it is not.
fn refusal(req: &Request, protocol: &str) -> Option<(StatusCode, &'static str)> {
    let names = |field: &str, member: &str| {
        let mut all = req.head().field_values(field).flat_map(members);
        all.any(|other| other.eq_ignore_ascii_case(member.as_bytes()))
    };
    // RFC 9110 §7.8: in HTTP/1.0 the field means nothing.
    if req.version() != Version::HTTP_11 || !names(UPGRADE.as_str(), protocol) {
        return Some((StatusCode::UPGRADE_REQUIRED, "This needs another protocol."));
    }
    if !names(CONNECTION.as_str(), UPGRADE.as_str()) {
        let detail = "Connection does not name Upgrade.";
        return Some((StatusCode::BAD_REQUEST, detail));
    }
    if !matches!(req.head().framing(), Framing::None | Framing::Length(0)) {
        let detail = "A request that switches protocols has no content here.";
        return Some((StatusCode::BAD_REQUEST, detail));
    }
    None
}

/// What is to speak the other protocol, as a response carries it.
pub(crate) struct Switch(Box<dyn FnOnce(Upgraded) -> Work>);

/// What speaks the other protocol.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()>>>;

impl Switch {
    /// Has it begin on the connection behind `link`, which it does not keep open.
    pub(crate) fn begin(self, link: &Rc<dyn Link>) -> Work {
        let link = Rc::downgrade(link);
        (self.0)(Upgraded { link })
    }
}

impl fmt::Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

/// A connection that has left HTTP: the first byte that is read is the one behind the request.
///
/// It is an [`AsyncRead`] and an [`AsyncWrite`], and a write is cancelled without harm: what was
/// taken goes out whatever becomes of the future. Written bytes are gathered, up to
/// [`GATHER_BYTES`], and sent when whoever speaks waits; a peer that
/// does not read has writes wait, and is closed by the deadlines that hold for responses. What the
/// peer sends is read ahead by one delivery, which holds no buffer of the core.
///
/// Whoever speaks the protocol is asked to end when the peer leaves and when a shutdown begins, and
/// has [`SWITCHED_GRACE`](crate::limits::SWITCHED_GRACE) for it. Then it is dropped. Otherwise it may
/// go on as long as it likes; a deadline for silence is its own to have
/// ([`Request::time`](super::Request::time)).
pub struct Upgraded {
    link: Weak<dyn Link>,
}

/// What lies between a connection that has left HTTP and whoever speaks on it. All of it may be used
/// by any task of the core.
pub(crate) trait Link {
    /// Gives what has been received to `take`, which says how much of it it took. False at the end of
    /// what the peer sends.
    ///
    /// # Errors
    /// The connection failed.
    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<bool>>;

    /// Ready when there is room for more to send.
    ///
    /// # Errors
    /// The connection failed, or its side was closed.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Adds to what is sent what `write` appends, and `body` behind it, whether there is room or not.
    fn put(&self, write: &mut dyn FnMut(&mut Vec<u8>), body: Bytes);

    /// Ready when all of it is sent.
    ///
    /// # Errors
    /// Those of [`Link::poll_room`].
    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ready when a shutdown has begun.
    fn poll_stopping(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Closes our side once all was sent. With an `end` the connection is over by that, and whoever
    /// speaks on it has its grace.
    fn close(&self, end: Option<Event>);
}

impl Upgraded {
    /// Waits for the server's shutdown to begin: what is to be said before the end is said now.
    pub async fn stopping(&self) {
        poll_fn(|cx| match self.link() {
            Ok(link) => link.poll_stopping(cx),
            Err(_) => Poll::Ready(()),
        })
        .await;
    }

    /// What it stands on, as long as the connection lasts.
    pub(crate) fn link(&self) -> io::Result<Rc<dyn Link>> {
        let gone = || io::ErrorKind::NotConnected.into();
        self.link.upgrade().ok_or_else(gone)
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut read = 0;
        let more = ready!(self.link()?.poll_read(cx, &mut |received| {
            read = received.len().min(buffer.len());
            buffer[..read].copy_from_slice(&received[..read]);
            read
        }));
        Poll::Ready(more.map(|_| read))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let link = self.link()?;
        ready!(link.poll_room(cx))?;
        let taken = &buffer[..buffer.len().min(GATHER_BYTES)];
        link.put(&mut |out| out.extend_from_slice(taken), Bytes::new());
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link()?.poll_flushed(cx)
    }

    /// Closes our side of the connection behind what was written.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = self.link()?;
        link.close(None);
        link.poll_flushed(cx)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgraded")
    }
}
