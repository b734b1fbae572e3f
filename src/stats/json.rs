//! `/stats?format=json`: a view written with the names, order and types that scripts rely on. It
//! computes nothing but ages.

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::latency::LatencySummary;
use super::rfc3339::rfc3339;
use super::snapshot::{FileCache, ReceiveBuffers};
use super::status::StatusCounts;
use super::view::{Connections, CoreView, View};

/// What `/stats` says of the server itself, besides what it counted.
#[derive(Debug, Clone)]
pub struct ServerInfo {
    /// The program's name.
    pub name: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// The process.
    pub pid: u32,
    /// When it started, by the calendar.
    pub started_at: SystemTime,
    /// When it started, in nanoseconds on the monotonic clock: the uptime is counted from here, so
    /// that setting the calendar does not change it.
    pub started_ns: u64,
    /// How many cores serve.
    pub cores: usize,
}

/// Writes `view` as JSON (RFC 8259), at `now_ns` on the monotonic clock.
pub fn json(view: &View, server: &ServerInfo, now_ns: u64) -> Vec<u8> {
    let document = Document::new(view, server, now_ns);
    // Room for the whole text in all but unusual cases, in which it grows.
    let mut text = Vec::with_capacity(2_048 + 384 * view.cores.len());
    serde_json::to_writer(&mut text, &document)
        .expect("all keys are text and a vector takes all that is written");
    text
}

#[derive(Serialize)]
struct Document<'a> {
    server: Server<'a>,
    window: Window,
    requests: Requests,
    latency: &'a LatencySummary,
    status: Status<'a>,
    connections: ConnectionCounts<'a>,
    bytes: Bytes,
    cores: Vec<Core<'a>>,
}

#[derive(Serialize)]
struct Server<'a> {
    name: &'a str,
    version: &'a str,
    pid: u32,
    started_at: String,
    uptime_seconds: f64,
    cores: usize,
}

#[derive(Serialize)]
struct Window {
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
    #[serde(rename = "1xx")]
    informational: u64,
    #[serde(rename = "2xx")]
    successful: u64,
    #[serde(rename = "3xx")]
    redirection: u64,
    #[serde(rename = "4xx")]
    client_error: u64,
    #[serde(rename = "5xx")]
    server_error: u64,
    #[serde(serialize_with = "codes")]
    codes: &'a StatusCounts,
}

#[derive(Serialize)]
struct ConnectionCounts<'a> {
    accepted_total: u64,
    active: u64,
    idle: u64,
    #[serde(serialize_with = "closed")]
    closed: &'a [(&'static str, u64)],
}

#[derive(Serialize)]
struct Bytes {
    received_total: u64,
    sent_total: u64,
}

#[derive(Serialize)]
struct Core<'a> {
    core: usize,
    requests_total: u64,
    connections_active: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_queue: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_buffers: Option<Buffers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_cache: Option<CacheFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    busy_ratio: Option<f64>,
    snapshot_age_ms: u64,
    #[serde(flatten)]
    latency: &'a LatencySummary,
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
    fn new(view: &'a View, server: &'a ServerInfo, now_ns: u64) -> Document<'a> {
        Document {
            server: Server {
                name: server.name,
                version: server.version,
                pid: server.pid,
                started_at: rfc3339(server.started_at),
                uptime_seconds: seconds(now_ns.saturating_sub(server.started_ns)),
                cores: server.cores,
            },
            window: Window {
                name: "total",
                seconds: seconds(view.merged_at_ns.saturating_sub(server.started_ns)),
            },
            requests: Requests {
                total: view.requests_total,
                per_second: to_thousandths(view.requests_per_second),
                in_flight: view.requests_in_flight,
            },
            latency: &view.latency,
            status: Status::new(&view.status),
            connections: ConnectionCounts::new(&view.connections),
            bytes: Bytes {
                received_total: view.received_bytes,
                sent_total: view.sent_bytes,
            },
            cores: view
                .cores
                .iter()
                .map(|core| Core::new(core, now_ns))
                .collect(),
        }
    }
}

impl<'a> Status<'a> {
    fn new(status: &'a StatusCounts) -> Status<'a> {
        let [
            informational,
            successful,
            redirection,
            client_error,
            server_error,
        ] = status.classes();
        Status {
            informational,
            successful,
            redirection,
            client_error,
            server_error,
            codes: status,
        }
    }
}

impl<'a> ConnectionCounts<'a> {
    fn new(connections: &'a Connections) -> ConnectionCounts<'a> {
        ConnectionCounts {
            accepted_total: connections.accepted_total,
            active: connections.active,
            idle: connections.idle,
            closed: &connections.closed,
        }
    }
}

impl<'a> Core<'a> {
    fn new(core: &'a CoreView, now_ns: u64) -> Core<'a> {
        Core {
            core: core.core,
            requests_total: core.requests_total,
            connections_active: core.connections_active,
            accept_queue: core.accept_queue,
            receive_buffers: core.receive_buffers.map(Buffers::new),
            file_cache: core.file_cache.map(CacheFigures::new),
            busy_ratio: core.busy_ratio.map(to_thousandths),
            snapshot_age_ms: now_ns.saturating_sub(core.snapshot_at_ns) / 1_000_000,
            latency: &core.latency,
        }
    }
}

impl Buffers {
    fn new(buffers: ReceiveBuffers) -> Buffers {
        let ReceiveBuffers { held, bytes } = buffers;
        Buffers { held, bytes }
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

/// Writes the close reasons as an object, the reason as its key.
fn closed<S: Serializer>(closed: &[(&str, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(closed.iter().copied())
}

fn seconds(ns: u64) -> f64 {
    (ns / 1_000_000) as f64 / 1e3
}

/// Rounds, because more digits would only claim a precision that is not there.
fn to_thousandths(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests;
