//! What the command line asks for.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser};

use crate::cases::Case;
use crate::servers::Name;

/// What the program is asked to do; `benches/compare` and `benches/footprint` ask for one each.
#[derive(Parser)]
#[command(bin_name = "benches")]
pub enum Asked {
    Compare(Options),
    Footprint(Footprint),
    /// Is a client: what a comparison starts.
    #[command(hide = true)]
    Cold(Cold),
}

/// Asks for files that are not in memory.
#[derive(Args)]
pub struct Cold {
    pub address: SocketAddr,

    /// Where the server's files lie.
    pub folder: PathBuf,

    pub seconds: u64,
}

/// Counts what corelane takes: memory for an idle connection, receive buffers held, wake-ups of an
/// idle core, and system calls for a request.
///
/// Builds what it runs. Needs wrk, strace, taskset and setpriv, and two CPUs of its own.
#[derive(Args)]
pub struct Footprint {
    /// How many connections are idle.
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub connections: u64,

    /// How long the idle server is watched, and the busy one loaded.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=30))]
    pub seconds: u64,

    /// Runs this binary of corelane instead of building one.
    #[arg(long, value_name = "PATH")]
    pub corelane: Option<PathBuf>,
}

/// Compares corelane with two minimal servers (the floor) and with other servers: CPU time per
/// request, requests per second and 99th percentile, on one core each.
///
/// Builds what it runs. Needs wrk, nginx, taskset and setpriv, and two CPUs of its own.
#[derive(Args)]
pub struct Options {
    /// How often each server is measured in each case, in turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// How long one measurement lasts; a second of warming up comes before it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,

    /// Measures only these cases.
    #[arg(long = "case", value_name = "NAME", value_delimiter = ',')]
    cases: Vec<Case>,

    /// Measures only these servers, and the floor.
    #[arg(long = "server", value_name = "NAME", value_delimiter = ',')]
    servers: Vec<Name>,

    /// Runs this binary of corelane instead of building one; with two, compares them too.
    #[arg(long, value_name = "PATH[,PATH2]", value_delimiter = ',')]
    corelane: Vec<PathBuf>,

    /// Also writes every sample to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Options {
    /// The cases to measure, in the order of the report.
    pub fn cases(&self) -> Vec<Case> {
        let all = Case::ALL.into_iter();
        all.filter(|case| self.cases.is_empty() || self.cases.contains(case))
            .collect()
    }

    /// The servers to measure, in the order of the report; the floor always, as ratios need it.
    pub fn servers(&self) -> Vec<Name> {
        let chosen = |name: &Name| {
            name.is_floor()
                || self.servers.contains(name)
                || (self.servers.is_empty() && self.corelane.is_empty() && !name.is_extra())
                || (*name == Name::Corelane && !self.corelane.is_empty())
        };
        Name::ALL.into_iter().filter(chosen).collect()
    }

    /// The binaries of corelane that are already built, at most two.
    pub fn corelane(&self) -> anyhow::Result<&[PathBuf]> {
        anyhow::ensure!(
            self.corelane.len() <= 2,
            "--corelane takes one or two binaries"
        );
        Ok(&self.corelane)
    }
}
