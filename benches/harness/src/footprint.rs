//! What corelane takes, counted from outside: memory, buffers, wake-ups, system calls. It compares
//! with nothing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::Value;

use crate::cases::Case;
use crate::load;
use crate::options::Footprint;
use crate::process::{Running, need, pinned};
use crate::servers::{Server, Serving};
use crate::site::Site;

/// Connections that were there before those that are counted: buffers and statistics have what they need
/// for any number by then.
const BEFORE: u64 = 3_000;

/// Descriptors beside those of the connections.
const OTHER_DESCRIPTORS: u64 = 1_000;

/// What the busy server is loaded with.
const CASE: Case = Case::KeepAlive64;

/// What corelane promises; more is an error.
const MOST_BYTES: f64 = 1024.0;
const MOST_WAKE_UPS: f64 = 5.0;
const MOST_ENTERS: f64 = 0.1;
const MOST_OTHERS: f64 = 0.01;

/// How long a core that was busy may take to fall asleep.
const SETTLING: Duration = Duration::from_millis(200);

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Counts everything and prints it.
pub fn run(options: &Footprint) -> Result<()> {
    need(&[
        ("wrk", "wrk"),
        ("strace", "strace"),
        ("taskset", "util-linux"),
        ("setpriv", "util-linux"),
    ])?;
    let limit = getrlimit(Resource::Nofile);
    let needed = BEFORE + options.connections + OTHER_DESCRIPTORS;
    if limit.current.is_some_and(|current| current < needed) {
        let raised = Rlimit {
            current: Some(needed),
            ..limit
        };
        setrlimit(Resource::Nofile, raised)
            .with_context(|| format!("{needed} descriptors are needed: ulimit -n"))?;
    }
    let site = Site::new()?;
    let server = Server::corelane(options.corelane.as_deref())?;
    println!("| | |\n|---|---|");
    idle(&server, options, &site)?;
    busy(&server, options, &site)
}

/// Opens connections to a fresh server, with one request on each, and looks at what that took.
fn idle(server: &Server, options: &Footprint, site: &Site) -> Result<()> {
    let count = options.connections;
    eprintln!("opening {count} connections");
    let serving = start(server, site)?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut open = |more: u64| -> Result<(u64, u64, u64)> {
        for _ in 0..more {
            let mut stream = connect(serving.address)?;
            get(&mut stream, "/plaintext")?;
            connections.push(stream);
        }
        let stats = idle_stats(&serving, connections.len() as u64)?;
        let buffers = |name: &str| {
            let value = &stats["cores"][0]["receive_buffers"][name];
            let value = value.as_u64();
            value.with_context(|| format!("no {name}: {stats}"))
        };
        Ok((resident(serving.id())?, buffers("bytes")?, buffers("held")?))
    };
    let (before, pool_before, _) = open(BEFORE)?;
    let (after, pool, held) = open(count)?;
    let grown = after.saturating_sub(before + (pool - pool_before));
    let each = grown as f64 / count as f64;
    println!("| bytes for each of {count} idle connections beside {BEFORE} others | {each:.0} |");
    println!("| bytes of receive buffers, for all | {pool} |");
    println!("| receive buffers held | {held} |");
    ensure!(each <= MOST_BYTES, "more than {MOST_BYTES} bytes");
    ensure!(held == 0, "buffers are held by nobody who needs them");

    eprintln!("watching them for {} s", options.seconds);
    sleep(SETTLING);
    let shard = shard(serving.id())?;
    let (before, began) = (Waits::of(&shard)?, Instant::now());
    sleep(Duration::from_secs(options.seconds));
    let (after, seconds) = (Waits::of(&shard)?, began.elapsed().as_secs_f64());
    let wake_ups = (after.count - before.count) as f64 / seconds;
    let share = (after.ran_ns - before.ran_ns) as f64 / 1e7 / seconds;
    println!("| wake-ups of the core each second meanwhile | {wake_ups:.1} |");
    println!("| CPU time of the core meanwhile | {share:.2} % |");
    ensure!(wake_ups < MOST_WAKE_UPS, "{MOST_WAKE_UPS} wake-ups or more");
    drop(connections);
    Ok(())
}

/// The statistics when `count` connections wait for a request.
fn idle_stats(serving: &Serving, count: u64) -> Result<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let stats: Value =
            serde_json::from_slice(&get(&mut connect(serving.address)?, "/stats?fresh=1")?)?;
        if stats["connections"]["idle"].as_u64() >= Some(count) {
            return Ok(stats);
        }
        ensure!(Instant::now() < until, "not all connections are idle");
    }
}

