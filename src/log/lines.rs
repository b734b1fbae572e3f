//! Lines on their way out of the process. A core hands its line to a thread and goes on: what the
//! thread writes to may be taken slowly, or not at all. Then it waits, and beyond [`LOG_BYTES`] lines
//! are left out and counted.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::LEFT_OUT;
use crate::limits::{LOG_BYTES, LOG_FLUSH};
use tracing::warn;

/// Where lines are handed over, to be written by a thread. Clones hand over to the same.
///
/// ```
/// use corelane::log::Lines;
///
/// let lines = Lines::to(std::io::stdout())?;
/// lines.write("one line");
/// lines.flush();
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lines {
    sender: Sender<Vec<u8>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes that were handed over and are not written.
    waiting: AtomicUsize,
    /// Lines that were left out, since that was last told.
    left_out: AtomicUsize,
}

impl Lines {
    /// Writes lines to `out`, such as a file that was opened to append, by a thread named `lines`.
    /// It ends when all clones are gone.
    ///
    /// Lines that were left out, because [`LOG_BYTES`] were waiting, are told by an event of the target
    /// [`LEFT_OUT`] when one is written again; and so is an `out` that fails.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn to(out: impl Write + Send + 'static) -> io::Result<Lines> {
        let tell = |_: &mut _, outcome: Written| match outcome {
            Written::LeftOut(lines) => {
                warn!(target: LEFT_OUT, lines, "lines were left out: they are written too slowly");
            }
            Written::Failed(error) => {
                warn!(target: LEFT_OUT, error = super::text(error), "a line cannot be written");
            }
        };
        Lines::start("lines", out, tell)
    }

    /// Writes lines to `out` by a thread called `name`, and tells `tell` what could not be done.
    pub(crate) fn start<W: Write + Send + 'static>(
        name: &str,
        out: W,
        tell: impl FnMut(&mut W, Written) + Send + 'static,
    ) -> io::Result<Lines> {
        let (lines, inbox) = Lines::new();
        let counts = Arc::clone(&lines.counts);
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || write_all(&inbox, &counts, out, tell))?;
        Ok(lines)
    }

    fn new() -> (Lines, Receiver<Vec<u8>>) {
        let (sender, inbox) = channel();
        let counts = Arc::default();
        (Lines { sender, counts }, inbox)
    }

    /// Hands over `line`, to which the end of a line is added, or leaves it out. Never waits.
    ///
    /// # Panics
    /// If displaying it does.
    pub fn write(&self, line: impl Display) {
        self.hand_over(|| format!("{line}\n").into_bytes());
    }

    /// Hands over a line with its end, or leaves it out.
    pub(crate) fn hand_over(&self, line: impl FnOnce() -> Vec<u8>) {
        let counts = &self.counts;
        let waiting = counts.waiting.load(Ordering::Relaxed);
        // One for which there is no room at all is not even made.
        let line = (waiting < LOG_BYTES).then(line);
        match line.filter(|line| line.len() <= LOG_BYTES - waiting) {
            Some(line) => {
                counts.waiting.fetch_add(line.len(), Ordering::Relaxed);
                // The thread never ends while there are senders.
                let _ = self.sender.send(line);
            }
            None => {
                counts.left_out.fetch_add(1, Ordering::Relaxed);
                LEFT_OUT_IN_ALL.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Waits until every line is written, but no longer than [`LOG_FLUSH`]: it may be that nobody
    /// takes them. It is for the end of a program, and not for a core.
    pub fn flush(&self) {
        let until = Instant::now() + LOG_FLUSH;
        while self.counts.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

/// Lines that were left out of whatever log of the process, for statistics: only one that is left out
/// touches it.
static LEFT_OUT_IN_ALL: AtomicU64 = AtomicU64::new(0);

/// How many lines were left out of all logs of the process, because they were written too slowly.
pub(crate) fn lines_left_out() -> u64 {
    LEFT_OUT_IN_ALL.load(Ordering::Relaxed)
}

/// What there is to tell of lines that were not written.
#[derive(Debug)]
pub(crate) enum Written {
    /// So many were left out.
    LeftOut(usize),
    /// One was not taken.
    Failed(io::Error),
}

/// Writes what comes until there is nobody left to send. What waits already goes out as one write, up
/// to [`BATCH_BYTES`].
fn write_all<W: Write>(
    inbox: &Receiver<Vec<u8>>,
    counts: &Counts,
    mut out: W,
    mut tell: impl FnMut(&mut W, Written),
) {
    // One that goes on failing is told once.
    let mut has_failed = false;
    for mut batch in inbox {
        while batch.len() < BATCH_BYTES
            && let Ok(line) = inbox.try_recv()
        {
            batch.extend_from_slice(&line);
        }
        let outcome = out.write_all(&batch).and_then(|()| out.flush());
        match outcome {
            Err(error) if !std::mem::replace(&mut has_failed, true) => {
                tell(&mut out, Written::Failed(error));
            }
            Err(_) => {}
            Ok(()) => has_failed = false,
        }
        let left_out = counts.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            tell(&mut out, Written::LeftOut(left_out));
        }
        counts.waiting.fetch_sub(batch.len(), Ordering::Release);
    }
}

/// The most that is gathered for one write, in bytes, but for the line that crosses it.
const BATCH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// Takes a write only when it is received.
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

    fn tell(out: &mut Slow, told: Written) {
        let Written::LeftOut(lines) = told else {
            panic!("nothing fails here: {told:?}")
        };
        out.write_all(format!("{lines} were left out\n").as_bytes())
            .unwrap();
    }

    #[test]
    fn lines_that_are_not_written_are_kept_up_to_a_bound_and_counted_beyond() {
        let (lines, inbox) = Lines::new();
        // Two lines with their ends are a batch.
        let width = BATCH_BYTES / 2 - 1;
        let most = LOG_BYTES / (BATCH_BYTES / 2);
        for line in 0..most + 3 {
            lines.write(format_args!("{line:width$}"));
        }
        let counts = Arc::clone(&lines.counts);
        let (slow, written) = sync_channel(0);
        let thread = thread::spawn(move || write_all(&inbox, &counts, Slow(slow), tell));
        let batch = |first: usize| format!("{:width$}\n{:width$}\n", first, first + 1);
        assert!(written.recv().unwrap() == batch(0));
        assert_eq!(written.recv().unwrap(), "3 were left out\n");
        for first in (2..most).step_by(2) {
            assert!(written.recv().unwrap() == batch(first), "{first}");
        }
        lines.flush();
        assert_eq!(lines.counts.waiting.load(Ordering::Acquire), 0);
        // All of it was taken, so there is room again.
        lines.write("last");
        assert_eq!(written.recv().unwrap(), "last\n");
        drop(lines);
        thread.join().unwrap();
    }

    #[test]
    fn a_failure_is_told_once_until_it_is_over() {
        struct Full(Vec<bool>);
        impl Write for Full {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                match self.0.pop() {
                    Some(true) => Ok(line.len()),
                    _ => Err(io::ErrorKind::StorageFull.into()),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (lines, inbox) = Lines::new();
        let width = BATCH_BYTES - 1;
        for line in 0..5 {
            lines.write(format_args!("{line:width$}"));
        }
        let counts = Arc::clone(&lines.counts);
        drop(lines);
        let mut told = 0;
        let out = Full(vec![false, false, true, false, false]);
        write_all(&inbox, &counts, out, |_, _| told += 1);
        assert_eq!(told, 2);
    }

    #[test]
    fn the_end_does_not_wait_for_a_reader_that_does_not_read() {
        let (lines, _inbox) = Lines::new();
        lines.write("never written");
        lines.flush();
        assert!(lines.counts.waiting.load(Ordering::Acquire) > 0);
    }
}
