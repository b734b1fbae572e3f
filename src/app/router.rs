//! The finished app: finds the handler of a request by path, then by method. It runs nothing.
//!
//! Paths meet in the normal form of [`path::normal`]. A path leads to a short list of methods.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};

use super::handler::{Answer, Handler};
use super::into_response::IntoResponse;
use super::path;
use super::paths::Paths;
use super::request::{Located, Request};
use super::response::Response;
use crate::http::ErrorForm;

/// Answers requests with the handlers of an [`App`](super::App), on one core.
pub struct Router {
    pub(super) paths: Paths<Methods>,
    pub(super) routes: Vec<Rc<Route>>,
    pub(super) fallback: Option<Rc<Route>>,
}

/// The number of a route in its app: routes count from 0 in the order in which they were added.
///
/// Apps that were built alike on several cores number their routes alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u16);

/// A request on its way through its handler.
#[derive(Debug)]
pub struct Dispatch {
    /// The route that matched. `None` if the router itself answers: 400, 404, 405, 501, OPTIONS.
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
    /// Its template as written, such as `/users/{id}`; `(fallback)` for the fallback.
    pub template: &'a str,
}

/// A handler and where it was put.
pub(crate) struct Route {
    pub(super) id: RouteId,
    pub(super) method: Option<Method>,
    pub(super) template: Box<str>,
    pub(super) names: Vec<Box<str>>,
    /// Whether the handler wants paths that are not text, too.
    pub(super) takes_octets: bool,
    pub(super) handler: Rc<dyn Handler>,
}

/// What one path has for each method.
pub(super) struct Methods {
    /// At most one route a method.
    pub(super) routes: Vec<(Method, Rc<Route>)>,
    /// The route for all other methods.
    pub(super) any: Option<Rc<Route>>,
    /// The methods that are answered, as the Allow field has them.
    pub(super) allow: HeaderValue,
}

/// Why a request has no handler.
pub(crate) enum Unrouted {
    NotFound,
    NotImplemented,
    /// A parameter of the path is not UTF-8.
    NotText,
    /// It asks for these methods.
    Options(HeaderValue),
    /// Its path has these methods only.
    MethodNotAllowed(HeaderValue),
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
                answer: Answer::ready(refused.into_response()),
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

    /// All routes in the order of their numbers, the fallback last.
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo<'_>> {
        self.routes
            .iter()
            .chain(&self.fallback)
            .map(|route| RouteInfo {
                id: route.id,
                method: route.method.as_ref(),
                template: &route.template,
            })
    }

    /// The route of `request`, which learns of it.
    #[inline]
    pub(crate) fn find(&self, request: &mut Request) -> Result<&Route, Unrouted> {
        if let Some(methods) = self.paths.find_literal(request.head().path_octets()) {
            let route = methods.find(request.method());
            let route = route.ok_or_else(|| methods.unrouted(request.method()))?;
            request.set_route(Rc::clone(route), None);
            return Ok(route);
        }
        let path = path::normal(request.path());
        let Some((methods, params)) = self.paths.find(&path) else {
            return self.find_elsewhere(request);
        };
        let Some(route) = methods.find(request.method()) else {
            return Err(methods.unrouted(request.method()));
        };
        let normal_path = match path {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => {
                if !route.takes_octets && !params.values(&path).all(path::is_text) {
                    return Err(Unrouted::NotText);
                }
                Some(path.into_boxed_str())
            }
        };
        let parameters = Located {
            params,
            normal_path,
        };
        request.set_route(Rc::clone(route), Some(parameters));
        Ok(route)
    }

    /// What becomes of a request whose path has no route.
    fn find_elsewhere(&self, request: &mut Request) -> Result<&Route, Unrouted> {
        if request.path() == "*" {
            // RFC 9110 §9.3.7: asks what the server as a whole can do; no handler is asked. The
            // other method that names no path is CONNECT, and this server is no proxy.
            return Err(match *request.method() {
                Method::OPTIONS => Unrouted::Options(self.allow_anywhere()),
                _ => Unrouted::NotImplemented,
            });
        }
        if let Some(fallback) = &self.fallback {
            request.set_route(Rc::clone(fallback), None);
            return Ok(fallback);
        }
        // RFC 9110 §9.1: 501 for a method that no resource here has, else the path is at fault.
        if self.implements(request.method()) {
            Err(Unrouted::NotFound)
        } else {
            Err(Unrouted::NotImplemented)
        }
    }

    /// Whether `method` is a common one or has a route anywhere.
    fn implements(&self, method: &Method) -> bool {
        let has = |route: &Rc<Route>| route.method.as_ref().is_none_or(|other| other == method);
        COMMON.contains(method) || self.routes.iter().any(has)
    }

    /// The methods of all routes together; a route for any counts as the common ones.
    fn allow_anywhere(&self) -> HeaderValue {
        let all = self.routes.iter().chain(&self.fallback);
        let methods = all.flat_map(|route| match &route.method {
            Some(method) => std::slice::from_ref(method),
            None => &COMMON,
        });
        allow_value(methods)
    }
}

