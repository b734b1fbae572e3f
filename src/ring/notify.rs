//! Waking a shard from another thread.
//!
//! The two ends are joined by a pair of sockets. An eventfd would not do: the kernel does not
//! signal one eventfd, the bell of a parked ring, from inside of a signal to another. It puts that
//! off for an RCU grace period, and Linux 6.18 was seen to do so only once and never again.

use super::Ring;
use super::op::{Op, Payload};
use super::stream::check;
use io_uring::{opcode, types};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;

/// Most notifications that one wait takes; more make the next one return at once.
const NOTIFICATIONS: usize = 64;

/// Wakes the [`Notified`] it was made with, from any thread. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<OwnedFd>);

/// The receiving end, on its shard.
///
/// Notifications are queued by the kernel, so none is lost however it races with the shard going
/// to sleep; several may be seen as one.
#[derive(Debug)]
pub struct Notified {
    ring: Ring,
    socket: Arc<OwnedFd>,
    notifier: Notifier,
    /// The receive of notifications. It outlives the future that waits for it: what it has taken
    /// from the socket would be lost with it.
    receiving: Option<Op>,
}

impl Notifier {
    /// Makes one wait of the other end return. Never blocks.
    pub fn notify(&self) {
        // Fails when as many wait as the socket holds, which wake the other end as well, and when
        // the other end is gone.
        let _ = rustix::net::send(&self.0, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}

impl Notified {
    /// A pair of ends.
    ///
    /// # Errors
    /// What `socketpair(2)` answers: EMFILE when the process is out of descriptors.
    pub fn new(ring: &Ring) -> io::Result<(Notifier, Self)> {
        let (sender, receiver) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let notifier = Notifier(Arc::new(sender));
        Ok((
            notifier.clone(),
            Self {
                ring: ring.clone(),
                socket: Arc::new(receiver),
                notifier,
                receiving: None,
            },
        ))
    }

    /// Another notifier for this end.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Waits until it has been notified since the last time. Dropping the future loses nothing.
    ///
    /// # Errors
    /// None in a correct program; what `recv(2)` answers otherwise.
    pub async fn wait(&mut self) -> io::Result<()> {
        let (result, _) = poll_fn(|cx| {
            let receiving = self
                .receiving
                .get_or_insert_with(|| receive(&self.ring, &self.socket));
            Pin::new(receiving).poll(cx)
        })
        .await;
        self.receiving = None;
        check(result).map(|_| ())
    }
}

/// Starts to receive notifications, which ends when there is one.
fn receive(ring: &Ring, socket: &Arc<OwnedFd>) -> Op {
    let payload = Payload::Notifications {
        bytes: vec![0; NOTIFICATIONS],
        socket: Arc::clone(socket),
    };
    let key = ring.0.with(|state| {
        state.start(None, payload, |payload| {
            let Payload::Notifications { bytes, socket } = payload else {
                unreachable!("made above")
            };
            let socket = types::Fd(socket.as_raw_fd());
            opcode::Recv::new(socket, bytes.as_mut_ptr(), bytes.len() as u32).build()
        })
    });
    Op::new(ring.clone(), key)
}
