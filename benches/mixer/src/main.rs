//! The example `site` on one core, under bulk transfers, event streams and plain requests at once:
//! is its memory flat, and does one kind starve another? It prints a table to standard output, what
//! it is doing to standard error, and exits with 1 when a bound is passed.

mod bulk;
mod events;
mod files;
mod plain;
mod scrapers;
mod server;
#[path = "../../../tests/examples/site.rs"]
#[expect(dead_code, reason = "the site is served with more routes than its own")]
mod site;
mod tally;

use std::process::ExitCode;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, Subcommand};

use crate::server::{CONTENT_BYTES, Serving};
use crate::tally::{Latencies, Tally};

/// The allocator of corelane's own program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The load's CPU; the server has another.
const LOAD_CPU: usize = 1;

/// How much the server may grow once all that it is loaded with has begun, in bytes.
const MOST_GROWTH: u64 = 8 << 20;

/// How much it may grow in all: for each client of the bulk and the events a few pieces of content.
const MOST_TAKEN: u64 = 96 << 20;

/// Longest time for a plain request, and longest lateness of an event beside the coarseness of the
/// server's deadlines. More is starvation.
const MOST_WAIT: Duration = Duration::from_millis(250);

/// Loads the example `site` on one core with downloads and uploads of 100 MB each, event streams and
/// plain requests at once, and says how each fares and how much memory the server takes.
///
/// Builds what it runs. It wants two CPUs of its own.
#[derive(Parser)]
#[command(bin_name = "benches/mixed")]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,

    /// How long the plain requests are alone, and then the mixed load lasts.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(4..=600))]
    seconds: u64,

    /// How many clients listen to events; each gets one a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    listeners: u32,

    /// How many clients download a file, as many a streamed response, and as many have content echoed.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    bulk: u32,

    /// How many clients send plain requests, one each 2 ms.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    plain: u32,
}

#[derive(Subcommand)]
enum Role {
    /// Loads it with plain requests beside a download of 10 GiB, and beside 64 files that are not in
    /// memory.
    Files {
        /// How many rounds of each kind.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
        rounds: u32,
    },
    /// Loads it with plain requests beside 100 scrapers of statistics that ask ten times a second each.
    Scrapers {
        /// How many rounds of each kind.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=99))]
        rounds: u32,
    },
    /// Is the server: what this program starts.
    #[command(hide = true)]
    Serve { folder: String },
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.role {
        Some(Role::Serve { folder }) => server::run(folder.clone()),
        Some(Role::Files { rounds }) => measure_files(&options, *rounds),
        Some(Role::Scrapers { rounds }) => measure_scrapers(&options, *rounds as usize),
        None => measure(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mixed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What runs on threads of its own and is joined for what it counted.
type Load<T> = std::thread::JoinHandle<Result<T>>;

fn join<T>(load: Load<T>) -> Result<T> {
    load.join().map_err(|_| anyhow!("a load panicked"))?
}

fn measure_files(options: &Options, rounds: u32) -> Result<()> {
    let folder = tempfile::tempdir()?;
    files::furnish(folder.path())?;
    let mut serving = Serving::start(folder.path())?;
    server::pin(LOAD_CPU)?;
    let window = Duration::from_secs(options.seconds);
    files::measure(
        serving.address,
        folder.path(),
        options.plain,
        rounds,
        window,
    )?;
    serving.stop()
}

fn measure_scrapers(options: &Options, rounds: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut serving = Serving::start(folder.path())?;
    server::pin(LOAD_CPU)?;
    let window = Duration::from_secs(options.seconds);
    scrapers::measure(&serving, options.plain, rounds, window)?;
    serving.stop()
}

fn measure(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("file"), vec![b'f'; CONTENT_BYTES])?;
    let mut serving = Serving::start(folder.path())?;
    let address = serving.address;
    server::pin(LOAD_CPU)?;
    let window = Duration::from_secs(options.seconds);

    eprintln!("plain requests alone, for {} s", options.seconds);
    let idle_bytes = serving.resident()?;
    let alone = plain::run(address, options.plain, Instant::now() + window)?;

    eprintln!(
        "with {} listeners and {} transfers of each kind",
        options.listeners, options.bulk
    );
    let until = Instant::now() + window + Duration::from_secs(1);
    let (listeners, transfers, clients) = (options.listeners, options.bulk, options.plain);
    let events = spawn(move || events::run(address, listeners, until));
    let bulk = spawn(move || bulk::run(address, transfers, until));
    // Everything has begun when this second is over.
    sleep(Duration::from_secs(1));
    let beside = spawn(move || plain::run(address, clients, until));
    sleep(window / 4);
    let start_bytes = serving.resident()?;
    sleep(window / 4);
    let middle_bytes = serving.resident()?;
    sleep((until - Instant::now()).saturating_sub(Duration::from_millis(200)));
    let end_bytes = serving.resident()?;
    let (beside, events, bulk) = (join(beside)?, join(events)?, join(bulk)?);
    serving.stop()?;

    println!("| | count | p50 | p99 | max |\n|---|--:|--:|--:|--:|");
    println!("| plain requests alone | {alone} |");
    println!("| plain requests beside the rest | {beside} |");
    println!("| events: lateness | {} |", events.late);
    println!(
        "| events: from their making to their arrival | {} |",
        events.underway
    );
    println!("\n| | MB moved | MB/s |\n|---|--:|--:|");
    for (name, tally) in [
        ("files downloaded", &bulk.files),
        ("streams downloaded", &bulk.streams),
        ("content echoed", &bulk.echoes),
    ] {
        println!("| {name} | {} |", tally.shown(window));
    }
    println!("\n| resident memory | MB |\n|---|--:|");
    for (when, bytes) in [
        ("before the load", idle_bytes),
        ("a quarter into the mixed load", start_bytes),
        ("half-way", middle_bytes),
        ("at its end", end_bytes),
    ] {
        println!("| {when} | {:.1} |", bytes as f64 / 1e6);
    }
    judge(
        &beside,
        &events,
        &bulk,
        [idle_bytes, start_bytes, end_bytes],
    )
}

/// Holds what was counted against the bounds.
fn judge(
    plain: &Latencies,
    events: &events::Heard,
    bulk: &bulk::Moved,
    [idle, start, end]: [u64; 3],
) -> Result<()> {
    let growth = end.saturating_sub(start);
    ensure!(
        growth <= MOST_GROWTH,
        "it grew by {growth} bytes under an even load"
    );
    let taken = end.saturating_sub(idle);
    ensure!(taken <= MOST_TAKEN, "it took {taken} bytes for the load");
    let (plain_p99, events_p99) = (plain.percentile(99.0), events.underway.percentile(99.0));
    ensure!(
        plain_p99 <= MOST_WAIT,
        "plain requests starve: {plain_p99:?} at p99"
    );
    ensure!(
        events_p99 <= MOST_WAIT,
        "events starve: {events_p99:?} at p99"
    );
    let tallies = [&bulk.files, &bulk.streams, &bulk.echoes];
    let starved = tallies
        .iter()
        .any(|tally: &&Tally| tally.least_bytes() == 0);
    ensure!(!starved, "a transfer never got a byte");
    Ok(())
}

/// Runs `load` on this thread.
fn block_on<T>(load: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .context("no runtime")?
        .block_on(tokio::task::LocalSet::new().run_until(load))
}
