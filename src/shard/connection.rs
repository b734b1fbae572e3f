//! Serves one connection: acts out the table of `http/cycle.rs` on a [`Wire`].
//!
//! Between requests a connection is its wire and this task. When bytes come it takes a [`Work`],
//! answers everything that has arrived, gathers the responses and sends them as one message, and
//! gives the work back.

use super::Shard;
use super::exchange::Stop;
use super::wire::Wire;
use crate::http::{CloseReason, Event, HeadLimits, HeadParser, Refusal, RequestHead, State};
use crate::limits::{
    BODY_TIMEOUT, GATHER_BYTES, HEAD_TIMEOUT, IDLE_TIMEOUT, LINGER_BYTES, LINGER_TIMEOUT,
    WRITE_TIMEOUT,
};
use crate::ring::{Message, Stream};
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::Poll;

/// Serves `stream` to its end and counts how it ended.
///
/// Every connection at rest has this future, and so it is one block and no async function, which
/// would keep what it was called with beside what it made of it.
pub(super) fn serve(shard: &Rc<Shard>, stream: Stream) -> impl Future<Output = ()> {
    let wire = Rc::new(Wire::new(shard.ring(), stream));
    let place = shard.enter(&wire);
    async move {
        let reason = loop {
            if wire.stopped.take() {
                // The shutdown came while a request was under way. Now the connection ends, unless
                // another request has come already.
                wire.stream.interrupt();
            }
            let event = match wire.receive(Some(IDLE_TIMEOUT)).await {
                Ok(lease) => {
                    shard.recorder().received(lease.len() as u64);
                    *wire.lease.borrow_mut() = Some(lease);
                    Event::FirstByte
                }
                Err(event) => event,
            };
            let mut state = State::Idle.advance(event);
            if state == State::Head {
                shard.recorder().connection_busy();
                // Boxed, so that a connection at rest does not pay for the size of one at work.
                state = Box::pin(Visit::new(shard, &wire).run()).await;
                shard.recorder().connection_idle();
            }
            if let State::Closed(reason) = state {
                break reason;
            }
        };
        shard.leave(place, reason);
    }
}

/// Buffers for answering requests; kept by the shard between visits.
#[derive(Debug, Default)]
pub(super) struct Work {
    parser: HeadParser,
    /// A head of which the end has not come, from its first byte.
    partial: Vec<u8>,
    /// The deadline of that head is armed.
    pub(super) head_timed: bool,
    /// Responses to be sent with the next message.
    pub(super) out: Vec<u8>,
    /// The requests that they answer.
    pub(super) answered: Vec<Answered>,
}

/// A request whose response is on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// When its last head byte was delivered, on the ring's clock.
    pub(super) arrived_ns: u64,
}

impl Work {
    /// Buffers above this size are not kept.
    const KEPT_BYTES: usize = 2 * GATHER_BYTES;

    fn recycle(&mut self) {
        self.parser.reset();
        self.head_timed = false;
        for buffer in [&mut self.partial, &mut self.out] {
            buffer.clear();
            buffer.shrink_to(Self::KEPT_BYTES);
        }
        self.answered.clear();
    }
}

/// From the first byte of a request until the connection has nothing to do.
pub(super) struct Visit<'a> {
    pub(super) shard: &'a Rc<Shard>,
    pub(super) wire: &'a Rc<Wire>,
    pub(super) work: Box<Work>,
    pub(super) state: State,
    /// A request has begun and its response is not gathered whole.
    pub(super) open: bool,
}

impl<'a> Visit<'a> {
    fn new(shard: &'a Rc<Shard>, wire: &'a Rc<Wire>) -> Self {
        let work = shard.take_work();
        Self {
            shard,
            wire,
            work,
            state: State::Head,
            open: false,
        }
    }

    /// Runs until the connection is idle or closed.
    async fn run(mut self) -> State {
        loop {
            match self.state {
                State::Head => {
                    let stop = poll_fn(|cx| Poll::Ready(self.answer_received(cx))).await;
                    if let Some(event) = self.resolve(stop).await {
                        self.advance(event);
                    }
                }
                State::Exchange => unreachable!("every way out of it was taken above"),
                State::Idle => match self.flush(Bytes::new()).await {
                    Err(event) => self.state = State::Exchange.advance(event),
                    Ok(()) if self.wire.lease.borrow().is_some() => self.advance(Event::FirstByte),
                    Ok(()) => return self.state,
                },
                // The peer may wait for the response before it sends on.
                State::Discard => match self.flush(Bytes::new()).await {
                    Err(event) => self.state = State::Exchange.advance(event),
                    Ok(()) => {
                        let event = Box::pin(self.discard()).await;
                        self.advance(event);
                    }
                },
                State::Linger(_) => {
                    let event = Box::pin(self.linger()).await;
                    self.advance(event);
                }
                State::Closed(CloseReason::Completed) => {
                    return match self.flush(Bytes::new()).await {
                        Ok(()) => self.state,
                        Err(event) => State::Exchange.advance(event),
                    };
                }
                State::Closed(_) => return self.state,
            }
        }
    }

    pub(super) fn advance(&mut self, event: Event) {
        self.state = self.state.advance(event);
    }

    /// Does what could not be done without waiting; says what that leads to.
    async fn resolve(&mut self, stop: Stop) -> Option<Event> {
        match stop {
            Stop::Advanced => None,
            Stop::NeedsBytes => self.receive_head().await.err(),
            // Boxed, so that a visit stays small enough for the allocator's quick way.
            Stop::Waiting(asked, answer) => Some(Box::pin(self.wait_for(asked, answer)).await),
            Stop::Long(asked, response) => Some(Box::pin(self.send_long(asked, response)).await),
        }
    }

