//! What an app puts around and behind all of its routes: state, middleware, a limit for content.
//! It knows nothing of paths.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use super::access::RequestIds;
use super::builder::App;
use super::containment::{Witness, Witnessing};
use super::handler::{Answer, Handler};
#[cfg(feature = "compression")]
use super::middleware::Coders;
use super::middleware::{End, Middleware, Next};
use super::request::Request;
use super::response::Response;
use super::time::Time;
use super::urls::Urls;

/// What a route has from its app, and from the apps around that one.
#[derive(Clone, Default)]
pub(super) struct Layers {
    /// The innermost app's first.
    states: Vec<(TypeId, Rc<dyn Any>)>,
    /// The outermost first.
    pub(super) chain: Vec<Rc<dyn Middleware>>,
    pub(super) body_limit: Option<u64>,
    /// Whether handlers run to their end though their peer leaves.
    pub(super) finishes: bool,
}

/// What a request has that was refused: other requests find it by their routes.
pub(super) struct Refused {
    layers: Rc<Layers>,
    pub(super) urls: Rc<Urls>,
}

impl Layers {
    /// These layers around `inner`, whose state and limit count before these.
    fn around(&self, inner: &Layers) -> Layers {
        Layers {
            states: [&inner.states[..], &self.states].concat(),
            chain: [&self.chain[..], &inner.chain].concat(),
            body_limit: inner.body_limit.or(self.body_limit),
            finishes: inner.finishes || self.finishes,
        }
    }

    /// What routes with `layers` have in common, for an answer that is none of theirs alone; `None`
    /// if there are no routes.
    pub(super) fn shared<'a>(
        mut layers: impl Iterator<Item = &'a Rc<Layers>>,
    ) -> Option<Rc<Layers>> {
        let first = Rc::clone(layers.next()?);
        Some(layers.fold(first, |shared, other| shared.shared_with(other)))
    }

    /// The outer apps are the shared ones: their middleware comes first, their state last.
    fn shared_with(self: Rc<Self>, other: &Rc<Layers>) -> Rc<Layers> {
        if Rc::ptr_eq(&self, other) {
            return self;
        }
        let pairs = self.chain.iter().zip(&other.chain);
        let outer = pairs.take_while(|(a, b)| Rc::ptr_eq(a, b)).count();
        let pairs = self.states.iter().rev().zip(other.states.iter().rev());
        let inner = pairs
            .take_while(|((_, a), (_, b))| Rc::ptr_eq(a, b))
            .count();
        // Limit and finishing are for handlers, of which there is none.
        Rc::new(Layers {
            states: self.states[self.states.len() - inner..].to_vec(),
            chain: self.chain[..outer].to_vec(),
            ..Layers::default()
        })
    }

    fn is_empty(&self) -> bool {
        let is_default = self.body_limit.is_none() && !self.finishes;
        self.states.is_empty() && self.chain.is_empty() && is_default
    }

    pub(super) fn state<T: 'static>(&self) -> Option<Rc<T>> {
        let id = TypeId::of::<T>();
        let (_, value) = self.states.iter().find(|(other, _)| *other == id)?;
        Rc::clone(value).downcast().ok()
    }

    /// Begins to answer `request` with `handler` within these layers.
    pub(super) fn call(self: &Rc<Self>, request: Request, handler: &Rc<dyn Handler>) -> Answer {
        Next::new(Rc::clone(self), End::Handler(Rc::clone(handler))).run(request)
    }

    /// Begins to answer `request`, which has no route, with `response` within these layers, in a router
    /// with `urls`.
    pub(super) fn refuse(
        self: &Rc<Self>,
        mut request: Request,
        response: Response,
        urls: &Rc<Urls>,
    ) -> Answer {
        request.extensions().insert(Refused {
            layers: Rc::clone(self),
            urls: Rc::clone(urls),
        });
        Next::new(Rc::clone(self), End::Refused(Box::new(response))).run(request)
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers")
            .field("states", &self.states.len())
            .field("chain", &self.chain.len())
            .field("body_limit", &self.body_limit)
            .field("finishes", &self.finishes)
            .finish()
    }
}

