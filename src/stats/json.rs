//! `/stats?format=json`: a view written with the names, order and types that scripts rely on. It
//! computes nothing but ages.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::charts::Charts;
use super::distribution::{Distribution, LatencySummary};
use super::rfc3339::rfc3339;
use super::series::{CLASSES, KINDS, STAGES, WHOLE, Whose};
use super::snapshot::{FileCache, ReceiveBuffers};
use super::status::StatusCounts;
use super::view::{StallView, View, Window, WindowView};

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
    /// When it started, by the calendar.
    pub started_at: SystemTime,
    /// When it started, in nanoseconds on the monotonic clock: the uptime is counted from here, so
    /// that setting the calendar does not change it.
    pub started_ns: u64,
    /// How many cores serve.
    pub cores: usize,
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
    /// What whoever built it calls its source, as the environment variable `CORELANE_REVISION` said
    /// then; empty if it said nothing.
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
        revision: match option_env!("CORELANE_REVISION") {
            Some(revision) => revision,
            None => "",
        },
        rustc: env!("CORELANE_RUSTC"),
        target: env!("CORELANE_TARGET"),
        profile: env!("CORELANE_PROFILE"),
    };
}

impl ServerInfo {
    /// The calendar's time of `at_ns` on the monotonic clock, as if it had not been set since the start.
    pub(super) fn time_of(&self, at_ns: u64) -> SystemTime {
        self.started_at + Duration::from_nanos(at_ns.saturating_sub(self.started_ns))
    }
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

/// Writes `view` as JSON (RFC 8259), at `now_ns` on the monotonic clock.
pub(super) fn json(
    view: &View,
    selection: &Selection,
    server: &ServerInfo,
    now_ns: u64,
) -> Vec<u8> {
    let document = Document::new(view, selection, server, now_ns);
    // Room for the whole text in all but unusual cases, in which it grows.
    let room = 4_096 + 1_024 * view.cores.len() + 512 * document.routes.len();
    let mut text = Vec::with_capacity(room);
    serde_json::to_writer(&mut text, &document)
        .expect("all keys are text and a vector takes all that is written");
    text
}

/// The same as it is read, for whatever is made of it.
pub(super) fn value(view: &View, selection: &Selection, server: &ServerInfo, now_ns: u64) -> Value {
    serde_json::to_value(Document::new(view, selection, server, now_ns)).expect("all keys are text")
}

#[derive(Serialize)]
struct Document<'a> {
    server: Server<'a>,
    window: WindowTold,
    requests: Requests,
    latency: LatencySummary,
    stages: Named<LatencySummary>,
    status: Status<'a>,
    routes: Vec<Route<'a>>,
    connections: ConnectionCounts,
    bytes: Bytes,
    imbalance: Imbalance,
    process: Process,
    kernel: Kernel<'a>,
    ring: Ring,
    log: Log,
    stalls: Vec<Stall<'a>>,
    cores: Vec<Core>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charts: Option<Charts<'a>>,
}

#[derive(Serialize)]
struct Server<'a> {
    name: &'a str,
    version: &'a str,
    build: Build,
    pid: u32,
    started_at: String,
    uptime_seconds: f64,
    cores: usize,
}

#[derive(Serialize)]
struct WindowTold {
    name: &'static str,
    seconds: f64,
}

#[derive(Serialize)]
struct Requests {
    total: u64,
    per_second: f64,
    in_flight: u64,
}

#[derive(Serialize)]
struct Status<'a> {
    #[serde(flatten)]
    classes: Named<u64>,
    #[serde(serialize_with = "codes")]
    codes: &'a StatusCounts,
}

#[derive(Serialize)]
struct Route<'a> {
    route: &'a str,
    method: &'static str,
    status: Named<u64>,
    #[serde(flatten)]
    latency: LatencySummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Named<LatencySummary>>,
}

#[derive(Serialize)]
struct ConnectionCounts {
    accepted_total: u64,
    active: u64,
    idle: u64,
    accept_pauses_total: u64,
    closed: Named<u64>,
}

#[derive(Serialize)]
struct Bytes {
    received_total: u64,
    sent_total: u64,
}

/// The most of any core over the mean of all; 1 if all are alike, 0 while there is nothing.
#[derive(Serialize)]
struct Imbalance {
    requests: f64,
    p99: f64,
}

