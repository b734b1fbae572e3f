//! A connection after it has switched protocols: whoever speaks the other one runs here, its bytes
//! are moved, and its end is made the connection's.
//!
//! The response with 101 is sent by the visit that ends with it. What follows has neither a parser
//! nor a visit's buffers: a [`Line`] lies between the transport and whoever speaks, and all of it is
//! polled by the connection's task.
//!
//! ```text
//!              ┌── receive ──▶ wire.received ── poll_read ──▶┐
//!  transport ──┤                                             ├── work (the program's future)
//!              └◀── send ───── Outgoing ◀────── put ─────────┘
//! ```
//!
//! - Nothing is received while bytes are left unread: one delivery is held, out of the pool, and
//!   TCP has the peer wait. Its leaving is still seen.
//! - Nothing more is taken to be sent while [`GATHER_BYTES`] wait. What is on its way is the
//!   connection's, so a send that is given up half way breaks nothing. The peer has the time for it
//!   that it has for responses.
//! - Whoever speaks is asked to end when the peer leaves, the connection fails, a shutdown begins, or
//!   it has said itself that this is the end. It then has [`SWITCHED_GRACE`], and is dropped.
//! - When it has ended, or panicked, what it left is sent, and the connection ends by the table.
//!
//! The transport's deadline is that of sending: whoever waits for the peer's bytes has its own.

use super::exchange::Asked;
use super::pace::Pace;
use super::service::Service;
use super::transport::{Clocked, Host, Received, Transport};
use super::visit::Visit;
use super::wire::{Wire, broken};
use crate::app::{Link, Response, Switch, Waiters, Work};
use crate::http::{BodyFraming, Connection, Event, State};
use crate::limits::{GATHER_BYTES, SWITCHED_GRACE};
use crate::ring::Message;
use bytes::Bytes;
use http::{StatusCode, Version};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

/// What a visit leaves behind that ended with a switch.
#[derive(Debug)]
pub(super) struct Switching {
    asked: Asked,
    switch: Switch,
}

impl<H: Host> Visit<'_, H> {
    /// Whether `response` to what was `asked` can switch protocols. Nothing may be left of the
    /// request, for it would be read as the other protocol.
    pub(super) fn can_switch(&self, asked: Asked, response: &Response) -> bool {
        response.status == StatusCode::SWITCHING_PROTOCOLS
            && response.is_switching()
            && asked.version == Version::HTTP_11
            && !asked.is_head
            && self.wire.body_is_read()
    }

    /// Sends the head of `response`; its connection then has another protocol.
    pub(super) async fn switch(&mut self, asked: Asked, mut response: Response) -> Event {
        let Some(switch) = response.take_switch() else {
            return Event::Truncated;
        };
        self.wire.end_turn();
        self.gather_head(&response, BodyFraming::None, Connection::Default);
        self.answered(response.status, asked.record);
        match self.flush(Bytes::new()).await {
            Ok(()) => {
                self.switching = Some(Box::new(Switching { asked, switch }));
                Event::Switched
            }
            Err(event) => self.give_up(asked, switch, event),
        }
    }
}

/// Has the other protocol spoken to its end, and the connection's.
pub(super) async fn speak<H: Host>(
    host: &Rc<H>,
    wire: &Rc<Wire<H::Transport>>,
    switching: Box<Switching>,
) -> State {
    let Switching { asked, switch } = *switching;
    let line = Rc::new(Line::new(host, wire));
    let link = Rc::clone(&line) as Rc<dyn Link>;
    let event = match catch_unwind(AssertUnwindSafe(|| switch.begin(&link))) {
        Ok(work) => line.run(asked, work).await,
        Err(payload) => {
            wire.tell_panic(host.service(), asked, &*payload);
            Event::Truncated
        }
    };
    match State::Switched.advance(event) {
        lingering @ State::Linger(_) => lingering.advance(wire.linger(host.service()).await),
        state => state,
    }
}

/// What lies between the transport and whoever speaks on it.
struct Line<H: Host> {
    host: Rc<H>,
    wire: Rc<Wire<H::Transport>>,
    outgoing: RefCell<Outgoing>,
    /// How receiving ended.
    ended: Cell<Option<Event>>,
    /// How the peer was seen to leave, though bytes of it are left.
    left: Cell<Option<Event>>,
    is_watching: Cell<bool>,
    is_stopping: Cell<bool>,
    /// How the connection is to end, if whoever speaks has said it.
    conclusion: Cell<Option<Event>>,
    /// Between the connection's task and who waits for anything here.
    waiters: Waiters,
}

