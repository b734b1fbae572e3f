//! The ring itself: its tables, and the turn that submits, waits and reaps.

use super::alarm::Alarm;
use super::buffers::{ChunkBytes, GROUP, Pool};
use super::clock::Clock;
use super::enter::{Wait, enter};
use super::key::{GENERATION_MASK, Key, Target};
use super::late::{Late, overslept_ns};
use super::listener::Accepting;
use super::op::{Payload, Slot};
use super::probe::StartError;
use super::setup::{self, Size};
use super::socket::{Received, Socket};
use super::wheel::Wheel;
use crate::limits::{RESERVED_CONNECTIONS, RING_ENTRIES};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};
use std::task::{Context, Waker};
use std::time::Duration;

/// How long dropping a ring waits for the kernel to let go of its memory, before leaking it.
const TEARDOWN_ROUNDS: usize = 100;

/// What a turn brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Tasks were woken.
    pub(super) woke: bool,
    /// Something of a socket or a file completed.
    pub(super) traffic: bool,
}

/// A ring and everything in flight on it; shared by the handles of one core.
#[derive(Debug)]
pub(super) struct Shared {
    core: RefCell<Core>,
    pub(super) pool: Pool,
    size: Size,
    /// Looked at after each reap.
    pub(super) clock: Clock,
    waited: Cell<u64>,
    /// For how long it span and found nothing.
    spun: Cell<u64>,
    /// By how much a park that is over lasted longer than it was to.
    overslept: Cell<u64>,
    /// Told of each turn for how long what it found may have waited, in nanoseconds.
    observer: OnceCell<Observer>,
    stopped: Cell<bool>,
    parked: Cell<bool>,
    kicked: Cell<bool>,
    driver: RefCell<Option<Waker>>,
    /// How often the driver parked, for peers on other threads.
    #[cfg(test)]
    pub(super) parks: std::sync::Arc<std::sync::atomic::AtomicU64>,
    /// How often it stepped aside.
    #[cfg(test)]
    pub(super) asides: std::sync::atomic::AtomicU64,
}

/// Whoever is told of turns.
struct Observer(Box<dyn Fn(u64)>);

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

struct Core {
    ring: ManuallyDrop<IoUring>,
    state: State,
    /// Signalled by the kernel while the driver is parked.
    bell: OwnedFd,
}