#[derive(Serialize)]
struct Process {
    cpu_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_descriptors: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptor_limit: Option<u64>,
}

#[derive(Serialize)]
struct Kernel<'a> {
    release: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_overflows_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_drops_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments_sent_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments_retransmitted_total: Option<u64>,
}

#[derive(Serialize)]
struct Ring {
    busy_poll: bool,
    receive_buffers_limit: u64,
}

#[derive(Serialize)]
struct Log {
    events_left_out_total: u64,
    lines_left_out_total: u64,
}

#[derive(Serialize)]
struct Stall<'a> {
    core: usize,
    at: String,
    held_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
}

#[derive(Serialize)]
struct Core {
    core: usize,
    requests_total: u64,
    connections_active: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_buffers: Option<Buffers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_cache: Option<CacheFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_ratio: Option<f64>,
    loop_lag: LatencySummary,
    stalls_total: u64,
    snapshot_age_ms: u64,
    #[serde(flatten)]
    latency: LatencySummary,
}

#[derive(Serialize)]
struct Buffers {
    held: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct CacheFigures {
    hits: u64,
    misses: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hit_ratio: Option<f64>,
    entries: u64,
    bytes: u64,
}

impl<'a> Document<'a> {
    fn new(
        view: &'a View,
        selection: &Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Document<'a> {
        let window = selection.window;
        let figures = view.window(window);
        let stages = view.stages(window);
        let cores = cores(view, figures, now_ns);
        let around = &view.surroundings;
        Document {
            server: Server {
                name: server.name,
                version: server.version,
                build: server.build,
                pid: server.pid,
                started_at: rfc3339(server.started_at),
                uptime_seconds: seconds(now_ns.saturating_sub(server.started_ns)),
                cores: server.cores,
            },
            window: WindowTold {
                name: window.name(),
                seconds: seconds(figures.span_ns),
            },
            requests: Requests {
                total: figures.counters.requests,
                per_second: to_thousandths(figures.requests_per_second),
                in_flight: view.requests_in_flight,
            },
            latency: view.latency(window).summary(),
            stages: Named(
                stages
                    .map(|(name, stage)| (name, stage.summary()))
                    .collect(),
            ),
            status: Status {
                classes: Named(
                    CLASSES
                        .into_iter()
                        .zip(figures.counters.status.classes())
                        .collect(),
                ),
                codes: &figures.counters.status,
            },
            routes: routes(view, selection),
            connections: ConnectionCounts {
                accepted_total: figures.counters.accepted,
                active: view.connections.active,
                idle: view.connections.idle,
                accept_pauses_total: figures.counters.accept_pauses,
                closed: Named(figures.counters.closed().collect()),
            },
            bytes: Bytes {
                received_total: figures.counters.received_bytes,
                sent_total: figures.counters.sent_bytes,
            },
            imbalance: Imbalance {
                requests: most_over_mean(cores.iter().map(|core| core.latency.count)),
                p99: most_over_mean(cores.iter().map(|core| core.latency.p99_ns)),
            },
            process: Process {
                cpu_seconds: seconds(around.cpu_ns),
                resident_bytes: around.resident_bytes,
                open_descriptors: around.open_descriptors,
                descriptor_limit: around.descriptor_limit,
            },
            kernel: Kernel {
                release: &server.kernel,
                listen_overflows_total: around.listen_overflows,
                listen_drops_total: around.listen_drops,
                segments_sent_total: around.segments_sent,
                segments_retransmitted_total: around.segments_retransmitted,
            },
            ring: Ring {
                busy_poll: server.busy_poll,
                receive_buffers_limit: server.receive_buffers,
            },
            log: Log {
                events_left_out_total: figures.counters.log_left_out,
                lines_left_out_total: around.lines_left_out,
            },
            stalls: view
                .stalls
                .iter()
                .map(|stall| Stall::new(stall, server))
                .collect(),
            cores,
            charts: selection
                .charts
                .then(|| Charts::new(view, selection.after, server)),
        }
    }
}

/// The routes, each with its classes of status together: in the order in which they were met, those
/// beyond the bound last.
fn routes<'a>(view: &'a View, selection: &Selection) -> Vec<Route<'a>> {
    // Without stages the whole alone is told, and summed.
    let told = if selection.filter.is_some() {
        KINDS
    } else {
        WHOLE + 1
    };
    let mut by_route: Vec<(&str, &'static str, [u64; CLASSES.len()], Vec<Distribution>)> =
        Vec::new();
    for (name, kinds) in view.series(selection.window) {
        if !selection.has(&name.route) {
            continue;
        }
        let known = by_route
            .iter_mut()
            .find(|(route, method, ..)| *route == &*name.route && *method == name.method);
        let count = kinds[WHOLE].count();
        let classes = CLASSES.map(|class| if class == name.class { count } else { 0 });
        match known {
            Some((_, _, counts, sums)) => {
                counts
                    .iter_mut()
                    .zip(classes)
                    .for_each(|(sum, count)| *sum += count);
                sums.iter_mut()
                    .zip(kinds)
                    .for_each(|(sum, kind)| sum.add(kind));
            }
            None => {
                let kinds = kinds.iter().take(told).copied().cloned();
                by_route.push((&name.route, name.method, classes, kinds.collect()));
            }
        }
    }
    by_route.sort_by_key(|(route, ..)| *route == Whose::OTHER.fixed_name());
    let routes = by_route.into_iter().map(|(route, method, status, kinds)| {
        let mut summaries = kinds.iter().map(Distribution::summary);
        Route {
            route,
            method,
            status: Named(CLASSES.into_iter().zip(status).collect()),
            latency: summaries.next().unwrap_or_default(),
            stages: (told > WHOLE + 1).then(|| Named(STAGES.into_iter().zip(summaries).collect())),
        }
    });
    routes.collect()
}

