//! What a connection tells the log: only of what went wrong, so nothing here is on the way of a
//! request that is served.

use super::exchange::Asked;
use super::service::Service;
use super::transport::{Clocked, Host, Transport};
use super::visit::Visit;
use super::wire::Wire;
use crate::app::{self, Error, Response, Time, Witness};
use crate::http::{Event, Refusal, State};
use crate::log::{About, Cause, Log};
use http::StatusCode;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// Tells the log of panics that end within the app.
pub(super) struct Telling {
    log: Rc<Log>,
    time: Time,
}

impl Telling {
    /// `time` is that of the transports.
    pub(super) fn new(log: Rc<Log>, time: Time) -> Self {
        Self { log, time }
    }
}

impl Witness for Telling {
    fn panicked(&self, payload: &(dyn Any + Send), asked: &app::Asked) {
        let now_ns = u64::try_from(self.time.now().as_nanos()).unwrap_or(u64::MAX);
        self.log.panicked(payload, now_ns, || About {
            peer: Some(asked.peer),
            is_head: asked.is_head,
            route: asked.route(),
        });
    }
}

impl<T: Transport> Wire<T> {
    /// A message of the peer is refused, its head or its body.
    #[cold]
    pub(super) fn tell_refusal(&self, service: &Service, refusal: Refusal) {
        let now_ns = self.transport.now_ns();
        service.log.refused(refusal, now_ns, || self.peer().ok());
    }

    /// What a handler was asked to do, or left behind, panicked.
    #[cold]
    pub(super) fn tell_panic(&self, service: &Service, asked: Asked, payload: &(dyn Any + Send)) {
        let now_ns = self.transport.now_ns();
        let about = || self.about(service, asked);
        service.log.panicked(payload, now_ns, about);
    }

    /// Drops what is a handler's, which may panic even then.
    pub(super) fn let_go<O>(&self, service: &Service, asked: Asked, owned: O) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(owned))) {
            self.tell_panic(service, asked, &*payload);
        }
    }

    fn about<'a>(&self, service: &'a Service, asked: Asked) -> About<'a> {
        let router = service.router();
        About {
            peer: self.peer().ok(),
            is_head: asked.is_head,
            route: asked.route.and_then(|id| router.route(id)),
        }
    }
}

impl<H: Host> Visit<'_, H> {
    /// The handler of what was `asked` returned `failure`.
    #[cold]
    pub(super) fn tell_failure(&self, asked: Asked, status: StatusCode, failure: &Error) {
        let (log, now_ns) = (&self.host.service().log, self.wire.transport.now_ns());
        log.failed(status, failure, now_ns, || self.about(asked));
    }

    /// The response with `status` to what was `asked` is out in part, and its rest cannot be had.
    #[cold]
    pub(super) fn tell_truncated(&self, asked: Asked, status: StatusCode, cause: &Cause) {
        let (log, now_ns) = (&self.host.service().log, self.wire.transport.now_ns());
        log.truncated(status, cause, now_ns, || self.about(asked));
    }

    /// The response to what was `asked` is not made, or not sent, to its end, for `event`.
    #[cold]
    pub(super) fn tell_given_up(&self, asked: Asked, event: Event) {
        let (log, now_ns) = (&self.host.service().log, self.wire.transport.now_ns());
        if let State::Closed(reason) = self.state.advance(event) {
            log.given_up(reason, now_ns, || self.about(asked));
        }
    }

    /// The handler of what was `asked` panicked, or what it left did.
    #[cold]
    pub(super) fn tell_panic(&self, asked: Asked, payload: &(dyn Any + Send)) {
        self.wire.tell_panic(self.host.service(), asked, payload);
    }

    /// The response of a handler that panicked. The operator is told why; the peer learns that it
    /// was not at fault.
    #[cold]
    pub(super) fn panicked(&self, asked: Asked, payload: &(dyn Any + Send)) -> Response {
        self.tell_panic(asked, payload);
        Response::error(StatusCode::INTERNAL_SERVER_ERROR, "")
    }

    fn about(&self, asked: Asked) -> About<'_> {
        self.wire.about(self.host.service(), asked)
    }
}
