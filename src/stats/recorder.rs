//! What a core does, counted while it does it: the hot path of the statistics. It has one owner,
//! uses no atomics, allocates only what latencies of a new kind need, and is told every time it needs.

use super::names::RouteName;
use super::recent::Recent;
use super::rows::{Own, Room};
use super::series::{Answered, CLASSES, KINDS, METHODS, MethodIndex, Series, Whose, class_of};
use super::snapshot::{Counters, FileCache, Ran, ReceiveBuffers, Snapshot, Stall};
use crate::limits::{STALL_THRESHOLD, STALLS};
use std::mem;
use std::slice;
use std::time::Duration;

/// The counters of one core.
///
/// Counters go up only and are since the start; `in_flight` and the idle connections are gauges
/// that the owner moves both ways. Latencies are those since the last snapshot, which takes them.
///
/// Memory: 9 KiB, 8 bytes for each close reason, 22 bytes for each route of the app, and 19 KiB for each
/// route, method and class of status that is told apart: 3.75 KiB for all latencies, and as much for each stage.
/// There are at most [`STATS_ROWS`](crate::limits::STATS_ROWS) routes with a method, one for those beyond, seven that
/// are no route's, and five classes. A bucket
/// that counts more than 255 between two snapshots takes 8 bytes more.
///
/// The latencies leave with the snapshot, and others are counted in the memory of the one before: there is twice as
/// much of it, for as many as were ever met between two snapshots.
#[derive(Debug)]
pub struct Recorder {
    core: usize,
    is_on: bool,
    stall_threshold: Duration,
    receive_buffers: Option<ReceiveBuffers>,
    file_cache: Option<FileCache>,
    counters: Counters,
    /// The row of each route and method, or [`NO_ROW`].
    places: Vec<[u16; METHODS.len()]>,
    /// What each route is for.
    routes: Vec<Own>,
    room: Room,
    /// The first is of all beyond the bound.
    rows: Vec<Row>,
    /// The rows and classes with latencies since the last snapshot.
    filled: Vec<(u16, u8)>,
    lag: Box<Recent<1>>,
    /// Those since the last snapshot.
    stalls: Vec<Stall>,
    /// The longest that a handler held the core since the last turn of its loop.
    longest: Option<Hold>,
}

/// A route and a method.
#[derive(Debug)]
struct Row {
    whose: Whose,
    method: MethodIndex,
    /// Of each class of status, the latencies of the whole and of the stages.
    classes: [Option<Box<Recent<KINDS>>>; CLASSES.len()],
}

/// A handler that held the core.
#[derive(Debug, Clone, Copy)]
struct Hold {
    whose: Whose,
    method: MethodIndex,
    ns: u64,
}

/// A route and a method without a row.
const NO_ROW: u16 = u16::MAX;

/// The row of all that have none of their own.
const OTHER_ROW: u16 = 0;

