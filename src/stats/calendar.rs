//! The calendar's time of moments on the monotonic clock. It reads neither.

use std::time::{Duration, SystemTime};

/// What the calendar said at one moment. It may be set at any time, and stands for longer than the monotonic
/// clock where a machine was suspended: what is told of it is of about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calendar {
    at_ns: u64,
    time: SystemTime,
}

impl Calendar {
    /// It was `time` at `at_ns` on the monotonic clock.
    pub(super) const fn new(at_ns: u64, time: SystemTime) -> Calendar {
        Calendar { at_ns, time }
    }

    /// The time at `at_ns` on the monotonic clock; 1970 for what lies before.
    pub(super) fn time_of(self, at_ns: u64) -> SystemTime {
        let apart = Duration::from_nanos(at_ns.abs_diff(self.at_ns));
        let time = match at_ns >= self.at_ns {
            true => self.time.checked_add(apart),
            false => self.time.checked_sub(apart),
        };
        time.unwrap_or(SystemTime::UNIX_EPOCH)
            .max(SystemTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_and_after() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let calendar = Calendar::new(5_000_000_000, at(100));
        for (at_ns, expected) in [
            (5_000_000_000, at(100)),
            (7_000_000_000, at(102)),
            (0, at(95)),
        ] {
            assert_eq!(calendar.time_of(at_ns), expected, "{at_ns}");
        }
        let young = Calendar::new(5_000_000_000, at(1));
        assert_eq!(young.time_of(0), at(0));
        let last = Calendar::new(0, at(0)).time_of(u64::MAX);
        assert!(last > at(1 << 33));
    }
}
