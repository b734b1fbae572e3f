//! What leaves a core: its counters, and the latencies since its last snapshot. It interprets nothing.

use super::recent::{OfKind, Recent};
use super::series::{KINDS, MethodIndex, Series, Whose};
use super::status::StatusCounts;

/// One core's counters at one moment and its latencies since the moment before, taken by
/// [`Recorder::snapshot`](super::Recorder::snapshot) and sent to another thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(super) core: usize,
    pub(super) at_ns: u64,
    pub(super) receive_buffers: Option<ReceiveBuffers>,
    pub(super) file_cache: Option<FileCache>,
    pub(super) counters: Counters,
    pub(super) stalls: Vec<Stall>,
    /// Of requests.
    pub(super) series: Vec<(Series, Box<Recent<KINDS>>)>,
    /// Of turns of the core's loop.
    pub(super) lag: Box<Recent<1>>,
    /// Empty ones, for the next time.
    pub(super) spare: Vec<Box<Recent<KINDS>>>,
}

/// What latencies are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Requests, or that stage of them.
    Series(Series, u8),
    /// Turns of the core's loop.
    Lag,
}

/// A turn of a core's loop in which tasks ran for longer than [`STALL`](crate::limits::STALL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// Which core.
    pub core: usize,
    /// When it was over, in nanoseconds on the monotonic clock.
    pub at_ns: u64,
    /// How long it took, in nanoseconds.
    pub held_ns: u64,
    /// What its thread had of the CPU meanwhile, if that is known.
    pub ran: Option<Ran>,
    /// Whose handler took most of that, if one did.
    pub(super) by: Option<(Whose, MethodIndex)>,
}

/// What a thread that was not asleep of its own will had of its CPU, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// For how long it ran, at least.
    pub cpu_ns: u64,
    /// For how long it was kept from running, at most.
    pub run_delay_ns: Option<u64>,
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

impl FileCache {
    /// Both together.
    pub(super) fn and(self, other: FileCache) -> FileCache {
        FileCache {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Snapshot {
    pub(super) fn new(core: usize, close_reasons: &'static [&'static str]) -> Snapshot {
        Snapshot {
            core,
            at_ns: 0,
            receive_buffers: None,
            file_cache: None,
            counters: Counters::new(close_reasons),
            stalls: Vec::new(),
            series: Vec::new(),
            lag: Box::new(Recent::new()),
            spare: Vec::new(),
        }
    }

    /// The core that these are the figures of.
    pub fn core(&self) -> usize {
        self.core
    }

    /// When it was taken, in nanoseconds on the monotonic clock.
    pub fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Forgets the latencies and stalls, but not their memory, with a `rest` between two series.
    pub(super) fn clear(&mut self, mut rest: impl FnMut()) {
        self.stalls.clear();
        self.lag.clear();
        for (_, mut recent) in self.series.drain(..) {
            recent.clear();
            self.spare.push(recent);
            rest();
        }
    }

    /// The latencies of each kind.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Of, OfKind<'_>)> {
        let series = self.series.iter().flat_map(|(series, recent)| {
            let kinds = recent.kinds().enumerate();
            kinds.map(|(kind, latencies)| (Of::Series(*series, kind as u8), latencies))
        });
        let lag = self.lag.kinds().map(|turns| (Of::Lag, turns));
        series.chain(lag.take_while(|_| !self.lag.is_empty()))
    }

    /// Takes the memory for latencies that another has, which is empty.
    pub(super) fn take_memory(&mut self, other: &mut Snapshot) {
        self.spare.append(&mut other.spare);
    }
}

/// Everything that adds up over cores. The fields without `_ns` and `_bytes` count events or
/// things.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Counters {
    /// Requests answered.
    pub(super) requests: u64,
    pub(super) status: StatusCounts,
    pub(super) in_flight: u64,
    /// Requests whose connections ended before they were answered.
    pub(super) abandoned: u64,
    pub(super) accepted: u64,
    pub(super) idle: u64,
    pub(super) accept_pauses: u64,
    pub(super) stalls: u64,
    /// Events left out of the log.
    pub(super) log_left_out: u64,
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
            requests: 0,
            status: StatusCounts::new(),
            in_flight: 0,
            abandoned: 0,
            accepted: 0,
            idle: 0,
            accept_pauses: 0,
            stalls: 0,
            log_left_out: 0,
            close_reasons,
            closed: vec![0; close_reasons.len()].into_boxed_slice(),
            received_bytes: 0,
            sent_bytes: 0,
            busy_ns: 0,
            waiting_ns: 0,
        }
    }

    /// Connections that ended, by reason: every reason there is, those with 0 included.
    pub(super) fn closed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.close_reasons
            .iter()
            .copied()
            .zip(self.closed.iter().copied())
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
            requests,
            status,
            in_flight,
            abandoned,
            accepted,
            idle,
            accept_pauses,
            stalls,
            log_left_out,
            close_reasons,
            closed,
            received_bytes,
            sent_bytes,
            busy_ns,
            waiting_ns,
        } = source;
        self.requests = *requests;
        self.status.copy_from(status);
        self.in_flight = *in_flight;
        self.abandoned = *abandoned;
        self.accepted = *accepted;
        self.idle = *idle;
        self.accept_pauses = *accept_pauses;
        self.stalls = *stalls;
        self.log_left_out = *log_left_out;
        self.close_reasons = close_reasons;
        self.closed.clone_from(closed);
        self.received_bytes = *received_bytes;
        self.sent_bytes = *sent_bytes;
        self.busy_ns = *busy_ns;
        self.waiting_ns = *waiting_ns;
    }

    /// Adds the counters of another core, which has the same close reasons.
    pub(super) fn add(&mut self, other: &Counters) {
        self.change(other, |count, more| *count += more);
        self.in_flight += other.in_flight;
        self.idle += other.idle;
    }

    /// Takes out what `earlier` had already counted; the gauges stay as they are.
    pub(super) fn since(&mut self, earlier: &Counters) {
        self.change(earlier, |count, earlier| *count -= earlier);
    }

    /// Changes each counter by that of `other`, and no gauge.
    fn change(&mut self, other: &Counters, change: impl Fn(&mut u64, u64)) {
        // Taken apart, so that a new field cannot be forgotten.
        let Counters {
            requests,
            status,
            in_flight: _,
            abandoned,
            accepted,
            idle: _,
            accept_pauses,
            stalls,
            log_left_out,
            close_reasons: _,
            closed,
            received_bytes,
            sent_bytes,
            busy_ns,
            waiting_ns,
        } = other;
        self.status.change(status, &change);
        for (count, by) in self.closed.iter_mut().zip(closed) {
            change(count, *by);
        }
        change(&mut self.requests, *requests);
        change(&mut self.abandoned, *abandoned);
        change(&mut self.accepted, *accepted);
        change(&mut self.accept_pauses, *accept_pauses);
        change(&mut self.stalls, *stalls);
        change(&mut self.log_left_out, *log_left_out);
        change(&mut self.received_bytes, *received_bytes);
        change(&mut self.sent_bytes, *sent_bytes);
        change(&mut self.busy_ns, *busy_ns);
        change(&mut self.waiting_ns, *waiting_ns);
    }
}
