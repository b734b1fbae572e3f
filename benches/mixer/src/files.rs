//! Plain requests beside files: one that is far larger than all buffers, and many that lie on the disk
//! alone.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::spawn;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::fs::{Advice, fadvise};
use rustix::thread::gettid;
use tokio::task::spawn_local;

use crate::bulk::{Client, Kind};
use crate::tally::{Latencies, Tally};
use crate::{block_on, join, plain};

/// The large file. It is written, and no hole: what lies in holes is made by the core that reads it, as much
/// at once as the kernel reads ahead.
const LARGE: &str = "large";

/// Its length, in bytes.
const LARGE_BYTES: u64 = 10 << 30;

/// How many files are read from the disk at a time.
const COLD_FILES: usize = 64;

/// The length of each, in bytes.
const COLD_BYTES: usize = 4 << 20;

/// By how much the download of the large file may move the 99th percentile of plain requests.
const MOST_MOVED: Duration = Duration::from_millis(2);

/// Makes the files in `folder`.
pub fn furnish(folder: &Path) -> Result<()> {
    let mut large = File::create(folder.join(LARGE))?;
    let piece = vec![b'l'; 1 << 20];
    for _ in 0..LARGE_BYTES >> 20 {
        large.write_all(&piece)?;
    }
    for number in 0..COLD_FILES {
        let content = [b'a' + (number % 26) as u8].repeat(COLD_BYTES);
        File::create(cold(folder, number))?.write_all(&content)?;
    }
    Ok(())
}

fn cold(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("cold-{number}"))
}

/// What plain requests were beside, in each round.
struct Row {
    name: String,
    plain: Vec<Latencies>,
    /// Bytes that the others moved.
    moved: Tally,
}

impl Row {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            plain: Vec::new(),
            moved: Tally::default(),
        }
    }

    fn add(&mut self, plain: Latencies, moved: Vec<u64>) {
        self.plain.push(plain);
        self.moved.0.extend(moved);
    }

    /// In the middle of all rounds.
    fn percentile(&self, percent: f64) -> Duration {
        let mut times: Vec<_> = self.plain.iter().map(|of| of.percentile(percent)).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// As a line of the table; `window` is that of a round.
    fn shown(&self, window: Duration) -> String {
        let count: usize = self.plain.iter().map(Latencies::count).sum();
        let ms = |percent| self.percentile(percent).as_secs_f64() * 1e3;
        let moved = self.moved.shown(window * self.plain.len() as u32);
        let (p50, p99, max) = (ms(50.0), ms(99.0), ms(100.0));
        let name = &self.name;
        format!("| {name} | {count} | {p50:.2} ms | {p99:.2} ms | {max:.2} ms | {moved} |")
    }
}

/// Loads the server of `folder` with plain requests alone, and then beside each kind of file, for
/// `window` each, in so many `rounds`; prints a table of what was in the middle of them.
pub fn measure(
    address: SocketAddr,
    folder: &Path,
    clients: u32,
    rounds: u32,
    window: Duration,
) -> Result<()> {
    let mut alone = Row::new("alone");
    let mut large = Row::new("beside a file of 10 GiB");
    let mut cold = Row::new(format!("beside {COLD_FILES} files on the disk"));
    for round in 1..=rounds {
        eprintln!("round {round}: plain requests alone");
        let plain = plain::run(address, clients, Instant::now() + window)?;
        alone.add(plain, Vec::new());

        eprintln!("round {round}: beside a download of {LARGE_BYTES} bytes");
        forget(&folder.join(LARGE))?;
        let until = Instant::now() + window;
        let client = download(address, LARGE, LARGE_BYTES);
        let moved = spawn(move || {
            give_way();
            block_on(client.again_and_again(until, || Ok(())))
        });
        large.add(plain::run(address, clients, until)?, vec![join(moved)?]);

        eprintln!("round {round}: beside {COLD_FILES} files that are not in memory");
        let until = Instant::now() + window;
        let folder = folder.to_owned();
        let moved = spawn(move || {
            give_way();
            block_on(all_cold(address, folder, until))
        });
        cold.add(plain::run(address, clients, until)?, join(moved)?);
    }

    println!(
        "| plain requests | count | p50 | p99 | max | MB moved | MB/s |\n|---|--:|--:|--:|--:|--:|--:|"
    );
    for row in [&alone, &large, &cold] {
        println!("{}", row.shown(window));
    }
    ensure!(
        large.moved.least_bytes() > 0 && cold.moved.least_bytes() > 0,
        "a file never got a byte"
    );
    let moved = large
        .percentile(99.0)
        .saturating_sub(alone.percentile(99.0));
    ensure!(moved <= MOST_MOVED, "the download moved p99 by {moved:?}");
    Ok(())
}

/// Lets the plain requests' thread run whenever it can in place of this one, with which it has one CPU: what
/// they wait for is to be the server. With the least priority of the usual policy instead this thread would keep
/// the CPU to the end of its slice, which is 3 ms.
pub fn give_way() {
    let id = gettid().as_raw_pid().to_string();
    let given = Command::new("chrt")
        .args(["--idle", "--pid", "0", &id])
        .status();
    if !given.is_ok_and(|status| status.success()) {
        eprintln!("chrt(1) failed: the figures are worse, and no less true");
    }
}

/// Downloads each cold file on a connection of its own, again and again; the bytes of each.
async fn all_cold(address: SocketAddr, folder: PathBuf, until: Instant) -> Result<Vec<u64>> {
    let one = |number| {
        let path = cold(&folder, number);
        let client = download(address, &format!("cold-{number}"), COLD_BYTES as u64);
        spawn_local(client.again_and_again(until, move || forget(&path)))
    };
    let mut all = Vec::new();
    for client in (0..COLD_FILES).map(one).collect::<Vec<_>>() {
        all.push(client.await??);
    }
    Ok(all)
}

fn download(address: SocketAddr, name: &str, bytes: u64) -> Client {
    let kind = Kind::Download(format!("/{name}"));
    Client {
        address,
        kind,
        bytes,
    }
}

/// Has the kernel drop what it holds of a file in memory.
fn forget(path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    // What is still to be written cannot be dropped.
    file.sync_all()?;
    // No length means all of it.
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}
