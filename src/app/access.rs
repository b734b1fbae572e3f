//! What is told of each request that is over, for an access log. When that is, and what came of it,
//! the connection knows; this is what apps see, and how it is written as a line.

mod line;

pub use self::line::AccessFormat;

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderValue, Method, StatusCode, Version};

use super::builder::App;
use crate::http::{CloseReason, RequestHead};

/// A request that is over: what [`App::access_log`] gives to its function.
///
/// What it says of the request is what the peer sent, and may hold secrets; so does what is written
/// of it.
#[derive(Debug)]
pub struct Access<'a>(AccessFacts<'a>);

/// What a connection knows of a request that is over.
#[derive(Debug)]
pub(crate) struct AccessFacts<'a> {
    /// `None` where it could not be read.
    pub(crate) head: Option<&'a RequestHead>,
    pub(crate) route: Option<&'a str>,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) request_id: Option<&'a HeaderValue>,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) duration: Duration,
    /// Since 1970.
    pub(crate) ended_at: Duration,
    pub(crate) ended: Ended,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The last byte of its response was handed to the kernel.
    Sent,
    /// It has no response, or not a whole one, because its connection ended for this reason. Where
    /// the server was cut off in its shutdown that is [`CloseReason::Stopped`].
    Abandoned(CloseReason),
}

impl Ended {
    /// `sent`, or the name of the reason in `/stats`, such as `peer_aborted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Sent => "sent",
            Ended::Abandoned(reason) => CloseReason::NAMES[reason.index()],
        }
    }
}

impl<'a> Access<'a> {
    pub(crate) fn new(facts: AccessFacts<'a>) -> Access<'a> {
        Access(facts)
    }

    /// The method; `None` where the head could not be read.
    pub fn method(&self) -> Option<&Method> {
        Some(self.0.head?.method())
    }

    /// The request target as received, ASCII; `None` where the head could not be read.
    pub fn target(&self) -> Option<&str> {
        Some(self.0.head?.target())
    }

    /// HTTP/1.0 or HTTP/1.1; `None` where the head could not be read.
    pub fn version(&self) -> Option<Version> {
        Some(self.0.head?.version())
    }

    /// The host that the request was for, with its port if one was sent.
    pub fn host(&self) -> Option<&str> {
        self.0.head?.host()
    }

    /// The octets of the first field called `name` in the request, in any case.
    pub fn header_bytes(&self, name: impl AsRef<str>) -> Option<&[u8]> {
        self.0.head?.field(name)
    }

    /// The template of the route that it matched, such as `/users/{id}`; `None` if no handler was
    /// found.
    pub fn route(&self) -> Option<&str> {
        self.0.route
    }

    /// The address of the peer; behind a proxy, the proxy's. `None` if the connection failed before
    /// it was asked for.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// The status of the response; `None` if there was none.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// The value of `X-Request-Id` in the response, which [`RequestId`] puts there; where it did not see
    /// the response, or there was none, the id that it gave to the request.
    ///
    /// [`RequestId`]: super::middleware::RequestId
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id?.to_str().ok()
    }

    /// Bytes of the request that were read until its response was made: its head, and as much of its
    /// content, chunks and all, as somebody asked for.
    pub fn received_bytes(&self) -> u64 {
        self.0.received_bytes
    }

    /// Bytes that were handed to the kernel for it: interim responses, head and content, chunks and
    /// all.
    pub fn sent_bytes(&self) -> u64 {
        self.0.sent_bytes
    }

    /// From the completion that delivered the last byte of its head to the completion of the send of
    /// its response's last byte, as in `/stats`; or to when it was given up.
    pub fn duration(&self) -> Duration {
        self.0.duration
    }

    /// When the last byte of its head was delivered, on the wall clock.
    pub fn began_at(&self) -> SystemTime {
        UNIX_EPOCH + self.0.ended_at.saturating_sub(self.0.duration)
    }

    /// How it ended.
    pub fn ended(&self) -> Ended {
        self.0.ended
    }

    /// The line of a log that tells of it, without the end of the line.
    pub fn line(&self, format: AccessFormat) -> impl fmt::Display {
        line::Line {
            access: self,
            format,
        }
    }
}

/// The id of the request that is being answered, from [`RequestId`] to the connection, which takes it
/// before another request is.
///
/// [`RequestId`]: super::middleware::RequestId
#[derive(Debug, Default)]
pub(crate) struct RequestIds(RefCell<Option<HeaderValue>>);

impl RequestIds {
    pub(super) fn note(&self, id: &HeaderValue) {
        self.0.replace(Some(id.clone()));
    }

    pub(crate) fn take(&self) -> Option<HeaderValue> {
        self.0.take()
    }
}

/// What is called for each request that is over.
#[derive(Clone)]
pub(crate) struct AccessHook(Rc<dyn Fn(&Access<'_>)>);

impl AccessHook {
    /// # Panics
    /// If the function does.
    pub(crate) fn call(&self, access: &Access<'_>) {
        (self.0)(access);
    }
}

impl App {
    /// Calls `tell` once for each request of the app's core, when the last byte of its response was
    /// handed to the kernel, or when it was given up: for an access log.
    ///
    /// It hears of every request, also of those that have no handler: what is refused or malformed,
    /// `/stats`, and those that belong to an app around this one. Several are called in the order in
    /// which they were added. It is called on the core, between requests, and holds up those of
    /// others while it runs; what it writes should go to [`log::Lines`](crate::log::Lines), which
    /// never waits. A panic in it is told to the log, and changes nothing else.
    ///
    /// ```
    /// use corelane::app::AccessFormat;
    /// use corelane::log::Lines;
    /// use corelane::{App, Request, Server};
    ///
    /// let lines = Lines::to(std::io::stdout())?;
    /// let server = Server::bind("127.0.0.1:0").start(move |_shard| {
    ///     let lines = lines.clone();
    ///     App::new()
    ///         .access_log(move |access| lines.write(access.line(AccessFormat::Combined)))
    ///         .get("/", |_req: Request| async { "Hello" })
    /// })?;
    /// # server.stop()?;
    /// # Ok::<_, corelane::Error>(())
    /// ```
    pub fn access_log(mut self, tell: impl Fn(&Access<'_>) + 'static) -> App {
        self.access_hooks.push(AccessHook(Rc::new(tell)));
        self
    }
}
