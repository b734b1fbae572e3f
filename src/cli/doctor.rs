//! `corelane doctor`: what this machine lacks for corelane to run, and to run well. It changes
//! nothing.

use std::fmt;
use std::io::{self, Write as _};

use crate::cores::{self, CoreSelection, Ranges};
use crate::failure::Failure;
use crate::preflight::{self, Machine, SHARD_LOCKED_BYTES};

/// Below this limit of open files, connections run into it before the machine is busy.
const OPEN_FILES: u64 = 65_536;

/// Below this bound of the accept queue (the kernel's default since 5.4), a burst is dropped.
const SOMAXCONN: u64 = 4096;

/// Prints one line for each thing that was looked at.
///
/// # Errors
/// If corelane could not start here; the lines say why.
pub fn run() -> Result<(), Failure> {
    let findings = examine(&Machine::read());
    // The exit code tells as well, to whoever closed standard output.
    let _ = findings
        .iter()
        .try_for_each(|finding| writeln!(io::stdout(), "{finding}"));
    match findings.iter().filter(|f| f.level == Level::Fail).count() {
        0 => Ok(()),
        failed => Err(Failure::run(
            format!(
                "cannot start here: {failed} of {} checks fail",
                findings.len()
            ),
            "mend them as the lines above say",
        )),
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    level: Level,
    what: String,
    /// Empty if there is nothing to mend.
    mend: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        write!(f, "{level:<5}{}", self.what)?;
        if self.mend.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.mend)
    }
}

fn ok(what: impl Into<String>) -> Finding {
    Finding {
        level: Level::Ok,
        what: what.into(),
        mend: String::new(),
    }
}

fn warn(what: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding {
        level: Level::Warn,
        what: what.into(),
        mend: mend.into(),
    }
}

/// `fine` if the decision was for it, the refusal if not.
fn decided(decision: Result<(), Failure>, fine: impl Into<String>) -> Finding {
    match decision {
        Ok(()) => ok(fine),
        Err(failure) => Finding {
            level: Level::Fail,
            what: failure.what().into(),
            mend: failure.mend().into(),
        },
    }
}

/// What follows from the facts, in the order in which they matter.
fn examine(machine: &Machine) -> Vec<Finding> {
    let chosen = cores::select(&CoreSelection::All, &machine.available, machine.quota);
    let shards = chosen.as_ref().map_or(1, Vec::len);
    vec![
        decided(
            preflight::kernel(&machine.release),
            format!("Linux {}", machine.release),
        ),
        decided(
            preflight::io_uring_sysctl(&machine.io_uring_disabled, machine.privileged),
            "io_uring is allowed by sysctl",
        ),
        decided(machine.rings(), "a ring can be set up"),
        locked_memory(machine, shards),
        open_files(machine.open_files),
        somaxconn(machine.somaxconn),
        decided(
            chosen.as_ref().map(|_| ()).map_err(|e| e.clone().into()),
            format!("CPUs {} are available", Ranges(&machine.available)),
        ),
        quota(machine, shards),
    ]
}

fn locked_memory(machine: &Machine, shards: usize) -> Finding {
    let limit = match machine.memlock_bytes {
        Some(bytes) => format!("locked memory is limited to {} KiB", bytes / 1024),
        None => "locked memory is not limited".into(),
    };
    decided(machine.locks(shards, SHARD_LOCKED_BYTES), limit)
}

fn open_files(limit: Option<u64>) -> Finding {
    match limit {
        Some(limit) if limit < OPEN_FILES => warn(
            format!(
                "open files are limited to {limit}, and each connection is one, or two where files are served"
            ),
            "set LimitNOFILE=1048576 in the systemd unit, or raise ulimit -n",
        ),
        Some(limit) => ok(format!("open files are limited to {limit}")),
        None => ok("open files are not limited"),
    }
}

fn somaxconn(bound: Option<u64>) -> Finding {
    match bound {
        Some(bound) if bound < SOMAXCONN => warn(
            format!("accept queues are bounded to {bound} (net.core.somaxconn)"),
            format!("run sysctl -w net.core.somaxconn={SOMAXCONN}, and set it in /etc/sysctl.d"),
        ),
        Some(bound) => ok(format!("accept queues are bounded to {bound}")),
        None => warn(
            "net.core.somaxconn cannot be read",
            "mount /proc for this process",
        ),
    }
}

