//! One request and its response: runs the handler, frames what it answers, and says what may
//! follow on the connection.

use super::body::Incoming;
use super::transport::{Host, Received, Transport};
use super::visit::{Answered, Visit};
use super::wire::Inbound;
use crate::app::{Answer, Body, Error, Headers, IntoResponse, Request, Response, RouteId};
use crate::http::{
    BodyDecoder, BodyFraming, BodyLimits, CHUNK_END, Connection, Event, Framing, Refusal,
    RequestHead, State, chunk, chunk_head, last_chunk, response_head,
};
use crate::limits::{GATHER_BYTES, INLINE_BODY_BYTES};
use crate::log::Cause;
use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::poll_once;
use http::header::{CONNECTION, TRAILER};
use http::{HeaderValue, Method, StatusCode, Version};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

/// What the response has to know of its request, which belongs to the handler by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    version: Version,
    keep_alive: bool,
    /// Whose handler it has gone to, for the log: its text is the handler's by then, and may hold
    /// secrets anyway.
    pub(super) route: Option<RouteId>,
    arrived_ns: u64,
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

/// How a response is to be written.
#[derive(Clone, Copy, Debug)]
struct Framed {
    framing: BodyFraming,
    /// Another request may follow.
    keep: bool,
    /// The content is sent, not only spoken of.
    has_content: bool,
}

