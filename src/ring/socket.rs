//! A connected socket's entry in the ring: its receive queue, its end, and its orderly close.
//!
//! The kernel receives ahead of the reader (multishot receive) into pool buffers. What it may
//! receive ahead is bounded by [`QUEUE_CHUNKS`]: at the bound the receive is cancelled, and it is
//! armed again once the reader has taken everything. A socket is closed when its owner let go of
//! it *and* its last operation ended, in that order, so that no operation can meet a reused
//! file descriptor.

use super::buffers::{Chunk, ChunkBytes, GROUP};
use super::key::Target;
use super::watch::{HANG_UP, Watch};
use super::{Key, Pool, State, displace};
use crate::limits::QUEUED_CLOSES;
use io_uring::{opcode, squeue, types};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll, Waker};

/// Received chunks that may wait for their reader before the receive is stopped. Before it sees
/// that, the kernel may deliver what one turn holds more: rounds of 33 (its own bound for a
/// multishot receive), three of them on Linux 6.18, as far as the socket's buffer has bytes.
pub(super) const QUEUE_CHUNKS: usize = 8;

/// An entry of the ring's table of sockets. It is most of what the ring keeps for a connection that
/// waits, so what is rare in it is boxed.
#[derive(Debug)]
pub(super) struct Socket {
    generation: u32,
    fd: OwnedFd,
    /// Operations in flight that name the socket, the receive not counted.
    pub(super) ops: u32,
    receive: Receive,
    /// Its owner let go of it: nothing is delivered any more.
    closing: bool,
    /// A send was given up half way: what follows could not be understood by the peer.
    pub(super) broken: bool,
}

const _: () = assert!(size_of::<Socket>() <= 80);

#[derive(Debug, Default)]
struct Receive {
    armed: bool,
    cancelling: bool,
    /// It found the pool empty and stands in the queue for a buffer.
    starved: bool,
    /// The reader is to be told, once, when it next finds nothing.
    interrupted: bool,
    /// What comes next may have waited for the ring: for an accept, or for a buffer.
    waited: bool,
    /// The oldest chunk; apart from the others so that the common case needs no allocation.
    first: Option<Chunk>,
    rare: Option<Box<Rare>>,
    end: Option<End>,
    waker: Option<Waker>,
}

/// What most sockets never have.
#[derive(Debug, Default)]
struct Rare {
    /// The chunks behind the first.
    rest: VecDeque<Chunk>,
    watch: Watch,
}

impl Rare {
    fn is_needed(&self) -> bool {
        !self.rest.is_empty() || self.watch.is_needed()
    }
}

/// What a completion of a receive says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    pub(super) result: i32,
    pub(super) buffer: Option<u16>,
    /// The receive goes on.
    pub(super) more: bool,
    pub(super) now_ns: u64,
}

/// How a stream of bytes ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Closed,
    Failed(i32),
}

