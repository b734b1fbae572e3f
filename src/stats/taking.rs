//! A snapshot on its way. It tells of one moment, in which the counters are copied and what is known of each
//! series is set aside; the buckets, megabytes if every series has latencies everywhere, follow piece by
//! piece, so that the core can serve others in between.
//!
//! A request that is recorded meanwhile belongs to the next snapshot: if the buckets of its series are still
//! to be taken, they are before it is. That is found out where the first latency of a series since the last
//! snapshot is met anyway, and costs the others nothing.

use super::recent::{Recent, Sealed};
use super::series::{KINDS, Series};
use super::snapshot::{Of, Snapshot};

/// What a piece takes at most, but for the last of its series: 64 bytes each, which are copied and emptied
/// in some 10 ns. A series has 300.
pub(super) const PIECE_BLOCKS: usize = 1_536;

/// The snapshot, while it is on its way.
#[derive(Debug, Default)]
pub(super) struct Taking {
    snapshot: Option<Snapshot>,
    /// Whose buckets are still to be taken, in descending order of their places.
    left: Vec<Left>,
}

/// A series with buckets to be taken.
#[derive(Debug)]
struct Left {
    place: Place,
    series: Series,
    /// `None` when they were, because a latency came.
    sealed: Option<Sealed<KINDS>>,
}

/// Where a recorder has a series: the row, and the class of status.
pub(super) type Place = (u16, u8);

impl Taking {
    pub(super) fn is_under_way(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Begins with what is copied at once.
    pub(super) fn begin(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
    }

    /// Sets the latencies of a series aside. They come in descending order of their places.
    pub(super) fn set_aside(&mut self, place: Place, series: Series, recent: &mut Recent<KINDS>) {
        debug_assert!(self.left.last().is_none_or(|last| last.place > place));
        self.left.push(Left {
            place,
            series,
            sealed: Some(recent.seal()),
        });
    }

    /// The place of a series of which the buckets are still to be taken; `None` when there is none.
    pub(super) fn next(&mut self) -> Option<Place> {
        while self.left.pop_if(|last| last.sealed.is_none()).is_some() {}
        self.left.last().map(|last| last.place)
    }

    /// Takes the buckets of the series at `place`, if they are still to be taken, and tells how many blocks
    /// there were.
    pub(super) fn take(&mut self, place: Place, recent: &mut Recent<KINDS>) -> usize {
        let found = self
            .left
            .binary_search_by(|left| place.cmp(&left.place))
            .ok()
            .map(|at| &mut self.left[at]);
        let (Some(left), Some(snapshot)) = (found, &mut self.snapshot) else {
            return 0;
        };
        let series = left.series;
        left.sealed.take().map_or(0, |sealed| {
            snapshot.take(sealed, recent, |kind| Of::Series(series, kind))
        })
    }

    /// The snapshot, when nothing is left to be taken.
    pub(super) fn finish(&mut self) -> Option<Snapshot> {
        debug_assert!(self.left.is_empty());
        self.snapshot.take()
    }
}
