//! One core's counters, and an owned copy of them that may leave the core. It interprets nothing.

use super::latency::Latencies;
use super::status::StatusCounts;

/// A copy of one core's counters at one moment, made by
/// [`Recorder::snapshot`](super::Recorder::snapshot) and sent to another thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(super) core: usize,
    pub(super) at_ns: u64,
    pub(super) accept_queue: Option<u32>,
    pub(super) receive_buffers: Option<ReceiveBuffers>,
    pub(super) file_cache: Option<FileCache>,
    pub(super) counters: Counters,
}

/// The buffers of one core that bytes are received into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveBuffers {
    /// Those that hold received bytes, taken or not; the others are the kernel's to fill.
    pub held: u64,
    /// Bytes of all that were needed at the same time so far.
    pub bytes: u64,
}

/// What one core remembers of the files that it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileCache {
    /// Requests that were answered from it, perhaps after a look at the file.
    pub hits: u64,
    /// Requests for which a file was opened.
    pub misses: u64,
    /// Files in it.
    pub entries: u64,
    /// Bytes of memory that they cost, about.
    pub bytes: u64,
}

impl Snapshot {
    /// The core that these are the figures of.
    pub fn core(&self) -> usize {
        self.core
    }

    /// When it was taken, in nanoseconds on the monotonic clock.
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }
}

/// Everything that adds up over cores. The fields without `_ns` and `_bytes` count events or
/// things.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counters {
    pub(super) latency: Latencies,
    pub(super) status: StatusCounts,
    pub(super) in_flight: u64,
    pub(super) accepted: u64,
    pub(super) idle: u64,
    pub(super) accept_pauses: u64,
    pub(super) close_reasons: &'static [&'static str],
    /// One counter for each name in `close_reasons`.
    pub(super) closed: Box<[u64]>,
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) busy_ns: u64,
    pub(super) waiting_ns: u64,
}

impl Counters {
    pub(super) fn new(close_reasons: &'static [&'static str]) -> Counters {
        Counters {
            latency: Latencies::new(),
            status: StatusCounts::new(),
            in_flight: 0,
            accepted: 0,
            idle: 0,
            accept_pauses: 0,
            close_reasons,
            closed: vec![0; close_reasons.len()].into_boxed_slice(),
            received_bytes: 0,
            sent_bytes: 0,
            busy_ns: 0,
            waiting_ns: 0,
        }
    }

    /// Connections that are open.
    pub(super) fn active(&self) -> u64 {
        self.accepted
            .saturating_sub(self.closed.iter().sum::<u64>())
    }

    /// Becomes a copy of `source`, which has the same close reasons, without allocating.
    pub(super) fn copy_from(&mut self, source: &Counters) {
        // Taken apart, so that a new field cannot be forgotten.
        let Counters {
            latency,
            status,
            in_flight,
            accepted,
            idle,
            accept_pauses,
            close_reasons,
            closed,
            received_bytes,
            sent_bytes,
            busy_ns,
            waiting_ns,
        } = source;
        self.latency.copy_from(latency);
        self.status.copy_from(status);
        self.in_flight = *in_flight;
        self.accepted = *accepted;
        self.idle = *idle;
        self.accept_pauses = *accept_pauses;
        self.close_reasons = close_reasons;
        self.closed.clone_from(closed);
        self.received_bytes = *received_bytes;
        self.sent_bytes = *sent_bytes;
        self.busy_ns = *busy_ns;
        self.waiting_ns = *waiting_ns;
    }

    /// Adds the counters of another core, which has the same close reasons.
    pub(super) fn add(&mut self, other: &Counters) {
        let Counters {
            latency,
            status,
            in_flight,
            accepted,
            idle,
            accept_pauses,
            close_reasons: _,
            closed,
            received_bytes,
            sent_bytes,
            busy_ns,
            waiting_ns,
        } = other;
        self.latency.add(latency);
        self.status.add(status);
        self.in_flight += in_flight;
        self.accepted += accepted;
        self.idle += idle;
        self.accept_pauses += accept_pauses;
        for (count, more) in self.closed.iter_mut().zip(closed) {
            *count += more;
        }
        self.received_bytes += received_bytes;
        self.sent_bytes += sent_bytes;
        self.busy_ns += busy_ns;
        self.waiting_ns += waiting_ns;
    }
}
