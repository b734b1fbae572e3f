//! Sending on lanes, and what a core's ends of lanes for one type of message have in common.

use super::core::{Core, Port};
use super::error::{BroadcastError, SendError, Undelivered};
use super::exchange::{Ends, Stage};
use super::lane::{Incoming, Outgoing, Unsent};
use crate::limits::SEND_TIMEOUT;
use crate::turns::Turns;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Sends messages of the type `M` to the cores of a server, from [`Core::lanes`]. Clones send on the
/// same lanes.
///
/// Messages that one task sends to one core arrive in the order in which it sent them.
pub struct Lanes<M>(Rc<Post<M>>);

/// What a [`Lanes`] and a [`Mailbox`](super::Mailbox) have in common.
pub(super) struct Post<M> {
    pub(super) core: Core,
    ways: Vec<Way<M>>,
    /// From each core; none once the mailbox was dropped.
    pub(super) from: RefCell<Vec<Incoming<M>>>,
    /// Whoever waits for a message.
    pub(super) reader: RefCell<Option<Waker>>,
    /// The mailbox's owner was given a message, and has not come back for another.
    pub(super) is_reading: Cell<bool>,
}

/// The lane to a core.
struct Way<M> {
    lane: Outgoing<M>,
    /// Who waits for room on it.
    turns: Turns,
}

impl<M: Send + 'static> Lanes<M> {
    pub(super) fn new(post: Rc<Post<M>>) -> Self {
        Self(post)
    }

    /// Which of the cores this is, from 0.
    pub fn here(&self) -> usize {
        self.0.core.index()
    }

    /// How many cores there are, this one included.
    pub fn cores(&self) -> usize {
        self.0.ways.len()
    }

    /// Sends `message` to the core `to`, which may be this one, if that can be done at once.
    ///
    /// # Errors
    /// The message, and why it was not sent.
    pub fn try_send(&self, to: usize, message: M) -> Result<(), SendError<M>> {
        let post = &*self.0;
        match post.ways.get(to) {
            // Those who wait come first.
            Some(way) if !way.turns.are_over() => Err(SendError {
                reason: post.refusal(to).unwrap_or(Undelivered::Full),
                message,
            }),
            _ => post.put(to, message),
        }
    }

    /// Sends `message` to the core `to`, which may be this one. If the lane is full it waits for room,
    /// behind others who do, for [`SEND_TIMEOUT`] at most.
    ///
    /// # Errors
    /// The message, and why it was not sent.
    pub async fn send(&self, to: usize, message: M) -> Result<(), SendError<M>> {
        match self.try_send(to, message) {
            Err(refused) if refused.reason == Undelivered::Full => {
                self.send_until(self.until_ns(), to, refused.message).await
            }
            outcome => outcome,
        }
    }

    /// Sends `message` to every core, this one included. Where a lane is full it waits for room, for
    /// [`SEND_TIMEOUT`] at most; the other cores do not wait for that one.
    ///
    /// # Errors
    /// Which cores it did not reach.
    pub async fn broadcast(&self, message: M) -> Result<(), BroadcastError>
    where
        M: Clone,
    {
        let until_ns = self.until_ns();
        let Err(mut error) = self.try_broadcast(message.clone()) else {
            return Ok(());
        };
        let mut missed = Vec::new();
        for (core, mut reason) in error.missed {
            if reason == Undelivered::Full {
                match self.send_until(until_ns, core, message.clone()).await {
                    Ok(()) => continue,
                    Err(refused) => reason = refused.reason,
                }
            }
            missed.push((core, reason));
        }
        error.missed = missed;
        match error.missed.is_empty() {
            true => Ok(()),
            false => Err(error),
        }
    }

    /// Sends `message` to every core that it can be sent to at once, this one included.
    ///
    /// # Errors
    /// Which cores it did not reach.
    pub fn try_broadcast(&self, message: M) -> Result<(), BroadcastError>
    where
        M: Clone,
    {
        let refused = |core| match self.try_send(core, message.clone()) {
            Ok(()) => None,
            Err(refused) => Some((core, refused.reason)),
        };
        let missed: Vec<_> = (0..self.cores()).filter_map(refused).collect();
        match missed.is_empty() {
            true => Ok(()),
            false => Err(BroadcastError { missed }),
        }
    }

    fn until_ns(&self) -> u64 {
        self.0.core.host().now_ns() + SEND_TIMEOUT.as_nanos() as u64
    }

    async fn send_until(&self, until_ns: u64, to: usize, message: M) -> Result<(), SendError<M>> {
        let post = &*self.0;
        let way = &post.ways[to];
        let turn = way.turns.enter();
        let mut late = post.core.host().passed(until_ns);
        let mut message = Some(message);
        poll_fn(|cx| {
            let Some(unsent) = message.take() else {
                unreachable!("polled after it was ready")
            };
            let refused = if turn.has_come() {
                way.lane.want_room();
                match post.put(to, unsent) {
                    Err(refused) if refused.reason == Undelivered::Full => refused,
                    outcome => return Poll::Ready(outcome),
                }
            } else {
                SendError {
                    reason: post.refusal(to).unwrap_or(Undelivered::Full),
                    message: unsent,
                }
            };
            if refused.reason != Undelivered::Full || late.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(refused));
            }
            message = Some(refused.message);
            turn.wait(cx);
            Poll::Pending
        })
        .await
    }
}

