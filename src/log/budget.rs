//! How much a shard tells: so many events of each kind in a second. It writes nothing, and time is
//! an argument.

use crate::limits::LOG_EVENTS;

/// What events are about that a peer or a handler may cause without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A peer spoke another protocol: TLS, or HTTP/2.
    Misdirected,
    /// Any other message that was refused.
    Refused,
    /// A handler failed.
    Failed,
    /// A handler had a reason for a 4xx status.
    Denied,
    /// A handler panicked.
    Panicked,
    /// A response broke off for a fault of its own.
    Truncated,
    /// A response broke off that was made of a request whose peer did not send all of it.
    Interrupted,
    /// A request whose peer did not stay for its response.
    GivenUp,
}

impl Kind {
    /// How many there are.
    pub(crate) const COUNT: usize = Kind::GivenUp as usize + 1;
}

/// For each [`Kind`] the number of events that were left out.
pub(crate) type LeftOut = [u64; Kind::COUNT];

/// What may still be told in the second that goes on.
///
/// Seconds follow each other with gaps: one begins with the first look at the clock after the end
/// of the last.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    since_ns: u64,
    told: [u32; Kind::COUNT],
    left_out: LeftOut,
}

impl Budget {
    const SECOND_NS: u64 = 1_000_000_000;

    /// Begins a new second if the last is over at `now_ns`; says what was left out in that, if
    /// anything was.
    pub(crate) fn roll(&mut self, now_ns: u64) -> Option<LeftOut> {
        if now_ns.saturating_sub(self.since_ns) < Self::SECOND_NS {
            return None;
        }
        let last = std::mem::replace(
            self,
            Self {
                since_ns: now_ns,
                ..Self::default()
            },
        );
        (last.left_out != LeftOut::default()).then_some(last.left_out)
    }

    /// Whether an event may be told; if not, it is counted.
    pub(crate) fn admits(&mut self, kind: Kind) -> bool {
        let told = &mut self.told[kind as usize];
        if *told < LOG_EVENTS {
            *told += 1;
            return true;
        }
        self.left_out[kind as usize] += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = Budget::SECOND_NS;

    fn admitted(budget: &mut Budget, kind: Kind, events: u32) -> usize {
        (0..events).filter(|_| budget.admits(kind)).count()
    }

    #[test]
    fn so_many_of_each_kind_are_told_and_no_more() {
        let mut budget = Budget::default();
        let most = LOG_EVENTS as usize;
        assert_eq!(
            admitted(&mut budget, Kind::Refused, LOG_EVENTS + 1),
            most,
            "the last one is too many"
        );
        assert_eq!(admitted(&mut budget, Kind::Interrupted, LOG_EVENTS), most);
        let left_out = budget.roll(SECOND).unwrap();
        assert_eq!(left_out[Kind::Refused as usize], 1);
        assert_eq!(left_out.iter().sum::<u64>(), 1);
    }

    #[test]
    fn a_second_is_over_after_a_second() {
        let mut budget = Budget::default();
        assert_eq!(budget.roll(5 * SECOND), None);
        admitted(&mut budget, Kind::Failed, LOG_EVENTS + 7);
        assert_eq!(budget.roll(6 * SECOND - 1), None);
        assert!(!budget.admits(Kind::Failed));
        let left_out = budget.roll(6 * SECOND).unwrap();
        assert_eq!(left_out[Kind::Failed as usize], 8);
        assert!(budget.admits(Kind::Failed));
        // What was told already is not told again, and a clock that stands still ends nothing.
        assert_eq!(budget.roll(6 * SECOND), None);
        assert_eq!(budget.roll(8 * SECOND), None);
    }
}
