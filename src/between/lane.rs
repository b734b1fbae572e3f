//! A lane: a bounded queue from one core to another, with one sender and one receiver.
//!
//! The queue is std's channel, which takes memory in blocks as messages come and gives it back as they
//! are taken: a lane that is not used costs a few hundred bytes, whatever its capacity. The bound is
//! ours: each end counts what it did, and publishes that. One inequality holds:
//! `taken ≤ sent ≤ taken + capacity`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The sender's end.
#[derive(Debug)]
pub(super) struct Outgoing<T> {
    queue: Sender<T>,
    counts: Arc<Counts>,
    capacity: usize,
}

/// The receiver's end.
#[derive(Debug)]
pub(super) struct Incoming<T> {
    queue: Receiver<T>,
    counts: Arc<Counts>,
    capacity: usize,
}

/// Why a message could not be put on a lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsent<T> {
    /// As many are on the lane as it may hold.
    Full(T),
    /// Nobody receives.
    Gone(T),
}

/// How many messages have passed each end. Counts wrap around; only their difference means something.
#[derive(Debug, Default)]
struct Counts {
    /// Written by the sender alone.
    sent: Line<AtomicUsize>,
    /// Written by the receiver alone.
    taken: Line<AtomicUsize>,
    /// The sender waits for room.
    wants_room: Line<AtomicBool>,
    /// The receiver has gone, and what the lane was full of.
    is_over: Line<AtomicBool>,
}

/// Something in a cache line of its own, so that one end's writes do not slow the other's.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line<T>(T);

/// A lane for `capacity` messages.
pub(super) fn lane<T>(capacity: usize) -> (Outgoing<T>, Incoming<T>) {
    let (sender, receiver) = channel();
    let counts = Arc::<Counts>::default();
    let outgoing = Outgoing {
        queue: sender,
        counts: Arc::clone(&counts),
        capacity,
    };
    let incoming = Incoming {
        queue: receiver,
        counts,
        capacity,
    };
    (outgoing, incoming)
}

impl<T> Outgoing<T> {
    /// Puts a message on the lane, if there is room.
    pub(super) fn push(&self, message: T) -> Result<(), Unsent<T>> {
        if self.len() >= self.capacity {
            return match self.counts.is_over.0.load(Ordering::Acquire) {
                false => Err(Unsent::Full(message)),
                true => Err(Unsent::Gone(message)),
            };
        }
        self.push_beyond(message)
    }

    /// Puts a message on the lane whose number is bounded by other means.
    pub(super) fn push_beyond(&self, message: T) -> Result<(), Unsent<T>> {
        self.queue
            .send(message)
            .map_err(|unsent| Unsent::Gone(unsent.0))?;
        let sent = &self.counts.sent.0;
        sent.store(
            sent.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
        Ok(())
    }

    /// Has the receiver say when there is room again. To be called before a push that may find none:
    /// either the push sees the room, or the receiver sees the wish.
    pub(super) fn want_room(&self) {
        self.counts.wants_room.0.store(true, Ordering::SeqCst);
    }

    fn len(&self) -> usize {
        let sent = self.counts.sent.0.load(Ordering::Relaxed);
        sent.wrapping_sub(self.counts.taken.0.load(Ordering::SeqCst))
    }
}

impl<T> Incoming<T> {
    /// The next message, and whether the sender is to be told of the room that there is now.
    pub(super) fn pop(&self) -> Option<(T, bool)> {
        // Cheaper than to ask the queue, and most lanes are empty most of the time.
        if self.len() == 0 {
            return None;
        }
        let message = self.queue.try_recv().ok()?;
        let taken = &self.counts.taken.0;
        taken.store(
            taken.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::SeqCst,
        );
        // Half the lane at once: a wake-up for each message would cost more than the message.
        let wants = self.counts.wants_room.0.load(Ordering::SeqCst);
        let tells = wants && self.len() <= self.capacity / 2;
        if tells {
            self.counts.wants_room.0.store(false, Ordering::SeqCst);
        }
        Some((message, tells))
    }

    /// Messages on the lane.
    pub(super) fn len(&self) -> usize {
        let sent = self.counts.sent.0.load(Ordering::Acquire);
        sent.wrapping_sub(self.counts.taken.0.load(Ordering::Relaxed))
    }
}

impl<T> Drop for Incoming<T> {
    fn drop(&mut self) {
        self.counts.is_over.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn a_lane_holds_what_it_may_and_no_more() {
        for capacity in [1, 2, 3, 64] {
            let (outgoing, incoming) = lane(capacity);
            for round in 0..3 {
                for n in 0..capacity {
                    assert_eq!(outgoing.push((round, n)), Ok(()));
                }
                let refused = outgoing.push((round, capacity));
                assert_eq!(refused, Err(Unsent::Full((round, capacity))));
                assert_eq!(incoming.len(), capacity);
                for n in 0..capacity {
                    assert_eq!(incoming.pop(), Some(((round, n), false)));
                }
                assert_eq!((incoming.pop(), incoming.len()), (None, 0));
            }
        }
    }

    #[test]
    fn room_is_told_once_half_the_lane_is_free() {
        let (outgoing, incoming) = lane(4);
        (0..4).for_each(|n| outgoing.push(n).unwrap());
        outgoing.want_room();
        assert_eq!(outgoing.push(4), Err(Unsent::Full(4)));
        let told: Vec<_> = std::iter::from_fn(|| incoming.pop())
            .map(|(_, told)| told)
            .collect();
        assert_eq!(told, [false, true, false, false]);
        let (outgoing, incoming) = lane(1);
        outgoing.want_room();
        outgoing.push(0).unwrap();
        assert_eq!(incoming.pop(), Some((0, true)));
    }

    #[test]
    fn what_is_on_a_lane_ends_with_its_receiver() {
        for capacity in [1, 2] {
            let (outgoing, incoming) = lane(capacity);
            let message = Rc::new(());
            outgoing.push(Rc::clone(&message)).unwrap();
            drop(incoming);
            assert_eq!(Rc::strong_count(&message), 1);
            assert_eq!(outgoing.push(message), Err(Unsent::Gone(Rc::new(()))));
        }
    }

    #[test]
    fn messages_pass_in_order_between_threads() {
        const MESSAGES: usize = 100_000;
        let (outgoing, incoming) = lane(128);
        let sending = std::thread::spawn(move || {
            for n in 0..MESSAGES {
                let mut message = n;
                while let Err(Unsent::Full(back)) = outgoing.push(message) {
                    message = back;
                    std::thread::yield_now();
                }
            }
        });
        for n in 0..MESSAGES {
            let message = loop {
                assert!(incoming.len() <= 128);
                match incoming.pop() {
                    Some((message, _)) => break message,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(message, n);
        }
        sending.join().unwrap();
        assert_eq!(incoming.pop(), None);
    }
}