impl App {
    /// Gives the handlers and the middleware of this app `value` for their state, one of a type:
    /// [`Request::state`] finds it.
    ///
    /// Each core makes its own app and so its own state, for which `Cell` and `RefCell` do; it is
    /// shared by the handlers of that core alone, behind an `Rc` of its own. An app within this one
    /// sees it, too, unless it has state of the same type.
    ///
    /// ```
    /// use corelane::{App, Request};
    /// use std::cell::Cell;
    ///
    /// #[derive(Default)]
    /// struct Visits(Cell<u64>);
    ///
    /// let app = App::new()
    ///     .state(Visits::default())
    ///     .get("/", |req: Request| async move {
    ///         let visits = &req.state::<Visits>().0;
    ///         visits.set(visits.get() + 1);
    ///         visits.get().to_string()
    ///     });
    /// ```
    ///
    /// Two of the same type are a problem that [`App::build`] tells.
    #[track_caller]
    pub fn state<T: 'static>(mut self, value: T) -> App {
        if self.layers.state::<T>().is_some() {
            let (name, at) = (type_name::<T>(), Location::caller());
            self.problems.push(format!(
                "the state {name} ({at}) follows another of its type"
            ));
        }
        self.layers.states.push((TypeId::of::<T>(), Rc::new(value)));
        self
    }

    /// Puts `middleware` around everything that this app answers.
    ///
    /// The first that is added is the outermost: it sees requests first and responses last. Where
    /// it stands among the routes does not matter; nested apps, and those of hosts, are within it.
    /// The app's own answers (404, 405, OPTIONS and so on) pass through it as well, which a request
    /// without a [`Request::route`] shows. Those for a path that has routes (OPTIONS, 405, 308 to the
    /// path with a slash more or less) pass through what is around these routes, in nested apps, too;
    /// where several apps have routes for one path, through what all of them are within. A path
    /// without routes is answered by the outermost app, or that of the host. A handler's panic is the
    /// 500 that it is answered with, and passes like any response.
    ///
    /// What does not pass:
    /// - `/stats`, and `/healthz` where the server answers it;
    /// - a request that is refused before there is a handler: one that is malformed, or declares too much
    ///   content;
    /// - the 503 of [`Limits::handler_timeout`](crate::Limits::handler_timeout), which gives up the
    ///   middleware with the handler. [`Timeout`](super::middleware::Timeout) within other middleware is
    ///   a limit whose answer they see;
    /// - the 500 of a panic of middleware itself;
    /// - the error in place of a streamed response whose content failed before any of it was sent.
    ///
    /// A guard for some paths is best put around an app that has only these, and is nested. One that asks
    /// [`Request::path`] does not see all that leads to a route: `/%61dmin` is `/admin` as well, and
    /// [`Request::normal_path`] says so.
    ///
    /// An error response has no content yet here: it gets it when it is sent.
    ///
    /// ```
    /// use corelane::app::Next;
    /// use corelane::{App, Request};
    /// use http::{HeaderValue, header};
    ///
    /// let app = App::new()
    ///     .wrap(async |req: Request, next: Next| {
    ///         let mut response = next.run(req).await;
    ///         response.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ///         response
    ///     })
    ///     .get("/", |_req: Request| async { "Hello" });
    /// ```
    pub fn wrap(mut self, middleware: impl Middleware) -> App {
        self.layers.chain.push(Rc::new(middleware));
        self
    }

    /// Takes up to `bytes` of content for every route of this app, instead of what the server is
    /// set to. A route's own limit ([`with_body_limit`](super::with_body_limit)) and that of an app
    /// within this one come first. Beyond: 413.
    ///
    /// ```
    /// let app = corelane::App::new().body_limit(64 * 1024);
    /// ```
    pub fn body_limit(mut self, bytes: u64) -> App {
        self.layers.body_limit = Some(bytes);
        self
    }

    /// Runs the handlers of this app, and of the apps within it, to their end, whether their peers
    /// stay or not. A single route is told so by
    /// [`finish_after_disconnect`](super::finish_after_disconnect), where it stands what that means.
    ///
    /// ```
    /// let app = corelane::App::new().finish_after_disconnect();
    /// ```
    pub fn finish_after_disconnect(mut self) -> App {
        self.layers.finishes = true;
        self
    }

    /// Runs by `time`, unless it was told of another.
    pub(crate) fn timed_by(mut self, time: Time) -> App {
        if self.layers.state::<Time>().is_none() {
            self.layers
                .states
                .push((TypeId::of::<Time>(), Rc::new(time)));
        }
        self
    }

    /// Makes it the app of a core: tells `witness` of the panics of handlers that middleware is around, has
    /// the ids of requests noted in `ids` if there is an access log to want them, and content coded by as
    /// many as a core may have.
    pub(crate) fn witnessed_by(
        mut self,
        witness: impl Witness + 'static,
        ids: &Rc<RequestIds>,
    ) -> App {
        let witnessing: Rc<dyn Any> = Rc::new(Witnessing(Box::new(witness)));
        let states = &mut self.layers.states;
        states.push((TypeId::of::<Witnessing>(), witnessing));
        #[cfg(feature = "compression")]
        states.push((TypeId::of::<Coders>(), Rc::<Coders>::default()));
        if !self.access_hooks.is_empty() {
            states.push((TypeId::of::<RequestIds>(), Rc::clone(ids) as Rc<dyn Any>));
        }
        self
    }

    /// Gives all routes the layers of the app, which are then no longer the app's. What takes the
    /// routes of an app into another, or into a router, does this first.
    pub(super) fn seal(&mut self) -> Rc<Layers> {
        let layers = Rc::new(std::mem::take(&mut self.layers));
        if layers.is_empty() {
            return layers;
        }
        let put_around = |inner: &mut Rc<Layers>| {
            *inner = match inner.is_empty() {
                true => Rc::clone(&layers),
                false => Rc::new(layers.around(inner)),
            };
        };
        for added in self.added.iter_mut().chain(&mut self.fallbacks) {
            put_around(&mut added.layers);
        }
        for host in &mut self.hosts {
            put_around(&mut host.layers);
            for added in host.app.added.iter_mut().chain(&mut host.app.fallbacks) {
                put_around(&mut added.layers);
            }
        }
        layers
    }
}

