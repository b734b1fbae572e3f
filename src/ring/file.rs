//! Files for reading, opened and read on the ring.

use super::Ring;
use super::op::{Op, Payload};
use super::stream::check;
use io_uring::{opcode, squeue, types};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

/// A file open for reading. It is closed on the ring when dropped.
#[derive(Debug)]
pub struct File {
    ring: Ring,
    fd: Option<OwnedFd>,
}

impl File {
    /// Opens `path` below `directory` for reading, without following it out of there: no `..`, no
    /// absolute link, no `/proc` magic link (`openat2(2)` with RESOLVE_BENEATH and
    /// RESOLVE_NO_MAGICLINKS, Linux 5.6). Never blocks on a FIFO (O_NONBLOCK).
    ///
    /// # Errors
    /// What `openat2(2)` answers: ENOENT, EACCES, EXDEV for a way out, ELOOP.
    pub async fn open_beneath(
        ring: &Ring,
        directory: &Arc<OwnedFd>,
        path: CString,
    ) -> io::Result<Self> {
        const RESOLVE_BENEATH: u64 = 0x08;
        const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        let how = types::OpenHow::new()
            .flags(flags as u64)
            .resolve(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        let payload = Payload::Open {
            path,
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
        let fd = unsafe { OwnedFd::from_raw_fd(result) };
        Ok(Self {
            ring: ring.clone(),
            fd: Some(fd),
        })
    }

    /// Reads into `buffer`, as many bytes as it is long, from `offset`; returns how many were
    /// read (0 at the end of the file) and the buffer, its length unchanged.
    ///
    /// # Errors
    /// What `pread(2)` answers.
    pub async fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> (io::Result<usize>, Vec<u8>) {
        let fd = types::Fd(self.as_fd().as_raw_fd());
        let len = u32::try_from(buffer.len()).unwrap_or(i32::MAX as u32);
        buffer.truncate(len as usize);
        // A file system that cannot say "not cached yet" refuses a non-blocking descriptor with
        // EAGAIN; the kernel's worker threads then read it.
        let mut flags = squeue::Flags::empty();
        loop {
            let key = self.ring.0.with(|state| {
                state.start(None, Payload::Read(buffer), |payload| {
                    let Payload::Read(buffer) = payload else {
                        unreachable!("made above")
                    };
                    let read = opcode::Read::new(fd, buffer.as_mut_ptr(), len);
                    read.offset(offset).build().flags(flags)
                })
            });
            let (result, payload) = Op::new(self.ring.clone(), key).await;
            let Payload::Read(returned) = payload else {
                unreachable!("made above")
            };
            if result != -libc::EAGAIN || flags.contains(squeue::Flags::ASYNC) {
                return (check(result), returned);
            }
            buffer = returned;
            flags = squeue::Flags::ASYNC;
        }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd
            .as_ref()
            .map(AsFd::as_fd)
            .unwrap_or_else(|| unreachable!("taken only on drop"))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(fd) = self.fd.take() {
            // Queued behind every read of it, so no operation meets a reused descriptor.
            self.ring.0.with(|state| state.close(fd.into_raw_fd()));
        }
    }
}
