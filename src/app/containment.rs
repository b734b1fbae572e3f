//! Where the panic of a handler ends: where its chain of middleware does, which so sees a response.
//! Routes without middleware have none of this. Their panics end at the connection, as do those of
//! middleware.

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use http::{Method, StatusCode};

use super::handler::{Answer, Handler};
use super::layers::Layers;
use super::request::Request;
use super::response::Response;
use super::router::{Route, RouteInfo};

/// Who is told of panics that end here: what serves the app.
pub(crate) trait Witness {
    fn panicked(&self, payload: &(dyn Any + Send), asked: &Asked);
}

/// The [`Witness`] among the state of an app.
pub(super) struct Witnessing(pub(super) Box<dyn Witness>);

/// What is known of a request that its handler has.
pub(crate) struct Asked {
    layers: Rc<Layers>,
    route: Option<Rc<Route>>,
    pub(crate) peer: SocketAddr,
    pub(crate) is_head: bool,
}

impl Asked {
    pub(crate) fn route(&self) -> Option<RouteInfo<'_>> {
        Some(self.route.as_ref()?.info())
    }

    /// Does `work` of the handler, whose panic is told.
    ///
    /// # Panics
    /// If the work does and there is nobody to tell.
    pub(super) fn contain<T>(&self, work: impl FnOnce() -> T) -> Result<T, Panicked> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| self.tell(payload))
    }

    #[cold]
    fn tell(&self, payload: Box<dyn Any + Send>) -> Panicked {
        let Some(witnessing) = self.layers.state::<Witnessing>() else {
            resume_unwind(payload);
        };
        witnessing.0.panicked(&*payload, self);
        Panicked
    }
}

/// A handler panicked, and that was told.
pub(super) struct Panicked;

impl Panicked {
    /// What is answered: the peer learns that it was not at fault.
    pub(super) fn response(self) -> Response {
        Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")
    }
}

/// Begins to answer `request` with `handler`, at the end of the chain of `layers`.
pub(super) fn call(layers: Rc<Layers>, handler: &dyn Handler, request: Request) -> Answer {
    let asked = Asked {
        layers,
        route: request.matched().cloned(),
        peer: request.peer(),
        is_head: *request.method() == Method::HEAD,
    };
    match asked.contain(|| handler.call(request)) {
        Ok(answer) => answer.contained(asked),
        Err(panicked) => Answer::ready(panicked.response()),
    }
}
