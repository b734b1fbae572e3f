//! The finished app: finds the handler of a request by path, then by method. It runs nothing.
//!
//! Paths meet in the normal form of [`path::normal`]. A path leads to a short list of methods.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::rc::Rc;

use http::{HeaderValue, Method};

use super::access::AccessHook;
use super::added::Reach;
use super::handler::{Answer, Handler};
use super::hosts::Hosts;
use super::layers::Layers;
use super::methods::allow_value;
use super::params::Places;
use super::path;
use super::request::Request;
use super::response::Response;
use super::site::Site;
use super::unrouted::{Unrouted, Why};
use super::urls::{UrlError, Urls};
use crate::http::ErrorForm;

/// Answers requests with the handlers of an [`App`](super::App), on one core.
pub struct Router {
    pub(super) site: Site,
    /// Those that have apps of their own; `None` if there are none.
    pub(super) hosts: Option<Hosts<Site>>,
    /// Those of all sites, by number.
    pub(super) routes: Vec<Rc<Route>>,
    pub(super) urls: Rc<Urls>,
    pub(super) access_hooks: Vec<AccessHook>,
}

/// The number of a route in its app: routes count from 0 in the order in which they were added.
///
/// Apps that were built alike on several cores number their routes alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u16);

/// A request on its way through its handler.
#[derive(Debug)]
pub struct Dispatch {
    /// The route that matched. `None` if the router itself answers: 308, 400, 404, 405, 501, OPTIONS.
    pub route: Option<RouteId>,
    /// The response to come.
    pub answer: Answer,
}

/// What is known of a route besides its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteInfo<'a> {
    /// Its number.
    pub id: RouteId,
    /// Its method; `None` if it takes any.
    pub method: Option<&'a Method>,
    /// The host of its app as written, such as `example.org`; `None` if it is no host's alone.
    pub host: Option<&'a str>,
    /// Its template as written, such as `/users/{id}`, after the prefixes of nested apps; of a
    /// fallback the prefix and `(fallback)`.
    pub template: &'a str,
    /// Its name, if it has one.
    pub name: Option<&'a str>,
}

/// A handler and where it was put.
pub(crate) struct Route {
    pub(super) id: RouteId,
    pub(super) method: Option<Method>,
    pub(super) host: Option<Rc<str>>,
    pub(super) template: Box<str>,
    pub(super) name: Option<Box<str>>,
    /// The names of its parameters.
    pub(super) names: Vec<Box<str>>,
    /// Where they lie in its paths.
    pub(super) places: Places,
    pub(super) reach: Reach,
    /// Whether a path that differs in its last slash is redirected to it.
    pub(super) redirects: bool,
    pub(super) body_limit: Option<u64>,
    /// Whether its handler runs to its end though its peer leaves.
    pub(super) finishes: bool,
    /// Whether its layers have middleware.
    pub(super) is_wrapped: bool,
    pub(super) layers: Rc<Layers>,
    pub(super) handler: Rc<dyn Handler>,
    /// The named routes of the router, for links.
    pub(super) urls: Rc<Urls>,
}

/// The methods for which a path is at fault if no route takes them.
static COMMON: [Method; 7] = [
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
];

impl Router {
    /// Begins to answer `request`.
    ///
    /// HEAD without a route of its own goes to the route for GET, OPTIONS without one is answered
    /// here, as are all requests that no handler takes. The response to HEAD has the content that
    /// GET would have had: whoever sends it leaves the content out (RFC 9110 §9.3.2).
    ///
    /// # Panics
    /// If the handler panics before it returns its future.
    #[inline]
    pub fn dispatch(&self, mut request: Request) -> Dispatch {
        match self.find(&mut request) {
            Ok(route) => {
                if let Some(limit) = route.body_limit() {
                    request.set_body_limit(limit);
                }
                Dispatch {
                    route: Some(route.id),
                    answer: route.call(request),
                }
            }
            Err(refused) => Dispatch {
                route: None,
                answer: self.refuse(refused, request),
            },
        }
    }

