//! What a connection runs on: the transport below it, and the host that it belongs to. Both are
//! traits, so that the same connection is served on a core's ring and in memory.

use super::service::Service;
use crate::app::Answer;
use crate::http::RequestHead;
use crate::ring::{self, Message};
use crate::stats::Whose;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a connection belongs to: a core, or a test's stand-in for one.
pub(crate) trait Host: 'static {
    /// What its connections receive and send by.
    type Transport: Transport;

    /// What its connections share.
    fn service(&self) -> &Service;

    /// The time since 1970-01-01T00:00:00Z, for the Date of a response.
    fn wall_clock(&self) -> Duration;

    /// The answer to a request for a resource of the server itself, which no route may take, and whose
    /// it is to statistics.
    fn reserved(
        self: &Rc<Self>,
        head: &RequestHead,
        peer: SocketAddr,
        transport: &Self::Transport,
    ) -> Option<(Whose, Answer)>;

    /// Ready at `at_ns` on the clock of its connections: a deadline beside that of the transport.
    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>>;
}

/// What has the clock of its core's ring.
pub(crate) trait Clocked {
    /// The time when the ring last looked, in nanoseconds from some start.
    fn now_ns(&self) -> u64;

    /// The time on the same clock, looked at now.
    fn clock_ns(&self) -> u64;
}

/// A connected stream of bytes, and the one deadline and the clock that go with it.
pub(crate) trait Transport: Clocked + 'static {
    /// Received bytes.
    type Received: Received;

    /// The next bytes; `None` when the peer has closed its side.
    ///
    /// # Errors
    /// `Interrupted` after [`Transport::interrupt`]; any other means that the connection failed.
    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Self::Received>>>;

    /// Ready once the peer has closed its side, while the bytes before that are left unread. Whoever
    /// waits here is woken for nothing else.
    ///
    /// # Errors
    /// The connection failed.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Nobody waits in [`Transport::poll_left`] any more.
    fn unwatch(&self);

    /// Sends what it can of `message`, at least one byte, and returns it for the rest to be sent.
    ///
    /// # Errors
    /// The connection failed.
    fn send(&self, message: Message) -> impl Future<Output = (io::Result<usize>, Message)>;

    /// Whether [`Transport::try_send`] and [`Transport::try_send_file`] do anything: where bytes are
    /// changed on their way, they have to be read.
    fn sends_files(&self) -> bool {
        false
    }

    /// Sends what can be sent of `bytes` without waiting; with `more`, something follows them.
    ///
    /// # Errors
    /// `WouldBlock` until [`Transport::writable`] is ready; any other means that the connection failed.
    fn try_send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        let _ = (bytes, more);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sends what can be sent without waiting of `bytes` bytes of a file.
    ///
    /// # Errors
    /// As those of [`Transport::try_send`].
    fn try_send_file(&self, file: BorrowedFd<'_>, offset: u64, bytes: usize) -> io::Result<usize> {
        let _ = (file, offset, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Ready when something can be sent again, or the connection has failed.
    ///
    /// # Errors
    /// The connection failed.
    fn writable(&self) -> impl Future<Output = io::Result<()>> {
        std::future::ready(Ok(()))
    }

    /// Ends a wait for bytes with `Interrupted`, or the next one if none waits now; then it wakes who
    /// waits in [`Transport::poll_left`].
    fn interrupt(&self);

    /// Closes our side once everything was sent; bytes are still received.
    ///
    /// # Errors
    /// The connection is gone.
    fn shutdown(&self) -> impl Future<Output = io::Result<()>>;

    /// Lets the connection end in a reset, by which the peer learns that what it has is not all.
    fn reset(&self);

    /// The peer's address.
    ///
    /// # Errors
    /// The connection is gone.
    fn peer(&self) -> io::Result<SocketAddr>;

    /// Arms the deadline for `after` from now, wherever it stood.
    fn arm(&self, after: Duration);

    /// Ready once the deadline has passed.
    fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Runs `work` against the deadline as it is armed: `None` when that passes first.
    async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        ring::limit(work, |cx| self.poll_passed(cx)).await
    }
}

/// Bytes as they were received, taken from the front.
pub(crate) trait Received: Deref<Target = [u8]> {
    /// When they were delivered, on the transport's clock, or came if that is known to be long before.
    fn arrived_ns(&self) -> u64;

    /// Takes `bytes` off the front.
    fn consume(&mut self, bytes: usize);

    /// Keeps what is left in memory of its own, so that no buffer is held while it waits.
    fn settle(&mut self);
}
