//! What a span says of its request: the fields of [`request_span!`](crate::request_span).

use std::fmt::{self, Display};

use http::{Method, Version};
use tracing::field::{DisplayValue, display};

use crate::app::Request;
use crate::app::hosts::split_port;
use crate::app::middleware::{Id, TraceParent};
use crate::printable::is_plain;

/// A span for a [`Request`] as [`Spans`](crate::app::middleware::Spans) opens it, with more fields in
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
        Some(split_port(self.0.host()?).0)
    }

    pub fn server_port(&self) -> Option<u16> {
        split_port(self.0.host()?).1
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
