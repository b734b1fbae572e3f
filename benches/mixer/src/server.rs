//! The server: the example `site`, and routes for what it lacks. It is a process of its own, so that
//! its memory is its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use corelane::app::{Sse, SseEvent};
use corelane::cores::CoreSelection;
use corelane::{App, Body, Request, Server, Shard};
use futures_lite::future::yield_now;
use futures_lite::{StreamExt, stream};
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::site;
use crate::tally::Latencies;

/// The content of a bulk transfer, in bytes.
pub const CONTENT_BYTES: usize = 100_000_000;

/// Between two events of a listener.
pub const EVERY: Duration = Duration::from_secs(1);

/// Routes of which there are statistics beside the others, each at `/route-N/STATUS`.
pub const ROUTES: usize = 20;

/// What they answer with.
pub const STATUSES: [u16; 3] = [200, 404, 500];

/// What plain content is made of.
static CONTENT: [u8; 4 << 20] = [b'c'; 4 << 20];

/// The server's CPU.
const CPU: usize = 0;

/// A piece of a streamed response, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Serves until SIGTERM.
pub fn run(folder: String) -> Result<()> {
    Server::bind("127.0.0.1:0")
        .cores(CoreSelection::List(vec![CPU]))
        .shutdown_timeout(Duration::from_secs(2))
        .run(move |shard| app(shard, &folder))
        .map_err(|error| anyhow!("{error}"))
}

fn app(shard: &Shard, folder: &str) -> App {
    let ring = shard.ring().clone();
    (0..ROUTES)
        .fold(site::app(folder), |app, route| {
            app.get(&format!("/route-{route}/{{status}}"), answer)
        })
        .get("/content/{bytes}", content)
        .get("/watch/{milliseconds}", watch)
        .get("/plaintext", async |_| "Hello, World!")
        .get("/stream", async |_: Request| {
            let pieces = CONTENT_BYTES.div_ceil(PIECE_BYTES);
            let piece = |_| std::io::Result::Ok(vec![b's'; PIECE_BYTES]);
            Body::from_stream(stream::iter(0..pieces).map(piece))
        })
        .get("/events", move |_: Request| {
            let made = ring
                .ticks(EVERY)
                .map(|()| SseEvent::data(now_ns().to_string()));
            async { Sse::new(made) }
        })
}

async fn answer(req: Request) -> corelane::Result<StatusCode> {
    req.param_as("status")
}

async fn content(req: Request) -> corelane::Result<Bytes> {
    let bytes: usize = req.param_as("bytes")?;
    Ok(Bytes::from_static(&CONTENT[..bytes.min(CONTENT.len())]))
}

/// Longest that the core may do one thing.
pub const MOST_HELD: Duration = Duration::from_micros(200);

/// Watches the core for so long: tells how much CPU time passed between two turns of its loop, in nanoseconds, in
/// the middle, at the 99.9th percentile, and at most, and how often it was more than [`MOST_HELD`]. What it takes
/// itself is in it, and what the kernel does in the thread's name; the time in which others had the CPU is not.
async fn watch(req: Request) -> corelane::Result<String> {
    let until = Instant::now() + Duration::from_millis(req.param_as("milliseconds")?);
    let mut times_ns = Vec::with_capacity(8 << 20);
    let mut before = cpu_time();
    while Instant::now() < until && times_ns.len() < times_ns.capacity() {
        yield_now().await;
        let now = cpu_time();
        times_ns.push((now - before).as_nanos() as u64);
        before = cpu_time();
    }
    let most_ns = MOST_HELD.as_nanos() as u64;
    let longer = times_ns.iter().filter(|ns| **ns > most_ns).count();
    let times = Latencies::of(times_ns);
    let told = [50.0, 99.9, 100.0].map(|percent| times.percentile(percent).as_nanos());
    Ok(format!("{} {} {} {longer}", told[0], told[1], told[2]))
}

/// Of this thread.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The wall clock, which the server and its load share, in nanoseconds.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Keeps this thread, and those that it makes, on `cpu`.
pub fn pin(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    sched_setaffinity(None, &cpus).with_context(|| format!("there is no CPU {cpu}"))
}

/// The server as a process, which ends with this.
pub struct Serving {
    child: Child,
    pub address: SocketAddr,
}

impl Serving {
    pub fn start(folder: &Path) -> Result<Serving> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        let line = lines.next().context("it says nothing")??;
        let address = line.strip_prefix("listening on http://");
        let address = address
            .with_context(|| format!("it does not listen: {line}"))?
            .parse()?;
        // What else it says is for whoever looks on.
        std::thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .for_each(|line| eprintln!("{line}"))
        });
        Ok(Serving { child, address })
    }

    /// Resident memory in bytes, counted page by page.
    pub fn resident(&self) -> Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB"));
        Ok(1024 * kib.context("no Rss")?.parse::<u64>()?)
    }

    /// CPU time of all its threads.
    pub fn cpu_time(&self) -> Result<Duration> {
        let mut ns = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            ns += stat.split(' ').next().context("no time")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(ns))
    }

    pub fn stop(&mut self) -> Result<()> {
        let id = Pid::from_raw(self.child.id() as i32).context("it has an id")?;
        kill_process(id, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
