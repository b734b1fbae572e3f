//! The content of a request as its handler reads it off the connection.

use super::transport::{Host, Received};
use super::wire::Wire;
use crate::app::{BodyError, BodySource, Headers};
use crate::http::Event;
use bytes::Bytes;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// The body of the request that a connection is serving, as its handler reads it.
pub(super) struct Incoming<H: Host> {
    host: Rc<H>,
    wire: Rc<Wire<H::Transport>>,
    turn: u32,
}

impl<H: Host> Incoming<H> {
    pub(super) fn new(host: Rc<H>, wire: Rc<Wire<H::Transport>>) -> Self {
        Self {
            turn: wire.turn.get(),
            host,
            wire,
        }
    }

    fn is_its_turn(&self) -> bool {
        self.turn == self.wire.turn.get()
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
            ready!(self.wire.poll_invited(cx));
            if self.wire.body_has_failed() {
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
            let decoded = match inbound.decode(&received) {
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
