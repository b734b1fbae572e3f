//! What the router itself answers, for requests that have no handler.

use std::rc::Rc;

use http::header::{ALLOW, LOCATION};
use http::{HeaderValue, Method, StatusCode};

use super::layers::Layers;
use super::response::Response;
use super::router::{Route, RouteId};

/// A request that has no handler.
pub(crate) struct Unrouted {
    why: Why,
    /// What is around the answer: what the routes of the path share. `None` if the path has none,
    /// for what its app has.
    layers: Option<Rc<Layers>>,
    /// A route of its path, which it is counted for.
    route: Option<RouteId>,
}

/// Why a request has no handler.
pub(super) enum Why {
    NotFound,
    /// It has a route with a slash more, or less.
    Moved(HeaderValue),
    NotImplemented,
    /// A parameter of the path is not UTF-8.
    NotText,
    /// It asks for these methods.
    Options(HeaderValue),
    /// Its path has these methods only.
    MethodNotAllowed(HeaderValue),
}

impl Unrouted {
    /// A request with `method` for a path that answers the methods in `allow` with `routes`, none of
    /// which takes it.
    pub(super) fn method<'a>(
        method: &Method,
        allow: HeaderValue,
        routes: impl Iterator<Item = &'a Rc<Route>>,
    ) -> Unrouted {
        let why = match *method {
            Method::OPTIONS => Why::Options(allow),
            _ => Why::MethodNotAllowed(allow),
        };
        let mut routes = routes.peekable();
        let route = routes.peek().map(|route| route.id);
        Unrouted {
            why,
            layers: Layers::shared(routes.map(|route| &route.layers)),
            route,
        }
    }

    /// A route of its path, if it has one.
    pub(crate) fn route(&self) -> Option<RouteId> {
        self.route
    }

    /// The answer, and what is around it: `None` for what its app has.
    #[cold]
    pub(super) fn into_response(self) -> (Response, Option<Rc<Layers>>) {
        (self.why.into_response(), self.layers)
    }
}

impl Why {
    /// A request for a path of `route`, or of none.
    pub(super) fn for_path_of(self, route: Option<&Rc<Route>>) -> Unrouted {
        Unrouted {
            why: self,
            layers: route.map(|route| Rc::clone(&route.layers)),
            route: route.map(|route| route.id),
        }
    }

    fn into_response(self) -> Response {
        match self {
            Why::NotFound => Response::error(StatusCode::NOT_FOUND, ""),
            // RFC 9110 §15.4.9: 308 keeps the method.
            Why::Moved(location) => {
                Response::error(StatusCode::PERMANENT_REDIRECT, "").with_header(LOCATION, location)
            }
            Why::NotImplemented => Response::error(StatusCode::NOT_IMPLEMENTED, ""),
            Why::NotText => Response::error(StatusCode::BAD_REQUEST, "The path is not UTF-8 text."),
            Why::Options(allow) => Response::new(StatusCode::NO_CONTENT).with_header(ALLOW, allow),
            // RFC 9110 §15.5.6: 405 carries Allow.
            Why::MethodNotAllowed(allow) => {
                Response::error(StatusCode::METHOD_NOT_ALLOWED, "").with_header(ALLOW, allow)
            }
        }
    }
}
