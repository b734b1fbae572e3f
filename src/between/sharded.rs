//! Asking the core that a key belongs to.
//!
//! ```text
//! asker: ask ─ a call in `calls`, at most QUESTIONS for each core ─ Question ──lane──▶ home: handler
//!                ▲ woken                                                                  │
//!                └───────────── settle ◀──lane── Answer, exactly one for each question ◀──┘
//! ```
//!
//! An answer always has room: there are no more on a lane than questions were asked the other way, and
//! of those each core has a bounded number open. A call stays open until its answer has come, whether or
//! not anybody still waits for it.

use super::answering::{Answering, answer};
use super::core::{Core, Port};
use super::error::{CallError, Undelivered};
use super::exchange::{Ends, Stage};
use super::key::{Keyed, home};
use super::lane::{Incoming, Outgoing};
use crate::limits::{ASK_TIMEOUT, MESSAGES_AT_ONCE, QUESTIONS};
use crate::turns::Turns;
use futures_util::stream::{FuturesUnordered, Stream as _};
use slab::Slab;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// State that is kept once for the whole server, spread over its cores by key: whoever wants to know or
/// change something asks the core that is the key's home. From [`Core::sharded`]; clones ask the same
/// cores.
///
/// The handlers of one core have its part of the state for themselves. What is asked on the key's own core
/// is answered there and then, without a message.
pub struct Sharded<Q: Send + 'static, A: Send + 'static> {
    desk: Rc<Desk<Q, A>>,
    limit: Duration,
}

/// Answers a question on its core.
type Handler<Q, A> = Box<dyn Fn(Q) -> Pin<Box<dyn Future<Output = A>>>>;

/// What is on a lane.
#[derive(Debug)]
pub(super) enum Parcel<Q, A> {
    Question {
        call: usize,
        /// From then on nobody waits for the answer.
        until_ns: u64,
        question: Q,
    },
    Answer {
        call: usize,
        answer: Result<A, CallError>,
    },
}

/// What of a [`Sharded`] is on one core.
pub(super) struct Desk<Q, A> {
    core: Core,
    handler: Handler<Q, A>,
    to: Vec<Outgoing<Parcel<Q, A>>>,
    from: Vec<Incoming<Parcel<Q, A>>>,
    /// The calls that are open, for each core that was asked.
    calls: Vec<Calls<A>>,
    /// Questions of other cores that are being answered.
    answering: Cell<usize>,
    clerk: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Calls<A> {
    open: RefCell<Slab<Call<A>>>,
    /// Who waits until fewer are.
    turns: Turns,
}

/// A question that was sent.
#[derive(Debug)]
enum Call<A> {
    Waiting(Waker),
    Answered(Result<A, CallError>),
    /// Nobody waits any more.
    Abandoned,
}

/// An open call, for whoever waits for its answer.
struct Asked<'a, A> {
    calls: &'a Calls<A>,
    call: usize,
    /// The answer was taken, and the call is open no more.
    is_over: bool,
}

impl<Q: Send + 'static, A: Send + 'static> Sharded<Q, A> {
    pub(super) fn new(desk: Rc<Desk<Q, A>>) -> Self {
        Self {
            desk,
            limit: ASK_TIMEOUT,
        }
    }

    /// The core that `key` belongs to.
    pub fn home(&self, key: &(impl Keyed + ?Sized)) -> usize {
        home(key, self.desk.core.count())
    }

    /// The same with another limit of time for answers, which is
    /// [`ASK_TIMEOUT`] at first.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self {
            desk: Rc::clone(&self.desk),
            limit,
        }
    }

    /// Asks the core that `key` belongs to.
    ///
    /// A future that is dropped waits no more; a handler on another core goes on.
    ///
    /// # Errors
    /// Why there is no answer. Whether the question was answered all the same is known for
    /// [`CallError::Undelivered`] alone: it was not.
    pub async fn ask(&self, key: &(impl Keyed + ?Sized), question: Q) -> Result<A, CallError> {
        self.ask_at(self.home(key), question).await
    }

    /// Asks the core of this number.
    ///
    /// # Errors
    /// As [`Sharded::ask`].
    pub async fn ask_at(&self, core: usize, question: Q) -> Result<A, CallError> {
        let desk = &*self.desk;
        let limit_ns = u64::try_from(self.limit.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = desk.core.host().now_ns().saturating_add(limit_ns);
        if core == desk.core.index() {
            return desk.answering(question, until_ns).await;
        }
        let mut late = desk.core.host().passed(until_ns);
        let mut asked = desk.open(core, question, until_ns, &mut late).await?;
        poll_fn(|cx| match asked.poll_answer(cx) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending => late.as_mut().poll(cx).map(|()| Err(CallError::TimedOut)),
        })
        .await
    }
}

