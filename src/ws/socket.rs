//! A WebSocket while it is open, as the program has it. What it shares with what serves it is in
//! `state.rs`, and that in `serve.rs`.

use super::WebSocketError;
use super::handshake::WebSocketUpgrade;
use super::message::{CloseFrame, Message, code};
use super::state::{Phase, Shared, put};
use crate::app::Request;
use crate::http::Event;
use bytes::Bytes;
use futures_lite::Stream;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Most bytes of a ping (RFC 6455 §5.5).
const PING_BYTES: usize = 125;

/// A WebSocket. All that can be done with it takes `&self`, so one future may send while another
/// receives, and a clone is the same socket for another task of the core.
///
/// It lasts as long as the function that [`WebSocketUpgrade::on_upgrade`] was given: what is left of
/// it then is closed. It is also a [`Stream`] of what [`WebSocket::recv`] returns.
#[derive(Clone)]
pub struct WebSocket {
    pub(super) shared: Rc<Shared>,
}

impl WebSocket {
    /// Begins to make a WebSocket of `req`'s connection: set what it shall be, and answer with what
    /// [`WebSocketUpgrade::on_upgrade`] returns.
    pub fn upgrade(req: &Request) -> WebSocketUpgrade<'_> {
        WebSocketUpgrade::new(req)
    }

    /// The next message; `None` once the socket is closed. It may be dropped and called again without
    /// losing any.
    ///
    /// # Errors
    /// Why there will be no more, where that is no orderly end: the peer was lost, fell silent, or
    /// broke the protocol. It is told once, and `None` follows.
    pub async fn recv(&self) -> Option<Result<Message, WebSocketError>> {
        poll_fn(|cx| self.shared.poll_recv(cx)).await
    }

    /// Sends a message, when there is room for it: a peer that does not read has this wait, until
    /// its connection is given up. Dropped before it is ready it has sent nothing, and afterwards all.
    ///
    /// # Errors
    /// The socket is closed, or its peer lost.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        let (kind, bytes) = match message.into() {
            Message::Text(text) => (Data::Text, text.into_bytes()),
            Message::Binary(bytes) => (Data::Binary, bytes),
        };
        let link = poll_fn(|cx| self.shared.poll_room(cx)).await?;
        put(&*link, OpCode::Data(kind), bytes);
        Ok(())
    }

    /// Sends a message if there is room for it now: for what is said to many, of whom none is to hold up
    /// the others.
    ///
    /// # Errors
    /// [`WebSocketError::Full`] where [`WebSocket::send`] would wait, and those of that.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        let mut sending = pin!(self.send(message));
        match sending
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Err(WebSocketError::Full),
        }
    }

    /// Asks the peer for an answer, with up to 125 bytes that it repeats; what is beyond them is left
    /// out. Answers are not told: [`WebSocketUpgrade::heartbeat`] looks after them.
    ///
    /// # Errors
    /// Those of [`WebSocket::send`].
    pub async fn ping(&self, payload: impl Into<Bytes>) -> Result<(), WebSocketError> {
        let mut payload = payload.into();
        payload.truncate(PING_BYTES);
        let link = poll_fn(|cx| self.shared.poll_room(cx)).await?;
        put(&*link, OpCode::Control(Control::Ping), payload);
        Ok(())
    }

    /// Waits until everything is on its way that was sent.
    ///
    /// # Errors
    /// The peer is lost.
    pub async fn flush(&self) -> Result<(), WebSocketError> {
        poll_fn(|cx| {
            let link = self.shared.stream.link();
            let link = link.map_err(|_| WebSocketError::Closed)?;
            let flushed = ready!(link.poll_flushed(cx));
            Poll::Ready(flushed.map_err(|_| WebSocketError::Disconnected))
        })
        .await
    }

    /// Closes the socket and waits until the peer has done so, too, for
    /// [`WEBSOCKET_CLOSE_TIMEOUT`](crate::limits::WEBSOCKET_CLOSE_TIMEOUT) at most. What has come of it and was not taken, and what it sends
    /// meanwhile, is not received. A `reason` is for people who look for a fault; of one that is longer than 123 bytes
    /// the beginning is sent.
    ///
    /// # Panics
    /// If `code` is none that may be sent: see [`code`].
    pub async fn close(&self, code: u16, reason: &str) {
        assert!(code::is_sendable(code), "{code} cannot be sent as a code");
        self.shared.start_close(code, reason, Event::Ended);
        poll_fn(|cx| match self.shared.phase.get() {
            Phase::Closed => Poll::Ready(()),
            _ => self.shared.waiters.wait(cx),
        })
        .await;
    }

    /// The subprotocol that was agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.shared.protocol.as_deref()
    }

    /// What the peer gave as its reason for the end, once it has, if it gave any.
    pub fn close_frame(&self) -> Option<CloseFrame> {
        self.shared.said.borrow().clone()
    }

    /// Whether nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.shared.phase.get() != Phase::Open
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, WebSocketError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared.poll_recv(cx)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("phase", &self.shared.phase.get())
            .field("protocol", &self.shared.protocol)
            .finish_non_exhaustive()
    }
}
