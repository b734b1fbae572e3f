//! One request and its response: runs the handler, frames what it answers, and says what may
//! follow on the connection.

use super::connection::{Answered, Visit};
use super::stats;
use super::wire::Incoming;
use crate::app::{Body, Request, Response};
use crate::http::{
    BodyDecoder, BodyFraming, CHUNK_END, Connection, Event, Framing, Refusal, RequestHead,
    chunk_head, last_chunk, response_head,
};
use crate::limits::{BODY_BYTES, GATHER_BYTES, INLINE_BODY_BYTES, UNREAD_BODY_BYTES};
use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::poll_once;
use http::{Method, StatusCode, Version};
use std::num::NonZeroU64;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

/// What the response has to know of its request, which belongs to the handler by then.
#[derive(Clone, Copy, Debug)]
struct Asked {
    is_head: bool,
    version: Version,
    keep_alive: bool,
    arrived_ns: u64,
}

/// Why a request has no response of its handler.
enum Stop {
    Refused(Refusal),
    Connection(Event),
}

impl Visit<'_> {
    /// Has the request answered, and its response gathered or sent.
    pub(super) async fn answer(&mut self, head: RequestHead, arrived_ns: u64) -> Event {
        self.begin();
        let asked = Asked {
            is_head: head.method() == Method::HEAD,
            version: head.version(),
            keep_alive: head.keep_alive(),
            arrived_ns,
        };
        match self.handle(head).await {
            Ok(response) => match self.respond(asked, response).await {
                Ok(event) | Err(event) => event,
            },
            Err(Stop::Refused(refusal)) => {
                self.refuse(refusal, arrived_ns);
                Event::Refused
            }
            Err(Stop::Connection(event)) => event,
        }
    }

    /// Gathers the response to a request that is refused. The connection must not go on.
    pub(super) fn refuse(&mut self, refusal: Refusal, arrived_ns: u64) {
        if !self.open {
            self.begin();
        }
        let response = Response::error(refusal.status, refusal.detail);
        let length = BodyFraming::Length(response.body.length().unwrap_or(0));
        self.gather_head(&response, length, Connection::Close);
        if let Body::Bytes(text) = &response.body {
            self.work.out.extend_from_slice(text);
        }
        self.answered(refusal.status, arrived_ns);
    }

    /// Runs the handler to its response.
    async fn handle(&mut self, head: RequestHead) -> Result<Response, Stop> {
        let body = self.body_of(&head)?;
        let peer = self.wire.peer().map_err(|_| Stop::Connection(Event::Failed))?;
        let shard = Rc::clone(self.shard);
        let answer = async move {
            if stats::is_asked(&shard, &head, peer) {
                return stats::answer(&shard, &head).await;
            }
            shard.router().dispatch(Request::new(head, body, peer)).answer.await
        };
        let mut answer = pin!(AssertUnwindSafe(answer).catch_unwind());
        let answered = match poll_once(&mut answer).await {
            Some(answered) => answered,
            None => {
                // The handler waits: what is gathered should not wait with it, nor should bytes
                // of later requests hold a buffer that others need.
                if let Some(lease) = &mut *self.wire.lease.borrow_mut() {
                    lease.settle();
                }
                self.flush(Bytes::new()).await.map_err(Stop::Connection)?;
                answer.await
            }
        };
        // The panic hook has told the operator; the peer learns that it was not at fault.
        Ok(answered.unwrap_or_else(|_| Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")))
    }

    /// The request's body, to be read by its handler.
    fn body_of(&self, head: &RequestHead) -> Result<Body, Stop> {
        let framing = head.framing();
        self.wire.body_failed.set(false);
        let length = match framing {
            Framing::None | Framing::Length(0) => {
                self.wire.body.replace(None);
                return Ok(Body::Empty);
            }
            Framing::Length(length) => Some(length),
            Framing::Chunked => None,
        };
        let decoder = BodyDecoder::new(framing, BODY_BYTES).map_err(Stop::Refused)?;
        self.wire.body.replace(Some(decoder));
        let (shard, wire) = (Rc::clone(self.shard), Rc::clone(self.wire));
        let incoming = Incoming::new(shard, wire, head.expects_continue());
        Ok(Body::stream(incoming, length))
    }

    /// Frames the response and gathers or sends it.
    async fn respond(&mut self, asked: Asked, mut response: Response) -> Result<Event, Event> {
        if response.status.is_informational() {
            // RFC 9110 §15.2: an interim response is not an answer, so the handler gave none.
            response = Response::error(StatusCode::INTERNAL_SERVER_ERROR, "");
        }
        let status = response.status;
        // RFC 9110 §15.3.5, §15.4.5: these have no content whatever the handler gave.
        let has_content = status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED;
        let framing = match response.body.length() {
            _ if !has_content => BodyFraming::None,
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
        let connection = match (keep, asked.version) {
            (false, _) => Connection::Close,
            (true, Version::HTTP_11) => Connection::Default,
            (true, _) => Connection::KeepAlive,
        };
        self.gather_head(&response, framing, connection);
        let body = if has_content && !asked.is_head { response.body } else { Body::Empty };
        match body {
            Body::Empty => self.answered(status, asked.arrived_ns),
            Body::Bytes(bytes) if bytes.len() <= INLINE_BODY_BYTES => {
                self.work.out.extend_from_slice(&bytes);
                self.answered(status, asked.arrived_ns);
            }
            Body::Bytes(bytes) => {
                self.answered(status, asked.arrived_ns);
                self.flush(bytes).await?;
            }
            body @ Body::Stream { .. } => {
                self.stream(body, framing).await?;
                self.answered(status, asked.arrived_ns);
            }
        }
        let body_read = self.wire.body_is_read();
        if keep && self.can_reach_next() {
            Ok(Event::Answered { body_read })
        } else if body_read && !asked.keep_alive {
            // The peer asked for the end and has nothing more to say.
            self.flush(Bytes::new()).await?;
            Ok(Event::AnsweredLast)
        } else {
            Ok(Event::AnsweredEarly)
        }
    }

    /// Whether the next request can be found behind what is left of this one's body.
    fn can_reach_next(&self) -> bool {
        let body = self.wire.body.borrow();
        let left = body.as_ref().map_or(Some(0), BodyDecoder::remaining_hint);
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
            let Some(piece_bytes) = NonZeroU64::new(piece.len() as u64) else { continue };
            if let Some(left) = &mut left {
                // More than was declared would be read as the next response.
                *left = left.checked_sub(piece_bytes.get()).ok_or(Event::Truncated)?;
            }
            if is_chunked {
                chunk_head(&mut self.work.out, piece_bytes);
            }
            if piece.len() <= INLINE_BODY_BYTES {
                self.work.out.extend_from_slice(&piece);
            } else {
                self.flush(piece).await?;
            }
            if is_chunked {
                self.work.out.extend_from_slice(CHUNK_END);
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
        let date = self.shard.date();
        let server = Some(&super::SERVER);
        let out = &mut self.work.out;
        let fields = response.headers.iter();
        response_head(out, response.status, fields, framing, connection, &date, server);
    }

    /// A request begins.
    fn begin(&mut self) {
        self.open = true;
        self.shard.recorder().request_started();
    }

    /// The request's response is gathered whole: it counts when it is sent.
    fn answered(&mut self, status: StatusCode, arrived_ns: u64) {
        self.open = false;
        self.work.answered.push(Answered { status: status.as_u16(), arrived_ns });
    }
}
