//! All distributions of one span of time: of each core and of each series. It knows them by number alone.

use super::distribution::{Distribution, Packed};
use super::recent::Exact;
use super::series::{KINDS, WHOLE};
use std::sync::Arc;

/// The distributions of one span.
///
/// They are shared with the views that were made of it: one that changes is copied first if a view
/// still has it, and one that does not costs a view nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Board {
    slots: Vec<Option<Arc<Distribution>>>,
}

/// A second that is kept to be taken out of a sum again: its slots, in ascending order.
#[derive(Debug)]
pub(super) struct PackedBoard(Box<[(usize, Packed)]>);

impl PackedBoard {
    fn exact(&self, index: usize) -> Option<&Exact> {
        let place = self
            .0
            .binary_search_by_key(&index, |(index, _)| *index)
            .ok()?;
        Some(&self.0[place].1.exact)
    }
}

/// What a distribution is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(usize);

/// Which slots a server's boards have: those of the cores, and then of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    cores: usize,
}

static EMPTY: Distribution = Distribution::new();

impl Slots {
    pub(super) fn new(cores: usize) -> Slots {
        Slots { cores }
    }

    /// The requests of the `core`th core.
    pub(super) fn core(self, core: usize) -> Slot {
        Slot(2 * core)
    }

    /// The turns of the `core`th core's loop.
    pub(super) fn lag(self, core: usize) -> Slot {
        Slot(2 * core + 1)
    }

    /// The requests of the `series`th series.
    pub(super) fn series(self, series: usize, kind: usize) -> Slot {
        Slot(2 * self.cores + KINDS * series + kind)
    }
}

impl Board {
    pub(super) fn get(&self, slot: Slot) -> &Distribution {
        let slot = self.slots.get(slot.0).and_then(Option::as_deref);
        slot.unwrap_or(&EMPTY)
    }

    fn slot(&mut self, index: usize) -> &mut Distribution {
        if self.slots.len() <= index {
            self.slots.resize(index + 1, None);
        }
        let shared = self.slots[index].get_or_insert_with(|| Arc::new(Distribution::new()));
        Arc::make_mut(shared)
    }

    /// Adds latencies of the `core`th core and, if they are of a series, of that.
    pub(super) fn add_requests(
        &mut self,
        slots: Slots,
        (core, series, kind): (usize, usize, usize),
        latencies: &Distribution,
    ) {
        self.slot(slots.series(series, kind).0).add(latencies);
        if kind == WHOLE {
            self.slot(slots.core(core).0).add(latencies);
        }
    }

    /// Adds turns of the `core`th core.
    pub(super) fn add_lag(&mut self, slots: Slots, core: usize, turns: &Distribution) {
        self.slot(slots.lag(core).0).add(turns);
    }

    /// Adds all of another span.
    pub(super) fn add(&mut self, other: &Board) {
        for (index, added) in other.filled() {
            self.slot(index).add(added);
        }
    }

    /// Takes the first of the spans that it is the sum of out again; `rest` are the others.
    pub(super) fn remove<'a>(
        &mut self,
        first: &PackedBoard,
        rest: impl Iterator<Item = &'a PackedBoard> + Clone,
    ) {
        for (index, removed) in &first.0 {
            let mut exact = Exact::NONE;
            for other in rest.clone() {
                if let Some(known) = other.exact(*index) {
                    exact.add(known);
                }
            }
            self.slot(*index).remove(removed, exact);
        }
    }

    /// The same in as little memory as it takes.
    pub(super) fn pack(&self) -> PackedBoard {
        PackedBoard(
            self.filled()
                .map(|(index, slot)| (index, slot.pack()))
                .collect(),
        )
    }

    fn filled(&self) -> impl Iterator<Item = (usize, &Distribution)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((index, &**slot.as_ref()?)))
    }
}