/// Loads a server and counts the system calls of its core.
fn busy(server: &Server, options: &Footprint, site: &Site) -> Result<()> {
    eprintln!("counting system calls for {} s", options.seconds);
    let serving = start(server, site)?;
    let counts = site.log().with_extension("calls");
    let mut strace = trace(&serving, &counts)?;
    let requests = load::wrk(&serving, CASE, options.seconds, site)?.requests;
    Pid::from_raw(strace.id() as i32).map(|pid| kill_process(pid, Signal::INT));
    strace.wait(PATIENCE)?.context("strace does not end")?;
    let connections = CASE.connections();
    for (name, calls) in read_counts(&fs::read_to_string(counts)?) {
        let each = calls as f64 / requests as f64;
        println!("| `{name}` for each request on {connections} connections | {each:.4} |");
        let most = match name.as_str() {
            "io_uring_enter" => MOST_ENTERS,
            _ => MOST_OTHERS,
        };
        ensure!(each <= most, "more than {most} `{name}` for each request");
    }
    Ok(())
}

/// Starts the server and waits until its core serves: its port is open before that.
fn start(server: &Server, site: &Site) -> Result<Serving> {
    let serving = server.start(CASE, site)?;
    let line = format!("listening on http://{}", serving.address);
    let until = Instant::now() + PATIENCE;
    while !fs::read_to_string(site.log())?.contains(&line) {
        ensure!(Instant::now() < until, "it does not say that it listens");
        sleep(Duration::from_millis(5));
    }
    Ok(serving)
}

/// Has strace count the calls of the server's core in the file `counts`.
fn trace(serving: &Serving, counts: &PathBuf) -> Result<Running> {
    let shard = shard(serving.id())?;
    let thread = shard.file_name().context("a thread has a number")?;
    let mut command = pinned(load::LOAD_CPU, "strace");
    command.args(["-c", "-U", "calls,name", "-o"]).arg(counts);
    command.arg("-p").arg(thread).stderr(Stdio::piped());
    let mut strace = Running::start(&mut command)?;
    let said = strace.child().stderr.take().context("no standard error")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    ensure!(line.contains("attached"), "strace: {}", line.trim());
    Ok(strace)
}

/// The calls by name, from strace's table; the most frequent first, as it has them.
fn read_counts(table: &str) -> Vec<(String, u64)> {
    let row = |line: &str| {
        let (calls, name) = line.trim().split_once(' ')?;
        Some((name.trim().to_owned(), calls.parse().ok()?))
    };
    let mut counts: Vec<_> = table.lines().filter_map(row).collect();
    counts.retain(|(name, _)| name != "total");
    counts.sort_by_key(|(_, calls)| std::cmp::Reverse(*calls));
    counts
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request and returns the content of the response, which has a length.
fn get(stream: &mut TcpStream, path: &str) -> Result<Vec<u8>> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())?;
    let mut received = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let bytes = stream.read(&mut piece)?;
        ensure!(bytes > 0, "the server closed the connection");
        received.extend_from_slice(&piece[..bytes]);
        if let Some(content) = content(&received)? {
            return Ok(content.to_vec());
        }
    }
}

/// The content of a response, once it is whole.
fn content(received: &[u8]) -> Result<Option<&[u8]>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200 "), "not answered: {head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("no length")?.trim().parse()?;
    Ok(received[end + 4..].get(..length))
}

/// Resident memory in bytes, counted page by page.
fn resident(id: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB"));
    Ok(1024 * kib.context("no Rss")?.parse::<u64>()?)
}

/// The one thread that serves.
fn shard(id: u32) -> Result<PathBuf> {
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let path = task?.path();
        if fs::read_to_string(path.join("comm"))?.starts_with("shard-") {
            return Ok(path);
        }
    }
    bail!("it has no thread named shard-N")
}

/// What a thread did until some moment.
struct Waits {
    /// How often it gave up its CPU to wait.
    count: u64,
    ran_ns: u64,
}

impl Waits {
    fn of(thread: &std::path::Path) -> Result<Waits> {
        let status = fs::read_to_string(thread.join("status"))?;
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let ran = fs::read_to_string(thread.join("schedstat"))?;
        Ok(Waits {
            count: count.context("no switches")?.trim().parse()?,
            ran_ns: ran.split_whitespace().next().context("no time")?.parse()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_straces_table() {
        let table = "    calls syscall\n--------- ------\n       64 getpeername\n     5711 \
                     io_uring_enter\n--------- ------\n     5775 total\n";
        let expected = [
            ("io_uring_enter".to_owned(), 5711),
            ("getpeername".to_owned(), 64),
        ];
        assert_eq!(read_counts(table), expected);
    }

    #[test]
    fn reads_a_response_when_it_is_whole() {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(content(response).unwrap(), Some(&b"hi"[..]));
        assert_eq!(content(&response[..response.len() - 1]).unwrap(), None);
        assert!(content(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
