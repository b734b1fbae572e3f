//! What a shard does for its lanes: it answers the bell, and gives them its time.

use super::Shard;
use super::mailbox::notified;
use super::time::RingTime;
use crate::app::Timer as _;
use crate::between::{Host, Job};
use crate::failure::Failure;
use crate::log::{self, About, Log};
use crate::ring::{Notified, Notifier, Ring};
use futures_lite::future::{or, yield_now};
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

/// What a core runs on.
pub(super) struct CoreHost {
    time: RingTime,
    log: Log,
}

/// Wakes the shard whose bell is rung.
struct Rope(Notifier);

/// Has the shard answer its bell and the questions of others, until it ends.
pub(super) fn connect(shard: &Rc<Shard>) -> Result<(), Failure> {
    let (notifier, notified) = notified(&shard.ring)?;
    shard.core.connect(Arc::new(Rope(notifier)).into());
    for job in shard.core.take_jobs() {
        glommio::spawn_local(job).detach();
    }
    let shard = Rc::clone(shard);
    let answering = async move {
        or(answer(&shard, notified), shard.ended.wait()).await;
    };
    glommio::spawn_local(answering).detach();
    Ok(())
}

/// Answers the bell whenever it is rung.
async fn answer(shard: &Shard, mut notified: Notified) {
    let core = &shard.core;
    loop {
        // As long as messages come in the bell needs not be rung for them, which costs their sender
        // a system call.
        loop {
            let taken = core.taken();
            core.answer();
            yield_now().await;
            if core.taken() == taken {
                break;
            }
        }
        if core.still() {
            core.answer();
        }
        // It cannot fail, see there.
        let _ = notified.wait().await;
    }
}

/// Ends what the lanes have kept going.
pub(super) async fn end(shard: &Shard) {
    shard.ended.raise();
    let left = shard.core.unread();
    if left > 0 {
        log::messages_are_left(shard.index, left);
    }
    // The task that answers the bell comes to its end: left in its wait it would never be dropped.
    yield_now().await;
}

impl CoreHost {
    pub(super) fn new(shard: usize, ring: &Ring) -> Self {
        Self {
            time: RingTime(ring.clone()),
            log: Log::new(shard),
        }
    }
}

impl Host for CoreHost {
    fn now_ns(&self) -> u64 {
        self.time.now_ns()
    }

    fn passed(&self, at_ns: u64) -> Job {
        self.time.passed(at_ns)
    }

    fn panicked(&self, payload: &(dyn Any + Send)) {
        self.log.panicked(payload, self.now_ns(), About::nobody);
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify();
    }
}
