//! A file's content on its way: read as it is sent, and of one version throughout.
//!
//! A file that is replaced by another of the same name is no trouble, for the one that was opened stays
//! what it was. One that is written to is: after each piece was read, and before it is sent, the file is
//! asked whether it is still the version that the response began with. If not, the connection is
//! closed, so that nobody takes a mixture, or a part, for the whole.
//!
//! What is in memory goes out without a wait in one of two [ways](Way). It is copied by the core and
//! handed to the kernel, which copies it once more; the copy of a piece lies in the processor's cache
//! until then. Files that are asked for again are spared that by a copy that stays (`replica.rs`). Or its pages are handed over (`sendfile(2)`), which takes half of the CPU time for a
//! file of 1 MiB, and a third for one of 100 MiB. But they wait in the socket, megabytes of them, and are
//! read only when the network takes them: a file that is cut off meanwhile arrives padded with zeros (the
//! kernel clears what remains of the last page, which may be a large one), and one that is written to
//! as a mixture, in both cases with its whole length. No later look can call that back, so it has to be
//! asked for.
//!
//! A log that grows while it is sent is the exception, for it would never arrive: where the file has
//! only become longer, and the last bytes that were read are still the same, what was promised of it is
//! sent. Where its time has changed and its length has not (yet), it is looked at again for
//! [`FILE_SETTLING`], and nothing more of it is sent before.

use std::cell::RefCell;
use std::cmp::min;
use std::io;
use std::iter;
use std::ops::Range;
use std::os::fd::AsFd;
use std::rc::Rc;

use super::replica::Replica;
use super::resolve;
use super::version::{Change, Version};
use crate::app::{FilePiece, SendFile};
use crate::limits::{
    FILE_COPY_BYTES, FILE_PIECE_BYTES, FILE_SAMPLE_BYTES, FILE_SETTLING, FILE_TURN_BYTES,
};
use crate::ring::{Deadline, File};

/// What is not sent from where it lies for less, where more would have to be waited for.
const LEAST_STEP_BYTES: usize = 64 * 1024;

/// Why a transfer ended early.
#[derive(Debug, thiserror::Error)]
#[error("the file was changed while it was sent")]
struct Changed;

/// How a file gets from memory to a socket.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Its pages do.
    Pages,
    /// They are copied there.
    Copies(Copied),
}

impl Way {
    /// How many bytes of the end of a part are read as any other piece.
    pub(super) fn kept_back(&self) -> u64 {
        match self {
            Way::Pages => FILE_SAMPLE_BYTES as u64,
            Way::Copies(_) => 0,
        }
    }
}

/// Where the core copies the pieces to that it sends, one after the other: nothing is in it between turns.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    buffer: Rc<RefCell<Vec<u8>>>,
    /// How much is copied next: what a peer does not take is copied in vain.
    next_bytes: usize,
}

impl Default for Copied {
    fn default() -> Self {
        Self {
            buffer: Rc::default(),
            next_bytes: FILE_COPY_BYTES,
        }
    }
}

impl Copied {
    /// Peers that take little at a time have little copied, but not so little that it is not worth a
    /// system call.
    const LEAST_BYTES: usize = FILE_COPY_BYTES / 16;

    /// Lends room for up to `bytes` bytes, which is not to be asked for again meanwhile.
    fn with<T>(&self, bytes: usize, fill: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut buffer = self.buffer.take();
        buffer.resize(FILE_COPY_BYTES, 0);
        let done = fill(&mut buffer[..min(bytes, self.next_bytes)]);
        self.buffer.replace(buffer);
        done
    }

    fn learn(&mut self, offered: usize, sent: usize) {
        self.next_bytes = match sent < offered {
            true => (2 * sent).clamp(Self::LEAST_BYTES, FILE_COPY_BYTES),
            false => min(2 * self.next_bytes, FILE_COPY_BYTES),
        };
    }
}

/// A version of a file, open, with a sample of what was read of it last.
#[derive(Clone, Debug)]
pub(super) struct Held {
    file: Rc<File>,
    version: Version,
    /// Where the sample begins.
    sample_at: u64,
    sample: Vec<u8>,
    /// Whether the last look left open what becomes of the file.
    is_unsettled: bool,
}

impl Held {
    /// Holds `version` of `file`, of which nothing was read so far.
    pub(super) fn new(file: Rc<File>, version: Version) -> Self {
        Self {
            file,
            version,
            sample_at: 0,
            sample: Vec::new(),
            is_unsettled: false,
        }
    }

    /// The version, as far as is known: the file may only have grown since.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// The ring of the core that it is open on.
    #[cfg(feature = "compression")]
    pub(super) fn ring(&self) -> &crate::ring::Ring {
        self.file.ring()
    }

