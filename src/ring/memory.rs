//! Memory with a descriptor (`memfd_create(2)`), whose pages can be handed to a socket as those of a file can.

use super::Ring;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, pread, pwrite};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Pages in memory, written once: none at first. They count as shared memory, in `/proc/meminfo` and for a
/// control group. They are given back when this is dropped, off the core's thread: for 16 MiB that takes up to a
/// millisecond.
#[derive(Debug)]
pub struct Memory {
    ring: Ring,
    fd: Option<OwnedFd>,
}

impl Memory {
    /// None so far, and at most `most_bytes` of it later.
    ///
    /// # Errors
    /// What `memfd_create(2)` answers: there are no descriptors left, or no memory. `FileTooLarge` if files may
    /// not be as large (`RLIMIT_FSIZE`), which counts for this as well, and would end the process (SIGXFSZ).
    pub fn new(ring: &Ring, most_bytes: u64) -> io::Result<Self> {
        let limit = getrlimit(Resource::Fsize).current;
        if limit.is_some_and(|limit| limit < most_bytes) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know the seal against execution, and later ones may insist on it.
        let fd = match memfd_create(c"corelane", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(c"corelane", flags)?,
            created => created?,
        };
        Ok(Self {
            ring: ring.clone(),
            fd: Some(fd),
        })
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What `pwrite(2)` answers: there is no memory, or it [is sealed](Memory::seal).
    pub fn write(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match pwrite(self, bytes, offset) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// From now on nobody can write to it or change its length, whoever has a descriptor of it.
    ///
    /// That is F_SEAL_FUTURE_WRITE (Linux 5.1): F_SEAL_WRITE waits for pages that sockets still have, and nothing
    /// is mapped here.
    ///
    /// # Errors
    /// What `fcntl(F_ADD_SEALS)` answers.
    pub fn seal(&self) -> io::Result<()> {
        let length = SealFlags::GROW | SealFlags::SHRINK;
        let seals = SealFlags::FUTURE_WRITE | length | SealFlags::SEAL;
        Ok(fcntl_add_seals(self, seals)?)
    }

    /// Reads `bytes` bytes from `offset` on, or those that there are.
    ///
    /// # Errors
    /// What `pread(2)` answers.
    pub fn read(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut content = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            match pread(self, &mut content[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        content.truncate(filled);
        Ok(content)
    }
}

impl AsFd for Memory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.fd {
            Some(fd) => fd.as_fd(),
            None => unreachable!("taken only on drop"),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(fd) = self.fd.take() {
            self.ring.0.with(|state| state.apart.push(fd));
        }
    }
}
