//! One request: finds its handler, makes its body ready to be read, and begins the answer. How that is
//! written is in `respond.rs`.

use super::body::Incoming;
use super::inbound::Inbound;
use super::service::Service;
use super::transport::{Host, Received, Transport};
use super::visit::Visit;
use super::waiting::GivenUp;
use super::wire::{Wire, broken};
use crate::app::{Answer, Body, Error, IntoResponse, Request, Response, RouteId};
use crate::http::{
    BodyDecoder, BodyFraming, BodyLimits, CONTINUE, Connection, ErrorForm, Event, Framing, Refusal,
    RequestHead, State,
};
use crate::limits::GATHER_BYTES;
use crate::stats::{Answered, MethodIndex, Times, Whose};
use bytes::Bytes;
use http::{Method, StatusCode, Version};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What the response has to know of its request, which belongs to the handler by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    /// Whose handler it has gone to, for the log: its text is the handler's by then, and may hold
    /// secrets anyway.
    pub(super) route: Option<RouteId>,
    /// What statistics are to know of it.
    pub(super) record: Answered,
}

/// Why answering what was received stopped.
pub(super) enum Stop {
    /// The connection's state says what is next.
    Advanced,
    /// More of a head is needed.
    NeedsBytes,
    /// A handler waits for something.
    Waiting(Asked, Answer),
    /// A response has to be sent while it is made, or from where it lies.
    Long(Asked, Response),
}

