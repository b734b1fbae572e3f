//! A request as handlers see it. Parsing it and receiving its content happen elsewhere.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt::Display;
use std::net::SocketAddr;
use std::rc::Rc;
use std::str::FromStr;

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::body::{Body, BodyError};
use super::error::{Error, Result};
use super::extensions::Extensions;
use super::headers::Headers;
use super::layers::{Layers, Refused};
use super::path;
use super::router::Route;
use super::urls::{UrlError, Urls};
use crate::http::RequestHead;
use crate::limits::BODY_BYTES;

/// A request: its head, the parameters of the route that it matched, and its content.
///
/// The content is read only when the handler asks for it.
#[derive(Debug)]
pub struct Request {
    head: RequestHead,
    body: Body,
    peer: SocketAddr,
    /// The route that the request matched.
    route: Option<Rc<Route>>,
    /// Apart, because most requests have none of it and all are moved into their handlers.
    rare: Option<Box<Rare>>,
}

/// What few requests have.
#[derive(Debug)]
struct Rare {
    /// The path in normal form, where that differs from the head's.
    normal_path: Option<Box<str>>,
    /// The most that [`Request::bytes`] accepts, in bytes.
    body_limit: u64,
    /// What followed the content, once that was taken in one piece.
    trailers: Option<Box<Headers>>,
    /// What middleware has put there.
    extensions: Extensions,
}

impl Default for Rare {
    fn default() -> Rare {
        Rare {
            normal_path: None,
            body_limit: BODY_BYTES,
            trailers: None,
            extensions: Extensions::default(),
        }
    }
}

impl Request {
    /// The request with `head` and `body`, sent from `peer`.
    #[inline]
    pub fn new(head: RequestHead, body: Body, peer: SocketAddr) -> Request {
        Request {
            head,
            body,
            peer,
            route: None,
            rare: None,
        }
    }

    /// The method.
    #[inline]
    pub fn method(&self) -> &Method {
        self.head.method()
    }

