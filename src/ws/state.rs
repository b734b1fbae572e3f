//! What the handles of a WebSocket share with what serves it: how far it is in its life, what has come
//! and was not taken, and what each step does to both.

use super::WebSocketError;
use super::message::{CloseFrame, Message, code};
use super::reader::{Item, Reader, Violation};
use crate::app::{Link, Upgraded, Waiters};
use crate::http::Event;
use crate::limits::INLINE_BODY_BYTES;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, OpCode};

/// Most bytes of the reason in a Close (RFC 6455 §5.5).
const REASON_BYTES: usize = 123;

pub(super) struct Shared {
    pub(super) stream: Upgraded,
    pub(super) protocol: Option<String>,
    /// None once nothing more is received.
    reader: RefCell<Option<Reader>>,
    /// A message that the program has not taken.
    pub(super) inbox: RefCell<Option<Message>>,
    /// What the program is still to be told of the end.
    failure: Cell<Option<WebSocketError>>,
    pub(super) phase: Cell<Phase>,
    /// A ping that is not answered.
    pinged: RefCell<Option<Vec<u8>>>,
    /// Something came since the heart beat last.
    pub(super) has_heard: Cell<bool>,
    pub(super) said: RefCell<Option<CloseFrame>>,
    pub(super) waiters: Waiters,
}

/// How far a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Our Close is out, and that of the peer is waited for; then the connection ends by the event.
    Closing(Event),
    Closed,
}

impl Shared {
    pub(super) fn new(stream: Upgraded, protocol: Option<String>, reader: Reader) -> Self {
        Self {
            stream,
            protocol,
            reader: RefCell::new(Some(reader)),
            inbox: RefCell::default(),
            failure: Cell::default(),
            phase: Cell::new(Phase::Open),
            pinged: RefCell::default(),
            has_heard: Cell::new(false),
            said: RefCell::default(),
            waiters: Waiters::default(),
        }
    }

