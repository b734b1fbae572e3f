//! What one path, or all paths of one shape, have for each method.

use std::rc::Rc;

use http::{HeaderValue, Method};

use super::kind::{self, Kind};
use super::params::Places;
use super::router::Route;
use super::unrouted::Unrouted;

/// The routes of paths that have the same shape and kinds of parameters.
pub(super) struct Methods {
    /// What the parameters may be; empty if they may be anything.
    pub(super) kinds: Vec<Kind>,
    /// At most one route a method.
    pub(super) routes: Vec<(Method, Rc<Route>)>,
    /// The route for all other methods.
    pub(super) any: Option<Rc<Route>>,
    /// The methods that are answered, as the Allow field has them. Boxed, as a path's routes lie in
    /// the list that is searched, which is best short.
    pub(super) allow: Box<HeaderValue>,
    /// The routes of the same shape with other kinds; none after those without kinds.
    pub(super) others: Option<Box<Methods>>,
}

impl Methods {
    /// The route for `method`.
    #[inline]
    pub(super) fn find(&self, method: &Method) -> Option<&Rc<Route>> {
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

    /// The route for `method` where the parameters have the values that lie at `places` in `path`.
    #[inline]
    pub(super) fn choose(
        &self,
        method: &Method,
        path: &str,
        places: &Places,
    ) -> Option<&Rc<Route>> {
        // Those without kinds are the last, so there are no others.
        if self.kinds.is_empty() {
            return self.find(method);
        }
        self.choose_by_kind(method, path, places)
    }

    #[inline(never)]
    fn choose_by_kind(&self, method: &Method, path: &str, places: &Places) -> Option<&Rc<Route>> {
        let mut accepting = self.accepting(path, places);
        accepting.find_map(|methods| methods.find(method))
    }

    /// These and the others, as far as they take the values.
    fn accepting(&self, path: &str, places: &Places) -> impl Iterator<Item = &Methods> {
        let all = std::iter::successors(Some(self), |methods| methods.others.as_deref());
        all.filter(|methods| kind::all_accept(&methods.kinds, places.values(path)))
    }

    /// Why no handler takes `method`.
    #[cold]
    pub(super) fn unrouted(&self, method: &Method) -> Unrouted {
        let routes = self.routes.iter().map(|(_, route)| route);
        Unrouted::method(method, HeaderValue::clone(&self.allow), routes)
    }

    /// Why no handler of those that take the values takes `method`; `None` if there are none.
    #[cold]
    pub(super) fn unrouted_among(
        &self,
        path: &str,
        places: &Places,
        method: &Method,
    ) -> Option<Unrouted> {
        let mut accepting = self.accepting(path, places).peekable();
        accepting.peek()?;
        let entries: Vec<_> = accepting.flat_map(|methods| &methods.routes).collect();
        let allow = allow_value(entries.iter().map(|(method, _)| method));
        let routes = entries.iter().map(|(_, route)| route);
        Some(Unrouted::method(method, allow, routes))
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