    /// The path as received, percent-encoded; `*` where the request is about the whole server.
    ///
    /// **One route has many such paths**: `/%61dmin` leads where `/admin` does. What decides by the path,
    /// as a guard does, looks at [`Request::normal_path`] or at [`Request::route`], or better is
    /// [wrapped](super::App::wrap) around an app of its own, which is [nested](super::App::nest) at the
    /// prefix.
    #[inline]
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// The path in the form in which routes match it: one text for all ways to write it.
    ///
    /// It is percent-decoded, but for what would then be ambiguous: `%2F` and `%25` stay as they are, as
    /// do octets that are not UTF-8, all with digits in upper case. So `/%61dmin` is `/admin`, and
    /// `/a%2fb` is `/a%2Fb`, which is one segment. Dot segments and empty ones are left as they are, as
    /// the routes leave them. Controls are decoded, too: it is nothing to print as it is.
    ///
    /// ```
    /// use corelane::app::Next;
    /// use corelane::{Error, Request, Response, Result};
    /// use http::StatusCode;
    ///
    /// /// Where an app of its own for `/admin`, with middleware of its own, is not what is wanted.
    /// async fn guard(req: Request, next: Next) -> Result<Response> {
    ///     let path = req.normal_path();
    ///     if path == "/admin" || path.starts_with("/admin/") {
    ///         return Err(Error::new(StatusCode::FORBIDDEN, "Not from here."));
    ///     }
    ///     drop(path);
    ///     Ok(next.run(req).await)
    /// }
    /// ```
    pub fn normal_path(&self) -> Cow<'_, str> {
        path::normal(self.path())
    }

    /// The request target as received (RFC 9112 §3.2).
    #[inline]
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// The query as received, percent-encoded, without its question mark; may be empty.
    #[inline]
    pub fn query_str(&self) -> Option<&str> {
        self.head.query()
    }

    /// HTTP/1.0 or HTTP/1.1.
    #[inline]
    pub fn version(&self) -> Version {
        self.head.version()
    }

    /// The host that the request is for, with its port if one was sent; `None` only in HTTP/1.0.
    #[inline]
    pub fn host(&self) -> Option<&str> {
        self.head.host()
    }

    /// The first field called `name`, in any case, if there is one and it is UTF-8.
    #[inline]
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        std::str::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The octets of the first field called `name`, in any case.
    #[inline]
    pub fn header_bytes(&self, name: impl AsRef<str>) -> Option<&[u8]> {
        self.head.field(name)
    }

    /// All fields as name and value, in the order received.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.fields()
    }

    /// The head as parsed, for what has no method here.
    #[inline]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The address of the peer; behind a proxy, the proxy's.
    #[inline]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The template of the route that the request matched, such as `/users/{id}`.
    pub fn route(&self) -> Option<&str> {
        Some(self.route.as_ref()?.template())
    }

    /// The text of the parameter `name`, percent-decoded.
    ///
    /// It is what the peer sent: where that was not UTF-8 the router has answered 400 already,
    /// except below a [mount](super::App::mount), where U+FFFD stands for it.
    ///
    /// # Panics
    /// If the route has no parameter of that name, which is a mistake in the program:
    /// [`Request::try_param`] does not panic.
    #[track_caller]
    pub fn param(&self, name: &str) -> Cow<'_, str> {
        match self.try_param(name) {
            Some(text) => text,
            None => panic!(
                "the route {} has no parameter `{name}`",
                self.route().unwrap_or("(none)")
            ),
        }
    }

    /// The text of the parameter `name`, percent-decoded; `None` if the route has none of that
    /// name.
    pub fn try_param(&self, name: &str) -> Option<Cow<'_, str>> {
        let index = self.route.as_ref()?.parameter(name)?;
        // A mount's own path has no rest.
        let value = self.parameter(index);
        Some(path::text(value.unwrap_or_default()))
    }

    /// The parameter `name` as a number, or whatever else can be read from text.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// async fn user(req: Request) -> corelane::Result<String> {
    ///     let id: u64 = req.param_as("id")?;
    ///     Ok(format!("user {id}"))
    /// }
    ///
    /// let app = App::new().get("/users/{id}", user);
    /// ```
    ///
    /// # Errors
    /// 404 where the text cannot be read as a `T`, and not 400: the request is well-formed, its path
    /// just names nothing that there is. So it is as with `{id:u64}`, where such a path has no route.
    ///
    /// # Panics
    /// If the route has no parameter of that name, as [`Request::param`] does.
    #[track_caller]
    pub fn param_as<T>(&self, name: &str) -> Result<T>
    where
        T: FromStr<Err: Into<Box<dyn StdError + Send + Sync>>>,
    {
        self.param(name).parse().map_err(|error: T::Err| {
            let message = format!("The `{name}` in the path is malformed.");
            Error::new(StatusCode::NOT_FOUND, message).with_source(error)
        })
    }

    /// The path of the route called `name`: [`Router::url_for`](super::Router::url_for), for
    /// handlers.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// async fn index(req: Request) -> corelane::Result<String> {
    ///     Ok(format!("<a href=\"{}\">first</a>", req.url_for("note", &[("id", &1)])?))
    /// }
    ///
    /// let app = App::new()
    ///     .get("/", index)
    ///     .get("/notes/{id:u64}", async |_: Request| ())
    ///     .name("note");
    /// ```
    ///
    /// # Errors
    /// Those of [`Router::url_for`](super::Router::url_for). `?` makes them a 500: they are mistakes
    /// in the program.
    pub fn url_for(
        &self,
        name: &str,
        parameters: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        self.url_with_query(name, parameters, &[])
    }

    /// The path of the route called `name` with a query behind it:
    /// [`Router::url_with_query`](super::Router::url_with_query), for handlers.
    ///
    /// # Errors
    /// Those of [`Request::url_for`].
    pub fn url_with_query(
        &self,
        name: &str,
        parameters: &[(&str, &dyn Display)],
        query: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        match &self.route {
            Some(route) => route.urls().write_with_query(name, parameters, query),
            None => match self.extension::<Refused>() {
                Some(refused) => refused.urls.write_with_query(name, parameters, query),
                None => Urls::default().write_with_query(name, parameters, query),
            },
        }
    }

    /// What follows the prefix of a [mount](super::App::mount), or of the app whose
    /// [fallback](super::App::fallback) answers: empty for the prefix itself, else without its leading
    /// slash.
    ///
    /// It is still percent-encoded where text would be ambiguous: `%2F`, `%25`, and octets that
    /// are not UTF-8. Everything else is decoded. Dot segments are left as they are.
    pub fn rest(&self) -> &str {
        let parameters = self.route.as_ref().map_or(0, |route| route.parameters());
        parameters
            .checked_sub(1)
            .and_then(|last| self.parameter(last))
            .unwrap_or_default()
    }

    /// What stands before [`Request::rest`] and its leading slash, as received.
    pub(crate) fn before_rest(&self) -> &str {
        // No slash of a path in normal form was encoded before, nor the other way round.
        let slashes = self.rest().matches('/').count();
        let slash = self.path().rmatch_indices('/').nth(slashes);
        slash.map_or("", |(slash, _)| &self.path()[..slash])
    }

    /// The value of type `T` that middleware has put into [`Request::extensions`].
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.rare.as_ref()?.extensions.get()
    }

    /// Values that travel with this request, one of each type; a request without any has no
    /// memory for them.
    pub fn extensions(&mut self) -> &mut Extensions {
        &mut self.rare.get_or_insert_default().extensions
    }

    /// The route that the request matched.
    pub(super) fn matched(&self) -> Option<&Rc<Route>> {
        self.route.as_ref()
    }

    /// What the app of its route has for all routes.
    pub(super) fn layers(&self) -> Option<&Layers> {
        self.route.as_deref().map(Route::layers)
    }

    /// The content.
    #[inline]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The content, to read it piece by piece, or to put another in its place.
    /// [`Request::take_body`] takes it out.
    #[inline]
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Takes the content out. Whoever asks for it from then on is told so
    /// ([`BodyError::Taken`]), which no other way of taking it leaves behind.
    pub fn take_body(&mut self) -> Body {
        std::mem::replace(&mut self.body, Body::broken(BodyError::Taken))
    }

    /// The content alone.
    #[inline]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Accepts no more than `bytes` of content in [`Request::bytes`] and [`Request::text`], instead
    /// of what the route accepts.
    ///
    /// It can only be less: the connection delivers no more than the route accepts, which
    /// [`with_body_limit`](super::with_body_limit) sets.
    pub fn set_body_limit(&mut self, bytes: u64) {
        self.rare.get_or_insert_default().body_limit = bytes;
    }

    /// What [`Request::bytes`] accepts, in bytes.
    #[cfg(feature = "compression")]
    pub(super) fn body_limit(&self) -> u64 {
        let rare = self.rare.as_ref();
        rare.map_or(BODY_BYTES, |rare| rare.body_limit)
    }

    /// All of the content. It is kept, so asking again gives the same: the content, or why there is
    /// none. Where the limit was too low, or the future was dropped before it was done, what had come
    /// is kept, too, and whoever asks again waits for the rest only.
    ///
    /// # Errors
    /// 413 if it is larger than the limit, 400 if it is malformed, 408 if it comes too slowly; 500 if
    /// some of it was taken before ([`BodyError::Taken`]), which is a mistake
    /// in the program.
    pub async fn bytes(&mut self) -> Result<Bytes> {
        let rare = self.rare.as_ref();
        let limit = rare.map_or(BODY_BYTES, |rare| rare.body_limit);
        let bytes = self.body.gather(limit).await?;
        let read = std::mem::replace(&mut self.body, Body::Bytes(bytes.clone()));
        if let Body::Ended(end) = read
            && let Some(trailers) = end.into_trailers()
        {
            self.rare.get_or_insert_default().trailers = Some(trailers);
        }
        Ok(bytes)
    }

    /// The trailer fields that followed the content (RFC 9110 §6.5), once it was read to its end.
    ///
    /// Fields that may not stand there, such as those that frame or route a message or
    /// authenticate its sender, were dropped.
    pub fn trailers(&self) -> Option<&Headers> {
        let taken = self.rare.as_ref().and_then(|rare| rare.trailers.as_deref());
        taken.or(self.body.trailers())
    }

    /// All of the content as text, by the [charset](Request::charset) that it is said to have; UTF-8
    /// if it is not said. Other charsets are known with the feature `charset`: those of the
    /// [Encoding Standard](https://encoding.spec.whatwg.org/), by all of their names.
    ///
    /// # Errors
    /// 415 if the charset is not known, before anything is read; 400 if the content is not text in
    /// it; those of [`Request::bytes`].
    pub async fn text(&mut self) -> Result<String> {
        let charset = self.known_charset()?;
        let bytes = self.bytes().await?;
        charset.decode(&bytes).map(Cow::into_owned)
    }

    /// Gives it its content, once it is known who reads it.
    #[inline]
    pub(crate) fn set_body(&mut self, body: Body) {
        self.body = body;
    }

    /// Remembers what the router found, and the path in normal form where that differs from the head's.
    #[inline]
    pub(super) fn set_route(&mut self, route: Rc<Route>, normal_path: Option<Box<str>>) {
        self.route = Some(route);
        if self.rare.is_some() || normal_path.is_some() {
            self.rare.get_or_insert_default().normal_path = normal_path;
        }
    }

    /// The value at `index` of the route's parameters, as it stands in the path.
    fn parameter(&self, index: usize) -> Option<&str> {
        let normal_path = self
            .rare
            .as_ref()
            .and_then(|rare| rare.normal_path.as_deref());
        let path = normal_path.unwrap_or_else(|| self.head.path());
        self.route.as_ref()?.places().values(path).nth(index)
    }
}