impl End {
    fn outcome(self) -> io::Result<()> {
        match self {
            End::Closed => Ok(()),
            End::Failed(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Socket {
    pub(super) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Chunks that wait for the reader.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.receive.queued()
    }

    /// Whether it has memory for what most do without.
    #[cfg(test)]
    pub(super) fn has_rare(&self) -> bool {
        self.receive.rare.is_some()
    }

    /// Whether the kernel may deliver to it.
    pub(super) fn is_receiving(&self) -> bool {
        self.receive.armed
    }
}

impl Receive {
    fn queued(&self) -> usize {
        let rest = self.rare.as_ref().map_or(0, |rare| rare.rest.len());
        usize::from(self.first.is_some()) + rest
    }

    fn push(&mut self, chunk: Chunk) {
        if self.first.is_none() {
            self.first = Some(chunk);
        } else {
            self.rare.get_or_insert_default().rest.push_back(chunk);
        }
    }

    fn pop(&mut self) -> Option<Chunk> {
        let chunk = self.first.take()?;
        if let Some(rare) = &mut self.rare {
            self.first = rare.rest.pop_front();
            self.tidy();
        }
        Some(chunk)
    }

    /// Frees what is no longer needed.
    fn tidy(&mut self) {
        if self.rare.as_ref().is_some_and(|rare| !rare.is_needed()) {
            self.rare = None;
        }
    }

    fn has_watcher(&self) -> bool {
        let rare = self.rare.as_ref();
        rare.is_some_and(|rare| rare.watch.waker.is_some())
    }

    /// Whether nothing that was asked of the kernel would tell of bytes, or of the end.
    fn is_deaf(&self) -> bool {
        !self.armed && !self.starved && self.end.is_none()
    }
}

impl State {
    /// Enters a connected socket; nothing is received before the first [`State::poll_receive`]. If it `waited`, what
    /// comes first may have been there for long.
    pub(super) fn adopt(&mut self, fd: OwnedFd, waited: bool) -> Key {
        let generation = self.next_generation();
        let socket = Socket {
            generation,
            fd,
            ops: 0,
            receive: Receive {
                waited,
                ..Receive::default()
            },
            closing: false,
            broken: false,
        };
        Key {
            index: self.sockets.insert(socket) as u32,
            generation,
        }
    }

    /// Takes the oldest received chunk, `None` at the end of the stream, or waits for one. The
    /// waker that this displaces comes back to be dropped outside.
    pub(super) fn poll_receive(
        &mut self,
        key: Key,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<Option<Chunk>>>, Option<Waker>) {
        let receive = &mut self.sockets[key.index as usize].receive;
        if let Some(chunk) = receive.pop() {
            return (Poll::Ready(Ok(Some(chunk))), None);
        }
        if let Some(end) = receive.end {
            return (Poll::Ready(end.outcome().map(|()| None)), None);
        }
        if std::mem::take(&mut receive.interrupted) {
            return (Poll::Ready(Err(io::ErrorKind::Interrupted.into())), None);
        }
        let displaced = displace(&mut receive.waker, cx);
        if receive.is_deaf() {
            self.arm(key);
        }
        (Poll::Pending, displaced)
    }

    /// Ready once the peer has closed its side, or the connection failed, whatever of what it sent
    /// before that has still to be taken. The waker that this displaces comes back.
    pub(super) fn poll_left(
        &mut self,
        key: Key,
        cx: &mut Context<'_>,
    ) -> (Poll<io::Result<()>>, Option<Waker>) {
        let receive = &mut self.sockets[key.index as usize].receive;
        let left = receive.rare.as_ref().and_then(|rare| rare.watch.left);
        if let Some(end) = receive.end.or(left) {
            return (Poll::Ready(end.outcome()), None);
        }
        let rare = receive.rare.get_or_insert_default();
        let displaced = displace(&mut rare.watch.waker, cx);
        self.keep_watching(key);
        (Poll::Pending, displaced)
    }

    /// Nobody waits in [`State::poll_left`] any more.
    pub(super) fn unwatch(&mut self, key: Key) -> Option<Waker> {
        let receive = &mut self.sockets[key.index as usize].receive;
        let waker = receive.rare.as_mut()?.watch.waker.take();
        receive.tidy();
        waker
    }

    /// Makes sure that the kernel tells of the end of a socket that is watched. The receive does;
    /// where bytes have to be taken before that may go on, a poll is queued in its place.
    fn keep_watching(&mut self, key: Key) {
        let receive = &mut self.sockets[key.index as usize].receive;
        if !receive.is_deaf() || !receive.has_watcher() {
            return;
        }
        if receive.first.is_none() {
            return self.arm(key);
        }
        if let Some(rare) = &mut receive.rare
            && !std::mem::replace(&mut rare.watch.is_polling, true)
        {
            let socket = &mut self.sockets[key.index as usize];
            socket.ops += 1;
            let submission = opcode::PollAdd::new(types::Fd(socket.fd()), HANG_UP).build();
            self.queue
                .push_back(submission.user_data(Target::HangUp(key).pack()));
        }
    }

    /// The poll of a socket that was watched says `result`: what it saw, or why it ended.
    pub(super) fn hung_up(&mut self, key: Key, result: i32) {
        let live = self.sockets.get_mut(key.index as usize);
        let Some(socket) = live.filter(|socket| socket.generation == key.generation) else {
            return;
        };
        socket.ops -= 1;
        if let Some(rare) = &mut socket.receive.rare {
            rare.watch.is_polling = false;
            rare.watch.left = Watch::seen(result);
            if rare.watch.left.is_some() {
                self.woken.extend(rare.watch.waker.take());
            }
        }
        self.finish_close(key.index);
    }

    /// Whether bytes or the end of the stream wait to be taken.
    pub(super) fn has_received(&self, key: Key) -> bool {
        let receive = &self.sockets[key.index as usize].receive;
        receive.first.is_some() || receive.end.is_some()
    }

    /// Ends the wait of the socket's reader, or its next one.
    pub(super) fn interrupt(&mut self, key: Key) -> Option<Waker> {
        let receive = &mut self.sockets[key.index as usize].receive;
        receive.interrupted = true;
        let waker = receive.waker.take();
        // Who waits for the end alone is to look round, too, and is still told of it.
        waker.or_else(|| receive.rare.as_ref()?.watch.waker.clone())
    }

    /// A completion of the socket's receive.
    pub(super) fn received(&mut self, key: Key, received: Received, pool: &Pool) {
        let Received {
            result,
            buffer,
            more,
            now_ns,
        } = received;
        if buffer.is_some() {
            pool.take();
        }
        let live = self.sockets.get_mut(key.index as usize);
        let Some(socket) = live.filter(|socket| socket.generation == key.generation) else {
            buffer.into_iter().for_each(|id| pool.recycle(id));
            return;
        };
        let receive = &mut socket.receive;
        receive.armed = more;
        receive.cancelling &= more;
        let filled = (result > 0 && !socket.closing).then_some(buffer).flatten();
        if filled.is_none() {
            buffer.into_iter().for_each(|id| pool.recycle(id));
        }
        match (result, filled) {
            (1.., None) => {}
            (1.., Some(id)) => {
                let waited = std::mem::take(&mut receive.waited);
                let arrived_ns = if waited || self.late.is_asking() {
                    self.late.came_ns(socket.fd.as_raw_fd(), waited)
                } else {
                    now_ns
                };
                let len = result as u32;
                let bytes = if pool.is_scarce() {
                    let copy = ChunkBytes::copied(pool.bytes_of(id, len));
                    pool.recycle(id);
                    copy
                } else {
                    ChunkBytes::Pooled { id, len }
                };
                receive.push(Chunk { bytes, arrived_ns });
                if more && !receive.cancelling && receive.queued() >= QUEUE_CHUNKS {
                    receive.cancelling = true;
                    self.cancel(Target::Receive(key));
                }
            }
            (0, _) => receive.end = Some(End::Closed),
            (..0, _) => match -result {
                libc::ENOBUFS => {
                    // With bytes waiting for its reader it must not go on: that would copy what
                    // the peer sends to the heap for ever. Its reader arms it again.
                    let starved = !pool.grow() && receive.first.is_none() && !socket.closing;
                    receive.starved = starved;
                    if starved {
                        receive.waited = true;
                        self.starved.push_back(key);
                    }
                }
                // Our own cancellation, or the kernel ending a multishot that could not go on.
                libc::ECANCELED | libc::EAGAIN | libc::EINTR => {}
                errno => receive.end = Some(End::Failed(errno)),
            },
        }
        let receive = &mut self.sockets[key.index as usize].receive;
        if receive.end.is_some()
            && let Some(rare) = &mut receive.rare
        {
            self.woken.extend(rare.watch.waker.take());
        }
        if receive.first.is_some() || receive.end.is_some() {
            self.woken.extend(receive.waker.take());
        } else if receive.waker.is_some() && receive.is_deaf() {
            self.arm(key);
        }
        self.keep_watching(key);
        self.finish_close(key.index);
    }

    /// Arms the receives that found the pool empty, as far as buffers came back.
    pub(super) fn feed_starved(&mut self, pool: &Pool) {
        for _ in 0..self.starved.len().min(pool.free().into()) {
            let Some(key) = self.starved.pop_front() else {
                return;
            };
            let live = self.sockets.get_mut(key.index as usize);
            let live = live.filter(|socket| socket.generation == key.generation);
            if let Some(socket) = live.filter(|socket| !socket.closing) {
                socket.receive.starved = false;
                self.arm(key);
            }
        }
    }

    /// The owner lets go of the socket: what it waits for is cancelled, what it did not read is
    /// given back, and it is closed as soon as its operations have ended. Its wakers come back.
    pub(super) fn abandon(&mut self, key: Key, pool: &Pool) -> [Option<Waker>; 2] {
        let socket = &mut self.sockets[key.index as usize];
        socket.closing = true;
        let receive = &mut socket.receive;
        while let Some(chunk) = receive.pop() {
            if let ChunkBytes::Pooled { id, .. } = chunk.bytes {
                pool.recycle(id);
            }
        }
        let waker = receive.waker.take();
        let watch = receive.rare.take().map(|rare| rare.watch);
        let watch = watch.unwrap_or_default();
        if receive.armed && !receive.cancelling {
            receive.cancelling = true;
            self.cancel(Target::Receive(key));
        }
        if watch.is_polling {
            self.cancel(Target::HangUp(key));
        }
        self.finish_close(key.index);
        [waker, watch.waker]
    }

    /// Closes the socket if its owner let go of it and nothing of it is in flight.
    pub(super) fn finish_close(&mut self, index: u32) {
        let socket = &self.sockets[index as usize];
        if socket.closing && socket.ops == 0 && !socket.receive.armed {
            let socket = self.sockets.remove(index as usize);
            self.close(socket.fd.into_raw_fd());
        }
    }

    /// Queues the close of a descriptor that nothing refers to any more.
    pub(super) fn close(&mut self, fd: RawFd) {
        let submission = opcode::Close::new(types::Fd(fd)).build();
        self.queue
            .push_back(submission.flags(squeue::Flags::SKIP_SUCCESS));
    }

    /// Queues the close of a file that nothing refers to any more, or hands it back to be closed at once:
    /// what a task opens and drops without waiting would pile up until the ring turns.
    pub(super) fn close_file(&mut self, fd: OwnedFd) -> Option<OwnedFd> {
        if self.queued_closes == QUEUED_CLOSES {
            return Some(fd);
        }
        self.queued_closes += 1;
        self.close(fd.into_raw_fd());
        None
    }

    /// Queues the closes that take long, which worker threads of the kernel do.
    pub(super) fn close_apart(&mut self) {
        let flags = squeue::Flags::ASYNC | squeue::Flags::SKIP_SUCCESS;
        for fd in self.apart.drain(..) {
            let submission = opcode::Close::new(types::Fd(fd.into_raw_fd())).build();
            self.queue.push_back(submission.flags(flags));
        }
    }

    fn arm(&mut self, key: Key) {
        let socket = &mut self.sockets[key.index as usize];
        socket.receive.armed = true;
        let submission = opcode::RecvMulti::new(types::Fd(socket.fd()), GROUP).build();
        self.queue
            .push_back(submission.user_data(Target::Receive(key).pack()));
    }
}
