//! `/stats` as the programs of others read it: what they make of each format is what the JSON says.

#[path = "../support/mod.rs"]
mod support;

mod accuracy;
mod asked;
mod hdrhistogram;
#[cfg(feature = "merge")]
mod merge;
mod prometheus;
mod prometheus_client;
mod rules;
mod scrapers;
mod tuning;

/// Packages for Python that are pinned for these tests.
const REQUIREMENTS: &str = include_str!("requirements.txt");