    /// Goes on at `offset`, behind what was sent of `replica`, which the sample is taken of. Without one, or where it
    /// ends before, the sample stays that of what was read last.
    ///
    /// # Errors
    /// Those of [`Replica::read`].
    pub(super) fn go_on(&mut self, offset: u64, replica: Option<&Replica>) -> io::Result<()> {
        let sampled_end = self.sample_at + self.sample.len() as u64;
        let sample_bytes = min(offset, FILE_SAMPLE_BYTES as u64);
        let sample_at = offset - sample_bytes;
        let Some(replica) = replica.filter(|replica| {
            sampled_end != offset && replica.filled_from(sample_at) >= sample_bytes
        }) else {
            return Ok(());
        };
        if sample_bytes > 0 {
            self.sample = replica.read(sample_at, sample_bytes as usize)?;
            self.sample_at = sample_at;
        }
        Ok(())
    }

    /// Takes the first sample, from `offset` on.
    ///
    /// # Errors
    /// As [`Held::read`].
    pub(super) async fn sampled(self, offset: u64) -> io::Result<Self> {
        let bytes = (self.version.length().saturating_sub(offset)).min(FILE_SAMPLE_BYTES as u64);
        let (held, read) = self.read(offset, bytes as usize).await;
        read.map(|_| held)
    }

    /// Reads up to `bytes` bytes from `offset` on, all of this version.
    ///
    /// # Errors
    /// What `preadv2(2)` answers; [`is_change`] tells whether it is another version by now.
    pub(super) async fn read(mut self, offset: u64, bytes: usize) -> (Self, io::Result<Vec<u8>>) {
        let piece = match read_exactly(&self.file, offset, bytes).await {
            Ok(piece) => piece,
            Err(error) => return (self, Err(error)),
        };
        match self.check().await {
            Ok(()) => {
                let tail = &piece[piece.len().saturating_sub(FILE_SAMPLE_BYTES)..];
                self.sample.clear();
                self.sample.extend_from_slice(tail);
                self.sample_at = offset + (piece.len() - tail.len()) as u64;
                (self, Ok(piece))
            }
            Err(error) => (self, Err(error)),
        }
    }

    /// The next piece of `range`, whose pages are sent where they are in memory: as much as of any other,
    /// whereupon the kernel begins to read ahead; or only the beginning, once what it reads ahead has come, so
    /// that the rest need not be copied.
    ///
    /// To ask for it beforehand instead (POSIX_FADV_WILLNEED) took 1.5 times the CPU time, at 0.4 of the disk's
    /// speed: the kernel takes single pages for that, and larger folios where it reads ahead of a reader.
    ///
    /// # Errors
    /// As [`Held::read`].
    pub(super) async fn fetch(self, range: Range<u64>) -> (Self, io::Result<Vec<u8>>) {
        let Range { start, end } = range;
        let coming = steps(end - start - FILE_SAMPLE_BYTES as u64).find(|bytes| {
            let bytes = FILE_SAMPLE_BYTES + bytes;
            self.file.is_coming(start, bytes) == Some(true)
        });
        if let Some(bytes) = coming {
            // Pages come in their order. What is wrong with the last of them shows when it is read.
            let last = start + (FILE_SAMPLE_BYTES + bytes) as u64 - 1;
            drop(self.file.read_at(vec![0], last).await);
            if self.file.is_cached(start, FILE_SAMPLE_BYTES + bytes) {
                return self.read(start, FILE_SAMPLE_BYTES).await;
            }
        }
        let bytes = min(end - start, FILE_PIECE_BYTES as u64);
        self.read(start, bytes as usize).await
    }

    /// Makes sure that what was read until now is of this version.
    async fn check(&mut self) -> io::Result<()> {
        let began_ns = self.file.ring().now_ns();
        let settled_ns = began_ns + FILE_SETTLING.as_nanos() as u64;
        loop {
            match self.look()? {
                Look::Same => return Ok(()),
                Look::Grown(now) => {
                    let again = read_exactly(&self.file, self.sample_at, self.sample.len()).await?;
                    return self.compare(now, &again);
                }
                Look::Unsettled if self.file.ring().now_ns() >= settled_ns => return Err(changed()),
                Look::Unsettled => {
                    let again = Deadline::new(self.file.ring());
                    again.arm(FILE_SETTLING / 10);
                    again.passed().await;
                }
            }
        }
    }

    /// [`Held::check`] where the sample is in memory, which leaves what is not settled for later.
    fn check_now(&mut self) -> io::Result<()> {
        match self.look()? {
            Look::Same | Look::Unsettled => Ok(()),
            Look::Grown(now) => {
                let mut again = vec![0; self.sample.len()];
                let read = self.file.read_now(&mut again, self.sample_at)?;
                self.compare(now, &again[..read])
            }
        }
    }

