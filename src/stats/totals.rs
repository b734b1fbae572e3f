//! What all cores counted: their newest counters, their latencies since the start, and those of the
//! last seconds. It waits for nobody: snapshots and the time are handed to it.

use super::board::{Board, Slots};
use super::calendar::Calendar;
use super::distribution::{Distribution, Sum};
use super::names::{Names, RouteName};
use super::outside::Outside;
use super::rate::Rate;
use super::recorder::Recorder;
use super::seconds::Seconds;
use super::series::{KINDS, WHOLE};
use super::snapshot::{CoreTime, Counters, Of, Snapshot};
use super::surroundings::Surroundings;
use super::view::{Connections, CoreView, StallView, View, Window, WindowView};
use super::windows::Windows;
use crate::limits::STALLS;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::SystemTime;

/// What the supervisor knows of all cores.
///
/// | | is current as of |
/// |---|---|
/// | `cores`, `total`, `stalls`, `names` | the last snapshot that came |
/// | the second in `windows` that has not ended | the last snapshot that came |
/// | the sums in `windows`, `moving`, `seconds` | the last second that ended |
/// | `calendar`, `surroundings` | when they were told |
#[derive(Debug)]
pub struct Totals {
    close_reasons: &'static [&'static str],
    started_ns: u64,
    cores: Vec<KnownCore>,
    slots: Slots,
    names: Names,
    /// Since the start.
    total: Board,
    windows: Windows,
    /// What is told of them: written when a second ends, and shared by all views until the next.
    moving: Vec<Arc<WindowView>>,
    seconds: Seconds,
    calendar: Calendar,
    surroundings: Surroundings,
    stalls: VecDeque<StallView>,
    /// What is added at the moment, and the memory for it afterwards.
    added: Distribution,
    /// The sum of a snapshot's series, likewise: empty between two.
    sums: [Sum; KINDS],
}

/// One core: its newest snapshot, its rate, and what it looks like from outside.
#[derive(Debug)]
struct KnownCore {
    newest: Snapshot,
    rate: Rate,
    outside: Outside,
}

