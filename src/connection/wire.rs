//! What a connection consists of while nothing happens on it, and what its request bodies and
//! its responses share: the transport, and the bytes that came and were not taken.

use super::service::Service;
use super::transport::Transport;
use crate::http::{BodyDecoder, Event};
use crate::limits::Limits;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A connection at rest. Everything else is made when bytes come, and gone when they are answered.
#[derive(Debug)]
pub(crate) struct Wire<T: Transport> {
    /// Its deadline is for whichever wait is going on; there is one at a time.
    pub(crate) transport: T,
    /// Received bytes that nobody has taken.
    pub(super) received: RefCell<Option<T::Received>>,
    /// The current request's body; `None` without one.
    pub(super) inbound: RefCell<Option<Box<Inbound>>>,
    /// A wait was ended for a shutdown, and the connection had to go on.
    pub(super) stopped: Cell<bool>,
    /// Which request it is whose body may be read. It changes when a request begins and when it
    /// is answered: what still holds an older one's body reads nothing of the next. It starts again
    /// after so many requests that no body is held for as long.
    pub(super) turn: Cell<u32>,
    /// Requests that have begun on it.
    pub(super) requests: Cell<u64>,
    peer: OnceCell<SocketAddr>,
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self {
            transport,
            received: RefCell::new(None),
            inbound: RefCell::new(None),
            stopped: Cell::new(false),
            turn: Cell::new(0),
            requests: Cell::new(0),
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
    pub(super) fn receive(
        &self,
        limit: Option<Duration>,
    ) -> impl Future<Output = Result<T::Received, Event>> {
        if let Some(limit) = limit {
            self.transport.arm(limit);
        }
        // Not an async function, whose future would keep the limit beside what it needs.
        std::future::poll_fn(|cx| self.poll_receive(cx))
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
        self.turn.set(self.turn.get().wrapping_add(1));
    }

    /// Whether nothing of the current request's body is left to read.
    pub(super) fn body_is_read(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound
            .as_ref()
            .is_none_or(|inbound| inbound.decoder.is_complete())
    }

    /// Whether the current request's body cannot be read on.
    pub(super) fn body_has_failed(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound.as_ref().is_some_and(|inbound| inbound.failed)
    }

    /// The peer was asked for the body, and sends it.
    pub(super) fn expect_body(&self) {
        if let Some(inbound) = &mut *self.inbound.borrow_mut() {
            inbound.failed = false;
        }
    }

    /// The body cannot be read on: it is malformed, late, or the peer is gone.
    pub(super) fn fail_body(&self) {
        if let Some(inbound) = &mut *self.inbound.borrow_mut() {
            inbound.failed = true;
        }
    }

    /// Bytes of the current request's body, or what happened instead within the time that its peer
    /// has for them.
    pub(super) fn poll_body(
        &self,
        cx: &mut Context<'_>,
        service: &Service,
    ) -> Poll<Result<T::Received, Event>> {
        if let Some(received) = self.received.borrow_mut().take() {
            return Poll::Ready(Ok(received));
        }
        let now_ns = self.transport.now_ns();
        if let Some(inbound) = &mut *self.inbound.borrow_mut()
            && inbound.waits_since_ns.is_none()
        {
            inbound.waits_since_ns = Some(now_ns);
            self.transport.arm(inbound.patience(service.limits()));
        }
        let outcome = loop {
            match ready!(self.poll_receive(cx)) {
                // A shutdown lets requests finish.
                Err(Event::Stopped) => {}
                outcome => break outcome,
            }
        };
        if let Some(inbound) = &mut *self.inbound.borrow_mut()
            && let Some(since_ns) = inbound.waits_since_ns.take()
        {
            inbound.waited_ns += self.transport.now_ns().saturating_sub(since_ns);
        }
        if let Ok(received) = &outcome {
            service.recorder().received(received.len() as u64);
            if let Some(inbound) = &mut *self.inbound.borrow_mut() {
                inbound.received_bytes += received.len() as u64;
            }
        }
        Poll::Ready(outcome)
    }
}

/// Where the reading of a request's body stands.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) decoder: BodyDecoder,
    /// It cannot be read, or not yet: a peer that waits to be asked for it may never send it.
    pub(super) failed: bool,
    /// What has been received since its head, in bytes.
    received_bytes: u64,
    /// How long its peer was waited for in all. A handler that is slow to read is not its fault.
    waited_ns: u64,
    /// When the wait that is going on began, on the transport's clock.
    waits_since_ns: Option<u64>,
}

impl Inbound {
    pub(super) fn new(decoder: BodyDecoder) -> Self {
        Self {
            decoder,
            failed: false,
            received_bytes: 0,
            waited_ns: 0,
            waits_since_ns: None,
        }
    }

    /// How long the next bytes may take: no longer than a pause, and than the least rate allows.
    fn patience(&self, limits: &Limits) -> Duration {
        let pause = limits.body_timeout;
        if limits.body_rate_bytes == 0 {
            return pause;
        }
        let worth = u128::from(self.received_bytes) * 1_000_000_000;
        let worth_ns = u64::try_from(worth / u128::from(limits.body_rate_bytes));
        let earned = Duration::from_nanos(worth_ns.unwrap_or(u64::MAX)).saturating_add(pause);
        pause.min(earned.saturating_sub(Duration::from_nanos(self.waited_ns)))
    }
}
