//! The server as a process: started, listened to on standard error, signalled, and waited for.

use super::{PATIENCE, outside};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// The program under test.
pub(crate) const CORELANE: &str = env!("CARGO_BIN_EXE_corelane");

/// A process that is killed when the test lets go of it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Lines of its standard error.
    lines: Receiver<String>,
    /// Those that were taken, for messages.
    seen: Vec<String>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    /// What it wrote to standard error and nobody had taken.
    pub(crate) lines: Vec<String>,
}

/// The example `name` as a program, as it was built last; `None`, and that is said loudly, where it was not.
/// Cargo builds examples when it runs all tests, and not for one file of them.
pub(crate) fn example(name: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().expect("a program");
    let built = test.ancestors().nth(2).expect("a folder").join("examples");
    let program = built.join(name);
    let is_built = program.exists() || outside::not_run(&format!("{program:?} is not built"));
    is_built.then_some(program)
}

/// `program` as it runs for a user to whom permissions apply, which they do not to root.
pub(crate) fn unprivileged(program: &str) -> Command {
    let owner = fs::metadata("/proc/self").expect("this process").uid();
    if owner != 0 {
        return Command::new(program);
    }
    let without = "-dac_override,-dac_read_search";
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", without, "--inh-caps", without, program]);
    command
}

impl Process {
    /// Starts `corelane` with `arguments`.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::spawn(Command::new(CORELANE).args(arguments))
    }

    /// Starts `command`.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let piped = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = piped
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                // The test may have ended.
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its standard error that contains `text`.
    pub(crate) fn line(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("it does not say {text:?}: {:?}", self.seen);
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Whether a line that was taken contains `text`.
    pub(crate) fn seen(&self, text: &str) -> bool {
        self.seen.iter().any(|line| line.contains(text))
    }

    /// Its resident memory. Counted page by page: the sum that the kernel keeps is late by some.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id()));
        let rollup = rollup.expect("its memory");
        let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB"));
        1024 * kib.expect("Rss").parse::<u64>().expect("a number")
    }

    /// The memory that its threads made but the first, in bytes, as far as it is resident: not what is
    /// of files, nor the first thread's heap. With the supervisor on the first thread, what is left is the
    /// shards', without the statistics of the last minute, which grow for a minute.
    pub(crate) fn bytes_of_shards(&self) -> u64 {
        let maps = fs::read_to_string(format!("/proc/{}/smaps", self.id())).expect("its memory");
        let (mut kib, mut is_heap) = (0, false);
        for line in maps.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("Anonymous:") if !is_heap => {
                    let number = words.next().expect("a number");
                    kib += number.parse::<u64>().expect("a number");
                }
                // A line without a name is the first of the next mapping.
                Some(name) if !name.ends_with(':') => is_heap = line.ends_with("[heap]"),
                _ => {}
            }
        }
        1024 * kib
    }

    /// The threads that serve, one for each core.
    pub(crate) fn shards(&self) -> Vec<PathBuf> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).expect("its threads");
        let paths = tasks.map(|task| task.expect("a thread").path());
        let is_shard = |path: &PathBuf| {
            let name = fs::read_to_string(path.join("comm")).expect("its name");
            name.starts_with("shard-")
        };
        paths.filter(is_shard).collect()
    }

    /// The next address that it says it listens on.
    pub(crate) fn listening(&mut self) -> SocketAddr {
        let line = self.line("listening on ");
        let address = line.strip_prefix("listening on http://").map(str::parse);
        let address = address.unwrap_or_else(|| panic!("no line of its own: {line}"));
        address.expect("an address")
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &id])
            .status();
        assert!(status.expect("sh").success(), "kill -s {name} {id}");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> End {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                // Its standard error is closed by its end, and by nothing before that.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it does not end: {:?} {lines:?}", self.seen)
                }
            }
        }
        let status: ExitStatus = self.child.wait().expect("it is our child");
        End {
            code: status.code(),
            lines,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
