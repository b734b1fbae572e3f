//! What one app has for its paths, and what becomes of paths that have no route there.

use std::rc::Rc;

use http::{HeaderValue, Method};

use super::added::Reach;
use super::kind::{self, Kind};
use super::layers::Layers;
use super::methods::Methods;
use super::params::Params;
use super::path;
use super::paths::Paths;
use super::request::{Located, Request};
use super::router::Route;
use super::unrouted::Unrouted;

/// The routes of one app: that of the router, or that of a host.
pub(super) struct Site {
    pub(super) paths: Paths<Methods>,
    /// Those of longer prefixes first.
    pub(super) fallbacks: Vec<Fallback>,
    /// Whether any path is redirected to another that differs in its last slash.
    pub(super) redirects: bool,
    /// What is around its answers to paths without routes.
    pub(super) layers: Rc<Layers>,
}

/// What answers below a prefix where no route does.
pub(super) struct Fallback {
    /// The paths below the prefix; `None` for all.
    pub(super) prefix: Option<Paths<Vec<Kind>>>,
    pub(super) route: Rc<Route>,
}

impl Site {
    /// The route for `method` on `path`, in normal form, and where its parameters lie; `None` if no
    /// template takes the path. The most specific that does has it for all methods.
    #[inline]
    pub(super) fn find(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<Option<(&Rc<Route>, Params)>, Unrouted> {
        for (methods, params) in self.paths.find(path) {
            if let Some(route) = methods.choose(method, path, &params) {
                return Ok(Some((route, params)));
            }
            if let Some(unrouted) = methods.unrouted_among(path, &params, method) {
                return Err(unrouted);
            }
        }
        Ok(None)
    }

    /// Where `request` finds its route, if that has a slash more or less at its end, and the route.
    pub(super) fn moved(&self, request: &Request) -> Option<(HeaderValue, &Rc<Route>)> {
        if !self.redirects {
            return None;
        }
        let path = request.path();
        let other = match path.strip_suffix('/') {
            Some(other) => other.to_owned(),
            None => format!("{path}/"),
        };
        // RFC 3986 §4.2: `//` begins an authority, and browsers take `\` for `/`: neither may lead
        // to another host.
        if !other.starts_with('/') || other.starts_with("//") || other.starts_with("/\\") {
            return None;
        }
        let normal = path::normal(&other);
        let (route, _) = self.find(request.method(), &normal).ok()??;
        if !route.redirects {
            return None;
        }
        let location = match request.query_str() {
            Some(query) => format!("{other}?{query}"),
            None => other,
        };
        Some((HeaderValue::try_from(location).ok()?, route))
    }

    /// What answers `request`, whose path's routes take other methods: a catch-all, else `unrouted`.
    #[cold]
    pub(super) fn catch(
        &self,
        request: &mut Request,
        unrouted: Unrouted,
    ) -> Result<&Route, Unrouted> {
        let caught = self.find_fallback(request, |reach| reach == Reach::CatchAll);
        caught.ok_or(unrouted)
    }

    /// The fallback for `request`, which learns of it, if its reach is one that `serves`.
    pub(super) fn find_fallback(
        &self,
        request: &mut Request,
        serves: impl Fn(Reach) -> bool,
    ) -> Option<&Route> {
        for Fallback { prefix, route } in &self.fallbacks {
            let located = match prefix {
                None => None,
                Some(paths) => {
                    let path = path::normal(request.path());
                    let Some((kinds, params)) = paths.find(&path).next() else {
                        continue;
                    };
                    if !kind::all_accept(kinds, params.values(&path)) {
                        continue;
                    }
                    Some(Located::new(params, path))
                }
            };
            if !serves(route.reach) {
                return None;
            }
            request.set_route(Rc::clone(route), located);
            return Some(route);
        }
        None
    }
}