impl Totals {
    /// Knows nothing yet of these cores, which start at `started_ns` on the monotonic clock and
    /// have recorders with the same `close_reasons`.
    pub fn new(cores: &[usize], close_reasons: &'static [&'static str], started_ns: u64) -> Totals {
        let slots = Slots::new(cores.len());
        let names = Names::new(cores.len());
        let cores: Vec<_> = cores
            .iter()
            .map(|&core| KnownCore {
                newest: Recorder::new(core, close_reasons).snapshot(started_ns),
                rate: Rate::new(started_ns),
                outside: Outside::default(),
            })
            .collect();
        let start = sum(&cores, close_reasons);
        let mut totals = Totals {
            close_reasons,
            started_ns,
            windows: Windows::new(started_ns, start, cores.len()),
            cores,
            slots,
            names,
            total: Board::default(),
            moving: Vec::new(),
            seconds: Seconds::default(),
            calendar: Calendar::new(started_ns, SystemTime::UNIX_EPOCH),
            surroundings: Surroundings::default(),
            stalls: VecDeque::new(),
            added: Distribution::new(),
            sums: std::array::from_fn(|_| Sum::new()),
        };
        totals.moving = totals.moving(|| ());
        totals
    }

    /// The routes of `core` are called so, by their numbers. Until it is said they are `_other`.
    pub fn know_routes(&mut self, core: usize, names: Vec<RouteName>) {
        if let Some(place) = self.place(core) {
            self.names.know_routes(place, names);
        }
    }

    /// It is this time by the calendar, at `now_ns` on the monotonic clock. What is told of by its time is told
    /// by what was said last before it came; until it is said, it is 1970.
    pub fn tell_time(&mut self, now_ns: u64, time: SystemTime) {
        self.calendar = Calendar::new(now_ns, time);
    }

    /// The process and its kernel are like this now.
    pub fn surround(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// The core looks like this from outside now, whether it tells of itself or not. Its run delay stays what it was
    /// when its thread has ended.
    pub fn see(&mut self, core: usize, outside: Outside) {
        if let Some(place) = self.place(core) {
            let seen = &mut self.cores[place].outside;
            *seen = Outside {
                run_delay_ns: outside.run_delay_ns.max(seen.run_delay_ns),
                ..outside
            };
        }
    }

    /// Adds the latencies of `snapshot`, keeps its counters in place of those that it had of that core,
    /// and returns the snapshot that is not needed any more, for [`Recorder::snapshot_into`].
    ///
    /// Those of one core have to come in the order in which they were taken. One of a core that it was not
    /// made for comes straight back.
    #[must_use = "the memory of a snapshot is used again"]
    pub fn keep(&mut self, snapshot: Snapshot) -> Snapshot {
        self.keep_in_pieces(snapshot, || ())
    }

    /// Does what [`Totals::keep`] does with a `rest` between pieces, for a thread that is not to have a CPU for long.
    #[must_use = "the memory of a snapshot is used again"]
    pub fn keep_in_pieces(&mut self, mut snapshot: Snapshot, mut rest: impl FnMut()) -> Snapshot {
        let Some(core) = self.place(snapshot.core) else {
            return snapshot;
        };
        // What is new in this one was not there when the last was taken.
        let since = self.calendar.time_of(self.cores[core].newest.at_ns);
        for (of, taken) in snapshot.parts() {
            self.added.set(taken);
            let slot = match of {
                Of::Series(series, kind) => {
                    let kind = usize::from(kind);
                    self.sums[kind].add(&self.added);
                    let series = self.names.series(core, series, since);
                    self.slots.series(series, kind)
                }
                Of::Lag => self.slots.lag(core),
            };
            self.total.add(slot, &self.added);
            self.windows.second().add(slot, &self.added);
            rest();
        }
        for (kind, sum) in self.sums.iter_mut().enumerate() {
            let sum = sum.take();
            rest();
            if sum.count() == 0 {
                continue;
            }
            let of_core = (kind == WHOLE).then(|| self.slots.core(core));
            for slot in [self.slots.whole(kind)].into_iter().chain(of_core) {
                self.total.add(slot, &sum);
                rest();
                self.windows.second().add(slot, &sum);
                rest();
            }
        }
        for stall in &snapshot.stalls {
            if self.stalls.len() == STALLS {
                let nobodys = self.stalls.iter().filter(|kept| kept.by.is_none());
                let is_theirs = nobodys.count() > STALLS / 2;
                // A machine that takes CPUs away all the time leaves half of the room to handlers.
                let oldest = self.stalls.iter().position(|kept| kept.by.is_none());
                let oldest = oldest.filter(|_| is_theirs).unwrap_or(0);
                self.stalls.remove(oldest);
            }
            // Another core may have told of what came after it.
            let at_ns = stall.at_ns;
            let place = self.stalls.partition_point(|known| known.at_ns <= at_ns);
            let stall = StallView {
                core: stall.core,
                at_ns,
                at: self.calendar.time_of(at_ns),
                held_ns: stall.held_ns,
                ran: stall.ran,
                by: stall
                    .by
                    .map(|(whose, method)| (self.names.route(core, whose), method.name())),
            };
            self.stalls.insert(place, stall);
        }
        let known = &mut self.cores[core];
        debug_assert!(
            snapshot.at_ns >= known.newest.at_ns,
            "snapshots of a core come in order"
        );
        known.rate.observe(&snapshot);
        // The counters are kept, and the memory of the latencies goes back at once with the older snapshot: so there
        // are two of it and not three. What takes part in the exchange has to be empty.
        snapshot.clear(rest);
        let mut spare = mem::replace(&mut known.newest, snapshot);
        spare.take_memory(&mut known.newest);
        spare
    }

    fn place(&self, core: usize) -> Option<usize> {
        self.cores
            .iter()
            .position(|known| known.newest.core == core)
    }

    /// Ends a second at `now_ns` on the monotonic clock: the windows move on by what came in it. Called
    /// once a second; what comes later is counted in the second in which it came.
    pub fn end_second(&mut self, now_ns: u64) {
        self.end_second_in_pieces(now_ns, || ());
    }

    /// Does what [`Totals::end_second`] does with a `rest` between pieces.
    pub fn end_second_in_pieces(&mut self, now_ns: u64, mut rest: impl FnMut()) {
        let counters = sum(&self.cores, self.close_reasons);
        let times = self.cores.iter().map(KnownCore::time);
        self.windows
            .end_second(now_ns, counters, times.collect(), &mut rest);
        let moved = self.moving(&mut rest);
        let older = mem::replace(&mut self.moving, moved);
        older.into_iter().for_each(|window| window.free(&mut rest));
        let second = self
            .moving
            .iter()
            .find(|told| told.window == Window::Second);
        if let Some(second) = second {
            let latencies = second.board.share(self.slots.whole(WHOLE));
            let at = self.calendar.time_of(now_ns);
            self.seconds.push(second, latencies, at);
        }
    }

    /// Merges what it has, at `now_ns` on the monotonic clock. The windows are those of the last second
    /// that ended.
    pub fn merge(&self, now_ns: u64) -> View {
        self.merge_in_pieces(now_ns, || ())
    }

    /// Does what [`Totals::merge`] does with a `rest` between pieces.
    pub fn merge_in_pieces(&self, now_ns: u64, mut rest: impl FnMut()) -> View {
        let counters = sum(&self.cores, self.close_reasons);
        let per_second = self.cores.iter().map(|core| {
            let age_ns = now_ns.saturating_sub(core.newest.at_ns);
            core.rate.per_second(age_ns)
        });
        let total = WindowView {
            window: Window::Total,
            span_ns: now_ns.saturating_sub(self.started_ns),
            requests_per_second: per_second.sum(),
            busy_ratios: self
                .cores
                .iter()
                .map(|core| core.time().busy_ratio())
                .collect(),
            board: self.total.shared(&mut rest),
            counters,
        };
        let total = Arc::new(total);
        View {
            merged_at_ns: now_ns,
            requests_in_flight: total.counters.in_flight,
            connections: Connections {
                active: total.counters.active(),
                idle: total.counters.idle,
            },
            windows: [total]
                .into_iter()
                .chain(self.moving.iter().cloned())
                .collect(),
            seconds: self.seconds.clone(),
            open: self.windows.open().share(self.slots.whole(WHOLE)),
            calendar: self.calendar,
            surroundings: self.surroundings.clone(),
            names: self.names.all(),
            rows: self.names.rows(),
            slots: self.slots,
            stalls: self.stalls.iter().cloned().collect(),
            cores: self.cores.iter().map(KnownCore::view).collect(),
        }
    }

    /// What is told of the windows that move on, with a `rest` before each.
    fn moving(&self, mut rest: impl FnMut()) -> Vec<Arc<WindowView>> {
        let windows = self.windows.spans().map(|span| {
            rest();
            Arc::new(WindowView {
                window: span.window,
                span_ns: span.ns,
                requests_per_second: span.counters.requests as f64 * 1e9 / span.ns.max(1) as f64,
                busy_ratios: span.busy_ratios.collect(),
                board: span.board.shared(&mut rest),
                counters: span.counters,
            })
        });
        windows.collect()
    }
}

/// The counters of all cores.
fn sum(cores: &[KnownCore], close_reasons: &'static [&'static str]) -> Counters {
    let mut sum = Counters::new(close_reasons);
    for core in cores {
        sum.add(&core.newest.counters);
    }
    sum
}

impl KnownCore {
    fn time(&self) -> CoreTime {
        self.newest.counters.time()
    }

    fn view(&self) -> CoreView {
        let Snapshot {
            core,
            at_ns,
            receive_buffers,
            file_cache,
            counters,
            ..
        } = &self.newest;
        CoreView {
            core: *core,
            snapshot_at_ns: *at_ns,
            requests_total: counters.requests,
            stalls_total: counters.stalls,
            busy_ns: counters.busy_ns,
            waiting_ns: counters.waiting_ns,
            connections_active: counters.active(),
            outside: self.outside,
            receive_buffers: *receive_buffers,
            file_cache: *file_cache,
        }
    }
}

#[cfg(test)]
mod tests;
