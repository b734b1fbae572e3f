//! The program's log: events as lines on standard error. Which events there are is [`crate::log`]'s
//! to say.
//!
//! A core hands its line to a thread and goes on. Standard error may be a pipe that is read slowly,
//! or not at all: then that thread waits, and beyond [`LOG_LINES`] lines are left out and counted.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::log_level::LogLevel;
use crate::failure::Failure;
use crate::limits::{LOG_FLUSH, LOG_LINES};
use crate::log;

/// Writes events of `level` on from now on. What is returned waits at its end, for a moment, until
/// they are written.
///
/// # Errors
/// If there is no thread or descriptor to be had for it.
pub(super) fn start(level: LogLevel) -> Result<Option<Lines>, Failure> {
    let level = match level {
        LogLevel::Off => return Ok(None),
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // A descriptor of its own: the lock of the library's is not held while it waits.
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(|error| {
        let what = format!("no descriptor for the log: {error}");
        Failure::run(what, "open standard error, or use --log-level off")
    })?;
    let (lines, inbox) = Lines::new();
    let written = Arc::clone(&lines.counts);
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread
        .spawn(move || write_all(&inbox, &written, File::from(stderr)))
        .map_err(|error| Failure::no_thread(&error))?;
    let format = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(lines.clone());
    let subscriber = tracing_subscriber::registry()
        .with(Targets::new().with_target(env!("CARGO_PKG_NAME"), level))
        .with(format);
    // Whoever runs the command line within a program that has a subscriber keeps that.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(log::panic::hook));
    }
    Ok(Some(lines))
}

/// Where lines are handed over.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    sender: Sender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Lines that were handed over and are not written.
    waiting: AtomicUsize,
    /// Lines that were left out, since that was last told.
    left_out: AtomicUsize,
}

impl Lines {
    fn new() -> (Self, Receiver<Vec<u8>>) {
        let (sender, inbox) = channel();
        let counts = Arc::default();
        (Self { sender, counts }, inbox)
    }

    /// Hands over a line, or leaves it out. Never waits.
    fn hand_over(&self, line: &[u8]) {
        let counts = &self.counts;
        if counts.waiting.fetch_add(1, Ordering::Relaxed) < LOG_LINES {
            // The thread never ends while there are senders.
            let _ = self.sender.send(line.to_vec());
        } else {
            counts.waiting.fetch_sub(1, Ordering::Relaxed);
            counts.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until every line is written, but not for long: it may be that nobody reads them.
    pub(super) fn flush(&self) {
        let until = Instant::now() + LOG_FLUSH;
        while self.counts.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl Write for &Lines {
    /// An event is one write.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand_over(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> &'a Lines {
        self
    }
}

/// Writes what comes until there is nobody left to send.
fn write_all(inbox: &Receiver<Vec<u8>>, counts: &Counts, mut out: impl Write) {
    for line in inbox {
        // Whoever closed standard error does not wait for the line.
        let _ = out.write_all(&line);
        let left_out = counts.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let line = format!(
                "corelane: {left_out} lines of the log were left out; read standard error faster\n"
            );
            let _ = out.write_all(line.as_bytes());
        }
        counts.waiting.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// Takes a line only when it is received.
    struct Slow(SyncSender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(line.to_vec()).expect("text");
            self.0.send(text).expect("the test receives");
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_are_not_written_are_kept_up_to_a_bound_and_counted_beyond() {
        let (lines, inbox) = Lines::new();
        for line in 0..LOG_LINES + 3 {
            lines.hand_over(format!("{line}\n").as_bytes());
        }
        let counts = Arc::clone(&lines.counts);
        let (slow, written) = sync_channel(0);
        let thread = std::thread::spawn(move || write_all(&inbox, &counts, Slow(slow)));
        assert_eq!(written.recv().unwrap(), "0\n");
        assert_eq!(
            written.recv().unwrap(),
            "corelane: 3 lines of the log were left out; read standard error faster\n"
        );
        for line in 1..LOG_LINES {
            assert_eq!(written.recv().unwrap(), format!("{line}\n"));
        }
        lines.flush();
        assert_eq!(lines.counts.waiting.load(Ordering::Acquire), 0);
        // All of it was taken, so there is room again.
        lines.hand_over(b"last\n");
        assert_eq!(written.recv().unwrap(), "last\n");
        drop(lines);
        thread.join().unwrap();
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_does_not_read() {
        let (lines, _inbox) = Lines::new();
        lines.hand_over(b"never written\n");
        lines.flush();
        assert_eq!(lines.counts.waiting.load(Ordering::Acquire), 1);
    }
}
