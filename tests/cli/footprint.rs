//! What serving costs, counted from outside: the memory of a connection that waits, the wake-ups of
//! a server that has nothing to do, and the system calls of one that is busy.

use super::support::process::Process;
use super::support::{Client, fresh_stats, number, outside, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Raises the soft limit on descriptors of this process, and of those that it starts, to `needed`.
fn has_descriptors(needed: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return true;
    }
    let raised = Rlimit {
        current: Some(needed),
        ..limit
    };
    setrlimit(Resource::Nofile, raised).is_ok()
        || outside::not_run(&format!("{needed} descriptors are not to be had"))
}

fn connect(address: SocketAddr, count: u64) -> Vec<Client> {
    let clients = (0..count).map(|_| {
        let mut client = Client::connect(address);
        client.assert_alive();
        client
    });
    clients.collect()
}

#[test]
fn an_idle_connection_costs_little_memory() {
    const CONNECTIONS: u64 = 15_000;
    /// What nginx takes for the same.
    const MOST_BYTES: u64 = 555;
    /// Those that were there before: all receive buffers have been used.
    const BEFORE: u64 = 3_000;
    if !has_descriptors(BEFORE + CONNECTIONS + 1_000) {
        return;
    }
    // Statistics keep the last seconds: what those take grows with time, whatever the connections. And
    // however slow the machine is, none of them is closed for its silence.
    let options = ["--no-stats", "--limit", "idle_timeout=1h"];
    let listen = ["--listen", "127.0.0.1:0", "--cores", "1"];
    let mut process = Process::start(["demo"].into_iter().chain(options).chain(listen));
    let address = process.listening();
    let earlier = connect(address, BEFORE);
    let before = process.resident_bytes();
    let connections = connect(address, CONNECTIONS);
    let grown = process.resident_bytes() - before;
    let each = grown / CONNECTIONS;
    eprintln!("{each} bytes for each of {CONNECTIONS} connections");
    assert!(
        grown > 0 && each < MOST_BYTES,
        "{each} bytes for each connection"
    );
    drop((earlier, connections));
}

#[test]
fn idle_connections_hold_no_buffer() {
    const CONNECTIONS: u64 = 100;
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]);
    let address = process.listening();
    let connections = connect(address, CONNECTIONS);
    let mut stats = fresh_stats(address);
    wait_until("all connections wait", || {
        stats = fresh_stats(address);
        number(&stats, "/connections/idle") >= CONNECTIONS
    });
    let held = number(&stats, "/cores/0/receive_buffers/held");
    assert_eq!(held, 0, "{stats}");
    drop(connections);
}

/// What a thread did since it began.
#[derive(Clone, Copy)]
struct Activity {
    /// How often it gave up its CPU to wait.
    waits: u64,
    ran: Duration,
}

impl Activity {
    fn of(thread: &Path) -> Self {
        let status = fs::read_to_string(thread.join("status")).expect("its status");
        let waits = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let ran = fs::read_to_string(thread.join("schedstat")).expect("its time");
        let ran_ns = ran.split_whitespace().next().map(str::parse);
        Self {
            waits: waits.expect("a count").trim().parse().expect("a number"),
            ran: Duration::from_nanos(ran_ns.expect("a time").expect("a number")),
        }
    }
}

#[test]
fn idle_cores_sleep() {
    const WATCHED: Duration = Duration::from_secs(2);
    const MOST_WAKE_UPS_PER_SECOND: f64 = 5.0;
    // 0 % in whole percent.
    const MOST_BUSY: f64 = 0.005;
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let address = process.listening();
    let mut connections: Vec<_> = (0..16).map(|_| Client::connect(address)).collect();
    connections.iter_mut().for_each(Client::assert_alive);
    let shards = process.shards();
    assert!(!shards.is_empty());
    let look = || shards.iter().map(|shard| Activity::of(shard));
    // A core that has just been busy waits in steps of a millisecond first. And what else runs on this
    // machine may add waits in the kernel, for membarrier(2) say, to those of the cores: what wakes a core
    // by itself is in every interval, so one quiet interval tells.
    wait_until("the cores sleep", || {
        let (before, began): (Vec<_>, _) = (look().collect(), Instant::now());
        // The length of the observation, and nothing that anything waits for.
        std::thread::sleep(WATCHED);
        let seconds = began.elapsed().as_secs_f64();
        let rates = before.iter().zip(look()).map(|(before, now)| {
            let per_second = (now.waits - before.waits) as f64 / seconds;
            (per_second, (now.ran - before.ran).as_secs_f64() / seconds)
        });
        let rates: Vec<_> = rates.collect();
        eprintln!("wake-ups a second and busy ratio by core: {rates:?}");
        let is_idle =
            |&(per_second, busy)| per_second < MOST_WAKE_UPS_PER_SECOND && busy < MOST_BUSY;
        rates.iter().all(is_idle)
    });
}

