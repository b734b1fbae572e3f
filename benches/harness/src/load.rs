//! One measurement: wrk on its own CPU against a server, and the CPU time that the server spent.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::cases::{Case, FOLDER_FILES, TREE_FOLDERS};
use crate::cpu::CpuTime;
use crate::process::{Running, pinned};
use crate::servers::{Server, Serving};
use crate::site::Site;

/// The CPU that wrk runs on.
pub const LOAD_CPU: usize = 1;

/// The time for which the server is loaded before it is measured, in seconds.
const WARM_UP_SECONDS: u64 = 1;

/// How long wrk may take beyond the time it was given.
const OVERTIME: Duration = Duration::from_secs(5);

/// What one measurement found.
#[derive(Clone, Copy)]
pub struct Sample {
    /// CPU time of the server for each request, in microseconds.
    pub cpu_us: f64,
    /// CPU time of wrk for each, in microseconds.
    pub wrk_us: f64,
    /// Requests answered each second.
    pub per_second: f64,
    /// 99th percentile of the time to the answer, in microseconds, as `wrk --latency` prints it. None
    /// for pipelined requests: wrk corrects its latencies by the time between two requests of a
    /// connection, which is no time between two batches.
    pub p99_us: Option<f64>,
    /// Requests answered.
    pub requests: u64,
    /// Threads of the server that ended meanwhile; their CPU time is missing.
    pub threads_ended: usize,
}

/// What wrk counted.
pub struct Counted {
    pub requests: u64,
    /// What it received.
    bytes: u64,
    /// CPU time that it spent itself.
    cpu_us: u64,
    duration_us: u64,
    p99_us: u64,
}

/// Starts `server`, warms it up, measures it for `seconds`, and ends it.
pub fn measure(server: &Server, case: Case, seconds: u64, site: &Site) -> Result<Sample> {
    let mut serving = server.start(case, site)?;
    wrk(&serving, case, WARM_UP_SECONDS, site)?;
    let before = CpuTime::of(serving.id());
    let counted = wrk(&serving, case, seconds, site)?;
    let after = CpuTime::of(serving.id());
    ensure!(serving.alive(), "the server ended under load");
    ensure!(counted.requests > 0, "no request was answered");

    let spent = before.until(&after);
    let answered = match case.file() {
        Some(file) if case.counts_bytes() => counted.bytes as f64 / file.bytes as f64,
        _ => counted.requests as f64,
    };
    Ok(Sample {
        cpu_us: spent.ns as f64 / 1e3 / answered,
        wrk_us: counted.cpu_us as f64 / answered,
        per_second: answered * 1e6 / counted.duration_us as f64,
        p99_us: (case.pipelined() == 1).then_some(counted.p99_us as f64),
        requests: counted.requests,
        threads_ended: spent.threads_ended,
    })
}

/// Runs wrk once, or the client that takes its place; any error that it counts is an error.
pub fn wrk(serving: &Serving, case: Case, seconds: u64, site: &Site) -> Result<Counted> {
    let mut command = match case {
        Case::Cold => cold_command(serving, seconds, site)?,
        _ => wrk_command(serving, case, seconds, site),
    };
    let mut run = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;

    let limit = Duration::from_secs(seconds);
    sleep(limit);
    let status = run.wait(OVERTIME)?.context("wrk does not end")?;
    // What wrk says fits into the pipes, so it never waits for a reader.
    let mut said = String::new();
    run.child()
        .stdout
        .take()
        .context("no standard output")?
        .read_to_string(&mut said)?;
    run.child()
        .stderr
        .take()
        .context("no standard error")?
        .read_to_string(&mut said)?;
    if !status.success() {
        bail!("wrk failed ({status}): {}", said.trim());
    }
    read_counts(&said)
}

/// This program as the client of `cold.rs`.
fn cold_command(serving: &Serving, seconds: u64, site: &Site) -> Result<Command> {
    let mut command = pinned(LOAD_CPU, std::env::current_exe()?);
    command.args(["cold", &serving.address.to_string()]);
    command.arg(site.cold()).arg(seconds.to_string());
    Ok(command)
}

fn wrk_command(serving: &Serving, case: Case, seconds: u64, site: &Site) -> Command {
    let mut command = pinned(LOAD_CPU, "wrk");
    command.args([
        "--threads",
        "1",
        "--connections",
        &case.connections().to_string(),
    ]);
    command.args(["--duration", &seconds.to_string(), "--latency"]);
    command.arg("--script").arg(site.script());
    if case.closes() {
        command.args(["--header", "Connection: close"]);
    }
    command.arg(format!("http://{}{}", serving.address, case.path()));
    command.args(["--", &case.pipelined().to_string()]);
    command.args(case.varies().then_some("varied"));
    if case == Case::Tree {
        command.args(["tree", &TREE_FOLDERS.to_string(), &FOLDER_FILES.to_string()]);
    }
    command
}

fn read_counts(said: &str) -> Result<Counted> {
    let line = said.lines().find(|line| line.starts_with('{'));
    let line = line.with_context(|| format!("wrk counted nothing: {said}"))?;
    let counts: Value = serde_json::from_str(line)?;
    let errors = counts["errors"]
        .as_object()
        .context("wrk counted no errors")?;
    for (kind, count) in errors {
        ensure!(*count == 0, "wrk counted errors: {kind} {count}");
    }
    let count = |name: &str| {
        counts[name]
            .as_u64()
            .with_context(|| format!("no {name} in {line}"))
    };
    Ok(Counted {
        requests: count("requests")?,
        bytes: count("bytes")?,
        cpu_us: count("cpu_us")?,
        duration_us: count("duration_us")?,
        p99_us: count("p99_us")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_script_prints() {
        let line = |read: u32| {
            format!(
                "Running 1s test\n{{\"requests\":9,\"bytes\":6,\"cpu_us\":5,\"duration_us\":8,\"p99_us\":7,\"errors\":\
                 {{\"connect\":0,\"read\":{read},\"write\":0,\"status\":0,\"timeout\":0}}}}\n"
            )
        };
        let counted = read_counts(&line(0)).unwrap();
        assert_eq!(
            (
                counted.requests,
                counted.duration_us,
                counted.p99_us,
                counted.bytes,
                counted.cpu_us
            ),
            (9, 8, 7, 6, 5)
        );
        assert!(read_counts(&line(1)).is_err_and(|error| error.to_string().contains("read 1")));
        assert!(read_counts("Running 1s test\n").is_err());
    }
}
