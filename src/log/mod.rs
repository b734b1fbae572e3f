//! What the server tells its operator: events for whichever
//! [`tracing`](https://docs.rs/tracing) subscriber is installed. It installs none and writes
//! nothing; the program's own is in `cli/log.rs`.
//!
//! | target | level | when | fields |
//! |---|---|---|---|
//! | [`REFUSAL`] | WARN | a peer began with TLS or HTTP/2 on the plain port | `shard`, `peer`, `status`, `detail` |
//! | | DEBUG | any other message was refused | the same |
//! | [`HANDLER`] | ERROR | a handler returned an [`Error`] with a 5xx status | `shard`, `peer`, `method`, `route`, `status`, `error` |
//! | | DEBUG | one with a 4xx status and a source | the same |
//! | | ERROR | a handler panicked, or the source of its response, or an access log | `shard`, `peer`, `method`, `route`, `panic`, `place` |
//! | | ERROR | a handler of questions of other cores ([`crate::between`]) panicked | `shard`, `panic`, `place` |
//! | | ERROR | writing statistics panicked, and the request for them is answered with 500 | the same |
//! | | ERROR | compressing a file panicked, which is sent as it is | `panic`, `place` |
//! | | ERROR | a response broke off after its head | `shard`, `peer`, `method`, `route`, `status`, `error` |
//! | | WARN | one whose source was changed or used by others, or is more than is taken | the same |
//! | | DEBUG | one that was made of a request whose peer failed | the same |
//! | | DEBUG | a peer left, or was too slow, before it had its response | `shard`, `peer`, `method`, `route`, `reason` |
//! | [`ACCEPT`] | WARN | accepting pauses for want of descriptors or memory; goes on | `shard`, `error`; `shard`, `pauses` |
//! | [`SHARD`] | INFO | a shard serves; ended | `shard`, `cpu` |
//! | | WARN | a shard ended with messages of other cores that its app had not taken | `shard`, `messages` |
//! | | ERROR | a shard failed while the server ran | `shard`, `error` |
//! | [`SERVER`] | WARN | a file lies where the server answers itself; a page is missing | `path` |
//! | [`SERVER`] | INFO | a shutdown is announced; begins; is over | `delay`; `shards`; none |
//! | | WARN | a shutdown took too long, and what was left is cut off | `shards` |
//! | | ERROR | a panic that nobody catches, where [`crate::cli`] has set the hook | `thread`, `panic`, `place` |
//! | [`OTHERS`] | ERROR | what drives a connection to another server panicked | `server`, `panic`, `place` |
//! | [`LEFT_OUT`] | WARN | more came in a second than is told | `shard`, and how many of each kind |
//! | | WARN | [`Lines`] were left out; cannot be written | `lines`; `error` |
//!
//! - **No content, no field values and no request target** is in any event: they may hold secrets. A
//!   request is told by its method and the template of its route, `/users/{id}`. `method` is missing
//!   where the route takes any; `route` where no handler was found. Errors of handlers are told in their
//!   own words, which may quote what was sent. PostgreSQL's are told without their DETAIL.
//! - **Text of others** (errors of handlers, panics) is on one line, with control characters
//!   escaped, and at most [`LOG_TEXT_BYTES`] long.
//! - **A peer cannot flood it**: of each kind of event that a peer can cause, a shard tells
//!   [`LOG_EVENTS`](crate::limits::LOG_EVENTS) in a second, and how many more there were.
//! - **Only what went wrong costs anything**: there is no event for a request that was served. An
//!   access log, [`App::access_log`](crate::App::access_log), is another thing: lines of its own.
//!   So are spans of requests: [`Spans`](crate::app::middleware::Spans) opens them.

pub(crate) mod budget;
mod cause;
mod life;
mod lines;
pub(crate) mod panic;

pub(crate) use self::cause::Cause;
pub(crate) use self::life::{
    accepting_goes_on, accepting_pauses, file_is_covered, messages_are_left, page_is_missing,
    ring_is_small, shard_ended, shard_failed, shard_serves, shutdown_begins, shutdown_is_announced,
    shutdown_is_cut_short, shutdown_is_over,
};
pub use self::lines::Lines;
pub(crate) use self::lines::{Written, lines_left_out};

use self::budget::{Budget, Kind, LeftOut};
use self::panic::Noted;
use crate::app::{Error, RouteInfo};
use crate::http::{CloseReason, Refusal};
use crate::limits::LOG_TEXT_BYTES;
use crate::printable::Printable;
use http::StatusCode;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tracing::field::display;
use tracing::{Level, debug, enabled, error, warn};

