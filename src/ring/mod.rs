//! Sockets, deadlines and files on an io_uring of our own, one per core, driven by a task inside
//! that core's glommio executor. glommio runs the tasks; this module moves the bytes. It knows
//! nothing of HTTP, and it is the only module with `unsafe`.
//!
//! # The way of a byte
//! A [`Listener`] accepts with a multishot accept and yields a [`Stream`]. A stream receives with
//! a multishot receive into the buffer pool and yields a [`Lease`], which goes back to the pool
//! when it is dropped; a stream that waits holds no buffer. It sends a [`Message`], which the
//! ring owns until the kernel has taken it. Streams to others are made by [`Stream::connect`] and
//! [`Stream::connect_unix`]; with a name and a deadline, by [`net::connect`](crate::net::connect). A [`Deadline`] bounds any wait. A [`Notifier`] wakes
//! the shard from another thread. Nothing of this may leave its thread.
//!
//! # What makes it sound
//! * **The kernel owns what an operation points at.** That memory lives in the ring's table of
//!   operations until the completion is reaped; a future only holds a key. Dropping a future at
//!   any point cancels the operation and frees nothing early.
//! * **A slot is reused only after its last completion.** `user_data` carries a generation
//!   besides, so that a completion that came late would be dropped.
//! * **A descriptor is closed after its operations ended**: cancel first, then close.
//! * **A buffer has one owner**: the kernel, a socket's queue, or a lease.
//! * **No code of others runs while the tables are borrowed**: wakers are run and payloads are
//!   dropped afterwards.
//! * **The memory outlives the ring**: when the last handle goes, everything is cancelled and
//!   waited for; if the kernel does not let go in time, the memory is leaked.
//!
//! # What fails, and how
//! A peer's failure is an `io::Error` of the operation that met it. An empty pool delays the
//! receivers, oldest first, and is no error. Out of descriptors, `accept` says so and stops until
//! it is called again. If `io_uring_enter` itself fails, the driver ends and [`run`] returns.

#![allow(unsafe_code)]

mod alarm;
mod buffers;
mod clock;
mod connect;
mod core;
mod deadline;
mod driver;
mod enter;
mod file;
mod key;
mod late;
mod listener;
mod memory;
mod message;
mod notify;
mod nudge;
mod op;
mod probe;
mod rw;
mod sendfile;
mod setup;
mod socket;
mod stream;
mod tcp_info;
#[cfg(feature = "tokio-io")]
mod tokio_io;
mod vigil;
mod watch;
mod wheel;

#[cfg(test)]
mod tests;

use self::buffers::Pool;
use self::core::{Shared, State};
use self::key::Key;
use crate::limits::RING_BUFFERS;
use std::rc::Rc;
use std::task::{Context, Waker};

pub use self::buffers::Lease;
pub(crate) use self::core::monotonic_ns;
pub(crate) use self::deadline::limit;
pub use self::deadline::{Deadline, Elapsed, Ticks};
pub use self::driver::{PREEMPTION, SHORT_WAIT, run};
pub use self::file::{Access, File, Links, Opening};
pub use self::listener::{Listener, MULTISHOT_CREDIT};
pub use self::memory::Memory;
pub use self::message::Message;
pub use self::notify::{Notified, Notifier};
pub use self::probe::{StartError, probe};
pub use self::stream::Stream;
pub use self::tcp_info::accept_queue;
pub use self::wheel::TICK_NS;

/// A handle to the ring of this core. Clones are the same ring.
#[derive(Clone, Debug)]
pub struct Ring(Rc<Shared>);

/// How a ring is set up and driven.
#[derive(Clone, Copy, Debug)]
pub struct RingOptions {
    /// Most receive buffers of 4 KiB, a power of two up to 32,768. Only those that were needed
    /// at the same time cost memory.
    pub buffers: u16,
    /// Never block: spin on the ring. One core at 100 % for the shortest wake-up.
    pub busy_poll: bool,
}

impl Default for RingOptions {
    fn default() -> Self {
        Self {
            buffers: RING_BUFFERS,
            busy_poll: false,
        }
    }
}

impl Ring {
    fn new(options: RingOptions) -> Result<Self, StartError> {
        Ok(Self(Rc::new(Shared::new(options.buffers)?)))
    }

    /// Whether the kernel had no memory for a ring of the usual size, so that this one is smaller.
    pub(crate) fn is_small(&self) -> bool {
        self.0.is_small()
    }

    /// CLOCK_MONOTONIC when the completions now being handled were reaped, in nanoseconds. Reading
    /// it is free, except in a task that glommio woke while the ring was parked;
    /// [`Ring::clock_ns`] always asks the clock.
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    /// CLOCK_MONOTONIC now, in nanoseconds; up to 10 ns for each ms of the turn off.
    pub fn clock_ns(&self) -> u64 {
        self.0.clock.now_ns()
    }

    /// Has `observer` told of each turn for how many nanoseconds what completed before it may have waited to be noticed:
    /// for as long as tasks ran, and as the ring woke later than it was to; or for longer, if what it found has
    /// told so. Only the first observer is.
    pub fn observe_turns(&self, observer: impl Fn(u64) + 'static) {
        self.0.observe_turns(Box::new(observer));
    }

    /// Nanoseconds that the driver was asleep since the ring was made, in which its thread used no CPU.
    pub fn waited_ns(&self) -> u64 {
        self.0.waited_ns()
    }

    /// Nanoseconds in which there was nothing to do since the ring was made: the driver was asleep or, where it polls
    /// busily, span and found nothing. The rest it was busy.
    pub fn idle_ns(&self) -> u64 {
        self.0.idle_ns()
    }

    /// Receive buffers that hold bytes nobody has taken, or that a [`Lease`] holds.
    pub fn buffers_held(&self) -> usize {
        self.0.pool.held().into()
    }

    /// Bytes of memory behind the receive buffers in use so far.
    pub fn buffer_bytes(&self) -> usize {
        self.0.pool.bytes()
    }
}

/// Puts the waker of `cx` in `place`; hands back the one it displaces, to be dropped when nothing
/// is borrowed.
fn displace(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => place.replace(cx.waker().clone()),
    }
}
