//! `/stats?format=json`: a view told with the names, order and types that scripts rely on, piece by piece:
//! there are many routes, and those of one are sums of several distributions. It computes nothing else but ages.

use std::time::{Duration, SystemTime};

use serde::Serialize;

mod members;
mod sink;

pub(super) use self::sink::{Nesting, Sink, Text, Values};

use self::members::{
    Bytes, CacheFigures, ConnectionCounts, Core, Imbalance, Kernel, Log, Process, Requests, Ring,
    Route, Server, Stall, Status, WindowTold, stages, summary,
};
use super::charts::{SecondTold, WindowChart};
use super::distribution::LatencySummary;
use super::names::NamedRow;
use super::series::{KINDS, WHOLE, Whose};
use super::view::{View, Window};

/// What `/stats` says of the server itself, besides what it counted.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// The program's name.
    pub name: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// How it was built.
    pub build: Build,
    /// The process.
    pub pid: u32,
    /// What tells this run of it from every other, on whatever machine: a UUID, made when it started; empty if
    /// none could be made. OpenTelemetry calls it `service.instance.id`.
    pub instance: String,
    /// When it started, by the calendar.
    pub started_at: SystemTime,
    /// When it started, in nanoseconds on the monotonic clock: the uptime is counted from here, so
    /// that setting the calendar does not change it.
    pub started_ns: u64,
    /// How many cores serve.
    pub cores: usize,
    /// For how long tasks hold a core at least in a stall.
    pub stall_threshold: Duration,
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: String,
    /// Whether a core with nothing to do spins instead of blocking.
    pub busy_poll: bool,
    /// Most receive buffers that a core can have.
    pub receive_buffers: u64,
}

/// How a program was built.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Build {
    /// What its source is called: as the environment variable `CORELANE_REVISION` said when it was built, or else, of
    /// one for release, the commit that git had checked out; empty if neither said anything.
    pub revision: &'static str,
    /// The version of the compiler.
    pub rustc: &'static str,
    /// What it was built for, such as `x86_64-unknown-linux-gnu`.
    pub target: &'static str,
    /// `release`, or `debug` if it was not optimised.
    pub profile: &'static str,
}

impl Build {
    /// How this was built.
    pub const OWN: Build = Build {
        revision: env!("CORELANE_REVISION"),
        rustc: env!("CORELANE_RUSTC"),
        target: env!("CORELANE_TARGET"),
        profile: env!("CORELANE_PROFILE"),
    };
}

/// What of a view is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Over which time.
    pub window: Window,
    /// Routes of which the name contains this, with their stages; all, without stages, if it is not
    /// given.
    pub filter: Option<String>,
    /// The figures of each core besides, in formats that do not have them anyway.
    pub per_core: bool,
    /// What charts are drawn of besides, in JSON.
    pub charts: bool,
    /// Of the seconds in charts those that are newer than the one with this number.
    pub after: u64,
}

impl Selection {
    /// Whether a route is selected.
    pub(super) fn has(&self, route: &str) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| route.contains(filter.as_str()))
    }
}

/// A view on its way.
pub(super) struct Json<'a> {
    view: &'a View,
    selection: Selection,
    server: &'a ServerInfo,
    now_ns: u64,
    part: Part,
    /// How much of the part was told.
    told: usize,
    /// Those that are selected, what is beyond the bound last.
    rows: Vec<&'a NamedRow>,
    /// Of the next of them, the whole first.
    summaries: Vec<LatencySummary>,
    cores: Vec<Core>,
}

/// What is told together, or in a piece for each few of its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Found out before anything is told.
    Rows,
    /// The same: their imbalance comes before them.
    Summaries,
    Head,
    Routes,
    Middle,
    Stalls,
    Cores,
    Windows,
    Seconds,
    End,
}

/// Items of a piece, where one is a line of text.
const LINES: usize = 8;

impl<'a> Json<'a> {
    /// Begins to tell `view`, at `now_ns` on the monotonic clock.
    pub(super) fn new(
        view: &'a View,
        selection: Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Json<'a> {
        Json {
            view,
            selection,
            server,
            now_ns,
            part: Part::Rows,
            told: 0,
            rows: Vec::new(),
            summaries: Vec::new(),
            cores: Vec::new(),
        }
    }

