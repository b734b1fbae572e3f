//! All distributions of one span of time: of each core and of each series. It knows them by number alone.

use super::distribution::{Distribution, Packed};
use super::recent::Exact;
use super::series::KINDS;
use std::sync::Arc;

/// The distributions of one span.
///
/// They are shared with the views that were made of it: one that changes is made anew, and one that does not
/// costs a view a reference. Those of all slots together take more than 100 µs where thousands are told apart, for each
/// lies in a line of the cache that another core may have: no board is copied or freed but slot by slot.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Board {
    slots: Vec<Option<Arc<Distribution>>>,
}

/// A second that is kept to be taken out of a sum again: its slots, in ascending order.
#[derive(Debug)]
pub(super) struct PackedBoard(Vec<(Slot, Packed)>);

/// What a distribution is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(usize);

/// Which slots a server's boards have: those of all requests, then of the cores, and then of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    cores: usize,
}

/// Slots that are copied between two pauses.
const COPIED_AT_A_TIME: usize = 64;

static EMPTY: Distribution = Distribution::new();
static NOTHING: Packed = Packed::new();

impl Slots {
    pub(super) fn new(cores: usize) -> Slots {
        Slots { cores }
    }

    /// All requests, or that stage of them.
    pub(super) const fn whole(self, kind: usize) -> Slot {
        Slot(kind)
    }

    /// The requests of the `core`th core.
    pub(super) fn core(self, core: usize) -> Slot {
        Slot(KINDS + 2 * core)
    }

    /// The turns of the `core`th core's loop.
    pub(super) fn lag(self, core: usize) -> Slot {
        Slot(KINDS + 2 * core + 1)
    }

    /// The requests of the `series`th series.
    pub(super) fn series(self, series: usize, kind: usize) -> Slot {
        Slot(KINDS + 2 * self.cores + KINDS * series + kind)
    }
}

impl Board {
    pub(super) fn get(&self, slot: Slot) -> &Distribution {
        let slot = self.slots.get(slot.0).and_then(Option::as_deref);
        slot.unwrap_or(&EMPTY)
    }

    /// The same, shared.
    pub(super) fn share(&self, slot: Slot) -> Arc<Distribution> {
        let slot = self.slots.get(slot.0).and_then(Option::clone);
        slot.unwrap_or_else(|| Arc::new(Distribution::new()))
    }

    /// The same distributions for others to share, with a `rest` after each few.
    pub(super) fn shared(&self, mut rest: impl FnMut()) -> Board {
        let mut slots = Vec::with_capacity(self.slots.len());
        for some in self.slots.chunks(COPIED_AT_A_TIME) {
            slots.extend_from_slice(some);
            rest();
        }
        Board { slots }
    }

    fn put(&mut self, slot: Slot, latencies: Distribution) {
        if self.slots.len() <= slot.0 {
            self.slots.resize(slot.0 + 1, None);
        }
        self.slots[slot.0] = (latencies.count() > 0).then(|| Arc::new(latencies));
    }

    /// Adds latencies to those of `slot`.
    pub(super) fn add(&mut self, slot: Slot, latencies: &Distribution) {
        self.put(slot, self.get(slot).with(latencies));
    }

    /// Moves on by a span, where this is the sum of the last spans: `more` comes in, and `gone`, which was the first of
    /// them, falls out, if there are as many. `others` are those between both and `more`. After each slot that
    /// changes there is a `rest`, and after each of the others that had to be looked at: none of them is in the cache, and
    /// together they take 50 µs.
    pub(super) fn move_on<'a>(
        &mut self,
        more: &Board,
        gone: Option<&PackedBoard>,
        others: impl Iterator<Item = &'a PackedBoard> + Clone,
        mut rest: impl FnMut(),
    ) {
        let mut gone = gone.map_or(&[][..], |gone| &gone.0).iter().peekable();
        for slot in (0..more.slots.len().max(self.slots.len())).map(Slot) {
            let gone = gone.next_if(|(of, _)| *of == slot);
            let gone = gone.map_or(&NOTHING, |(_, latencies)| latencies);
            let more = more.get(slot);
            if more.count() == 0 && gone.is_empty() {
                continue;
            }
            let others = others.clone().filter_map(|other| other.exact(slot));
            let others = others.inspect(|_| rest());
            let moved = self.get(slot).moved_on(more, gone, others);
            self.put(slot, moved);
            rest();
        }
    }

    /// The slots that have any, ascending.
    pub(super) fn filled(&self) -> impl Iterator<Item = (Slot, &Distribution)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((Slot(index), &**slot.as_ref()?)))
    }

    /// Gives its memory back, one slot after the other.
    pub(super) fn free(self, mut rest: impl FnMut()) {
        for slot in self.slots {
            drop(slot);
            rest();
        }
    }
}

impl PackedBoard {
    /// With memory for so many slots, so that what there is never has to move.
    pub(super) fn with_room(slots: usize) -> PackedBoard {
        PackedBoard(Vec::with_capacity(slots))
    }

    /// Adds a slot behind those that it has.
    pub(super) fn push(&mut self, slot: Slot, latencies: &Distribution) {
        self.0.push((slot, latencies.pack()));
    }

    /// Gives its memory back, one slot after the other.
    pub(super) fn free(self, mut rest: impl FnMut()) {
        for latencies in self.0 {
            drop(latencies);
            rest();
        }
    }

    fn exact(&self, slot: Slot) -> Option<&Exact> {
        let place = self.0.binary_search_by_key(&slot, |(slot, _)| *slot);
        Some(&self.0[place.ok()?].1.exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_what_has_fallen_out() {
        let slots = Slots::new(1);
        let mut second = Board::default();
        let mut packed = PackedBoard::with_room(2);
        for slot in [slots.core(0), slots.series(0, 0)] {
            second.add(slot, &Distribution::of(&[1_000, 2_000]));
            packed.push(slot, second.get(slot));
        }
        let mut sum = Board::default();
        let nothing = || std::iter::empty();
        sum.move_on(&second, None, nothing(), || ());
        assert_eq!(sum.filled().count(), 2);
        sum.move_on(&Board::default(), Some(&packed), nothing(), || ());
        assert_eq!(sum.filled().count(), 0);
        assert_eq!(sum.share(slots.core(0)).count(), 0);
    }
}