    /// Parses on in what was received. `None`: everything is taken, and the head is not whole.
    pub(super) fn parse_head(&mut self) -> Result<Option<(RequestHead, u64)>, (Refusal, u64)> {
        let mut slot = self.wire.lease.borrow_mut();
        let Some(lease) = &mut *slot else {
            return Ok(None);
        };
        let arrived_ns = lease.arrived_ns();
        let work = &mut *self.work;
        let limits = HeadLimits::default();
        let before = work.partial.len();
        let parsed = if before == 0 {
            work.parser.parse(lease, &limits)
        } else {
            work.partial.extend_from_slice(lease);
            work.parser.parse(&work.partial, &limits)
        };
        match parsed {
            Ok(Some((head, consumed))) => {
                work.partial.clear();
                lease.consume(consumed - before);
                if lease.is_empty() {
                    *slot = None;
                }
                Ok(Some((head, arrived_ns)))
            }
            Ok(None) => {
                if before == 0 {
                    work.partial.extend_from_slice(lease);
                }
                *slot = None;
                Ok(None)
            }
            Err(refusal) => Err((refusal, arrived_ns)),
        }
    }

    /// Waits for more of a head. One that is late is refused here.
    async fn receive_head(&mut self) -> Result<(), Event> {
        if let Err(event) = self.flush(Bytes::new()).await {
            // It is an earlier request's response that failed, not this head.
            self.state = State::Exchange.advance(event);
            return Ok(());
        }
        // Absolute from the first wait on, however slowly the bytes come.
        let limit = (!std::mem::replace(&mut self.work.head_timed, true)).then_some(HEAD_TIMEOUT);
        loop {
            match self.wire.receive(limit).await {
                Ok(lease) => {
                    self.shard.recorder().received(lease.len() as u64);
                    *self.wire.lease.borrow_mut() = Some(lease);
                    return Ok(());
                }
                Err(Event::Stopped) => {}
                Err(Event::Late) => {
                    self.refuse(Refusal::HEAD_TIMEOUT, false, self.shard.ring().now_ns());
                    return Err(Event::Late);
                }
                Err(event) => return Err(event),
            }
        }
    }

    /// Sends what was gathered and `body` behind it, and counts the requests it answered.
    pub(super) async fn flush(&mut self, body: Bytes) -> Result<(), Event> {
        let mut message = Message::new(std::mem::take(&mut self.work.out), body);
        let mut sent = 0;
        let outcome = loop {
            if message.remaining() == 0 {
                break Ok(());
            }
            let deadline = &self.wire.deadline;
            // Renewed with every byte taken, so it bounds a peer that stopped reading.
            deadline.arm(WRITE_TIMEOUT);
            match deadline.limit(self.wire.stream.send(message)).await {
                Ok((Ok(bytes), rest)) => {
                    sent += bytes;
                    message = rest;
                }
                Ok((Err(_), rest)) => {
                    message = rest;
                    break Err(Event::Failed);
                }
                Err(_) => {
                    message = Message::default();
                    break Err(Event::Late);
                }
            }
        };
        self.work.out = message.head;
        self.work.out.clear();
        let now_ns = self.shard.ring().now_ns();
        let mut recorder = self.shard.recorder();
        recorder.sent(sent as u64);
        for answered in self.work.answered.drain(..) {
            if outcome.is_ok() {
                recorder.request(answered.status, now_ns.saturating_sub(answered.arrived_ns));
            }
            recorder.request_finished();
        }
        outcome
    }

    /// Throws away what is left of a request's body.
    async fn discard(&mut self) -> Event {
        while !self.wire.body_is_read() {
            let taken = self.wire.lease.borrow_mut().take();
            let mut lease = match taken {
                Some(lease) => lease,
                None => match self.wire.receive(Some(BODY_TIMEOUT)).await {
                    Ok(lease) => {
                        self.shard.recorder().received(lease.len() as u64);
                        lease
                    }
                    Err(Event::Stopped) => continue,
                    Err(event) => return event,
                },
            };
            let mut body = self.wire.body.borrow_mut();
            let Some(decoder) = body.as_mut() else { break };
            let Ok(decoded) = decoder.decode(&lease) else {
                return Event::Refused;
            };
            lease.consume(decoded.consumed);
            if !lease.is_empty() {
                *self.wire.lease.borrow_mut() = Some(lease);
            }
        }
        Event::Discarded
    }

    /// Lets the peer read the last response: closes our side and waits for it to close its own.
    async fn linger(&mut self) -> Event {
        if let Err(event) = self.flush(Bytes::new()).await {
            return event;
        }
        let deadline = &self.wire.deadline;
        deadline.arm(LINGER_TIMEOUT);
        if !matches!(
            deadline
                .limit(self.wire.stream.shutdown(Shutdown::Write))
                .await,
            Ok(Ok(()))
        ) {
            return Event::Failed;
        }
        let mut discarded = self.wire.lease.take().map_or(0, |lease| lease.len());
        while discarded <= LINGER_BYTES {
            match self.wire.receive(None).await {
                Ok(lease) => {
                    self.shard.recorder().received(lease.len() as u64);
                    discarded += lease.len();
                }
                Err(Event::Stopped) => {}
                Err(event) => return event,
            }
        }
        Event::Late
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        // Whatever was not sent is abandoned.
        for _ in 0..self.work.answered.len() + usize::from(self.open) {
            self.shard.recorder().request_finished();
        }
        self.work.recycle();
        self.shard.keep_work(std::mem::take(&mut self.work));
    }
}
