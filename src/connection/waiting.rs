//! Waiting for what a handler makes, its response or a piece of it: for how long, and whether its
//! peer is still there. It says when to stop; what is made of that is in `exchange.rs` and
//! `respond.rs`.

use super::exchange::Asked;
use super::transport::{Clocked, Host, Transport};
use super::visit::Visit;
use super::wire::{Wire, broken};
use crate::http::Event;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Why a handler is not waited for any longer.
#[derive(Clone, Copy, Debug)]
pub(super) enum GivenUp {
    /// Its peer left, by this event.
    Left(Event),
    /// It took longer than it may.
    Late,
}

/// A wait for a handler.
pub(super) struct Waiting<'a, H: Host> {
    host: &'a H,
    wire: &'a Wire<H::Transport>,
    heeds: Heeds,
    is_watching: bool,
    late: Late,
}

/// What of a peer ends the wait for its handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heeds {
    Nothing,
    /// That the connection failed.
    Failing,
    /// That, and that the peer has closed its side: it may read on, but most that do this are gone,
    /// and TCP does not tell which.
    Leaving,
}

/// From when on the handler has taken too long.
enum Late {
    /// It may take as long as it likes.
    Never,
    /// It has not been waited for.
    NotYet,
    After {
        since_ns: u64,
        /// How long the peer's content had been waited for by then.
        waited_ns: u64,
        timer: Pin<Box<dyn Future<Output = ()>>>,
    },
}

impl<'a, H: Host> Visit<'a, H> {
    /// A wait for the response to what was `asked`.
    pub(super) fn waiting_for_response(&self, asked: Asked) -> Waiting<'a, H> {
        let heeds = match self.finishes(asked) {
            true => Heeds::Nothing,
            false => Heeds::Leaving,
        };
        self.waiting(heeds)
    }

    /// A wait for a piece of the response to what was `asked`, which nobody reads after a failure.
    pub(super) fn waiting_for_piece(&self, asked: Asked) -> Waiting<'a, H> {
        let heeds = match self.finishes(asked) {
            true => Heeds::Failing,
            false => Heeds::Leaving,
        };
        self.waiting(heeds)
    }

    fn waiting(&self, heeds: Heeds) -> Waiting<'a, H> {
        Waiting {
            host: self.host,
            wire: self.wire,
            heeds,
            is_watching: false,
            late: match self.limits().handler_timeout {
                Some(_) => Late::NotYet,
                None => Late::Never,
            },
        }
    }

    /// Whether the handler runs to its end though its peer leaves. What no route answers waits for
    /// nobody but middleware, or another core.
    fn finishes(&self, asked: Asked) -> bool {
        let router = self.host.service().router();
        asked
            .route
            .is_none_or(|id| router.finishes_after_disconnect(id))
    }

    /// Drops what is a handler's and was to become the response to what was `asked`, which is not made
    /// for `event`.
    pub(super) fn give_up<T>(&self, asked: Asked, owned: T, event: Event) -> Event {
        self.tell_given_up(asked, event);
        self.let_go(asked, owned);
        event
    }

    /// Drops what is a handler's, which may panic even then.
    pub(super) fn let_go<T>(&self, asked: Asked, owned: T) {
        self.wire.let_go(self.host.service(), asked, owned);
    }
}

impl<H: Host> Waiting<'_, H> {
    /// Ready when the handler, which was just polled and is not done, is to be given up.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<GivenUp> {
        if let Poll::Ready(event) = self.poll_left(cx) {
            return Poll::Ready(GivenUp::Left(event));
        }
        self.poll_late(cx).map(|()| GivenUp::Late)
    }

    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        // A handler that read the end of its request's content knows it, and may see to that.
        if self.heeds == Heeds::Nothing || self.wire.body_was_cut_off() {
            return Poll::Pending;
        }
        self.is_watching = true;
        match ready!(self.wire.transport.poll_left(cx)) {
            Ok(()) if self.heeds == Heeds::Failing => Poll::Pending,
            Ok(()) => Poll::Ready(Event::PeerClosed),
            Err(error) => Poll::Ready(broken(&error)),
        }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.late, Late::Never) {
            return Poll::Pending;
        }
        let limits = self.host.service().limits();
        let limit = limits.handler_timeout.unwrap_or(Duration::MAX);
        let limit_ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        loop {
            let now_ns = self.wire.transport.now_ns();
            let body_waited_ns = self.wire.body_waited_ns(now_ns);
            let Late::After {
                since_ns,
                waited_ns,
                timer,
            } = &mut self.late
            else {
                self.late = Late::After {
                    since_ns: now_ns,
                    waited_ns: body_waited_ns,
                    timer: self.host.passed(now_ns.saturating_add(limit_ns)),
                };
                continue;
            };
            ready!(timer.as_mut().poll(cx));
            // What the peer took to send its content is not the handler's fault.
            let peers_ns = body_waited_ns.saturating_sub(*waited_ns);
            let until_ns = since_ns.saturating_add(limit_ns).saturating_add(peers_ns);
            if until_ns <= now_ns {
                return Poll::Ready(());
            }
            *timer = self.host.passed(until_ns);
        }
    }
}

impl<H: Host> Drop for Waiting<'_, H> {
    fn drop(&mut self) {
        if self.is_watching {
            self.wire.transport.unwatch();
        }
    }
}
