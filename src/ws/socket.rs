//! A WebSocket while it is open: the handle that the program has, and the future that answers pings,
//! beats, closes, and runs what serves it.
//!
//! ```text
//!   Link ── bytes ──▶ Reader ── Item ──▶ inbox (one message) ──▶ recv
//!     ▲                           └────▶ pong, Close
//!     └──────────────── frames ◀──────── send, ping, close
//! ```
//!
//! - One message is read ahead of the program, and no further byte while it is there: a program that
//!   takes no messages has its peer wait.
//! - A ping is answered when there is room to send. Where there is none, the last alone is (RFC 6455
//!   §5.5.3), so pings cost their peer's own room.
//! - Our Close is followed by the peer's, or by [`WEBSOCKET_CLOSE_TIMEOUT`]; behind a peer that broke
//!   the protocol nothing is waited for (RFC 6455 §7.1.7).

use super::WebSocketError;
use super::handshake::WebSocketUpgrade;
use super::message::{CloseFrame, Message, code};
use super::reader::{Item, Reader, Violation};
use crate::app::{Bell, Link, Request, Time, Upgraded};
use crate::http::Event;
use crate::limits::{INLINE_BODY_BYTES, WEBSOCKET_CLOSE_TIMEOUT};
use bytes::Bytes;
use futures_lite::Stream;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Most bytes of the reason in a Close (RFC 6455 §5.5), and of a ping.
const REASON_BYTES: usize = 123;
const PING_BYTES: usize = 125;

/// A WebSocket. All that can be done with it takes `&self`, so one future may send while another
/// receives, and a clone is the same socket for another task of the core.
///
/// It lasts as long as the function that [`WebSocketUpgrade::on_upgrade`] was given: what is left of
/// it then is closed. It is also a [`Stream`] of what [`WebSocket::recv`] returns.
#[derive(Clone)]
pub struct WebSocket {
    shared: Rc<Shared>,
}

/// What was agreed on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) message_bytes: usize,
    pub(super) frame_bytes: usize,
    pub(super) heartbeat: Option<Duration>,
    pub(super) protocol: Option<String>,
}

struct Shared {
    stream: Upgraded,
    protocol: Option<String>,
    reader: RefCell<Reader>,
    /// A message that the program has not taken.
    inbox: RefCell<Option<Message>>,
    /// What the program is still to be told of the end.
    failure: Cell<Option<WebSocketError>>,
    phase: Cell<Phase>,
    /// A ping that is not answered.
    pinged: RefCell<Option<Vec<u8>>>,
    /// Something came since the heart beat last.
    has_heard: Cell<bool>,
    said: RefCell<Option<CloseFrame>>,
    bell: Bell,
}

/// How far a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our Close is out, and that of the peer is waited for; then the connection ends by the event.
    Closing(Event),
    Closed,
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

    /// Closes the socket and waits until the peer has done so, too, or
    /// [`WEBSOCKET_CLOSE_TIMEOUT`] has passed. What has come of it and was not taken, and what it sends
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
            _ => self.shared.bell.wait(cx),
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

/// Serves a socket over `stream` to its end.
pub(super) async fn serve<F>(
    stream: Upgraded,
    settings: Settings,
    time: Time,
    handle: impl FnOnce(WebSocket) -> F,
) where
    F: Future<Output = ()>,
{
    let shared = Rc::new(Shared {
        stream,
        protocol: settings.protocol,
        reader: RefCell::new(Reader::new(settings.message_bytes, settings.frame_bytes)),
        inbox: RefCell::default(),
        failure: Cell::default(),
        phase: Cell::new(Phase::Open),
        pinged: RefCell::default(),
        has_heard: Cell::new(false),
        said: RefCell::default(),
        bell: Bell::default(),
    });
    let _ending = Ending(&shared);
    let socket = WebSocket {
        shared: Rc::clone(&shared),
    };
    // Called below, where a panic is caught, so that the peer is told before it goes on.
    let mut served = pin!(async move { handle(socket).await });
    let mut outcome: Option<Result<(), Box<dyn Any + Send>>> = None;
    let mut heart = settings
        .heartbeat
        .map(|interval| Heart::new(&time, interval));
    let mut patience = None;
    poll_fn(|cx| {
        shared.bell.enter(cx);
        shared.receive(cx);
        loop {
            shared.bell.take_rung();
            if outcome.is_none() {
                let poll = AssertUnwindSafe(|| served.as_mut().poll(cx));
                outcome = match catch_unwind(poll) {
                    Ok(Poll::Pending) => None,
                    Ok(Poll::Ready(())) => {
                        shared.start_close(code::NORMAL, "", Event::Ended);
                        Some(Ok(()))
                    }
                    Err(payload) => {
                        shared.fail(code::INTERNAL, "", Event::Truncated);
                        Some(Err(payload))
                    }
                };
            }
            shared.receive(cx);
            shared.answer(cx);
            if let Some(heart) = &mut heart {
                heart.beat(&shared, cx);
            }
            shared.heed_shutdown(cx);
            shared.poll_late(&time, &mut patience, cx);
            if outcome.is_some() && shared.phase.get() == Phase::Closed {
                return Poll::Ready(());
            }
            if !shared.bell.take_rung() {
                shared.bell.leave();
                return Poll::Pending;
            }
        }
    })
    .await;
    if let Some(Err(payload)) = outcome {
        resume_unwind(payload);
    }
}