/// The tables of a ring. Nothing in here calls out: wakers and payloads that a change sets free
/// are collected, and run or dropped after the borrow has ended.
#[derive(Debug)]
pub(super) struct State {
    pub(super) queue: VecDeque<squeue::Entry>,
    /// Closes of files in `queue`, but for what a turn had no room for.
    pub(super) queued_closes: usize,
    /// To be closed by worker threads of the kernel from the next turn on. If there is none, they are closed with
    /// the ring: what is queued would be cancelled, and stay open.
    pub(super) apart: Vec<OwnedFd>,
    pub(super) ops: Slab<Slot>,
    pub(super) sockets: Slab<Socket>,
    pub(super) listeners: Slab<Accepting>,
    pub(super) wheel: Wheel<Waker>,
    /// Sockets whose receive found the pool empty, oldest first.
    pub(super) starved: VecDeque<Key>,
    pub(super) woken: Vec<Waker>,
    pub(super) released: Vec<Payload>,
    /// Whether a completion since the last turn was more than a wake-up call.
    pub(super) traffic: bool,
    pub(super) alarm: Alarm,
    pub(super) late: Late,
    generation: u32,
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Sets up a ring for the calling thread, which alone may use it.
    pub(super) fn new(buffers: u16) -> Result<Self, StartError> {
        let (ring, size) = setup::set_up().map_err(StartError::Setup)?;
        let pool = Pool::new(buffers).map_err(StartError::Memory)?;
        // SAFETY: the pool's mapping holds `capacity` entries at that page-aligned address, and
        // it is unmapped only after the ring is closed.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(pool.ring_address(), pool.capacity(), GROUP, 0)
                .map_err(StartError::Buffers)?;
        }
        let bell = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC)
            .map_err(|errno| StartError::Memory(errno.into()))?;
        ring.submitter()
            .register_eventfd(bell.as_raw_fd())
            .map_err(StartError::Setup)?;
        let mut core = Core {
            ring: ManuallyDrop::new(ring),
            state: State::new(),
            bell,
        };
        core.ring.completion().disable_eventfd();
        Ok(Self {
            core: RefCell::new(core),
            pool,
            size,
            clock: Clock::new(),
            waited: Cell::new(0),
            spun: Cell::new(0),
            overslept: Cell::new(0),
            observer: OnceCell::new(),
            stopped: Cell::new(false),
            parked: Cell::new(false),
            kicked: Cell::new(false),
            driver: RefCell::new(None),
            #[cfg(test)]
            parks: Default::default(),
            #[cfg(test)]
            asides: Default::default(),
        })
    }

    /// Runs `change` on the tables. If it queued something while the driver is parked, the
    /// driver is woken to submit it.
    pub(super) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut core = self.core.borrow_mut();
        let result = change(&mut core.state);
        let queued = !core.state.queue.is_empty() || !core.state.apart.is_empty();
        drop(core);
        if queued {
            self.kick_if_parked();
        }
        result
    }

    /// Gives the buffer of a chunk back.
    pub(super) fn release(&self, bytes: &ChunkBytes) {
        if let ChunkBytes::Pooled { id, .. } = bytes {
            self.pool.recycle(*id);
            self.kick_if_parked();
        }
    }

    /// One turn: submits what is queued, waits if asked to, reaps everything, wakes its waiters
    /// and those whose deadline has passed.
    pub(super) fn turn(&self, wait: Wait) -> io::Result<Turn> {
        let mut core = self.core.borrow_mut();
        let Core { ring, state, .. } = &mut *core;
        state.feed_starved(&self.pool);
        let blocking = matches!(wait, Wait::AtMost(_)).then(monotonic_ns);
        state.close_apart();
        enter(ring, &mut state.queue, wait)?;
        state.queued_closes = 0;
        let before = self.clock.looked_ns();
        let now = self.clock.look();
        state.late.reap(now);
        for completion in ring.completion() {
            state.dispatch(&completion, &self.pool, now);
        }
        let longest = state.late.settle(|| ring.submission().taskrun());
        let waited = blocking.map_or(0, |since| now - since);
        self.add_waited(waited);
        let overslept = match (wait, blocking) {
            (Wait::AtMost(limit), Some(since)) => {
                overslept_ns(since + limit.as_nanos() as u64, now)
            }
            _ => self.overslept.take(),
        };
        state.wheel.advance(now, &mut state.woken);
        let turn = Turn {
            // Dropping what was sent may run code that wakes tasks.
            woke: !state.woken.is_empty() || !state.released.is_empty(),
            traffic: std::mem::take(&mut state.traffic),
        };
        if matches!(wait, Wait::Spin) && !turn.woke && !turn.traffic {
            self.spun.set(self.spun.get() + (now - before));
        }
        let mut woken = std::mem::take(&mut state.woken);
        let released = std::mem::take(&mut state.released);
        drop(core);
        if let Some(Observer(observer)) = self.observer.get() {
            let ran = (now - before).saturating_sub(waited);
            observer((ran + overslept).max(longest));
        }
        woken.drain(..).for_each(Waker::wake);
        drop(released);
        // The vector goes back for the next turn, so that waking allocates nothing.
        self.core.borrow_mut().state.woken = woken;
        Ok(turn)
    }

    /// CLOCK_MONOTONIC at the last reap, in nanoseconds. A parked driver reaps nothing, so for a
    /// task that glommio woke meanwhile the clock is read.
    pub(super) fn now_ns(&self) -> u64 {
        if self.parked.get() {
            self.clock.look();
        }
        self.clock.looked_ns()
    }

    /// Has `observer` told of each turn for how many nanoseconds what it found may have waited; once.
    pub(super) fn observe_turns(&self, observer: Box<dyn Fn(u64)>) {
        let _ = self.observer.set(Observer(observer));
    }

    /// Counts nanoseconds that the driver was parked or blocked.
    fn add_waited(&self, ns: u64) {
        self.waited.set(self.waited.get() + ns);
    }

    /// The driver was parked since `since_ns`, and is no more. Tasks that run from here on hold the core.
    pub(super) fn parked_since(&self, since_ns: u64) {
        let now_ns = self.clock.look();
        self.add_waited(now_ns - since_ns);
        let due_ns = self.core.borrow().state.alarm.due_ns();
        self.overslept
            .set(due_ns.map_or(0, |due_ns| overslept_ns(due_ns, now_ns)));
    }

    /// Whether it is smaller than usual.
    pub(super) fn is_small(&self) -> bool {
        self.size != setup::USUAL
    }

    /// Nanoseconds that the driver was parked or blocked.
    pub(super) fn waited_ns(&self) -> u64 {
        self.waited.get()
    }

    /// Nanoseconds in which there was nothing to do: the driver was parked or blocked, or span in vain.
    pub(super) fn idle_ns(&self) -> u64 {
        self.waited.get() + self.spun.get()
    }

    /// Ends the driver and its sentinel.
    pub(super) fn stop(&self) {
        self.stopped.set(true);
        self.ring_bell();
        self.kick();
    }

    /// Rings the bell: the sentinel will tell the driver to look again.
    pub(super) fn ring_bell(&self) {
        self.kicked.set(false);
        // An eventfd that is not full always takes a one.
        let _ = rustix::io::write(&self.core.borrow().bell, &1_u64.to_ne_bytes());
    }

    /// Whether the ring is being taken down.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Prepares for parking: from now on the bell rings when a completion comes, and at the next
    /// deadline. The caller takes one more turn before it parks, to see what came in between.
    pub(super) fn arm_bell(&self) {
        self.parked.set(true);
        // What the driver was told so far, the turn that follows will see.
        self.kicked.set(false);
        let mut core = self.core.borrow_mut();
        core.ring.completion().enable_eventfd();
        // The kernel reads the flag after it queued work; we look for work after setting the flag.
        fence(Ordering::SeqCst);
        core.state.set_alarm();
    }

    /// Whether nothing is left to be submitted, and the alarm is set: it may have rung in the turn
    /// that followed [`Shared::arm_bell`], for a deadline that was moved.
    pub(super) fn may_park(&self) -> bool {
        let mut core = self.core.borrow_mut();
        let submitted = core.ring.submission().is_empty() && core.state.queue.is_empty();
        submitted && core.state.is_alarm_set()
    }

    /// Whether the driver is parked.
    #[cfg(test)]
    pub(super) fn is_parked(&self) -> bool {
        self.parked.get()
    }

    /// Ends what [`Shared::arm_bell`] began.
    pub(super) fn disarm_bell(&self) {
        self.parked.set(false);
        self.core.borrow_mut().ring.completion().disable_eventfd();
    }

    /// A second descriptor of the eventfd that rings while the driver is parked.
    pub(super) fn bell(&self) -> io::Result<OwnedFd> {
        self.core.borrow().bell.try_clone()
    }

    /// Tells the parked driver to look again.
    pub(super) fn kick(&self) {
        self.kicked.set(true);
        let driver = self.driver.borrow_mut().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Tells the driver to look again if it is parked: a deadline was moved.
    pub(super) fn kick_if_parked(&self) {
        if self.parked.get() {
            self.kick();
        }
    }

    /// Whether the driver was told to look; if not, it is told through `cx`.
    pub(super) fn poll_kicked(&self, cx: &mut Context<'_>) -> bool {
        let _displaced = super::displace(&mut self.driver.borrow_mut(), cx);
        self.kicked.replace(false)
    }
}

