//! Files for reading, opened and read on the ring.

use super::Ring;
use super::op::{Op, Payload};
use super::stream::check;
use io_uring::{opcode, squeue, types};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::ffi::CStr;
use std::io;
use std::iter;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

/// A file, open for reading or only found. It is closed when dropped, once its reads have ended: on the
/// ring, unless that has [`QUEUED_CLOSES`](crate::limits::QUEUED_CLOSES) to do in its next turn already.
#[derive(Debug)]
pub struct File {
    ring: Ring,
    fd: Option<Rc<OwnedFd>>,
}

/// Where pages in memory are not counted, one byte in so many is tried.
const PROBED_BYTES: usize = 64 * 1024;

/// How a path below a folder is opened. It never leads to a `/proc` magic link
/// (RESOLVE_NO_MAGICLINKS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What for.
    pub access: Access,
    /// Which symbolic links are followed.
    pub links: Links,
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To ask what it is: the file itself is not opened (O_PATH), so a device does not notice.
    Look,
    /// To read it. Never blocks on a FIFO (O_NONBLOCK).
    Read,
}

/// Which symbolic links are followed on the way to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// None (RESOLVE_NO_SYMLINKS): ELOOP.
    None,
    /// Those that stay beneath the folder (RESOLVE_BENEATH): EXDEV for others, and for absolute ones.
    Beneath,
    /// All. The path itself is then the caller's to keep relative and free of `..`.
    Any,
}

impl Opening {
    /// Opens `path` below `directory` in the calling thread, which may have to wait for the disk.
    ///
    /// # Errors
    /// As [`File::open_beneath`].
    pub fn open_waiting(self, directory: &OwnedFd, path: &CStr) -> io::Result<OwnedFd> {
        let (flags, resolve) = (self.flags(), self.resolve());
        Ok(openat2(directory, path, flags, Mode::empty(), resolve)?)
    }

    fn flags(self) -> OFlags {
        let access = match self.access {
            Access::Look => OFlags::PATH,
            Access::Read => OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY,
        };
        access | OFlags::CLOEXEC
    }

    fn resolve(self) -> ResolveFlags {
        let links = match self.links {
            Links::None => ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH,
            Links::Beneath => ResolveFlags::BENEATH,
            Links::Any => ResolveFlags::empty(),
        };
        links | ResolveFlags::NO_MAGICLINKS
    }
}

impl File {
    /// Opens `path` below `directory` (`openat2(2)`, Linux 5.6).
    ///
    /// What the kernel has in memory is opened at once (RESOLVE_CACHED, Linux 5.12): that takes a
    /// microsecond or two. Otherwise the ring does it, and nobody is held up.
    ///
    /// # Errors
    /// What `openat2(2)` answers: ENOENT, EACCES, EXDEV for a way out, ELOOP.
    pub async fn open_beneath(
        ring: &Ring,
        directory: &Arc<OwnedFd>,
        path: &CStr,
        opening: Opening,
    ) -> io::Result<Self> {
        let (flags, resolve) = (opening.flags(), opening.resolve());
        let cached = resolve | ResolveFlags::CACHED;
        let fd = match openat2(directory, path, flags, Mode::empty(), cached) {
            Ok(fd) => fd,
            // It is not in memory, or an older file system cannot say so.
            Err(Errno::AGAIN) => Self::open_later(ring, directory, path, flags, resolve).await?,
            Err(errno) => return Err(errno.into()),
        };
        Ok(Self {
            ring: ring.clone(),
            fd: Some(Rc::new(fd)),
        })
    }

    async fn open_later(
        ring: &Ring,
        directory: &Arc<OwnedFd>,
        path: &CStr,
        flags: OFlags,
        resolve: ResolveFlags,
    ) -> io::Result<OwnedFd> {
        let how = types::OpenHow::new()
            .flags(flags.bits().into())
            .resolve(resolve.bits());
        let payload = Payload::Open {
            path: path.to_owned(),
            how: vec![how],
            directory: Arc::clone(directory),
        };
        let key = ring.0.with(|state| {
            state.start(None, payload, |payload| {
                let Payload::Open {
                    path,
                    how,
                    directory,
                } = payload
                else {
                    unreachable!("made above")
                };
                let directory = types::Fd(directory.as_raw_fd());
                opcode::OpenAt2::new(directory, path.as_ptr(), how.as_ptr()).build()
            })
        });
        let (result, _) = Op::new(ring.clone(), key).await;
        check(result)?;
        // SAFETY: a successful open made this descriptor for us alone.
        Ok(unsafe { OwnedFd::from_raw_fd(result) })
    }