    pub(super) fn poll_recv(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, WebSocketError>>> {
        if let Some(message) = self.inbox.take() {
            self.waiters.wake_driver();
            return Poll::Ready(Some(Ok(message)));
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        match self.phase.get() {
            Phase::Open => self.waiters.wait(cx),
            _ => Poll::Ready(None),
        }
    }

    /// Ready when there is room to send a message.
    pub(super) fn poll_room(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Rc<dyn Link>, WebSocketError>> {
        if self.phase.get() != Phase::Open {
            return Poll::Ready(Err(WebSocketError::Closed));
        }
        let link = self.stream.link().map_err(|_| WebSocketError::Closed)?;
        match ready!(link.poll_room(cx)) {
            Ok(()) => Poll::Ready(Ok(link)),
            Err(_) => Poll::Ready(Err(WebSocketError::Disconnected)),
        }
    }

    /// Receives until the program has a message to take.
    pub(super) fn receive(&self, cx: &mut Context<'_>) {
        let Ok(link) = self.stream.link() else {
            return;
        };
        while self.phase.get() != Phase::Closed && self.inbox.borrow().is_none() {
            let mut outcome = Ok(None);
            let mut held = self.reader.borrow_mut();
            let Some(reader) = &mut *held else {
                return;
            };
            let received = link.poll_read(cx, &mut |bytes| match reader.read(bytes) {
                Ok((taken, item)) => {
                    outcome = Ok(item);
                    taken
                }
                Err(violation) => {
                    outcome = Err(violation);
                    bytes.len()
                }
            });
            drop(held);
            match received {
                Poll::Pending => return,
                Poll::Ready(Ok(true)) => {
                    self.has_heard.set(true);
                    match outcome {
                        Ok(Some(item)) => {
                            self.take(item);
                            self.answer(cx);
                        }
                        Ok(None) => {}
                        Err(violation) => self.refuse(violation),
                    }
                }
                Poll::Ready(Ok(false) | Err(_)) => self.lose(WebSocketError::Disconnected, None),
            }
        }
    }

    fn take(&self, item: Item) {
        match (item, self.phase.get()) {
            (Item::Message(message), Phase::Open) => {
                *self.inbox.borrow_mut() = Some(message);
                self.waiters.wake();
            }
            (Item::Ping(payload), Phase::Open) => *self.pinged.borrow_mut() = Some(payload),
            (Item::Close(said), phase) => {
                let event = match phase {
                    Phase::Closing(event) => event,
                    _ => Event::Ended,
                };
                let code = said.as_ref().map(|said| said.code);
                *self.said.borrow_mut() = said;
                if phase == Phase::Open {
                    // RFC 6455 §5.5.1: the code is given back.
                    self.put_close(code, "");
                }
                self.end(event);
            }
            // RFC 6455 §1.4: behind our own Close what comes is not for the program.
            (Item::Message(_) | Item::Ping(_) | Item::Pong, _) => {}
        }
    }

    /// The peer broke the protocol.
    fn refuse(&self, violation: Violation) {
        let (code, detail) = (violation.code(), violation.detail());
        self.failure
            .set(Some(WebSocketError::Refused { code, detail }));
        self.fail(code, detail, Event::Refused);
    }

    /// Closes without waiting for the peer.
    pub(super) fn fail(&self, code: u16, reason: &str, event: Event) {
        if self.phase.get() == Phase::Open {
            self.put_close(Some(code), reason);
        }
        self.end(event);
    }

    /// Closes, and has the peer's Close waited for.
    pub(super) fn start_close(&self, code: u16, reason: &str, event: Event) {
        if self.phase.get() == Phase::Open {
            self.put_close(Some(code), reason);
            self.phase.set(Phase::Closing(event));
            // While a message lies here nothing behind it is read, such as the peer's Close.
            self.inbox.take();
            self.waiters.wake();
            self.waiters.wake_driver();
        }
    }

    /// Nothing more comes of the peer; the connection has ended, or is to end by `event`.
    pub(super) fn lose(&self, error: WebSocketError, event: Option<Event>) {
        if self.phase.get() == Phase::Open {
            self.failure.set(Some(error));
        }
        self.stop_receiving();
        if let (Some(event), Ok(link)) = (event, self.stream.link()) {
            link.close(Some(event));
        }
        self.waiters.wake();
    }

    pub(super) fn end(&self, event: Event) {
        self.stop_receiving();
        if let Ok(link) = self.stream.link() {
            link.close(Some(event));
        }
        self.waiters.wake();
    }

    /// The program's function is over, and there is nobody left to take anything: a handle that is kept
    /// holds no more than how it ended.
    pub(super) fn leave(&self) {
        self.stop_receiving();
        self.inbox.take();
        self.waiters.leave();
        self.waiters.wake();
    }

    /// What has come of a message goes with its reader.
    fn stop_receiving(&self) {
        self.phase.set(Phase::Closed);
        self.reader.take();
    }

    fn put_close(&self, code: Option<u16>, reason: &str) {
        let Ok(link) = self.stream.link() else {
            return;
        };
        let mut payload = Vec::new();
        if let Some(code) = code {
            payload.extend_from_slice(&code.to_be_bytes());
            let bytes = reason.floor_char_boundary(REASON_BYTES.min(reason.len()));
            payload.extend_from_slice(&reason.as_bytes()[..bytes]);
        }
        put(&*link, OpCode::Control(Control::Close), payload.into());
    }

    /// Answers a ping, if there is one and room.
    pub(super) fn answer(&self, cx: &mut Context<'_>) {
        if self.pinged.borrow().is_none() || self.phase.get() != Phase::Open {
            return;
        }
        if let Poll::Ready(Ok(link)) = self.poll_room(cx) {
            let payload = self.pinged.take().unwrap_or_default();
            put(&*link, OpCode::Control(Control::Pong), payload.into());
        }
    }

    /// Sends a ping, unless the peer has still to read what was sent before: whether it did.
    pub(super) fn ask(&self, cx: &mut Context<'_>) -> bool {
        let Ok(link) = self.stream.link() else {
            return false;
        };
        let is_read = matches!(link.poll_flushed(cx), Poll::Ready(Ok(())));
        if is_read {
            put(&*link, OpCode::Control(Control::Ping), Bytes::new());
        }
        is_read
    }

    /// Says goodbye when a shutdown begins.
    pub(super) fn heed_shutdown(&self, cx: &mut Context<'_>) {
        if self.phase.get() != Phase::Open {
            return;
        }
        if let Ok(link) = self.stream.link()
            && link.poll_stopping(cx).is_ready()
        {
            self.start_close(code::GOING_AWAY, "", Event::Stopped);
        }
    }
}

/// Adds a frame to what is sent. A server masks none (RFC 6455 §5.1).
pub(super) fn put(link: &dyn Link, opcode: OpCode, payload: Bytes) {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let is_copied = payload.len() <= INLINE_BODY_BYTES;
    let mut write = |out: &mut Vec<u8>| {
        // Writing to memory does not fail.
        let _ = header.format(payload.len() as u64, out);
        if is_copied {
            out.extend_from_slice(&payload);
        }
    };
    let body = match is_copied {
        true => Bytes::new(),
        false => payload.clone(),
    };
    link.put(&mut write, body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Request};
    use crate::limits::SWITCHED_GRACE;
    use crate::testing::Conversation;
    use crate::ws::WebSocket;

    const HANDSHAKE: &[u8] =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    /// A message of 1000 bytes, by a mask of zeros.
    fn message() -> Vec<u8> {
        let header = [0x82, 0x80 | 126, 3, 232, 0, 0, 0, 0];
        [&header[..], &[7; 1000]].concat()
    }

    #[test]
    fn a_handle_that_outlives_its_socket_holds_nothing_that_came() {
        let handles = Rc::new(RefCell::new(Vec::<WebSocket>::new()));
        let kept = Rc::clone(&handles);
        let app = App::new().get("/", move |req: Request| {
            let kept = Rc::clone(&kept);
            let response = WebSocket::upgrade(&req).on_upgrade(async move |socket| {
                kept.borrow_mut().push(socket);
                std::future::pending().await
            });
            async { response }
        });
        let mut peer = Conversation::new(app).unwrap();
        peer.deliver(HANDSHAKE);
        peer.deliver(&message()[..900]);
        let handle = handles.borrow()[0].clone();
        let shared = &handle.shared;
        assert!(shared.reader.borrow().is_some() && shared.inbox.borrow().is_none());
        peer.reset();
        assert!(handle.is_closed() && shared.reader.borrow().is_none());

        let mut peer = peer.reconnect();
        peer.deliver(HANDSHAKE);
        peer.deliver(&[message(), message()].concat()[..1900]);
        let handle = handles.borrow()[1].clone();
        let shared = &handle.shared;
        peer.reset();
        // The program may still take it.
        assert!(shared.inbox.borrow().is_some());
        peer.pass(SWITCHED_GRACE);
        assert!(shared.inbox.borrow().is_none() && shared.reader.borrow().is_none());
    }
}