    /// Answers `request`; an error in the form that it prefers.
    ///
    /// # Panics
    /// If the handler panics.
    pub async fn respond(&self, request: Request) -> Response {
        let form = ErrorForm::preferred(request.head().field_values("accept"));
        let mut response = self.dispatch(request).answer.await;
        response.explain(|| Some(form));
        response
    }

    /// All routes in the order of their numbers: those of the app, its fallbacks, and then those of
    /// each host.
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo<'_>> {
        self.routes.iter().map(|route| route.info())
    }

    /// The route `id` of this router.
    pub(crate) fn route(&self, id: RouteId) -> Option<RouteInfo<'_>> {
        let route = self.routes.get(usize::from(id.0))?;
        Some(route.info())
    }

    /// What is told of requests that are over.
    #[inline]
    pub(crate) fn access_hooks(&self) -> &[AccessHook] {
        &self.access_hooks
    }

    /// Whether the handler of the route `id` runs to its end though its peer leaves.
    pub(crate) fn finishes_after_disconnect(&self, id: RouteId) -> bool {
        self.routes[usize::from(id.0)].finishes
    }

    /// The path of the route called `name` ([`App::name`](super::App::name)) with these values of
    /// its parameters, percent-encoded. Of a `{*rest}` slashes are kept.
    ///
    /// It is the path alone: a link to another host has scheme and host before it. Nor does it go back
    /// through the routes: beside `/users/{name}` a route `/users/me` takes the path for the name `me`,
    /// as does one of a kind, such as `/users/{id:u64}`. Where names are chosen by others, let no route
    /// stand beside the parameter.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// let app = App::new().get("/{user}/{id:u64}", async |_: Request| ()).name("note");
    /// let router = app.build()?;
    /// let path = router.url_for("note", &[("user", &"Zoë/2"), ("id", &7)])?;
    /// assert_eq!(path, "/Zo%C3%AB%2F2/7");
    /// # Ok::<_, corelane::Error>(())
    /// ```
    ///
    /// # Errors
    /// A name that no route has; a parameter without a value or of a name that the route does not have; a
    /// value that the route's template does not take, because it is empty or of another kind; a path that
    /// clients would take for another ([`UrlError::LeadsElsewhere`]).
    pub fn url_for(
        &self,
        name: &str,
        parameters: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        self.urls.write(name, parameters)
    }

    /// [`Router::url_for`] with a query of these names and values behind the path, percent-encoded; a
    /// name may occur more than once.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// let app = App::new().get("/notes", async |_: Request| ()).name("notes");
    /// let url = app.build()?.url_with_query("notes", &[], &[("tag", &"a b"), ("page", &2)])?;
    /// assert_eq!(url, "/notes?tag=a%20b&page=2");
    /// # Ok::<_, corelane::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Router::url_for`].
    pub fn url_with_query(
        &self,
        name: &str,
        parameters: &[(&str, &dyn Display)],
        query: &[(&str, &dyn Display)],
    ) -> Result<String, UrlError> {
        self.urls.write_with_query(name, parameters, query)
    }

    /// The route of `request`, which learns of it.
    #[inline]
    pub(crate) fn find(&self, request: &mut Request) -> Result<&Route, Unrouted> {
        let site = match &self.hosts {
            None => &self.site,
            Some(hosts) => self.site_of(hosts, request),
        };
        if let Some(methods) = site.paths.find_literal(request.head().path_octets()) {
            let Some(route) = methods.find(request.method()) else {
                let unrouted = methods.unrouted(request.method());
                return site.catch(request, unrouted);
            };
            request.set_route(Rc::clone(route), None);
            return Ok(route);
        }
        let path = path::normal(request.path());
        let found = match &path {
            Cow::Borrowed(path) => site.find_by_parameters(request.method(), path),
            Cow::Owned(path) => site.find(request.method(), path),
        };
        let route = match found {
            Ok(Some(route)) => route,
            Ok(None) => return self.find_elsewhere(site, request),
            Err(unrouted) => return site.catch(request, unrouted),
        };
        if let Cow::Owned(path) = &path
            && !route.reach.takes_octets()
            && !route.places.values(path).all(path::is_text)
        {
            return Err(Why::NotText.for_path_of(Some(route)));
        }
        let normal_path = path::if_other(path);
        request.set_route(Rc::clone(route), normal_path);
        Ok(route)
    }

    /// The site of the host of `request`.
    #[inline(never)]
    fn site_of<'a>(&'a self, hosts: &'a Hosts<Site>, request: &Request) -> &'a Site {
        let found = request.host().and_then(|host| hosts.find(host));
        found.unwrap_or(&self.site)
    }

    /// The answer to `request`, which no handler takes.
    #[cold]
    pub(crate) fn refuse(&self, unrouted: Unrouted, request: Request) -> Answer {
        let (response, layers) = unrouted.into_response();
        let layers = match (&layers, &self.hosts) {
            (Some(layers), _) => layers,
            (None, None) => &self.site.layers,
            (None, Some(hosts)) => &self.site_of(hosts, &request).layers,
        };
        match layers.chain.is_empty() {
            true => Answer::ready(response),
            false => layers.refuse(request, response, &self.urls),
        }
    }

    /// What becomes of a request whose path has no route on `site`.
    #[inline(never)]
    fn find_elsewhere<'a>(
        &self,
        site: &'a Site,
        request: &mut Request,
    ) -> Result<&'a Route, Unrouted> {
        if request.path() == "*" {
            // RFC 9110 §9.3.7: asks what the server as a whole can do; no handler is asked. The
            // other method that names no path is CONNECT, and this server is no proxy.
            let why = match *request.method() {
                Method::OPTIONS => Why::Options(self.allow_anywhere()),
                _ => Why::NotImplemented,
            };
            return Err(why.for_path_of(None));
        }
        if let Some((location, route)) = site.moved(request) {
            return Err(Why::Moved(location).for_path_of(Some(route)));
        }
        if let Some(route) = site.find_fallback(request, |_| true) {
            return Ok(route);
        }
        // RFC 9110 §9.1: 501 for a method that no resource here has, else the path is at fault.
        let why = match self.implements(request.method()) {
            true => Why::NotFound,
            false => Why::NotImplemented,
        };
        Err(why.for_path_of(None))
    }

    /// Whether `method` is a common one or has a route anywhere.
    fn implements(&self, method: &Method) -> bool {
        // A fallback would have answered, were the path below its prefix.
        let has = |route: &Rc<Route>| match &route.method {
            Some(other) => other == method,
            None => !matches!(route.reach, Reach::Fallback | Reach::CatchAll),
        };
        COMMON.contains(method) || self.routes.iter().any(has)
    }

    /// The methods of all routes together; a route for any counts as the common ones.
    fn allow_anywhere(&self) -> HeaderValue {
        let methods = self.routes.iter().flat_map(|route| match &route.method {
            Some(method) => std::slice::from_ref(method),
            None => &COMMON,
        });
        allow_value(methods)
    }
}

