//! How a response is framed, written and sent, and what may follow it on the connection.

use super::exchange::Asked;
use super::transport::{Clocked, Host, Transport};
use super::visit::Visit;
use super::waiting::GivenUp;
use crate::app::{Body, BodyError, Error, Headers, IntoResponse, Response};
use crate::http::{
    BodyFraming, CHUNK_END, CONTINUE, Connection, Event, chunk, chunk_head, last_chunk, members,
    response_head,
};
use crate::limits::{COPIED_BODY_BYTES, GATHER_BYTES, INLINE_BODY_BYTES};
use crate::log::Cause;
use bytes::Bytes;
use http::header::{CONNECTION, TRAILER};
use http::{HeaderValue, StatusCode, Version};
use std::future::poll_fn;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use tracing::Span;

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
    pub(super) fn gather(&mut self, asked: Asked, response: &mut Response) -> Option<Event> {
        if !matches!(response.status.as_u16(), 200..=599) {
            if self.can_switch(asked, response) {
                return None;
            }
            // RFC 9110 §15, §15.2: an interim response is not an answer, and other numbers are no
            // statuses, so the handler gave none.
            let failure = Error::from(NoAnswer(response.status));
            self.let_go_of_source(asked, response);
            return self.gather(asked, &mut failure.into_response());
        }
        if let Some(failure) = response.failure() {
            let _entered = response.span().map(Span::enter);
            self.tell_failure(asked, response.status, failure);
        }
        response.explain(|| Some(self.work.error_form()));
        let framed = self.frame(asked, response);
        let content = match &response.body {
            _ if !framed.has_content => None,
            Body::Empty => None,
            Body::Bytes(bytes) if bytes.len() <= INLINE_BODY_BYTES => Some(bytes),
            _ => return None,
        };
        self.gather_framed(asked, framed, response);
        match content {
            Some(content) if content.len() > COPIED_BODY_BYTES => {
                self.work.put_behind(content.clone());
            }
            Some(content) => self.work.out.extend_from_slice(content),
            None => {}
        }
        self.let_go_of_source(asked, response);
        self.answered(response.status, asked.record);
        Some(self.follow(asked, framed))
    }

    /// Drops the source of content that is not sent.
    #[inline]
    fn let_go_of_source(&self, asked: Asked, response: &mut Response) {
        if matches!(response.body, Body::Stream { .. }) {
            self.let_go(asked, std::mem::take(&mut response.body));
        }
    }

    /// Sends a response that is too large to be gathered, or not known whole.
    pub(super) async fn send_long(&mut self, asked: Asked, response: Response) -> Event {
        if self.can_switch(asked, &response) {
            return self.switch(asked, response).await;
        }
        // The head of a streamed response may be held back, and those before it are not to wait.
        if matches!(response.body, Body::Stream { .. })
            && !self.work.out.is_empty()
            && let Err(event) = self.flush(Bytes::new()).await
        {
            return self.give_up(asked, response, event);
        }
        let framed = self.frame(asked, &response);
        self.gather_framed(asked, framed, &response);
        let status = response.status;
        let sent = match response.body {
            Body::Bytes(bytes) => {
                self.answered(status, asked.record);
                self.flush(bytes).await
            }
            mut body => {
                let announced: Vec<_> = response.headers.get_all(&TRAILER).cloned().collect();
                // Nothing of the response is out yet.
                let mut is_held = true;
                let streamed =
                    self.stream(asked, &mut body, framed.framing, &announced, &mut is_held);
                let streamed = streamed.await;
                self.let_go(asked, body);
                match streamed {
                    Ok(()) => {
                        self.answered(status, asked.record);
                        Ok(())
                    }
                    Err(Broken::Wire(event)) => {
                        self.tell_given_up(asked, event);
                        Err(event)
                    }
                    Err(Broken::Source(cause)) if is_held => {
                        return self.answer_instead(asked, status, cause);
                    }
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

    /// Gathers an error in place of a response with `status` of which nothing is out.
    fn answer_instead(&mut self, asked: Asked, status: StatusCode, cause: Cause) -> Event {
        self.work.out.clear();
        let mut response = match cause {
            Cause::Source(error) => Error::from(error).into_response(),
            Cause::Panic(payload) => self.panicked(asked, &*payload),
            cause => {
                self.tell_truncated(asked, status, &cause);
                Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        // It is short enough to be gathered.
        self.gather(asked, &mut response).unwrap_or(Event::Failed)
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

    /// Whether bytes come behind a request that was the last: closing over them would reset the
    /// connection, which could cost the peer its response. RFC 9112 §2.2: old HTTP/1.0 clients send
    /// a CR LF behind a body.
    fn may_be_followed(&self, asked: Asked) -> bool {
        let has_body = self.wire.inbound.borrow().is_some();
        self.wire.received.borrow().is_some() || asked.version == Version::HTTP_10 && has_body
    }

    /// Whether the next request may be found behind what is left of this one's body.
    fn can_reach_next(&self) -> bool {
        let inbound = self.wire.inbound.borrow();
        inbound.as_ref().is_none_or(|inbound| {
            // How much is left of chunks shows when they are thrown away.
            let left = inbound.decoder.remaining_hint().unwrap_or(0);
            inbound.will_come() && left <= self.limits().unread_body_bytes
        })
    }

    /// Sends a body piece by piece; its last piece may only be gathered. Of its trailers those go
    /// out that are `announced`, the values of the Trailer field.
    async fn stream(
        &mut self,
        asked: Asked,
        body: &mut Body,
        framing: BodyFraming,
        announced: &[HeaderValue],
        is_held: &mut bool,
    ) -> Result<(), Broken> {
        let mut left = match framing {
            BodyFraming::Length(length) => Some(length),
            _ => None,
        };
        let is_chunked = framing == BodyFraming::Chunked;
        let sends_files = left.is_some() && self.wire.transport.sends_files();
        if sends_files {
            let sent = self.send_from_file(body, is_held).await?;
            left = left.map(|left| left - sent);
        }
        while let Some(piece) = self.next_piece(asked, body, is_held).await? {
            *is_held = false;
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
                (false, false) => {
                    self.flush(piece).await?;
                }
            }
            if self.work.out.len() >= GATHER_BYTES {
                self.flush(Bytes::new()).await?;
            }
            if sends_files {
                let sent = self.send_from_file(body, is_held).await?;
                left = left.map(|left| left - sent);
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
    ///
    /// While a response waits for the first of what it makes of its request, its head `is_held`, for
    /// the request may still be refused. And its peer may wait to be invited: it is, unless the
    /// head is out, for an interim response cannot follow a final one.
    async fn next_piece(
        &mut self,
        asked: Asked,
        body: &mut Body,
        is_held: &mut bool,
    ) -> Result<Option<Bytes>, Broken> {
        let piece = loop {
            let mut waiting = self.waiting_for_piece(asked);
            let polled = poll_fn(|cx| {
                let since_ns = self.clock_ns();
                let is_draining = self.host.service().is_draining();
                let (polled, is_awaited) =
                    self.wire.watch_body(|| poll_piece(body, is_draining, cx));
                self.held_since(asked, since_ns);
                let is_gathered = !self.work.out.is_empty();
                let has_to_wait = *is_held && is_awaited;
                let is_due = is_gathered && !has_to_wait || self.wire.is_inviting();
                match polled {
                    Poll::Ready(piece) => Poll::Ready(Ok(Some(piece))),
                    Poll::Pending if is_due => Poll::Ready(Ok(None)),
                    Poll::Pending => waiting.poll(cx).map(Err),
                }
            });
            match polled.await {
                Ok(Some(piece)) => break piece,
                Ok(None) => {}
                Err(GivenUp::Left(event)) => return Err(Broken::Wire(event)),
                Err(GivenUp::Late) => return Err(Broken::Source(Cause::Silent)),
            }
            if !self.wire.is_inviting() {
                *is_held = false;
                self.flush(Bytes::new()).await?;
                continue;
            }
            if *is_held {
                let head = std::mem::replace(&mut self.work.out, CONTINUE.to_vec());
                self.flush(Bytes::new()).await?;
                self.work.out.extend(head);
            } else {
                self.wire.fail_body();
            }
            self.wire.invited();
        };
        match piece {
            Ok(piece) => piece
                .transpose()
                .map_err(|error| Broken::Source(Cause::Source(error))),
            Err(payload) => Err(Broken::Source(Cause::Panic(payload))),
        }
    }

    pub(super) fn gather_head(
        &mut self,
        response: &Response,
        framing: BodyFraming,
        connection: Connection,
    ) {
        self.note_response(response);
        let now_ns = self.wire.transport.now_ns();
        let service = self.host.service();
        let preamble = service.preamble(now_ns, || self.host.wall_clock());
        self.work.close_up();
        let out = &mut self.work.out;
        let (lines, fields) = response.headers.written();
        response_head(
            out,
            response.status,
            lines,
            fields,
            framing,
            connection,
            &preamble,
        );
    }
}

/// The next piece of `body`, or what its source panicked with.
fn poll_piece(
    body: &mut Body,
    is_draining: bool,
    cx: &mut Context<'_>,
) -> Poll<std::thread::Result<Option<Result<Bytes, BodyError>>>> {
    let polled = catch_unwind(AssertUnwindSafe(|| {
        if is_draining {
            body.stop();
        }
        body.poll_next(cx)
    }));
    match polled {
        Ok(polled) => polled.map(Ok),
        Err(payload) => Poll::Ready(Err(payload)),
    }
}

/// Whether one of the lists in `values` has `member`, which is compared without regard to case.
fn is_member<'a>(values: impl IntoIterator<Item = &'a HeaderValue>, member: &str) -> bool {
    let mut others = values
        .into_iter()
        .flat_map(|value| members(value.as_bytes()));
    others.any(|other| other.eq_ignore_ascii_case(member.as_bytes()))
}

/// Why a body was not sent to its end.
pub(super) enum Broken {
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
#[error("a handler answered {0}, which is no final status")]
struct NoAnswer(StatusCode);
