//! What a shard does for its lanes: it answers the bell, and gives them its time.

use super::Shard;
use super::mailbox::notified;
use crate::between::Host;
use crate::failure::Failure;
use crate::log;
use crate::ring::{Deadline, Notified, Notifier, Ring};
use futures_lite::future::{or, yield_now};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Wake;

/// The ring as what a core runs on.
pub(super) struct CoreHost(pub(super) Ring);

/// Wakes the shard whose bell is rung.
struct Rope(Notifier);

/// Has the shard answer its bell, until it ends.
pub(super) fn connect(shard: &Rc<Shard>) -> Result<(), Failure> {
    let (notifier, notified) = notified(&shard.ring)?;
    shard.core.connect(Arc::new(Rope(notifier)).into());
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

impl Host for CoreHost {
    fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        let deadline = Deadline::new(&self.0);
        deadline.arm_at(at_ns);
        Box::pin(async move { deadline.passed().await })
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