/// Has every handle know the end, however it came.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.phase.set(Phase::Closed);
        self.0.bell.leave();
        self.0.bell.ring();
    }
}

/// Asks the peer from time to time whether it is there.
struct Heart {
    time: Time,
    interval: Duration,
    wait: Wait,
    /// The peer was asked since the wait began.
    has_asked: bool,
}

type Wait = Pin<Box<dyn Future<Output = ()>>>;

impl Heart {
    fn new(time: &Time, interval: Duration) -> Self {
        Self {
            time: time.clone(),
            interval,
            wait: sleep(time, interval),
            has_asked: false,
        }
    }

    fn beat(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        if shared.phase.get() != Phase::Open || self.wait.as_mut().poll(cx).is_pending() {
            return;
        }
        let has_heard = shared.has_heard.take();
        // What is not received, because the program takes nothing, is not missed.
        let is_listening = shared.inbox.borrow().is_none();
        if self.has_asked && !has_heard && is_listening {
            shared.lose(WebSocketError::PeerSilent, Some(Event::Silent));
            return;
        }
        self.has_asked = shared.ask(cx);
        self.wait = sleep(&self.time, self.interval);
        // The new wait is to know whom to wake.
        shared.bell.ring();
    }
}

fn sleep(time: &Time, duration: Duration) -> Wait {
    let time = time.clone();
    Box::pin(async move { time.sleep(duration).await })
}

impl Shared {
    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, WebSocketError>>> {
        if let Some(message) = self.inbox.take() {
            self.bell.stir();
            return Poll::Ready(Some(Ok(message)));
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        match self.phase.get() {
            Phase::Open => self.bell.wait(cx),
            _ => Poll::Ready(None),
        }
    }

    /// Ready when there is room to send a message.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<Rc<dyn Link>, WebSocketError>> {
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
    fn receive(&self, cx: &mut Context<'_>) {
        let Ok(link) = self.stream.link() else {
            return;
        };
        while self.phase.get() != Phase::Closed && self.inbox.borrow().is_none() {
            let mut outcome = Ok(None);
            let mut reader = self.reader.borrow_mut();
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
            drop(reader);
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
                self.bell.ring();
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
    fn fail(&self, code: u16, reason: &str, event: Event) {
        if self.phase.get() == Phase::Open {
            self.put_close(Some(code), reason);
        }
        self.end(event);
    }

    /// Closes, and has the peer's Close waited for.
    fn start_close(&self, code: u16, reason: &str, event: Event) {
        if self.phase.get() == Phase::Open {
            self.put_close(Some(code), reason);
            self.phase.set(Phase::Closing(event));
            // While a message lies here nothing behind it is read, such as the peer's Close.
            self.inbox.take();
            self.bell.ring();
            self.bell.stir();
        }
    }

    /// Nothing more comes of the peer; the connection has ended, or is to end by `event`.
    fn lose(&self, error: WebSocketError, event: Option<Event>) {
        if self.phase.get() == Phase::Open {
            self.failure.set(Some(error));
        }
        self.phase.set(Phase::Closed);
        if let (Some(event), Ok(link)) = (event, self.stream.link()) {
            link.close(Some(event));
        }
        self.bell.ring();
    }

    fn end(&self, event: Event) {
        self.phase.set(Phase::Closed);
        if let Ok(link) = self.stream.link() {
            link.close(Some(event));
        }
        self.bell.ring();
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
    fn answer(&self, cx: &mut Context<'_>) {
        if self.pinged.borrow().is_none() || self.phase.get() != Phase::Open {
            return;
        }
        if let Poll::Ready(Ok(link)) = self.poll_room(cx) {
            let payload = self.pinged.take().unwrap_or_default();
            put(&*link, OpCode::Control(Control::Pong), payload.into());
        }
    }

    /// Sends a ping, unless the peer has still to read what was sent before: whether it did.
    fn ask(&self, cx: &mut Context<'_>) -> bool {
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
    fn heed_shutdown(&self, cx: &mut Context<'_>) {
        if self.phase.get() != Phase::Open {
            return;
        }
        if let Ok(link) = self.stream.link()
            && link.poll_stopping(cx).is_ready()
        {
            self.start_close(code::GOING_AWAY, "", Event::Stopped);
        }
    }

    /// Gives up a peer that does not answer our Close.
    fn poll_late(&self, time: &Time, patience: &mut Option<Wait>, cx: &mut Context<'_>) {
        let Phase::Closing(event) = self.phase.get() else {
            return;
        };
        let wait = patience.get_or_insert_with(|| sleep(time, WEBSOCKET_CLOSE_TIMEOUT));
        if wait.as_mut().poll(cx).is_ready() {
            self.end(event);
        }
    }
}

/// Adds a frame to what is sent. A server masks none (RFC 6455 §5.1).
fn put(link: &dyn Link, opcode: OpCode, payload: Bytes) {
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