impl<M: Send + 'static> Post<M> {
    pub(super) fn new(core: Core, ends: Ends<M>) -> Self {
        let way = |lane| Way {
            lane,
            turns: Turns::default(),
        };
        Self {
            core,
            ways: ends.to.into_iter().map(way).collect(),
            from: RefCell::new(ends.from),
            reader: RefCell::default(),
            is_reading: Cell::default(),
        }
    }

    /// Why nothing at all can be sent to the core `to`.
    fn refusal(&self, to: usize) -> Option<Undelivered> {
        if self.core.is_closed() {
            return Some(Undelivered::Draining);
        }
        let is_gone = to >= self.ways.len() || self.core.stage(to) == Stage::Gone;
        is_gone.then_some(Undelivered::Gone)
    }

    /// Puts `message` on the lane to the core `to`.
    fn put(&self, to: usize, message: M) -> Result<(), SendError<M>> {
        if let Some(reason) = self.refusal(to) {
            return Err(SendError { reason, message });
        }
        match self.ways[to].lane.push(message) {
            Ok(()) if to == self.core.index() => self.wake_reader(),
            Ok(()) => self.core.ring(to),
            Err(Unsent::Full(message)) => {
                let reason = Undelivered::Full;
                return Err(SendError { reason, message });
            }
            Err(Unsent::Gone(message)) => {
                let reason = Undelivered::Gone;
                return Err(SendError { reason, message });
            }
        }
        Ok(())
    }

    /// The next message of the core `from`.
    pub(super) fn take(&self, from: usize) -> Option<M> {
        let (message, tells) = self.from.borrow()[from].pop()?;
        self.core.took();
        if tells {
            self.tell_of_room(from);
        }
        Some(message)
    }

    /// Has who waits on the core `from` for room on its lane to this one look again.
    fn tell_of_room(&self, from: usize) {
        match from == self.core.index() {
            true => self.ways[from].turns.wake_first(),
            false => self.core.ring(from),
        }
    }

    /// Receives no more, and drops what has come.
    pub(super) fn end(&self) {
        let from = self.from.take();
        let cores = from.len();
        drop(from);
        // Who waits for room finds that there is none any more.
        (0..cores).for_each(|core| self.tell_of_room(core));
        self.set_reading(false);
    }

    pub(super) fn set_reading(&self, is_reading: bool) {
        if self.is_reading.replace(is_reading) && !is_reading {
            self.core.look_if_done();
        }
    }

    /// Whether nothing is on its way, and nothing more will be sent.
    pub(super) fn is_over(&self) -> bool {
        let is_over = |(core, lane): (usize, &Incoming<M>)| {
            // In this order: what was sent before that is seen on the lane.
            self.core.stage(core) != Stage::Open && lane.len() == 0
        };
        self.from.borrow().iter().enumerate().all(is_over)
    }

    fn wake_reader(&self) {
        let reader = self.reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<M: Send + 'static> Port for Post<M> {
    fn rung(&self) {
        self.wake_reader();
        self.ways.iter().for_each(|way| way.turns.wake_first());
    }

    fn is_done(&self) -> bool {
        !self.is_reading.get() && self.is_over()
    }

    fn unread(&self) -> usize {
        self.from.borrow().iter().map(Incoming::len).sum()
    }
}

impl<M> Clone for Lanes<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Lanes<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("core", &self.0.core)
            .finish_non_exhaustive()
    }
}