    /// What became of the file, if it may still be this version.
    fn look(&mut self) -> io::Result<Look> {
        let now = resolve::version(&*self.file)?;
        let change = self.version.change_to(&now);
        self.is_unsettled = change == Change::Unsettled;
        match change {
            Change::None => Ok(Look::Same),
            _ if self.sample.is_empty() => Err(changed()),
            Change::Grown => Ok(Look::Grown(now)),
            Change::Unsettled => Ok(Look::Unsettled),
            Change::Other => Err(changed()),
        }
    }

    /// Goes on with the version `now`, if the sample is still what was read.
    fn compare(&mut self, now: Version, again: &[u8]) -> io::Result<()> {
        if again != self.sample {
            return Err(changed());
        }
        self.version = now;
        Ok(())
    }

    /// Has a copy sent of up to `bytes` bytes from `offset` on, all of this version, if they are in memory, and
    /// fills the replica with it.
    pub(super) fn send_copy(
        &mut self,
        offset: u64,
        bytes: usize,
        copied: &mut Copied,
        replica: Option<&Replica>,
        send: &mut SendFile<'_>,
    ) -> Option<io::Result<usize>> {
        if self.is_unsettled {
            return None;
        }
        let outcome = copied.with(bytes, |piece| {
            let read = match self.file.read_now(piece, offset) {
                Ok(read) if read > 0 => read,
                // Whatever kept it from reading now, reading later will tell.
                _ => return None,
            };
            match self.check_now() {
                Err(error) => return Some(Err(error)),
                Ok(()) if self.is_unsettled => return None,
                Ok(()) => {}
            }
            let piece = &piece[..read];
            if let Some(replica) = replica {
                replica.fill(self.version, offset, piece);
            }
            let sent = send(FilePiece::Copy(piece));
            if sent > 0 {
                let tail = sent.min(FILE_SAMPLE_BYTES);
                self.sample.clear();
                self.sample.extend_from_slice(&piece[sent - tail..sent]);
                self.sample_at = offset + (sent - tail) as u64;
            }
            Some(Ok((read, sent)))
        });
        Some(outcome?.map(|(read, sent)| {
            copied.learn(read, sent);
            sent
        }))
    }

    /// Has the pages of up to `bytes` bytes from `offset` on sent, if they are in memory.
    pub(super) fn send_pages(
        &mut self,
        offset: u64,
        bytes: usize,
        send: &mut SendFile<'_>,
    ) -> Option<io::Result<usize>> {
        if self.is_unsettled {
            return None;
        }
        let bytes = steps(bytes as u64).find(|&bytes| self.file.is_cached(offset, bytes))?;
        let sent = send(FilePiece::Pages {
            file: self.file.as_fd(),
            offset,
            bytes,
        });
        if sent == 0 {
            return Some(Ok(0));
        }
        let tail = sent.min(FILE_SAMPLE_BYTES);
        let tail_at = offset + (sent - tail) as u64;
        let mut sample = vec![0; tail];
        let sampled = self.file.read_now(&mut sample, tail_at).unwrap_or(0);
        if let Err(error) = self.check_now() {
            return Some(Err(error));
        }
        if sampled == tail {
            (self.sample_at, self.sample) = (tail_at, sample);
        }
        Some(Ok(sent))
    }
}

/// How much of so many bytes may be sent from memory at once: all of it, or less where not all of it is there.
fn steps(bytes: u64) -> impl Iterator<Item = usize> {
    let most = min(bytes, FILE_TURN_BYTES as u64) as usize;
    iter::successors(Some(most), |bytes| {
        Some(bytes / 4).filter(|&less| less >= LEAST_STEP_BYTES)
    })
}

/// What a file turns out to be that a version was seen of.
enum Look {
    Same,
    /// This, if the sample says so, too.
    Grown(Version),
    Unsettled,
}

/// [`Changed`] as an error of reading. Where nothing is out yet it is answered with 503, as
/// [`BodyError::Io`](crate::app::BodyError::Io) says.
fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, Changed)
}

/// Whether a file could not be read because it was changed meanwhile.
pub(super) fn is_change(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Changed>())
}

/// An error of reading for another who waited for the same.
pub(super) fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        _ if is_change(error) => changed(),
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Reads so many bytes, which the file had: at once if they are in memory, on the ring otherwise.
async fn read_exactly(file: &File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut content = vec![0; bytes];
    // Whatever kept it from reading now, reading later will tell.
    let mut filled = file.read_now(&mut content, offset).unwrap_or(0);
    while filled < bytes {
        // Most often all of it is missing, and has its place already.
        let room = match filled {
            0 => std::mem::take(&mut content),
            _ => vec![0; bytes - filled],
        };
        let (read, piece) = file.read_at(room, offset + filled as u64).await;
        let read = read?;
        if read == 0 {
            return Err(changed());
        }
        match filled {
            0 => content = piece,
            _ => content[filled..filled + read].copy_from_slice(&piece[..read]),
        }
        filled += read;
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