impl<H: Host> Visit<'_, H> {
    /// Answers what was received, request after request, as long as nothing has to be waited for.
    ///
    /// This is the whole way of most requests, and it is a plain function: as a chain of futures
    /// it cost half as much again, in moving requests and responses between them.
    pub(super) fn answer_received(&mut self, cx: &mut Context<'_>) -> Stop {
        let mut begun_ns = self.clock_ns();
        loop {
            let (head, arrived_ns) = match self.parse_head() {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Stop::NeedsBytes,
                Err((refusal, arrived_ns)) => {
                    let record = Answered::unmatched(self.times(arrived_ns, begun_ns));
                    self.refuse(refusal, self.is_head(), self.refused_form(), record);
                    self.advance(Event::Refused);
                    return Stop::Advanced;
                }
            };
            self.advance(Event::HeadRead);
            self.work.head_timed = false;
            self.begin(Some(&head), arrived_ns);
            self.work.note_accept(&head);
            let mut asked = Asked {
                is_head: head.method() == Method::HEAD,
                version: head.version(),
                keep_alive: head.keep_alive(),
                route: None,
                record: Answered {
                    method: MethodIndex::of(head.method()),
                    ..Answered::unmatched(self.times(arrived_ns, begun_ns))
                },
            };
            let begun = self.begin_answer(&mut asked, head, cx);
            self.note_route(asked.route);
            self.note_id();
            let mut response = match begun {
                Ok(Begun::Answered(response)) => {
                    asked.record.times.handled_ns =
                        self.held_since(asked, asked.record.times.parsed_ns);
                    response
                }
                Ok(Begun::Waiting(answer)) => {
                    self.held_since(asked, asked.record.times.parsed_ns);
                    return Stop::Waiting(asked, answer);
                }
                Err(event) => {
                    self.advance(event);
                    return Stop::Advanced;
                }
            };
            match self.gather(asked, &mut response) {
                Some(event) => self.advance(event),
                None => return Stop::Long(asked, response),
            }
            let is_enough = self.work.answered.len() >= self.limits().pipelined_requests
                || self.work.gathered_bytes() >= GATHER_BYTES;
            if self.state != State::Idle || is_enough || self.wire.received.borrow().is_none() {
                return Stop::Advanced;
            }
            self.advance(Event::FirstByte);
            // A reading of the clock less: putting the response into the output is in the next head's time.
            begun_ns = asked.record.times.handled_ns;
        }
    }

    /// Calls the handler and sees whether it has its response at once.
    fn begin_answer(
        &mut self,
        asked: &mut Asked,
        head: RequestHead,
        cx: &mut Context<'_>,
    ) -> Result<Begun, Event> {
        let peer = self.wire.peer().map_err(|error| broken(&error))?;
        // An invitation to send the body must not overtake the responses that are gathered: the
        // handler that asks for the body is run when they are sent.
        let has_to_wait = head.expects_continue() && !self.work.out.is_empty();
        let host = self.host;
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let mut answer = match host.reserved(&head, peer, &self.wire.transport) {
                Some((whose, answer)) => {
                    asked.record.whose = whose;
                    self.frame_body(&head, u64::MAX)?;
                    answer
                }
                None => self.route(asked, Request::new(head, Body::Empty, peer))?,
            };
            if has_to_wait {
                return Ok(Begun::Waiting(answer));
            }
            Ok(match Pin::new(&mut answer).poll(cx) {
                Poll::Ready(response) => Begun::Answered(response),
                Poll::Pending => Begun::Waiting(answer),
            })
        }));
        match begun {
            Ok(Ok(begun)) => Ok(begun),
            Ok(Err(refusal)) => {
                let form = Some(self.work.error_form());
                self.refuse(refusal, asked.is_head, form, asked.record);
                Err(Event::Refused)
            }
            Err(payload) => Ok(Begun::Answered(self.panicked(*asked, &*payload))),
        }
    }

    /// Finds who answers `request`, gives it its body, and begins the answer.
    fn route(&self, asked: &mut Asked, mut request: Request) -> Result<Answer, Refusal> {
        let service = self.host.service();
        match service.router().find(&mut request) {
            Ok(route) => {
                asked.route = Some(route.id());
                asked.record.whose = Whose::route(route.id().0);
                // A declared length over the limit is refused here, before any of it is read.
                let limit = route.body_limit().unwrap_or(service.limits().body_bytes);
                if let Some(length) = self.frame_body(request.head(), limit)? {
                    let (host, wire) = (Rc::clone(self.host), Rc::clone(self.wire));
                    request.set_body(Body::stream(Incoming::new(host, wire), length));
                    request.set_body_limit(limit);
                }
                Ok(route.call(request))
            }
            Err(unrouted) => {
                if let Some(id) = unrouted.route() {
                    asked.record.whose = Whose::route(id.0);
                }
                // Nobody reads it: what may be thrown away is bounded elsewhere.
                self.frame_body(request.head(), u64::MAX)?;
                Ok(service.router().refuse(unrouted, request))
            }
        }
    }

    /// Waits for a handler, and sends what it answers.
    pub(super) async fn wait_for(&mut self, mut asked: Asked, mut answer: Answer) -> Event {
        // What is gathered should not wait with the handler, nor should bytes of later requests
        // hold a buffer that others need.
        if let Some(lease) = &mut *self.wire.received.borrow_mut() {
            lease.settle();
        }
        if let Err(event) = self.flush(Bytes::new()).await {
            return self.give_up(asked, answer, event);
        }
        let mut waiting = self.waiting_for_response(asked);
        let outcome = loop {
            let awaited = poll_fn(|cx| {
                let since_ns = self.clock_ns();
                let poll = AssertUnwindSafe(|| Pin::new(&mut answer).poll(cx));
                let polled = catch_unwind(poll);
                self.held_since(asked, since_ns);
                self.note_id();
                match polled {
                    Ok(Poll::Ready(response)) => Poll::Ready(Awaited::Response(response)),
                    Ok(Poll::Pending) if self.wire.is_inviting() => {
                        Poll::Ready(Awaited::Invitation)
                    }
                    Ok(Poll::Pending) => waiting.poll(cx).map(Awaited::GivenUp),
                    Err(payload) => Poll::Ready(Awaited::Response(self.panicked(asked, &*payload))),
                }
            });
            match awaited.await {
                Awaited::Response(response) => break Ok(response),
                Awaited::GivenUp(GivenUp::Late) => {
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    break Ok(Error::new(status, TOOK_TOO_LONG).into_response());
                }
                Awaited::GivenUp(GivenUp::Left(event)) => break Err(event),
                Awaited::Invitation => {
                    self.work.out.extend_from_slice(CONTINUE);
                    if let Err(event) = self.flush(Bytes::new()).await {
                        break Err(event);
                    }
                    self.wire.invited();
                }
            }
        };
        drop(waiting);
        let mut response = match outcome {
            Ok(response) => response,
            Err(event) => return self.give_up(asked, answer, event),
        };
        asked.record.times.handled_ns = self.clock_ns();
        self.let_go(asked, answer);
        match self.gather(asked, &mut response) {
            Some(event) => event,
            None => self.send_long(asked, response).await,
        }
    }

    /// Gathers the response to a request that is refused. The connection must not go on.
    /// `is_head` says that the request is known to want no content, `form` what form of an error it
    /// prefers, if that is known.
    pub(super) fn refuse(
        &mut self,
        refusal: Refusal,
        is_head: bool,
        form: Option<ErrorForm>,
        record: Answered,
    ) {
        if !self.open {
            self.begin(None, record.times.arrived_ns);
        }
        self.wire.tell_refusal(self.host.service(), refusal);
        let mut response = Response::error(refusal.status, refusal.detail);
        response.explain(|| form);
        let framing = BodyFraming::Length(response.body.length().unwrap_or(0));
        self.gather_head(&response, framing, Connection::Close);
        if let Body::Bytes(text) = &response.body
            && !is_head
        {
            self.work.out.extend_from_slice(text);
        }
        self.answered(refusal.status, record);
    }

    /// Makes ready to read the request's body, of at most `limit` bytes of content. `None` if it
    /// has none, otherwise the length of the content, where that is declared.
    fn frame_body(&self, head: &RequestHead, limit: u64) -> Result<Option<Option<u64>>, Refusal> {
        self.wire.end_turn();
        self.wire.inbound.replace(None);
        let length = match head.framing() {
            Framing::None | Framing::Length(0) => return Ok(None),
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let limits = BodyLimits::from(self.limits()).with_content_bytes(limit);
        let decoder = BodyDecoder::new(head.framing(), &limits)?;
        let inbound = Inbound::new(decoder, head.expects_continue());
        self.wire.inbound.replace(Some(Box::new(inbound)));
        Ok(Some(length))
    }

    /// A request begins.
    fn begin(&mut self, head: Option<&RequestHead>, arrived_ns: u64) {
        self.open = true;
        self.note_begun(head, arrived_ns);
        self.wire.requests.set(self.wire.requests.get() + 1);
        self.recorder().request_started();
    }

    /// The request's response is gathered whole: it counts when it is sent.
    pub(super) fn answered(&mut self, status: StatusCode, record: Answered) {
        self.open = false;
        self.note_answered();
        self.work.accept.clear();
        self.work.answered.push(Answered {
            status: status.as_u16(),
            ..record
        });
    }

    /// The times of a request of which the head was parsed just now.
    #[inline]
    fn times(&self, arrived_ns: u64, begun_ns: u64) -> Times {
        Times {
            begun_ns,
            parsed_ns: self.clock_ns(),
            ..Times::arrived(arrived_ns)
        }
    }

    /// What belongs to the request's handler has run since `since_ns` without a pause; the time now.
    #[inline]
    pub(super) fn held_since(&self, asked: Asked, since_ns: u64) -> u64 {
        self.wire.held_since(self.host.service(), asked, since_ns)
    }
}

impl<T: Transport> Wire<T> {
    /// What belongs to the handler of what was `asked` has run since `since_ns` without a pause; the time
    /// now.
    #[inline]
    pub(super) fn held_since(&self, service: &Service, asked: Asked, since_ns: u64) -> u64 {
        let now_ns = self.clock_ns(service);
        let held_ns = now_ns.saturating_sub(since_ns);
        if held_ns >= service.hold_ns {
            let Answered { whose, method, .. } = asked.record;
            service.recorder().held(whose, method, held_ns);
        }
        now_ns
    }
}

/// What the peer of a handler that took too long is told.
const TOOK_TOO_LONG: &str = "The answer took too long.";

/// What became of waiting for a handler.
enum Awaited {
    Response(Response),
    /// The handler waits for its peer to be invited to send the body.
    Invitation,
    GivenUp(GivenUp),
}

/// What became of calling a handler.
enum Begun {
    Answered(Response),
    Waiting(Answer),
}
