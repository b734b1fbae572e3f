//! The content of a request as its handler reads it off the connection.

use super::transport::{Host, Received, Transport};
use super::wire::Wire;
use crate::app::{BodyError, BodySource};
use crate::http::{CONTINUE, Event};
use crate::limits::BODY_TIMEOUT;
use crate::ring::Message;
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// The body of the request that a connection is serving, as its handler reads it.
pub(super) struct Incoming<H: Host> {
    host: Rc<H>,
    wire: Rc<Wire<H::Transport>>,
    /// The peer waits for `100 Continue` before it sends the body.
    invitation: Invitation,
    waiting: bool,
    turn: u64,
}

enum Invitation {
    /// The peer sends without being asked, or has been asked.
    Done,
    /// It is sent when the body is first asked for (RFC 9110 §10.1.1).
    Due,
    Sending(Pin<Box<dyn Future<Output = io::Result<()>>>>),
}

impl<H: Host> Incoming<H> {
    pub(super) fn new(host: Rc<H>, wire: Rc<Wire<H::Transport>>, expects_continue: bool) -> Self {
        let invitation = if expects_continue {
            Invitation::Due
        } else {
            Invitation::Done
        };
        Self {
            turn: wire.turn.get(),
            host,
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
                    self.host.service().recorder().sent(CONTINUE.len() as u64);
                    self.invitation = Invitation::Sending(Box::pin(async move {
                        send_all(&wire.transport, Message::from(CONTINUE.to_vec())).await
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
    fn poll_lease(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<<H::Transport as Transport>::Received, BodyError>> {
        if let Some(lease) = self.wire.received.borrow_mut().take() {
            return Poll::Ready(Ok(lease));
        }
        if !std::mem::replace(&mut self.waiting, true) {
            self.wire.transport.arm(BODY_TIMEOUT);
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
                    self.host.service().recorder().received(lease.len() as u64);
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
                *self.wire.received.borrow_mut() = Some(lease);
            }
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

impl<H: Host> BodySource for Incoming<H> {
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

impl<H: Host> Drop for Incoming<H> {
    fn drop(&mut self) {
        // A peer that was never asked for its body must not be taken to be sending it.
        let is_uninvited = matches!(self.invitation, Invitation::Due | Invitation::Sending(_));
        if is_uninvited && self.is_its_turn() {
            self.wire.body_failed.set(true);
        }
    }
}

/// Sends the whole of `message`.
async fn send_all(transport: &impl Transport, mut message: Message) -> io::Result<()> {
    while message.remaining() > 0 {
        let (outcome, rest) = transport.send(message).await;
        outcome?;
        message = rest;
    }
    Ok(())
}
