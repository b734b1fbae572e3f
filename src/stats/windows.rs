//! What happened in the last 1, 10 and 60 seconds: seconds that ended, and their sums, which move on by
//! one second at a time, whoever asks for them and however often.

use super::board::{Board, PackedBoard};
use super::snapshot::{CoreTime, Counters};
use super::view::Window;
use std::collections::VecDeque;

/// The last seconds of a server.
///
/// What a second costs is what came in it and what falls out of each sum: not what the sums have.
///
/// Memory: what the distributions of three sums take, and half of that for what came in each of 60 seconds:
/// some 15 KB a second for three series and one core.
#[derive(Debug)]
pub(super) struct Windows {
    /// The second that has not ended.
    second: Board,
    /// Those that have, the newest last.
    ended: VecDeque<PackedSecond>,
    /// What was known when the newest ended.
    now: Moment,
    /// Of each window what came in it, in the order of [`Window::MOVING`]: in the first of them the newest second alone.
    sums: [Board; Window::MOVING.len()],
}

const _: () = assert!(Window::MOVING[0].seconds() == 1);

/// A second that has ended and is still in a sum, to be taken out of it again. It may have been longer.
#[derive(Debug)]
struct PackedSecond {
    /// What was known when it began.
    before: Moment,
    board: PackedBoard,
}

/// All counters at one moment.
#[derive(Debug, Clone)]
struct Moment {
    at_ns: u64,
    counters: Counters,
    /// The time of each core.
    times: Vec<CoreTime>,
}

/// What happened in a window.
pub(super) struct Span<'a, B> {
    pub(super) window: Window,
    /// How long it is: less than its name says until so much time has passed.
    pub(super) ns: u64,
    pub(super) counters: Counters,
    /// Of each core, the share of the time in which it ran, if that is known.
    pub(super) busy_ratios: B,
    pub(super) board: &'a Board,
}

impl Windows {
    /// No second has ended at `now_ns`, when `cores` cores have counted this.
    pub(super) fn new(now_ns: u64, counters: Counters, cores: usize) -> Windows {
        Windows {
            second: Board::default(),
            ended: VecDeque::new(),
            now: Moment {
                at_ns: now_ns,
                counters,
                times: vec![CoreTime::default(); cores],
            },
            sums: Default::default(),
        }
    }

    /// The second that has not ended, as it is.
    pub(super) fn open(&self) -> &Board {
        &self.second
    }

    /// The second that has not ended.
    pub(super) fn second(&mut self) -> &mut Board {
        &mut self.second
    }

    /// Ends it at `now_ns`, when the cores have counted this, and have had this time. Between two slots
    /// there is a `rest`.
    pub(super) fn end_second(
        &mut self,
        now_ns: u64,
        counters: Counters,
        times: Vec<CoreTime>,
        mut rest: impl FnMut(),
    ) {
        let now = Moment {
            at_ns: now_ns,
            counters,
            times,
        };
        let before = std::mem::replace(&mut self.now, now);
        let second = std::mem::take(&mut self.second);
        let mut packed = PackedBoard::with_room(second.filled().count());
        for (slot, latencies) in second.filled() {
            packed.push(slot, latencies);
            rest();
        }
        self.ended.push_back(PackedSecond {
            before,
            board: packed,
        });
        let [newest, longer @ ..] = &mut self.sums;
        for (window, sum) in Window::MOVING[1..].iter().zip(longer) {
            let first = self.ended.len().checked_sub(window.seconds() + 1);
            let gone = first.map(|first| &self.ended[first].board);
            // The newest has the latest slots, and is looked at first.
            let others = self.ended.range(first.map_or(0, |first| first + 1)..).rev();
            sum.move_on(&second, gone, others.map(|other| &other.board), &mut rest);
        }
        let older = std::mem::replace(newest, second);
        older.free(&mut rest);
        if self.ended.len() > Window::MOST_SECONDS
            && let Some(oldest) = self.ended.pop_front()
        {
            oldest.board.free(rest);
        }
    }

    /// What happened in each window.
    pub(super) fn spans(
        &self,
    ) -> impl Iterator<Item = Span<'_, impl Iterator<Item = Option<f64>>>> {
        Window::MOVING
            .iter()
            .zip(&self.sums)
            .map(|(window, board)| {
                let first = self.ended.len().saturating_sub(window.seconds());
                let before = self
                    .ended
                    .get(first)
                    .map_or(&self.now, |second| &second.before);
                let mut counters = self.now.counters.clone();
                counters.since(&before.counters);
                let times = self.now.times.iter().zip(&before.times);
                Span {
                    window: *window,
                    ns: self.now.at_ns - before.at_ns,
                    counters,
                    busy_ratios: times.map(|(now, before)| now.since(*before).busy_ratio()),
                    board,
                }
            })
    }
}