/// What strace counted while a server was busy.
struct Busy {
    requests: f64,
    seconds: f64,
    /// How often each system call was made.
    calls: Vec<(f64, String)>,
}

/// Has `process` answer requests on so many connections for three seconds; `None` where it may not be traced.
fn busy(process: &Process, address: SocketAddr, connections: u64) -> Option<Busy> {
    let shard = process.shards().remove(0);
    let thread = shard.file_name().expect("its number").to_string_lossy();
    let folder = tempfile::tempdir().expect("a folder");
    let counts = folder.path().join("counts");
    let before = number(&fresh_stats(address), "/requests/total");
    let mut strace = Command::new("strace")
        .args(["-c", "-U", "calls,name", "-p", &thread, "-o"])
        .arg(&counts)
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace");
    let mut said = BufReader::new(strace.stderr.take().expect("piped")).lines();
    let attached = said.next().expect("a line").expect("text");
    if !attached.contains("attached") {
        let _ = strace.wait();
        outside::not_run(&attached);
        return None;
    }
    let began = Instant::now();
    let load = format!("-t1 -c{connections} -d3s http://{address}/plaintext");
    outside::run(Command::new("wrk").args(load.split(' ')));
    let stop = Command::new("sh")
        .args(["-c", "kill -s INT \"$0\"", &strace.id().to_string()])
        .status();
    assert!(stop.expect("sh").success());
    let _ = strace.wait().expect("it is our child");
    let seconds = began.elapsed().as_secs_f64();
    let requests = (number(&fresh_stats(address), "/requests/total") - before) as f64;
    let counts = fs::read_to_string(&counts).expect("what was counted");
    eprintln!("{requests} requests in {seconds} s\n{counts}");
    let call = |line: &str| {
        let (calls, name) = line.trim().split_once(' ')?;
        Some((calls.parse().ok()?, name.trim().to_owned()))
    };
    let calls = counts.lines().filter_map(call);
    Some(Busy {
        requests,
        seconds,
        calls: calls.filter(|(_, name)| name != "total").collect(),
    })
}

#[test]
fn a_request_costs_a_share_of_one_system_call() {
    const CONNECTIONS: u64 = 64;
    /// On an idle machine it is less than a tenth (`benches/footprint`). Tracing makes every call slow.
    const MOST_ENTERS: f64 = 0.25;
    const MOST_OTHERS: f64 = 0.01;
    /// Beside the requests the ring steps aside for glommio's timers, by the clock: about a hundred
    /// times a second while it is busy. In a fast build that is lost among the requests.
    const MOST_PER_SECOND: f64 = 250.0;
    if !outside::has("strace") || !outside::has("wrk") {
        return;
    }
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]);
    let address = process.listening();
    // What else runs on this machine may leave each turn of the ring less to do: one interval in which it
    // did not tells.
    wait_until("a request costs little", || {
        let Some(busy) = busy(&process, address, CONNECTIONS) else {
            return true;
        };
        // Each connection may ask for something once, as for its peer's address.
        let beside = CONNECTIONS as f64 + MOST_PER_SECOND * busy.seconds;
        let is_ring = |name: &str| name == "io_uring_enter";
        assert!(busy.calls.iter().any(|(_, name)| is_ring(name)));
        busy.calls.iter().all(|(calls, name)| {
            if is_ring(name) {
                calls / busy.requests <= MOST_ENTERS
            } else {
                (calls - beside) / busy.requests < MOST_OTHERS
            }
        })
    });
}
