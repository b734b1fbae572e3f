//! A [`tracing`](https://docs.rs/tracing) span for each request, which what its handler tells is in.

use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Version};
use tracing::Span;
use tracing::field::{DisplayValue, display};

use super::{Id, Middleware, Next, TraceParent};
use crate::app::{Answer, Body, BodyError, BodySource, Headers, Request, Response, SendFile};
use crate::printable::is_plain;

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

/// A span for a [`Request`] as [`Spans`] opens it, with more fields in
/// the way of [`tracing::info_span!`](https://docs.rs/tracing/0.1/tracing/macro.info_span.html).
///
/// ```
/// # fn open(request: &corelane::Request) -> tracing::Span {
/// corelane::request_span!(request, tenant = "blue")
/// # }
/// ```
#[macro_export]
macro_rules! request_span {
    ($request:expr $(, $($fields:tt)*)?) => {{
        let described = $crate::app::middleware::Described($request);
        $crate::__tracing::info_span!(
            target: $crate::app::middleware::Spans::TARGET,
            "request",
            otel.name = described.name(),
            otel.kind = "server",
            otel.status_code = $crate::__tracing::field::Empty,
            http.request.method = described.method(),
            http.request.method_original = described.method_original(),
            http.route = described.route(),
            http.response.status_code = $crate::__tracing::field::Empty,
            url.scheme = "http",
            url.path = described.path(),
            server.address = described.server_address(),
            server.port = described.server_port(),
            client.address = described.client_address(),
            client.port = described.client_port(),
            network.protocol.version = described.version(),
            user_agent.original = described.user_agent(),
            request_id = described.request_id(),
            trace_id = described.trace_id(),
            parent_span_id = described.parent_span_id(),
            trace_flags = described.trace_flags(),
            error.type = $crate::__tracing::field::Empty,
            $($($fields)*)?
        )
    }};
}

/// What [`request_span!`](crate::request_span) says of a request.
#[doc(hidden)]
#[derive(Debug)]
pub struct Described<'a>(pub &'a Request);

/// Those of RFC 9110 §9.3, and PATCH (RFC 5789).
static KNOWN: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

impl<'a> Described<'a> {
    fn known_method(&self) -> Option<&'a str> {
        let method = self.0.method();
        KNOWN.contains(method).then_some(method.as_str())
    }

    fn trace_parent(&self) -> Option<&TraceParent> {
        self.0.extension()
    }

    pub fn name(&self) -> DisplayValue<impl Display> {
        let method = self.known_method().unwrap_or("HTTP");
        let route = self.0.route();
        display(fmt::from_fn(move |f| match route {
            Some(route) => write!(f, "{method} {route}"),
            None => f.write_str(method),
        }))
    }

    pub fn method(&self) -> &'a str {
        self.known_method().unwrap_or("_OTHER")
    }

    pub fn method_original(&self) -> Option<&'a str> {
        match self.known_method() {
            Some(_) => None,
            None => Some(self.0.method().as_str()),
        }
    }

    pub fn route(&self) -> Option<&'a str> {
        self.0.route()
    }

    pub fn path(&self) -> &'a str {
        self.0.path()
    }

    pub fn server_address(&self) -> Option<&'a str> {
        Some(split(self.0.host()?).0)
    }

    pub fn server_port(&self) -> Option<u16> {
        split(self.0.host()?).1
    }

    pub fn client_address(&self) -> DisplayValue<std::net::IpAddr> {
        display(self.0.peer().ip())
    }

    pub fn client_port(&self) -> u16 {
        self.0.peer().port()
    }

    pub fn version(&self) -> &'static str {
        match self.0.version() {
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        }
    }

    pub fn user_agent(&self) -> Option<&'a str> {
        let agent = self.0.header("user-agent");
        // The parser lets nothing of the sort into the target, the method and the host.
        agent.filter(|agent| agent.chars().all(is_plain))
    }

    pub fn request_id(&self) -> Option<DisplayValue<&'a Id>> {
        self.0.extension().map(display)
    }

    pub fn trace_id(&self) -> Option<DisplayValue<impl Display>> {
        let id = self.trace_parent()?.trace_id;
        Some(display(fmt::from_fn(move |f| write!(f, "{id:032x}"))))
    }

    pub fn parent_span_id(&self) -> Option<DisplayValue<impl Display>> {
        let id = self.trace_parent()?.parent_id;
        Some(display(fmt::from_fn(move |f| write!(f, "{id:016x}"))))
    }

    pub fn trace_flags(&self) -> Option<DisplayValue<impl Display>> {
        let flags = self.trace_parent()?.flags;
        Some(display(fmt::from_fn(move |f| write!(f, "{flags:02x}"))))
    }
}

/// The name or address in `host`, an address of IPv6 without its brackets, and its port.
fn split(host: &str) -> (&str, Option<u16>) {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => match host.rfind(':') {
            Some(colon) => host.split_at(colon),
            None => (host, ""),
        },
    };
    (
        name,
        port.strip_prefix(':').and_then(|port| port.parse().ok()),
    )
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
        assert!(matches!(sent, Some(Ok(()))));
    }

    #[test]
    fn hosts_are_split() {
        for (host, expected) in [
            ("example.org", ("example.org", None)),
            ("example.org:80", ("example.org", Some(80))),
            ("example.org:", ("example.org", None)),
            ("127.0.0.1:8080", ("127.0.0.1", Some(8080))),
            ("[::1]", ("::1", None)),
            ("[::1]:443", ("::1", Some(443))),
        ] {
            assert_eq!(split(host), expected, "{host}");
        }
    }
}
