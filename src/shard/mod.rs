//! One core: everything that it needs to serve, and nothing that another core has.
//!
//! A [`Shard`] lives on its executor's thread from start to end. Connections, their buffers,
//! the routes with their handlers and the statistics are its own; between shards and the
//! supervisor go only messages (`Order`, `Report`).
//!
//! ```text
//! Acceptor ──stream──▶ task (kept and used again) ──▶ connection::serve
//! mailbox  ◀──Order── supervisor ◀──Report── mailbox, ticker, /stats
//! ```

mod acceptor;
mod connection;
mod exchange;
mod flag;
mod mailbox;
mod stats;
mod wire;

use self::connection::Work;
use self::flag::Flag;
use self::wire::Wire;
use crate::app::{App, Folder, Router};
use crate::config::StatsAccess;
use crate::failure::Failure;
use crate::files::Files;
use crate::http::{CloseReason, HttpDate, Preamble};
use crate::limits::{SPARE_TASKS, SPARE_WORK};
use crate::preflight;
use crate::ring::{Listener, Ring, Stream};
use crate::stats::{Recorder, ServerInfo, View};
use http::HeaderValue;
use slab::Slab;
use std::cell::{Cell, OnceCell, Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::task::{Poll, Waker};

pub(crate) use self::mailbox::{Factory, Order, Post, Report, Setup, run};

/// The value of the Server field.
const SERVER: HeaderValue = HeaderValue::from_static("corelane");

/// A core and all that it owns. The factory of its application gets to see it.
#[derive(Debug)]
pub struct Shard {
    index: usize,
    cpu: usize,
    ring: Ring,
    /// Set before the first connection is accepted.
    router: OnceCell<Router>,
    recorder: RefCell<Recorder>,
    preamble: RefCell<CachedPreamble>,
    connections: RefCell<Slab<Rc<Wire>>>,
    /// Acceptors that have not ended.
    accepting: Cell<usize>,
    tasks: Tasks,
    #[expect(clippy::vec_box, reason = "they move between here and the connections")]
    work: RefCell<Vec<Box<Work>>>,
    /// Raised when the shard shuts down: responses then end their connections.
    draining: Flag,
    /// Set when idle connections are no longer waited for after that.
    ending: Cell<bool>,
    /// Raised when its last connection has ended after that.
    drained: Flag,
    access: StatsAccess,
    info: ServerInfo,
    view: RefCell<Arc<View>>,
    fresh: RefCell<stats::Waiting>,
    reports: Sender<Report>,
}

/// Tasks that serve connections. One that has finished waits for the next connection, because
/// glommio takes a lock of the whole process to spawn one.
#[derive(Debug, Default)]
struct Tasks {
    queue: RefCell<VecDeque<Accepted>>,
    waiting: RefCell<Vec<Waker>>,
}

/// A connection on its way to its task, and the listener that has one less to give.
#[derive(Debug)]
struct Accepted {
    stream: Stream,
    listener: Option<Rc<Listener>>,
}

/// Date and Server, good until `until_ns` on the ring's clock.
#[derive(Debug)]
struct CachedPreamble {
    preamble: Preamble,
    until_ns: u64,
}

impl Shard {
    /// The shard's place among the server's shards, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The number of the CPU that the shard is pinned to.
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// The shard's ring, for handlers that open files, connect, or set deadlines of their own.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    fn router(&self) -> &Router {
        self.router
            .get()
            .unwrap_or_else(|| unreachable!("set before anything is accepted"))
    }

    fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// The Date and Server of a response made now. The clock is read once a second.
    fn preamble(&self) -> Ref<'_, Preamble> {
        if self.ring.now_ns() >= self.preamble.borrow().until_ns {
            *self.preamble.borrow_mut() = CachedPreamble::read(self.ring.now_ns());
        }
        Ref::map(self.preamble.borrow(), |cached| &cached.preamble)
    }

    fn is_draining(&self) -> bool {
        self.draining.is_raised()
    }

    /// Proves the routes of the core's application.
    fn build(&self, mut app: App) -> Result<Router, Failure> {
        for Folder { prefix, path } in app.take_folders() {
            preflight::folder(&path)?;
            let files = Files::open(&self.ring, &prefix, &path).map_err(|error| {
                let what = format!("the folder {} cannot be opened: {error}", path.display());
                Failure::operator(what, "make it readable for this user, or name another")
            })?;
            app = app.mount(&prefix, files);
        }
        app.build()
            .map_err(|error| Failure::operator(error.to_string(), "change the routes"))
    }

    /// Registers a connection.
    fn enter(&self, wire: &Rc<Wire>) -> usize {
        let mut recorder = self.recorder();
        recorder.accepted();
        recorder.connection_idle();
        if self.ending.get() {
            // It was accepted late in a shutdown: what it has sent is answered, no more waited for.
            wire.stream.interrupt();
        }
        self.connections.borrow_mut().insert(Rc::clone(wire))
    }

    /// Counts the end of a connection.
    fn leave(&self, place: usize, reason: CloseReason) {
        let mut recorder = self.recorder();
        recorder.connection_busy();
        recorder.closed(reason.index());
        drop(recorder);
        let wire = self.connections.borrow_mut().remove(place);
        drop(wire);
        self.check_drained();
    }

    /// Counts the end of an acceptor, which comes with a shutdown.
    fn acceptor_ended(&self) {
        self.accepting.set(self.accepting.get() - 1);
        self.check_drained();
    }

    /// Notes when a shutdown has nothing left to wait for.
    fn check_drained(&self) {
        let is_quiet = self.accepting.get() == 0
            && self.connections.borrow().is_empty()
            && self.tasks.queue.borrow().is_empty();
        if self.is_draining() && is_quiet {
            self.drained.raise();
        }
    }

    /// Serves a connection on a task that waits for one, or on a new one.
    fn serve(self: &Rc<Self>, stream: Stream, listener: Option<Rc<Listener>>) {
        self.tasks
            .queue
            .borrow_mut()
            .push_back(Accepted { stream, listener });
        let waiting = self.tasks.waiting.borrow_mut().pop();
        match waiting {
            Some(task) => task.wake(),
            None => drop(glommio::spawn_local(work(Rc::clone(self))).detach()),
        }
    }

    fn take_work(&self) -> Box<Work> {
        self.work.borrow_mut().pop().unwrap_or_default()
    }

    fn keep_work(&self, work: Box<Work>) {
        let mut kept = self.work.borrow_mut();
        if kept.len() < SPARE_WORK {
            kept.push(work);
        }
    }
}

