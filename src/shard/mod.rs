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
mod lanes;
mod leaving;
mod mailbox;
mod messages;
mod newest;
pub(crate) mod reserved;
mod schedule;
mod socket;
mod stats;
mod time;

use self::schedule::Account;
use self::socket::Socket;
use self::time::RingTime;
use crate::app::{Answer, App, Life, Router, Time, Timer};
use crate::between::{Core, Lanes, Mailbox, Sharded};
use crate::config::StatsAccess;
use crate::connection::{self, Host, Service, Transport, Wire};
use crate::failure::Failure;
use crate::files::common::Common;
use crate::files::{Files, Policy};
use crate::flag::Flag;
use crate::http::RequestHead;
use crate::latest::Latest;
use crate::limits::SPARE_TASKS;
use crate::permits::Permits;
use crate::preflight;
use crate::ring::{Listener, Ring, Stream};
use crate::stats::{Recorder, ServerInfo, Whose};
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::task::{Poll, Waker};
use std::time::Duration;

pub use self::leaving::Leaving;
pub(crate) use self::mailbox::{Credit, Factory, Setup, run};
pub(crate) use self::messages::{Order, Post, Report};
pub(crate) use self::newest::Newest;
pub(crate) use self::schedule::Schedule;
pub(crate) use self::time::next_tick_ns;

/// A core and all that it owns. The factory of its application gets to see it.
#[derive(Debug)]
pub struct Shard {
    index: usize,
    cpu: usize,
    ring: Ring,
    core: Core,
    service: Service,
    connections: RefCell<Slab<Rc<Wire<Socket>>>>,
    /// Acceptors that have not ended.
    accepting: Cell<usize>,
    tasks: Tasks<Accepted>,
    /// What all its folders have in common; `None` without any.
    files: OnceCell<Common>,
    /// What the app has still to do beside answering requests.
    life: RefCell<Life>,
    /// How much of what it does in a shutdown is not done.
    closings: Cell<usize>,
    /// Set when a shutdown begins, or is announced.
    leaving: Leaving,
    /// Set in a shutdown when idle connections are no longer waited for.
    ending: Cell<bool>,
    /// Raised in a shutdown when the last connection has ended.
    quiet: Flag,
    /// Raised in a shutdown when all shards are quiet.
    parting: Flag,
    /// Raised in a shutdown when nothing is left to do.
    drained: Flag,
    /// Raised at the shard's very end.
    ended: Flag,
    access: StatsAccess,
    taken: Cell<reserved::Taken>,
    info: ServerInfo,
    /// Told of each interval's merged statistics, for those who follow them.
    merged: Latest<()>,
    newest: Newest,
    /// What its thread had of the CPU.
    account: Account,
    fresh: RefCell<stats::Waiters>,
    written: stats::Written,
    /// Of the peers that follow its statistics.
    followers: Permits,
    reports: Sender<Report>,
}

/// Tasks that serve connections. One that has finished waits for the next connection, because
/// glommio takes a lock of the whole process to spawn one.
#[derive(Debug)]
struct Tasks<T> {
    queue: RefCell<VecDeque<T>>,
    idle: RefCell<IdleTasks>,
}

/// Tasks without a connection, in the order of their tickets.
#[derive(Debug, Default)]
struct IdleTasks {
    last_ticket: u64,
    tasks: Vec<(u64, Waker)>,
}

/// A connection on its way to its task, and the listener that has one less to give.
#[derive(Debug)]
struct Accepted {
    stream: Stream,
    door: Door,
    listener: Option<Rc<Listener>>,
}

/// Which address a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// One of the service's.
    Service,
    /// That of the statistics alone.
    Stats,
}

impl Shard {
    /// The shard's place among the server's shards, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Tells whether the server is about to go, for a route of the app that tells of its health.
    pub fn leaving(&self) -> Leaving {
        self.leaving.clone()
    }

    /// The number of the CPU that the shard is pinned to.
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// The time of the core, by which its app's handlers and middleware run.
    pub fn time(&self) -> Time {
        Time::new(RingTime(self.ring.clone()))
    }

