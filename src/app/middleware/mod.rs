//! Middleware: what stands around handlers. The ready-made ones are here, too; each is small, and
//! decides by values that it is given.
//!
//! ```
//! use corelane::App;
//! use corelane::app::middleware::{Cors, RateLimit, RequestId, SecurityHeaders, Timeout};
//! use std::time::Duration;
//!
//! let app = App::new()
//!     .wrap(RequestId::new()) // the outermost
//!     .wrap(SecurityHeaders::new())
//!     .wrap(Cors::origins(["https://example.org"]).credentials())
//!     .wrap(RateLimit::new(100, Duration::from_secs(1)))
//!     .wrap(Timeout::new(Duration::from_secs(10)))
//!     .get("/", async |_| "Hello");
//! ```
//!
//! With the feature `compression` there are `Compression` of responses and `Decompression` of
//! requests, too.
//!
//! What is for some paths only goes around an app of its own, and sees nothing else:
//!
//! ```
//! use corelane::App;
//! use corelane::app::middleware::BasicAuth;
//!
//! let admin = App::new()
//!     .wrap(BasicAuth::new("admin").user("ada", "the secret"))
//!     .get("/users", async |_| "Everybody");
//! let app = App::new().nest("/admin", admin).get("/", async |_| "Hello");
//! ```
//!
//! Middleware that looks at the path itself asks [`Request::normal_path`] or [`Request::route`]:
//! [`Request::path`] is as the peer wrote it, `/%61dmin` for `/admin` if it likes, and the route is found
//! all the same.

mod basic_auth;
#[cfg(feature = "compression")]
mod coders;
#[cfg(feature = "compression")]
mod compression;
mod cors;
#[cfg(feature = "compression")]
mod decompression;
mod rate_limit;
mod request_id;
mod security_headers;
mod spans;
mod timeout;
mod trace_parent;

pub use basic_auth::{BasicAuth, BasicUser};
#[cfg(feature = "compression")]
pub(super) use coders::Coders;
#[cfg(feature = "compression")]
pub use compression::Compression;
pub use cors::Cors;
#[cfg(feature = "compression")]
pub use decompression::Decompression;
pub use rate_limit::RateLimit;
pub(crate) use request_id::X_REQUEST_ID;
pub use request_id::{Id, RequestId};
pub use security_headers::SecurityHeaders;
#[doc(hidden)]
pub use spans::Described;
pub use spans::Spans;
pub use timeout::Timeout;
pub use trace_parent::TraceParent;

use std::fmt;
use std::rc::Rc;

use super::containment;
use super::handler::{Answer, Asynchronous, Handler};
use super::into_response::IntoResponse;
use super::layers::Layers;
use super::request::Request;
use super::response::Response;

/// Something around handlers: usually an `async fn(Request, Next) -> impl IntoResponse`, which may
/// change the request, answer it itself, or change the response.
///
/// Like handlers, middleware stays on its core and needs no `Send`. [`App::wrap`](super::App::wrap)
/// says in which order it is run, and around what.
///
/// ```
/// use corelane::{App, Error, Request, Response, Result};
/// use corelane::app::Next;
/// use http::StatusCode;
///
/// async fn with_key(req: Request, next: Next) -> Result<Response> {
///     if req.header("x-key") != Some("sesame") {
///         return Err(Error::new(StatusCode::FORBIDDEN, "A key is needed."));
///     }
///     Ok(next.run(req).await)
/// }
///
/// let app = App::new().wrap(with_key).get("/", async |_| "Come in");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not middleware",
    label = "not an `async fn(Request, Next) -> impl IntoResponse`",
    note = "middleware takes a `Request` and a `Next` by value, and answers `next.run(request).await`"
)]
pub trait Middleware: 'static {
    /// Begins to answer `request`, if need be by [`Next::run`].
    fn call(&self, request: Request, next: Next) -> Answer;
}

impl<F, A> Middleware for F
where
    F: Fn(Request, Next) -> A + 'static,
    A: Asynchronous<Response: IntoResponse> + 'static,
{
    fn call(&self, request: Request, next: Next) -> Answer {
        Answer::pending(self(request, next))
    }
}

/// What is within a middleware: the next one, or the handler.
#[must_use = "nobody answers the request unless it is run"]
pub struct Next {
    layers: Rc<Layers>,
    /// How many of the layers' middleware are done.
    at: usize,
    end: End,
}

/// What is within all middleware.
pub(super) enum End {
    Handler(Rc<dyn Handler>),
    /// The app's own answer to a request that no handler takes.
    Refused(Box<Response>),
}

impl Next {
    /// What is within `layers`, around `end`.
    pub(super) fn new(layers: Rc<Layers>, end: End) -> Next {
        Next { layers, at: 0, end }
    }

    /// Begins to answer `request`. Await it for the response; dropping it cancels the handler.
    pub fn run(mut self, request: Request) -> Answer {
        let layers = Rc::clone(&self.layers);
        if let Some(middleware) = layers.chain.get(self.at) {
            self.at += 1;
            return middleware.call(request, self);
        }
        match self.end {
            End::Handler(handler) => containment::call(layers, &*handler, request),
            End::Refused(response) => Answer::ready(*response),
        }
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