/// What waits to be sent.
#[derive(Debug, Default)]
struct Outgoing {
    head: Vec<u8>,
    /// Sent behind the head from where it lies; nothing more is taken before it has gone.
    body: Bytes,
    /// A message is on its way.
    is_sending: bool,
    /// Our side is to be closed behind it.
    is_closing: bool,
    /// What became of that, or of sending.
    over: Option<Result<(), Event>>,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }

    fn has_room(&self) -> bool {
        self.body.is_empty() && self.head.len() < GATHER_BYTES
    }
}

impl<H: Host> Line<H> {
    fn new(host: &Rc<H>, wire: &Rc<Wire<H::Transport>>) -> Self {
        // The connection may have been told of a shutdown while its request was served.
        let is_stopping = wire.stopped.take() || host.service().is_draining();
        Self {
            host: Rc::clone(host),
            wire: Rc::clone(wire),
            outgoing: RefCell::default(),
            ended: Cell::new(None),
            left: Cell::new(None),
            is_watching: Cell::new(false),
            is_stopping: Cell::new(is_stopping),
            conclusion: Cell::new(None),
            waiters: Waiters::default(),
        }
    }

    fn service(&self) -> &Service {
        self.host.service()
    }

    /// Runs `work` to its end, and says what the connection's is.
    async fn run(&self, asked: Asked, work: Work) -> Event {
        let mut work = Some(work);
        let mut sending = pin!(self.send_all());
        let mut sent = None;
        let mut grace = None;
        let mut panicked = false;
        poll_fn(|cx| {
            self.waiters.enter(cx);
            self.receive(cx);
            loop {
                self.waiters.take_woken();
                if let Some(working) = &mut work {
                    let since_ns = self.wire.clock_ns(self.service());
                    let outcome = catch_unwind(AssertUnwindSafe(|| working.as_mut().poll(cx)));
                    self.wire.held_since(self.service(), asked, since_ns);
                    if let Err(payload) = &outcome {
                        self.wire.tell_panic(self.service(), asked, &**payload);
                        panicked = true;
                    }
                    if !matches!(outcome, Ok(Poll::Pending)) || self.is_out_of_grace(&mut grace, cx)
                    {
                        self.wire.let_go(self.service(), asked, work.take());
                        self.close(None);
                    }
                }
                self.hold(cx);
                self.receive(cx);
                if sent.is_none() {
                    match sending.as_mut().poll(cx) {
                        Poll::Ready(outcome) => sent = Some(outcome),
                        Poll::Pending => {}
                    }
                }
                if let (None, Some(outcome)) = (&work, sent) {
                    return Poll::Ready(outcome);
                }
                if !self.waiters.take_woken() {
                    self.waiters.leave();
                    return Poll::Pending;
                }
            }
        })
        .await
        .map_or_else(|event| event, |()| self.conclude(panicked))
    }

    /// How the connection ends when all was sent.
    fn conclude(&self, panicked: bool) -> Event {
        let stopped = self.is_stopping.get().then_some(Event::Stopped);
        match self.conclusion.get() {
            _ if panicked => Event::Truncated,
            Some(event) => event,
            None => {
                let ended = self.ended.get().or(self.left.get());
                ended.or(stopped).unwrap_or(Event::Ended)
            }
        }
    }

