//! What a connection consists of while nothing happens on it, and what its request bodies and
//! its responses share: the transport, and the bytes that came and were not taken.

use super::transport::Transport;
use crate::http::{BodyDecoder, Event};
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

/// A connection at rest. Everything else is made when bytes come, and gone when they are answered.
#[derive(Debug)]
pub(crate) struct Wire<T: Transport> {
    /// Its deadline is for whichever wait is going on; there is one at a time.
    pub(crate) transport: T,
    /// Received bytes that nobody has taken.
    pub(super) received: RefCell<Option<T::Received>>,
    /// Where the reading of the current request's body stands.
    pub(super) body: RefCell<Option<BodyDecoder>>,
    /// The body cannot be read on: it is malformed, late, or the peer is gone.
    pub(super) body_failed: Cell<bool>,
    /// A wait was ended for a shutdown, and the connection had to go on.
    pub(super) stopped: Cell<bool>,
    /// Which request it is whose body may be read. It changes when a request begins and when it
    /// is answered: what still holds an older one's body reads nothing of the next.
    pub(super) turn: Cell<u64>,
    peer: OnceCell<SocketAddr>,
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self {
            transport,
            received: RefCell::new(None),
            body: RefCell::new(None),
            body_failed: Cell::new(false),
            stopped: Cell::new(false),
            turn: Cell::new(0),
            peer: OnceCell::new(),
        }
    }

    /// The peer's address, asked for once.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        if let Some(peer) = self.peer.get() {
            return Ok(*peer);
        }
        let peer = self.transport.peer()?;
        Ok(*self.peer.get_or_init(|| peer))
    }

    /// The next bytes, or what happened instead within `limit`: the caller counts them.
    pub(super) async fn receive(&self, limit: Option<Duration>) -> Result<T::Received, Event> {
        if let Some(limit) = limit {
            self.transport.arm(limit);
        }
        std::future::poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// [`Wire::receive`] against the deadline as it is armed.
    pub(super) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Result<T::Received, Event>> {
        match self.transport.poll_receive(cx) {
            Poll::Ready(Ok(Some(received))) => Poll::Ready(Ok(received)),
            Poll::Ready(Ok(None)) => Poll::Ready(Err(Event::PeerClosed)),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                self.stopped.set(true);
                Poll::Ready(Err(Event::Stopped))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Event::Failed)),
            Poll::Pending => self.transport.poll_passed(cx).map(|()| Err(Event::Late)),
        }
    }

    /// Ends the turn of the current request's body.
    pub(super) fn end_turn(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    /// Whether nothing of the current request's body is left to read.
    pub(super) fn body_is_read(&self) -> bool {
        self.body
            .borrow()
            .as_ref()
            .is_none_or(BodyDecoder::is_complete)
    }
}
