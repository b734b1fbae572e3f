//! What all connections of a core share: the routes, the statistics, the Date of the second, the
//! limits, and buffers that are not in use.

use super::file_turns::FileTurns;
use super::tell::Telling;
use super::work::Work;
use crate::app::{App, RequestIds, Router, Time};
use crate::flag::Flag;
use crate::http::{HeadParser, HttpDate, Preamble, Refusal, RequestHead};
use crate::limits::{Limits, SPARE_WORK};
use crate::log::Log;
use crate::stats::Recorder;
use http::HeaderValue;
use std::cell::{OnceCell, Ref, RefCell, RefMut};
use std::rc::Rc;
use std::time::Duration;

/// What the connections of one core have in common. It knows nothing of sockets.
#[derive(Debug)]
pub(crate) struct Service {
    /// Set before the first connection is served.
    router: OnceCell<Router>,
    recorder: RefCell<Recorder>,
    /// Whether latencies are recorded, and so whether the clock is read for them.
    pub(super) is_timed: bool,
    /// For how long a handler holds the core at least that may be the one to name for a stall, in
    /// nanoseconds: half of what makes one.
    pub(super) hold_ns: u64,
    limits: Limits,
    /// What is told of the connections.
    pub(crate) log: Rc<Log>,
    /// The id of the request that is being answered.
    pub(super) ids: Rc<RequestIds>,
    /// The value of the Server field.
    server: Option<HeaderValue>,
    preamble: RefCell<CachedPreamble>,
    /// Stands at the first byte of a request.
    parser: RefCell<HeadParser>,
    #[expect(clippy::vec_box, reason = "they move between here and the connections")]
    work: RefCell<Vec<Box<Work>>>,
    /// Whose turn it is to send of a file.
    pub(super) file_turns: FileTurns,
    /// Raised when no further requests are wanted: responses then end their connections.
    pub(crate) draining: Flag,
}

/// Date and Server, good until `until_ns` on the clock of the transports.
#[derive(Debug)]
struct CachedPreamble {
    preamble: Preamble,
    until_ns: u64,
}

impl Service {
    /// A service without routes, which counts what it does with `recorder` and tells it to `log`.
    pub(crate) fn new(
        recorder: Recorder,
        log: Log,
        limits: Limits,
        server: Option<HeaderValue>,
    ) -> Self {
        Self {
            router: OnceCell::new(),
            is_timed: recorder.is_on(),
            hold_ns: recorder.stall_threshold().as_nanos() as u64 / 2,
            recorder: RefCell::new(recorder),
            log: Rc::new(log),
            ids: Rc::default(),
            limits,
            server,
            preamble: RefCell::new(CachedPreamble::outdated()),
            parser: RefCell::default(),
            work: RefCell::default(),
            file_turns: FileTurns::default(),
            draining: Flag::default(),
        }
    }

    /// `app` with what its handlers and middleware need of whatever serves it, whose time is `time`.
    pub(crate) fn equip(&self, app: App, time: Time) -> App {
        let telling = Telling::new(Rc::clone(&self.log), time.clone());
        app.timed_by(time).witnessed_by(telling, &self.ids)
    }

    /// Gives it its routes, once.
    pub(crate) fn route_by(&self, router: Router) {
        // Set once, before anything is served.
        let _ = self.router.set(router);
    }

    pub(super) fn router(&self) -> &Router {
        self.router
            .get()
            .unwrap_or_else(|| unreachable!("set before anything is served"))
    }

    pub(crate) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_raised()
    }

    /// The Date and Server of a response made at `now_ns`. The wall clock is read once a second.
    pub(super) fn preamble(
        &self,
        now_ns: u64,
        wall_clock: impl FnOnce() -> Duration,
    ) -> Ref<'_, Preamble> {
        if now_ns >= self.preamble.borrow().until_ns {
            *self.preamble.borrow_mut() =
                CachedPreamble::new(now_ns, wall_clock(), self.server.as_ref());
        }
        Ref::map(self.preamble.borrow(), |cached| &cached.preamble)
    }

    /// Parses a head from its first byte on. One that is not whole there, or is refused, is left to the
    /// connection's `own` parser, which stood at the first byte of one: most are whole, and a single parser for
    /// those has its memory and the last head at hand, whosever turn it is.
    #[inline]
    pub(super) fn parse(
        &self,
        received: &[u8],
        own: &mut HeadParser,
    ) -> Result<Option<(RequestHead, usize)>, Refusal> {
        let mut parser = self.parser.borrow_mut();
        let parsed = parser.parse(received, &self.limits.head);
        if !matches!(parsed, Ok(Some(_))) {
            std::mem::swap(&mut *parser, own);
        }
        parsed
    }

    pub(super) fn take_work(&self) -> Box<Work> {
        self.work.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn keep_work(&self, work: Box<Work>) {
        let mut kept = self.work.borrow_mut();
        if kept.len() < SPARE_WORK {
            kept.push(work);
        }
    }
}

impl CachedPreamble {
    fn new(now_ns: u64, wall_clock: Duration, server: Option<&HeaderValue>) -> Self {
        let date = HttpDate::from_unix_seconds(wall_clock.as_secs());
        Self {
            preamble: Preamble::new(&date, server),
            until_ns: now_ns + 1_000_000_000 - u64::from(wall_clock.subsec_nanos()),
        }
    }

    /// One that is read anew before it is used.
    fn outdated() -> Self {
        Self {
            until_ns: 0,
            ..Self::new(0, Duration::ZERO, None)
        }
    }
}