impl<Q: Send + 'static, A: Send + 'static> Desk<Q, A> {
    pub(super) fn new(core: Core, handler: Handler<Q, A>, ends: Ends<Parcel<Q, A>>) -> Self {
        let calls = || Calls {
            open: RefCell::default(),
            turns: Turns::default(),
        };
        Self {
            handler,
            calls: ends.to.iter().map(|_| calls()).collect(),
            to: ends.to,
            from: ends.from,
            answering: Cell::default(),
            clerk: RefCell::default(),
            core,
        }
    }

    /// The answer of this core.
    fn answering(&self, question: Q, until_ns: u64) -> Answering<A> {
        answer(&self.core, until_ns, || (self.handler)(question))
    }

    /// Sends a question, when there are few enough.
    async fn open<'a>(
        &'a self,
        core: usize,
        question: Q,
        until_ns: u64,
        late: &mut Pin<Box<dyn Future<Output = ()>>>,
    ) -> Result<Asked<'a, A>, CallError> {
        let calls = self.calls.get(core).ok_or(Undelivered::Gone)?;
        if !calls.turns.are_over() || calls.are_many() {
            let turn = calls.turns.enter();
            poll_fn(|cx| {
                if turn.has_come() && !calls.are_many() {
                    return Poll::Ready(Ok(()));
                }
                self.refusal(core)?;
                turn.wait(cx);
                late.as_mut().poll(cx).map(|()| Err(Undelivered::Full))
            })
            .await?;
        }
        self.refusal(core)?;
        let call = calls
            .open
            .borrow_mut()
            .insert(Call::Waiting(Waker::noop().clone()));
        let parcel = Parcel::Question {
            call,
            until_ns,
            question,
        };
        if self.to[core].push_beyond(parcel).is_err() {
            calls.open.borrow_mut().remove(call);
            return Err(Undelivered::Gone.into());
        }
        self.core.ring(core);
        Ok(Asked {
            calls,
            call,
            is_over: false,
        })
    }

    /// Why no other core can be asked, or not this one.
    fn refusal(&self, core: usize) -> Result<(), Undelivered> {
        if self.core.is_closed() {
            return Err(Undelivered::Draining);
        }
        match self.core.stage(core) {
            Stage::Gone => Err(Undelivered::Gone),
            Stage::Open | Stage::Closed => Ok(()),
        }
    }

    /// Answers other cores, and takes their answers, until none will ask any more.
    pub(super) async fn serve(self: Rc<Self>) {
        let mut pending = FuturesUnordered::new();
        poll_fn(|cx| self.poll_serve(&mut pending, cx)).await;
        self.core.look_if_done();
    }

    fn poll_serve(
        &self,
        pending: &mut FuturesUnordered<Owed<A>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        drop(self.clerk.replace(Some(cx.waker().clone())));
        let mut taken = 0;
        for from in 0..self.from.len() {
            // In this order: what it sent before it went is on the lane.
            let is_gone = self.core.stage(from) == Stage::Gone;
            // Each gets its share of a turn.
            let most = taken + MESSAGES_AT_ONCE.div_ceil(self.from.len());
            while taken < most && self.take(from, pending, cx) {
                taken += 1;
            }
            if is_gone && self.from[from].len() == 0 {
                self.calls[from].fail();
            }
        }
        while let Poll::Ready(Some((from, call, answer))) = Pin::new(&mut *pending).poll_next(cx) {
            self.reply(from, call, answer);
        }
        self.answering.set(pending.len());
        if self.from.iter().any(|lane| lane.len() > 0) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.is_done() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Takes the next parcel of the core `from`; false if there is none.
    fn take(
        &self,
        from: usize,
        pending: &mut FuturesUnordered<Owed<A>>,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some((parcel, _)) = self.from[from].pop() else {
            return false;
        };
        self.core.took();
        match parcel {
            Parcel::Answer { call, answer } => self.calls[from].settle(call, answer),
            Parcel::Question {
                call,
                until_ns,
                question,
            } => {
                let mut answering = self.answering(question, until_ns);
                match Pin::new(&mut answering).poll(cx) {
                    Poll::Ready(answer) => self.reply(from, call, answer),
                    Poll::Pending => pending.push(Owed {
                        from,
                        call,
                        answering,
                    }),
                }
            }
        }
        true
    }

    fn reply(&self, to: usize, call: usize, answer: Result<A, CallError>) {
        // A core that has gone waits for nothing.
        if self.to[to]
            .push_beyond(Parcel::Answer { call, answer })
            .is_ok()
        {
            self.core.ring(to);
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Port for Desk<Q, A> {
    fn rung(&self) {
        let clerk = self.clerk.take();
        if let Some(clerk) = clerk {
            clerk.wake();
        }
        self.calls.iter().for_each(|calls| calls.turns.wake_first());
    }

    fn is_done(&self) -> bool {
        let is_over = |(core, lane): (usize, &Incoming<_>)| {
            // In this order: what was sent before that is seen on the lane.
            self.core.stage(core) != Stage::Open && lane.len() == 0
        };
        self.answering.get() == 0 && self.from.iter().enumerate().all(is_over)
    }

    /// None: who asked is told that there is no answer.
    fn unread(&self) -> usize {
        0
    }
}

impl<A> Calls<A> {
    fn are_many(&self) -> bool {
        self.open.borrow().len() >= QUESTIONS
    }

    /// Hands the answer of a call to whoever waits for it.
    fn settle(&self, call: usize, answer: Result<A, CallError>) {
        let mut open = self.open.borrow_mut();
        let known = open.get_mut(call);
        let before = known.map(|known| std::mem::replace(known, Call::Answered(answer)));
        let dropped = match &before {
            Some(Call::Abandoned) => Some(open.remove(call)),
            _ => None,
        };
        // Neither wakers nor answers are let go while the table is borrowed.
        drop(open);
        if let Some(Call::Waiting(waker)) = before {
            waker.wake();
        }
        if dropped.is_some() {
            self.turns.wake_first();
        }
    }

    /// Ends all calls of a core that has gone.
    fn fail(&self) {
        let open: Vec<_> = self.open.borrow().iter().map(|(call, _)| call).collect();
        for call in open {
            let is_answered = matches!(self.open.borrow()[call], Call::Answered(_));
            if !is_answered {
                self.settle(call, Err(CallError::Lost));
            }
        }
    }
}

impl<A> Asked<'_, A> {
    fn poll_answer(&mut self, cx: &Context<'_>) -> Poll<Result<A, CallError>> {
        let mut open = self.calls.open.borrow_mut();
        if let Call::Answered(_) = open[self.call] {
            let call = open.remove(self.call);
            drop(open);
            self.is_over = true;
            self.calls.turns.wake_first();
            return match call {
                Call::Answered(answer) => Poll::Ready(answer),
                Call::Waiting(_) | Call::Abandoned => unreachable!("it was looked at"),
            };
        }
        let waiting = Call::Waiting(cx.waker().clone());
        let before = std::mem::replace(&mut open[self.call], waiting);
        drop(open);
        drop(before);
        Poll::Pending
    }
}

impl<A> Drop for Asked<'_, A> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut open = self.calls.open.borrow_mut();
        let before = std::mem::replace(&mut open[self.call], Call::Abandoned);
        let is_over = matches!(before, Call::Answered(_));
        if is_over {
            open.remove(self.call);
        }
        drop(open);
        drop(before);
        if is_over {
            self.calls.turns.wake_first();
        }
    }
}

/// An answer that is owed to a core.
struct Owed<A> {
    from: usize,
    call: usize,
    answering: Answering<A>,
}

impl<A> Future for Owed<A> {
    type Output = (usize, usize, Result<A, CallError>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (from, call) = (self.from, self.call);
        let answer = Pin::new(&mut self.answering).poll(cx);
        answer.map(|answer| (from, call, answer))
    }
}

impl<Q: Send + 'static, A: Send + 'static> Clone for Sharded<Q, A> {
    fn clone(&self) -> Self {
        self.within(self.limit)
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Sharded<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded")
            .field("core", &self.desk.core)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
