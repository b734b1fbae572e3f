//! Files for reading, opened and read on the ring.

use super::Ring;
use super::op::{Op, Payload};
use super::stream::check;
use io_uring::{opcode, squeue, types};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

/// A file open for reading. It is closed on the ring when dropped, once its reads have ended.
#[derive(Debug)]
pub struct File {
    ring: Ring,
    fd: Option<Rc<OwnedFd>>,
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
            fd: Some(Rc::new(fd)),
        })
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
            self.ring.0.with(|state| state.close(fd.into_raw_fd()));
        }
    }
}
