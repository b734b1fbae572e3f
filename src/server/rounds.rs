//! Rounds of fresh statistics: snapshots that all shards take at the same time, for all who asked before.
//!
//! One round is gathered at a time, and whoever asks meanwhile is in the next: what it has was counted after it was
//! asked for. However many ask and however often, there is one round every [`FRESH_INTERVAL`] at most.
//!
//! A shard owes one snapshot at most: one that is held is asked once, however many rounds go by without it, and one
//! that is late for a round is asked for the next only when its late answer has come. So neither its orders nor what waits
//! to be added up grows with the rounds. It knows no shard and no clock.

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
    /// Shards that were asked and have not answered, be it that round or one before.
    owing: Vec<bool>,
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
    /// None is gathered of so many shards, and the first may begin at `now`.
    pub(super) fn new(shards: usize, now: Instant) -> Self {
        Self {
            number: 0,
            not_before: now,
            gathered: None,
            owing: vec![false; shards],
            waiting: Askers::new(),
        }
    }

    /// A request of `shard` asks for fresh statistics.
    pub(super) fn ask(&mut self, shard: usize, token: u64) {
        self.waiting.entry(shard).or_default().push(token);
    }

    /// Begins the next round if it is time for one, which those shards have to answer that are `missing`.
    pub(super) fn begin(&mut self, now: Instant, missing: impl FnOnce() -> Vec<bool>) {
        if self.next_at().is_none_or(|at| now < at) {
            return;
        }
        self.number += 1;
        self.not_before = now + FRESH_INTERVAL;
        self.gathered = Some(Round {
            askers: std::mem::take(&mut self.waiting),
            missing: missing(),
            until: now + FRESH_TIMEOUT,
        });
    }

    /// The shards to ask now, each with the number of the round that it answers to. They are told once.
    pub(super) fn orders(&mut self) -> Vec<(usize, u64)> {
        let Some(round) = &self.gathered else {
            return Vec::new();
        };
        let shards = round.missing.iter().zip(&mut self.owing).enumerate();
        let asked = shards.filter_map(|(shard, (missing, owes))| {
            let is_asked = *missing && !*owes;
            *owes |= is_asked;
            is_asked.then_some((shard, self.number))
        });
        asked.collect()
    }

    /// `shard` has answered the round with this number, which may be over.
    pub(super) fn answered(&mut self, number: u64, shard: usize) {
        self.owing[shard] = false;
        if let Some(round) = &mut self.gathered
            && number == self.number
        {
            round.missing[shard] = false;
        }
    }

    /// Who is to have what there is now, if a round is complete, or out of time when all answers that came `are_read`:
    /// no shard is late because what others sent took long to add up.
    pub(super) fn end(&mut self, now: Instant, are_read: bool) -> Option<Askers> {
        let is_over = |round: &mut Round| {
            let is_complete = round.missing.iter().all(|missing| !missing);
            is_complete || (are_read && now >= round.until)
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
    use std::collections::VecDeque;
    use std::time::Duration;

    const SHARDS: usize = 2;

    /// Begins a round of all shards if it is time, and tells whom to ask.
    fn begin(rounds: &mut Rounds, now: Instant) -> Vec<(usize, u64)> {
        rounds.begin(now, || vec![true; SHARDS]);
        rounds.orders()
    }

    /// Has all shards answer the round with this number.
    fn answer(rounds: &mut Rounds, number: u64) {
        (0..SHARDS).for_each(|shard| rounds.answered(number, shard));
    }

    #[test]
    fn who_asks_while_a_round_is_gathered_is_in_the_next() {
        let start = Instant::now();
        let mut rounds = Rounds::new(SHARDS, start);
        assert_eq!(rounds.wake_at(), None);
        assert_eq!(begin(&mut rounds, start), []);
        rounds.ask(1, 70);
        rounds.ask(0, 5);
        assert_eq!(rounds.wake_at(), Some(start));
        assert_eq!(begin(&mut rounds, start), [(0, 1), (1, 1)]);
        assert_eq!(rounds.wake_at(), Some(start + FRESH_TIMEOUT));
        rounds.ask(1, 71);
        rounds.ask(1, 72);
        let soon = start + FRESH_INTERVAL / 2;
        assert_eq!(begin(&mut rounds, soon), [], "one is gathered");
        rounds.answered(1, 0);
        assert_eq!(rounds.end(soon, true), None);
        rounds.answered(1, 1);
        let askers = Askers::from([(0, vec![5]), (1, vec![70])]);
        assert_eq!(rounds.end(soon, false), Some(askers));
        assert_eq!(rounds.end(soon, true), None, "it is over");
        // The next waits for its time, and then has all that asked since.
        let next_at = start + FRESH_INTERVAL;
        assert_eq!(rounds.wake_at(), Some(next_at));
        assert_eq!(begin(&mut rounds, soon), []);
        assert_eq!(begin(&mut rounds, next_at), [(0, 2), (1, 2)]);
        answer(&mut rounds, 2);
        let askers = Askers::from([(1, vec![71, 72])]);
        assert_eq!(rounds.end(next_at, false), Some(askers));
        assert_eq!(rounds.wake_at(), None);
    }

    #[test]
    fn a_round_is_over_when_it_is_out_of_time() {
        let start = Instant::now();
        let mut rounds = Rounds::new(SHARDS, start);
        rounds.ask(0, 1);
        begin(&mut rounds, start);
        rounds.answered(1, 1);
        let until = start + FRESH_TIMEOUT;
        rounds.ask(0, 2);
        assert_eq!(rounds.end(until - Duration::from_nanos(1), true), None);
        assert_eq!(rounds.end(until, true), Some(Askers::from([(0, vec![1])])));
        // It took longer than the interval: the next begins at once.
        rounds.begin(until, || vec![false; SHARDS]);
        assert_eq!(rounds.orders(), []);
        assert_eq!(rounds.end(until, false), Some(Askers::from([(0, vec![2])])));
    }

    #[test]
    fn a_shard_that_is_held_is_asked_once() {
        let mut now = Instant::now();
        let mut rounds = Rounds::new(SHARDS, now);
        rounds.ask(0, 0);
        assert_eq!(begin(&mut rounds, now), [(0, 1), (1, 1)]);
        for number in 2..=100 {
            rounds.answered(number - 1, 0);
            now += FRESH_TIMEOUT;
            assert!(rounds.end(now, true).is_some());
            rounds.ask(0, number);
            assert_eq!(begin(&mut rounds, now), [(0, number)]);
        }
        // What it sends at last was maybe taken before the newest was asked for, which it answers as well.
        rounds.answered(100, 0);
        rounds.answered(1, 1);
        assert_eq!(rounds.end(now, true), None);
        assert_eq!(rounds.orders(), [(1, 100)]);
        assert_eq!(rounds.orders(), []);
        rounds.answered(100, 1);
        assert!(rounds.end(now, false).is_some());
    }

    #[test]
    fn no_shard_is_late_because_adding_up_takes_longer_than_the_timeout() {
        let mut now = Instant::now();
        let mut rounds = Rounds::new(SHARDS, now);
        // Both shards answer at once, and wait to be read.
        let mut inbox = VecDeque::new();
        for token in 0..10 {
            rounds.ask(0, token);
            inbox.extend(begin(&mut rounds, now));
            assert_eq!(inbox.len(), SHARDS);
            while let Some((shard, number)) = inbox.pop_front() {
                assert_eq!(rounds.end(now, false), None, "one is not read");
                now += 2 * FRESH_TIMEOUT;
                rounds.answered(number, shard);
            }
            let askers = Askers::from([(0, vec![token])]);
            assert_eq!(rounds.end(now, false), Some(askers));
        }
    }
}
