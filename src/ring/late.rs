//! What waited before it was reaped: which completions may have, and for how long.
//!
//! While tasks hold the core, or the kernel gives it to others, bytes come in and nobody looks. Their completions are
//! reaped later and all at once, as if they had come just then. How long those have waited only the socket
//! knows: `TCP_INFO` says how long ago its last segment of data came, also of one that came while the connection was
//! in the accept queue. To ask takes 1 to 2 µs, so it is asked where it matters and nowhere else:
//!
//! - Of what is reaped [`WORTH_ASKING_NS`] or more after the reap before, whatever the core did in between, and in
//!   the turns behind that until the kernel has handed over all that was ready: since Linux 6.13 it hands over a few dozen at
//!   a time. That ends after as much time again, and after [`MOST_ASKING_NS`], at the latest, so that a core that has more to
//!   do than it can is not slowed down by asking.
//! - Of the first bytes of a connection that waited for being accepted, or of a receive that waited for a buffer.
//!
//! What is told is never more than was. The answer is in ticks of the kernel (1 to 10 ms), of which it is
//! the difference of two, so one is taken off; and where several segments came it is of the last. A completion never came
//! before the last reap that left nothing behind. What came over anything but TCP is taken for new.

use super::tcp_info::silence_ms;
use std::os::fd::RawFd;

/// Least time between two reaps after which sockets are asked. Less could hardly be told: most kernels count ticks
/// of 4 ms.
const WORTH_ASKING_NS: u64 = 10_000_000;

/// Longest time for which sockets are asked behind one such reap.
const MOST_ASKING_NS: u64 = 1_000_000_000;

/// By how much a sleep has to be late to be called so. The kernel may delay any by 50 µs (prctl(2), PR_SET_TIMERSLACK),
/// and takes some time to begin.
const LATE_WAKE_NS: u64 = 1_000_000;

const MS: u64 = 1_000_000;

/// What a ring knows of the time before its last reap.
#[derive(Debug)]
pub(super) struct Late {
    /// When it reaped last, and the time before that.
    reaped_ns: u64,
    before_ns: u64,
    /// What is reaped now may have come at any time from this on; none while it is not worth asking.
    since_ns: Option<u64>,
    /// When asking ends at the latest.
    until_ns: u64,
    /// The longest that anything reaped in this turn has waited since the last, so far as sockets were asked.
    longest_ns: u64,
    /// By how much an answer may be more than was.
    slack_ns: u64,
}

impl Late {
    /// Of a ring that begins at `now_ns`, on a kernel of which a tick lasts `tick_ns`.
    pub(super) fn new(now_ns: u64, tick_ns: u64) -> Self {
        // The kernel rounds ticks up to whole milliseconds where they are none.
        let rounding_ns = if tick_ns.is_multiple_of(MS) { 0 } else { MS };
        Self {
            reaped_ns: now_ns,
            before_ns: now_ns,
            since_ns: None,
            until_ns: 0,
            longest_ns: 0,
            slack_ns: tick_ns + rounding_ns,
        }
    }

    /// The ring reaps at `now_ns`.
    #[inline]
    pub(super) fn reap(&mut self, now_ns: u64) {
        (self.before_ns, self.reaped_ns) = (self.reaped_ns, now_ns);
        let between_ns = now_ns - self.before_ns;
        if between_ns >= WORTH_ASKING_NS {
            if self.since_ns.is_none() {
                (self.since_ns, self.until_ns) = (Some(self.before_ns), 0);
            }
            // Otherwise some was left behind in the last turn already, and may be older.
            let until_ns = now_ns + between_ns.min(MOST_ASKING_NS);
            self.until_ns = self.until_ns.max(until_ns);
        }
    }

