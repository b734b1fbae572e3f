//! What a connection consists of while nothing happens on it, and what its request bodies and
//! its responses share: the transport, and the bytes that came and were not taken.

use super::inbound::Inbound;
use super::pace::Pace;
use super::service::Service;
use super::transport::{Received, Transport};
use crate::http::Event;
use crate::limits::Limits;
use crate::ring::Message;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
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
    /// The empty line that may precede a request has come, and nothing of the request.
    pub(super) empty_line: Cell<bool>,
    /// A wait was ended for a shutdown, and the connection had to go on.
    pub(super) stopped: Cell<bool>,
    /// Which request it is whose body may be read. It changes when a request begins and when it
    /// is answered: what still holds an older one's body reads nothing of the next. It starts again
    /// after so many requests that no body is held for as long.
    pub(super) turn: Cell<u32>,
    /// Requests that have begun on it.
    pub(super) requests: Cell<u64>,
    peer: OnceCell<Peer>,
}

/// The peer's address, in half the space if it is of IPv4: a wire at rest then fits a smaller class
/// of the allocator.
#[derive(Debug)]
enum Peer {
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

impl<T: Transport> Wire<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self {
            transport,
            received: RefCell::new(None),
            inbound: RefCell::new(None),
            empty_line: Cell::new(false),
            stopped: Cell::new(false),
            turn: Cell::new(0),
            requests: Cell::new(0),
            peer: OnceCell::new(),
        }
    }

    /// The peer's address, asked for once.
    pub(super) fn peer(&self) -> io::Result<SocketAddr> {
        if let Some(peer) = self.peer.get() {
            return Ok(match peer {
                Peer::V4(address) => (*address).into(),
                Peer::V6(address) => (**address).into(),
            });
        }
        let address = self.transport.peer()?;
        self.peer.get_or_init(|| match address {
            SocketAddr::V4(address) => Peer::V4(address),
            SocketAddr::V6(address) => Peer::V6(Box::new(address)),
        });
        Ok(address)
    }

    /// The time, if it is worth looking: 0 where nobody records latencies.
    #[inline]
    pub(super) fn clock_ns(&self, service: &Service) -> u64 {
        if service.is_timed {
            self.transport.clock_ns()
        } else {
            0
        }
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
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(&error))),
            Poll::Pending => self.transport.poll_passed(cx).map(|()| Err(Event::Late)),
        }
    }

    /// Sends a part of `message`, at least a byte, in the time that its peer has for that, and returns
    /// it for the rest to be sent.
    #[inline]
    pub(super) async fn send(
        &self,
        message: Message,
        pace: &mut Pace,
        limits: &Limits,
    ) -> (Result<usize, Event>, Message) {
        let transport = &self.transport;
        // Renewed with every byte taken, as far as the peer keeps to the least rate.
        let patience_ns = pace.patience_ns(limits.write_timeout, limits.write_rate_bytes);
        transport.arm(Duration::from_nanos(patience_ns));
        let since_ns = transport.now_ns();
        // Where it stays: by value the limit would keep it several times over.
        let sending = pin!(transport.send(message));
        match transport.limit(sending).await {
            Some((Ok(bytes), rest)) => {
                pace.add_bytes(bytes);
                pace.add_wait(since_ns, transport.now_ns());
                (Ok(bytes), rest)
            }
            Some((Err(error), rest)) => (Err(broken(&error)), rest),
            None => (Err(Event::Late), Message::default()),
        }
    }

    /// Closes our side and waits for the peer to close its own: it gets to read what was sent last.
    pub(super) async fn linger(&self, service: &Service) -> Event {
        let (transport, limits) = (&self.transport, service.limits());
        transport.arm(limits.linger_timeout);
        if !matches!(transport.limit(transport.shutdown()).await, Some(Ok(()))) {
            return Event::Failed;
        }
        let mut discarded = self.received.take().map_or(0, |received| received.len());
        while discarded <= limits.linger_bytes {
            match self.receive(None).await {
                Ok(received) => {
                    service.recorder().received(received.len() as u64);
                    discarded += received.len();
                }
                Err(Event::Stopped) => {}
                Err(event) => return event,
            }
        }
        Event::Late
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

    /// Whether the current request's body cannot be read on, or not yet.
    pub(super) fn body_has_failed(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound.as_ref().is_some_and(|inbound| !inbound.will_come())
    }

    /// Whether whoever reads the current request's body was told that it is not whole.
    pub(super) fn body_was_cut_off(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound.as_ref().is_some_and(|inbound| inbound.has_failed())
    }

    /// How long the peer was waited for in the current request's body until `now_ns`.
    pub(super) fn body_waited_ns(&self, now_ns: u64) -> u64 {
        let inbound = self.inbound.borrow();
        let inbound = inbound.as_deref();
        inbound.map_or(0, |inbound| inbound.waited_ns(now_ns))
    }

    /// The body cannot be read on: it is malformed, late, or the peer is gone.
    pub(super) fn fail_body(&self) {
        if let Some(inbound) = &mut *self.inbound.borrow_mut() {
            inbound.fail();
        }
    }

    /// Ready when the peer has been invited to send the body, if it waits for that.
    pub(super) fn poll_invited(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.inbound.borrow_mut() {
            Some(inbound) => inbound.poll_invited(cx),
            None => Poll::Ready(()),
        }
    }

    /// Runs `poll`, and tells whether it asked for the body meanwhile and got none.
    pub(super) fn watch_body<R>(&self, poll: impl FnOnce() -> R) -> (R, bool) {
        if let Some(inbound) = &mut *self.inbound.borrow_mut() {
            inbound.is_awaited = false;
        }
        let outcome = poll();
        let inbound = self.inbound.borrow();
        let is_awaited = inbound.as_ref().is_some_and(|inbound| inbound.is_awaited);
        (outcome, is_awaited)
    }

    /// Whether somebody waits for the peer to be invited.
    pub(super) fn is_inviting(&self) -> bool {
        let inbound = self.inbound.borrow();
        inbound
            .as_ref()
            .is_some_and(|inbound| inbound.is_inviting())
    }

    /// The peer has been invited, and may take its time from now on.
    pub(super) fn invited(&self) {
        let mut inbound = self.inbound.borrow_mut();
        let waker = inbound.as_mut().and_then(|inbound| inbound.invited());
        drop(inbound);
        waker.into_iter().for_each(Waker::wake);
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
        let time_left = |inbound: &mut Box<Inbound>| inbound.time_left(now_ns, service.limits());
        let left = self.inbound.borrow_mut().as_mut().map(time_left);
        let left = left.unwrap_or_default();
        // Other waits may have had the deadline since the last time.
        self.transport.arm(left);
        let outcome = loop {
            match self.poll_receive(cx) {
                // A shutdown lets requests finish.
                Poll::Ready(Err(Event::Stopped)) => {}
                Poll::Ready(outcome) => break outcome,
                Poll::Pending if left.is_zero() => break Err(Event::Late),
                Poll::Pending => return Poll::Pending,
            }
        };
        if let Ok(received) = &outcome {
            service.recorder().received(received.len() as u64);
            if let Some(inbound) = &mut *self.inbound.borrow_mut() {
                inbound.received(received.arrived_ns());
            }
        }
        Poll::Ready(outcome)
    }
}

/// What the failure of an operation on a connection says of it: the peer's doing, or ours.
pub(super) fn broken(error: &io::Error) -> Event {
    match error.kind() {
        // A socket whose peer has reset it is not connected any more.
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::NotConnected => Event::Reset,
        // Nothing that was sent was confirmed for too long, or a router says that nothing can be.
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => Event::Silent,
        _ => Event::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_doing_a_failure_is() {
        for (errno, event) in [
            (libc::ECONNRESET, Event::Reset),
            (libc::EPIPE, Event::Reset),
            (libc::ECONNABORTED, Event::Reset),
            (libc::ENOTCONN, Event::Reset),
            (libc::ETIMEDOUT, Event::Silent),
            (libc::EHOSTUNREACH, Event::Silent),
            (libc::ENETUNREACH, Event::Silent),
            (libc::EIO, Event::Failed),
            (libc::ENOMEM, Event::Failed),
            (libc::EBADF, Event::Failed),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(broken(&error), event, "{error}");
        }
    }
}
