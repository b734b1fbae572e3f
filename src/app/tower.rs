//! Services of the tower ecosystem as handlers: a [`Tower`] is one around any
//! [`tower_service::Service`], such as an axum router, which so runs on every core. Needs the feature
//! `tower`.
//!
//! # Moving an axum app over
//!
//! ```
//! # use axum::{Router, routing::get};
//! use corelane::app::tower::Tower;
//! use corelane::{App, Server};
//!
//! /// The routes as they were.
//! fn routes() -> Router {
//!     Router::new().route("/", get(async || "Hello"))
//! }
//!
//! /// What a core serves: in place of `axum::serve(listener, routes()).await`.
//! fn app() -> App {
//!     App::new().catch_all(Tower::new(routes()))
//! }
//!
//! # fn main() -> corelane::Result<()> {
//! let server = Server::bind("127.0.0.1:0").start(|_shard| app())?;
//! # server.stop()
//! # }
//! ```
//!
//! [`App::catch_all`](super::App::catch_all) takes what no other route does, so routes move one by one, a
//! method of a path at a time: those of the [`App`](super::App) are asked first. ([`App::fallback`](super::App::fallback) takes
//! paths as a whole: where one method has moved, the others are answered 405.) [`App::mount`](super::App::mount) has a service below a prefix, and with
//! [`Tower::strip_prefix`] it sees the paths that are behind it; `App::get` and the others have it
//! on one path. Middleware of the app goes around services as around other handlers, and a service
//! has layers of its own as before. It is made once on each core by whoever makes the app, and
//! cloned for each request, as axum does it.
//!
//! | of axum and tower | here |
//! |---|---|
//! | routers, nested and merged; handlers, extractors, rejections | as they are |
//! | state (`State`, `Extension`) | as it is; it is made once for each core, or before, and cloned into each |
//! | streamed bodies, server-sent events, `Multipart` | as they are, with back-pressure in both directions |
//! | trailers | those that the response's Trailer field announces |
//! | layers of tower and tower-http | as they are, but for those that wait for time (see below) |
//! | `poll_ready` | waited for before each call, on the request's own clone |
//! | an error of a service or of its response's body | 500 or a response that breaks off; the log has its causes |
//! | `ConnectInfo` | [`Tower::extend`] |
//! | `DefaultBodyLimit` | holds, within the limit of the route: [`App::body_limit`](super::App::body_limit), 1 MiB unless set |
//! | content that is too large, malformed, too slow | 413, 400, 408 in place of the service's own error |
//! | a peer that leaves | drops the future and the body, as ever |
//! | HEAD | the service answers it; where its router leaves the content out, the length that it declared is told |
//! | WebSockets, `hyper::upgrade`, HTTP/2 | not: there is no hyper underneath |
//! | `tokio::time`, `tokio::net`, `tokio::spawn`, `spawn_blocking`, clients such as reqwest and sqlx | with a runtime beside |
//!
//! # What needs tokio
//!
//! The cores run no tokio. A service that asks for it panics, and the event in the
//! [log](crate::log) says so. Channels, locks and semaphores of `tokio::sync` need no runtime and work.
//! For the rest one runs beside the cores, and [`Tower::within`] enters it whenever the service is
//! polled:
//!
//! ```
//! # use axum::{Router, routing::get};
//! use corelane::app::tower::Tower;
//! use corelane::{App, Server};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let runtime = tokio::runtime::Builder::new_multi_thread()
//!     .worker_threads(1)
//!     .enable_all()
//!     .build()?;
//! let handle = runtime.handle().clone();
//! let server = Server::bind("127.0.0.1:0").start(move |_shard| {
//!     let handle = handle.clone();
//!     let routes = Router::new().route("/", get(async || {
//!         tokio::time::sleep(Duration::from_millis(10)).await;
//!         "at last"
//!     }));
//!     let routes = Tower::new(routes).within(move |poll| {
//!         let _entered = handle.enter();
//!         poll();
//!     });
//!     App::new().fallback(routes)
//! })?;
//! # assert_eq!(corelane::testing::TestClient::connect(server.addresses()[0]).get("/").send().text(), "at last");
//! # server.stop()?;
//! # Ok(())
//! # }
//! ```
//!
//! Requests are still served on their cores. Timers, sockets and what is spawned are that runtime's,
//! on its own threads, and each wake-up from there crosses to the core: for a handler that waits for
//! a database so be it, for one that could do without it is a detour. `block_in_place` and `block_on`
//! hold up a core like anything that blocks.
//!
//! # What it costs
//!
//! The head is copied into the types of the `http` crate, and the future and a content that is
//! streamed are boxed.

mod answer;
mod feed;

pub use self::feed::RequestBody;

use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use http::header::HOST;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version};
use http_body::Body as HttpBody;
use tower_service::Service;

use self::answer::{Around, Asked, BoxError, Call};
use super::{Answer, Error, Handler, Request, Result};
use crate::http::TargetForm;

/// A service as a [`Handler`].
///
/// It answers with whatever the service does; the [module](self) says how that is brought about.
/// Neither the service nor its futures need `Send`.
///
/// ```
/// use bytes::Bytes;
/// use corelane::App;
/// use corelane::app::tower::{RequestBody, Tower};
/// use http_body_util::Full;
/// use std::convert::Infallible;
///
/// let hello = tower::service_fn(async |request: http::Request<RequestBody>| {
///     let text = format!("Hello from {}", request.uri().path());
///     Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(text)))
/// });
/// let app = App::new().get("/hello", Tower::new(hello));
/// ```
pub struct Tower<S> {
    service: S,
    strips_prefix: bool,
    extend: Option<Rc<Extend>>,
    around: Around,
}

