//! Waking a shard from another thread.

use super::Ring;
use super::op::{Op, Payload};
use super::stream::check;
use io_uring::{opcode, types};
use rustix::event::EventfdFlags;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;

/// Wakes the [`Notified`] it was made with, from any thread. Clones wake the same one.
#[derive(Clone, Debug)]
pub struct Notifier(Arc<OwnedFd>);

/// The receiving end, on its shard.
///
/// Notifications are counted by the kernel (eventfd), so none is lost however it races with the
/// shard going to sleep; several may be seen as one.
#[derive(Debug)]
pub struct Notified {
    ring: Ring,
    counter: Arc<OwnedFd>,
    /// The read of the counter. It outlives the future that waits for it: what it has taken from
    /// the counter would be lost with it.
    reading: Option<Op>,
}

impl Notifier {
    /// Makes one wait of the other end return.
    pub fn notify(&self) {
        // The counter overflows only after 2^64 - 2 unseen notifications; an eventfd can fail in
        // no other way, and a full one wakes the other end as well.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

impl Notified {
    /// A pair of ends.
    ///
    /// # Errors
    /// What `eventfd(2)` answers: EMFILE when the process is out of descriptors.
    pub fn new(ring: &Ring) -> io::Result<(Notifier, Self)> {
        let counter = Arc::new(rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?);
        Ok((
            Notifier(Arc::clone(&counter)),
            Self {
                ring: ring.clone(),
                counter,
                reading: None,
            },
        ))
    }

    /// Another notifier for this end.
    pub fn notifier(&self) -> Notifier {
        Notifier(Arc::clone(&self.counter))
    }

    /// Waits until it has been notified since the last time. Dropping the future loses nothing.
    ///
    /// # Errors
    /// None in a correct program; what `read(2)` answers otherwise.
    pub async fn wait(&mut self) -> io::Result<()> {
        let (result, _) = poll_fn(|cx| {
            let reading = self
                .reading
                .get_or_insert_with(|| read(&self.ring, &self.counter));
            Pin::new(reading).poll(cx)
        })
        .await;
        self.reading = None;
        check(result).map(|_| ())
    }
}

/// Starts to read the counter, which ends when it is not zero and makes it zero.
fn read(ring: &Ring, counter: &Arc<OwnedFd>) -> Op {
    let payload = Payload::Counter {
        value: vec![0],
        counter: Arc::clone(counter),
    };
    let key = ring.0.with(|state| {
        state.start(None, payload, |payload| {
            let Payload::Counter { value, counter } = payload else {
                unreachable!("made above")
            };
            let counter = types::Fd(counter.as_raw_fd());
            opcode::Read::new(counter, value.as_mut_ptr().cast(), size_of::<u64>() as u32).build()
        })
    });
    Op::new(ring.clone(), key)
}
