//! What the members of the JSON are made of, and how each is got from a view.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::super::distribution::LatencySummary;
use super::super::names::NamedRow;
use super::super::outside::Outside;
use super::super::rfc3339::rfc3339;
use super::super::series::{CLASSES, STAGES};
use super::super::snapshot::{FileCache, ReceiveBuffers};
use super::super::status::StatusCounts;
use super::super::surroundings::Surroundings;
use super::super::view::{StallView, View, Window, WindowView};
use super::{Build, ServerInfo, seconds, to_thousandths};

#[derive(Serialize)]
pub(super) struct Server<'a> {
    name: &'a str,
    version: &'a str,
    build: Build,
    pid: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    instance: &'a str,
    started_at: String,
    uptime_seconds: f64,
    cores: usize,
    stall_threshold_ns: u64,
}

#[derive(Serialize)]
pub(super) struct WindowTold {
    name: &'static str,
    seconds: f64,
}

#[derive(Serialize)]
pub(super) struct Requests {
    total: u64,
    per_second: f64,
    mean_per_second: f64,
    in_flight: u64,
    abandoned_total: u64,
}

#[derive(Serialize)]
pub(super) struct Status<'a> {
    #[serde(flatten)]
    classes: Named<u64>,
    #[serde(serialize_with = "codes")]
    codes: &'a StatusCounts,
}

#[derive(Serialize)]
pub(super) struct Route<'a> {
    route: &'a str,
    method: &'static str,
    status: Named<u64>,
    #[serde(flatten)]
    latency: LatencySummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Named<LatencySummary>>,
}

#[derive(Serialize)]
pub(super) struct ConnectionCounts {
    accepted_total: u64,
    active: u64,
    idle: u64,
    accept_pauses_total: u64,
    closed: Named<u64>,
}

#[derive(Serialize)]
pub(super) struct Bytes {
    received_total: u64,
    sent_total: u64,
}

/// The most of any core over the mean of all; 1 if all are alike, 0 while there is nothing.
#[derive(Serialize)]
pub(super) struct Imbalance {
    requests: f64,
    p99: f64,
}

