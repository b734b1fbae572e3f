//! Programs that are pinned to one CPU, bounded in time, and ended when they are no longer needed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::cpu;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How often a program that should be ending is looked at.
const POLL: Duration = Duration::from_millis(2);

/// A program that runs; dropping it ends it and its children.
pub struct Running {
    child: Child,
}

/// Makes a command whose threads and children all stay on `cpu`, and which is terminated if this
/// process dies first.
pub fn pinned(cpu: usize, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "taskset", "-c", &cpu.to_string()])
        .arg(program);
    command.stdin(Stdio::null());
    command
}

/// Says whether a program can be started at all.
pub fn exists(program: impl AsRef<Path>) -> bool {
    let program = program.as_ref();
    let path = std::env::var_os("PATH").unwrap_or_default();
    program.is_absolute() && program.exists()
        || std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Insists on programs, each named with the package that it comes in.
pub fn need(programs: &[(&str, &str)]) -> Result<()> {
    for (program, package) in programs {
        ensure!(
            exists(program),
            "{program} is missing: apt-get install {package}"
        );
    }
    Ok(())
}

impl Running {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> Result<Running> {
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Running { child })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its pipes and exit status.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it has ended, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let end = Instant::now() + limit;
        loop {
            let status = self.ended()?;
            if status.is_some() || Instant::now() >= end {
                return Ok(status);
            }
            sleep(POLL);
        }
    }
}

impl Drop for Running {
    /// Asks the program to end, and kills what is left of it and its children.
    fn drop(&mut self) {
        if !matches!(self.ended(), Ok(None)) {
            return;
        }
        let family = cpu::family(self.id());
        // Signals fail only for processes that are gone, which is what they are for.
        let signal = |id: u32, signal| {
            Pid::from_raw(id as i32).map(|pid| kill_process(pid, signal));
        };
        signal(self.id(), Signal::TERM);
        if !matches!(self.wait(GRACE), Ok(Some(_))) {
            family.into_iter().for_each(|id| signal(id, Signal::KILL));
            let _ = self.child.wait();
        }
    }
}
