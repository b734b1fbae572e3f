//! What charts are drawn of beside the figures of one window: all windows with their percentile curves,
//! and the last seconds one by one.

use super::distribution::{Bands, LatencySummary};
use super::json::{seconds, to_thousandths};
use super::seconds::SecondFigures;
use super::view::{View, Window};
use serde::Serialize;
use std::time::UNIX_EPOCH;

/// One of the windows.
#[derive(Serialize)]
pub(super) struct WindowChart {
    name: &'static str,
    seconds: f64,
    requests: u64,
    per_second: f64,
    mean_per_second: f64,
    #[serde(flatten)]
    latency: LatencySummary,
    curve_ns: Vec<u64>,
}

/// One of the last seconds.
#[derive(Serialize)]
pub(super) struct SecondTold<'a> {
    second: u64,
    /// Milliseconds since 1970.
    at_ms: u64,
    requests: u64,
    per_second: f64,
    classes: [u64; 5],
    p50_ns: u64,
    p99_ns: u64,
    max_ns: u64,
    bands: &'a Bands,
}

impl WindowChart {
    pub(super) fn new(view: &View, window: Window) -> WindowChart {
        let figures = view.window(window);
        let latency = view.latency(window);
        WindowChart {
            name: window.name(),
            seconds: seconds(figures.span_ns),
            requests: figures.counters.requests,
            per_second: to_thousandths(figures.requests_per_second),
            mean_per_second: to_thousandths(figures.mean_per_second()),
            latency: latency.summary(),
            curve_ns: latency.curve(),
        }
    }
}

impl<'a> SecondTold<'a> {
    pub(super) fn new(second: &'a SecondFigures) -> SecondTold<'a> {
        let at = second.at.duration_since(UNIX_EPOCH);
        SecondTold {
            second: second.number,
            at_ms: at.unwrap_or_default().as_millis() as u64,
            requests: second.requests,
            per_second: to_thousandths(second.per_second),
            classes: second.classes,
            p50_ns: second.p50_ns,
            p99_ns: second.p99_ns,
            max_ns: second.max_ns,
            bands: &second.bands,
        }
    }
}