/// Messages that were refused.
pub const REFUSAL: &str = "corelane::refusal";
/// Handlers that failed, and responses.
pub const HANDLER: &str = "corelane::handler";
/// Accepting connections.
pub const ACCEPT: &str = "corelane::accept";
/// The life of a shard.
pub const SHARD: &str = "corelane::shard";
/// The life of the server.
pub const SERVER: &str = "corelane::server";
/// Connections to other servers.
pub const OTHERS: &str = "corelane::others";
/// Events that were left out.
pub const LEFT_OUT: &str = "corelane::left_out";

const TLS_HELLO: &str = "a peer speaks TLS to a port that speaks plain HTTP: \
                         have it use http://, or put what ends TLS before this server";
const HTTP2_PREFACE: &str = "a peer speaks HTTP/2 to a port that speaks HTTP/1.1: \
                             set the client or proxy to HTTP/1.1";

/// What a shard tells of its connections, within a budget.
#[derive(Debug)]
pub(crate) struct Log {
    shard: usize,
    budget: RefCell<Budget>,
    /// Events that were left out since the start.
    left_out: Cell<u64>,
}

/// Whose request an event is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) is_head: bool,
    pub(crate) route: Option<RouteInfo<'a>>,
}

impl About<'_> {
    /// Nobody's request: a question of another core.
    pub(crate) fn nobody() -> Self {
        Self {
            peer: None,
            is_head: false,
            route: None,
        }
    }

    fn method(&self) -> Option<&str> {
        if self.is_head {
            return Some("HEAD");
        }
        Some(self.route?.method?.as_str())
    }

    fn route(&self) -> Option<&str> {
        Some(self.route?.template)
    }
}

impl Log {
    pub(crate) fn new(shard: usize) -> Self {
        Self {
            shard,
            budget: RefCell::default(),
            left_out: Cell::new(0),
        }
    }

    /// Tells what was left out, when the second in which that was is over at `now_ns`.
    pub(crate) fn tick(&self, now_ns: u64) {
        let left_out = self.budget.borrow_mut().roll(now_ns);
        if let Some(left_out) = left_out {
            self.left_out(&left_out);
        }
    }

    /// A message was refused.
    #[cold]
    pub(crate) fn refused(
        &self,
        refusal: Refusal,
        now_ns: u64,
        peer: impl FnOnce() -> Option<SocketAddr>,
    ) {
        let (shard, status, detail) = (self.shard, refusal.status.as_u16(), refusal.detail);
        let misdirected = match refusal {
            Refusal::TLS_HELLO => Some(TLS_HELLO),
            Refusal::HTTP2_PREFACE => Some(HTTP2_PREFACE),
            _ => None,
        };
        if let Some(mend) = misdirected {
            if enabled!(target: REFUSAL, Level::WARN) && self.admits(Kind::Misdirected, now_ns) {
                let peer = peer().map(display);
                warn!(target: REFUSAL, shard, peer, status, detail, "{mend}");
            }
        } else if enabled!(target: REFUSAL, Level::DEBUG) && self.admits(Kind::Refused, now_ns) {
            let peer = peer().map(display);
            debug!(target: REFUSAL, shard, peer, status, detail, "a message was refused");
        }
    }

