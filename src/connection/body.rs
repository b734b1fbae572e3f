//! The content of a request as its handler reads it off the connection.

use super::transport::{Host, Received, Transport};
use super::wire::Wire;
use crate::app::{BodyError, BodySource, Headers};
use crate::http::{CONTINUE, Event};
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
    turn: u32,
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
                    if sent.is_ok() {
                        self.wire.expect_body();
                    }
                    return Poll::Ready(sent);
                }
            }
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
            let service = self.host.service();
            let mut received = match ready!(self.wire.poll_body(cx, service)) {
                Ok(received) => received,
                Err(Event::Late) => return Poll::Ready(Some(Err(BodyError::TimedOut))),
                Err(_) => return Poll::Ready(Some(Err(BodyError::Disconnected))),
            };
            let mut inbound = self.wire.inbound.borrow_mut();
            let Some(inbound) = &mut *inbound else {
                return Poll::Ready(None);
            };
            let decoded = match inbound.decoder.decode(&received) {
                Ok(decoded) => decoded,
                Err(refusal) => {
                    self.wire.tell_refusal(service, refusal);
                    return Poll::Ready(Some(Err(BodyError::Refused(refusal))));
                }
            };
            let piece = Bytes::copy_from_slice(&received[decoded.data]);
            received.consume(decoded.consumed);
            if !received.is_empty() {
                *self.wire.received.borrow_mut() = Some(received);
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
            incoming.wire.fail_body();
        }
        Poll::Ready(piece)
    }

    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        let mut trailers = Headers::new();
        if let Some(inbound) = &mut *self.wire.inbound.borrow_mut()
            && self.is_its_turn()
        {
            for (name, value) in inbound.decoder.take_trailers() {
                trailers.append(name, value);
            }
        }
        trailers
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
