//! A [`tracing`](https://docs.rs/tracing) span for each request, which what its handler tells is in.

mod described;

pub use self::described::Described;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tracing::Span;

use super::{Middleware, Next, TraceParent};
use crate::app::{Answer, Body, BodyError, BodySource, Headers, Request, Response, SendFile};

/// Opens a span for each request, of the level INFO and the target [`Spans::TARGET`], with the fields
/// that OpenTelemetry's [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/)
/// name.
///
/// A core has many handlers under way at once. The span of each is entered while that one is polled,
/// and while it is dropped, and at no other time; so events are never in the span of another
/// request. It is closed when the handler is done or given up, or when the last of a streamed
/// response was made. What the [log](crate::log) tells of an error that the handler returned, or of its
/// panic, is in it as well; what speaks another protocol behind a response, a WebSocket for one, is not.
///
/// | field | |
/// |---|---|
/// | `otel.name`, `otel.kind` | method and route; `server` |
/// | `http.request.method`, `http.request.method_original` | `_OTHER` and the method itself, for those that neither RFC 9110 nor RFC 5789 has |
/// | `http.route` | the template, `/users/{id}`, if there is a route |
/// | `url.scheme`, `url.path` | `http`; without the query |
/// | `server.address`, `server.port` | as the request names them |
/// | `client.address`, `client.port` | of the peer; behind a proxy the proxy's |
/// | `network.protocol.version` | `1.1` or `1.0` |
/// | `user_agent.original` | if it is text without control characters and the like |
/// | `request_id` | where [`RequestId`](super::RequestId) is around this |
/// | `trace_id`, `parent_span_id`, `trace_flags` | of a [`TraceParent`], which is among the extensions then |
/// | `http.response.status_code` | once it is known: a handler that was given up has none |
/// | `otel.status_code`, `error.type` | `ERROR`; the status, if that is 5xx, as a handler's panic is, or `panic`, if middleware panicked or the source of the content |
///
/// **The path goes to the subscriber as it was sent**, though no event of the [log](crate::log) itself
/// holds a request target: where paths have tokens or names in them, so has what the subscriber
/// writes. [`Spans::opened_by`] opens spans without it. What peers send is on one line, as long as the
/// limits of a [head](crate::Limits) let it be.
///
/// Without a subscriber that wants the span a request costs a look for `traceparent`, and nothing
/// is opened.
///
/// ```
/// use corelane::App;
/// use corelane::app::middleware::{RequestId, Spans};
///
/// let app = App::new()
///     .wrap(RequestId::new())
///     .wrap(Spans::new())
///     .get("/", async |_| {
///         tracing::info!("in the span of its request");
///         "Hello"
///     });
/// ```
pub struct Spans {
    open: Rc<dyn Fn(&Request) -> Span>,
}

impl Spans {
    /// The target of the spans.
    pub const TARGET: &'static str = "corelane::request";

    /// Spans with the fields above.
    #[expect(clippy::new_without_default, reason = "like other middleware")]
    pub fn new() -> Spans {
        Spans::opened_by(|request| crate::request_span!(request))
    }

    /// Spans that `open` makes. [`request_span!`](crate::request_span) has the fields above
    /// and takes more; of another span's those are recorded that it has.
    ///
    /// ```
    /// use corelane::app::middleware::Spans;
    /// use corelane::{App, Request, request_span};
    /// use tracing::field::Empty;
    ///
    /// let spans = Spans::opened_by(|request: &Request| {
    ///     request_span!(request, tenant = request.header("x-tenant"), user = Empty)
    /// });
    /// let app = App::new().wrap(spans).get("/", async |_| {
    ///     tracing::Span::current().record("user", "Ada");
    ///     "Hello"
    /// });
    /// ```
    pub fn opened_by(open: impl Fn(&Request) -> Span + 'static) -> Spans {
        Spans {
            open: Rc::new(open),
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Middleware for Spans {
    fn call(&self, mut request: Request, next: Next) -> Answer {
        if let Some(parent) = TraceParent::of(&request) {
            request.extensions().insert(parent);
        }
        let span = (self.open)(&request);
        if span.is_disabled() {
            return next.run(request);
        }
        let answer = within(&span, || next.run(request));
        Answer::pending(Spanned {
            span,
            inside: Some(answer),
        })
    }
}

/// Does `work` in `span`, which is marked if that panics.
fn within<T>(span: &Span, work: impl FnOnce() -> T) -> T {
    let _marking = Marking(span);
    span.in_scope(work)
}

/// Marks a span when it is dropped by a panic.
struct Marking<'a>(&'a Span);

impl Drop for Marking<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            fail(self.0, "panic");
        }
    }
}

