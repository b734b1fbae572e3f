//! The messages between a shard and the supervisor, and their way to the shard.

use super::schedule::Schedule;
use crate::failure::Failure;
use crate::ring::Notifier;
use crate::stats::{RouteName, Snapshot, View};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What the supervisor tells a shard.
#[expect(
    clippy::large_enum_variant,
    reason = "a few a second are sent, and the largest is the most frequent"
)]
#[derive(Debug)]
pub(crate) enum Order {
    /// Every shard is ready: accept.
    Serve,
    /// Take a snapshot now, for this round.
    Snapshot { round: u64 },
    /// A snapshot to be filled again, in place of the one that was sent.
    Spare(Snapshot),
    /// The statistics of the last interval are there.
    Merged,
    /// The merged statistics that these requests wait for.
    Fresh { tokens: Vec<u64>, view: Arc<View> },
    /// A shutdown is to come: serve on, and tell who asks.
    Leave,
    /// Stop accepting, answer what has come, and end.
    Drain,
    /// No shard has requests left: send nothing more to the others, and end.
    Part,
    /// End now.
    Abort,
}

/// What a shard tells the supervisor, and others tell it too.
#[expect(
    clippy::large_enum_variant,
    reason = "a few a second are sent, and the largest is the most frequent"
)]
#[derive(Debug)]
pub(crate) enum Report {
    /// The shard can serve. Its orders are looked at when it is notified, or at its next tick.
    Ready {
        shard: usize,
        notifier: Notifier,
        /// Of its thread, unless the kernel tells nothing of that.
        schedule: Option<Schedule>,
        /// The names of its routes, by their numbers.
        routes: Vec<RouteName>,
    },
    /// A snapshot: of the shard's tick, or for a round.
    Snapshot {
        snapshot: Snapshot,
        round: Option<u64>,
    },
    /// A request waits for fresh statistics.
    Fresh { shard: usize, token: u64 },
    /// The shard drains, and has no requests left. Other shards may still send to it.
    Quiet { shard: usize },
    /// The shard ended.
    Ended {
        shard: usize,
        outcome: Result<(), Failure>,
    },
    /// The process got a signal to shut down.
    Signal,
    /// Whoever runs the server wants it to shut down.
    Stop,
}

/// An order's way to a shard.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) orders: Sender<Order>,
    pub(crate) notifier: Notifier,
}

impl Post {
    /// Sends an order that is looked at now. A shard that has ended needs none.
    pub(crate) fn send(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            self.notifier.notify();
        }
    }

    /// Sends an order that can wait for the shard's tick, without waking it.
    pub(crate) fn leave(&self, order: Order) {
        // A shard that has ended needs none.
        let _ = self.orders.send(order);
    }
}
