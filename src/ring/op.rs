//! Operations that complete once, and the future that waits for one.
//!
//! An operation and everything its submission points at live in the ring's table until the
//! kernel says it ended, whatever becomes of the future: dropping an [`Op`] marks it abandoned
//! and asks the kernel to cancel it, and the memory is freed when the completion comes. This is
//! the only place where that is decided, so it is the only place that has to be right.

use super::key::Target;
use super::message::Message;
use super::{Key, Ring, State, displace};
use io_uring::{squeue, types};
use std::ffi::CString;
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What an operation's submission points at or names: memory, and descriptors that are not a
/// socket's. Vectors, because moving one leaves its bytes where
/// they are and asserts nothing about aliases of them.
#[derive(Debug)]
pub(super) enum Payload {
    /// Bytes being sent, and the scatter list when there are two parts.
    Send {
        message: Message,
        vector: Vec<SendVector>,
    },
    /// A buffer being read into, its length the length asked for, and the file read from.
    Read { buffer: Vec<u8>, file: Rc<OwnedFd> },
    /// A path being opened below a directory.
    Open {
        path: CString,
        how: Vec<types::OpenHow>,
        directory: Arc<OwnedFd>,
    },
    /// Nothing: the operation names its socket alone.
    Nothing,
    /// An address being connected to.
    Connect(Vec<socket2::SockAddr>),
    /// Notifications being received.
    Notifications {
        bytes: Vec<u8>,
        socket: Arc<OwnedFd>,
    },
}

/// The scatter list of a two-part send and the header that points at it.
pub(super) struct SendVector {
    pub(super) parts: [libc::iovec; 2],
    pub(super) header: libc::msghdr,
}

impl std::fmt::Debug for SendVector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendVector").finish_non_exhaustive()
    }
}

/// An entry of the ring's table of operations.
#[derive(Debug)]
pub(super) struct Slot {
    generation: u32,
    progress: Progress,
    payload: Payload,
    /// The socket that must not be closed before this ended.
    socket: Option<u32>,
}

#[derive(Debug)]
enum Progress {
    Running(Option<Waker>),
    Abandoned,
    Done(i32),
}

impl State {
    /// Enters an operation into the table and queues what `build` makes of its payload.
    ///
    /// `build` gets the payload at its final place: what it points the submission at must be
    /// memory that the payload owns on the heap, or that outlives the ring.
    pub(super) fn start(
        &mut self,
        socket: Option<u32>,
        payload: Payload,
        build: impl FnOnce(&mut Payload) -> squeue::Entry,
    ) -> Key {
        let generation = self.next_generation();
        let entry = self.ops.vacant_entry();
        let key = Key {
            index: entry.key() as u32,
            generation,
        };
        let progress = Progress::Running(None);
        let slot = entry.insert(Slot {
            generation,
            progress,
            payload,
            socket,
        });
        let submission = build(&mut slot.payload).user_data(Target::Op(key).pack());
        if let Some(socket) = socket {
            self.sockets[socket as usize].ops += 1;
        }
        self.queue.push_back(submission);
        key
    }

    /// The kernel says that operation `key` ended with `result`.
    pub(super) fn complete(&mut self, key: Key, result: i32) {
        let Some(slot) = self.ops.get_mut(key.index as usize) else {
            return;
        };
        if slot.generation != key.generation {
            return;
        }
        let socket = slot.socket.take();
        self.traffic |= !matches!(slot.payload, Payload::Notifications { .. });
        match std::mem::replace(&mut slot.progress, Progress::Done(result)) {
            Progress::Running(waker) => self.woken.extend(waker),
            Progress::Abandoned => {
                let slot = self.ops.remove(key.index as usize);
                if matches!(slot.payload, Payload::Open { .. }) && result >= 0 {
                    self.close(result);
                }
                self.released.push(slot.payload);
            }
            Progress::Done(_) => unreachable!("an operation completes once"),
        }
        if let Some(index) = socket {
            self.sockets[index as usize].ops -= 1;
            self.finish_close(index);
        }
    }
}

/// Waits for an operation: its result as the kernel gave it (negative: `-errno`) and its payload.
#[derive(Debug)]
pub(super) struct Op {
    ring: Ring,
    key: Key,
    finished: bool,
}

impl Op {
    pub(super) fn new(ring: Ring, key: Key) -> Self {
        Self {
            ring,
            key,
            finished: false,
        }
    }
}

impl Future for Op {
    type Output = (i32, Payload);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let index = self.key.index as usize;
        let (outcome, _displaced) =
            self.ring
                .0
                .with(|state| match &mut state.ops[index].progress {
                    Progress::Running(waker) => (Poll::Pending, displace(waker, cx)),
                    Progress::Done(result) => {
                        let result = *result;
                        (Poll::Ready((result, state.ops.remove(index).payload)), None)
                    }
                    Progress::Abandoned => unreachable!("only dropping the future abandons"),
                });
        self.finished = outcome.is_ready();
        outcome
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let index = self.key.index as usize;
        let _released = self.ring.0.with(|state| {
            let slot = &mut state.ops[index];
            match std::mem::replace(&mut slot.progress, Progress::Abandoned) {
                Progress::Done(result) => {
                    let slot = state.ops.remove(index);
                    if matches!(slot.payload, Payload::Open { .. }) && result >= 0 {
                        state.close(result);
                    }
                    (Some(slot), None)
                }
                Progress::Running(waker) => {
                    state.cancel(Target::Op(self.key));
                    (None, waker)
                }
                Progress::Abandoned => unreachable!("a future is dropped once"),
            }
        });
    }
}
