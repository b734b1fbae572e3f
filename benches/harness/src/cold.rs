//! A client for files that are not in memory: wrk cannot have them dropped before it asks for them. It
//! prints what wrk's script prints; the time on its CPU has in it what dropping them takes.

use std::fs::File;
use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::cases::{COLD_FILES, Case};
use crate::options::Cold;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many of the files may be in memory though they were dropped.
const MOST_WARM: usize = COLD_FILES / 8;

/// What is read at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What all clients received until now, and whether they are to end.
#[derive(Default)]
struct Progress {
    bytes: AtomicU64,
    is_over: AtomicBool,
}

/// Has each file sent on a connection of its own, again and again, and prints what that came to.
pub fn run(options: &Cold) -> Result<()> {
    let progress = Progress::default();
    let mut clients = Vec::new();
    for number in 0..COLD_FILES {
        clients.push(Client::new(options, number)?);
    }
    // Whoever was served before may still hold some of one or another.
    let warm = clients.iter().filter(|client| client.is_in_memory());
    let warm = warm.count();
    ensure!(
        warm <= MOST_WARM,
        "{warm} of {COLD_FILES} files stay in memory"
    );
    let (began, used) = (Instant::now(), cpu_us());
    let outcome: Result<(Vec<u64>, Duration)> = thread::scope(|scope| {
        let progress = &progress;
        let all = clients
            .into_iter()
            .map(|client| scope.spawn(move || client.run(progress)));
        let all: Vec<_> = all.collect();
        thread::sleep(Duration::from_secs(options.seconds));
        progress.is_over.store(true, Ordering::Relaxed);
        let took = began.elapsed();
        let mut times_us = Vec::new();
        for client in all {
            let client = client.join().map_err(|_| anyhow!("a client panicked"))?;
            times_us.extend(client?);
        }
        Ok((times_us, took))
    });
    let (mut times_us, took) = outcome?;
    times_us.sort_unstable();
    let p99_us = times_us.get(times_us.len() * 99 / 100).copied();
    println!(
        "{}",
        json!({
            "requests": times_us.len(),
            "bytes": progress.bytes.into_inner(),
            "cpu_us": cpu_us() - used,
            "duration_us": took.as_micros() as u64,
            "p99_us": p99_us.unwrap_or(0),
            "errors": {},
        })
    );
    Ok(())
}

/// The time that this process has spent, its ended threads included, in microseconds.
fn cpu_us() -> u64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as u64 * 1_000_000 + spent.tv_nsec as u64 / 1_000
}

/// Who asks for one file.
struct Client {
    file: File,
    stream: BufReader<TcpStream>,
    request: String,
}

impl Client {
    fn new(options: &Cold, number: usize) -> Result<Self> {
        let path = options.folder.join(format!("{number}.bin"));
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        // What is still to be written cannot be dropped.
        file.sync_all()?;
        let stream = TcpStream::connect_timeout(&options.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let client = Self {
            file,
            stream: BufReader::with_capacity(PIECE_BYTES, stream),
            request: format!(
                "GET /cold/{number}.bin HTTP/1.1\r\nHost: {}\r\n\r\n",
                options.address
            ),
        };
        client.forget()?;
        Ok(client)
    }

    fn is_in_memory(&self) -> bool {
        let mut byte = [0];
        let buffers = &mut [IoSliceMut::new(&mut byte)];
        preadv2(&self.file, buffers, 0, ReadWriteFlags::NOWAIT) != Err(Errno::AGAIN)
    }

    /// Has the kernel drop what it holds of the file in memory.
    fn forget(&self) -> Result<()> {
        // No length means all of it.
        Ok(fadvise(&self.file, 0, None, Advice::DontNeed)?)
    }

    /// Asks until it is over; how long each answer took, in microseconds.
    fn run(mut self, progress: &Progress) -> Result<Vec<u64>> {
        let mut times_us = Vec::new();
        while !progress.is_over.load(Ordering::Relaxed) {
            self.forget()?;
            let began = Instant::now();
            self.stream.get_mut().write_all(self.request.as_bytes())?;
            if !self.read_answer(progress)? {
                break;
            }
            times_us.push(began.elapsed().as_micros() as u64);
        }
        Ok(times_us)
    }

    /// Whether an answer came to its end before all was over.
    fn read_answer(&mut self, progress: &Progress) -> Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 200 "), "answered {line:?}");
        while line != "\r\n" {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the head breaks off");
        }
        let mut piece = vec![0; PIECE_BYTES];
        let mut left = Case::Cold.file().context("it is a file")?.bytes;
        while left > 0 {
            let most = left.min(PIECE_BYTES);
            let bytes = self.stream.read(&mut piece[..most])?;
            ensure!(bytes > 0, "the content breaks off");
            if progress.is_over.load(Ordering::Relaxed) {
                return Ok(false);
            }
            progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            left -= bytes;
        }
        Ok(true)
    }
}
