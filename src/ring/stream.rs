//! A connected TCP socket: received as leases, sent as messages that the ring owns meanwhile.

use super::buffers::Lease;
use super::message::Message;
use super::op::{Op, Payload, SendVector};
use super::{Key, Ring};
use io_uring::{opcode, squeue, types};
use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

/// A connected stream socket on a ring.
///
/// Dropping it at any point is sound: operations in flight are cancelled, their memory stays with
/// the ring until they ended, and the socket is closed after that. Bytes of a message that was
/// not sent to its end are lost, and the peer sees the connection end.
///
/// One task may receive while another sends. Of two that wait to receive, the later alone is
/// woken; two sends at the same time may mix their bytes.
#[derive(Debug)]
pub struct Stream {
    pub(super) ring: Ring,
    pub(super) key: Key,
    pub(super) adapter: super::rw::Adapter,
}

impl Stream {
    /// Takes over a connected stream socket, and puts it in blocking mode: the ring waits for it,
    /// where the kernel would answer EAGAIN.
    pub fn new(ring: &Ring, socket: OwnedFd) -> Self {
        // Fails for nothing that is a socket.
        let _ = rustix::io::ioctl_fionbio(&socket, false);
        Self::adopt(ring, socket, false)
    }

    /// Takes over a socket that is in blocking mode. One that `waited` may have received bytes long ago.
    pub(super) fn adopt(ring: &Ring, socket: OwnedFd, waited: bool) -> Self {
        let key = ring.0.with(|state| state.adopt(socket, waited));
        Self {
            ring: ring.clone(),
            key,
            adapter: Default::default(),
        }
    }

    /// The next bytes from the peer; `None` when it has sent everything and closed its side.
    ///
    /// # Errors
    /// What `recv(2)` answers, ECONNRESET above all; `Interrupted` after [`Stream::interrupt`].
    /// Bytes that came before it are returned first.
    pub async fn receive(&self) -> io::Result<Option<Lease>> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// [`Stream::receive`] for hand-written futures.
    pub fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Lease>>> {
        // What `AsyncBufRead` has shown and nobody consumed comes first.
        if let Some(lease) = self.adapter.take_reading() {
            return Poll::Ready(Ok(Some(lease)));
        }
        let (outcome, _displaced) = self.ring.0.with(|state| state.poll_receive(self.key, cx));
        outcome.map_ok(|chunk| chunk.map(|chunk| Lease::new(self.ring.0.clone(), chunk)))
    }

