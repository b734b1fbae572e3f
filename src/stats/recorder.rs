//! What a core does, counted while it does it: the hot path of the statistics. It has one owner,
//! uses no atomics, allocates nothing once it is made, and is told every time it needs.

use super::snapshot::{Counters, FileCache, ReceiveBuffers, Snapshot};

/// The counters of one core.
///
/// Counters go up only and are since the start; `in_flight` and the idle connections are gauges
/// that the owner moves both ways. Memory: 34 KiB, and 8 bytes for each close reason.
#[derive(Debug)]
pub struct Recorder {
    core: usize,
    accept_queue: Option<u32>,
    receive_buffers: Option<ReceiveBuffers>,
    file_cache: Option<FileCache>,
    counters: Counters,
}

impl Recorder {
    /// Makes a recorder of nothing yet for `core`, whose connections end for one of
    /// `close_reasons`, each named as `/stats` shows it.
    pub fn new(core: usize, close_reasons: &'static [&'static str]) -> Recorder {
        Recorder {
            core,
            accept_queue: None,
            receive_buffers: None,
            file_cache: None,
            counters: Counters::new(close_reasons),
        }
    }

    /// A request has been answered: the last byte of its response, which had this status, was
    /// handed to the kernel this many nanoseconds after the last byte of its head was delivered.
    #[inline]
    pub fn request(&mut self, status: u16, latency_ns: u64) {
        self.counters.latency.record(latency_ns);
        self.counters.status.record(status);
    }

    /// A request begins, and is in flight until [`Recorder::request_finished`].
    #[inline]
    pub fn request_started(&mut self) {
        self.counters.in_flight += 1;
    }

    /// Requests that have begun and not ended.
    pub fn in_flight(&self) -> u64 {
        self.counters.in_flight
    }

    /// A request that had begun has ended, answered or abandoned.
    #[inline]
    pub fn request_finished(&mut self) {
        lower(&mut self.counters.in_flight);
    }

    /// A connection was accepted, and is active until [`Recorder::closed`].
    #[inline]
    pub fn accepted(&mut self) {
        self.counters.accepted += 1;
    }

    /// A connection has ended, for the reason that is the `reason`th of the names given to
    /// [`Recorder::new`].
    ///
    /// # Panics
    ///
    /// If there is no such name.
    #[inline]
    pub fn closed(&mut self, reason: usize) {
        self.counters.closed[reason] += 1;
    }

    /// A connection waits for the first byte of a request, and is idle until
    /// [`Recorder::connection_busy`].
    #[inline]
    pub fn connection_idle(&mut self) {
        self.counters.idle += 1;
    }

    /// A connection that was idle is so no more. One that ends while it is idle says this as well
    /// as [`Recorder::closed`].
    #[inline]
    pub fn connection_busy(&mut self) {
        lower(&mut self.counters.idle);
    }

    /// This many bytes were received.
    #[inline]
    pub fn received(&mut self, bytes: u64) {
        self.counters.received_bytes += bytes;
    }

    /// This many bytes were handed to the kernel.
    #[inline]
    pub fn sent(&mut self, bytes: u64) {
        self.counters.sent_bytes += bytes;
    }

    /// Accepting was paused because the system had nothing left to accept with (EMFILE, ENFILE,
    /// ENOBUFS or ENOMEM of accept(2)).
    #[inline]
    pub fn accept_paused(&mut self) {
        self.counters.accept_pauses += 1;
    }

    /// This many connections wait in the core's accept queue now. Until it is said for the first
    /// time, `/stats` leaves `accept_queue` out.
    #[inline]
    pub fn accept_queue(&mut self, waiting: u32) {
        self.accept_queue = Some(waiting);
    }

    /// The core's receive buffers are these now. Until it is said for the first time, `/stats` leaves
    /// `receive_buffers` out.
    #[inline]
    pub fn receive_buffers(&mut self, buffers: ReceiveBuffers) {
        self.receive_buffers = Some(buffers);
    }

    /// The core remembers these files now. Until it is said for the first time, `/stats` leaves
    /// `file_cache` out.
    #[inline]
    pub fn file_cache(&mut self, cache: FileCache) {
        self.file_cache = Some(cache);
    }

    /// The core ran for this many nanoseconds.
    #[inline]
    pub fn ran(&mut self, ns: u64) {
        self.counters.busy_ns += ns;
    }

    /// The core waited for something to do for this many nanoseconds.
    #[inline]
    pub fn waited(&mut self, ns: u64) {
        self.counters.waiting_ns += ns;
    }

    /// Copies the counters as they are now, which is `at_ns` on the monotonic clock.
    pub fn snapshot(&self, at_ns: u64) -> Snapshot {
        Snapshot {
            core: self.core,
            at_ns,
            accept_queue: self.accept_queue,
            receive_buffers: self.receive_buffers,
            file_cache: self.file_cache,
            counters: self.counters.clone(),
        }
    }

    /// Does what [`Recorder::snapshot`] does in the memory of an old snapshot, of any core of the
    /// same server: it allocates nothing.
    pub fn snapshot_into(&self, snapshot: &mut Snapshot, at_ns: u64) {
        snapshot.core = self.core;
        snapshot.at_ns = at_ns;
        snapshot.accept_queue = self.accept_queue;
        snapshot.receive_buffers = self.receive_buffers;
        snapshot.file_cache = self.file_cache;
        snapshot.counters.copy_from(&self.counters);
    }
}

