//! What is told of requests that are over to apps that want to know (`App::access_log`). For other
//! apps nothing is kept: the list here stays empty.
//!
//! A response is found in what a visit sends by its place: from where it begins to where it ends,
//! counted from the visit's first byte. So it is known how much of each was sent, though several go
//! out as one message.

use super::transport::{Clocked, Host};
use super::visit::Visit;
use crate::app::middleware::X_REQUEST_ID;
use crate::app::{Access, AccessFacts, Ended, Response, RouteId};
use crate::http::{CloseReason, RequestHead, State};
use crate::log::About;
use http::{HeaderValue, StatusCode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A request that has begun, and was not told of.
#[derive(Debug)]
pub(super) struct Pending {
    /// `None` where it was refused.
    head: Option<RequestHead>,
    pub(super) route: Option<RouteId>,
    arrived_ns: u64,
    status: Option<StatusCode>,
    request_id: Option<HeaderValue>,
    /// What was read of its body until it was answered.
    body_bytes: u64,
    /// Where its response begins in what the visit sends.
    from: u64,
    /// Where it ends; `None` while it is made.
    to: Option<u64>,
}

impl Pending {
    fn is_head(&self) -> bool {
        let head = self.head.as_ref();
        head.is_some_and(|head| head.method() == http::Method::HEAD)
    }
}

impl<H: Host> Visit<'_, H> {
    /// A request begins.
    #[inline]
    pub(super) fn note_begun(&mut self, head: Option<&RequestHead>, arrived_ns: u64) {
        if !self.host.service().router().access_hooks().is_empty() {
            let pending = Pending {
                head: head.cloned(),
                route: None,
                arrived_ns,
                status: None,
                request_id: None,
                body_bytes: 0,
                from: self.work.sent_bytes + self.work.gathered_bytes() as u64,
                to: None,
            };
            self.work.pending.push(pending);
        }
    }

    /// The request has gone to the handler of `route`.
    #[inline]
    pub(super) fn note_route(&mut self, route: Option<RouteId>) {
        if let Some(pending) = self.work.pending.last_mut() {
            pending.route = route;
        }
    }

    /// The request that is served was polled, and may have its id.
    #[inline]
    pub(super) fn note_id(&mut self) {
        if let Some(pending) = self.work.pending.last_mut()
            && let Some(id) = self.host.service().ids.take()
        {
            pending.request_id = Some(id);
        }
    }

    /// The request that is served is to be answered by `response`.
    #[inline]
    pub(super) fn note_response(&mut self, response: &Response) {
        if let Some(pending) = self.work.pending.last_mut() {
            pending.status = Some(response.status);
            let shown = response.headers.get(&X_REQUEST_ID);
            pending.request_id = shown.cloned().or(pending.request_id.take());
        }
    }

    /// The response is gathered whole, but for a body that is sent with it.
    #[inline]
    pub(super) fn note_answered(&mut self) {
        if !self.work.pending.is_empty() {
            let body_bytes = self.body_bytes();
            let to = self.work.sent_bytes + self.work.gathered_bytes() as u64;
            if let Some(pending) = self.work.pending.last_mut() {
                pending.body_bytes = body_bytes;
                pending.to = Some(to);
            }
        }
    }

    /// A body of this many bytes goes out behind what was gathered.
    #[inline]
    pub(super) fn note_body(&mut self, bytes: usize) {
        if let Some(Pending { to: Some(to), .. }) = self.work.pending.last_mut() {
            *to += bytes as u64;
        }
    }

    /// The first `count` of the requests are over.
    #[inline]
    pub(super) fn tell_over(&mut self, count: usize, ended: Ended) {
        if !self.work.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.work.pending);
            for over in pending.drain(..count.min(pending.len())) {
                self.tell(over, ended);
            }
            self.work.pending = pending;
        }
    }

    /// All requests are over: those that were not told of are abandoned.
    #[inline]
    pub(super) fn tell_abandoned(&mut self) {
        let reason = match self.state {
            State::Closed(reason) => reason,
            // The visit is dropped where it stands.
            _ => CloseReason::Stopped,
        };
        self.tell_over(usize::MAX, Ended::Abandoned(reason));
    }

    /// What was received of the body of the request that is served.
    fn body_bytes(&self) -> u64 {
        let inbound = self.wire.inbound.borrow();
        inbound.as_ref().map_or(0, |inbound| inbound.taken_bytes())
    }

    #[cold]
    fn tell(&self, over: Pending, ended: Ended) {
        let (router, now_ns) = (self.host.service().router(), self.wire.transport.now_ns());
        let (sent_to, body_bytes) = match over.to {
            Some(to) => (to.min(self.work.sent_bytes), over.body_bytes),
            None => (self.work.sent_bytes, self.body_bytes()),
        };
        let head = over.head.as_ref();
        let route = over.route.and_then(|id| router.route(id));
        let peer = self.wire.peer().ok();
        let access = Access::new(AccessFacts {
            head,
            route: route.map(|route| route.template),
            peer,
            status: over.status,
            request_id: over.request_id.as_ref(),
            received_bytes: head.map_or(0, |head| head.received_bytes() + body_bytes),
            sent_bytes: sent_to.saturating_sub(over.from),
            duration: Duration::from_nanos(now_ns.saturating_sub(over.arrived_ns)),
            ended_at: self.host.wall_clock(),
            ended,
        });
        for hook in router.access_hooks() {
            let told = catch_unwind(AssertUnwindSafe(|| hook.call(&access)));
            if let Err(payload) = told {
                let about = || About {
                    peer,
                    is_head: over.is_head(),
                    route,
                };
                self.host.service().log.panicked(&*payload, now_ns, about);
            }
        }
    }
}