impl Route {
    /// Begins to answer `request`, which it was found for.
    ///
    /// # Panics
    /// If the handler panics before it returns its future.
    #[inline]
    pub(crate) fn call(&self, request: Request) -> Answer {
        match self.is_wrapped {
            false => self.handler.call(request),
            true => self.layers.call(request, &self.handler),
        }
    }

    /// See [`Handler::body_limit`]; its app's where it has none itself.
    #[inline]
    pub(crate) fn body_limit(&self) -> Option<u64> {
        self.body_limit
    }

    /// What its app has for all routes.
    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn id(&self) -> RouteId {
        self.id
    }

    pub(super) fn info(&self) -> RouteInfo<'_> {
        RouteInfo {
            id: self.id,
            method: self.method.as_ref(),
            host: self.host.as_deref(),
            template: &self.template,
            name: self.name.as_deref(),
        }
    }

    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// The named routes of its router.
    pub(super) fn urls(&self) -> &Urls {
        &self.urls
    }

    /// How many parameters the template has.
    pub(crate) fn parameters(&self) -> usize {
        self.names.len()
    }

    /// Where its parameters lie in its paths.
    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    /// The number of the parameter `name`.
    pub(crate) fn parameter(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| **other == *name)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes()).finish()
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("id", &self.id)
            .field("method", &self.method)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
