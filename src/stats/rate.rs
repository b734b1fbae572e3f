//! How many requests a second one core answered in its last interval. It is told the time by the
//! snapshots.

use super::snapshot::Snapshot;
use crate::limits::RATE_INTERVAL_NS;

/// One core between two of its snapshots that are at least [`RATE_INTERVAL_NS`] apart.
#[derive(Debug)]
pub(super) struct Rate {
    /// Where the next interval begins.
    mark: Mark,
    /// What was added in the last interval; all 0 until there is one.
    last: Mark,
}

/// Counters at one moment, or what they grew by.
#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    ns: u64,
    requests: u64,
}

impl Rate {
    /// Begins the first interval with all counters 0.
    pub(super) fn new(started_ns: u64) -> Rate {
        Rate {
            mark: Mark {
                ns: started_ns,
                requests: 0,
            },
            last: Mark::default(),
        }
    }

    /// Takes the core's next snapshot, and ends the interval if it is long enough.
    pub(super) fn observe(&mut self, snapshot: &Snapshot) {
        let ns = snapshot.at_ns.saturating_sub(self.mark.ns);
        if ns < RATE_INTERVAL_NS {
            return;
        }
        let now = Mark {
            ns: snapshot.at_ns,
            requests: snapshot.counters.requests,
        };
        self.last = Mark {
            ns,
            requests: now.requests.saturating_sub(self.mark.requests),
        };
        self.mark = now;
    }

    /// Requests a second, when the core's newest snapshot is `age_ns` old.
    pub(super) fn per_second(&self, age_ns: u64) -> f64 {
        if self.last.ns == 0 {
            return 0.0;
        }
        // The next snapshot is due after one interval. What it is late by is time in which nothing
        // is known to have been answered.
        let late_ns = age_ns.saturating_sub(RATE_INTERVAL_NS);
        self.last.requests as f64 * 1e9 / (self.last.ns as f64 + late_ns as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Answered, Recorder, Times};
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn core_with(requests: u64) -> Recorder {
        let mut recorder = Recorder::new(0, &[]);
        for _ in 0..requests {
            recorder.request(&Answered::unmatched(Times::default()), 1);
        }
        recorder
    }

    #[test]
    fn the_first_interval_is_not_shorter_than_it_may_be() {
        for (at_ns, per_second) in [
            (5, 0.0),
            (5 + RATE_INTERVAL_NS - 1, 0.0),
            (5 + RATE_INTERVAL_NS, 10.0 / 0.9),
            (5 + SECOND, 10.0),
            (5 + 2 * SECOND, 5.0),
        ] {
            let mut rate = Rate::new(5);
            rate.observe(&core_with(10).snapshot(at_ns));
            assert_eq!(rate.per_second(0), per_second, "{at_ns}");
        }
    }

    #[test]
    fn snapshots_within_an_interval_do_not_move_the_rate() {
        let mut rate = Rate::new(0);
        rate.observe(&core_with(10).snapshot(SECOND));
        rate.observe(&core_with(900).snapshot(SECOND + SECOND / 2));
        assert_eq!(rate.per_second(RATE_INTERVAL_NS), 10.0);
        // The interval that they were in counts whole.
        rate.observe(&core_with(1_010).snapshot(3 * SECOND));
        assert_eq!(rate.per_second(0), 500.0);
    }

    #[test]
    fn the_rate_of_a_silent_core_falls() {
        let mut rate = Rate::new(0);
        rate.observe(&core_with(100).snapshot(SECOND));
        for (age_ns, per_second) in [
            (0, 100.0),
            (RATE_INTERVAL_NS, 100.0),
            (RATE_INTERVAL_NS + SECOND, 50.0),
            (RATE_INTERVAL_NS + 99 * SECOND, 1.0),
        ] {
            assert_eq!(rate.per_second(age_ns), per_second, "{age_ns}");
        }
    }
}
