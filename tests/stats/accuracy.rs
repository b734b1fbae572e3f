//! Percentiles against exact order statistics: ten million latencies of a known distribution, counted by
//! several cores and merged as the server merges them.
//!
//! The distribution is given by its quantiles, and each rank is recorded once, in an order that jumps
//! about. So the latency at each rank is known without sorting anything.

use corelane::stats::{Answered, MethodIndex, Recorder, Snapshot, Times, Totals, Whose, Window};
use corelane::stats::{RouteName, View};

/// Latencies recorded in all.
const RECORDINGS: u64 = 10_000_000;

/// The cores that record, and how often each sends a snapshot.
const CORES: [usize; 4] = [0, 1, 2, 5];
const SECONDS: u64 = 20;
const BATCH: u64 = RECORDINGS / SECONDS / CORES.len() as u64;

/// Ranks are taken in steps of this, which has no factor in common with how many there are, so that
/// none is taken twice.
const STRIDE: u64 = 6_180_339;

/// Routes that requests are spread over.
const ROUTES: u16 = 7;

/// The latency at `rank`, from 0, in nanoseconds: a third within 100 ns to 20 µs, as of a cache, then
/// 25 µs and up, twelve times as long with each further nine, to 10 s.
fn latency_ns(rank: u64) -> u64 {
    let below = rank as f64 / RECORDINGS as f64;
    if below < 1.0 / 3.0 {
        return (100.0 * 200_f64.powf(3.0 * below)) as u64;
    }
    let nines = -(1.0 - below).log10();
    (16_000.0 * 6.7_f64.powf(nines)) as u64
}

fn routes() -> Vec<RouteName> {
    let name = |route| RouteName::new(None, &format!("/{route}"));
    (0..ROUTES).map(name).collect()
}

/// What a core counts: every `CORES.len()`th of the steps, in `SECONDS` snapshots.
fn snapshots(place: usize) -> Vec<Snapshot> {
    let mut recorder = Recorder::new(CORES[place], &["completed"]);
    recorder.know_routes(&routes());
    let mut taken = Vec::new();
    for second in 0..SECONDS {
        for turn in 0..BATCH {
            let step = (second * BATCH + turn) * CORES.len() as u64 + place as u64;
            let ns = latency_ns(step * STRIDE % RECORDINGS);
            let answered = Answered {
                whose: Whose::route((step % u64::from(ROUTES)) as u16),
                method: MethodIndex::OTHER,
                status: if step.is_multiple_of(13) { 404 } else { 200 },
                times: Times {
                    arrived_ns: step,
                    begun_ns: step + ns / 10,
                    parsed_ns: step + ns / 9,
                    handled_ns: step + ns / 2,
                },
            };
            recorder.request(&answered, step + ns);
        }
        taken.push(recorder.snapshot((second + 1) * 1_000_000_000));
    }
    taken
}

fn merged() -> View {
    let mut totals = Totals::new(&CORES, &["completed"], 0);
    for core in CORES {
        totals.know_routes(core, routes());
    }
    let by_core = std::thread::scope(|scope| {
        let cores = [0, 1, 2, 3].map(|place| scope.spawn(move || snapshots(place)));
        cores.map(|core| core.join().expect("it records"))
    });
    let mut by_core = by_core.map(Vec::into_iter);
    for second in 1..=SECONDS {
        for snapshots in &mut by_core {
            let snapshot = snapshots.next().expect("one for each second");
            let _ = totals.keep(snapshot);
        }
        totals.end_second(second * 1_000_000_000);
    }
    totals.merge(SECONDS * 1_000_000_000)
}

#[test]
fn percentiles_of_ten_million_are_within_0_78_percent() {
    let view = merged();
    for window in [Window::Total, Window::Minute] {
        let summary = view.latency(window).summary();
        assert_eq!(summary.count, RECORDINGS);
        let exact = latency_ns(RECORDINGS - 1);
        assert_eq!((summary.min_ns, summary.max_ns), (100, exact));
        for (per_10_000, told) in [
            (5_000, summary.p50_ns),
            (9_000, summary.p90_ns),
            (9_900, summary.p99_ns),
            (9_990, summary.p99_9_ns),
            (9_999, summary.p99_99_ns),
        ] {
            // Ranks are whole here: so many are at most that long.
            let exact = latency_ns(RECORDINGS / 10_000 * per_10_000 - 1);
            let error = (told as f64 - exact as f64) / exact as f64;
            assert!(
                (0.0..=0.0078).contains(&error),
                "{window:?}: {told} for {exact} at {per_10_000} of 10,000"
            );
        }
    }
}
