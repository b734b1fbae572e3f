//! Tests that need a process of their own: they count or limit descriptors, or look at a thread.
//! The test binary runs itself, with the one test named and a variable set.

use std::process::{Command, Stdio};

const ALONE: &str = "CORELANE_TEST_ALONE";

/// Runs `body` in a child process that runs the test called `name` below `ring::tests` and
/// nothing else.
pub(super) fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ring::tests::{name}"), "--nocapture"])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{name} alone failed:\n{text}");
    assert!(text.contains("1 passed"), "{name} is not a test:\n{text}");
}

/// Descriptors that this process has open.
pub(super) fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs `work` with no more descriptors than are open now.
pub(super) fn without_descriptors() -> Limited {
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // Descriptors are handed out from the lowest free number, so holes count too.
    let highest = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u64>().ok())
        .max()
        .unwrap();
    let fillers = std::iter::from_fn(|| {
        let filler = std::fs::File::open("/dev/null").ok()?;
        (std::os::fd::AsRawFd::as_raw_fd(&filler) as u64 <= highest).then_some(filler)
    })
    .collect();
    set_limit(Some(highest + 1), before);
    Limited {
        before,
        _fillers: fillers,
    }
}

/// A lowered limit, raised again when dropped.
pub(super) struct Limited {
    before: rustix::process::Rlimit,
    _fillers: Vec<std::fs::File>,
}

impl Drop for Limited {
    fn drop(&mut self) {
        set_limit(self.before.current, self.before);
    }
}

fn set_limit(current: Option<u64>, before: rustix::process::Rlimit) {
    let limit = rustix::process::Rlimit { current, ..before };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}

#[test]
fn a_lowered_limit_leaves_no_descriptor() {
    alone("alone::a_lowered_limit_leaves_no_descriptor", || {
        let limited = without_descriptors();
        assert!(std::fs::File::open("/dev/null").is_err());
        drop(limited);
        assert!(std::fs::File::open("/dev/null").is_ok());
    });
}
