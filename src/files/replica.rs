//! Replicas: copies of larger files in memory that nobody can change, whose pages are handed to sockets.
//!
//! To hand over the pages of the file itself would take less, but they are read only when the network takes
//! them, and are of another version by then if the file is written to. To copy each piece for each response
//! takes several times the CPU time. So a file that is asked for again is copied once more on its way, into
//! memory that has a descriptor of its own:
//!
//! ```text
//! asked for        ─▶ opened, and sent in copies          Content::Open
//! asked for again  ─▶ ─ filled: pages of the replica
//!                     └ the rest: copies, which fill it   Content::Replica
//! opened meanwhile ─▶ sent in copies as well; the replica keeps its place
//! memory is short  ─▶ the rest is sent in copies; after a while it is filled on
//! filled           ─▶ the file is closed, and pages of the replica are sent
//! forgotten        ─▶ it is filled no more; who sends it goes on with what there is, and then with the file
//! ```
//!
//! What is written into it was read of one version, as the response that it was read for makes sure, whichever
//! it is; it is sealed once it is whole. That it is whole says nothing of whether it is still served: that is
//! for the cache to know, as of any content. It does no I/O of files. Its pages may be swapped out, as all memory
//! of the process.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use super::version::Version;
use crate::permits::Permit;
use crate::ring::{File, Memory};

/// Leave for a replica.
#[derive(Debug)]
pub(super) struct Leave {
    /// For its bytes, for as long as it is there.
    pub(super) bytes: Permit,
    /// Until it is filled.
    pub(super) filling: Permit,
}

/// A copy of one version of a file, or of its beginning so far.
#[derive(Debug)]
pub(super) struct Replica {
    memory: Memory,
    version: Version,
    /// How much of it is there, from its beginning, in bytes.
    filled: Cell<u64>,
    /// Where the rest of it is, until it is whole or forgotten.
    source: RefCell<Option<Source>>,
    _bytes: Permit,
}

#[derive(Debug)]
struct Source {
    file: Rc<File>,
    /// When it was filled last, or could not be, on the ring's clock, in nanoseconds.
    filled_ns: u64,
    /// None, while there is no memory for more of it: then the rest is sent from the file.
    filling: Option<Permit>,
}

impl Source {
    fn since(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(now_ns.saturating_sub(self.filled_ns))
    }
}

impl Replica {
    /// One of `version` of `file`, with nothing in it so far.
    ///
    /// # Errors
    /// There are no descriptors left, or no memory.
    pub(super) fn new(file: Rc<File>, version: Version, leave: Leave) -> io::Result<Self> {
        let Leave { bytes, filling } = leave;
        Ok(Self {
            memory: Memory::new(file.ring(), version.length())?,
            version,
            filled: Cell::new(0),
            source: RefCell::new(Some(Source {
                filled_ns: file.ring().now_ns(),
                file,
                filling: Some(filling),
            })),
            _bytes: bytes,
        })
    }

    /// The version that it is a copy of.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Bytes that it takes, or will take.
    pub(super) fn bytes(&self) -> usize {
        self.version.length() as usize
    }

    /// Whether all of it is there.
    pub(super) fn is_whole(&self) -> bool {
        self.filled.get() == self.version.length()
    }

    /// Where the rest of it is, while it is not whole.
    pub(super) fn source(&self) -> Option<Rc<File>> {
        let source = self.source.borrow();
        source.as_ref().map(|source| Rc::clone(&source.file))
    }

    /// For how long nobody has filled it at `now_ns`; nothing, if it is filled no more.
    pub(super) fn unfilled(&self, now_ns: u64) -> Option<Duration> {
        let source = self.source.borrow();
        let source = source.as_ref().filter(|source| source.filling.is_some())?;
        Some(source.since(now_ns))
    }

    /// How long ago there was no memory for more of it at `now_ns`; nothing, unless that is why it is filled no more.
    pub(super) fn short(&self, now_ns: u64) -> Option<Duration> {
        let source = self.source.borrow();
        let source = source.as_ref().filter(|source| source.filling.is_none())?;
        Some(source.since(now_ns))
    }

    /// Has it filled on from `now_ns`, by leave of `filling`, if it was not forgotten.
    pub(super) fn resume(&self, filling: Permit, now_ns: u64) {
        if let Some(source) = &mut *self.source.borrow_mut() {
            source.filling = Some(filling);
            source.filled_ns = now_ns;
        }
    }

    /// Has it filled no more.
    pub(super) fn stop(&self) {
        self.source.take();
    }

    /// How many bytes there are from `offset` on.
    pub(super) fn filled_from(&self, offset: u64) -> u64 {
        self.filled.get().saturating_sub(offset)
    }

    /// Takes `piece`, which was read at `offset` of `version` of the file, if it goes on with what is there.
    pub(super) fn fill(&self, version: Version, offset: u64, piece: &[u8]) {
        let filled = self.filled.get();
        let known = filled.checked_sub(offset).map(usize::try_from);
        let Some(Ok(known)) = known else { return };
        let Some(new) = piece.get(known..).filter(|new| !new.is_empty()) else {
            return;
        };
        let mut source = self.source.borrow_mut();
        let is_filled = |source: &&mut Source| source.filling.is_some() && version == self.version;
        let Some(from) = source.as_mut().filter(is_filled) else {
            return;
        };
        from.filled_ns = from.file.ring().now_ns();
        if self.memory.write(new, filled).is_err() {
            from.filling = None;
            return;
        }
        self.filled.set(filled + new.len() as u64);
        if self.is_whole() {
            *source = None;
            // Nobody else has it: the seal is against those who look for its descriptor.
            let _ = self.memory.seal();
        }
    }

