//! What all cores counted, merged at one moment: figures only, ready to be written in any format.

use super::latency::LatencySummary;
use super::snapshot::{FileCache, ReceiveBuffers};
use super::status::StatusCounts;

/// Merged figures of a server and the figures of each of its cores, made by
/// [`Totals::merge`](super::Totals::merge). It never changes, and is shared as `Arc<View>`.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// When it was merged, in nanoseconds on the monotonic clock.
    pub merged_at_ns: u64,
    /// Requests answered since the start.
    pub requests_total: u64,
    /// Requests a second over the cores' last intervals of at least
    /// [`RATE_INTERVAL_NS`](crate::limits::RATE_INTERVAL_NS).
    pub requests_per_second: f64,
    /// Requests begun and not ended.
    pub requests_in_flight: u64,
    /// Latencies of all requests answered since the start.
    pub latency: LatencySummary,
    /// Status codes of all responses since the start.
    pub status: StatusCounts,
    /// Connections.
    pub connections: Connections,
    /// Bytes received since the start.
    pub received_bytes: u64,
    /// Bytes handed to the kernel since the start.
    pub sent_bytes: u64,
    /// Every core, in the order given to [`Totals::new`](super::Totals::new).
    pub cores: Vec<CoreView>,
}

/// The connections of all cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    /// Accepted since the start.
    pub accepted_total: u64,
    /// Open now.
    pub active: u64,
    /// Open, and waiting for the first byte of a request.
    pub idle: u64,
    /// Times that accepting was paused because the system had nothing left to accept with.
    pub accept_pauses_total: u64,
    /// Ended since the start, by reason: every reason there is, those with 0 included.
    pub closed: Vec<(&'static str, u64)>,
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
    /// Connections open.
    pub connections_active: u64,
    /// Connections in its accept queue, if it told.
    pub accept_queue: Option<u32>,
    /// Its receive buffers, if it told.
    pub receive_buffers: Option<ReceiveBuffers>,
    /// The files that it remembers, if it serves any.
    pub file_cache: Option<FileCache>,
    /// The share of its last interval in which it ran, from 0 to 1, if it told.
    pub busy_ratio: Option<f64>,
    /// Latencies of the requests it answered since the start.
    pub latency: LatencySummary,
}