impl Recorder {
    /// Makes a recorder of nothing yet for `core`, whose connections end for one of
    /// `close_reasons`, each named as `/stats` shows it. It knows of no routes.
    pub fn new(core: usize, close_reasons: &'static [&'static str]) -> Recorder {
        let mut recorder = Recorder {
            core,
            is_on: true,
            stall_threshold: STALL_THRESHOLD,
            receive_buffers: None,
            file_cache: None,
            counters: Counters::new(close_reasons),
            places: Vec::new(),
            routes: Vec::new(),
            room: Room::default(),
            rows: vec![Row::new(Whose::OTHER, MethodIndex::OTHER)],
            filled: Vec::new(),
            lag: Box::new(Recent::new()),
            stalls: Vec::new(),
            longest: None,
        };
        recorder.know_routes(&[]);
        recorder
    }

    /// The same, but what costs time is left out: latencies, stages, lag and stalls stay empty.
    #[must_use]
    pub fn without_latencies(self) -> Recorder {
        Recorder {
            is_on: false,
            ..self
        }
    }

    /// The same, but another threshold makes a stall: by default it is [`STALL_THRESHOLD`].
    #[must_use]
    pub fn with_stall_threshold(self, stall_threshold: Duration) -> Recorder {
        Recorder {
            stall_threshold,
            ..self
        }
    }

    /// For how long tasks hold the core at least in a turn of its loop that counts as a stall.
    pub fn stall_threshold(&self) -> Duration {
        self.stall_threshold
    }

    /// Whether latencies are recorded, and so whether it is worth reading the clock for them.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// The app has these routes, by their numbers. It is said before there are requests.
    pub fn know_routes(&mut self, routes: &[RouteName]) {
        self.places
            .resize(Whose::count(routes.len()), [NO_ROW; METHODS.len()]);
        self.routes = routes.iter().map(|route| route.own).collect();
        self.room.know_routes(routes.len());
    }

    /// A request has been answered: the last byte of its response was handed to the kernel at
    /// `sent_ns`.
    #[inline]
    pub fn request(&mut self, answered: &Answered, sent_ns: u64) {
        self.requests(slice::from_ref(answered), sent_ns);
    }

    /// Requests have been answered, and the last byte of their responses was handed to the kernel at `sent_ns`.
    #[inline]
    pub fn requests(&mut self, answered: &[Answered], sent_ns: u64) {
        // Those that were pipelined are often alike, and what they are counted in is looked for once.
        for alike in answered.chunk_by(Answered::is_like) {
            let count = alike.len() as u64;
            self.counters.requests += count;
            self.counters.status.record(alike[0].status, count);
            if !self.is_on {
                continue;
            }
            let recent = self.recent_of(&alike[0]);
            for answered in alike {
                recent.record(answered.times.latencies(sent_ns));
            }
        }
    }

    /// What latencies of such requests are counted in, of which one is about to be.
    #[inline]
    fn recent_of(&mut self, answered: &Answered) -> &mut Recent<KINDS> {
        let row = match self.places.get(answered.whose.index()) {
            Some(places) if places[answered.method.index()] != NO_ROW => {
                places[answered.method.index()]
            }
            _ => self.make_row(answered.whose, answered.method),
        };
        let class = class_of(answered.status);
        let recent = &mut self.rows[usize::from(row)].classes[class];
        let recent = recent.get_or_insert_with(first);
        if recent.is_empty() {
            self.filled.push((row, class as u8));
        }
        recent
    }

    /// Finds a row for a route and a method that were not met before.
    #[cold]
    fn make_row(&mut self, whose: Whose, method: MethodIndex) -> u16 {
        let Some(places) = self.places.get_mut(whose.index()) else {
            return OTHER_ROW;
        };
        let has_row = |method: MethodIndex| ![NO_ROW, OTHER_ROW].contains(&places[method.index()]);
        let number = whose.number().map(usize::from);
        let own = number.and_then(|number| self.routes.get(number)).copied();
        let row = match self.room.place(whose, method, own, has_row) {
            None => OTHER_ROW,
            Some(placed) if has_row(placed) => places[placed.index()],
            Some(placed) => {
                let next = self.rows.len() as u16;
                self.rows.push(Row::new(whose, placed));
                places[placed.index()] = next;
                next
            }
        };
        places[method.index()] = row;
        row
    }

    /// The loop has come round, and what completed since it last looked may have waited for `ns`: while tasks ran, or
    /// the core itself was kept from running. It is `now_ns` on the monotonic clock. Returns whether that is a stall.
    #[inline]
    pub fn turned(&mut self, ns: u64, now_ns: u64) -> bool {
        if !self.is_on {
            return false;
        }
        self.lag.record([ns]);
        let longest = self.longest.take();
        let is_stall = Duration::from_nanos(ns) >= self.stall_threshold;
        if is_stall {
            self.stalled(ns, now_ns, longest);
        }
        is_stall
    }

    #[cold]
    fn stalled(&mut self, ns: u64, now_ns: u64, longest: Option<Hold>) {
        self.counters.stalls += 1;
        if self.stalls.len() == STALLS {
            self.stalls.remove(0);
        }
        // Many that each held it for a while are no one's stall.
        let by = longest.filter(|hold| hold.ns >= ns / 2);
        self.stalls.push(Stall {
            core: self.core,
            at_ns: now_ns,
            held_ns: ns,
            ran: None,
            by: by.map(|hold| (hold.whose, hold.method)),
        });
    }

    /// In the stall that [`Recorder::turned`] has just told of, the core's thread had this of its CPU.
    pub fn ran_in_stall(&mut self, ran: Ran) {
        if let Some(stall) = self.stalls.last_mut() {
            stall.ran = Some(ran);
        }
    }

    /// A handler held the core for `ns` without a pause.
    #[inline]
    pub fn held(&mut self, whose: Whose, method: MethodIndex, ns: u64) {
        if self.longest.is_none_or(|longest| ns > longest.ns) {
            self.longest = Some(Hold { whose, method, ns });
        }
    }

    /// A request begins, and is in flight until [`Recorder::request_finished`] or
    /// [`Recorder::request_abandoned`].
    #[inline]
    pub fn request_started(&mut self) {
        self.counters.in_flight += 1;
    }

    /// Requests that have begun and not ended.
    pub fn in_flight(&self) -> u64 {
        self.counters.in_flight
    }

    /// A request that had begun has been answered.
    #[inline]
    pub fn request_finished(&mut self) {
        self.requests_finished(1);
    }

    /// So many requests that had begun have been answered.
    #[inline]
    pub fn requests_finished(&mut self, count: u64) {
        lower(&mut self.counters.in_flight, count);
    }

    /// A request that had begun will not be answered, or not to the end: its connection is gone.
    pub fn request_abandoned(&mut self) {
        self.counters.abandoned += 1;
        lower(&mut self.counters.in_flight, 1);
    }

    /// A connection was accepted, and is active until [`Recorder::closed`].
    #[inline]
    pub fn accepted(&mut self) {
        self.counters.accepted += 1;
    }

    /// A connection has ended, for the reason that is the `reason`th of the names given to
    /// [`Recorder::new`].
    ///
    /// # Panics
    ///
    /// If there is no such name.
    #[inline]
    pub fn closed(&mut self, reason: usize) {
        self.counters.closed[reason] += 1;
    }

    /// A connection waits for the first byte of a request, and is idle until
    /// [`Recorder::connection_busy`].
    #[inline]
    pub fn connection_idle(&mut self) {
        self.counters.idle += 1;
    }

    /// A connection that was idle is so no more. One that ends while it is idle says this as well
    /// as [`Recorder::closed`].
    #[inline]
    pub fn connection_busy(&mut self) {
        lower(&mut self.counters.idle, 1);
    }

    /// This many bytes were received.
    #[inline]
    pub fn received(&mut self, bytes: u64) {
        self.counters.received_bytes += bytes;
    }

    /// This many bytes were handed to the kernel.
    #[inline]
    pub fn sent(&mut self, bytes: u64) {
        self.counters.sent_bytes += bytes;
    }

    /// Accepting was paused because the system had nothing left to accept with (EMFILE, ENFILE,
    /// ENOBUFS or ENOMEM of accept(2)).
    #[inline]
    pub fn accept_paused(&mut self) {
        self.counters.accept_pauses += 1;
    }

    /// The core's receive buffers are these now. Until it is said for the first time, `/stats` leaves
    /// `receive_buffers` out.
    #[inline]
    pub fn receive_buffers(&mut self, buffers: ReceiveBuffers) {
        self.receive_buffers = Some(buffers);
    }

    /// The core remembers these files now. Until it is said for the first time, `/stats` leaves
    /// `file_cache` out.
    #[inline]
    pub fn file_cache(&mut self, cache: FileCache) {
        self.file_cache = Some(cache);
    }

    /// So many events were left out of the core's log since the start.
    #[inline]
    pub fn log_left_out(&mut self, events: u64) {
        self.counters.log_left_out = events;
    }

    /// The core ran for this many nanoseconds.
    #[inline]
    pub fn ran(&mut self, ns: u64) {
        self.counters.busy_ns += ns;
    }

    /// The core waited for something to do for this many nanoseconds.
    #[inline]
    pub fn waited(&mut self, ns: u64) {
        self.counters.waiting_ns += ns;
    }

    /// Takes a snapshot of the counters as they are now, which is `at_ns` on the monotonic clock, and
    /// the latencies since the last one.
    pub fn snapshot(&mut self, at_ns: u64) -> Snapshot {
        let mut snapshot = Snapshot::new(self.core, self.counters.close_reasons);
        self.snapshot_into(&mut snapshot, at_ns);
        snapshot
    }

    /// Does what [`Recorder::snapshot`] does in the memory of an old snapshot, of any core of the
    /// same server: it allocates nothing that was there.
    ///
    /// Latencies are not copied: the snapshot has what they were counted in, and leaves what it had instead.
    pub fn snapshot_into(&mut self, snapshot: &mut Snapshot, at_ns: u64) {
        snapshot.core = self.core;
        snapshot.at_ns = at_ns;
        snapshot.receive_buffers = self.receive_buffers;
        snapshot.file_cache = self.file_cache;
        snapshot.counters.copy_from(&self.counters);
        snapshot.clear(|| ());
        snapshot.stalls.append(&mut self.stalls);
        mem::swap(&mut snapshot.lag, &mut self.lag);
        // The order of the rows, whatever came first.
        self.filled.sort_unstable();
        for (row, class) in self.filled.drain(..) {
            let row = &mut self.rows[usize::from(row)];
            let series = Series {
                whose: row.whose,
                method: row.method,
                class,
            };
            let recent = &mut row.classes[usize::from(class)];
            let filled = mem::replace(recent, snapshot.spare.pop());
            snapshot
                .series
                .extend(filled.map(|filled| (series, filled)));
        }
    }
}

/// Memory for the latencies of a series, where none came back with a snapshot. It is not made where requests are
/// recorded: those are not to have so much of the stack.
#[cold]
#[inline(never)]
fn first() -> Box<Recent<KINDS>> {
    Box::new(Recent::new())
}

impl Row {
    fn new(whose: Whose, method: MethodIndex) -> Row {
        Row {
            whose,
            method,
            classes: [const { None }; CLASSES.len()],
        }
    }
}

/// Takes so many from a gauge that is no lower. A caller that takes too many is wrong, but the
/// gauge must not show 2⁶⁴ − 1 for it.
#[inline]
fn lower(gauge: &mut u64, count: u64) {
    debug_assert!(
        *gauge >= count,
        "a gauge is lowered as often as it is raised"
    );
    *gauge = gauge.saturating_sub(count);
}

#[cfg(test)]
mod tests;
