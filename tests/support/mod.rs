//! What the test binaries share: a client that speaks raw bytes, the server as a process, the
//! programs of others that it is tried against, and where generated inputs come from. There are no
//! tests here.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod frames;
pub(crate) mod messages;
pub(crate) mod mutate;
pub(crate) mod outside;
pub(crate) mod process;
pub(crate) mod seeds;
pub(crate) mod transcript;

use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use client::Client;

/// Longest wait for anything. What takes this long does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// The whole number in the environment variable `name`, if it is set.
pub(crate) fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: give a whole number")),
    )
}

/// Asks `done` again and again until it says yes; fails the test when it never does.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "never came to be: {what}");
        // Only so as not to spin: what is waited for may need this CPU.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// What `/stats` says now, asked for on a connection of its own.
pub(crate) fn fresh_stats(address: SocketAddr) -> Value {
    scrape(&mut Client::connect(address))
}

/// What `/stats` says after everything that was done until now.
///
/// A core that is too busy to answer in time is told of as it was, so this asks until every core
/// has told. The client counts how often it asked before that.
pub(crate) fn scrape(client: &mut Client) -> Value {
    let since_ms = uptime_ms(&ask(client, "/stats"));
    client.asked += 1;
    for _ in 0..10_000 {
        let stats = ask(client, "/stats?fresh=1");
        let cores = stats["cores"].as_array().expect("cores is a list");
        let told_ms = |core| uptime_ms(&stats).saturating_sub(number(core, "/snapshot_age_ms"));
        // Both are rounded down, so one more is certainly later.
        if cores.iter().all(|core| told_ms(core) > since_ms + 1) {
            return stats;
        }
        client.asked += 1;
    }
    panic!("a core never tells");
}

fn ask(client: &mut Client, path: &str) -> Value {
    client.get(path);
    let response = client.response();
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.field("content-type"), Some("application/json"));
    let stats = serde_json::from_slice(&response.body).expect("/stats is JSON");
    assert_adds_up(&stats);
    stats
}

fn uptime_ms(stats: &Value) -> u64 {
    let seconds = stats["server"]["uptime_seconds"].as_f64();
    (seconds.expect("an uptime") * 1e3).round() as u64
}

/// A number in what `/stats` said, by its path.
pub(crate) fn number(stats: &Value, path: &str) -> u64 {
    let value = stats.pointer(path);
    value
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{path} in {stats}"))
}

/// Holds the sums in what `/stats` said against each other.
pub(crate) fn assert_adds_up(stats: &Value) {
    let total = number(stats, "/requests/total");
    let cores = stats["cores"].as_array().expect("cores is a list");
    let over_cores = |key: &str| -> u64 { cores.iter().map(|core| number(core, key)).sum() };
    assert_eq!(
        cores.len() as u64,
        number(stats, "/server/cores"),
        "{stats}"
    );
    assert_eq!(over_cores("/requests_total"), total, "{stats}");
    assert_eq!(over_cores("/count"), total, "{stats}");
    assert_eq!(number(stats, "/latency/count"), total, "{stats}");
    let classes: u64 = (1..=5)
        .map(|class| number(stats, &format!("/status/{class}xx")))
        .sum();
    assert_eq!(classes, total, "{stats}");
    let codes = stats["status"]["codes"]
        .as_object()
        .expect("codes is an object");
    assert_eq!(
        codes.values().filter_map(Value::as_u64).sum::<u64>(),
        total,
        "{stats}"
    );
    let active = number(stats, "/connections/active");
    assert_eq!(over_cores("/connections_active"), active, "{stats}");
    let closed = stats["connections"]["closed"]
        .as_object()
        .expect("closed is an object");
    let closed: u64 = closed.values().filter_map(Value::as_u64).sum();
    assert_eq!(
        number(stats, "/connections/accepted_total"),
        active + closed,
        "{stats}"
    );
}