/// A quota that is no whole number of CPUs leaves the shards less than a CPU each: once it is used
/// up, the kernel stops them all for the rest of the period, and latency shows it.
fn quota(machine: &Machine, shards: usize) -> Finding {
    match machine.quota {
        Some(cpus) if cpus < shards as f64 => warn(
            format!(
                "the cgroup allows {cpus} CPUs, fewer than the cores used ({shards}), and stops them when it is used up"
            ),
            format!("raise the quota to {shards} (cpu.max, CPUQuota=, docker --cpus)"),
        ),
        Some(cpus) => ok(format!(
            "the cgroup allows {cpus} CPUs; cores used: {shards}"
        )),
        None => ok(format!("no CPU quota; cores used: {shards}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            release: "6.1.0-18-amd64".into(),
            io_uring_disabled: "0\n".into(),
            privileged: false,
            ring: Ok(()),
            open_files: Some(OPEN_FILES),
            memlock_bytes: Some(8 << 20),
            memlock_exempt: false,
            somaxconn: Some(SOMAXCONN),
            available: vec![0, 1],
            quota: None,
        }
    }

    fn at(level: Level, machine: &Machine) -> Vec<String> {
        let findings = examine(machine);
        let at = findings.iter().filter(|finding| finding.level == level);
        at.map(Finding::to_string).collect()
    }

    #[test]
    fn a_good_machine_has_nothing_to_mend() {
        let machine = machine();
        assert_eq!(at(Level::Ok, &machine).len(), 8);
        assert_eq!(at(Level::Ok, &machine)[0], "ok   Linux 6.1.0-18-amd64");
    }

    #[test]
    fn each_lack_is_one_line_with_its_mend() {
        type Change = fn(&mut Machine);
        let table: [(Change, Level, &str); 13] = [
            (
                |m| m.release = "5.15.0".into(),
                Level::Fail,
                "fail Linux 5.15.0 is too old; ",
            ),
            (
                |m| m.io_uring_disabled = "1".into(),
                Level::Fail,
                "fail io_uring is for priv",
            ),
            (
                |m| m.io_uring_disabled = "2".into(),
                Level::Fail,
                "fail io_uring is disabled",
            ),
            (
                |m| m.ring = Err(rustix::io::Errno::PERM.into()),
                Level::Fail,
                "fail io_uring is not permitted here",
            ),
            (
                |m| m.memlock_bytes = Some(0),
                Level::Fail,
                "fail the locked-memory limit of 0",
            ),
            (
                |m| {
                    m.release = "6.18".into();
                    m.memlock_bytes = Some(2 * SHARD_LOCKED_BYTES + preflight::PROBE_BYTES - 1);
                },
                Level::Fail,
                "fail the locked-memory limit of",
            ),
            (
                |m| m.open_files = Some(OPEN_FILES - 1),
                Level::Warn,
                "warn open files are",
            ),
            (
                |m| m.somaxconn = Some(SOMAXCONN - 1),
                Level::Warn,
                "warn accept queues are",
            ),
            (
                |m| m.somaxconn = None,
                Level::Warn,
                "warn net.core.somaxconn cannot",
            ),
            (
                |m| m.available.clear(),
                Level::Fail,
                "fail the CPUs this process may run on",
            ),
            (
                |m| m.quota = Some(1.5),
                Level::Warn,
                "warn the cgroup allows 1.5 CPUs, fewer than the cores used (2)",
            ),
            (
                |m| m.quota = Some(0.2),
                Level::Warn,
                "warn the cgroup allows 0.2 CPUs, fewer than the cores used (1)",
            ),
            (
                |m| m.ring = Err(rustix::io::Errno::NOMEM.into()),
                Level::Fail,
                "fail the memory for a ring",
            ),
        ];
        for (change, level, start) in table {
            let mut machine = machine();
            change(&mut machine);
            let lines = at(level, &machine);
            assert_eq!(lines.len(), 1, "{start}: {lines:?}");
            assert!(lines[0].starts_with(start), "{start}: {lines:?}");
            assert!(lines[0].contains("; "), "{start}: {lines:?}");
            assert_eq!(at(Level::Ok, &machine).len(), 7, "{start}");
        }
    }

    #[test]
    fn what_does_not_bind_is_no_lack() {
        type Change = fn(&mut Machine);
        let table: [Change; 6] = [
            |m| m.quota = Some(1.0),
            |m| m.quota = Some(64.0),
            |m| m.open_files = None,
            |m| m.memlock_bytes = None,
            // Before 6.14 rings are not charged, nor are they to the exempt.
            |m| m.memlock_bytes = Some(preflight::GLOMMIO_MEMLOCK_BYTES),
            |m| {
                m.release = "6.18".into();
                m.memlock_bytes = Some(preflight::GLOMMIO_MEMLOCK_BYTES);
                m.memlock_exempt = true;
            },
        ];
        for (row, change) in table.iter().enumerate() {
            let mut machine = machine();
            change(&mut machine);
            assert_eq!(at(Level::Ok, &machine).len(), 8, "row {row}");
        }
    }
}