    /// Ready once the peer has closed its side, though bytes of it may have still to be received.
    /// Whoever waits here is woken for nothing else, and may be another task than who receives; of
    /// two that wait here, the later alone is woken.
    ///
    /// # Errors
    /// The connection failed: ECONNRESET above all.
    pub fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (outcome, _displaced) = self.ring.0.with(|state| state.poll_left(self.key, cx));
        outcome
    }

    /// Forgets who waits in [`Stream::poll_left`], if anybody does.
    pub fn unwatch(&self) {
        let _forgotten = self.ring.0.with(|state| state.unwatch(self.key));
    }

    /// Ends a wait in [`Stream::receive`] with `Interrupted`, or the next one if none waits now:
    /// the connection has another reason to act. Then whoever waits in [`Stream::poll_left`] is woken to
    /// look round, and waits on.
    pub fn interrupt(&self) {
        if let Some(waker) = self.ring.0.with(|state| state.interrupt(self.key)) {
            waker.wake();
        }
    }

    /// Whether [`Stream::receive`] would return at once.
    pub fn has_received(&self) -> bool {
        self.adapter.is_reading() || self.ring.0.with(|state| state.has_received(self.key))
    }

    /// Sends what it can of `message` and returns it with the number of bytes the kernel took:
    /// at least one unless nothing was left to send. [`Message::remaining`] tells when to go on.
    ///
    /// Dropping the future before it is ready leaves the peer with an unknown part of the
    /// message, so nothing more can be sent after that.
    ///
    /// # Errors
    /// What `send(2)` answers; `BrokenPipe` after an earlier send was dropped.
    pub async fn send(&self, message: Message) -> (io::Result<usize>, Message) {
        // What `AsyncWrite` took goes first: two sends in flight may overtake each other.
        if let Err(error) = poll_fn(|cx| self.poll_written(cx)).await {
            return (Err(error), message);
        }
        if self.is_broken() {
            return (Err(io::ErrorKind::BrokenPipe.into()), message);
        }
        if message.remaining() == 0 {
            return (Ok(0), message);
        }
        let sending = Sending {
            stream: self,
            finished: false,
        };
        let (result, payload) = sending.stream.start_send(message).await;
        sending.finish();
        sent(result, payload)
    }

    /// Sends the whole of `message`.
    ///
    /// # Errors
    /// As [`Stream::send`]. How much was sent is then unknown to the peer's reader too.
    pub async fn send_all(&self, mut message: Message) -> io::Result<()> {
        while message.remaining() > 0 {
            let (outcome, rest) = self.send(message).await;
            outcome?;
            message = rest;
        }
        Ok(())
    }

    /// Closes one or both directions; the peer reads to the end of what was sent.
    ///
    /// # Errors
    /// What `shutdown(2)` answers: ENOTCONN when the connection is gone.
    pub async fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Read {
            poll_fn(|cx| self.poll_written(cx)).await?;
        }
        self.shutdown_now(how)
    }

    /// Shuts down by the system call, which for a socket never blocks: on the ring the kernel
    /// would start a worker thread for it.
    pub(super) fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        self.with_fd(|fd| socket2::SockRef::from(&fd).shutdown(how))
    }

    /// Lets the connection end in a reset when the stream is dropped, whatever was not sent or not
    /// read by then: the peer learns that it does not have everything.
    pub fn reset_on_close(&self) {
        // Fails for nothing that is a connected socket; then it ends as it would have.
        let _ = self.with_fd(|fd| socket2::SockRef::from(&fd).set_linger(Some(Duration::ZERO)));
    }

    /// Whether a send was given up half way.
    pub(super) fn is_broken(&self) -> bool {
        self.ring
            .0
            .with(|state| state.sockets[self.key.index as usize].broken)
    }

    /// Notes that a send was given up half way.
    pub(super) fn mark_broken(&self) {
        self.ring
            .0
            .with(|state| state.sockets[self.key.index as usize].broken = true);
    }

    /// The ring that it is on.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The peer's address.
    ///
    /// # Errors
    /// What `getpeername(2)` answers: ENOTCONN when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with_fd(|fd| socket2::SockRef::from(&fd).peer_addr())?
            .as_socket()
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// The address the peer connected to.
    ///
    /// # Errors
    /// What `getsockname(2)` answers.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.with_fd(|fd| socket2::SockRef::from(&fd).local_addr())?
            .as_socket()
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    pub(super) fn start_send(&self, message: Message) -> Op {
        self.operate(
            Payload::Send {
                message,
                vector: Vec::new(),
            },
            |fd, payload| {
                let Payload::Send { message, vector } = payload else {
                    unreachable!("made above")
                };
                submission_for(fd, message, vector)
            },
        )
    }

    pub(super) fn operate(
        &self,
        payload: Payload,
        build: impl FnOnce(types::Fd, &mut Payload) -> squeue::Entry,
    ) -> Op {
        let index = self.key.index;
        let key = self.ring.0.with(|state| {
            let fd = types::Fd(state.sockets[index as usize].fd());
            state.start(Some(index), payload, |payload| build(fd, payload))
        });
        Op::new(self.ring.clone(), key)
    }

    pub(super) fn with_fd<R>(&self, ask: impl FnOnce(BorrowedFd<'_>) -> R) -> R {
        self.ring.0.with(|state| {
            // SAFETY: the entry keeps the descriptor open, and is not freed during the borrow.
            ask(unsafe { BorrowedFd::borrow_raw(state.sockets[self.key.index as usize].fd()) })
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let Ring(shared) = &self.ring;
        let _displaced = shared.with(|state| state.abandon(self.key, &shared.pool));
    }
}

/// Marks the stream as broken if a send is dropped before it ended.
struct Sending<'a> {
    stream: &'a Stream,
    finished: bool,
}

impl Sending<'_> {
    fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.stream.mark_broken();
        }
    }
}

/// What a finished send says: the bytes taken, and the message advanced by them.
pub(super) fn sent(result: i32, payload: Payload) -> (io::Result<usize>, Message) {
    let Payload::Send { mut message, .. } = payload else {
        unreachable!("a send's payload")
    };
    let outcome = match check(result) {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        outcome => outcome,
    };
    if let Ok(bytes) = outcome {
        message.advance(bytes);
    }
    (outcome, message)
}

/// A kernel result as `io::Result`.
pub(super) fn check(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// The submission that sends what is left of `message`, with a scatter list when there are two
/// parts left.
fn submission_for(fd: types::Fd, message: &Message, vector: &mut Vec<SendVector>) -> squeue::Entry {
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let (head, body) = message.parts();
    let single = |bytes: &[u8]| {
        let len = u32::try_from(bytes.len()).unwrap_or(i32::MAX as u32);
        opcode::Send::new(fd, bytes.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL)
            .build()
    };
    if body.is_empty() {
        return single(head);
    }
    if head.is_empty() {
        return single(body);
    }
    vector.push(SendVector {
        parts: [part(head), part(body)],
        // SAFETY: all-zero is a valid `msghdr`: no name, no control data, null pointers.
        header: unsafe { std::mem::zeroed() },
    });
    let list = &mut vector[0];
    list.header.msg_iov = list.parts.as_mut_ptr();
    list.header.msg_iovlen = list.parts.len();
    opcode::SendMsg::new(fd, &list.header)
        .flags(libc::MSG_NOSIGNAL as u32)
        .build()
}