    /// Runs `work` as the last in a shutdown, behind all of [`App::on_cleanup`](crate::App::on_cleanup) and
    /// in the order in which it was given: for what the core keeps and the app has used to its end, which
    /// says good-bye to other servers, say. All of it together has 1 s, within the
    /// [shutdown timeout](crate::Server::shutdown_timeout).
    pub fn on_end(&self, work: impl Future<Output = ()> + 'static) {
        self.life.borrow_mut().end.push(Box::pin(work));
    }

    /// The shard's ring, for handlers that open files, connect, or set deadlines of their own.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The shard among the server's others, for functions that make apps for tests as well.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Lanes for messages of the type `M` between all shards: [`Core::lanes`].
    pub fn lanes<M: Send + 'static>(&self) -> (Lanes<M>, Mailbox<M>) {
        self.core.lanes()
    }

    /// State that is kept once for the whole server, by key: [`Core::sharded`].
    pub fn sharded<Q, A, F>(&self, handler: impl Fn(Q) -> F + 'static) -> Sharded<Q, A>
    where
        Q: Send + 'static,
        A: Send + 'static,
        F: Future<Output = A> + 'static,
    {
        self.core.sharded(handler)
    }

    fn recorder(&self) -> RefMut<'_, Recorder> {
        self.service.recorder()
    }

    fn is_draining(&self) -> bool {
        self.service.is_draining()
    }

    /// Proves the routes of the core's application.
    fn build(&self, app: App, policy: &Policy) -> Result<Router, Failure> {
        let app = app.open_folders(&|path| {
            preflight::folder(path)?;
            let common = self.files.get_or_init(|| Common::new(policy.cache_bytes));
            let files = Files::sharing(&self.ring, path, policy.clone(), common);
            let files = files.map_err(|error| {
                let what = format!("the folder {} cannot be opened: {error}", path.display());
                Failure::operator(what, "make it readable for this user, or name another")
            })?;
            let line_bytes = self.service.limits().head.request_line_bytes;
            Ok::<_, Failure>(files.request_line_bytes(line_bytes))
        })?;
        self.service
            .equip(app, self.time())
            .build()
            .map_err(|error| Failure::operator(error.to_string(), "change the routes"))
    }

    /// Registers a connection.
    fn enter(&self, wire: &Rc<Wire<Socket>>) -> usize {
        if self.ending.get() {
            // It was accepted late in a shutdown: what it has sent is answered, no more waited for.
            wire.transport.interrupt();
        }
        self.connections.borrow_mut().insert(Rc::clone(wire))
    }

    /// Forgets a connection that ended.
    fn leave(&self, place: usize) {
        let wire = self.connections.borrow_mut().remove(place);
        drop(wire);
        self.check_quiet();
    }

    /// Counts the end of an acceptor, which comes with a shutdown.
    fn acceptor_ended(&self) {
        self.accepting.set(self.accepting.get() - 1);
        self.check_quiet();
    }

    /// Notes when a shutdown has no request left to wait for.
    fn check_quiet(&self) {
        let is_quiet = self.accepting.get() == 0
            && self.closings.get() == 0
            && self.connections.borrow().is_empty()
            && self.tasks.queue.borrow().is_empty();
        if self.is_draining() && is_quiet {
            self.quiet.raise();
        }
    }

    /// Has the app do what it does when a shutdown begins, and its folders stop what only their future
    /// requests would need.
    fn close(self: &Rc<Self>) {
        self.files.get().into_iter().for_each(Common::drain);
        let drain = std::mem::take(&mut self.life.borrow_mut().drain);
        for job in drain {
            self.closings.set(self.closings.get() + 1);
            let shard = Rc::clone(self);
            let closing = async move {
                job.await;
                shard.closings.set(shard.closings.get() - 1);
                shard.check_quiet();
            };
            glommio::spawn_local(closing).detach();
        }
    }

    /// Serves a connection on a task that waits for one, or on a new one.
    fn serve(self: &Rc<Self>, stream: Stream, door: Door, listener: Option<Rc<Listener>>) {
        let accepted = Accepted {
            stream,
            door,
            listener,
        };
        if !self.tasks.give(accepted) {
            glommio::spawn_local(work(Rc::clone(self))).detach();
        }
    }
}