    /// Receives what comes, unless some of it is unread.
    fn receive(&self, cx: &mut Context<'_>) {
        while self.ended.get().is_none() && self.wire.received.borrow().is_none() {
            match self.wire.transport.poll_receive(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(Some(received))) => {
                    let bytes = received.len() as u64;
                    self.service().recorder().received(bytes);
                    *self.wire.received.borrow_mut() = Some(received);
                }
                Poll::Ready(Ok(None)) => self.ended.set(Some(Event::PeerClosed)),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                    self.is_stopping.set(true);
                }
                Poll::Ready(Err(error)) => self.ended.set(Some(broken(&error))),
            }
            self.waiters.wake();
        }
    }

    /// Keeps what nobody has read, without a buffer of others, and watches for the peer's leaving.
    fn hold(&self, cx: &mut Context<'_>) {
        let mut slot = self.wire.received.borrow_mut();
        let is_held = slot.as_mut().map(Received::settle).is_some();
        drop(slot);
        let is_needed = is_held && self.ended.get().is_none() && self.left.get().is_none();
        if is_needed {
            // While bytes are held no wait for more of them is there to be interrupted.
            if self.service().is_draining() && !self.is_stopping.replace(true) {
                self.waiters.wake();
            }
            self.is_watching.set(true);
            let event = match self.wire.transport.poll_left(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => Event::PeerClosed,
                Poll::Ready(Err(error)) => broken(&error),
            };
            self.left.set(Some(event));
            self.waiters.wake();
        } else if self.is_watching.take() {
            self.wire.transport.unwatch();
        }
    }

    /// Whether whoever speaks was to end and had its grace.
    fn is_out_of_grace(
        &self,
        grace: &mut Option<Pin<Box<dyn Future<Output = ()>>>>,
        cx: &mut Context<'_>,
    ) -> bool {
        let is_to_end = self.left.get().is_some()
            || self.ended.get().is_some()
            || self.is_stopping.get()
            || self.conclusion.get().is_some()
            || self.outgoing.borrow().over.is_some();
        if !is_to_end {
            return false;
        }
        let grace = grace.get_or_insert_with(|| {
            let now_ns = self.wire.transport.now_ns();
            let grace_ns = SWITCHED_GRACE.as_nanos() as u64;
            self.host.passed(now_ns.saturating_add(grace_ns))
        });
        grace.as_mut().poll(cx).is_ready()
    }

    /// Sends what is put, until our side is to be closed, and closes that.
    async fn send_all(&self) -> Result<(), Event> {
        let outcome = self.send_until_closed().await;
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.over = Some(outcome);
        outgoing.is_sending = false;
        drop(outgoing);
        self.waiters.wake();
        outcome
    }

    async fn send_until_closed(&self) -> Result<(), Event> {
        let limits = self.service().limits();
        let mut pace = Pace::default();
        while let Some(mut message) = poll_fn(|_| self.poll_outgoing()).await {
            while message.remaining() > 0 {
                let (outcome, rest) = self.wire.send(message, &mut pace, limits).await;
                self.service().recorder().sent(outcome? as u64);
                message = rest;
            }
            if self.outgoing.borrow().is_empty() {
                // What follows is another matter.
                pace = Pace::default();
            }
        }
        let transport = &self.wire.transport;
        transport.arm(limits.linger_timeout);
        match transport.limit(transport.shutdown()).await {
            Some(Ok(())) => Ok(()),
            // It was gone already, as after the peer's own end: nothing is lost by that.
            _ if self.ended.get().is_some() => Ok(()),
            Some(Err(error)) => Err(broken(&error)),
            None => Err(Event::Failed),
        }
    }

    /// The next message to send; `None` when nothing follows.
    fn poll_outgoing(&self) -> Poll<Option<Message>> {
        let outgoing = &mut *self.outgoing.borrow_mut();
        let has_more = !outgoing.is_empty();
        let was_sending = std::mem::replace(&mut outgoing.is_sending, has_more);
        if was_sending || outgoing.is_sending {
            self.waiters.wake();
        }
        if outgoing.is_sending {
            let (head, body) = (&mut outgoing.head, &mut outgoing.body);
            let message = Message::new(std::mem::take(head), std::mem::take(body));
            return Poll::Ready(Some(message));
        }
        match outgoing.is_closing {
            true => Poll::Ready(None),
            false => Poll::Pending,
        }
    }
}

impl<H: Host> Link for Line<H> {
    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<bool>> {
        let mut slot = self.wire.received.borrow_mut();
        if let Some(received) = &mut *slot {
            let taken = take(received);
            received.consume(taken);
            if received.is_empty() {
                *slot = None;
            }
            self.waiters.wake_driver();
            return Poll::Ready(Ok(true));
        }
        let has_failed = matches!(self.outgoing.borrow().over, Some(Err(_)));
        match self.ended.get() {
            Some(Event::PeerClosed) => Poll::Ready(Ok(false)),
            None if !has_failed => self.waiters.wait(cx),
            _ => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = self.outgoing.borrow();
        if outgoing.over.is_some() || outgoing.is_closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match outgoing.has_room() {
            true => Poll::Ready(Ok(())),
            false => self.waiters.wait(cx),
        }
    }

    fn put(&self, write: &mut dyn FnMut(&mut Vec<u8>), body: Bytes) {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.over.is_some() || outgoing.is_closing {
            return;
        }
        if !outgoing.body.is_empty() {
            // Little is put where there is no room.
            let ahead = std::mem::take(&mut outgoing.body);
            outgoing.head.extend_from_slice(&ahead);
        }
        write(&mut outgoing.head);
        outgoing.body = body;
        drop(outgoing);
        self.waiters.wake_driver();
    }

    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outgoing = self.outgoing.borrow();
        let is_sent = outgoing.is_empty() && !outgoing.is_sending && !outgoing.is_closing;
        match outgoing.over {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err(_)) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            None if is_sent => Poll::Ready(Ok(())),
            None => self.waiters.wait(cx),
        }
    }

    fn poll_stopping(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_stopping.get() {
            true => Poll::Ready(()),
            false => self.waiters.wait(cx),
        }
    }

    fn close(&self, end: Option<Event>) {
        self.outgoing.borrow_mut().is_closing = true;
        if self.conclusion.get().is_none() {
            self.conclusion.set(end);
        }
        self.waiters.wake_driver();
    }
}

impl<H: Host> Drop for Line<H> {
    fn drop(&mut self) {
        if self.is_watching.get() {
            self.wire.transport.unwatch();
        }
    }
}