    /// A handler returned `failure`, which is answered with `status`.
    #[cold]
    pub(crate) fn failed<'a>(
        &self,
        status: StatusCode,
        failure: &Error,
        now_ns: u64,
        about: impl FnOnce() -> About<'a>,
    ) {
        let shard = self.shard;
        if status.is_server_error() {
            if enabled!(target: HANDLER, Level::ERROR) && self.admits(Kind::Failed, now_ns) {
                let about = about();
                error!(
                    target: HANDLER, shard, peer = about.peer.map(display), method = about.method(),
                    route = about.route(), status = status.as_u16(), error = chain(failure),
                    "a handler failed"
                );
            }
        } else if failure.source().is_some()
            && enabled!(target: HANDLER, Level::DEBUG)
            && self.admits(Kind::Denied, now_ns)
        {
            let about = about();
            debug!(
                target: HANDLER, shard, peer = about.peer.map(display), method = about.method(),
                route = about.route(), status = status.as_u16(), error = chain(failure),
                "a handler denied a request"
            );
        }
    }

    /// A handler panicked, or the source of its response did.
    #[cold]
    pub(crate) fn panicked<'a>(
        &self,
        payload: &(dyn Any + Send),
        now_ns: u64,
        about: impl FnOnce() -> About<'a>,
    ) {
        let noted = panic::take_noted();
        if enabled!(target: HANDLER, Level::ERROR) && self.admits(Kind::Panicked, now_ns) {
            let about = about();
            error!(
                target: HANDLER, shard = self.shard, peer = about.peer.map(display),
                method = about.method(), route = about.route(), panic = panic::message(payload),
                place = noted.map(|noted| noted.place), "a handler panicked"
            );
        }
    }

    /// A response with `status` broke off behind its head.
    #[cold]
    pub(crate) fn truncated<'a>(
        &self,
        status: StatusCode,
        cause: &Cause,
        now_ns: u64,
        about: impl FnOnce() -> About<'a>,
    ) {
        let shard = self.shard;
        if let Cause::Panic(payload) = cause {
            self.panicked(&**payload, now_ns, about);
        } else if cause.is_of_others() {
            if enabled!(target: HANDLER, Level::WARN) && self.admits(Kind::Truncated, now_ns) {
                let about = about();
                warn!(
                    target: HANDLER, shard, peer = about.peer.map(display), method = about.method(),
                    route = about.route(), status = status.as_u16(), error = cause.text(),
                    "a response broke off with its source"
                );
            }
        } else if !cause.is_of_peer() {
            if enabled!(target: HANDLER, Level::ERROR) && self.admits(Kind::Truncated, now_ns) {
                let about = about();
                error!(
                    target: HANDLER, shard, peer = about.peer.map(display), method = about.method(),
                    route = about.route(), status = status.as_u16(), error = cause.text(),
                    "a response broke off"
                );
            }
        } else if enabled!(target: HANDLER, Level::DEBUG) && self.admits(Kind::Interrupted, now_ns)
        {
            let about = about();
            debug!(
                target: HANDLER, shard, peer = about.peer.map(display), method = about.method(),
                route = about.route(), status = status.as_u16(), error = cause.text(),
                "a response broke off with its request"
            );
        }
    }

    /// A request was given up, and its connection ended for `reason`.
    #[cold]
    pub(crate) fn given_up<'a>(
        &self,
        reason: CloseReason,
        now_ns: u64,
        about: impl FnOnce() -> About<'a>,
    ) {
        if enabled!(target: HANDLER, Level::DEBUG) && self.admits(Kind::GivenUp, now_ns) {
            let about = about();
            debug!(
                target: HANDLER, shard = self.shard, peer = about.peer.map(display),
                method = about.method(), route = about.route(),
                reason = CloseReason::NAMES[reason.index()], "a request was given up"
            );
        }
    }

    fn admits(&self, kind: Kind, now_ns: u64) -> bool {
        self.tick(now_ns);
        let is_told = self.budget.borrow_mut().admits(kind);
        if !is_told {
            self.left_out.set(self.left_out.get() + 1);
        }
        is_told
    }

    /// How many events were left out since the start.
    pub(crate) fn events_left_out(&self) -> u64 {
        self.left_out.get()
    }

    #[cold]
    fn left_out(&self, left_out: &LeftOut) {
        let of = |kind: Kind| Some(left_out[kind as usize]).filter(|events| *events > 0);
        warn!(
            target: LEFT_OUT, shard = self.shard, misdirected = of(Kind::Misdirected),
            refused = of(Kind::Refused), failed = of(Kind::Failed), denied = of(Kind::Denied),
            panicked = of(Kind::Panicked), truncated = of(Kind::Truncated),
            interrupted = of(Kind::Interrupted), given_up = of(Kind::GivenUp), "events were left out"
        );
    }
}

/// An encoder panicked that compressed a file.
#[cfg(feature = "compression")]
pub(crate) fn compressing_panicked(payload: &(dyn Any + Send)) {
    let noted = panic::take_noted();
    error!(
        target: HANDLER, panic = panic::message(payload), place = noted.map(|noted| noted.place),
        "compressing a file panicked: it is sent as it is"
    );
}

/// What drives a connection to a `server` of others panicked, and the connection is lost.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn connection_panicked(server: &str, payload: &(dyn Any + Send)) {
    let noted = panic::take_noted();
    error!(
        target: OTHERS, server, panic = panic::message(payload),
        place = noted.map(|noted| noted.place), "a connection panicked"
    );
}

/// A panic that nobody catches who could tell of it.
fn panicked_elsewhere(noted: &Noted) {
    let thread = std::thread::current();
    error!(
        target: SERVER, thread = thread.name(), panic = noted.message, place = noted.place,
        "a thread panicked"
    );
}

/// An error and its causes.
fn chain(error: &Error) -> String {
    text(format_args!("{error:?}"))
}

/// What `error` displays, printable and bounded. It is of others, and may panic.
fn text(error: impl Display) -> String {
    let text = || Printable::within(LOG_TEXT_BYTES, error).to_string();
    catch_unwind(AssertUnwindSafe(text)).unwrap_or_else(|_| {
        drop(panic::take_noted());
        "it panics when it is displayed".to_owned()
    })
}