    /// Its pages, of which those that are filled may be sent.
    pub(super) fn pages(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// Reads `bytes` bytes from `offset` on, which are there.
    ///
    /// # Errors
    /// What `pread(2)` answers.
    pub(super) fn read(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let content = self.memory.read(offset, bytes)?;
        match content.len() == bytes {
            true => Ok(content),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::resolve;
    use crate::permits::Permits;
    use crate::ring::{Access, Links, Opening, Ring, RingOptions, run};
    use std::sync::Arc;

    /// A replica of a file of `abcdefghij` with nothing in it, and how many are being filled.
    async fn empty(ring: &Ring) -> (Replica, Version, Permits) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "abcdefghij").unwrap();
        let root = Arc::new(std::fs::File::open(folder.path()).unwrap().into());
        let opening = Opening {
            access: Access::Read,
            links: Links::None,
        };
        let file = File::open_beneath(ring, &root, c"a", opening).await;
        let file = Rc::new(file.unwrap());
        let version = resolve::version(&*file).unwrap();
        let filling = Permits::new(1);
        let leave = Leave {
            bytes: Permits::new(10).take_some(10).unwrap(),
            filling: filling.take().unwrap(),
        };
        let replica = Replica::new(file, version, leave).unwrap();
        (replica, version, filling)
    }

    #[test]
    fn it_is_filled_from_its_beginning_with_what_goes_on() {
        run(None, RingOptions::default(), |ring| async move {
            let (replica, version, filling) = empty(&ring).await;
            assert_eq!(replica.bytes(), 10);
            for (offset, piece, filled) in [
                (1, &b"bcd"[..], 0),
                (0, b"abc", 3),
                // Known, in part and as a whole, and with a gap before it.
                (1, b"bc", 3),
                (2, b"cdef", 6),
                (7, b"hij", 6),
                (6, b"", 6),
                (6, b"ghi", 9),
            ] {
                replica.fill(version, offset, piece);
                assert_eq!(replica.filled_from(0), filled, "{offset}");
                assert_eq!(replica.filled_from(4), filled.saturating_sub(4));
                assert!(replica.source().is_some() && filling.take().is_none());
            }
            replica.fill(version, 0, b"abcdefghij");
            assert_eq!(replica.read(0, 10).unwrap(), b"abcdefghij");
            assert_eq!(replica.read(3, 4).unwrap(), b"defg");
            // It is whole: neither the file is needed any more, nor the leave to fill it.
            assert!(replica.is_whole() && replica.unfilled(u64::MAX).is_none());
            assert!(replica.source().is_none() && filling.take().is_some());
            let error = replica.read(3, 8).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        })
        .unwrap();
    }

    #[test]
    fn the_rest_is_in_the_file_where_there_is_no_memory_for_it() {
        run(None, RingOptions::default(), |ring| async move {
            let (replica, version, filling) = empty(&ring).await;
            replica.fill(version, 0, b"abc");
            // As good as none: nothing is written to it any more.
            replica.memory.seal().unwrap();
            replica.fill(version, 3, b"defghij");
            assert_eq!(replica.filled_from(0), 3);
            assert!(replica.source().is_some() && !replica.is_whole());
            // Others are filled in its place, until it is tried again.
            let leave = filling.take().unwrap();
            assert!(replica.unfilled(u64::MAX).is_none());
            let failed_ns = ring.now_ns();
            let short = replica.short(failed_ns + 7).unwrap();
            assert!(short >= Duration::from_nanos(7));
            replica.resume(leave, failed_ns + 7);
            assert!(replica.short(u64::MAX).is_none() && filling.take().is_none());
            let unfilled = replica.unfilled(failed_ns + 10);
            assert_eq!(unfilled, Some(Duration::from_nanos(3)));
            replica.fill(version, 3, b"defghij");
            assert!(replica.short(u64::MAX).is_some() && filling.take().is_some());
        })
        .unwrap();
    }

    #[test]
    fn it_takes_nothing_of_another_version_and_nothing_once_it_is_stopped() {
        run(None, RingOptions::default(), |ring| async move {
            let (replica, version, filling) = empty(&ring).await;
            replica.fill(version, 0, b"abc");
            let longer = Version::made(1, 12, Duration::from_secs(1));
            replica.fill(longer, 3, b"defghijkl");
            assert_eq!(replica.filled_from(0), 3);
            replica.stop();
            replica.resume(filling.take().unwrap(), 0);
            assert!(filling.take().is_some() && replica.short(u64::MAX).is_none());
            replica.fill(version, 3, b"defghij");
            assert_eq!(replica.filled_from(0), 3);
            assert!(!replica.is_whole());
            assert_eq!(replica.read(0, 3).unwrap(), b"abc");
        })
        .unwrap();
    }
}