type Extend = dyn Fn(&Request, &mut Extensions);

impl<S> Tower<S> {
    /// `service` as a handler.
    pub fn new(service: S) -> Tower<S> {
        Tower {
            service,
            strips_prefix: false,
            extend: None,
            around: Around::nothing(),
        }
    }

    /// Shows the service paths without what is before [`Request::rest`]: below `/api` it sees
    /// `/users` in place of `/api/users`.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// use corelane::App;
    /// use corelane::app::tower::Tower;
    ///
    /// let api = Router::new().route("/users", get(async || "all of them"));
    /// let app = App::new().mount("/api", Tower::new(api).strip_prefix());
    /// ```
    #[must_use]
    pub fn strip_prefix(mut self) -> Tower<S> {
        self.strips_prefix = true;
        self
    }

    /// Gives each request the extensions that `extend` inserts: what the service wants to know, and
    /// what the middleware of the app found out.
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// use axum::extract::ConnectInfo;
    /// use corelane::App;
    /// use corelane::app::middleware::{Id, RequestId};
    /// use corelane::app::tower::Tower;
    /// use std::net::SocketAddr;
    ///
    /// let routes = Router::new().route("/", get(
    ///     async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string(),
    /// ));
    /// let routes = Tower::new(routes).extend(|request, extensions| {
    ///     extensions.insert(ConnectInfo(request.peer()));
    ///     if let Some(id) = request.extension::<Id>() {
    ///         extensions.insert(id.clone());
    ///     }
    /// });
    /// let app = App::new().wrap(RequestId::new()).fallback(routes);
    /// ```
    #[must_use]
    pub fn extend(mut self, extend: impl Fn(&Request, &mut Extensions) + 'static) -> Tower<S> {
        self.extend = Some(Rc::new(extend));
        self
    }

    /// Has `around` called for each poll of the service, and for dropping what is left of it; it
    /// calls what it is given, once. This is how a runtime of tokio is entered: the
    /// [module](self#what-needs-tokio) shows it.
    #[must_use]
    pub fn within(mut self, around: impl Fn(&mut dyn FnMut()) + 'static) -> Tower<S> {
        self.around = Around::new(around);
        self
    }

    /// The head of `request` in the types of the `http` crate.
    fn head(&self, request: &Request) -> Result<http::Request<()>> {
        let mut head = http::Request::new(());
        *head.method_mut() = request.method().clone();
        *head.version_mut() = request.version();
        *head.uri_mut() = self.uri(request)?;
        *head.headers_mut() = fields(request)?;
        if let Some(extend) = &self.extend {
            extend(request, head.extensions_mut());
        }
        Ok(head)
    }

    fn uri(&self, request: &Request) -> Result<Uri> {
        let target = match self.strips_prefix {
            false => Uri::try_from(request.target()),
            true => Uri::try_from(stripped(request)),
        };
        target.map_err(|error| {
            Error::new(StatusCode::BAD_REQUEST, "The request target is malformed.")
                .with_source(error)
        })
    }
}

/// The path behind the prefix of its route, and the query.
fn stripped(request: &Request) -> String {
    let path = request.path();
    let path = match request.rest().is_empty() && !path.ends_with('/') {
        // The prefix itself.
        true => "/",
        false => &path[request.before_rest().len()..],
    };
    match request.query_str() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// The fields of `request`, whose values are copied in one piece.
fn fields(request: &Request) -> Result<HeaderMap> {
    let too_many = |_| {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        Error::new(status, "The request has too many fields.")
    };
    let bytes = request.headers().map(|(_, value)| value.len()).sum();
    let mut values = Vec::with_capacity(bytes);
    request
        .headers()
        .for_each(|(_, value)| values.extend_from_slice(value));
    let mut values = Bytes::from(values);
    let mut fields = HeaderMap::try_with_capacity(request.headers().count()).map_err(too_many)?;
    for (name, value) in request.headers() {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        let value = HeaderValue::from_maybe_shared(values.split_to(value.len()))?;
        fields.try_append(name, value).map_err(too_many)?;
    }
    // RFC 9112 §3.2.2: the target's authority takes the place of Host.
    if request.head().form() == TargetForm::Absolute
        && let Some(host) = request.host()
    {
        fields
            .try_insert(HOST, HeaderValue::from_str(host)?)
            .map_err(too_many)?;
    }
    Ok(fields)
}

// Nobody means a service where a handler is no `async fn`.
#[diagnostic::do_not_recommend]
impl<S, B> Handler for Tower<S>
where
    S: Service<http::Request<RequestBody>, Response = http::Response<B>> + Clone + 'static,
    S::Error: Into<BoxError>,
    B: HttpBody<Error: Into<BoxError>> + 'static,
{
    fn call(&self, mut request: Request) -> Answer {
        let head = match self.head(&request) {
            Ok(head) => head,
            Err(error) => return Answer::ready(error),
        };
        let asked = Asked {
            is_head: *head.method() == http::Method::HEAD,
            takes_chunks: head.version() == Version::HTTP_11,
        };
        let body = std::mem::take(request.body_mut());
        let (body, pump) = RequestBody::new(body, request.trailers());
        drop(request);
        let request = head.map(|()| body);
        let mut service = self.service.clone();
        let called = async move {
            poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        };
        Answer::pending(Call::new(called, pump, asked, self.around.clone()))
    }
}

impl<S> fmt::Debug for Tower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tower")
            .field("strips_prefix", &self.strips_prefix)
            .finish_non_exhaustive()
    }
}
