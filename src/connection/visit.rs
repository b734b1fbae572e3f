//! A connection from the first byte of a request until it has nothing to do: acts out the table of
//! `http/cycle.rs`.

use super::exchange::Stop;
use super::pace::Pace;
use super::transport::{Clocked, Host, Received};
use super::upgrade::Switching;
use super::wire::Wire;
use super::work::{Lent, Work};
use crate::app::Ended;
use crate::http::{CloseReason, ErrorForm, Event, HeadParser, Refusal, RequestHead, State};
use crate::limits::Limits;
use crate::ring::Message;
use crate::stats::{Answered, Recorder, Times};
use bytes::Bytes;
use std::cell::RefMut;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

/// What may precede a request, once.
const EMPTY_LINE: &[u8] = b"\r\n";

/// From the first byte of a request until the connection has nothing to do.
pub(super) struct Visit<'a, H: Host> {
    pub(super) host: &'a Rc<H>,
    pub(super) wire: &'a Rc<Wire<H::Transport>>,
    pub(super) work: Lent,
    pub(super) state: State,
    /// A request has begun and its response is not gathered whole.
    pub(super) open: bool,
    /// What the last response leaves the connection to.
    pub(super) switching: Option<Box<Switching>>,
}

impl<'a, H: Host> Visit<'a, H> {
    pub(super) fn new(host: &'a Rc<H>, wire: &'a Rc<Wire<H::Transport>>) -> Self {
        let mut work = Lent::new(host.service().take_work());
        if wire.empty_line.take() {
            work.partial.extend_from_slice(EMPTY_LINE);
        }
        Self {
            host,
            wire,
            work,
            state: State::Head,
            open: false,
            switching: None,
        }
    }

    /// Runs until the connection is idle or closed, or has switched protocols: then it says to
    /// whose.
    pub(super) async fn run(mut self) -> (State, Option<Box<Switching>>) {
        let state = self.run_on().await;
        (state, self.switching.take())
    }

