//! Messages between two cores of a server that has nothing else to do: what a question costs, answered at
//! home and on another core, and what a message costs, by how many are sent at once. It prints tables to
//! standard output.

mod crossings;
mod tally;

use std::num::NonZeroUsize;
use std::sync::mpsc::channel;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use corelane::cores::CoreSelection;
use corelane::{App, Server, Shard};

use crate::tally::Tally;

/// The allocator of corelane's own program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what questions and messages between two cores of a server cost. It wants two CPUs of its own.
#[derive(Clone, Copy, Parser)]
#[command(bin_name = "benches/between")]
struct Options {
    /// How many questions are asked for each row, or messages sent.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    count: u32,

    /// How often everything is measured; the median is printed.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let (sender, results) = channel();
    let app = move |shard: &Shard| {
        let (sharded, ends) = (crossings::sharded(shard), crossings::lanes(shard));
        let sender = sender.clone();
        match shard.index() {
            0 => App::new().background(async move {
                let rounds = crossings::measure(options.count, options.rounds, sharded, ends);
                // Whoever waits for it has not gone.
                let _ = sender.send(rounds.await);
            }),
            _ => App::new().background(crossings::count(ends)),
        }
    };
    let two = NonZeroUsize::new(2).context("two")?;
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(two));
    let running = server.start(app).map_err(|error| anyhow!("{error}"))?;
    let rounds = results.recv().context("a core failed")??;
    running.stop().map_err(|error| anyhow!("{error}"))?;
    Tally::of(rounds).print();
    Ok(())
}
