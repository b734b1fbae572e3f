//! A pool of connections to another server, one for each core, which never leave it.
//!
//! A core's handlers run in turns on one thread, so the pool has no locks, and what it lends need not
//! be `Send`. What a connection is, a [`Manager`] says: any protocol that runs on a
//! [`Stream`](crate::ring::Stream) may have one.
//!
//! # The life of a connection
//! ```text
//!              ┌────────────── rests, newest on top ◀──────────────┐
//!              ▼                                                   │ fit, young, pool open
//! get ─turn─▶ place ─▶ resting one, still fit? ─▶ lent (`Pooled`) ─┤
//!              │           │ no: discarded            ▲            │ otherwise
//!              │           ▼                          │            ▼
//!              └─▶ none rests: `Manager::connect` ────┘      discarded; then its place is free
//! ```
//! * There are `size` *places*, and a connection that is made, lent or being discarded has one; those
//!   that rest are never more than the places that nobody has. So there are at most `size` connections
//!   at any time, those that are still being closed included.
//! * Whoever finds no place waits in line, the longest first, and for no longer than
//!   [`PoolOptions::wait`]. A place goes from one to the next without passing by those who came later.
//! * A future of [`Pool::get`] that is dropped, waiting or connecting, gives its place back.
//! * The one that was used last is lent first, so that the others rest, grow old, and are closed.
//! * One that has rested for [`PoolOptions::check_after`] is checked with the server before it is lent:
//!   the server, or a firewall, may have forgotten it. One whose check did not come to its end is
//!   discarded.
//!
//! # What fails
//! [`Pool::get`] fails with 503 and a [`PoolError`] as its source, which the log tells.

mod places;

#[cfg(test)]
mod tests;

use self::places::Places;
use crate::app::{Error, Time};
use crate::limits::{POOL_CHECK, POOL_CONNECTIONS, POOL_IDLE, POOL_LIFETIME, POOL_WAIT};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

pub use self::places::Place;

/// Shortest pause between two looks at what rests, so that times of zero make nobody busy.
const TIDY_PAUSE: Duration = Duration::from_secs(1);

/// Makes the connections of a [`Pool`], and knows what they are worth.
pub trait Manager: 'static {
    /// What the pool lends.
    type Connection: 'static;

    /// Makes a connection that is ready for use. The pool drops the future when it takes too long.
    ///
    /// # Errors
    /// Whatever it was: it is told as the source of [`PoolError::Connect`].
    fn connect(
        &self,
    ) -> impl Future<Output = Result<Self::Connection, Box<dyn StdError + Send + Sync>>>;

    /// Whether a connection is fit for the next user, as far as can be told without the server. It
    /// is asked when one comes back, and before one that has rested is lent.
    fn is_fit(&self, connection: &Self::Connection) -> bool;

    /// Asks the server whether it still knows a connection. By default this is taken for granted.
    /// The pool drops the future when it takes too long, and then the connection is not fit.
    fn check(&self, connection: &Self::Connection) -> impl Future<Output = bool> {
        let _ = connection;
        async { true }
    }

    /// Takes a connection that will not be lent again, and the place that it has in the pool: whoever
    /// has to say good-bye keeps both until that is done. By default both are dropped.
    fn discard(&self, connection: Self::Connection, place: Place) {
        drop(connection);
        drop(place);
    }
}

/// How large a [`Pool`] is, and how long what may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Most connections of one core. Default: 4. The server has to bear as many from every core.
    pub size: usize,
    /// Longest time that [`Pool::get`] takes, to wait for a connection and to make one. Default: 5 s.
    pub wait: Duration,
    /// A connection that was not used for as long is closed. Default: 10 min.
    pub idle_timeout: Duration,
    /// A connection that is as old is lent no more, so that a server which is moved, or grown, is
    /// found. Default: 30 min.
    pub lifetime: Duration,
    /// A connection that was not used for as long is checked before it is lent. Default: 30 s.
    pub check_after: Duration,
}

impl Default for PoolOptions {
    fn default() -> PoolOptions {
        PoolOptions {
            size: POOL_CONNECTIONS,
            wait: POOL_WAIT,
            idle_timeout: POOL_IDLE,
            lifetime: POOL_LIFETIME,
            check_after: POOL_CHECK,
        }
    }
}

/// Why a [`Pool`] lends nothing. `?` makes it an [`Error`] with status 503, and itself the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// All connections are in use, and it was nobody's turn in time.
    #[error("all {size} connections of the core were in use for {within:?}")]
    Exhausted {
        /// How many there may be.
        size: usize,
        /// How long was waited.
        within: Duration,
    },
    /// A connection could not be made.
    #[error("a connection could not be made")]
    Connect(#[source] Box<dyn StdError + Send + Sync>),
    /// A connection could not be made, or checked, in time.
    #[error("a connection was not ready within {within:?}")]
    TimedOut {
        /// How long was waited.
        within: Duration,
    },
    /// The pool was closed.
    #[error("the pool is closed")]
    Closed,
}

