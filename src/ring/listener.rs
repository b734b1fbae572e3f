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
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Credit from which on a multishot accept is used: more than an accept queue usually holds.
pub const MULTISHOT_CREDIT: usize = 4096;

/// An entry of the ring's table of listeners.
#[derive(Debug)]
pub(super) struct Accepting {
    generation: u32,
    /// The socket belongs to whoever bound it; it stays open while an accept may name it.
    socket: Arc<OwnedFd>,
    armed: Option<Mode>,
    /// The reap behind which that accept was asked for.
    armed_ns: u64,
    cancelling: bool,
    /// No accept is armed any more.
    stopped: bool,
    /// The handle is gone: the entry goes with its last completion.
    abandoned: bool,
    /// Connections that may be accepted beyond those in `ready`. Negative when a multishot accept
    /// took more before it was stopped; they have to end before another is accepted.
    credit: isize,
    /// The connections that come next may have waited in the accept queue unseen.
    is_behind: bool,
    ready: VecDeque<Accepted>,
    failed: Option<i32>,
    waker: Option<Waker>,
}

/// A connection that nobody has taken.
#[derive(Debug)]
struct Accepted {
    socket: OwnedFd,
    /// It may have waited in the accept queue unseen.
    waited: bool,
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
        // An accept that did not wait has found the queue as it was: the next may find more of it.
        let at_once = self.late.was_asked_for_at(listener.armed_ns);
        listener.is_behind = listener.is_behind && at_once || self.late.is_asking();
        if !more {
            listener.armed = None;
            listener.cancelling = false;
        }
        match socket {
            Some(socket) => {
                let waited = listener.is_behind;
                listener.ready.push_back(Accepted { socket, waited });
                listener.credit -= 1;
            }
            None => match -result {
                // Our own cancellation, or a peer that left before it was accepted.
                libc::ECANCELED | libc::ECONNABORTED | libc::EINTR | libc::EAGAIN => {}
                errno => {
                    listener.is_behind = true;
                    listener.failed = Some(errno);
                }
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
        if listener.armed.is_some() || listener.stopped {
            return;
        }
        if listener.credit <= 0 {
            listener.is_behind = true;
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
        listener.armed_ns = self.late.reaped_ns();
        self.queue
            .push_back(submission.user_data(Target::Accept(key).pack()));
    }

    fn poll_accept(
        &mut self,
        key: Key,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<Accepted>>, Option<Waker>) {
        let listener = &mut self.listeners[key.index as usize];
        if let Some(accepted) = listener.ready.pop_front() {
            return (Poll::Ready(Ok(accepted)), None);
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
                armed_ns: 0,
                cancelling: false,
                stopped: false,
                abandoned: false,
                credit: isize::try_from(credit).unwrap_or(isize::MAX),
                // Who came before it began has waited.
                is_behind: true,
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
        let Accepted { socket, waited } = poll_fn(|cx| {
            let (outcome, _displaced) = self.ring.0.with(|state| state.poll_accept(self.key, cx));
            outcome
        })
        .await?;
        Ok(Stream::adopt(&self.ring, socket, waited))
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
                .map(|Accepted { socket, waited }| Stream::adopt(&self.ring, socket, waited))
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
fn accept_queued(socket: &OwnedFd, queued: &mut VecDeque<Accepted>) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, true)?;
    let outcome = loop {
        match rustix::net::accept_with(socket, rustix::net::SocketFlags::CLOEXEC) {
            Ok(socket) => queued.push_back(Accepted {
                socket,
                waited: true,
            }),
            Err(rustix::io::Errno::AGAIN) => break Ok(()),
            Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
            Err(errno) => break Err(errno.into()),
        }
    };
    // The socket may be served by another ring after this one, and a non-blocking one never waits.
    rustix::io::ioctl_fionbio(socket, false)?;
    outcome
}
