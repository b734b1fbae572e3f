//! What `top` knows, and what keys change of it: figures in, figures out. It draws nothing, asks nobody
//! and reads no clock.

use crate::stats::{LatencySummary, Window};
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};

/// Requests per second that are kept: one for each column of the widest terminal.
pub(super) const RATES: usize = 512;

/// What `/stats` says, as far as it is shown.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stats {
    pub(super) server: Server,
    pub(super) requests: Requests,
    pub(super) latency: LatencySummary,
    pub(super) stages: Stages,
    pub(super) status: Status,
    pub(super) routes: Vec<Route>,
    pub(super) connections: Connections,
    /// Of a server that serves files.
    pub(super) file_cache: Option<FileCache>,
    pub(super) stalls: Vec<Stall>,
    pub(super) cores: Vec<Core>,
    /// Of the window of a second, where it was asked for.
    pub(super) charts: Option<Charts>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Charts {
    /// The last seconds, the newest last.
    pub(super) seconds: Vec<Second>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Second {
    pub(super) per_second: f64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) pid: u32,
    pub(super) started_at: String,
    pub(super) uptime_seconds: f64,
    pub(super) cores: usize,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Requests {
    pub(super) total: u64,
    pub(super) per_second: f64,
    /// What an older server does not tell.
    pub(super) mean_per_second: Option<f64>,
    pub(super) in_flight: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stages {
    pub(super) queue: LatencySummary,
    pub(super) head: LatencySummary,
    pub(super) handler: LatencySummary,
    pub(super) write: LatencySummary,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Status {
    /// By code.
    pub(super) codes: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Route {
    pub(super) route: String,
    pub(super) method: String,
    #[serde(flatten)]
    pub(super) latency: LatencySummary,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Connections {
    pub(super) accepted_total: u64,
    pub(super) active: u64,
    pub(super) idle: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct FileCache {
    /// Of requests for files, those that were answered from memory; none where nobody asked for one.
    pub(super) hit_ratio: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stall {
    pub(super) core: usize,
    pub(super) at: String,
    pub(super) held_ns: u64,
    pub(super) run_delay_ns: Option<u64>,
    pub(super) route: Option<String>,
    pub(super) method: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Core {
    pub(super) core: usize,
    pub(super) requests_total: u64,
    pub(super) connections_active: u64,
    pub(super) accept_queue: Option<u64>,
    pub(super) accept_queue_limit: Option<u64>,
    pub(super) accept_queue_ratio: Option<f64>,
    pub(super) busy_ratio: Option<f64>,
    pub(super) loop_lag: LatencySummary,
    pub(super) stalls_total: u64,
    pub(super) snapshot_age_ms: u64,
    #[serde(flatten)]
    pub(super) latency: LatencySummary,
}

/// What `/stats` says of each window, in the order of [`Window::ALL`].
pub(super) type ByWindow = [Stats; Window::ALL.len()];

/// What routes are sorted by, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Requests,
    P99,
    Longest,
}

/// The tables that can be scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Cores,
    Routes,
}

/// What was asked for with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Pause,
    Sort,
    /// The window before the one that the tables are of.
    Shorter,
    /// The window after it.
    Longer,
    Up,
    Down,
    /// The other table is scrolled from now on.
    Other,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct State {
    /// Where the server is.
    pub(super) url: String,
    /// What was told last.
    pub(super) told: Option<Box<ByWindow>>,
    /// Why there is nothing newer.
    pub(super) waiting: Option<String>,
    /// Requests in each of the last seconds, the newest last.
    pub(super) rates: VecDeque<u64>,
    pub(super) is_paused: bool,
    pub(super) order: Order,
    pub(super) scrolled: Table,
    pub(super) cores_above: usize,
    pub(super) routes_above: usize,
    /// The place of the window that the tables are of.
    window: usize,
}

/// The windows in the order in which they are shown, shortest first, by their places in [`Window::ALL`].
pub(super) const SHOWN: [usize; Window::ALL.len()] = [1, 2, 3, 0];

/// The one second that rates are counted in.
const SECOND: usize = 1;

/// The ten seconds that the tables are of at first.
const USUAL: usize = 2;

impl State {
    pub(super) fn new(url: String) -> Self {
        Self {
            waiting: Some(format!("waiting for {url}")),
            url,
            told: None,
            rates: VecDeque::new(),
            is_paused: false,
            order: Order::Requests,
            scrolled: Table::Routes,
            cores_above: 0,
            routes_above: 0,
            window: USUAL,
        }
    }

    /// The server has told this, or why it did not.
    pub(super) fn hear(&mut self, answer: Result<Box<ByWindow>, String>) {
        if self.is_paused {
            return;
        }
        let told = match answer {
            Ok(told) => told,
            Err(why) => {
                self.waiting = Some(format!("waiting for {why}"));
                return;
            }
        };
        let started = |told: &ByWindow| told[SECOND].server.started_at.clone();
        if self.told.as_deref().map(started) != Some(started(&told)) {
            // Another server: what was before is not its own.
            self.rates.clear();
        }
        let rate = |per_second: f64| per_second.round() as u64;
        let second = &told[SECOND];
        match &second.charts {
            Some(charts) => {
                let rates = charts.seconds.iter().map(|second| rate(second.per_second));
                self.rates = rates.collect();
            }
            None => self.rates.push_back(rate(second.requests.per_second)),
        }
        let beyond = self.rates.len().saturating_sub(RATES);
        self.rates.drain(..beyond);
        self.waiting = None;
        self.told = Some(told);
        self.keep_within();
    }

    /// A key was pressed.
    pub(super) fn press(&mut self, key: Key) {
        let place = SHOWN.iter().position(|window| *window == self.window);
        let place = place.unwrap_or(0);
        match key {
            Key::Pause => self.is_paused = !self.is_paused,
            Key::Sort => {
                self.order = match self.order {
                    Order::Requests => Order::P99,
                    Order::P99 => Order::Longest,
                    Order::Longest => Order::Requests,
                }
            }
            Key::Shorter => self.window = SHOWN[place.saturating_sub(1)],
            Key::Longer => self.window = SHOWN[(place + 1).min(SHOWN.len() - 1)],
            Key::Up => *self.above() = self.above().saturating_sub(1),
            Key::Down => *self.above() += 1,
            Key::Other => {
                self.scrolled = match self.scrolled {
                    Table::Cores => Table::Routes,
                    Table::Routes => Table::Cores,
                }
            }
        }
        self.keep_within();
    }

    fn above(&mut self) -> &mut usize {
        match self.scrolled {
            Table::Cores => &mut self.cores_above,
            Table::Routes => &mut self.routes_above,
        }
    }

    /// One row at least stays in sight.
    fn keep_within(&mut self) {
        let rows = self
            .figures()
            .map_or((0, 0), |told| (told.cores.len(), told.routes.len()));
        self.cores_above = self.cores_above.min(rows.0.saturating_sub(1));
        self.routes_above = self.routes_above.min(rows.1.saturating_sub(1));
    }

    /// The window that the tables are of.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// The figures of that window.
    pub(super) fn figures(&self) -> Option<&Stats> {
        self.told.as_ref().map(|told| &told[self.window])
    }

    /// The routes in their order.
    pub(super) fn routes(&self) -> Vec<&Route> {
        let mut routes: Vec<_> = self
            .figures()
            .map_or(Vec::new(), |told| told.routes.iter().collect());
        routes.sort_by_key(|route| {
            std::cmp::Reverse(match self.order {
                Order::Requests => route.latency.count,
                Order::P99 => route.latency.p99_ns,
                Order::Longest => route.latency.max_ns,
            })
        });
        routes
    }
}

/// Requests of a core below which its share and its p99 say nothing.
const FEW_REQUESTS: u64 = 200;

/// A loop lag that harms nobody, in nanoseconds.
const SMALL_LAG_NS: u64 = 1_000_000;

/// An age that no core's figures have which is well, in milliseconds.
const OLD_MS: u64 = 3_000;

/// A share of an accept queue that is taken, from which on it may soon be full.
const LONG_QUEUE: f64 = 0.5;

/// Which of `cores` lie far from the others: in requests, p99 or loop lag more than twice the mean of the
/// others, with figures that are old, or with a long accept queue.
pub(super) fn outliers(cores: &[Core]) -> Vec<bool> {
    let figure = |of: fn(&Core) -> u64| cores.iter().map(of).collect::<Vec<_>>();
    let far = |figures: &[u64], place: usize, least: u64| {
        let others = figures.len().saturating_sub(1) as u64;
        let sum: u64 = figures.iter().sum();
        others > 0 && {
            let mean = (sum - figures[place]) / others;
            figures[place] > least && figures[place] > 2 * mean
        }
    };
    let requests = figure(|core| core.requests_total);
    let p99 = figure(|core| core.latency.p99_ns);
    let lag = figure(|core| core.loop_lag.p99_ns);
    let is_enough = requests.iter().sum::<u64>() >= FEW_REQUESTS * cores.len() as u64;
    let is_outlier = |(place, core): (usize, &Core)| {
        (is_enough && (far(&requests, place, 0) || far(&p99, place, 0)))
            || far(&lag, place, SMALL_LAG_NS)
            || core.snapshot_age_ms > OLD_MS
            || core.accept_queue_ratio > Some(LONG_QUEUE)
    };
    cores.iter().enumerate().map(is_outlier).collect()
}
