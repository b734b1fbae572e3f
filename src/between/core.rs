//! A core among the others: what it has of the lanes, and what its host does for them.

use super::exchange::{Ends, Exchange, Stage};
use super::lanes::{Lanes, Post};
use super::mailbox::Mailbox;
use crate::limits::LANE_MESSAGES;
use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};

/// A core among the others, from [`Shard::core`](crate::Shard::core): where lanes between them are
/// made. Clones are the same core.
///
/// A function that makes an app and takes a `&Core` serves a server and, in memory, its tests.
#[derive(Clone)]
pub struct Core(Rc<Inner>);

struct Inner {
    index: usize,
    exchange: Arc<Exchange>,
    host: Box<dyn Host>,
    ports: RefCell<Vec<Weak<dyn Port>>>,
    /// How many lanes were made for each type.
    made: RefCell<HashMap<TypeId, usize>>,
    /// Messages taken from lanes. Only that it changes means something.
    taken: Cell<u64>,
    /// Who waits for the ports to be done.
    watcher: RefCell<Option<Waker>>,
}

/// What runs a core.
pub(crate) trait Host {
    /// The time since some start that all cores have in common, in nanoseconds.
    fn now_ns(&self) -> u64;

    /// Ready at `at_ns`.
    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>>;
}

/// A core's ends of lanes that belong together.
pub(super) trait Port {
    /// There may be messages, or room, or a core may have come to its end.
    fn rung(&self);

    /// Whether nothing more will come, and what came was taken and seen to.
    fn is_done(&self) -> bool;

    /// Messages that nobody has taken.
    fn unread(&self) -> usize;
}

impl Core {
    pub(crate) fn new(index: usize, exchange: Arc<Exchange>, host: impl Host + 'static) -> Core {
        Core(Rc::new(Inner {
            index,
            exchange,
            host: Box::new(host),
            ports: RefCell::default(),
            made: RefCell::default(),
            taken: Cell::default(),
            watcher: RefCell::default(),
        }))
    }

    /// Which of the cores this is, from 0.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How many cores the server has, this one included.
    pub fn count(&self) -> usize {
        self.0.exchange.cores()
    }

    /// Lanes for messages of the type `M`: one from each core to each, for
    /// [`LANE_MESSAGES`] messages.
    ///
    /// Every core that is to send or receive has to call it when its app is made; a second call for
    /// the same type makes other lanes, which meet those of the second call of the other cores.
    pub fn lanes<M: Send + 'static>(&self) -> (Lanes<M>, Mailbox<M>) {
        self.lanes_for(LANE_MESSAGES)
    }

    /// [`Core::lanes`], each for `capacity` messages.
    ///
    /// # Panics
    /// If `capacity` is 0, or not what the other cores have asked for.
    pub fn lanes_for<M: Send + 'static>(&self, capacity: usize) -> (Lanes<M>, Mailbox<M>) {
        assert!(capacity > 0, "lanes have to hold a message at least");
        let post = Rc::new(Post::new(self.clone(), self.claim(capacity)));
        self.add(&(Rc::clone(&post) as Rc<dyn Port>));
        (Lanes::new(Rc::clone(&post)), Mailbox::new(post))
    }

    /// The core's ends of lanes for messages of the type `T`.
    fn claim<T: Send + 'static>(&self, capacity: usize) -> Ends<T> {
        let of = TypeId::of::<T>();
        let mut made = self.0.made.borrow_mut();
        let count = made.entry(of).or_default();
        let name = (of, *count);
        *count += 1;
        drop(made);
        self.0.exchange.claim(self.0.index, name, capacity)
    }

    fn add(&self, port: &Rc<dyn Port>) {
        self.0.ports.borrow_mut().push(Rc::downgrade(port));
    }

    /// The ports that the app has kept.
    fn ports(&self) -> Vec<Rc<dyn Port>> {
        self.0
            .ports
            .borrow()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }

    /// Whether the app has lanes.
    pub(crate) fn has_lanes(&self) -> bool {
        !self.0.ports.borrow().is_empty()
    }

    /// Has `waker` woken when the bell rings. [`Core::answer`] is to be called once after this.
    pub(crate) fn connect(&self, waker: Waker) {
        self.0.exchange.connect(self.0.index, waker);
    }

    /// Has those look who wait for messages, for room, or for the end.
    pub(crate) fn answer(&self) {
        self.ports().iter().for_each(|port| port.rung());
        self.look_if_done();
    }

    /// Lets the bell ring again; whether it was rung. What came before is to be looked for after this,
    /// by [`Core::answer`].
    pub(crate) fn still(&self) -> bool {
        self.0.exchange.still(self.0.index)
    }

    /// Changes whenever a message was taken.
    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    /// Sends no more from this core.
    pub(crate) fn close(&self) {
        self.0.exchange.close(self.0.index);
        self.answer();
    }

    /// Waits until no core sends to this one any more, and all that was sent has been seen to.
    pub(crate) async fn finished(&self) {
        poll_fn(|cx| {
            let before = self.0.watcher.replace(Some(cx.waker().clone()));
            drop(before);
            match self.ports().iter().all(|port| port.is_done()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Messages that have come and that nobody has taken.
    pub(crate) fn unread(&self) -> usize {
        self.ports().iter().map(|port| port.unread()).sum()
    }

    pub(super) fn stage(&self, core: usize) -> Stage {
        self.0.exchange.stage(core)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.stage(self.0.index) != Stage::Open
    }

    /// Wakes `core`, another one, for what was put on a lane to it, or taken from one.
    pub(super) fn ring(&self, core: usize) {
        self.0.exchange.ring(core);
    }

    /// Counts a message that was taken from a lane.
    pub(super) fn took(&self) {
        self.0.taken.set(self.0.taken.get().wrapping_add(1));
    }

    /// Has whoever waits for the end look whether it has come.
    pub(super) fn look_if_done(&self) {
        let watcher = self.0.watcher.take();
        if let Some(watcher) = watcher {
            watcher.wake();
        }
    }

    pub(super) fn host(&self) -> &dyn Host {
        &*self.0.host
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("index", &self.index())
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
