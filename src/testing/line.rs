//! What lies between a peer and a connection, in place of sockets.

use super::clock::Clock;
use crate::connection::{Clocked, Received, Transport};
use crate::ring::Message;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What lies between the peer and the connection.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) deliveries: VecDeque<Delivery>,
    pub(super) end: Option<End>,
    pub(super) sent: Vec<u8>,
    /// Bytes that the peer still takes.
    pub(super) room: usize,
    pub(super) clock: Clock,
    pub(super) deadline_ns: Option<u64>,
    pub(super) is_interrupted: bool,
    pub(super) is_shut: bool,
    pub(super) is_reset: bool,
}

/// How the peer ended its side.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Closed,
    Reset,
}

/// The server's end of a line. No wait keeps its waker: a conversation polls after all it does.
#[derive(Debug)]
pub(super) struct Pipe(pub(super) Rc<RefCell<Line>>);

impl Clocked for Pipe {
    fn now_ns(&self) -> u64 {
        self.0.borrow().clock.now_ns()
    }

    fn clock_ns(&self) -> u64 {
        self.now_ns()
    }
}

impl Transport for Pipe {
    type Received = Delivery;

    fn poll_receive(&self, _: &mut Context<'_>) -> Poll<io::Result<Option<Delivery>>> {
        let line = &mut *self.0.borrow_mut();
        if let Some(delivery) = line.deliveries.pop_front() {
            return Poll::Ready(Ok(Some(delivery)));
        }
        match line.end {
            Some(End::Closed) => Poll::Ready(Ok(None)),
            Some(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None if std::mem::take(&mut line.is_interrupted) => {
                Poll::Ready(Err(io::ErrorKind::Interrupted.into()))
            }
            None => Poll::Pending,
        }
    }

    fn poll_left(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0.borrow().end {
            Some(End::Closed) => Poll::Ready(Ok(())),
            Some(End::Reset) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => Poll::Pending,
        }
    }

    fn unwatch(&self) {}

    async fn send(&self, mut message: Message) -> (io::Result<usize>, Message) {
        let outcome = poll_fn(|_| {
            let mut line = self.0.borrow_mut();
            if matches!(line.end, Some(End::Reset)) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let bytes = line.room.min(message.remaining());
            if bytes == 0 {
                return Poll::Pending;
            }
            let (head, body) = message.parts();
            let (from_head, from_body) = (bytes.min(head.len()), bytes.saturating_sub(head.len()));
            line.sent.extend_from_slice(&head[..from_head]);
            line.sent.extend_from_slice(&body[..from_body]);
            if line.room != usize::MAX {
                line.room -= bytes;
            }
            Poll::Ready(Ok(bytes))
        })
        .await;
        if let Ok(bytes) = outcome {
            message.advance(bytes);
        }
        (outcome, message)
    }

    fn interrupt(&self) {
        self.0.borrow_mut().is_interrupted = true;
    }

    async fn shutdown(&self) -> io::Result<()> {
        self.0.borrow_mut().is_shut = true;
        Ok(())
    }

    fn reset(&self) {
        self.0.borrow_mut().is_reset = true;
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        Ok((Ipv4Addr::LOCALHOST, 1).into())
    }

    fn arm(&self, after: Duration) {
        // As on a core, none passes at the moment it is armed.
        let after_ns = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mut line = self.0.borrow_mut();
        line.deadline_ns = Some(line.clock.now_ns().saturating_add(after_ns));
    }

    fn poll_passed(&self, _: &mut Context<'_>) -> Poll<()> {
        let line = self.0.borrow();
        match line.deadline_ns {
            Some(deadline_ns) if deadline_ns <= line.clock.now_ns() => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

/// Bytes that the peer sent at once.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) bytes: Vec<u8>,
    pub(super) taken: usize,
    pub(super) arrived_ns: u64,
}

impl Deref for Delivery {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

impl Received for Delivery {
    fn arrived_ns(&self) -> u64 {
        self.arrived_ns
    }

    fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.len());
        self.taken += bytes;
    }

    fn settle(&mut self) {}
}