impl Host for Shard {
    type Transport = Socket;

    fn service(&self) -> &Service {
        &self.service
    }

    fn wall_clock(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }

    fn reserved(
        self: &Rc<Self>,
        head: &RequestHead,
        peer: SocketAddr,
        socket: &Socket,
    ) -> Option<(Whose, Answer)> {
        reserved::answer(self, head, peer, socket.door())
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        RingTime(self.ring.clone()).passed(at_ns)
    }
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self {
            queue: RefCell::default(),
            idle: RefCell::default(),
        }
    }
}

impl<T> Tasks<T> {
    /// Queues a connection for the next task; false if none waits, so that one is to be made.
    #[must_use]
    fn give(&self, connection: T) -> bool {
        self.queue.borrow_mut().push_back(connection);
        let idle = self.idle.borrow_mut().tasks.pop();
        idle.map(|(_, task)| task.wake()).is_some()
    }

    /// The next connection for a task, or `None` when enough tasks wait already.
    async fn next(&self) -> Option<T> {
        let mut ticket = None;
        poll_fn(|cx| {
            let mut idle = self.idle.borrow_mut();
            // What a handler left behind may wake a task that was given no connection and still
            // stands here. It must not stand here while it serves one, nor twice: it would be woken
            // for a connection that nobody then serves.
            let place = ticket.and_then(|ticket| idle.place_of(ticket));
            if let Some(accepted) = self.queue.borrow_mut().pop_front() {
                place.map(|place| idle.tasks.remove(place));
                return Poll::Ready(Some(accepted));
            }
            if place.is_some() {
                return Poll::Pending;
            }
            if idle.tasks.len() >= SPARE_TASKS {
                return Poll::Ready(None);
            }
            ticket = Some(idle.enter(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

impl IdleTasks {
    /// Enters a task; the ticket is never used again.
    fn enter(&mut self, waker: Waker) -> u64 {
        self.last_ticket += 1;
        self.tasks.push((self.last_ticket, waker));
        self.last_ticket
    }

    /// Where the task with `ticket` stands, if it still does.
    fn place_of(&self, ticket: u64) -> Option<usize> {
        let place = self
            .tasks
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket);
        place.ok()
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
                next.map(|next| (serve(&shard, next.stream, next.door), next.listener))
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

/// Serves `stream` to its end, as a connection of the shard.
fn serve(shard: &Rc<Shard>, stream: Stream, door: Door) -> impl Future<Output = ()> {
    let wire = Rc::new(Wire::new(Socket::new(stream, door)));
    let place = shard.enter(&wire);
    let serving = connection::serve(shard, wire);
    async move {
        serving.await;
        shard.leave(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};
    use std::pin::pin;

    #[test]
    fn a_task_that_took_a_connection_unasked_is_not_asked_to_take_another() {
        let tasks = Tasks::default();
        let (mut first, mut second) = (pin!(tasks.next()), pin!(tasks.next()));
        block_on(async {
            assert!(poll_once(&mut first).await.is_none());
            assert!(poll_once(&mut second).await.is_none());
            // The second is woken for it, but the first comes by before.
            assert!(tasks.give(1));
            assert_eq!(poll_once(&mut first).await, Some(Some(1)));
            assert!(poll_once(&mut second).await.is_none());
            assert!(tasks.give(2));
            assert_eq!(poll_once(&mut second).await, Some(Some(2)));
            // Nobody is left: one is to be made.
            assert!(!tasks.give(3));
        });
    }

    #[test]
    fn a_task_waits_in_one_place_however_often_it_is_woken() {
        let tasks = Tasks::<u32>::default();
        let mut next = pin!(tasks.next());
        block_on(async {
            for _ in 0..3 {
                assert!(poll_once(&mut next).await.is_none());
                assert_eq!(tasks.idle.borrow().tasks.len(), 1);
            }
            // Woken for a connection that another task took: it waits again.
            tasks.idle.borrow_mut().tasks.clear();
            assert!(poll_once(&mut next).await.is_none());
            assert_eq!(tasks.idle.borrow().tasks.len(), 1);
        });
    }
}