/// Marks `span` as one that failed.
fn fail(span: &Span, error_type: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", error_type);
}

/// Something that is polled, and dropped, in a span.
struct Spanned<T> {
    span: Span,
    inside: Option<T>,
}

impl<T> Drop for Spanned<T> {
    fn drop(&mut self) {
        let Spanned { span, inside } = self;
        if inside.is_some() {
            span.in_scope(|| *inside = None);
        }
    }
}

impl Future for Spanned<Answer> {
    type Output = Response;

    /// # Panics
    /// If the handler panics, or if it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Spanned { span, inside } = &mut *self;
        let polled = within(span, || {
            let answer = inside.as_mut();
            let answer = answer.expect("an answer is not polled after it was ready");
            let response = ready!(Pin::new(answer).poll(cx));
            *inside = None;
            Poll::Ready(response)
        });
        let mut response = ready!(polled);
        let status = response.status;
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            fail(span, status.as_str());
        }
        response.tell_in(span);
        response.body = match response.body {
            Body::Stream {
                source,
                length,
                is_begun,
            } => Body::Stream {
                source: Box::pin(Spanned {
                    span: span.clone(),
                    inside: Some(source),
                }),
                length,
                is_begun,
            },
            body => body,
        };
        Poll::Ready(response)
    }
}

impl BodySource for Spanned<Pin<Box<dyn BodySource>>> {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Spanned { span, inside } = &mut *self;
        match inside {
            Some(source) => within(span, || source.as_mut().poll_data(cx)),
            None => Poll::Ready(None),
        }
    }

    fn is_in_file(&self) -> bool {
        self.inside
            .as_ref()
            .is_some_and(|source| source.is_in_file())
    }

    fn send_from_file(
        mut self: Pin<&mut Self>,
        send: &mut SendFile<'_>,
    ) -> Option<Result<(), BodyError>> {
        let Spanned { span, inside } = &mut *self;
        let source = inside.as_mut()?;
        within(span, || source.as_mut().send_from_file(send))
    }

    fn stop(mut self: Pin<&mut Self>) {
        let Spanned { span, inside } = &mut *self;
        if let Some(source) = inside {
            within(span, || source.as_mut().stop());
        }
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        let Spanned { span, inside } = &mut *self;
        match inside {
            Some(source) => within(span, || source.as_mut().take_trailers()),
            None => Headers::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sent_in_a_span_as_without_one() {
        struct InFile;
        impl BodySource for InFile {
            fn poll_data(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Bytes, BodyError>>> {
                Poll::Ready(None)
            }

            fn is_in_file(&self) -> bool {
                true
            }

            fn send_from_file(
                self: Pin<&mut Self>,
                _: &mut SendFile<'_>,
            ) -> Option<Result<(), BodyError>> {
                Some(Ok(()))
            }
        }
        let source: Pin<Box<dyn BodySource>> = Box::pin(InFile);
        let mut spanned = Spanned {
            span: Span::none(),
            inside: Some(source),
        };
        let sent = Pin::new(&mut spanned).send_from_file(&mut |_| 0);
        assert!(spanned.is_in_file() && matches!(sent, Some(Ok(()))));
    }
}