fn cores(view: &View, figures: &WindowView, now_ns: u64) -> Vec<Core> {
    let cores = view.cores.iter().zip(&figures.busy_ratios).enumerate();
    let told = cores.map(|(place, (core, busy_ratio))| {
        let latency = view.core_latency(figures.window, place).summary();
        Core {
            core: core.core,
            requests_total: match figures.window {
                Window::Total => core.requests_total,
                _ => latency.count,
            },
            connections_active: core.connections_active,
            accept_queue: core.accept_queue.map(|queue| queue.waiting),
            accept_queue_limit: core.accept_queue.map(|queue| queue.limit),
            receive_buffers: core.receive_buffers.map(Buffers::new),
            file_cache: core.file_cache.map(CacheFigures::new),
            busy_ratio: busy_ratio.map(to_thousandths),
            loop_lag: view.lag(figures.window, place).summary(),
            stalls_total: core.stalls_total,
            snapshot_age_ms: now_ns.saturating_sub(core.snapshot_at_ns) / 1_000_000,
            latency,
        }
    });
    told.collect()
}

impl<'a> Stall<'a> {
    fn new(stall: &'a StallView, server: &ServerInfo) -> Stall<'a> {
        Stall {
            core: stall.core,
            at: rfc3339(server.time_of(stall.at_ns)),
            held_ns: stall.held_ns,
            route: stall.by.as_ref().map(|(route, _)| &**route),
            method: stall.by.as_ref().map(|(_, method)| *method),
        }
    }
}

impl Buffers {
    fn new(buffers: ReceiveBuffers) -> Buffers {
        let ReceiveBuffers { held, bytes } = buffers;
        Buffers { held, bytes }
    }
}

fn most_over_mean(values: impl ExactSizeIterator<Item = u64> + Clone) -> f64 {
    let mean = values.clone().sum::<u64>() as f64 / values.len().max(1) as f64;
    match values.max() {
        Some(most) if most > 0 => to_thousandths(most as f64 / mean),
        _ => 0.0,
    }
}

impl CacheFigures {
    fn new(cache: FileCache) -> CacheFigures {
        let FileCache {
            hits,
            misses,
            entries,
            bytes,
        } = cache;
        let asked = hits + misses;
        let hit_ratio = (asked > 0).then(|| to_thousandths(hits as f64 / asked as f64));
        CacheFigures {
            hits,
            misses,
            hit_ratio,
            entries,
            bytes,
        }
    }
}

/// Writes the codes that were sent as an object, the code as its key.
fn codes<S: Serializer>(status: &StatusCounts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(status.codes())
}

/// An object, in the order of its names.
struct Named<T>(Vec<(&'static str, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
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
