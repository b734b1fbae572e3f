//! Accepting connections: the listener's entry in the ring and the API on top.
//!
//! A listener accepts only what it has *credit* for, so a connection is never taken from the
//! kernel's queue without a place for it. While the credit covers a whole accept queue, one
//! multishot accept (Linux 5.19) takes connections as they come; below that each connection is
//! accepted by an operation of its own, because a multishot accept cannot be told where to stop.

use super::key::Target;
use super::stream::Stream;
use super::{Key, Ring, State, displace};
use io_uring::{opcode, types};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Credit from which on a multishot accept is used: more than an accept queue usually holds.
pub const MULTISHOT_CREDIT: usize = 4096;

/// How many connections wait on a listening TCP socket to be accepted, and how many may: what
/// `TCP_INFO` says of one in its fields for unacknowledged and selectively acknowledged segments.
///
/// # Errors
/// The socket is no TCP socket.
pub fn accept_queue(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    // SAFETY: the structure is plain numbers, for which zeros are valid.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut bytes = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most `bytes` bytes at `info`, both of which outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut bytes,
        )
    };
    match result {
        0 => Ok((info.tcpi_unacked, info.tcpi_sacked)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An entry of the ring's table of listeners.
#[derive(Debug)]
pub(super) struct Accepting {
    generation: u32,
    /// The socket belongs to whoever bound it; it stays open while an accept may name it.
    socket: Arc<OwnedFd>,
    armed: Option<Mode>,
    cancelling: bool,
    /// No accept is armed any more.
    stopped: bool,
    /// The handle is gone: the entry goes with its last completion.
    abandoned: bool,
    /// Connections that may be accepted beyond those in `ready`. Negative when a multishot accept
    /// took more before it was stopped; they have to end before another is accepted.
    credit: isize,
    ready: VecDeque<OwnedFd>,
    failed: Option<i32>,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Single,
    Multishot,
}

impl Accepting {
    pub(super) fn is_armed(&self) -> bool {
        self.armed.is_some()
    }
}

impl State {
    /// A completion of the listener's accept.
    pub(super) fn accepted(&mut self, key: Key, result: i32, more: bool) {
        let live = self.listeners.get_mut(key.index as usize);
        // SAFETY: a successful accept made this descriptor for us alone.
        let socket = (result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) });
        let Some(listener) = live.filter(|listener| listener.generation == key.generation) else {
            return;
        };
        if !more {
            listener.armed = None;
            listener.cancelling = false;
        }
        match socket {
            Some(socket) => {
                listener.ready.push_back(socket);
                listener.credit -= 1;
            }
            None => match -result {
                // Our own cancellation, or a peer that left before it was accepted.
                libc::ECANCELED | libc::ECONNABORTED | libc::EINTR | libc::EAGAIN => {}
                errno => listener.failed = Some(errno),
            },
        }
        let scant = listener.credit < MULTISHOT_CREDIT as isize;
        if listener.armed == Some(Mode::Multishot) && scant && !listener.cancelling {
            listener.cancelling = true;
            self.cancel(Target::Accept(key));
        }
        let listener = &mut self.listeners[key.index as usize];
        let ended = listener.armed.is_none();
        if listener.abandoned && ended {
            self.listeners.remove(key.index as usize);
        } else if !listener.ready.is_empty()
            || listener.failed.is_some()
            || listener.stopped && ended
        {
            self.woken.extend(listener.waker.take());
        } else if listener.waker.is_some() {
            self.arm_accept(key);
        }
    }

    fn arm_accept(&mut self, key: Key) {
        let listener = &mut self.listeners[key.index as usize];
        if listener.armed.is_some() || listener.credit <= 0 || listener.stopped {
            return;
        }
        let fd = types::Fd(listener.socket.as_raw_fd());
        let flags = libc::SOCK_CLOEXEC;
        let (mode, submission) = if listener.credit < MULTISHOT_CREDIT as isize {
            let nowhere = std::ptr::null_mut();
            (
                Mode::Single,
                opcode::Accept::new(fd, nowhere, nowhere.cast())
                    .flags(flags)
                    .build(),
            )
        } else {
            (
                Mode::Multishot,
                opcode::AcceptMulti::new(fd).flags(flags).build(),
            )
        };
        listener.armed = Some(mode);
        self.queue
            .push_back(submission.user_data(Target::Accept(key).pack()));
    }

    fn poll_accept(
        &mut self,
        key: Key,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<OwnedFd>>, Option<Waker>) {
        let listener = &mut self.listeners[key.index as usize];
        if let Some(fd) = listener.ready.pop_front() {
            return (Poll::Ready(Ok(fd)), None);
        }
        if let Some(errno) = listener.failed.take() {
            return (Poll::Ready(Err(io::Error::from_raw_os_error(errno))), None);
        }
        let displaced = displace(&mut listener.waker, cx);
        self.arm_accept(key);
        (Poll::Pending, displaced)
    }

    /// Stops the accept; ready once the kernel has ended it.
    fn poll_stop(&mut self, key: Key, cx: &mut Context<'_>) -> (Poll<()>, Option<Waker>) {
        let listener = &mut self.listeners[key.index as usize];
        listener.stopped = true;
        if listener.armed.is_none() {
            return (Poll::Ready(()), None);
        }
        let displaced = displace(&mut listener.waker, cx);
        if !std::mem::replace(&mut listener.cancelling, true) {
            self.cancel(Target::Accept(key));
        }
        (Poll::Pending, displaced)
    }
}

