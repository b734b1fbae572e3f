//! A connection's transport on a core: a socket of the core's ring, with a deadline on its wheel.

use super::Door;
use crate::connection::{Clocked, Received, Transport};
use crate::ring::{Deadline, Lease, Message, Stream};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll};
use std::time::Duration;

/// An accepted socket.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    deadline: Deadline,
    door: Door,
}

impl Socket {
    pub(super) fn new(stream: Stream, door: Door) -> Self {
        let deadline = Deadline::new(stream.ring());
        Self {
            stream,
            deadline,
            door,
        }
    }

    /// Which address it was accepted at.
    pub(super) fn door(&self) -> Door {
        self.door
    }
}

impl Clocked for Socket {
    fn now_ns(&self) -> u64 {
        self.stream.ring().now_ns()
    }

    fn clock_ns(&self) -> u64 {
        self.stream.ring().clock_ns()
    }
}

impl Transport for Socket {
    type Received = Lease;

    fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Lease>>> {
        self.stream.poll_receive(cx)
    }

    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_left(cx)
    }

    fn unwatch(&self) {
        self.stream.unwatch();
    }

    fn send(&self, message: Message) -> impl Future<Output = (io::Result<usize>, Message)> {
        self.stream.send(message)
    }

    fn sends_files(&self) -> bool {
        true
    }

    fn try_send(&self, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.stream.try_send(bytes, more)
    }

    fn try_send_file(&self, file: BorrowedFd<'_>, offset: u64, bytes: usize) -> io::Result<usize> {
        self.stream.try_send_file(file, offset, bytes)
    }

    fn writable(&self) -> impl Future<Output = io::Result<()>> {
        self.stream.writable()
    }

    fn interrupt(&self) {
        self.stream.interrupt();
    }

    fn shutdown(&self) -> impl Future<Output = io::Result<()>> {
        self.stream.shutdown(Shutdown::Write)
    }

    fn reset(&self) {
        self.stream.reset_on_close();
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    fn arm(&self, after: Duration) {
        self.deadline.arm(after);
    }

    fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.deadline.poll_passed(cx)
    }
}

impl Received for Lease {
    fn arrived_ns(&self) -> u64 {
        self.arrived_ns()
    }

    fn consume(&mut self, bytes: usize) {
        self.consume(bytes);
    }

    fn settle(&mut self) {
        self.settle();
    }
}
