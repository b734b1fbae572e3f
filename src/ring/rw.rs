//! futures-io traits for [`Stream`], so that other crates' protocols run on it.
//!
//! Writing is buffered by one operation: `poll_write` copies up to [`WRITE_BYTES`] into a message
//! and hands it to the ring; the next write, flush or close waits for it and reports its failure.
//! A writer that wants to know that its bytes reached the kernel flushes, as with any buffered
//! writer.

use super::buffers::Lease;
use super::op::Op;
use super::stream::{Stream, sent};
use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};
use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Most bytes that one write copies and keeps in flight.
const WRITE_BYTES: usize = 64 * 1024;

/// What the traits keep between calls. Boxed when used: a stream that serves HTTP needs none.
#[derive(Debug, Default)]
pub(super) struct Adapter(OnceCell<Box<RefCell<Pending>>>);

#[derive(Debug, Default)]
struct Pending {
    reading: Option<Lease>,
    writing: Option<Op>,
}

impl Adapter {
    /// Whether bytes were shown that nobody consumed.
    pub(super) fn is_reading(&self) -> bool {
        let pending = self.0.get();
        pending.is_some_and(|pending| pending.borrow().reading.is_some())
    }

    /// Takes the bytes that were shown and not consumed.
    pub(super) fn take_reading(&self) -> Option<Lease> {
        self.0.get()?.borrow_mut().reading.take()
    }
}

impl Stream {
    fn pending(&mut self) -> &mut Pending {
        self.adapter.0.get_or_init(Box::default);
        match self.adapter.0.get_mut() {
            Some(pending) => pending.get_mut(),
            None => unreachable!("made above"),
        }
    }

    /// Waits until the last write has been taken whole. When it fails its rest is lost, and so
    /// nothing more can be sent.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(pending) = self.adapter.0.get() else {
            return Poll::Ready(Ok(()));
        };
        let writing = &mut pending.borrow_mut().writing;
        while let Some(op) = writing {
            let (result, payload) = ready!(Pin::new(op).poll(cx));
            *writing = None;
            let (outcome, message) = sent(result, payload);
            outcome.inspect_err(|_| self.mark_broken())?;
            if message.remaining() > 0 {
                *writing = Some(self.start_send(message));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let received = ready!(self.as_mut().poll_fill_buf(cx))?;
        let bytes = received.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&received[..bytes]);
        self.consume(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let stream = self.get_mut();
        if stream.pending().reading.is_none() {
            let lease = ready!(stream.poll_receive(cx))?;
            stream.pending().reading = lease;
        }
        Poll::Ready(Ok(stream.pending().reading.as_deref().unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, bytes: usize) {
        let reading = &mut self.pending().reading;
        if let Some(lease) = reading {
            lease.consume(bytes);
            if lease.is_empty() {
                *reading = None;
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(cx))?;
        if self.is_broken() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = &bytes[..bytes.len().min(WRITE_BYTES)];
        if !taken.is_empty() {
            let op = self.start_send(taken.to_vec().into());
            self.pending().writing = Some(op);
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        Poll::Ready(self.shutdown_now(Shutdown::Write))
    }
}
