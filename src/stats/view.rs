//! What all cores counted, merged at one moment: figures only, ready to be written in any format.

use super::board::{Board, Slots};
use super::calendar::Calendar;
use super::distribution::Distribution;
use super::names::{NamedRow, SeriesName};
use super::outside::Outside;
use super::seconds::{SecondFigures, Seconds};
use super::series::{CLASSES, KINDS, STAGES, WHOLE};
use super::snapshot::{Counters, FileCache, Ran, ReceiveBuffers};
use super::surroundings::Surroundings;
use std::sync::Arc;
use std::time::SystemTime;

/// Merged figures of a server and the figures of each of its cores, made by
/// [`Totals::merge`](super::Totals::merge). It never changes, and is shared as `Arc<View>`.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// When it was merged, in nanoseconds on the monotonic clock.
    pub merged_at_ns: u64,
    /// Requests begun and not ended.
    pub requests_in_flight: u64,
    /// Connections.
    pub connections: Connections,
    /// Every core, in the order given to [`Totals::new`](super::Totals::new).
    pub cores: Vec<CoreView>,
    /// The last stalls, oldest first: at most [`STALLS`](crate::limits::STALLS).
    pub stalls: Vec<StallView>,
    /// In the order of [`Window::ALL`].
    pub(super) windows: Vec<Arc<WindowView>>,
    pub(super) seconds: Seconds,
    /// The latencies of all requests since the last of them ended.
    pub(super) open: Arc<Distribution>,
    pub(super) calendar: Calendar,
    pub(super) surroundings: Surroundings,
    pub(super) names: Arc<Vec<SeriesName>>,
    /// Which of them are of the same route and method.
    pub(super) rows: Arc<Vec<NamedRow>>,
    pub(super) slots: Slots,
}

/// A span of time that ends now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Window {
    /// Since the server started.
    #[default]
    Total,
    /// The last second that ended.
    Second,
    /// The last ten seconds.
    TenSeconds,
    /// The last sixty seconds.
    Minute,
}

impl Window {
    /// All there are.
    pub const ALL: [Window; 4] = [
        Window::Total,
        Window::Second,
        Window::TenSeconds,
        Window::Minute,
    ];

    /// Those that move on.
    pub(super) const MOVING: [Window; 3] = [Window::Second, Window::TenSeconds, Window::Minute];

    pub(super) const MOST_SECONDS: usize = Window::Minute.seconds();

    /// Its name in queries and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Window::Total => "total",
            Window::Second => "1s",
            Window::TenSeconds => "10s",
            Window::Minute => "60s",
        }
    }

    /// How many seconds of the server it sums up; 0 for all.
    pub(super) const fn seconds(self) -> usize {
        match self {
            Window::Total => 0,
            Window::Second => 1,
            Window::TenSeconds => 10,
            Window::Minute => 60,
        }
    }
}

/// What happened in one window.
#[derive(Debug, PartialEq)]
pub(super) struct WindowView {
    pub(super) window: Window,
    /// How long it is.
    pub(super) span_ns: u64,
    pub(super) requests_per_second: f64,
    /// What was counted in it; its gauges are as they were at its end.
    pub(super) counters: Counters,
    /// Of each core the share of the window in which it ran, from 0 to 1, if it told.
    pub(super) busy_ratios: Vec<Option<f64>>,
    pub(super) board: Board,
}

/// The connections of all cores that are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// Open now.
    pub active: u64,
    /// Open, and waiting for the first byte of a request.
    pub idle: u64,
}

/// One core in a [`View`].
#[derive(Debug, Clone, PartialEq)]
pub struct CoreView {
    /// Which core.
    pub core: usize,
    /// When its snapshot was taken, in nanoseconds on the monotonic clock; the start of the server
    /// if there was none yet.
    pub snapshot_at_ns: u64,
    /// Requests answered since the start.
    pub requests_total: u64,
    /// Stalls since the start.
    pub stalls_total: u64,
    /// For how many nanoseconds it ran since the start.
    pub busy_ns: u64,
    /// For how many nanoseconds it waited for something to do.
    pub waiting_ns: u64,
    /// Connections open.
    pub connections_active: u64,
    /// What is seen of it from outside.
    pub outside: Outside,
    /// Its receive buffers, if it told.
    pub receive_buffers: Option<ReceiveBuffers>,
    /// The files that it remembers, if it serves any.
    pub file_cache: Option<FileCache>,
}

