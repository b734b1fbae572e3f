//! What charts are drawn of beside the figures of one window: all windows with their percentile curves,
//! and the last seconds one by one.

use super::distribution::{Bands, LatencySummary};
use super::json::{ServerInfo, seconds, to_thousandths};
use super::view::{View, Window};
use serde::Serialize;
use std::time::UNIX_EPOCH;

/// All of it, as JSON has it.
#[derive(Serialize)]
pub(super) struct Charts<'a> {
    windows: Vec<WindowChart>,
    seconds: Vec<SecondTold<'a>>,
}

#[derive(Serialize)]
struct WindowChart {
    name: &'static str,
    seconds: f64,
    requests: u64,
    per_second: f64,
    #[serde(flatten)]
    latency: LatencySummary,
    curve_ns: Vec<u64>,
}

#[derive(Serialize)]
struct SecondTold<'a> {
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

impl<'a> Charts<'a> {
    /// Of the seconds behind the one with the number `after`.
    pub(super) fn new(view: &'a View, after: u64, server: &ServerInfo) -> Charts<'a> {
        let windows = Window::MOVING.into_iter().chain([Window::Total]);
        let windows = windows.map(|window| {
            let figures = view.window(window);
            let latency = view.latency(window);
            WindowChart {
                name: window.name(),
                seconds: seconds(figures.span_ns),
                requests: figures.counters.requests,
                per_second: to_thousandths(figures.requests_per_second),
                latency: latency.summary(),
                curve_ns: latency.curve(),
            }
        });
        let told = view.seconds.after(after).map(|second| {
            let at = server.time_of(second.at_ns).duration_since(UNIX_EPOCH);
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
        });
        Charts {
            windows: windows.collect(),
            seconds: told.collect(),
        }
    }
}
