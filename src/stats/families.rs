//! What scrapers are told, in families of metrics: names, labels and values, whatever they are written
//! in. Names follow OpenTelemetry's conventions for HTTP servers where those have one, written as
//! Prometheus writes them; what is of this server alone begins with `corelane_`.
//!
//! Everything counts since the start, since that is what a scraper takes differences of.

use super::distribution::Distribution;
use super::json::{Build, Selection, ServerInfo};
use super::series::{CLASSES, KINDS, STAGES, WHOLE};
use super::surroundings::Surroundings;
use super::view::{CoreView, View, Window};
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// A family of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Family {
    /// Its name; that of a counter without the `_total` behind it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What its values are in, and its name ends with; empty if they are of nothing.
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
    values: Values,
}

/// What kind of values a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// What does not change, in labels.
    Info,
}

/// Which values a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Build,
    StartTime,
    Requests,
    Stages,
    Active,
    Abandoned,
    Responses,
    Classes,
    Routes,
    Connections,
    Accepted,
    Closed,
    Pauses,
    Received,
    Sent,
    CoreRequests,
    CoreLatency,
    CoreConnections,
    CoreAcceptQueue,
    CoreAcceptLimit,
    CoreAcceptRatio,
    CoreBusy,
    CoreWaiting,
    CoreRunDelay,
    CoreLag,
    CoreStalls,
    StallThreshold,
    CoreAge,
    CoreCacheHits,
    CoreCacheMisses,
    CoreCacheEntries,
    CoreCacheBytes,
    CoreBuffersHeld,
    CoreBufferBytes,
    ProcessCpu,
    ProcessMemory,
    ProcessDescriptors,
    ProcessDescriptorLimit,
    Kernel,
    ListenOverflows,
    ListenDrops,
    SegmentsSent,
    SegmentsRetransmitted,
    LogEvents,
    LogLines,
}

/// A label: its name and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// Something that families are written with.
pub(super) trait Encoder {
    /// A family begins.
    fn begin(&mut self, family: &Family);