/// A listening socket served by a ring.
///
/// Dropping it stops accepting; connections that were accepted but not taken are closed. To lose
/// none, use [`Listener::drain`].
#[derive(Debug)]
pub struct Listener {
    ring: Ring,
    pub(super) key: Key,
}

impl Listener {
    /// Serves `socket`, a listening stream socket, and accepts up to `credit` connections until
    /// more credit is [added](Listener::add_credit). The socket is put in blocking mode.
    pub fn new(ring: &Ring, socket: Arc<OwnedFd>, credit: usize) -> Self {
        // Fails for nothing that is a socket.
        let _ = rustix::io::ioctl_fionbio(&socket, false);
        let key = ring.0.with(|state| {
            let generation = state.next_generation();
            let index = state.listeners.insert(Accepting {
                generation,
                socket,
                armed: None,
                cancelling: false,
                stopped: false,
                abandoned: false,
                credit: isize::try_from(credit).unwrap_or(isize::MAX),
                ready: VecDeque::new(),
                failed: None,
                waker: None,
            });
            Key {
                index: index as u32,
                generation,
            }
        });
        Self {
            ring: ring.clone(),
            key,
        }
    }

    /// The next connection.
    ///
    /// # Errors
    /// What `accept(2)` answers when the process or the machine is out of descriptors or memory
    /// (EMFILE, ENFILE, ENOBUFS, ENOMEM). Nothing is accepted after an error until this is called
    /// again, so the caller decides how long to back off.
    pub async fn accept(&self) -> io::Result<Stream> {
        let fd = poll_fn(|cx| {
            let (outcome, _displaced) = self.ring.0.with(|state| state.poll_accept(self.key, cx));
            outcome
        })
        .await?;
        Ok(Stream::adopt(&self.ring, fd))
    }

    /// Allows `connections` more to be accepted: as many as have ended.
    pub fn add_credit(&self, connections: usize) {
        self.ring.0.with(|state| {
            let listener = &mut state.listeners[self.key.index as usize];
            let connections = isize::try_from(connections).unwrap_or(isize::MAX);
            listener.credit = listener.credit.saturating_add(connections);
            if listener.waker.is_some() {
                state.arm_accept(self.key);
            }
        });
    }

    /// Stops accepting for good and takes everything the kernel has queued, beyond any credit.
    ///
    /// After this the socket may be closed without resetting a connection that was established
    /// before the call. New connections must be kept from it by the caller.
    ///
    /// # Errors
    /// What `accept(2)` answers; the connections taken until then are returned all the same.
    pub async fn drain(&self) -> (Vec<Stream>, io::Result<()>) {
        poll_fn(|cx| {
            let (outcome, _displaced) = self.ring.0.with(|state| state.poll_stop(self.key, cx));
            outcome
        })
        .await;
        let (mut queued, socket) = self.ring.0.with(|state| {
            let listener = &mut state.listeners[self.key.index as usize];
            (
                std::mem::take(&mut listener.ready),
                Arc::clone(&listener.socket),
            )
        });
        let outcome = accept_queued(&socket, &mut queued);
        (
            queued
                .into_iter()
                .map(|fd| Stream::adopt(&self.ring, fd))
                .collect(),
            outcome,
        )
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The waker too goes now: the entry is freed while the tables are borrowed.
        let _released = self.ring.0.with(|state| {
            let listener = &mut state.listeners[self.key.index as usize];
            listener.stopped = true;
            listener.abandoned = true;
            let waker = listener.waker.take();
            if listener.armed.is_none() {
                return (Some(state.listeners.remove(self.key.index as usize)), waker);
            }
            if !std::mem::replace(&mut listener.cancelling, true) {
                state.cancel(Target::Accept(self.key));
            }
            (None, waker)
        });
    }
}

/// Takes every connection that waits in the kernel's queue.
fn accept_queued(socket: &OwnedFd, queued: &mut VecDeque<OwnedFd>) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, true)?;
    let outcome = loop {
        match rustix::net::accept_with(socket, rustix::net::SocketFlags::CLOEXEC) {
            Ok(fd) => queued.push_back(fd),
            Err(rustix::io::Errno::AGAIN) => break Ok(()),
            Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
            Err(errno) => break Err(errno.into()),
        }
    };
    // The socket may be served by another ring after this one, and a non-blocking one never waits.
    rustix::io::ioctl_fionbio(socket, false)?;
    outcome
}