impl State {
    fn new() -> Self {
        Self {
            queue: VecDeque::with_capacity(RING_ENTRIES as usize),
            queued_closes: 0,
            apart: Vec::new(),
            ops: Slab::new(),
            sockets: Slab::with_capacity(RESERVED_CONNECTIONS),
            listeners: Slab::new(),
            wheel: Wheel::new(monotonic_ns()),
            late: Late::new(monotonic_ns(), kernel_tick_ns()),
            starved: VecDeque::new(),
            woken: Vec::new(),
            released: Vec::new(),
            traffic: false,
            generation: 0,
            alarm: Alarm::new(),
        }
    }

    pub(super) fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1) & GENERATION_MASK;
        self.generation
    }

    /// Asks the kernel to cancel what `target` names. Its own completion then says so.
    pub(super) fn cancel(&mut self, target: Target) {
        let submission = opcode::AsyncCancel::new(target.pack()).build();
        self.queue
            .push_back(submission.flags(squeue::Flags::SKIP_SUCCESS));
    }

    fn dispatch(&mut self, completion: &cqueue::Entry, pool: &Pool, now_ns: u64) {
        let result = completion.result();
        let more = cqueue::more(completion.flags());
        match Target::unpack(completion.user_data()) {
            Target::Op(key) => self.complete(key, result),
            Target::Receive(key) => {
                let buffer = cqueue::buffer_select(completion.flags());
                self.traffic = true;
                let received = Received {
                    result,
                    buffer,
                    more,
                    now_ns,
                };
                self.received(key, received, pool);
            }
            Target::Accept(key) => {
                self.traffic = true;
                self.accepted(key, result, more);
            }
            Target::HangUp(key) => {
                self.traffic = true;
                self.hung_up(key, result);
            }
            Target::Alarm => self.alarm.rang(),
            Target::Nobody => {}
        }
    }

    /// Operations that the kernel has not ended.
    fn in_flight(&self) -> usize {
        let listening = self
            .listeners
            .iter()
            .filter(|(_, listener)| listener.is_armed())
            .count();
        let receiving = self
            .sockets
            .iter()
            .filter(|(_, socket)| socket.is_receiving())
            .count();
        self.queue.len() + self.ops.len() + listening + receiving
    }
}

impl Drop for Shared {
    /// Cancels everything and waits until the kernel has let go of the memory that operations
    /// point at. If it does not in time, ring and memory are leaked, which is safe.
    fn drop(&mut self) {
        let core = self.core.get_mut();
        let everything = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        core.state.queue.push_back(everything);
        for _ in 0..TEARDOWN_ROUNDS {
            let pause = Wait::AtMost(Duration::from_millis(10));
            if enter(&mut core.ring, &mut core.state.queue, pause).is_err() {
                break;
            }
            for completion in core.ring.completion() {
                core.state.dispatch(&completion, &self.pool, 0);
            }
            if core.state.in_flight() == 0 {
                // SAFETY: dropped once, here, and not used afterwards.
                unsafe { ManuallyDrop::drop(&mut core.ring) };
                return;
            }
        }
        std::mem::forget(std::mem::take(&mut core.state.ops));
        self.pool.leak();
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// How long a tick of the kernel lasts, in nanoseconds: its coarse clocks are as coarse.
fn kernel_tick_ns() -> u64 {
    let tick = rustix::time::clock_getres(rustix::time::ClockId::MonotonicCoarse);
    tick.tv_sec as u64 * 1_000_000_000 + tick.tv_nsec as u64
}
