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

    /// The response instead of one that panicked with `payload`. The operator is told why; the peer
    /// learns that it was not at fault.
    ///
    /// # Panics
    /// With `payload` if there is nobody to tell.
    #[cold]
    fn panicked(&self, payload: Box<dyn Any + Send>) -> Response {
        let Some(witnessing) = self.layers.state::<Witnessing>() else {
            resume_unwind(payload);
        };
        witnessing.0.panicked(&*payload, self);
        Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")
    }

    /// Does `work` of the handler; a panic in it is told, and is the response.
    pub(super) fn contain<T>(&self, work: impl FnOnce() -> T) -> Result<T, Response> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| self.panicked(payload))
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
        Err(response) => Answer::ready(response),
    }
}
