//! What one app has for its paths, and what becomes of paths that have no route there.

use std::rc::Rc;

use http::{HeaderValue, Method};

use super::added::Reach;
use super::kind::{self, Kind};
use super::layers::Layers;
use super::methods::Methods;
use super::params::Places;
use super::path;
use super::paths::Paths;
use super::request::Request;
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
    /// The route for `method` on `path`, in normal form; `None` if no template takes the path. The
    /// most specific that does has it for all methods.
    pub(super) fn find(&self, method: &Method, path: &str) -> Result<Option<&Rc<Route>>, Unrouted> {
        match self.paths.find_literal(path.as_bytes()) {
            Some(methods) => match methods.find(method) {
                Some(route) => Ok(Some(route)),
                None => Err(methods.unrouted(method)),
            },
            None => self.find_by_parameters(method, path),
        }
    }

    /// [`Site::find`] for a path that is no route's literally.
    #[inline]
    pub(super) fn find_by_parameters(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<Option<&Rc<Route>>, Unrouted> {
        for (methods, places) in self.paths.find_by_parameters(path) {
            if let Some(route) = methods.choose(method, path, places) {
                return Ok(Some(route));
            }
            if let Some(unrouted) = methods.unrouted_among(path, places, method) {
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
        let route = self.find(request.method(), &normal).ok()??;
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
            let path = path::normal(request.path());
            if prefix.as_ref().is_some_and(|paths| !is_below(paths, &path)) {
                continue;
            }
            if !serves(route.reach) {
                return None;
            }
            let normal_path = path::if_other(path);
            request.set_route(Rc::clone(route), normal_path);
            return Some(route);
        }
        None
    }
}

/// Whether `path`, in normal form, is among `paths`, and its parameters are of the kinds there.
fn is_below(paths: &Paths<Vec<Kind>>, path: &str) -> bool {
    let takes =
        |(kinds, places): (&Vec<Kind>, &Places)| kind::all_accept(kinds, places.values(path));
    paths.find_literal(path.as_bytes()).is_some()
        || paths.find_by_parameters(path).next().is_some_and(takes)
}
