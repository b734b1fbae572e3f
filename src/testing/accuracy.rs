//! What statistics tell of a handler against what it is known to take: through connections, by several cores, and merged
//! as the server merges them.
//!
//! The handler draws its latencies from a distribution that is given by its quantiles, each rank once and in an order that
//! jumps about. So the latency at each rank is known without sorting anything. It waits on the clock of the cores, which
//! nothing else moves on.

use super::cluster::Cluster;
use super::conversation::Conversation;
use crate::http::CloseReason;
use crate::stats::{LatencySummary, RouteName, Totals, View, Window};
use crate::{App, Request};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// Requests in all: as many as are answered in some seconds without optimisation.
const REQUESTS: u64 = 300_000;

const CORES: usize = 4;

/// How often each core sends a snapshot.
const SECONDS: u64 = 20;

/// Ranks are taken in steps of this, which has no factor in common with how many there are.
const STRIDE: u64 = 123_457;

const PATHS: [&str; 2] = ["/page", "/search"];

/// Windows that have all of it.
const WINDOWS: [Window; 2] = [Window::Total, Window::Minute];

/// The latency at `rank`, from 0, in nanoseconds: a third within 100 ns to 20 µs, then 25 µs and up, twelve times as long
/// with each further nine.
fn latency_ns(rank: u64) -> u64 {
    let below = rank as f64 / REQUESTS as f64;
    if below < 1.0 / 3.0 {
        return (100.0 * 200_f64.powf(3.0 * below)) as u64;
    }
    let nines = -(1.0 - below).log10();
    (12_000.0 * 12_f64.powf(nines)) as u64
}

/// An app whose handlers take what they draw: the next of all latencies, whichever of them is asked.
fn app(draws: &Rc<Cell<u64>>) -> App {
    let draws = Rc::clone(draws);
    let handler = move |request: Request| {
        let draw = draws.replace(draws.get() + 1);
        let latency = Duration::from_nanos(latency_ns(draw * STRIDE % REQUESTS));
        async move { request.time().sleep(latency).await }
    };
    let routed = PATHS.into_iter().map(|path| (path, handler.clone()));
    routed.fold(App::new(), |app, (path, handler)| app.get(path, handler))
}

fn ask(peer: &mut Conversation, path: &str) {
    peer.deliver(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    assert_eq!(peer.in_flight(), 1);
    assert!(peer.pass_next());
    assert!(peer.take_sent().starts_with(b"HTTP/1.1 204 "));
}

/// What the cores have counted when all latencies were drawn.
fn served() -> View {
    let draws = Rc::default();
    let cluster = Cluster::new(CORES, |_| app(&draws));
    let mut peers: Vec<_> = (0..CORES).map(|core| cluster.connect(core)).collect();
    let names = || {
        PATHS
            .map(|path| RouteName::new(None, path).of(&http::Method::GET))
            .to_vec()
    };
    let cores: Vec<_> = (0..CORES).collect();
    let mut totals = Totals::new(&cores, CloseReason::NAMES, 0);
    for core in cores {
        totals.know_routes(core, names());
        cluster.recorder(core).know_routes(&names());
    }
    let mut now_ns = 0;
    for _ in 0..SECONDS {
        for turn in 0..REQUESTS / SECONDS {
            // Both routes on each core.
            let (core, path) = (turn as usize % CORES, turn as usize / CORES % PATHS.len());
            ask(&mut peers[core], PATHS[path]);
        }
        now_ns += 1_000_000_000;
        for core in 0..CORES {
            let snapshot = cluster.recorder(core).snapshot(now_ns);
            let _ = totals.keep(snapshot);
        }
        totals.end_second(now_ns);
    }
    assert_eq!(draws.get(), REQUESTS);
    totals.merge(now_ns)
}

fn check(told: &LatencySummary, of: &str) {
    assert_eq!(told.count, REQUESTS, "{of}");
    let exact = [0, REQUESTS - 1].map(latency_ns);
    assert_eq!([told.min_ns, told.max_ns], exact, "{of}");
    for (per_10_000, told_ns) in [
        (5_000, told.p50_ns),
        (9_000, told.p90_ns),
        (9_900, told.p99_ns),
        (9_990, told.p99_9_ns),
        (9_999, told.p99_99_ns),
    ] {
        // Ranks are whole here: so many are at most that long.
        let exact_ns = latency_ns(REQUESTS / 10_000 * per_10_000 - 1);
        let error = (told_ns as f64 - exact_ns as f64) / exact_ns as f64;
        assert!(
            (0.0..=0.0078).contains(&error),
            "{of}: {told_ns} for {exact_ns} at {per_10_000} of 10,000"
        );
    }
}

#[test]
fn percentiles_of_what_a_handler_takes_are_within_0_78_percent() {
    let view = served();
    for window in WINDOWS {
        check(&view.latency(window).summary(), window.name());
        // No other stage takes any time here.
        for (stage, latencies) in view.stages(window) {
            match stage {
                "handler" => check(&latencies.summary(), stage),
                _ => assert_eq!(latencies.sum_ns(), 0, "{stage}"),
            }
        }
        let cores = (0..CORES).map(|core| view.core_latency(window, core).count());
        assert!(
            cores
                .into_iter()
                .all(|count| count == REQUESTS / CORES as u64)
        );
        let series = view.series(window);
        let series: Vec<_> = series
            .map(|(name, kinds)| (&*name.route, kinds[0].count()))
            .collect();
        assert_eq!(
            series,
            PATHS.map(|path| (path, REQUESTS / PATHS.len() as u64))
        );
    }
}
