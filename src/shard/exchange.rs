//! One request and its response: runs the handler, frames what it answers, and says what may
//! follow on the connection.

use super::connection::{Answered, Visit};
use super::stats;
use super::wire::Incoming;
use crate::app::{Answer, Body, Request, Response};
use crate::http::{
    BodyDecoder, BodyFraming, CHUNK_END, Connection, Event, Framing, Refusal, RequestHead, State,
    chunk, chunk_head, last_chunk, response_head,
};
use crate::limits::{
    BODY_BYTES, GATHER_BYTES, INLINE_BODY_BYTES, PIPELINED_REQUESTS, UNREAD_BODY_BYTES,
};
use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::poll_once;
use http::{Method, StatusCode, Version};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

/// What the response has to know of its request, which belongs to the handler by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    is_head: bool,
    version: Version,
    keep_alive: bool,
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

impl Visit<'_> {
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
                    self.refuse(refusal, false, arrived_ns);
                    self.advance(Event::Refused);
                    return Stop::Advanced;
                }
            };
            self.advance(Event::HeadRead);
            self.work.head_timed = false;
            self.begin();
            let asked = Asked {
                is_head: head.method() == Method::HEAD,
                version: head.version(),
                keep_alive: head.keep_alive(),
                arrived_ns,
            };
            let response = match self.begin_answer(asked, head, cx) {
                Ok(Begun::Answered(response)) => response,
                Ok(Begun::Waiting(answer)) => return Stop::Waiting(asked, answer),
                Err(event) => {
                    self.advance(event);
                    return Stop::Advanced;
                }
            };
            match self.gather(asked, &response) {
                Some(event) => self.advance(event),
                None => return Stop::Long(asked, response),
            }
            let is_enough = self.work.answered.len() >= PIPELINED_REQUESTS
                || self.work.out.len() >= GATHER_BYTES;
            if self.state != State::Idle || is_enough || self.wire.lease.borrow().is_none() {
                return Stop::Advanced;
            }
            self.advance(Event::FirstByte);
        }
    }

    /// Calls the handler and sees whether it has its response at once.
    fn begin_answer(
        &mut self,
        asked: Asked,
        head: RequestHead,
        cx: &mut Context<'_>,
    ) -> Result<Begun, Event> {
        let body = match self.body_of(&head) {
            Ok(body) => body,
            Err(refusal) => {
                self.refuse(refusal, asked.is_head, asked.arrived_ns);
                return Err(Event::Refused);
            }
        };
        let peer = self.wire.peer().map_err(|_| Event::Failed)?;
        // An invitation to send the body must not overtake the responses that are gathered: the
        // handler that asks for the body is run when they are sent.
        let has_to_wait = head.expects_continue() && !self.work.out.is_empty();
        let shard = self.shard;
        let begun = catch_unwind(AssertUnwindSafe(|| {
            let mut answer = if stats::is_asked(shard, &head, peer) {
                stats::answer(shard, &head)
            } else {
                shard
                    .router()
                    .dispatch(Request::new(head, body, peer))
                    .answer
            };
            if has_to_wait {
                return Begun::Waiting(answer);
            }
            match Pin::new(&mut answer).poll(cx) {
                Poll::Ready(response) => Begun::Answered(response),
                Poll::Pending => Begun::Waiting(answer),
            }
        }));
        Ok(begun.unwrap_or_else(|_| Begun::Answered(panicked())))
    }

    /// Waits for a handler, and sends what it answers.
    pub(super) async fn wait_for(&mut self, asked: Asked, answer: Answer) -> Event {
        // What is gathered should not wait with the handler, nor should bytes of later requests
        // hold a buffer that others need.
        if let Some(lease) = &mut *self.wire.lease.borrow_mut() {
            lease.settle();
        }
        if let Err(event) = self.flush(Bytes::new()).await {
            return event;
        }
        let answered = AssertUnwindSafe(answer).catch_unwind().await;
        let response = answered.unwrap_or_else(|_| panicked());
        match self.gather(asked, &response) {
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
        let response = Response::error(refusal.status, refusal.detail);
        let framing = BodyFraming::Length(response.body.length().unwrap_or(0));
        self.gather_head(&response, framing, Connection::Close);
        if let Body::Bytes(text) = &response.body
            && !is_head
        {
            self.work.out.extend_from_slice(text);
        }
        self.answered(refusal.status, arrived_ns);
    }

    /// The request's body, to be read by its handler.
    fn body_of(&self, head: &RequestHead) -> Result<Body, Refusal> {
        let framing = head.framing();
        self.wire.end_turn();
        self.wire.body_failed.set(false);
        let length = match framing {
            Framing::None | Framing::Length(0) => {
                self.wire.body.replace(None);
                return Ok(Body::Empty);
            }
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let decoder = BodyDecoder::new(framing, BODY_BYTES)?;
        self.wire.body.replace(Some(Box::new(decoder)));
        let (shard, wire) = (Rc::clone(self.shard), Rc::clone(self.wire));
        let incoming = Incoming::new(shard, wire, head.expects_continue());
        Ok(Body::stream(incoming, length))
    }

    fn frame(&self, asked: Asked, response: &Response) -> Framed {
        let status = response.status;
        // RFC 9110 §15.3.5, §15.4.5: these have no content whatever the handler gave.
        let may_have = status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
        let framing = match response.body.length() {
            _ if !may_have => BodyFraming::None,
            Some(length) => BodyFraming::Length(length),
            None if asked.version == Version::HTTP_11 => BodyFraming::Chunked,
            // RFC 9112 §6.1: chunks are not for HTTP/1.0, which reads to the end.
            None => BodyFraming::UntilClose,
        };
        // A response that is streamed may be made of what is left of the request.
        let is_streamed = matches!(response.body, Body::Stream { .. });
        let keep = asked.keep_alive
            && framing != BodyFraming::UntilClose
            && !self.shard.is_draining()
            && (is_streamed || self.can_reach_next());
        Framed {
            framing,
            keep,
            has_content: may_have && !asked.is_head,
        }
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
    fn gather(&mut self, asked: Asked, response: &Response) -> Option<Event> {
        if response.status.is_informational() {
            // RFC 9110 §15.2: an interim response is not an answer, so the handler gave none.
            return self.gather(asked, &panicked());
        }
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
                let streamed = self.stream(body, framed.framing).await;
                streamed.map(|()| self.answered(status, asked.arrived_ns))
            }
        };
        match sent {
            Ok(()) => self.follow(asked, framed),
            // The responses before this one are whole, and are not lost with it.
            Err(Event::Truncated) => match self.flush(Bytes::new()).await {
                Ok(()) => Event::Truncated,
                Err(event) => event,
            },
            Err(event) => event,
        }
    }

    /// What may follow a response.
    fn follow(&self, asked: Asked, framed: Framed) -> Event {
        self.wire.end_turn();
        let body_read = self.wire.body_is_read();
        if framed.keep && self.can_reach_next() {
            Event::Answered { body_read }
        } else if body_read && !asked.keep_alive {
            // The peer asked for the end and has nothing more to say.
            Event::AnsweredLast
        } else if asked.keep_alive && !self.wire.body_failed.get() && !self.can_reach_next() {
            Event::TooMuchLeft
        } else {
            Event::AnsweredEarly
        }
    }

    /// Whether the next request can be found behind what is left of this one's body.
    fn can_reach_next(&self) -> bool {
        let body = self.wire.body.borrow();
        let left = body.as_ref().map_or(Some(0), |body| body.remaining_hint());
        !self.wire.body_failed.get() && left.is_some_and(|left| left <= UNREAD_BODY_BYTES)
    }

    /// Sends a body piece by piece; its last piece may only be gathered.
    async fn stream(&mut self, mut body: Body, framing: BodyFraming) -> Result<(), Event> {
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
                    .ok_or(Event::Truncated)?;
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
            return Err(Event::Truncated);
        }
        if is_chunked {
            last_chunk(&mut self.work.out);
        }
        Ok(())
    }

    /// The next piece of a body; what is gathered does not wait with it.
    async fn next_piece(&mut self, body: &mut Body) -> Result<Option<Bytes>, Event> {
        let mut next = pin!(AssertUnwindSafe(body.next()).catch_unwind());
        let piece = match poll_once(&mut next).await {
            Some(piece) => piece,
            None => {
                self.flush(Bytes::new()).await?;
                next.await
            }
        };
        match piece {
            Ok(None) => Ok(None),
            Ok(Some(Ok(piece))) => Ok(Some(piece)),
            Ok(Some(Err(_))) | Err(_) => Err(Event::Truncated),
        }
    }

    fn gather_head(&mut self, response: &Response, framing: BodyFraming, connection: Connection) {
        let preamble = self.shard.preamble();
        let out = &mut self.work.out;
        let fields = response.headers.iter();
        response_head(out, response.status, fields, framing, connection, &preamble);
    }

    /// A request begins.
    fn begin(&mut self) {
        self.open = true;
        self.shard.recorder().request_started();
    }

    /// The request's response is gathered whole: it counts when it is sent.
    fn answered(&mut self, status: StatusCode, arrived_ns: u64) {
        self.open = false;
        self.work.answered.push(Answered {
            status: status.as_u16(),
            arrived_ns,
        });
    }
}

/// What became of calling a handler.
enum Begun {
    Answered(Response),
    Waiting(Answer),
}

/// The response of a handler that panicked, or answered what is no answer. The panic hook has
/// told the operator; the peer learns that it was not at fault.
fn panicked() -> Response {
    Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")
}
