//! Sending from where bytes lie, without waiting: a head, and pages of a file behind it, which are handed
//! to the socket and not copied (`sendfile(2)`).
//!
//! On the ring a splice always goes to a worker thread, which costs more than it saves; the system call
//! itself is made by the core, as long as the pages are in memory and the socket takes them. A socket
//! of the ring is in blocking mode, and `sendfile(2)` knows no other way to be told not to wait than the
//! socket's own mode: so that is changed around the call. Nothing else notices, for operations of this
//! ring are begun by the same thread, and those that wait have said how when they began.

use super::Stream;
use super::op::Payload;
use super::stream::check;
use io_uring::opcode;
use rustix::fs::sendfile;
use rustix::io::ioctl_fionbio;
use rustix::net::{SendFlags, send};
use std::io;
use std::os::fd::AsFd;

impl Stream {
    /// Sends what the socket takes of `bytes` now; with `more` the kernel waits for what follows before
    /// it sends a packet that is not full. Not while a [`Stream::send`] is in flight.
    ///
    /// The head of a file goes with `more`. By itself it is answered at once, which over loopback tells the
    /// peer how near we are, and its window stays at 0.2 MB in place of 12. Most bytes then leave on the
    /// peer's acknowledgements and its CPU: some 80 µs of ours for a MiB in place of 127, but 3.5 GB/s in place
    /// of 5.5, and a fifth more CPU time for both together.
    ///
    /// # Errors
    /// What `send(2)` answers: `WouldBlock` where there is no room, see [`Stream::writable`].
    pub fn try_send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        if self.is_broken() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        flags.set(SendFlags::MORE, more);
        Ok(self.with_fd(|fd| send(fd, bytes, flags))?)
    }

    /// Sends up to `bytes` bytes of `file` from `offset` on, as far as the socket takes them now. It
    /// waits for the disk where they are not in memory: [`File::is_cached`](super::File::is_cached)
    /// tells. Not while a [`Stream::send`] is in flight.
    ///
    /// # Errors
    /// What `sendfile(2)` answers: `WouldBlock` where there is no room, see [`Stream::writable`].
    pub fn try_send_file(&self, file: impl AsFd, offset: u64, bytes: usize) -> io::Result<usize> {
        if self.is_broken() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.with_fd(|fd| {
            ioctl_fionbio(fd, true)?;
            let mut offset = offset;
            let sent = sendfile(fd, file, Some(&mut offset), bytes);
            // What worked a moment ago works again.
            ioctl_fionbio(fd, false)?;
            Ok(sent?)
        })
    }

    /// Waits until the socket takes bytes again, or the connection has failed, which sending then
    /// tells.
    ///
    /// # Errors
    /// What the ring answers.
    pub async fn writable(&self) -> io::Result<()> {
        let (result, _) = self
            .operate(Payload::Nothing, |fd, _| {
                opcode::PollAdd::new(fd, libc::POLLOUT as u32).build()
            })
            .await;
        check(result).map(drop)
    }
}