impl Methods {
    #[inline]
    fn find(&self, method: &Method) -> Option<&Rc<Route>> {
        let exact = |method: &Method| {
            let entry = self.routes.iter().find(|(other, _)| other == method);
            entry.map(|(_, route)| route)
        };
        match exact(method) {
            Some(route) => Some(route),
            // RFC 9110 §9.1: GET and HEAD are for every server to support.
            None if method == Method::HEAD => exact(&Method::GET).or(self.any.as_ref()),
            None => self.any.as_ref(),
        }
    }

    /// Why no handler takes `method`.
    #[cold]
    fn unrouted(&self, method: &Method) -> Unrouted {
        let allow = self.allow.clone();
        if method == Method::OPTIONS {
            Unrouted::Options(allow)
        } else {
            Unrouted::MethodNotAllowed(allow)
        }
    }
}

impl IntoResponse for Unrouted {
    #[cold]
    fn into_response(self) -> Response {
        match self {
            Unrouted::NotFound => Response::error(StatusCode::NOT_FOUND, ""),
            Unrouted::NotImplemented => Response::error(StatusCode::NOT_IMPLEMENTED, ""),
            Unrouted::NotText => {
                Response::error(StatusCode::BAD_REQUEST, "The path is not UTF-8 text.")
            }
            Unrouted::Options(allow) => {
                Response::new(StatusCode::NO_CONTENT).with_header(ALLOW, allow)
            }
            // RFC 9110 §15.5.6: 405 carries Allow.
            Unrouted::MethodNotAllowed(allow) => {
                Response::error(StatusCode::METHOD_NOT_ALLOWED, "").with_header(ALLOW, allow)
            }
        }
    }
}

impl Route {
    /// Begins to answer `request`, which it was found for.
    ///
    /// # Panics
    /// If the handler panics before it returns its future.
    #[inline]
    pub(crate) fn call(&self, request: Request) -> Answer {
        self.handler.call(request)
    }

    /// See [`Handler::body_limit`].
    #[inline]
    pub(crate) fn body_limit(&self) -> Option<u64> {
        self.handler.body_limit()
    }

    pub(crate) fn id(&self) -> RouteId {
        self.id
    }

    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// How many parameters the template has.
    pub(crate) fn parameters(&self) -> usize {
        self.names.len()
    }

    /// The place of the parameter `name`.
    pub(crate) fn parameter(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| **other == *name)
    }
}

/// The value of Allow for a path with `methods`: sorted, with those that are added to them.
pub(super) fn allow_value<'a>(methods: impl Iterator<Item = &'a Method>) -> HeaderValue {
    let mut names: Vec<_> = methods.map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.sort_unstable();
    names.dedup();
    // Methods are tokens, which field values may hold.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
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