    /// Tells the next piece; `false` when there is none.
    pub(super) fn next(&mut self, sink: &mut impl Sink) -> bool {
        let (view, window) = (self.view, self.selection.window);
        let figures = view.window(window);
        match self.part {
            Part::Rows => {
                self.rows = rows(view, &self.selection);
                self.part = Part::Summaries;
            }
            Part::Summaries => match self.cores.len() {
                all if all == view.cores.len() => self.part = Part::Head,
                place => {
                    let core = Core::new(view, figures, place, self.now_ns);
                    self.cores.push(core);
                }
            },
            Part::Head => {
                sink.member("server", &Server::new(self.server, self.now_ns));
                sink.member("window", &WindowTold::new(figures));
                sink.member("requests", &Requests::new(view, figures));
                sink.member("latency", &view.latency(window).summary());
                sink.member("stages", &stages(view, window));
                sink.member("status", &Status::new(figures));
                sink.open("routes", Nesting::List);
                self.part = Part::Routes;
            }
            Part::Routes => match self.rows.get(self.told) {
                Some(row) => {
                    // Of one kind at a time: each is a sum of several.
                    let kind = self.summaries.len();
                    self.summaries.push(summary(view, window, row, kind));
                    let is_whole = kind == WHOLE && self.selection.filter.is_none();
                    if is_whole || kind + 1 == KINDS {
                        let route = Route::new(view, window, row, &self.summaries);
                        route.into_iter().for_each(|route| sink.item(&route));
                        self.summaries.clear();
                        self.told += 1;
                    }
                }
                None => self.close(sink, Part::Middle),
            },
            Part::Middle => {
                let around = &view.surroundings;
                sink.member("connections", &ConnectionCounts::new(view, figures));
                sink.member("bytes", &Bytes::new(figures));
                if let Some(cache) = view.file_cache() {
                    sink.member("file_cache", &CacheFigures::new(cache));
                }
                sink.member("imbalance", &Imbalance::new(&self.cores));
                sink.member("process", &Process::new(around));
                sink.member("kernel", &Kernel::new(self.server, around));
                sink.member("ring", &Ring::new(self.server));
                sink.member("log", &Log::new(figures, around));
                sink.open("stalls", Nesting::List);
                self.part = Part::Stalls;
            }
            Part::Stalls => {
                let stalls = view.stalls.iter().skip(self.told);
                let stalls = stalls.map(Stall::new);
                if !tell(stalls, &mut self.told, sink) {
                    self.close(sink, Part::Cores);
                    sink.open("cores", Nesting::List);
                }
            }
            Part::Cores => {
                if !tell(self.cores.iter().skip(self.told), &mut self.told, sink) {
                    self.close(sink, Part::End);
                    if self.selection.charts {
                        sink.open("charts", Nesting::Object);
                        sink.open("windows", Nesting::List);
                        self.part = Part::Windows;
                    }
                }
            }
            Part::Windows => match CHARTED.get(self.told) {
                Some(window) => {
                    self.told += 1;
                    sink.item(&WindowChart::new(view, *window));
                }
                None => {
                    self.close(sink, Part::Seconds);
                    sink.open("seconds", Nesting::List);
                }
            },
            Part::Seconds => {
                let seconds = view.seconds.after(self.selection.after);
                let seconds = seconds.skip(self.told).map(SecondTold::new);
                if !tell(seconds, &mut self.told, sink) {
                    self.close(sink, Part::End);
                    sink.close();
                }
            }
            Part::End => return false,
        }
        true
    }

    /// Closes the list that is open, and goes on with `part`.
    fn close(&mut self, sink: &mut impl Sink, part: Part) {
        sink.close();
        (self.part, self.told) = (part, 0);
    }
}

/// Tells the next few of `items`, which are counted in `told`; `false` when there is none.
fn tell(
    items: impl Iterator<Item = impl Serialize>,
    told: &mut usize,
    sink: &mut impl Sink,
) -> bool {
    let before = *told;
    for item in items.take(LINES) {
        sink.item(&item);
        *told += 1;
    }
    *told > before
}

/// The windows of charts, in their order.
const CHARTED: [Window; 4] = [
    Window::Second,
    Window::TenSeconds,
    Window::Minute,
    Window::Total,
];

/// The rows that are selected, what is beyond the bound last.
fn rows<'a>(view: &'a View, selection: &Selection) -> Vec<&'a NamedRow> {
    let selected = view.rows.iter().filter(|row| selection.has(&row.route));
    let is_other = |row: &&NamedRow| *row.route == *Whose::OTHER.fixed_name();
    let (other, mut rows): (Vec<_>, Vec<_>) = selected.partition(is_other);
    rows.extend(other);
    rows
}

pub(super) fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1e3
}

/// Rounds, because more digits would only claim a precision that is not there.
pub(super) fn to_thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests;
