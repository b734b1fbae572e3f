//! Rounds of fresh statistics: snapshots that all shards take at the same time, for all who asked before.
//!
//! One round is gathered at a time, and whoever asks meanwhile is in the next: what it has was counted after it was
//! asked for. However many ask and however often, there is one round every [`FRESH_INTERVAL`] at most. It knows
//! no shard and no clock.

use crate::limits::{FRESH_INTERVAL, FRESH_TIMEOUT};
use std::collections::BTreeMap;
use std::time::Instant;

/// The round that is gathered, and who waits for the next.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The number of the last that began.
    number: u64,
    /// When the next may begin.
    not_before: Instant,
    gathered: Option<Round>,
    waiting: Askers,
}

/// The tokens of the requests that asked, by their shards.
pub(super) type Askers = BTreeMap<usize, Vec<u64>>;

#[derive(Debug)]
struct Round {
    askers: Askers,
    /// Shards that have not answered.
    missing: Vec<bool>,
    until: Instant,
}

impl Rounds {
    /// None is gathered, and the first may begin at `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            number: 0,
            not_before: now,
            gathered: None,
            waiting: Askers::new(),
        }
    }

    /// A request of `shard` asks for fresh statistics.
    pub(super) fn ask(&mut self, shard: usize, token: u64) {
        self.waiting.entry(shard).or_default().push(token);
    }

    /// Begins the next round if it is time for one, which those shards have to answer that are `missing`. Its
    /// number is what they answer to.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        missing: impl FnOnce() -> Vec<bool>,
    ) -> Option<u64> {
        if self.next_at().is_none_or(|at| now < at) {
            return None;
        }
        self.number += 1;
        self.not_before = now + FRESH_INTERVAL;
        self.gathered = Some(Round {
            askers: std::mem::take(&mut self.waiting),
            missing: missing(),
            until: now + FRESH_TIMEOUT,
        });
        Some(self.number)
    }

    /// `shard` has answered the round with this number, which may be over.
    pub(super) fn answered(&mut self, number: u64, shard: usize) {
        if let Some(round) = &mut self.gathered
            && number == self.number
        {
            round.missing[shard] = false;
        }
    }

    /// Who is to have what there is now, if a round is complete or out of time.
    pub(super) fn end(&mut self, now: Instant) -> Option<Askers> {
        let is_over = |round: &mut Round| {
            let is_complete = round.missing.iter().all(|missing| !missing);
            is_complete || now >= round.until
        };
        self.gathered.take_if(is_over).map(|round| round.askers)
    }

    /// When there is something to do, unless a shard answers before.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let until = self.gathered.as_ref().map(|round| round.until);
        until.or_else(|| self.next_at())
    }

    /// When the next begins, if one is asked for and none is gathered.
    fn next_at(&self) -> Option<Instant> {
        let is_next = self.gathered.is_none() && !self.waiting.is_empty();
        is_next.then_some(self.not_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARDS: usize = 2;

    fn all() -> Vec<bool> {
        vec![true; SHARDS]
    }

    /// Has all shards answer the round with this number.
    fn answer(rounds: &mut Rounds, number: u64) {
        (0..SHARDS).for_each(|shard| rounds.answered(number, shard));
    }

    #[test]
    fn who_asks_while_a_round_is_gathered_is_in_the_next() {
        let start = Instant::now();
        let mut rounds = Rounds::new(start);
        assert_eq!((rounds.wake_at(), rounds.begin(start, all)), (None, None));
        rounds.ask(1, 70);
        rounds.ask(0, 5);
        assert_eq!(rounds.wake_at(), Some(start));
        let first = rounds.begin(start, all).expect("a round");
        assert_eq!(rounds.wake_at(), Some(start + FRESH_TIMEOUT));
        rounds.ask(1, 71);
        rounds.ask(1, 72);
        let soon = start + FRESH_INTERVAL / 2;
        assert_eq!(rounds.begin(soon, all), None, "one is gathered");
        rounds.answered(first, 0);
        assert_eq!(rounds.end(soon), None);
        rounds.answered(first, 1);
        let askers = Askers::from([(0, vec![5]), (1, vec![70])]);
        assert_eq!(rounds.end(soon), Some(askers));
        assert_eq!(rounds.end(soon), None, "it is over");
        // The next waits for its time, and then has all that asked since.
        let next_at = start + FRESH_INTERVAL;
        assert_eq!(rounds.wake_at(), Some(next_at));
        assert_eq!(rounds.begin(soon, all), None);
        let second = rounds.begin(next_at, all).expect("a round");
        answer(&mut rounds, first);
        assert_eq!(rounds.end(next_at), None, "these answered the one before");
        answer(&mut rounds, second);
        let askers = Askers::from([(1, vec![71, 72])]);
        assert_eq!(rounds.end(next_at), Some(askers));
        assert_eq!(rounds.wake_at(), None);
    }

    #[test]
    fn a_round_is_over_when_it_is_out_of_time() {
        let start = Instant::now();
        let mut rounds = Rounds::new(start);
        rounds.ask(0, 1);
        let number = rounds.begin(start, all).expect("a round");
        rounds.answered(number, 1);
        let until = start + FRESH_TIMEOUT;
        rounds.ask(0, 2);
        assert_eq!(rounds.end(until - std::time::Duration::from_nanos(1)), None);
        assert_eq!(rounds.end(until), Some(Askers::from([(0, vec![1])])));
        // It took longer than the interval: the next begins at once.
        let next = rounds.begin(until, || vec![false; SHARDS]);
        assert_eq!(next, Some(number + 1));
        assert_eq!(rounds.end(until), Some(Askers::from([(0, vec![2])])));
    }
}