/// What a [`Pool`] holds and has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Most connections that there may be.
    pub size: usize,
    /// Connections that are lent, being made or being discarded.
    pub lent: usize,
    /// Connections that rest.
    pub resting: usize,
    /// Callers of [`Pool::get`] that wait for their turn.
    pub waiting: usize,
    /// Connections lent so far.
    pub lent_total: u64,
    /// Connections made so far.
    pub made_total: u64,
    /// Connections discarded so far.
    pub discarded_total: u64,
    /// Attempts to make one that failed, or took too long.
    pub failed_total: u64,
    /// Callers who waited in vain.
    pub exhausted_total: u64,
}

/// A pool of connections on one core. Clones are the same pool.
pub struct Pool<M: Manager>(Rc<Inner<M>>);

struct Inner<M: Manager> {
    manager: M,
    time: Time,
    options: PoolOptions,
    places: Places,
    /// The one that was used last is the last.
    resting: RefCell<VecDeque<Resting<M::Connection>>>,
    totals: Cell<PoolStatus>,
}

/// A connection, and since when there is one.
struct Made<C> {
    connection: C,
    made_at: Duration,
}

struct Resting<C> {
    made: Made<C>,
    since: Duration,
}

impl<M: Manager> Pool<M> {
    /// A pool that has no connection yet. `time` is that of the core:
    /// [`Shard::time`](crate::Shard::time).
    pub fn new(manager: M, time: Time, options: PoolOptions) -> Pool<M> {
        let size = options.size.max(1);
        Pool(Rc::new(Inner {
            manager,
            time,
            options: PoolOptions { size, ..options },
            places: Places::new(size),
            resting: RefCell::default(),
            totals: Cell::default(),
        }))
    }

    /// Lends a connection: one that rests, or a new one; waits for either if it must.
    ///
    /// # Errors
    /// 503, with a [`PoolError`] as its source.
    pub async fn get(&self) -> Result<Pooled<M>, Error> {
        let (inner, within) = (&self.0, self.0.options.wait);
        let is_waiting = Cell::new(false);
        let work = inner.obtain(&is_waiting);
        let outcome = inner.time.limit(within, work).await;
        let outcome = outcome.unwrap_or_else(|_| {
            let size = inner.options.size;
            Err(match is_waiting.get() {
                true => PoolError::Exhausted { size, within },
                false => PoolError::TimedOut { within },
            })
        });
        inner.count(|totals| match &outcome {
            Ok(_) => totals.lent_total += 1,
            Err(PoolError::Exhausted { .. }) => totals.exhausted_total += 1,
            Err(PoolError::Connect(_) | PoolError::TimedOut { .. }) => totals.failed_total += 1,
            Err(PoolError::Closed) => {}
        });
        outcome.map_err(Error::from)
    }

    /// What it holds and has done.
    pub fn status(&self) -> PoolStatus {
        let (lent, waiting) = self.0.places.lent();
        PoolStatus {
            size: self.0.options.size,
            lent,
            waiting,
            resting: self.0.resting.borrow().len(),
            ..self.0.totals.get()
        }
    }

    /// Closes the connections that have rested, or lived, for too long.
    pub fn tidy(&self) {
        let (inner, now) = (&self.0, self.0.time.now());
        // Who has rested the longest need not be the oldest: any of them may be over its time.
        let is_over = |resting: &Resting<_>| {
            let rested = now.saturating_sub(resting.since);
            rested >= inner.options.idle_timeout || inner.is_old(&resting.made)
        };
        while inner.discard_resting(is_over) {}
    }

    /// Tidies for as long as there is the pool: to be run by [`App::background`], say.
    ///
    /// [`App::background`]: crate::App::background
    pub fn keep_tidy(&self) -> impl Future<Output = ()> + use<M> {
        let (pool, time) = (Rc::downgrade(&self.0), self.0.time.clone());
        let pause = self.0.options.idle_timeout.min(self.0.options.lifetime) / 4;
        async move {
            loop {
                time.sleep(pause.max(TIDY_PAUSE)).await;
                let Some(pool) = pool.upgrade() else {
                    return;
                };
                Pool(pool).tidy();
            }
        }
    }

    /// Lends no more, closes every connection as it comes back, and waits until all are closed.
    pub async fn close(&self) {
        self.0.places.close();
        loop {
            while self.0.discard_resting(|_| true) {}
            self.0.places.settled().await;
            if self.0.resting.borrow().is_empty() {
                return;
            }
        }
    }

    /// What makes its connections.
    pub fn manager(&self) -> &M {
        &self.0.manager
    }
}