#[derive(Serialize)]
pub(super) struct Process {
    cpu_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resident_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open_descriptors: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptor_limit: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Kernel<'a> {
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
pub(super) struct Ring {
    busy_poll: bool,
    receive_buffers_limit: u64,
}

#[derive(Serialize)]
pub(super) struct Log {
    events_left_out_total: u64,
    lines_left_out_total: u64,
}

#[derive(Serialize)]
pub(super) struct Stall<'a> {
    core: usize,
    at: String,
    held_ns: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_delay_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct Core {
    core: usize,
    requests_total: u64,
    connections_active: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_buffers: Option<Buffers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_cache: Option<CacheFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_delay_ns: Option<u64>,
    loop_lag: LatencySummary,
    stalls_total: u64,
    snapshot_age_ms: u64,
    #[serde(flatten)]
    latency: LatencySummary,
}

#[derive(Serialize)]
pub(super) struct Buffers {
    held: u64,
    bytes: u64,
}

#[derive(Serialize)]
pub(super) struct CacheFigures {
    hits: u64,
    misses: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hit_ratio: Option<f64>,
    entries: u64,
    bytes: u64,
}

impl<'a> Server<'a> {
    pub(super) fn new(server: &'a ServerInfo, now_ns: u64) -> Server<'a> {
        Server {
            name: server.name,
            version: server.version,
            build: server.build,
            pid: server.pid,
            instance: &server.instance,
            started_at: rfc3339(server.started_at),
            uptime_seconds: seconds(now_ns.saturating_sub(server.started_ns)),
            cores: server.cores,
            stall_threshold_ns: server.stall_threshold.as_nanos() as u64,
        }
    }
}

impl WindowTold {
    pub(super) fn new(figures: &WindowView) -> WindowTold {
        WindowTold {
            name: figures.window.name(),
            seconds: seconds(figures.span_ns),
        }
    }
}

impl Requests {
    pub(super) fn new(view: &View, figures: &WindowView) -> Requests {
        Requests {
            total: figures.counters.requests,
            per_second: to_thousandths(figures.requests_per_second),
            mean_per_second: to_thousandths(figures.mean_per_second()),
            in_flight: view.requests_in_flight,
            abandoned_total: figures.counters.abandoned,
        }
    }
}

/// The stages of all requests.
pub(super) fn stages(view: &View, window: Window) -> Named<LatencySummary> {
    let stages = view.stages(window);
    Named(
        stages
            .map(|(name, stage)| (name, stage.summary()))
            .collect(),
    )
}

impl<'a> Status<'a> {
    pub(super) fn new(figures: &'a WindowView) -> Status<'a> {
        let codes = &figures.counters.status;
        Status {
            classes: Named(CLASSES.into_iter().zip(codes.classes()).collect()),
            codes,
        }
    }
}

impl<'a> Route<'a> {
    /// The row in `window`, with the summaries of the whole and of the stages that are told; `None` if it had no
    /// request.
    pub(super) fn new(
        view: &'a View,
        window: Window,
        row: &'a NamedRow,
        summaries: &[LatencySummary],
    ) -> Option<Route<'a>> {
        let [latency, stages @ ..] = summaries else {
            return None;
        };
        let status = || CLASSES.into_iter().zip(view.row_responses(window, row));
        let stages = || STAGES.into_iter().zip(stages.iter().copied());
        (latency.count > 0).then(|| Route {
            route: &row.route,
            method: row.method,
            status: Named(status().collect()),
            latency: *latency,
            stages: (summaries.len() > 1).then(|| Named(stages().collect())),
        })
    }
}

/// Of the latencies of one kind of the row in `window`.
pub(super) fn summary(view: &View, window: Window, row: &NamedRow, kind: usize) -> LatencySummary {
    let latencies = |number: &usize| view.nth_series(window, *number).1[kind];
    let series = row.series.iter().flatten();
    let mut filled = series.map(latencies).filter(|one| one.count() > 0);
    let Some(first) = filled.next() else {
        return LatencySummary::default();
    };
    let mut sum = Cow::Borrowed(first);
    filled.for_each(|other| sum = Cow::Owned(sum.with(other)));
    sum.summary()
}

impl ConnectionCounts {
    pub(super) fn new(view: &View, figures: &WindowView) -> ConnectionCounts {
        ConnectionCounts {
            accepted_total: figures.counters.accepted,
            active: view.connections.active,
            idle: view.connections.idle,
            accept_pauses_total: figures.counters.accept_pauses,
            closed: Named(figures.counters.closed().collect()),
        }
    }
}

impl Bytes {
    pub(super) fn new(figures: &WindowView) -> Bytes {
        Bytes {
            received_total: figures.counters.received_bytes,
            sent_total: figures.counters.sent_bytes,
        }
    }
}

impl Imbalance {
    pub(super) fn new(cores: &[Core]) -> Imbalance {
        Imbalance {
            requests: most_over_mean(cores.iter().map(|core| core.latency.count)),
            p99: most_over_mean(cores.iter().map(|core| core.latency.p99_ns)),
        }
    }
}

impl Process {
    pub(super) fn new(around: &Surroundings) -> Process {
        Process {
            cpu_seconds: seconds(around.cpu_ns),
            resident_bytes: around.resident_bytes,
            open_descriptors: around.open_descriptors,
            descriptor_limit: around.descriptor_limit,
        }
    }
}

impl<'a> Kernel<'a> {
    pub(super) fn new(server: &'a ServerInfo, around: &Surroundings) -> Kernel<'a> {
        Kernel {
            release: &server.kernel,
            listen_overflows_total: around.listen_overflows,
            listen_drops_total: around.listen_drops,
            segments_sent_total: around.segments_sent,
            segments_retransmitted_total: around.segments_retransmitted,
        }
    }
}

impl Ring {
    pub(super) fn new(server: &ServerInfo) -> Ring {
        Ring {
            busy_poll: server.busy_poll,
            receive_buffers_limit: server.receive_buffers,
        }
    }
}

impl Log {
    pub(super) fn new(figures: &WindowView, around: &Surroundings) -> Log {
        Log {
            events_left_out_total: figures.counters.log_left_out,
            lines_left_out_total: around.lines_left_out,
        }
    }
}

impl Core {
    /// The `place`th core.
    pub(super) fn new(view: &View, figures: &WindowView, place: usize, now_ns: u64) -> Core {
        let core = &view.cores[place];
        let Outside {
            accept_queue,
            run_delay_ns,
        } = core.outside;
        let latency = view.core_latency(figures.window, place).summary();
        Core {
            core: core.core,
            requests_total: match figures.window {
                Window::Total => core.requests_total,
                _ => latency.count,
            },
            connections_active: core.connections_active,
            accept_queue: accept_queue.map(|queue| queue.waiting),
            accept_queue_limit: accept_queue.map(|queue| queue.limit),
            accept_queue_ratio: accept_queue.map(|queue| to_thousandths(queue.ratio())),
            receive_buffers: core.receive_buffers.map(Buffers::new),
            file_cache: core.file_cache.map(CacheFigures::new),
            busy_ratio: figures.busy_ratios[place].map(to_thousandths),
            run_delay_ns,
            loop_lag: view.lag(figures.window, place).summary(),
            stalls_total: core.stalls_total,
            snapshot_age_ms: now_ns.saturating_sub(core.snapshot_at_ns) / 1_000_000,
            latency,
        }
    }
}

impl<'a> Stall<'a> {
    pub(super) fn new(stall: &'a StallView) -> Stall<'a> {
        Stall {
            core: stall.core,
            at: rfc3339(stall.at),
            held_ns: stall.held_ns,
            cpu_ns: stall.ran.map(|ran| ran.cpu_ns),
            run_delay_ns: stall.ran.and_then(|ran| ran.run_delay_ns),
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
    pub(super) fn new(cache: FileCache) -> CacheFigures {
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
pub(super) struct Named<T>(Vec<(&'static str, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