    /// What was reaped is dealt with. `is_behind` tells whether the kernel has more that is ready, and is only asked
    /// where that matters. Returns the longest that anything is known to have waited since the last reap.
    #[inline]
    pub(super) fn settle(&mut self, is_behind: impl FnOnce() -> bool) -> u64 {
        if self.since_ns.is_some() && (self.reaped_ns >= self.until_ns || !is_behind()) {
            self.since_ns = None;
        }
        std::mem::take(&mut self.longest_ns)
    }

    /// Whether what is reaped now is asked about.
    #[inline]
    pub(super) fn is_asking(&self) -> bool {
        self.since_ns.is_some()
    }

    /// The reap in which what tasks ask for now will have been asked for; compare it with
    /// [`Late::was_asked_for_at`].
    pub(super) fn reaped_ns(&self) -> u64 {
        self.reaped_ns
    }

    /// Whether what is reaped now was asked for only after the reap at `reaped_ns`, and so was ready by then.
    pub(super) fn was_asked_for_at(&self, reaped_ns: u64) -> bool {
        self.before_ns == reaped_ns
    }

    /// When the bytes that are reaped now came to `socket`, at the latest. If it `waited` for the ring besides, that may be
    /// long ago.
    #[cold]
    pub(super) fn came_ns(&mut self, socket: RawFd, waited: bool) -> u64 {
        match silence_ms(socket) {
            Ok(silence_ms) => self.came(silence_ms, super::monotonic_ns(), waited),
            Err(_) => self.reaped_ns,
        }
    }

    /// The same, where the socket said at `asked_ns` that its last segment came `silence_ms` ago.
    fn came(&mut self, silence_ms: u32, asked_ns: u64, waited: bool) -> u64 {
        let silence_ns = (u64::from(silence_ms) * MS).saturating_sub(self.slack_ns);
        let since_ns = match self.since_ns {
            _ if waited => 0,
            Some(since_ns) => since_ns,
            None => self.reaped_ns,
        };
        let came_ns = asked_ns
            .saturating_sub(silence_ns)
            .clamp(since_ns, self.reaped_ns);
        let waited_ns = self.reaped_ns - came_ns.max(self.before_ns);
        self.longest_ns = self.longest_ns.max(waited_ns);
        came_ns
    }
}