impl Tasks {
    /// The next connection for a task, or `None` when enough tasks wait already.
    async fn next(&self) -> Option<Accepted> {
        let mut has_waited = false;
        poll_fn(|cx| {
            if let Some(accepted) = self.queue.borrow_mut().pop_front() {
                return Poll::Ready(Some(accepted));
            }
            let mut waiting = self.waiting.borrow_mut();
            // What a handler left behind may wake its task when there is no connection. A task that
            // stood here twice would be woken for a second connection while it serves the first,
            // and nobody would serve that one.
            if has_waited && waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if waiting.len() >= SPARE_TASKS {
                return Poll::Ready(None);
            }
            has_waited = true;
            waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// A task that serves one connection after the other. As long as one is open it costs memory, and so
/// nothing outlives the start of serving but what its end needs.
#[expect(
    clippy::manual_async_fn,
    reason = "an async function would keep its argument twice"
)]
fn work(shard: Rc<Shard>) -> impl Future<Output = ()> {
    async move {
        loop {
            let next = shard.tasks.next().await;
            let Some((serving, listener)) =
                next.map(|next| (connection::serve(&shard, next.stream), next.listener))
            else {
                break;
            };
            serving.await;
            if let Some(listener) = listener {
                listener.add_credit(1);
            }
        }
    }
}

impl CachedPreamble {
    /// Reads the clock, at `now_ns` on the ring's.
    fn read(now_ns: u64) -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let date = HttpDate::from_unix_seconds(now.tv_sec as u64);
        Self {
            preamble: Preamble::new(&date, Some(&SERVER)),
            until_ns: now_ns + 1_000_000_000 - now.tv_nsec as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    #[test]
    fn a_task_waits_in_one_place_however_often_it_is_woken() {
        let tasks = Tasks::default();
        let mut next = pin!(tasks.next());
        block_on(async {
            for _ in 0..3 {
                assert!(poll_once(&mut next).await.is_none());
                assert_eq!(tasks.waiting.borrow().len(), 1);
            }
            // Woken for a connection that another task took: it waits again.
            tasks.waiting.borrow_mut().clear();
            assert!(poll_once(&mut next).await.is_none());
            assert_eq!(tasks.waiting.borrow().len(), 1);
        });
    }
}
