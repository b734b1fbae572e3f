//! A service on its way to a response, and the response on its way out. Both are polled, and dropped,
//! within what [`Tower::within`](super::Tower::within) was given.

use std::any::Any;
use std::error::Error as StdError;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderValue, StatusCode};
use http_body::Body as HttpBody;
use pin_project_lite::pin_project;

use super::feed::Pump;
use crate::app::{Body, BodyError, BodySource, Error, Headers, IntoResponse, Response};

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What is around each poll.
#[derive(Clone)]
pub(super) struct Around(Option<Rc<Surround>>);

/// It calls what it is given, once.
type Surround = dyn Fn(&mut dyn FnMut());

impl Around {
    pub(super) fn nothing() -> Around {
        Around(None)
    }

    pub(super) fn new(around: impl Fn(&mut dyn FnMut()) + 'static) -> Around {
        Around(Some(Rc::new(around)))
    }

    /// Polls within it.
    fn poll<T>(&self, work: impl FnOnce() -> Poll<T>) -> Poll<T> {
        // A panic is passed on, but one of tokio's says how to mend it.
        let work = || {
            catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|payload| resume_unwind(explained(payload)))
        };
        let Some(around) = &self.0 else {
            return work();
        };
        let (mut work, mut polled) = (Some(work), None);
        around(&mut || {
            if let Some(work) = work.take() {
                polled = Some(work());
            }
        });
        polled.expect("the function given to Tower::within calls what it is given")
    }

    /// Drops what `place` has within it.
    fn empty<T>(&self, mut place: Pin<&mut Option<T>>) {
        match &self.0 {
            Some(around) if place.is_some() => around(&mut || place.set(None)),
            _ => place.set(None),
        }
    }
}

/// What tokio panics with where it is not running, with a word on how to mend that.
#[cold]
fn explained(payload: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    let text = match payload.downcast_ref::<&'static str>() {
        Some(text) => text,
        None => payload.downcast_ref::<String>().map_or("", String::as_str),
    };
    if !text.contains("Tokio 1.x") {
        return payload;
    }
    Box::new(format!(
        "a service needs tokio, which does not run on this core: give Tower::within the runtime to \
         enter ({text})"
    ))
}

/// What a response has to know of its request.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    /// Whether content may go out in chunks, and so with trailers.
    pub(super) takes_chunks: bool,
}

pin_project! {
    /// The future of a service, which may read the content of its request.
    pub(super) struct Call<F> {
        #[pin]
        future: Option<F>,
        pump: Option<Pump>,
        asked: Asked,
        around: Around,
    }

    impl<F> PinnedDrop for Call<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.around.empty(this.future);
        }
    }
}

impl<F> Call<F> {
    pub(super) fn new(future: F, pump: Option<Pump>, asked: Asked, around: Around) -> Call<F> {
        Call {
            future: Some(future),
            pump,
            asked,
            around,
        }
    }
}