impl<M: Manager> Inner<M> {
    /// A connection, as soon as it is this caller's turn and one is ready.
    async fn obtain(self: &Rc<Self>, is_waiting: &Cell<bool>) -> Result<Pooled<M>, PoolError> {
        loop {
            is_waiting.set(true);
            let turn = self.places.take().await;
            let place = turn.map_err(|places::Closed| PoolError::Closed)?;
            is_waiting.set(false);
            let newest = self.resting.borrow_mut().pop_back();
            let Some(Resting { made, since }) = newest else {
                let made = self.manager.connect().await.map_err(PoolError::Connect)?;
                self.count(|totals| totals.made_total += 1);
                return Ok(self.lend(made, self.time.now(), place));
            };
            let is_fit = self.is_fit(&made);
            let rested = self.time.now().saturating_sub(since);
            let is_checked = rested < self.options.check_after;
            let mut pooled = self.lend(made.connection, made.made_at, place);
            // Until it has passed: a check that is cut off has not, and its answer is still to come.
            pooled.is_sound = false;
            if is_fit && (is_checked || self.manager.check(&pooled).await) {
                pooled.is_sound = true;
                return Ok(pooled);
            }
            // Its place is discarded with it, and the next attempt waits for a turn.
        }
    }

    fn lend(
        self: &Rc<Self>,
        connection: M::Connection,
        made_at: Duration,
        place: Place,
    ) -> Pooled<M> {
        let made = Made {
            connection,
            made_at,
        };
        Pooled {
            lent: Some((made, place)),
            is_sound: true,
            pool: Rc::clone(self),
        }
    }

    /// Takes back what was lent.
    fn put_back(&self, made: Made<M::Connection>, place: Place) {
        let since = self.time.now();
        self.resting.borrow_mut().push_back(Resting { made, since });
        drop(place);
    }

    fn discard(&self, made: Made<M::Connection>, place: Place) {
        self.count(|totals| totals.discarded_total += 1);
        self.manager.discard(made.connection, place);
    }

    /// Discards the one that has rested the longest of those that `is_over` is true of, if there is
    /// any that nobody was promised.
    fn discard_resting(&self, is_over: impl Fn(&Resting<M::Connection>) -> bool) -> bool {
        let Some(place) = self.places.try_take() else {
            return false;
        };
        let mut resting = self.resting.borrow_mut();
        let found = resting.iter().position(is_over);
        let found = found.and_then(|found| resting.remove(found));
        drop(resting);
        let Some(found) = found else {
            return false;
        };
        self.discard(found.made, place);
        true
    }

    /// Whether a connection may be lent, as far as can be told without the server.
    fn is_fit(&self, made: &Made<M::Connection>) -> bool {
        !self.places.is_closed() && !self.is_old(made) && self.manager.is_fit(&made.connection)
    }

    fn is_old(&self, made: &Made<M::Connection>) -> bool {
        self.time.now().saturating_sub(made.made_at) >= self.options.lifetime
    }

    fn count(&self, change: impl FnOnce(&mut PoolStatus)) {
        let mut totals = self.totals.get();
        change(&mut totals);
        self.totals.set(totals);
    }
}

/// A connection that a [`Pool`] has lent. It goes back when this is dropped, if it is still fit.
pub struct Pooled<M: Manager> {
    /// Taken only on the way back.
    lent: Option<(Made<M::Connection>, Place)>,
    /// Whether it may be lent again if it is fit.
    is_sound: bool,
    pool: Rc<Inner<M>>,
}

impl<M: Manager> Pooled<M> {
    /// Has the connection closed rather than lent again.
    pub fn discard(mut self) {
        self.is_sound = false;
    }
}

impl<M: Manager> Deref for Pooled<M> {
    type Target = M::Connection;

    fn deref(&self) -> &M::Connection {
        match &self.lent {
            Some((made, _)) => &made.connection,
            None => unreachable!("taken only on the way back"),
        }
    }
}

impl<M: Manager> DerefMut for Pooled<M> {
    fn deref_mut(&mut self) -> &mut M::Connection {
        match &mut self.lent {
            Some((made, _)) => &mut made.connection,
            None => unreachable!("taken only on the way back"),
        }
    }
}

impl<M: Manager> Drop for Pooled<M> {
    fn drop(&mut self) {
        let Some((made, place)) = self.lent.take() else {
            return;
        };
        match self.is_sound && self.pool.is_fit(&made) {
            true => self.pool.put_back(made, place),
            false => self.pool.discard(made, place),
        }
    }
}

impl<M: Manager> Clone for Pool<M> {
    fn clone(&self) -> Pool<M> {
        Pool(Rc::clone(&self.0))
    }
}

impl<M: Manager> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.status()).finish()
    }
}

impl<M: Manager> fmt::Debug for Pooled<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").finish_non_exhaustive()
    }
}