/// By how much whoever slept until `woke_ns` and was to be woken at `due_ns` at the latest is late.
pub(super) fn overslept_ns(due_ns: u64, woke_ns: u64) -> u64 {
    match woke_ns.saturating_sub(due_ns) {
        late_ns if late_ns >= LATE_WAKE_NS => late_ns,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_NS: u64 = 4 * MS;

    /// A ring that reaps at the end of each of these spans, and had nothing left behind before the last.
    fn reaped(spans_ms: &[u64]) -> Late {
        let mut late = Late::new(0, TICK_NS);
        for span in spans_ms {
            late.settle(|| false);
            late.reap(late.reaped_ns + span * MS);
        }
        late
    }

    #[test]
    fn sockets_are_asked_after_a_long_turn_and_no_other() {
        for (spans, is_asking) in [
            (&[][..], false),
            (&[9], false),
            (&[10], true),
            (&[300], true),
            (&[300, 1], false),
            (&[9, 9, 9], false),
        ] {
            assert_eq!(reaped(spans).is_asking(), is_asking, "{spans:?}");
        }
    }

    #[test]
    fn sockets_are_asked_until_nothing_is_left_behind_or_for_as_long_again() {
        let mut late = reaped(&[100, 20]);
        for _ in 0..4 {
            assert!(late.is_asking());
            assert_eq!(late.came(60, late.reaped_ns, false), 100 * MS);
            late.settle(|| true);
            late.reap(late.reaped_ns + 5 * MS);
        }
        // It is 140 ms, and 120 ms was when the long turn was over.
        late.settle(|| true);
        assert!(!late.is_asking());
        let mut late = reaped(&[100, 20]);
        late.settle(|| false);
        assert!(!late.is_asking());
    }

    #[test]
    fn a_core_that_was_idle_for_long_does_not_ask_for_as_long() {
        let mut late = reaped(&[3_600_000]);
        // In turns of 5 ms, each of which leaves something behind.
        let mut turns = 0;
        while late.is_asking() {
            late.settle(|| true);
            late.reap(late.reaped_ns + 5 * MS);
            turns += 1;
        }
        assert_eq!(turns, 1 + MOST_ASKING_NS / (5 * MS));
    }

    #[test]
    fn a_second_long_turn_leaves_what_the_first_has_left_as_old_as_it_was() {
        let mut late = reaped(&[100, 20]);
        late.settle(|| true);
        late.reap(150 * MS);
        assert_eq!(late.came(60, 150 * MS, false), 100 * MS);
        assert_eq!(late.came(30, 150 * MS, false), 124 * MS);
    }

    #[test]
    fn what_came_is_told_never_earlier_than_it_was() {
        let held_ms = 300;
        for tick_ms in [1, 4, 10] {
            for came_at in (0..=held_ms * 10).map(|tenth| 1_000 * MS + tenth * MS / 10) {
                for phase in 0..tick_ms {
                    let mut late = Late::new(1_000 * MS, tick_ms * MS);
                    let now_ns = (1_000 + held_ms) * MS;
                    late.reap(now_ns);
                    // As the kernel does, which looks at its clock at ticks alone.
                    let tick_of = |ns: u64| (ns + phase * MS) / (tick_ms * MS);
                    let silence_ms = (tick_of(now_ns) - tick_of(came_at)) * tick_ms;
                    let told = late.came(silence_ms as u32, now_ns, false);
                    assert!(told >= came_at, "{told} {came_at} {tick_ms}");
                    assert!(told <= came_at + 2 * tick_ms * MS, "{told} {came_at}");
                    assert!(told <= now_ns);
                }
            }
        }
    }

    #[test]
    fn what_the_socket_says_is_bounded_by_when_it_was_asked_and_by_the_reaps() {
        let mut late = reaped(&[100, 300]);
        let now_ns = 400 * MS;
        for (silence_ms, asked_ns, came_ns) in [
            (0, now_ns, now_ns),
            (4, now_ns, now_ns),
            (5, now_ns, now_ns - MS),
            (304, now_ns, 100 * MS),
            // Longer than the core was held: it was left behind, which the ring does not know.
            (1_000, now_ns, 100 * MS),
            (u32::MAX, now_ns, 100 * MS),
            // Asked a while after the reap.
            (54, now_ns + 20 * MS, now_ns - 30 * MS),
            (14, now_ns + 20 * MS, now_ns),
        ] {
            let came = late.came(silence_ms, asked_ns, false);
            assert_eq!(came, came_ns, "{silence_ms} {asked_ns}");
        }
        assert_eq!(late.settle(|| false), 300 * MS);
        assert_eq!(late.settle(|| false), 0);
    }

    #[test]
    fn who_waited_for_an_accept_may_have_come_at_any_time() {
        let mut late = reaped(&[100, 300, 1]);
        assert_eq!(late.came(354, 401 * MS, true), 51 * MS);
        // That is not how long the core was held.
        assert_eq!(late.settle(|| false), MS);
    }

    #[test]
    fn ticks_that_are_no_whole_milliseconds_are_rounded() {
        // 300 a second, as on some desktops.
        let mut late = Late::new(0, 3_333_333);
        late.reap(300 * MS);
        assert_eq!(late.came(100, 300 * MS, false), 204_333_333);
    }

    #[test]
    fn a_sleep_is_late_by_more_than_the_kernel_may_delay_it() {
        for (due, woke, late) in [
            (5 * MS, 0, 0),
            (5 * MS, 5 * MS, 0),
            (5 * MS, 6 * MS - 1, 0),
            (5 * MS, 6 * MS, MS),
            (5 * MS, 305 * MS, 300 * MS),
        ] {
            assert_eq!(overslept_ns(due, woke), late, "{due} {woke}");
        }
    }
}