impl Request {
    /// The app's state of type `T`.
    ///
    /// ```
    /// # use corelane::Request;
    /// # struct Pool;
    /// async fn handler(req: Request) -> &'static str {
    ///     let pool = req.state::<Pool>(); // an `Rc<Pool>`
    ///     "done"
    /// }
    /// ```
    ///
    /// # Panics
    /// If the app has none of that type, which is a mistake in the program: the request is answered
    /// with 500, and the log names the type. [`Request::try_state`] does not panic.
    #[track_caller]
    pub fn state<T: 'static>(&self) -> Rc<T> {
        match self.try_state() {
            Some(state) => state,
            None => panic!(
                "the app has no state of the type {}: give it one with App::state",
                type_name::<T>()
            ),
        }
    }

    /// The app's state of type `T`, if it has one.
    pub fn try_state<T: 'static>(&self) -> Option<Rc<T>> {
        match self.layers() {
            Some(layers) => layers.state(),
            None => self.extension::<Refused>()?.layers.state(),
        }
    }

    /// The time that the app runs by: a core's, or the one that a test lets pass. In a router that
    /// neither serves ([`Router::respond`](super::Router::respond)) it stands still.
    pub fn time(&self) -> Time {
        self.try_state::<Time>()
            .map_or_else(Time::still, |time| (*time).clone())
    }
}
