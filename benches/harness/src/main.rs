//! The comparison: builds the servers, checks each, measures them in turn, prints the tables; and the
//! way into `footprint`. It prints tables to standard output and what it is doing to standard error.

mod builds;
mod cases;
mod check;
mod cold;
mod cpu;
mod footprint;
mod load;
mod options;
mod process;
mod report;
mod servers;
mod site;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;

use crate::cases::Case;
use crate::options::{Asked, Options};
use crate::report::{CaseReport, Entry, Outcome};
use crate::servers::Server;
use crate::site::Site;

fn main() -> ExitCode {
    let (name, outcome) = match Asked::parse() {
        Asked::Compare(options) => ("compare", run(&options)),
        Asked::Footprint(options) => ("footprint", footprint::run(&options).map(|()| true)),
        Asked::Cold(options) => ("cold", cold::run(&options).map(|()| true)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the comparison; returns whether everything that had to work worked.
fn run(options: &Options) -> Result<bool> {
    process::need(&[
        ("wrk", "wrk"),
        ("taskset", "util-linux"),
        ("setpriv", "util-linux"),
    ])?;
    let site = Site::new()?;
    let servers = servers::prepare(options)?;

    println!("{}", headline(options));
    let mut reports = Vec::new();
    let mut worked = true;
    for case in options.cases() {
        site.furnish(case)?;
        let report = compare(case, &servers, options, &site);
        println!("{}", report.markdown());
        let mut outcomes = report.entries.iter().zip(&servers);
        worked &= outcomes.all(|outcome| acceptable(outcome, case));
        reports.push(report.json());
    }
    if let Some(path) = &options.json {
        let document =
            json!({ "machine": machine(), "seconds": options.seconds, "cases": reports });
        fs::write(path, format!("{document:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(worked)
}

/// A server may lack what the case needs, and a peer may not work; none may fail once it was found to.
fn acceptable((entry, server): (&Entry, &Server), case: Case) -> bool {
    match entry.outcome {
        Outcome::Measured(_) => true,
        Outcome::LeftOut(_) => server.name.is_peer() || server.lacks(case).is_some(),
        Outcome::Failed(_) => false,
    }
}

/// Checks all servers in one case, then measures those that answered correctly, in turn.
fn compare(case: Case, servers: &[Server], options: &Options, site: &Site) -> CaseReport {
    let mut entries: Vec<Entry> = servers
        .iter()
        .map(|server| checked(server, case, site))
        .collect();
    for round in 0..options.rounds as usize {
        eprintln!("{}: round {} of {}", case.name(), round + 1, options.rounds);
        for turn in 0..servers.len() {
            // Each round starts with another server, so that none always follows the same one.
            let index = (round + turn) % servers.len();
            let Outcome::Measured(samples) = &mut entries[index].outcome else {
                continue;
            };
            match load::measure(&servers[index], case, options.seconds, site) {
                Ok(sample) => samples.push(sample),
                Err(error) => {
                    eprintln!(
                        "FAILED {} in {}: {error:#}",
                        servers[index].label,
                        case.name()
                    );
                    entries[index].outcome = Outcome::Failed(format!("{error:#}"));
                }
            }
        }
    }
    CaseReport { case, entries }
}

/// An entry without samples yet, or one that says why there will be none.
fn checked(server: &Server, case: Case, site: &Site) -> Entry {
    let outcome = match server.lacks(case) {
        Some(why) => Outcome::LeftOut(why.to_owned()),
        None => {
            let answers = server
                .start(case, site)
                .and_then(|it| check::check(it.address, case));
            answers.map_or_else(
                |error| Outcome::LeftOut(format!("{error:#}")),
                |()| Outcome::Measured(Vec::new()),
            )
        }
    };
    if let Outcome::LeftOut(why) = &outcome {
        eprintln!("{}: {} is left out: {why}", case.name(), server.label);
    }
    Entry {
        label: server.label.clone(),
        is_floor: server.name.is_floor(),
        outcome,
    }
}

fn headline(options: &Options) -> String {
    format!(
        "{}; one worker pinned to CPU {}, wrk to CPU {}; medians of {} rounds of {} s.\n",
        machine(),
        servers::SERVER_CPU,
        load::LOAD_CPU,
        options.rounds,
        options.seconds
    )
}

/// The processor and the kernel, as the kernel names them.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, Linux {}", kernel.trim())
}