    async fn run_on(&mut self) -> State {
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
                    Ok(()) if self.wire.received.borrow().is_some() => {
                        self.advance(Event::FirstByte)
                    }
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
                State::Switched | State::Closed(_) => return self.state,
            }
        }
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.host.service().limits()
    }

    pub(super) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.host.service().recorder()
    }

    /// The time, if it is worth looking: 0 where nobody records latencies.
    #[inline]
    pub(super) fn clock_ns(&self) -> u64 {
        self.wire.clock_ns(self.host.service())
    }

    pub(super) fn advance(&mut self, event: Event) {
        self.state = self.state.advance(event);
    }

    /// Does what could not be done without waiting; says what that leads to.
    async fn resolve(&mut self, stop: Stop) -> Option<Event> {
        match stop {
            Stop::Advanced => None,
            Stop::NeedsBytes if self.work.partial == EMPTY_LINE => {
                // It is no beginning of a request, whose head would have to be complete in time.
                self.work.partial.clear();
                self.work.parser.reset();
                self.wire.empty_line.set(true);
                Some(Event::EmptyLine)
            }
            Stop::NeedsBytes => self.receive_head().await.err(),
            // Boxed, so that a visit stays small enough for the allocator's quick way.
            Stop::Waiting(waiting) => {
                let (asked, answer) = *waiting;
                Some(Box::pin(self.wait_for(asked, answer)).await)
            }
            Stop::Long(long) => {
                let (asked, response) = *long;
                Some(Box::pin(self.send_long(asked, response)).await)
            }
        }
    }

    /// Parses on in what was received. `None`: everything is taken, and the head is not whole.
    pub(super) fn parse_head(&mut self) -> Result<Option<(RequestHead, u64)>, (Refusal, u64)> {
        let mut slot = self.wire.received.borrow_mut();
        let Some(lease) = &mut *slot else {
            return Ok(None);
        };
        let arrived_ns = lease.arrived_ns();
        let work = &mut *self.work;
        let service = self.host.service();
        let limits = &service.limits().head;
        let before = work.partial.len();
        let parsed = if before == 0 {
            service.parse(lease, &mut work.parser)
        } else {
            work.partial.extend_from_slice(lease);
            work.parser.parse(&work.partial, limits)
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

    /// Whether the request whose head is being received is HEAD, so far as it came.
    pub(super) fn is_head(&self) -> bool {
        self.ask_parser(HeadParser::is_head)
    }

    /// The form of an error that the head just refused prefers, if it was whole.
    pub(super) fn refused_form(&self) -> Option<ErrorForm> {
        self.ask_parser(|parser, received| {
            let accept = parser.refused_values(received, "accept");
            accept.map(ErrorForm::preferred)
        })
    }

    /// What the parser says of the head that it was given last, so far as that came.
    fn ask_parser<T>(&self, ask: impl FnOnce(&HeadParser, &[u8]) -> T) -> T {
        let Work {
            parser, partial, ..
        } = &*self.work;
        match &*self.wire.received.borrow() {
            Some(received) if partial.is_empty() => ask(parser, received),
            _ => ask(parser, partial),
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
        let limit = (!std::mem::replace(&mut self.work.head_timed, true))
            .then_some(self.limits().head_timeout);
        loop {
            match self.wire.receive(limit).await {
                Ok(lease) => {
                    self.recorder().received(lease.len() as u64);
                    *self.wire.received.borrow_mut() = Some(lease);
                    return Ok(());
                }
                Err(Event::Stopped) => {}
                Err(Event::Late) => {
                    let times = Times::arrived(self.wire.transport.now_ns());
                    self.refuse(
                        Refusal::HEAD_TIMEOUT,
                        self.is_head(),
                        None,
                        Answered::unmatched(times),
                    );
                    return Err(Event::Late);
                }
                Err(event) => return Err(event),
            }
        }
    }

    /// Sends what was gathered and `body` behind it, and counts the requests it answered.
    pub(super) async fn flush(&mut self, body: Bytes) -> Result<(), Event> {
        if !self.open {
            self.note_body(body.len());
        }
        if !body.is_empty() {
            self.work.put_behind(body);
        }
        let work = &mut *self.work;
        let mut message = Message::new(
            std::mem::take(&mut work.out),
            std::mem::take(&mut work.behind),
        );
        let mut sent = 0;
        let outcome = loop {
            if message.remaining() == 0 {
                break Ok(());
            }
            let limits = self.host.service().limits();
            let (part, rest) = self.wire.send(message, &mut self.work.pace, limits).await;
            message = rest;
            match part {
                Ok(bytes) => sent += bytes,
                Err(event) => break Err(event),
            }
        };
        self.work.out = message.head;
        self.work.out.clear();
        if !self.open {
            // What follows is of another response.
            self.work.pace = Pace::default();
        }
        self.work.sent_bytes += sent as u64;
        let over = self.work.answered.len();
        let now_ns = self.wire.transport.now_ns();
        let mut recorder = self.host.service().recorder();
        recorder.sent(sent as u64);
        if outcome.is_ok() {
            recorder.requests(&self.work.answered, now_ns);
            recorder.requests_finished(over as u64);
        } else {
            (0..over).for_each(|_| recorder.request_abandoned());
        }
        self.work.answered.clear();
        drop(recorder);
        self.tell_over(over, self.ended(outcome));
        outcome
    }

    /// How requests ended of which sending the responses came to `outcome`.
    fn ended(&self, outcome: Result<(), Event>) -> Ended {
        match outcome.map_err(|event| State::Exchange.advance(event)) {
            Err(State::Closed(reason)) => Ended::Abandoned(reason),
            Ok(()) | Err(_) => Ended::Sent,
        }
    }

    /// Throws away what is left of a request's body.
    async fn discard(&mut self) -> Event {
        let service = self.host.service();
        let mut discarded = 0;
        while !self.wire.body_is_read() {
            let received = poll_fn(|cx| self.wire.poll_body(cx, service)).await;
            let mut received = match received {
                Ok(received) => received,
                Err(event) => return event,
            };
            let mut inbound = self.wire.inbound.borrow_mut();
            let Some(inbound) = &mut *inbound else { break };
            let decoded = match inbound.decode(&received) {
                Ok(decoded) => decoded,
                Err(refusal) => {
                    self.wire.tell_refusal(service, refusal);
                    return Event::Refused;
                }
            };
            discarded += decoded.consumed as u64;
            if discarded > service.limits().unread_body_bytes {
                return Event::TooMuchLeft;
            }
            received.consume(decoded.consumed);
            if !received.is_empty() {
                *self.wire.received.borrow_mut() = Some(received);
            }
        }
        Event::Discarded
    }

    /// Lets the peer read the last response: closes our side and waits for it to close its own.
    async fn linger(&mut self) -> Event {
        if let Err(event) = self.flush(Bytes::new()).await {
            return event;
        }
        self.wire.linger(self.host.service()).await
    }
}

/// What a visit takes that waits for something, in bytes.
#[cfg(test)]
pub(crate) fn waiting_bytes<H: Host>() -> usize {
    fn output_bytes<A, F>(_: impl FnOnce(A) -> F) -> usize {
        size_of::<F>()
    }
    output_bytes(Visit::<'static, H>::run)
}

impl<H: Host> Drop for Visit<'_, H> {
    fn drop(&mut self) {
        // Whatever was not sent is abandoned.
        self.tell_abandoned();
        for _ in 0..self.work.answered.len() + usize::from(self.open) {
            self.recorder().request_abandoned();
        }
        self.work.recycle();
        if let Some(work) = self.work.take_back() {
            self.host.service().keep_work(work);
        }
    }
}
