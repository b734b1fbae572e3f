//! Keeps a connection: makes it, drives it, makes it again when it breaks, and asks on it.
//!
//! ```text
//!             ┌──────────────── broke, was silent, panicked ◀───────────┐
//!             ▼                                                         │
//! start ─▶ connecting ─▶ live (driven by the keeper's task) ────────────┘
//!             ▲   └── failed ─▶ away ── pause ──┐
//!             └─────────────────────────────────┘       the last handle is dropped: the task ends
//! ```

use super::connect::connect;
use super::dedicated::Dedicated;
use super::link::{self, Link, Reason};
use super::options::Options;
use crate::app::Time;
use crate::flag::Flag;
use crate::limits::{RECONNECT_PAUSE, RECONNECT_PAUSE_MAX};
use crate::log;
use crate::ring::Ring;
use futures_lite::FutureExt;
use futures_lite::future::or;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisResult};
use std::cell::{Cell, OnceCell};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

/// What the handles of a connection share with the task that keeps it.
pub(super) struct Keeper {
    kept: Rc<Kept>,
}

struct Kept {
    ring: Ring,
    time: Time,
    options: Options,
    link: Link,
    /// No handle is left.
    forgotten: Flag,
}

/// A connection that is there.
pub(super) struct Live {
    connection: MultiplexedConnection,
    /// Commands that were answered.
    answered: Cell<u64>,
    /// It is to be given up.
    dead: Flag,
}

impl Keeper {
    /// A keeper, and its task on this core.
    pub(super) fn start(ring: Ring, time: Time, options: Options) -> Rc<Keeper> {
        let kept = Rc::new(Kept {
            ring,
            time,
            options,
            link: Link::default(),
            forgotten: Flag::default(),
        });
        let task = Rc::clone(&kept);
        glommio::spawn_local(async move { or(task.keep(), task.forgotten.wait()).await }).detach();
        Rc::new(Keeper { kept })
    }

    /// Does `work` on the connection, within the time for a command.
    pub(super) async fn ask<T>(
        &self,
        work: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let kept = &self.kept;
        let used = OnceCell::new();
        let asking = async {
            let live = kept.link.live().await?;
            let (live, _) = used.get_or_init(|| (Rc::clone(&live), live.answered.get()));
            let answer = work(live.connection.clone()).await;
            live.answered.set(live.answered.get() + 1);
            answer
        };
        let limit = kept.options.command_timeout;
        if let Ok(answer) = kept.time.limit(limit, asking).await {
            return answer;
        }
        if let Some((live, answered)) = used.get()
            && live.answered.get() == *answered
        {
            // Nobody else was answered meanwhile either.
            live.dead.raise();
        }
        Err(link::unanswered(limit))
    }

    /// A connection besides that, whose commands wait for `limit` at most.
    pub(super) async fn dedicated(&self, limit: Duration) -> RedisResult<Dedicated> {
        let Kept {
            ring,
            time,
            options,
            ..
        } = &*self.kept;
        Dedicated::connect(ring, time, options, limit).await
    }

    pub(super) fn is_connected(&self) -> bool {
        self.kept.link.is_live()
    }

    pub(super) fn database(&self) -> i64 {
        self.kept.options.login.db()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.kept.forgotten.raise();
    }
}

impl Kept {
    /// Keeps the connection, for ever.
    async fn keep(&self) {
        let mut pause = RECONNECT_PAUSE;
        loop {
            let outcome = AssertUnwindSafe(self.connect_and_drive()).catch_unwind();
            let reason = outcome.await.unwrap_or_else(|payload| {
                log::connection_panicked("Redis", &*payload);
                Reason::Broke(Duration::ZERO)
            });
            // One that held is made again at once; what breaks again and again is not.
            if matches!(reason, Reason::Broke(after) if after >= RECONNECT_PAUSE_MAX) {
                pause = RECONNECT_PAUSE;
            } else {
                self.link.away(reason);
                self.time.sleep(pause).await;
                pause = (pause * 2).min(RECONNECT_PAUSE_MAX);
            }
            self.link.connecting();
        }
    }

    /// Makes a connection, and drives it until there is a reason to do so no more.
    async fn connect_and_drive(&self) -> Reason {
        let config = AsyncConnectionConfig::new();
        let Kept { options, .. } = self;
        let made = connect(&self.ring, &self.time, options, &options.login, config);
        let (connection, driver) = match made.await {
            Ok(made) => made,
            Err(reason) => return reason,
        };
        let since = self.time.now();
        let live = Rc::new(Live {
            connection,
            answered: Cell::new(0),
            dead: Flag::default(),
        });
        self.link.connected(Rc::clone(&live));
        or(driver, live.dead.wait()).await;
        Reason::Broke(self.time.now().saturating_sub(since))
    }
}
