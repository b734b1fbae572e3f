//! How fast a peer has been in one message, and how much longer it may take. Only the time in which it
//! was waited for counts: a handler that is slow is not its fault.

use std::time::Duration;

/// What of a message has passed, and how long its peer was waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    bytes: u64,
    waited_ns: u64,
}

impl Pace {
    /// This many bytes passed.
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// How many bytes passed.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The peer was waited for.
    pub(super) fn add_wait(&mut self, since_ns: u64, until_ns: u64) {
        self.waited_ns += until_ns.saturating_sub(since_ns);
    }

    /// How long the peer was waited for in all, in nanoseconds.
    pub(super) fn waited_ns(&self) -> u64 {
        self.waited_ns
    }

    /// How long the next bytes may take, in nanoseconds: no longer than `pause`, and than an average
    /// of `least_rate` bytes a second allows once the peer was waited for that long. 0 asks for no
    /// rate.
    #[inline]
    pub(super) fn patience_ns(&self, pause: Duration, least_rate: u64) -> u64 {
        let pause_ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
        if self.waited_ns == 0 {
            return pause_ns;
        }
        let worth_ns = u128::from(self.bytes) * 1_000_000_000;
        let Some(worth_ns) = worth_ns.checked_div(u128::from(least_rate)) else {
            return pause_ns;
        };
        let worth_ns = u64::try_from(worth_ns).unwrap_or(u64::MAX);
        let earned_ns = worth_ns.saturating_add(pause_ns);
        pause_ns.min(earned_ns.saturating_sub(self.waited_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_peer_has_its_pause_and_what_it_earned_beyond() {
        let table = [
            // (bytes, seconds waited, least rate), patience in seconds of at most 7
            ((0, 0, 10), 7),
            ((0, 3, 10), 4),
            ((0, 7, 10), 0),
            ((0, 9, 10), 0),
            ((10, 7, 10), 1),
            ((10, 8, 10), 0),
            ((100, 9, 10), 7),
            ((0, 100, 0), 7),
            ((u64::MAX, 100, 1), 7),
        ];
        for ((bytes, waited, rate), patience) in table {
            let pace = Pace {
                bytes,
                waited_ns: waited * SECOND_NS,
            };
            let left_ns = pace.patience_ns(Duration::from_secs(7), rate);
            assert_eq!(left_ns, patience * SECOND_NS, "{bytes} {waited} {rate}");
        }
    }
}
