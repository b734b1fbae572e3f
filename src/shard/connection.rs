//! Serves one connection: acts out the table of `http/cycle.rs` on a [`Wire`].
//!
//! Between requests a connection is its wire and this task. When bytes come it takes a [`Work`],
//! answers everything that has arrived, gathers the responses and sends them as one message, and
//! gives the work back.

use super::Shard;
use super::wire::Wire;
use crate::http::{CloseReason, Event, HeadLimits, HeadParser, Refusal, RequestHead, State};
use crate::limits::{
    BODY_TIMEOUT, GATHER_BYTES, HEAD_TIMEOUT, IDLE_TIMEOUT, LINGER_BYTES, LINGER_TIMEOUT,
    PIPELINED_REQUESTS, UNREAD_BODY_BYTES, WRITE_TIMEOUT,
};
use crate::ring::{Message, Stream};
use bytes::Bytes;
use std::net::Shutdown;
use std::rc::Rc;

/// Serves `stream` to its end and counts how it ended.
pub(super) async fn serve(shard: &Rc<Shard>, stream: Stream) {
    let wire = Rc::new(Wire::new(shard.ring(), stream));
    let place = shard.enter(&wire);
    let reason = live(shard, &wire).await;
    shard.leave(place, reason);
}

async fn live(shard: &Rc<Shard>, wire: &Rc<Wire>) -> CloseReason {
    loop {
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
            state = Box::pin(Visit::new(shard, wire).run()).await;
            shard.recorder().connection_idle();
        }
        if let State::Closed(reason) = state {
            return reason;
        }
    }
}

/// Buffers for answering requests; kept by the shard between visits.
#[derive(Debug, Default)]
pub(super) struct Work {
    parser: HeadParser,
    /// A head of which the end has not come, from its first byte.
    partial: Vec<u8>,
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
        self.parser = HeadParser::new();
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
    /// A request has begun and its response is not gathered whole.
    pub(super) open: bool,
}

impl<'a> Visit<'a> {
    fn new(shard: &'a Rc<Shard>, wire: &'a Rc<Wire>) -> Self {
        Self { shard, wire, work: shard.take_work(), open: false }
    }

    /// Runs until the connection is idle or closed.
    async fn run(mut self) -> State {
        let mut state = State::Head;
        loop {
            state = match state {
                State::Head => match self.read_head().await {
                    Ok((head, arrived_ns)) => {
                        let event = self.answer(head, arrived_ns).await;
                        State::Exchange.advance(event)
                    }
                    Err(event) => state.advance(event),
                },
                State::Exchange => unreachable!("left in the same step"),
                State::Idle => {
                    let more = self.wire.lease.borrow().is_some();
                    let enough = self.work.answered.len() >= PIPELINED_REQUESTS
                        || self.work.out.len() >= GATHER_BYTES;
                    let sent = match more && !enough {
                        true => Ok(()),
                        false => self.flush(Bytes::new()).await,
                    };
                    match sent {
                        Err(event) => State::Exchange.advance(event),
                        Ok(()) if more => state.advance(Event::FirstByte),
                        Ok(()) => return state,
                    }
                }
                State::Discard => {
                    let event = self.discard().await;
                    state.advance(event)
                }
                State::Linger(_) => {
                    let event = self.linger().await;
                    state.advance(event)
                }
                State::Closed(_) => return state,
            };
        }
    }

    /// Reads on until a head is whole. A refusal is answered here, as is a head that is late.
    async fn read_head(&mut self) -> Result<(RequestHead, u64), Event> {
        let mut limit = Some(HEAD_TIMEOUT);
        loop {
            let taken = self.wire.lease.borrow_mut().take();
            let mut lease = match taken {
                Some(lease) => lease,
                None => {
                    self.flush(Bytes::new()).await?;
                    // Absolute from the first byte on: it is armed once.
                    match self.wire.receive(limit.take()).await {
                        Ok(lease) => {
                            self.shard.recorder().received(lease.len() as u64);
                            lease
                        }
                        Err(Event::Stopped) => continue,
                        Err(Event::Late) => {
                            self.refuse(Refusal::HEAD_TIMEOUT, self.shard.ring().now_ns());
                            return Err(Event::Late);
                        }
                        Err(event) => return Err(event),
                    }
                }
            };
            let work = &mut *self.work;
            let limits = HeadLimits::default();
            let before = work.partial.len();
            let parsed = if before == 0 {
                work.parser.parse(&lease, &limits)
            } else {
                work.partial.extend_from_slice(&lease);
                work.parser.parse(&work.partial, &limits)
            };
            match parsed {
                Ok(Some((head, consumed))) => {
                    work.partial.clear();
                    lease.consume(consumed - before);
                    let arrived_ns = lease.arrived_ns();
                    if !lease.is_empty() {
                        *self.wire.lease.borrow_mut() = Some(lease);
                    }
                    return Ok((head, arrived_ns));
                }
                Ok(None) if before == 0 => work.partial.extend_from_slice(&lease),
                Ok(None) => {}
                Err(refusal) => {
                    self.refuse(refusal, lease.arrived_ns());
                    return Err(Event::Refused);
                }
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
        // The peer may wait for the response before it sends on.
        if let Err(event) = self.flush(Bytes::new()).await {
            return event;
        }
        let mut discarded = 0;
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
            let Ok(decoded) = decoder.decode(&lease) else { return Event::Refused };
            discarded += decoded.consumed as u64;
            lease.consume(decoded.consumed);
            if !lease.is_empty() {
                *self.wire.lease.borrow_mut() = Some(lease);
            }
            if discarded > UNREAD_BODY_BYTES {
                return Event::TooMuchLeft;
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
        if !matches!(deadline.limit(self.wire.stream.shutdown(Shutdown::Write)).await, Ok(Ok(()))) {
            return Event::Failed;
        }
        let mut discarded = self.wire.lease.take().map_or(0, |lease| lease.len());
        while discarded <= LINGER_BYTES {
            match self.wire.receive(None).await {
                Ok(lease) => discarded += lease.len(),
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