    /// A number of the family, at these labels. Those of counters are whole or seconds.
    fn number(&mut self, labels: &[Label<'_>], value: f64);

    /// A histogram of the family, in seconds, at these labels. If it was not there from the start, it was empty at
    /// the time that it is told `since`.
    fn histogram(
        &mut self,
        labels: &[Label<'_>],
        distribution: &Distribution,
        since: Option<SystemTime>,
    );

    /// The family is over.
    fn end(&mut self);
}

const fn family(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    help: &'static str,
    values: Values,
) -> Family {
    Family {
        name,
        kind,
        unit,
        help,
        values,
    }
}

/// All families.
#[rustfmt::skip]
pub(super) const FAMILIES: [Family; 45] = [
    family("corelane_build", Kind::Info, "", "The program.", Values::Build),
    family("process_start_time_seconds", Kind::Gauge, "seconds", "When the server started, since 1970.", Values::StartTime),
    family("http_server_request_duration_seconds", Kind::Histogram, "seconds", "From the completion that delivered a request's last head byte to the completion of its response's last byte.", Values::Requests),
    family("corelane_request_stage_duration_seconds", Kind::Histogram, "seconds", "The stages of a request, which add up to its duration.", Values::Stages),
    family("http_server_active_requests", Kind::Gauge, "", "Requests begun and not ended.", Values::Active),
    family("corelane_requests_abandoned", Kind::Counter, "", "Requests whose connections ended before they were answered.", Values::Abandoned),
    family("corelane_responses", Kind::Counter, "", "Responses by status code.", Values::Responses),
    family("corelane_responses_by_class", Kind::Counter, "", "Responses by class of status: all there are.", Values::Classes),
    family("corelane_responses_by_route", Kind::Counter, "", "Responses by route, method and class of status: those of each route from the start.", Values::Routes),
    family("corelane_connections", Kind::Gauge, "", "Open connections; idle ones wait for a request.", Values::Connections),
    family("corelane_connections_accepted", Kind::Counter, "", "Connections accepted.", Values::Accepted),
    family("corelane_connections_closed", Kind::Counter, "", "Connections ended, by reason.", Values::Closed),
    family("corelane_accept_pauses", Kind::Counter, "", "Times that accepting paused for want of descriptors or memory.", Values::Pauses),
    family("corelane_received_bytes", Kind::Counter, "bytes", "Bytes received.", Values::Received),
    family("corelane_sent_bytes", Kind::Counter, "bytes", "Bytes handed to the kernel.", Values::Sent),
    family("corelane_core_requests", Kind::Counter, "", "Requests answered by each core.", Values::CoreRequests),
    family("corelane_core_request_duration_seconds", Kind::Histogram, "seconds", "Durations of the requests of each core.", Values::CoreLatency),
    family("corelane_core_connections", Kind::Gauge, "", "Open connections of each core.", Values::CoreConnections),
    family("corelane_core_accept_queue", Kind::Gauge, "", "Connections that wait for each core to accept them.", Values::CoreAcceptQueue),
    family("corelane_core_accept_queue_limit", Kind::Gauge, "", "Connections that may wait for each core to accept them.", Values::CoreAcceptLimit),
    family("corelane_core_accept_queue_ratio", Kind::Gauge, "", "How full the fullest of each core's listening sockets is.", Values::CoreAcceptRatio),
    family("corelane_core_busy_seconds", Kind::Counter, "seconds", "Time in which each core did not wait for something to do.", Values::CoreBusy),
    family("corelane_core_waiting_seconds", Kind::Counter, "seconds", "Time for which each core waited for something to do.", Values::CoreWaiting),
    family("corelane_core_run_delay_seconds", Kind::Counter, "seconds", "Time for which each core could have run and the kernel gave it no CPU.", Values::CoreRunDelay),
    family("corelane_core_loop_lag_seconds", Kind::Histogram, "seconds", "How long what completed may have waited for each turn of a core's loop: while tasks ran, or the core was kept from running.", Values::CoreLag),
    family("corelane_core_stalls", Kind::Counter, "", "Turns that came corelane_stall_threshold_seconds late or later: handlers held the core, or the machine did.", Values::CoreStalls),
    family("corelane_stall_threshold_seconds", Kind::Gauge, "seconds", "By how much a turn comes late at least in a stall.", Values::StallThreshold),
    family("corelane_core_file_cache_hits", Kind::Counter, "", "Requests for files that each core answered from its cache.", Values::CoreCacheHits),
    family("corelane_core_file_cache_misses", Kind::Counter, "", "Requests for files that each core opened one for.", Values::CoreCacheMisses),
    family("corelane_core_file_cache_entries", Kind::Gauge, "", "Files in the cache of each core.", Values::CoreCacheEntries),
    family("corelane_core_file_cache_bytes", Kind::Gauge, "bytes", "Memory that the cache of each core costs, about.", Values::CoreCacheBytes),
    family("corelane_core_receive_buffers_held", Kind::Gauge, "", "Receive buffers of each core that hold received bytes.", Values::CoreBuffersHeld),
    family("corelane_core_receive_buffers_bytes", Kind::Gauge, "bytes", "Memory of all receive buffers that each core needed at the same time.", Values::CoreBufferBytes),
    family("process_cpu_seconds", Kind::Counter, "seconds", "CPU time that the process has had.", Values::ProcessCpu),
    family("process_resident_memory_bytes", Kind::Gauge, "bytes", "Memory that the process occupies.", Values::ProcessMemory),
    family("process_open_fds", Kind::Gauge, "", "Descriptors that the process has open.", Values::ProcessDescriptors),
    family("process_max_fds", Kind::Gauge, "", "Descriptors that the process may have open.", Values::ProcessDescriptorLimit),
    family("corelane_kernel", Kind::Info, "", "The kernel.", Values::Kernel),
    family("corelane_kernel_listen_overflows", Kind::Counter, "", "Connections that found an accept queue full, of the network namespace.", Values::ListenOverflows),
    family("corelane_kernel_listen_drops", Kind::Counter, "", "Connections dropped before they were accepted, of the network namespace.", Values::ListenDrops),
    family("corelane_kernel_tcp_segments_sent", Kind::Counter, "", "TCP segments sent, without those sent again, of the network namespace.", Values::SegmentsSent),
    family("corelane_kernel_tcp_segments_retransmitted", Kind::Counter, "", "TCP segments sent again, of the network namespace.", Values::SegmentsRetransmitted),
    family("corelane_log_events_left_out", Kind::Counter, "", "Events left out of the log because there were too many of their kind.", Values::LogEvents),
    family("corelane_log_lines_left_out", Kind::Counter, "", "Lines left out of logs because they were written too slowly.", Values::LogLines),
    family("corelane_core_snapshot_age_seconds", Kind::Gauge, "seconds", "How old the figures of each core are.", Values::CoreAge),
];

/// Upper bounds of the buckets of a classic histogram, in nanoseconds: 10 µs to 10 s. What is longer is
/// in the one without a bound.
pub(super) const BOUNDS_NS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Histograms or rows told at a time, so that a core that writes many can do something else in between: a histogram is
/// 3 to 4 KB of text.
const AT_A_TIME: usize = 2;

/// Families, told piece by piece.
pub(super) struct Telling<'a> {
    pub(super) view: &'a View,
    pub(super) selection: &'a Selection,
    pub(super) server: &'a ServerInfo,
    pub(super) now_ns: u64,
    family: usize,
    /// The next histogram or row of the family; none of it is told while this is 0.
    next: usize,
}

impl<'a> Telling<'a> {
    pub(super) fn new(
        view: &'a View,
        selection: &'a Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Self {
        Self {
            view,
            selection,
            server,
            now_ns,
            family: 0,
            next: 0,
        }
    }

    /// Tells the next piece; `false` when there is none.
    pub(super) fn next(&mut self, encoder: &mut impl Encoder) -> bool {
        let Some(family) = FAMILIES.get(self.family) else {
            return false;
        };
        if family.values == Values::CoreLatency && !self.selection.per_core {
            self.family += 1;
            return true;
        }
        if self.next == 0 {
            encoder.begin(family);
        }
        let all = match family.values {
            Values::Requests => self.view.series_count(),
            Values::Stages => STAGES.len() * self.view.series_count(),
            Values::Routes => self.view.rows.len(),
            Values::CoreLatency | Values::CoreLag => self.view.cores.len(),
            _ => 0,
        };
        let until = all.min(self.next + AT_A_TIME);
        self.tell(family, self.next..until, encoder);
        self.next = until;
        if until == all {
            encoder.end();
            (self.family, self.next) = (self.family + 1, 0);
        }
        true
    }

    fn tell(&self, family: &Family, range: Range<usize>, encoder: &mut impl Encoder) {
        let view = self.view;
        let figures = view.window(Window::Total);
        match family.values {
            Values::Build => {
                let Build {
                    revision,
                    rustc,
                    target,
                    profile,
                } = self.server.build;
                let labels = [
                    ("version", self.server.version),
                    ("revision", revision),
                    ("rustc", rustc),
                    ("target", target),
                    ("profile", profile),
                ];
                encoder.number(&labels, 1.0);
            }
            Values::StartTime => {
                let since = self.server.started_at.duration_since(UNIX_EPOCH);
                encoder.number(&[], since.unwrap_or_default().as_secs_f64());
            }
            Values::Requests => {
                for number in range {
                    if let Some((labels, kinds, since)) = self.series(number) {
                        encoder.histogram(&labels, kinds[WHOLE], Some(since));
                    }
                }
            }
            Values::Stages => {
                for place in range {
                    let (number, stage) = (place / STAGES.len(), place % STAGES.len());
                    if let Some((labels, kinds, since)) = self.series(number) {
                        let [route, method, class] = labels;
                        let labels = [route, method, class, ("stage", STAGES[stage])];
                        encoder.histogram(&labels, kinds[WHOLE + 1 + stage], Some(since));
                    }
                }
            }
            Values::StallThreshold => {
                encoder.number(&[], self.server.stall_threshold.as_secs_f64());
            }
            Values::Active => encoder.number(&[], view.requests_in_flight as f64),
            Values::Abandoned => encoder.number(&[], figures.counters.abandoned as f64),
            Values::Responses => {
                for (code, count) in figures.counters.status.usual_codes() {
                    let code = code.to_string();
                    encoder.number(&[("http_response_status_code", &code)], count as f64);
                }
            }
            Values::Classes => {
                for (class, count) in CLASSES.iter().zip(figures.counters.status.classes()) {
                    encoder.number(&[("http_response_status_class", class)], count as f64);
                }
            }
            Values::Routes => {
                let rows = self.view.rows[range].iter();
                for row in rows.filter(|row| self.selection.has(&row.route)) {
                    let responses = view.row_responses(Window::Total, row);
                    for (class, count) in CLASSES.iter().zip(responses) {
                        encoder.number(&labels(&row.route, row.method, class), count as f64);
                    }
                }
            }
            Values::Connections => {
                let idle = view.connections.idle;
                let busy = view.connections.active.saturating_sub(idle);
                encoder.number(&[("state", "busy")], busy as f64);
                encoder.number(&[("state", "idle")], idle as f64);
            }
            Values::Accepted => encoder.number(&[], figures.counters.accepted as f64),
            Values::Closed => {
                for (reason, count) in figures.counters.closed() {
                    encoder.number(&[("reason", reason)], count as f64);
                }
            }
            Values::Pauses => encoder.number(&[], figures.counters.accept_pauses as f64),
            Values::Received => encoder.number(&[], figures.counters.received_bytes as f64),
            Values::Sent => encoder.number(&[], figures.counters.sent_bytes as f64),
            Values::CoreLatency | Values::CoreLag => {
                for place in range {
                    let core = &view.cores[place];
                    let distribution = match family.values {
                        Values::CoreLag => view.lag(Window::Total, place),
                        _ => view.core_latency(Window::Total, place),
                    };
                    encoder.histogram(&[("core", &core.core.to_string())], distribution, None);
                }
            }
            Values::Kernel => encoder.number(&[("release", &self.server.kernel)], 1.0),
            Values::LogEvents => encoder.number(&[], figures.counters.log_left_out as f64),
            other => {
                for core in &view.cores {
                    if let Some(value) = self.core_number(other, core) {
                        encoder.number(&[("core", &core.core.to_string())], value);
                    }
                }
                if let Some(value) = surrounding_number(other, &view.surroundings) {
                    encoder.number(&[], value);
                }
            }
        }
    }

    fn core_number(&self, values: Values, core: &CoreView) -> Option<f64> {
        Some(match values {
            Values::CoreRequests => core.requests_total as f64,
            Values::CoreConnections => core.connections_active as f64,
            Values::CoreAcceptQueue => f64::from(core.outside.accept_queue?.waiting),
            Values::CoreAcceptLimit => f64::from(core.outside.accept_queue?.limit),
            Values::CoreAcceptRatio => core.outside.accept_queue?.ratio(),
            Values::CoreBusy => core.busy_ns as f64 / 1e9,
            Values::CoreWaiting => core.waiting_ns as f64 / 1e9,
            Values::CoreRunDelay => core.outside.run_delay_ns? as f64 / 1e9,
            Values::CoreStalls => core.stalls_total as f64,
            Values::CoreCacheHits => core.file_cache?.hits as f64,
            Values::CoreCacheMisses => core.file_cache?.misses as f64,
            Values::CoreCacheEntries => core.file_cache?.entries as f64,
            Values::CoreCacheBytes => core.file_cache?.bytes as f64,
            Values::CoreBuffersHeld => core.receive_buffers?.held as f64,
            Values::CoreBufferBytes => core.receive_buffers?.bytes as f64,
            Values::CoreAge => self.now_ns.saturating_sub(core.snapshot_at_ns) as f64 / 1e9,
            _ => return None,
        })
    }

    /// The series with this number, if it is selected, with its labels and since when it is there.
    fn series(
        &self,
        number: usize,
    ) -> Option<([Label<'_>; 3], [&Distribution; KINDS], SystemTime)> {
        let (name, kinds) = self.view.nth_series(Window::Total, number);
        let is_told = kinds[WHOLE].count() > 0 && self.selection.has(&name.route);
        let labels = labels(&name.route, name.method, name.class);
        is_told.then_some((labels, kinds, name.since))
    }
}

/// The labels of what is told of a row by class of status.
fn labels<'a>(route: &'a str, method: &'a str, class: &'a str) -> [Label<'a>; 3] {
    [
        ("http_route", route),
        ("http_request_method", method),
        ("http_response_status_class", class),
    ]
}

fn surrounding_number(values: Values, around: &Surroundings) -> Option<f64> {
    if values == Values::ProcessCpu {
        return Some(around.cpu_ns as f64 / 1e9);
    }
    let number = match values {
        Values::ProcessMemory => around.resident_bytes,
        Values::ProcessDescriptors => around.open_descriptors,
        Values::ProcessDescriptorLimit => around.descriptor_limit,
        Values::ListenOverflows => around.listen_overflows,
        Values::ListenDrops => around.listen_drops,
        Values::SegmentsSent => around.segments_sent,
        Values::SegmentsRetransmitted => around.segments_retransmitted,
        Values::LogLines => Some(around.lines_left_out),
        _ => None,
    };
    number.map(|number| number as f64)
}
