//! The last seconds one by one, for charts over time and interval logs: what of each is told there, and no more.

use super::distribution::{Bands, Distribution};
use super::view::WindowView;
use crate::limits::STATS_SECONDS;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is told of a second that has ended. It may have been longer.
#[derive(Debug, PartialEq)]
pub(super) struct SecondFigures {
    /// Which one since the start, from 1.
    pub(super) number: u64,
    /// When it ended, as the calendar was set then.
    pub(super) at: SystemTime,
    pub(super) requests: u64,
    pub(super) per_second: f64,
    /// Responses by class of status, from 1xx on.
    pub(super) classes: [u64; 5],
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) max_ns: u64,
    pub(super) bands: Bands,
    /// How long it was.
    pub(super) span_ns: u64,
    /// Of all its requests.
    pub(super) latencies: Arc<Distribution>,
}

impl SecondFigures {
    /// When it began, since 1970.
    pub(super) fn begun(&self) -> Duration {
        let length = Duration::from_nanos(self.span_ns);
        self.ended().saturating_sub(length)
    }

    /// When it ended, since 1970.
    pub(super) fn ended(&self) -> Duration {
        self.at.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The newest [`STATS_SECONDS`], the newest last. Views share it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Seconds(Arc<VecDeque<Arc<SecondFigures>>>);

impl Seconds {
    /// Adds the one that ended at this time, in which `told` happened, with these latencies.
    pub(super) fn push(&mut self, told: &WindowView, latencies: Arc<Distribution>, at: SystemTime) {
        let summary = latencies.summary();
        let seconds = Arc::make_mut(&mut self.0);
        let number = seconds.back().map_or(0, |newest| newest.number) + 1;
        if seconds.len() == STATS_SECONDS {
            seconds.pop_front();
        }
        seconds.push_back(Arc::new(SecondFigures {
            number,
            at,
            requests: told.counters.requests,
            per_second: told.requests_per_second,
            classes: told.counters.status.classes(),
            p50_ns: summary.p50_ns,
            p99_ns: summary.p99_ns,
            max_ns: summary.max_ns,
            bands: latencies.bands(),
            span_ns: told.span_ns,
            latencies,
        }));
    }

    /// The number of the newest; 0 if there is none.
    pub(super) fn newest(&self) -> u64 {
        self.0.back().map_or(0, |newest| newest.number)
    }

    /// Those behind the one with the number `after`, the oldest first.
    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = &SecondFigures> {
        let seconds = self.0.iter().map(|second| &**second);
        seconds.filter(move |second| second.number > after)
    }
}