    /// The ring that it is read on.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Reads into `buffer` from `offset` what is in memory already, without waiting for the disk
    /// (RWF_NOWAIT of `preadv2(2)`): fewer bytes than asked for are no sign of the file's end.
    ///
    /// # Errors
    /// What `preadv2(2)` answers: EAGAIN where nothing is in memory, EOPNOTSUPP where the file system
    /// cannot say.
    pub fn read_now(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut buffers = [io::IoSliceMut::new(buffer)];
        let read = preadv2(self, &mut buffers, offset, ReadWriteFlags::NOWAIT)?;
        Ok(read)
    }

    /// Whether so many bytes from `offset` on are in memory, as far as can be told.
    ///
    /// `cachestat(2)` counts pages (Linux 6.5), but counts those that are still on their way from the disk as
    /// well, for which whoever wants them waits. So the first byte and the last are read without waiting
    /// besides: the disk is asked for pages in their order, and those in between that come behind the last
    /// have been on their way for as long. Where nobody counts, because the kernel is older or tells only who
    /// could write the file as well, a byte in each 64 KiB is read: most pages come and go in such runs.
    ///
    /// 512 KiB take 2.3 µs to count, and a byte takes 0.3 to read.
    pub fn is_cached(&self, offset: u64, bytes: usize) -> bool {
        let step = match self.is_coming(offset, bytes) {
            Some(false) => return false,
            Some(true) => bytes.max(1),
            None => PROBED_BYTES,
        };
        let last = (offset + bytes as u64).saturating_sub(1);
        let mut probes = iter::once(last).chain((offset..last).step_by(step));
        probes.all(|offset| matches!(self.read_now(&mut [0], offset), Ok(1)))
    }

    /// Whether so many bytes from `offset` on are in memory, or on their way there from the disk; `None`
    /// where nobody tells.
    pub fn is_coming(&self, offset: u64, bytes: usize) -> Option<bool> {
        let page_bytes = rustix::param::page_size() as u64;
        let end = (offset + bytes as u64).div_ceil(page_bytes);
        let pages = self.cached_pages(offset, bytes as u64).ok()?;
        Some(pages >= end - offset / page_bytes)
    }

    /// How many pages of a range are in memory.
    fn cached_pages(&self, offset: u64, bytes: u64) -> io::Result<u64> {
        /// Its number, on every architecture.
        const CACHESTAT: libc::c_long = 451;
        /// Fields of `struct cachestat` (`linux/mman.h`), of which the first is what is asked for.
        const FIGURES: usize = 5;
        let range = [offset, bytes];
        let mut figures = [0_u64; FIGURES];
        let fd = self.as_fd().as_raw_fd();
        // SAFETY: both point at arrays of the sizes that the kernel reads and writes, which outlive the
        // call; it keeps neither.
        let result =
            unsafe { libc::syscall(CACHESTAT, fd, range.as_ptr(), figures.as_mut_ptr(), 0) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(figures[0])
    }

    /// Reads into `buffer`, as many bytes as it is long, from `offset`; returns how many were
    /// read (0 at the end of the file) and the buffer, its length unchanged.
    ///
    /// # Errors
    /// What `pread(2)` answers.
    pub async fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> (io::Result<usize>, Vec<u8>) {
        let len = u32::try_from(buffer.len()).unwrap_or(i32::MAX as u32);
        buffer.truncate(len as usize);
        // A file system that cannot say "not cached yet" refuses a non-blocking descriptor with
        // EAGAIN; the kernel's worker threads then read it.
        let mut flags = squeue::Flags::empty();
        loop {
            let payload = Payload::Read {
                buffer,
                file: Rc::clone(self.shared_fd()),
            };
            let key = self.ring.0.with(|state| {
                state.start(None, payload, |payload| {
                    let Payload::Read { buffer, file } = payload else {
                        unreachable!("made above")
                    };
                    let fd = types::Fd(file.as_raw_fd());
                    let read = opcode::Read::new(fd, buffer.as_mut_ptr(), len);
                    read.offset(offset).build().flags(flags)
                })
            });
            let (result, payload) = Op::new(self.ring.clone(), key).await;
            let Payload::Read {
                buffer: returned, ..
            } = payload
            else {
                unreachable!("made above")
            };
            if result != -libc::EAGAIN || flags.contains(squeue::Flags::ASYNC) {
                return (check(result), returned);
            }
            buffer = returned;
            flags = squeue::Flags::ASYNC;
        }
    }

    fn shared_fd(&self) -> &Rc<OwnedFd> {
        self.fd
            .as_ref()
            .unwrap_or_else(|| unreachable!("taken only on drop"))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared_fd().as_fd()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // A read whose future was dropped holds the descriptor until it has ended, because the
        // kernel's worker threads look it up only when they come to it.
        if let Some(Ok(fd)) = self.fd.take().map(Rc::try_unwrap) {
            let left = self.ring.0.with(|state| state.close_file(fd));
            drop(left);
        }
    }
}