/// Takes one from a gauge that is above 0. A caller that takes one too many is wrong, but the
/// gauge must not show 2⁶⁴ − 1 for it.
#[inline]
fn lower(gauge: &mut u64) {
    debug_assert!(*gauge > 0, "a gauge is lowered as often as it is raised");
    *gauge = gauge.saturating_sub(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASONS: &[&str] = &["peer_closed", "head_timeout"];
    const BUFFERS: ReceiveBuffers = ReceiveBuffers {
        held: 3,
        bytes: 8_192,
    };

    /// A recorder that has seen something of everything.
    fn busy() -> Recorder {
        let mut recorder = Recorder::new(3, REASONS);
        for status in [200, 200, 404] {
            recorder.request_started();
            recorder.request(status, u64::from(status) * 1_000);
            recorder.request_finished();
        }
        for _ in 0..4 {
            recorder.accepted();
            recorder.connection_idle();
        }
        recorder.connection_busy();
        recorder.connection_busy();
        recorder.request_started();
        recorder.closed(1);
        recorder.received(100);
        recorder.received(11);
        recorder.sent(2_000);
        recorder.sent(22);
        recorder.accept_paused();
        recorder.accept_queue(7);
        recorder.receive_buffers(BUFFERS);
        recorder.ran(30);
        recorder.waited(70);
        recorder
    }

    #[test]
    fn everything_is_counted_where_it_belongs() {
        let snapshot = busy().snapshot(99);
        assert_eq!(snapshot.core(), 3);
        assert_eq!(snapshot.at_ns(), 99);
        assert_eq!(snapshot.accept_queue, Some(7));
        assert_eq!(snapshot.receive_buffers, Some(BUFFERS));
        let counters = &snapshot.counters;
        assert_eq!(counters.latency.count(), 3);
        assert_eq!(counters.latency.summary().max_ns, 404_000);
        assert_eq!(
            counters.status.codes().collect::<Vec<_>>(),
            [(200, 2), (404, 1)]
        );
        assert_eq!(counters.in_flight, 1);
        assert_eq!(counters.accepted, 4);
        assert_eq!(counters.active(), 3);
        assert_eq!(counters.idle, 2);
        assert_eq!(*counters.closed, [0, 1]);
        assert_eq!((counters.received_bytes, counters.sent_bytes), (111, 2_022));
        assert_eq!(counters.accept_pauses, 1);
        assert_eq!((counters.busy_ns, counters.waiting_ns), (30, 70));
    }

    #[test]
    fn an_abandoned_request_leaves_in_flight_and_is_not_counted() {
        let mut recorder = Recorder::new(0, REASONS);
        recorder.request_started();
        recorder.request_finished();
        assert_eq!(recorder.snapshot(0), Recorder::new(0, REASONS).snapshot(0));
    }

    #[test]
    fn a_snapshot_is_a_copy_that_later_requests_do_not_reach() {
        let mut recorder = busy();
        let before = recorder.snapshot(1);
        recorder.request(500, 1);
        assert_eq!(before, busy().snapshot(1));
        assert_eq!(recorder.snapshot(2).counters.latency.count(), 4);
    }

    #[test]
    fn snapshot_into_leaves_nothing_of_the_old_one() {
        let old = busy().snapshot(5);
        for recorder in [busy(), Recorder::new(1, REASONS)] {
            let mut reused = old.clone();
            recorder.snapshot_into(&mut reused, 6);
            assert_eq!(reused, recorder.snapshot(6));
        }
    }

    #[test]
    fn snapshot_into_uses_the_memory_that_is_there() {
        let memory = |snapshot: &Snapshot| {
            let counters = &snapshot.counters;
            (counters.status.memory(), counters.closed.as_ptr())
        };
        let mut reused = Recorder::new(1, REASONS).snapshot(5);
        let before = memory(&reused);
        busy().snapshot_into(&mut reused, 6);
        assert_eq!(memory(&reused), before);
    }

    #[test]
    fn snapshots_are_sent_between_threads() {
        fn is_send<T: Send>() {}
        is_send::<Snapshot>();
    }
}