impl<F, B, E> Future for Call<F>
where
    F: Future<Output = Result<http::Response<B>, E>>,
    B: HttpBody<Error: Into<BoxError>> + 'static,
    E: Into<BoxError>,
{
    type Output = Response;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let mut this = self.project();
        let (asked, around) = (*this.asked, &*this.around);
        around.poll(|| {
            let Some(mut future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Pending;
            };
            let outcome = ready!(pumped(this.pump, cx, |cx| future.as_mut().poll(cx)));
            this.future.set(None);
            let mut pump = this.pump.take();
            let failure = pump.as_mut().and_then(Pump::take_failure);
            let response = match (outcome, failure) {
                // An answer that is no success is about the content, which the service cannot tell
                // from that of others: limits and waits are the connection's.
                (Err(_), Some(failure)) => Error::from(failure).into_response(),
                (Ok(response), Some(failure)) if is_error(response.status()) => {
                    Error::from(failure).into_response()
                }
                (Err(error), None) => Error::new(StatusCode::INTERNAL_SERVER_ERROR, "")
                    .with_source(error)
                    .into_response(),
                (Ok(response), failure) => {
                    let pump = pump.filter(|pump| !pump.is_idle());
                    let (parts, body) = response.into_parts();
                    let outgoing = Outgoing {
                        body: Some(body),
                        polled: None,
                        trailers: Headers::new(),
                        pump,
                        failure,
                        around: around.clone(),
                    };
                    write(parts, Box::pin(outgoing), asked, cx)
                }
            };
            Poll::Ready(response)
        })
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Polls `work`, with content for it if there is any to fetch.
fn pumped<T>(
    pump: &mut Option<Pump>,
    cx: &mut Context<'_>,
    mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    match pump {
        Some(pump) => pump.poll(cx, work),
        None => work(cx),
    }
}

/// The response with these `parts`, whose content is `outgoing`. What is there at once is taken
/// at once, so that most responses need no streaming. It is called within what is around polls.
fn write<B>(
    parts: http::response::Parts,
    mut outgoing: Pin<Box<Outgoing<B>>>,
    asked: Asked,
    cx: &mut Context<'_>,
) -> Response
where
    B: HttpBody<Error: Into<BoxError>> + 'static,
{
    let mut response = Response::new(parts.status);
    let mut declared = None;
    let mut last = None;
    for (name, value) in parts.headers {
        // A name that is repeated is left out.
        let Some(name) = name.or(last) else { break };
        last = Some(name.clone());
        match name {
            CONTENT_LENGTH => declared = length(&value),
            name => response.headers.append(name, value),
        }
    }
    let Some(body) = &outgoing.body else {
        return response;
    };
    let exact = body.size_hint().exact();
    let length = match exact {
        // Services leave the content out themselves: what is left says nothing of its length.
        Some(0) | None if asked.is_head => declared,
        Some(exact) => Some(exact),
        None => declared,
    };
    let is_empty = body.is_end_stream() && !asked.is_head;
    let has_trailers = asked.takes_chunks && response.headers.contains(&TRAILER);
    if is_empty {
        outgoing.as_mut().finish();
        return response;
    }
    if has_trailers || asked.is_head || exact.is_none() {
        let length = length.filter(|_| !has_trailers);
        return response.with_body(Body::Stream {
            source: outgoing,
            length,
            is_begun: false,
        });
    }
    if let Poll::Ready(piece) = outgoing.as_mut().poll_piece(cx) {
        match piece {
            Some(Ok(piece)) if outgoing.has_ended() && Some(piece.len() as u64) == exact => {
                outgoing.as_mut().finish();
                return response.with_body(piece);
            }
            piece => *outgoing.as_mut().project().polled = Some(piece),
        }
    }
    response.with_body(Body::Stream {
        source: outgoing,
        length,
        is_begun: false,
    })
}

/// RFC 9110 §8.6: digits alone.
fn length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

pin_project! {
    /// The content of a response, which may be made of that of its request.
    struct Outgoing<B> {
        #[pin]
        body: Option<B>,
        // What was polled before anybody had asked for it.
        polled: Option<Option<Result<Bytes, BodyError>>>,
        trailers: Headers,
        pump: Option<Pump>,
        // What ended the content of the request.
        failure: Option<BodyError>,
        around: Around,
    }

    impl<B> PinnedDrop for Outgoing<B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.around.empty(this.body);
        }
    }
}

impl<B> Outgoing<B>
where
    B: HttpBody<Error: Into<BoxError>>,
{
    fn has_ended(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    /// Drops the service's body, where that is polled.
    fn finish(self: Pin<&mut Self>) {
        self.project().body.set(None);
    }

    /// The next piece. It is called within what is around polls.
    fn poll_piece(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let mut this = self.project();
        loop {
            let Some(mut body) = this.body.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let frame = ready!(pumped(this.pump, cx, |cx| body.as_mut().poll_frame(cx)));
            let frame = match frame {
                None => {
                    this.body.set(None);
                    return Poll::Ready(None);
                }
                Some(Err(error)) => {
                    this.body.set(None);
                    let failure = this.pump.as_mut().and_then(Pump::take_failure);
                    let failure = failure.or(this.failure.take());
                    let error = failure.unwrap_or_else(|| BodyError::from_any(error.into()));
                    return Poll::Ready(Some(Err(error)));
                }
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(mut data) => {
                    let bytes = data.remaining();
                    return Poll::Ready(Some(Ok(data.copy_to_bytes(bytes))));
                }
                Err(frame) => {
                    let mut last = None;
                    for (name, value) in frame.into_trailers().unwrap_or_default() {
                        let Some(name) = name.or(last) else { break };
                        last = Some(name.clone());
                        this.trailers.append(name, value);
                    }
                }
            }
        }
    }
}

impl<B> BodySource for Outgoing<B>
where
    B: HttpBody<Error: Into<BoxError>>,
{
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(polled) = self.as_mut().project().polled.take() {
            return Poll::Ready(polled);
        }
        let around = self.around.clone();
        around.poll(|| self.poll_piece(cx))
    }

    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        std::mem::take(self.project().trailers)
    }
}