/// A stall in a [`View`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StallView {
    /// Which core.
    pub core: usize,
    /// When it was over, in nanoseconds on the monotonic clock.
    pub at_ns: u64,
    /// When it was over, as the calendar was set then.
    pub at: SystemTime,
    /// How long it took, in nanoseconds.
    pub held_ns: u64,
    /// What its thread had of the CPU meanwhile, if that is known.
    pub ran: Option<Ran>,
    /// The route and the method of the handler that took most of it, if one did.
    pub by: Option<(Arc<str>, &'static str)>,
}

impl WindowView {
    /// Gives its memory back with a `rest` between pieces, if no other view has it.
    pub(super) fn free(self: Arc<Self>, rest: impl FnMut()) {
        if let Some(window) = Arc::into_inner(self) {
            window.board.free(rest);
        }
    }

    /// Requests in a second on the average of the window.
    pub(super) fn mean_per_second(&self) -> f64 {
        self.counters.requests as f64 * 1e9 / self.span_ns.max(1) as f64
    }
}

impl View {
    /// Gives its memory back, but for what others have as well, with a `rest` between pieces: it may be that of
    /// thousands of distributions.
    pub fn free(self, mut rest: impl FnMut()) {
        for window in self.windows {
            window.free(&mut rest);
        }
    }

    pub(super) fn window(&self, window: Window) -> &WindowView {
        let of_it = self.windows.iter().find(|view| view.window == window);
        of_it.unwrap_or_else(|| unreachable!("a view has all windows"))
    }

    /// Requests answered since the start.
    pub fn requests_total(&self) -> u64 {
        self.window(Window::Total).counters.requests
    }

    /// What all cores remember of files; None where none serves any.
    pub(super) fn file_cache(&self) -> Option<FileCache> {
        let caches = self.cores.iter().filter_map(|core| core.file_cache);
        caches.reduce(FileCache::and)
    }

    /// The number of the last second that ended; 0 if none has.
    pub fn newest_second(&self) -> u64 {
        self.seconds.newest()
    }

    /// The last seconds that ended, so many at most, the oldest first.
    pub(super) fn last_seconds(&self, most: usize) -> Vec<&SecondFigures> {
        let before = self.newest_second().saturating_sub(most as u64);
        self.seconds.after(before).collect()
    }

    /// The latencies of all requests in `window`.
    pub fn latency(&self, window: Window) -> &Distribution {
        self.window(window).board.get(self.slots.whole(WHOLE))
    }

    /// The latencies of each stage of all requests in `window`, with its name.
    pub(crate) fn stages(
        &self,
        window: Window,
    ) -> impl Iterator<Item = (&'static str, &Distribution)> {
        let board = &self.window(window).board;
        let kinds = (WHOLE + 1..KINDS).map(|kind| board.get(self.slots.whole(kind)));
        STAGES.iter().copied().zip(kinds)
    }

    /// The latencies of the requests of the `core`th core in `window`.
    pub(crate) fn core_latency(&self, window: Window, core: usize) -> &Distribution {
        self.window(window).board.get(self.slots.core(core))
    }

    /// How long tasks of the `core`th core ran in each turn of its loop in `window`.
    pub(super) fn lag(&self, window: Window, core: usize) -> &Distribution {
        self.window(window).board.get(self.slots.lag(core))
    }

    /// The same, but writing it panics.
    #[cfg(test)]
    pub(crate) fn unwritable(self) -> View {
        View {
            windows: Vec::new(),
            ..self
        }
    }

    /// The series that had a request in `window`, each with the latencies of the whole and of the stages.
    #[cfg(test)]
    pub(crate) fn series(
        &self,
        window: Window,
    ) -> impl Iterator<Item = (&SeriesName, [&Distribution; KINDS])> {
        let series = (0..self.series_count()).map(move |number| self.nth_series(window, number));
        series.filter(|(_, kinds)| kinds[WHOLE].count() > 0)
    }

    /// Responses in `window` that are in `row`, by class of status.
    pub(super) fn row_responses(&self, window: Window, row: &NamedRow) -> [u64; CLASSES.len()] {
        let count = |number| self.nth_series(window, number).1[WHOLE].count();
        row.series.map(|series| series.map_or(0, count))
    }

    pub(super) fn series_count(&self) -> usize {
        self.names.len()
    }

    /// The series with this number, which may have had no request in `window`.
    pub(super) fn nth_series(
        &self,
        window: Window,
        number: usize,
    ) -> (&SeriesName, [&Distribution; KINDS]) {
        let board = &self.window(window).board;
        let kinds = std::array::from_fn(|kind| board.get(self.slots.series(number, kind)));
        (&self.names[number], kinds)
    }
}