impl<H: Host> Visit<'_, H> {
    /// Answers what was received, request after request, as long as nothing has to be waited for.
    ///
    /// This is the whole way of most requests, and it is a plain function: as a chain of futures
    /// it cost half as much again, in moving requests and responses between them.
    pub(super) fn answer_received(&mut self, cx: &mut Context<'_>) -> Stop {
        loop {
            let (head, arrived_ns) = match self.parse_head() {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Stop::NeedsBytes,
                Err((refusal, arrived_ns)) => {
                    self.refuse(refusal, self.is_head(), arrived_ns);
                    self.advance(Event::Refused);
                    return Stop::Advanced;
                }
            };
            self.advance(Event::HeadRead);
            self.work.head_timed = false;
            self.begin();
            self.work.note_accept(&head);
            let mut asked = Asked {
                is_head: head.method() == Method::HEAD,
                version: head.version(),
                keep_alive: head.keep_alive(),
                route: None,
                arrived_ns,
            };
            let mut response = match self.begin_answer(&mut asked, head, cx) {
                Ok(Begun::Answered(response)) => response,
                Ok(Begun::Waiting(answer)) => return Stop::Waiting(asked, answer),
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
                || self.work.out.len() >= GATHER_BYTES;
            if self.state != State::Idle || is_enough || self.wire.received.borrow().is_none() {
                return Stop::Advanced;
            }
            self.advance(Event::FirstByte);
        }
    }

    /// Calls the handler and sees whether it has its response at once.
    fn begin_answer(
        &mut self,
        asked: &mut Asked,
        head: RequestHead,
        cx: &mut Context<'_>,
    ) -> Result<Begun, Event> {
        let peer = self.wire.peer().map_err(|_| Event::Failed)?;
        // An invitation to send the body must not overtake the responses that are gathered: the
        // handler that asks for the body is run when they are sent.
        let has_to_wait = head.expects_continue() && !self.work.out.is_empty();
        let host = self.host;
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let mut answer = match host.reserved(&head, peer) {
                Some(answer) => {
                    self.frame_body(&head, u64::MAX)?;
                    answer
                }
                None => self.route(&mut asked.route, Request::new(head, Body::Empty, peer))?,
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
                self.refuse(refusal, asked.is_head, asked.arrived_ns);
                Err(Event::Refused)
            }
            Err(payload) => Ok(Begun::Answered(self.panicked(*asked, &*payload))),
        }
    }

    /// Finds who answers `request`, gives it its body, and begins the answer.
    fn route(&self, taken: &mut Option<RouteId>, mut request: Request) -> Result<Answer, Refusal> {
        let service = self.host.service();
        match service.router().find(&mut request) {
            Ok(route) => {
                *taken = Some(route.id());
                // A declared length over the limit is refused here, before any of it is read.
                let limit = route.body_limit().unwrap_or(service.limits().body_bytes);
                if let Some(length) = self.frame_body(request.head(), limit)? {
                    let (host, wire) = (Rc::clone(self.host), Rc::clone(self.wire));
                    let incoming = Incoming::new(host, wire, request.head().expects_continue());
                    request.set_body(Body::stream(incoming, length));
                    request.set_body_limit(limit);
                }
                Ok(route.call(request))
            }
            Err(unrouted) => {
                // Nobody reads it: what may be thrown away is bounded elsewhere.
                self.frame_body(request.head(), u64::MAX)?;
                Ok(Answer::ready(unrouted))
            }
        }
    }

    /// Waits for a handler, and sends what it answers.
    pub(super) async fn wait_for(&mut self, asked: Asked, answer: Answer) -> Event {
        // What is gathered should not wait with the handler, nor should bytes of later requests
        // hold a buffer that others need.
        if let Some(lease) = &mut *self.wire.received.borrow_mut() {
            lease.settle();
        }
        if let Err(event) = self.flush(Bytes::new()).await {
            return event;
        }
        let answered = AssertUnwindSafe(answer).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|payload| self.panicked(asked, &*payload));
        match self.gather(asked, &mut response) {
            Some(event) => event,
            None => self.send_long(asked, response).await,
        }
    }

    /// Gathers the response to a request that is refused. The connection must not go on.
    /// `is_head` says that the request is known to want no content.
    pub(super) fn refuse(&mut self, refusal: Refusal, is_head: bool, arrived_ns: u64) {
        if !self.open {
            self.begin();
        }
        self.wire.tell_refusal(self.host.service(), refusal);
        let mut response = Response::error(refusal.status, refusal.detail);
        response.explain(|| self.work.error_form());
        let framing = BodyFraming::Length(response.body.length().unwrap_or(0));
        self.gather_head(&response, framing, Connection::Close);
        if let Body::Bytes(text) = &response.body
            && !is_head
        {
            self.work.out.extend_from_slice(text);
        }
        self.answered(refusal.status, arrived_ns);
    }

    /// Makes ready to read the request's body, of at most `limit` bytes of content. `None` if it
    /// has none, otherwise the length of the content, where that is declared.
    fn frame_body(&self, head: &RequestHead, limit: u64) -> Result<Option<Option<u64>>, Refusal> {
        self.wire.end_turn();
        let length = match head.framing() {
            Framing::None | Framing::Length(0) => {
                self.wire.inbound.replace(None);
                return Ok(None);
            }
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let limits = self.limits();
        let limits = BodyLimits {
            content_bytes: limit,
            chunk_line_bytes: limits.chunk_line_bytes,
            chunk_excess_bytes: limits.chunk_excess_bytes,
            trailer_bytes: limits.trailer_bytes,
        };
        let mut inbound = Inbound::new(BodyDecoder::new(head.framing(), &limits)?);
        // A peer that was not asked for its body must not be taken to be sending it.
        inbound.failed = head.expects_continue();
        self.wire.inbound.replace(Some(Box::new(inbound)));
        Ok(Some(length))
    }

    fn frame(&self, asked: Asked, response: &Response) -> Framed {
        let status = response.status;
        // RFC 9110 §15.3.5, §15.3.6, §15.4.5: these have no content whatever the handler gave.
        let may_have = !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        let framing = match response.body.length() {
            // RFC 9112 §6.3: the status alone does not end this one.
            _ if status == StatusCode::RESET_CONTENT => BodyFraming::Length(0),
            _ if !may_have => BodyFraming::None,
            Some(length) => BodyFraming::Length(length),
            None if asked.version == Version::HTTP_11 => BodyFraming::Chunked,
            // RFC 9112 §6.1: chunks are not for HTTP/1.0, which reads to the end.
            None => BodyFraming::UntilClose,
        };
        // A response that is streamed may be made of what is left of the request.
        let is_streamed = matches!(response.body, Body::Stream { .. });
        let keep = asked.keep_alive
            && !self.was_last()
            && !is_member(response.headers.get_all(&CONNECTION), "close")
            && framing != BodyFraming::UntilClose
            && !self.host.service().is_draining()
            && (is_streamed || self.can_reach_next());
        Framed {
            framing,
            keep,
            has_content: may_have && !asked.is_head,
        }
    }

    /// Whether this was the last request that the connection may have.
    fn was_last(&self) -> bool {
        let most = self.limits().requests_per_connection;
        most.is_some_and(|most| self.wire.requests.get() >= most)
    }

    fn gather_framed(&mut self, asked: Asked, framed: Framed, response: &Response) {
        let connection = match (framed.keep, asked.version) {
            (false, _) => Connection::Close,
            (true, Version::HTTP_11) => Connection::Default,
            (true, _) => Connection::KeepAlive,
        };
        self.gather_head(response, framed.framing, connection);
    }

    /// Gathers the response if it is small enough for that.
    fn gather(&mut self, asked: Asked, response: &mut Response) -> Option<Event> {
        if !matches!(response.status.as_u16(), 200..=599) {
            // RFC 9110 §15, §15.2: an interim response is not an answer, and other numbers are no
            // statuses, so the handler gave none.
            let failure = Error::from(NoAnswer(response.status));
            return self.gather(asked, &mut failure.into_response());
        }
        if let Some(failure) = response.failure() {
            self.tell_failure(asked, response.status, failure);
        }
        response.explain(|| self.work.error_form());
        let framed = self.frame(asked, response);
        let content: &[u8] = match &response.body {
            _ if !framed.has_content => &[],
            Body::Empty => &[],
            Body::Bytes(bytes) if bytes.len() <= INLINE_BODY_BYTES => bytes,
            _ => return None,
        };
        self.gather_framed(asked, framed, response);
        self.work.out.extend_from_slice(content);
        self.answered(response.status, asked.arrived_ns);
        Some(self.follow(asked, framed))
    }

    /// Sends a response that is too large to be gathered, or not known whole.
    pub(super) async fn send_long(&mut self, asked: Asked, response: Response) -> Event {
        let framed = self.frame(asked, &response);
        self.gather_framed(asked, framed, &response);
        let status = response.status;
        let sent = match response.body {
            Body::Bytes(bytes) => {
                self.answered(status, asked.arrived_ns);
                self.flush(bytes).await
            }
            body => {
                let announced: Vec<_> = response.headers.get_all(&TRAILER).cloned().collect();
                let streamed = self.stream(body, framed.framing, &announced).await;
                match streamed {
                    Ok(()) => {
                        self.answered(status, asked.arrived_ns);
                        Ok(())
                    }
                    Err(Broken::Wire(event)) => Err(event),
                    Err(Broken::Source(cause)) => {
                        self.tell_truncated(asked, status, &cause);
                        Err(Event::Truncated)
                    }
                }
            }
        };
        match sent {
            Ok(()) => self.follow(asked, framed),
            // The responses before this one are whole, and are not lost with it.
            Err(Event::Truncated) => {
                if framed.framing == BodyFraming::UntilClose {
                    // An orderly close would say that this was all of it.
                    self.wire.transport.reset();
                }
                match self.flush(Bytes::new()).await {
                    Ok(()) => Event::Truncated,
                    Err(event) => event,
                }
            }
            Err(event) => event,
        }
    }

    /// What may follow a response.
    fn follow(&self, asked: Asked, framed: Framed) -> Event {
        self.wire.end_turn();
        let body_read = self.wire.body_is_read();
        if framed.keep && self.can_reach_next() {
            Event::Answered { body_read }
        } else if body_read && !asked.keep_alive && !self.may_be_followed(asked) {
            // The peer asked for the end and has nothing more to say.
            Event::AnsweredLast
        } else if asked.keep_alive && !self.wire.body_has_failed() && !self.can_reach_next() {
            Event::TooMuchLeft
        } else {
            Event::AnsweredEarly
        }
    }

    /// Whether bytes may come behind a request that was the last. RFC 9112 §2.2: old HTTP/1.0
    /// clients send a CR LF behind a body, and a reset must not cost them the response.
    fn may_be_followed(&self, asked: Asked) -> bool {
        asked.version == Version::HTTP_10 && self.wire.inbound.borrow().is_some()
    }

    /// Whether the next request may be found behind what is left of this one's body.
    fn can_reach_next(&self) -> bool {
        let inbound = self.wire.inbound.borrow();
        inbound.as_ref().is_none_or(|inbound| {
            // How much is left of chunks shows when they are thrown away.
            let left = inbound.decoder.remaining_hint().unwrap_or(0);
            !inbound.failed && left <= self.limits().unread_body_bytes
        })
    }

    /// Sends a body piece by piece; its last piece may only be gathered.
    /// Of its trailers those go out that are `announced`, the values of the Trailer field.
    async fn stream(
        &mut self,
        mut body: Body,
        framing: BodyFraming,
        announced: &[HeaderValue],
    ) -> Result<(), Broken> {
        let mut left = match framing {
            BodyFraming::Length(length) => Some(length),
            _ => None,
        };
        let is_chunked = framing == BodyFraming::Chunked;
        while let Some(piece) = self.next_piece(&mut body).await? {
            let Some(piece_bytes) = NonZeroU64::new(piece.len() as u64) else {
                continue;
            };
            if let Some(left) = &mut left {
                // More than was declared would be read as the next response.
                *left = left
                    .checked_sub(piece_bytes.get())
                    .ok_or(Broken::Source(Cause::TooLong))?;
            }
            match (piece.len() <= INLINE_BODY_BYTES, is_chunked) {
                (true, true) => chunk(&mut self.work.out, &piece),
                (true, false) => self.work.out.extend_from_slice(&piece),
                (false, true) => {
                    chunk_head(&mut self.work.out, piece_bytes);
                    self.flush(piece).await?;
                    self.work.out.extend_from_slice(CHUNK_END);
                }
                (false, false) => self.flush(piece).await?,
            }
            if self.work.out.len() >= GATHER_BYTES {
                self.flush(Bytes::new()).await?;
            }
        }
        if left.is_some_and(|left| left > 0) {
            return Err(Broken::Source(Cause::TooShort));
        }
        if is_chunked {
            let trailers = body.trailers().into_iter().flat_map(Headers::iter);
            let announced = trailers.filter(|(name, _)| is_member(announced, name.as_str()));
            last_chunk(&mut self.work.out, announced);
        }
        Ok(())
    }

    /// The next piece of a body; what is gathered does not wait with it.
    async fn next_piece(&mut self, body: &mut Body) -> Result<Option<Bytes>, Broken> {
        let mut next = pin!(AssertUnwindSafe(body.next()).catch_unwind());
        let piece = match poll_once(&mut next).await {
            Some(piece) => piece,
            None => {
                self.flush(Bytes::new()).await?;
                next.await
            }
        };
        match piece {
            Ok(piece) => piece
                .transpose()
                .map_err(|error| Broken::Source(Cause::Source(error))),
            Err(payload) => Err(Broken::Source(Cause::Panic(payload))),
        }
    }

    fn gather_head(&mut self, response: &Response, framing: BodyFraming, connection: Connection) {
        let now_ns = self.wire.transport.now_ns();
        let service = self.host.service();
        let preamble = service.preamble(now_ns, || self.host.wall_clock());
        let out = &mut self.work.out;
        let fields = response.headers.iter();
        response_head(out, response.status, fields, framing, connection, &preamble);
    }

    /// A request begins.
    fn begin(&mut self) {
        self.open = true;
        self.wire.requests.set(self.wire.requests.get() + 1);
        self.recorder().request_started();
    }

    /// The request's response is gathered whole: it counts when it is sent.
    fn answered(&mut self, status: StatusCode, arrived_ns: u64) {
        self.open = false;
        self.work.accept.clear();
        self.work.answered.push(Answered {
            status: status.as_u16(),
            arrived_ns,
        });
    }
}

/// Whether one of the lists in `values` has `member`, which is compared without regard to case.
fn is_member<'a>(values: impl IntoIterator<Item = &'a HeaderValue>, member: &str) -> bool {
    let members = values
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&octet| octet == b','));
    members
        .map(<[u8]>::trim_ascii)
        .any(|other| other.eq_ignore_ascii_case(member.as_bytes()))
}

/// What became of calling a handler.
enum Begun {
    Answered(Response),
    Waiting(Answer),
}

/// Why a body was not sent to its end.
enum Broken {
    /// The connection failed.
    Wire(Event),
    /// The body itself did.
    Source(Cause),
}

impl From<Event> for Broken {
    fn from(event: Event) -> Self {
        Broken::Wire(event)
    }
}

/// A handler answered what is no answer.
#[derive(Debug, thiserror::Error)]
#[error("a handler answered {0}, which is an interim status and no answer")]
struct NoAnswer(StatusCode);
