//! What a connection consists of while nothing happens on it, and what its request bodies and
//! its responses share: the stream, the bytes that came and were not taken, and the deadline.

use super::Shard;
use crate::app::{BodyError, BodySource};
use crate::http::{BodyDecoder, CONTINUE, Event};
use crate::limits::BODY_TIMEOUT;
use crate::ring::{Deadline, Lease, Message, Ring, Stream};
use bytes::Bytes;
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A connection at rest. Everything else is made when bytes come, and gone when they are answered.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    /// For whichever wait is going on; there is one at a time.
    pub(super) deadline: Deadline,
    /// Received bytes that nobody has taken.
    pub(super) lease: RefCell<Option<Lease>>,
    /// Where the reading of the current request's body stands.
    pub(super) body: RefCell<Option<Box<BodyDecoder>>>,
    /// The body cannot be read on: it is malformed, late, or the peer is gone.
    pub(super) body_failed: Cell<bool>,
    /// A wait was ended for a shutdown, and the connection had to go on.
    pub(super) stopped: Cell<bool>,
    /// Which request it is whose body may be read. It changes when a request begins and when it
    /// is answered: what still holds an older one's body reads nothing of the next. It starts again
    /// after so many requests that no body is held for as long.
    turn: Cell<u32>,
    peer: OnceCell<SocketAddr>,
}

impl Wire {
    pub(super) fn new(ring: &Ring, stream: Stream) -> Self {
        Self {
            stream,
            deadline: Deadline::new(ring),
            lease: RefCell::new(None),
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
        let peer = self.stream.peer_addr()?;
        Ok(*self.peer.get_or_init(|| peer))
    }

    /// The next bytes, or what happened instead within `limit`: the caller counts them.
    pub(super) fn receive(
        &self,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<Lease, Event>> {
        if let Some(limit) = limit {
            self.deadline.arm(limit);
        }
        // Not an async function, whose future would keep the limit beside what it needs.
        std::future::poll_fn(|cx| self.poll_receive(cx))
    }

    /// [`Wire::receive`] against the deadline as it is armed.
    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Result<Lease, Event>> {
        match self.stream.poll_receive(cx) {
            Poll::Ready(Ok(Some(lease))) => Poll::Ready(Ok(lease)),
            Poll::Ready(Ok(None)) => Poll::Ready(Err(Event::PeerClosed)),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                self.stopped.set(true);
                Poll::Ready(Err(Event::Stopped))
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Event::Failed)),
            Poll::Pending => self.deadline.poll_passed(cx).map(|()| Err(Event::Late)),
        }
    }

    /// Ends the turn of the current request's body.
    pub(super) fn end_turn(&self) {
        self.turn.set(self.turn.get().wrapping_add(1));
    }

    /// Whether nothing of the current request's body is left to read.
    pub(super) fn body_is_read(&self) -> bool {
        self.body
            .borrow()
            .as_ref()
            .is_none_or(|body| body.is_complete())
    }
}

/// The body of the request that a connection is serving, as its handler reads it.
pub(super) struct Incoming {
    shard: Rc<Shard>,
    wire: Rc<Wire>,
    /// The peer waits for `100 Continue` before it sends the body.
    invitation: Invitation,
    waiting: bool,
    turn: u32,
}

enum Invitation {
    /// The peer sends without being asked, or has been asked.
    Done,
    /// It is sent when the body is first asked for (RFC 9110 §10.1.1).
    Due,
    Sending(Pin<Box<dyn Future<Output = io::Result<()>>>>),
}

impl Incoming {
    pub(super) fn new(shard: Rc<Shard>, wire: Rc<Wire>, expects_continue: bool) -> Self {
        let invitation = if expects_continue {
            Invitation::Due
        } else {
            Invitation::Done
        };
        Self {
            turn: wire.turn.get(),
            shard,
            wire,
            invitation,
            waiting: false,
        }
    }

    fn is_its_turn(&self) -> bool {
        self.turn == self.wire.turn.get()
    }

    fn poll_invitation(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.invitation {
                Invitation::Done => return Poll::Ready(Ok(())),
                Invitation::Due => {
                    let wire = Rc::clone(&self.wire);
                    self.shard.recorder().sent(CONTINUE.len() as u64);
                    self.invitation = Invitation::Sending(Box::pin(async move {
                        wire.stream.send_all(Message::from(CONTINUE.to_vec())).await
                    }));
                }
                Invitation::Sending(sending) => {
                    let sent = ready!(sending.as_mut().poll(cx));
                    self.invitation = Invitation::Done;
                    return Poll::Ready(sent);
                }
            }
        }
    }

    /// Received bytes, from before or from now.
    fn poll_lease(&mut self, cx: &mut Context<'_>) -> Poll<Result<Lease, BodyError>> {
        if let Some(lease) = self.wire.lease.borrow_mut().take() {
            return Poll::Ready(Ok(lease));
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.wire.deadline.arm(BODY_TIMEOUT);
        }
        loop {
            let received = ready!(self.wire.poll_receive(cx));
            if matches!(received, Err(Event::Stopped)) {
                // A shutdown lets requests finish.
                continue;
            }
            self.waiting = false;
            return Poll::Ready(match received {
                Ok(lease) => {
                    self.shard.recorder().received(lease.len() as u64);
                    Ok(lease)
                }
                Err(Event::Late) => Err(BodyError::TimedOut),
                Err(_) => Err(BodyError::Disconnected),
            });
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if !self.is_its_turn() {
                // Its request was answered without it: what comes now is not its to read.
                return Poll::Ready(Some(Err(BodyError::Disconnected)));
            }
            if self.wire.body_is_read() {
                return Poll::Ready(None);
            }
            if ready!(self.poll_invitation(cx)).is_err() {
                return Poll::Ready(Some(Err(BodyError::Disconnected)));
            }
            let mut lease = match ready!(self.poll_lease(cx)) {
                Ok(lease) => lease,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            let mut body = self.wire.body.borrow_mut();
            let Some(decoder) = body.as_mut() else {
                return Poll::Ready(None);
            };
            let decoded = match decoder.decode(&lease) {
                Ok(decoded) => decoded,
                Err(refusal) => return Poll::Ready(Some(Err(BodyError::Refused(refusal)))),
            };
            let piece = Bytes::copy_from_slice(&lease[decoded.data]);
            lease.consume(decoded.consumed);
            if !lease.is_empty() {
                *self.wire.lease.borrow_mut() = Some(lease);
            }
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

impl BodySource for Incoming {
    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let incoming = self.get_mut();
        let piece = ready!(incoming.poll_piece(cx));
        if matches!(piece, Some(Err(_))) && incoming.is_its_turn() {
            incoming.wire.body_failed.set(true);
        }
        Poll::Ready(piece)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // A peer that was never asked for its body must not be taken to be sending it.
        let is_uninvited = matches!(self.invitation, Invitation::Due | Invitation::Sending(_));
        if is_uninvited && self.is_its_turn() {
            self.wire.body_failed.set(true);
        }
    }
}
