//! Starting where the kernel has no memory for a ring, or no CPU for a thread: brought about for real, by
//! system calls that fail or take long.

use super::support::process::{CORELANE, Process};
use super::support::{Client, fresh_stats, number, outside};
use std::net::SocketAddr;
use std::process::Command;

/// Rings that the program makes on one of its threads, and more: glommio's, ours, and those that are made to
/// try.
const RINGS: usize = 12;

/// What the log tells of a ring that is smaller.
const SMALL: &str = " WARN corelane::shard: the kernel has no memory";

/// More than a small ring has completions.
const CONNECTIONS: usize = 1_500;

/// The program on one core, with `injected` into system calls called `name`.
fn traced(name: &str, injected: &str) -> Process {
    let mut command = Command::new("strace");
    // The program is our child (-D), so that it ends with the test.
    command.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null"]);
    command.args(["-e", &format!("trace={name}")]);
    command.args(["-e", &format!("inject={name}:{injected}")]);
    command.args(["--", CORELANE, "demo", "--listen", "127.0.0.1:0"]);
    Process::spawn(command.args(["--cores", "1"]))
}

/// Where the program listens in whose threads the `failing`th ring of each finds no memory; `None` if it
/// refuses to start.
fn without_memory(failing: usize) -> Option<(Process, SocketAddr)> {
    let mut process = traced("io_uring_setup", &format!("error=ENOMEM:when={failing}"));
    loop {
        let line = process.line("");
        if let Some(address) = line.strip_prefix("listening on http://") {
            return Some((process, address.parse().expect("an address")));
        }
        if line.starts_with("corelane: ") {
            assert!(line.contains("memory"), "{line}");
            assert_eq!(process.end().code, Some(1), "{line}");
            return None;
        }
    }
}

#[test]
fn a_ring_for_which_there_is_no_memory_is_smaller_and_serves_all_the_same() {
    if !outside::has("strace") {
        return;
    }
    let (mut refused, mut small) = (0, 0);
    for failing in 1..=RINGS {
        let Some((process, address)) = without_memory(failing) else {
            refused += 1;
            continue;
        };
        let connect = |_| Client::connect(address);
        let mut clients: Vec<_> = (0..CONNECTIONS).map(connect).collect();
        // Stopped, it has all of them to see to at once when it goes on.
        process.signal("STOP");
        clients.iter_mut().for_each(|client| client.get("/all"));
        process.signal("CONT");
        for client in &mut clients {
            assert_eq!(client.response().text(), "Hello, all");
        }
        let stats = fresh_stats(address);
        let active = number(&stats, "/connections/active");
        assert_eq!(active, CONNECTIONS as u64 + 1, "{stats}");
        process.signal("TERM");
        // The log writes when it comes to that: before the line with the address, or behind it.
        let is_small = process.seen(SMALL);
        let end = process.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        small += usize::from(is_small || end.lines.iter().any(|line| line.contains(SMALL)));
    }
    // Of those that only try a ring, and of glommio's, there is no smaller one.
    assert!(refused > 0, "strace may not trace here");
    assert_eq!(small, 1);
}

#[test]
fn a_thread_that_loses_its_cpu_starts_all_the_same() {
    if !outside::has("strace") {
        return;
    }
    // As if it were for three times as long as glommio's preemption timer takes, behind each of the system
    // calls that it makes before the first task runs, and of those that follow.
    for slow in 1..=10 {
        let mut process = traced("io_uring_enter", &format!("delay_exit=30000:when={slow}"));
        let address = process.listening();
        Client::connect(address).assert_alive();
        process.signal("TERM");
        assert_eq!(process.end().code, Some(0));
    }
}
