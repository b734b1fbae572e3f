//! A shard's life from start to end.

use super::lanes::CoreHost;
use super::leaving::Leaving;
use super::messages::{Order, Report};
use super::newest::Newest;
use super::reserved::Taken;
use super::schedule::{Account, Schedule};
use super::time::next_tick_ns;
use super::{Door, Shard, acceptor, lanes, stats};
use crate::app::App;
use crate::between::{Core, Exchange};
use crate::config::StatsAccess;
use crate::connection::{Service, Transport};
use crate::failure::Failure;
use crate::files::Policy;
use crate::flag::Flag;
use crate::http::CloseReason;
use crate::latest::Latest;
use crate::limits::{
    DRAIN_GRACE, END_GRACE, Limits, RESERVED_CONNECTIONS, STATS_CONNECTIONS, STATS_FOLLOWERS,
};
use crate::log::{self, Log};
use crate::permits::Permits;
use crate::preflight;
use crate::ring::{self, Deadline, Listener, Notified, Notifier, Ring, RingOptions, StartError};
use crate::stats::{ReceiveBuffers, Recorder, RouteName, ServerInfo, Snapshot};
use futures_lite::future::{or, yield_now};
use http::HeaderValue;
use slab::Slab;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};

/// Makes the application of a core.
pub(crate) type Factory = Arc<dyn Fn(&Shard) -> App + Send + Sync>;

/// Connections that a shard may have at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credit {
    pub(crate) plain: usize,
    /// Where the app serves files, of which each connection may have one open.
    pub(crate) with_files: usize,
}

/// What a shard is made from.
pub(crate) struct Setup {
    pub(crate) index: usize,
    pub(crate) cpu: usize,
    /// Listening sockets of this shard alone, one for each address.
    pub(crate) sockets: Vec<Arc<OwnedFd>>,
    /// That of the statistics' own address, if they have one.
    pub(crate) stats_socket: Option<Arc<OwnedFd>>,
    pub(crate) options: RingOptions,
    pub(crate) limits: Limits,
    pub(crate) credit: Credit,
    pub(crate) server_header: Option<HeaderValue>,
    pub(crate) files: Policy,
    pub(crate) access: StatsAccess,
    pub(crate) info: ServerInfo,
    pub(crate) newest: Newest,
    pub(crate) factory: Factory,
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) orders: Receiver<Order>,
    pub(crate) reports: Sender<Report>,
}

/// Runs a shard on this thread to its end, which it reports.
pub(crate) fn run(setup: Setup) {
    let (shard, reports) = (setup.index, setup.reports.clone());
    let (cpu, options) = (setup.cpu, setup.options);
    let exchange = Arc::clone(&setup.exchange);
    log::panic::are_caught();
    let outcome = match ring::run(Some(cpu), options, |ring| live(ring, setup)) {
        Ok(outcome) => outcome,
        Err(StartError::Setup(error) | StartError::Buffers(error)) => {
            Err(preflight::ring_error(&error))
        }
        Err(error) => {
            let panic = log::panic::take_noted().filter(|_| matches!(error, StartError::Panicked));
            let panic = panic.map(|panic| format!(": {}, at {}", panic.message, panic.place));
            Err(Failure::run(
                format!(
                    "the shard of CPU {cpu} could not run: {error}{}",
                    panic.unwrap_or_default()
                ),
                "run corelane doctor",
            ))
        }
    };
    exchange.leave(shard);
    // Without a supervisor there is nobody to tell.
    let _ = reports.send(Report::Ended { shard, outcome });
}

async fn live(ring: Ring, setup: Setup) -> Result<(), Failure> {
    // The thread that glommio makes for blocking calls has inherited the name until now. A name
    // that the kernel does not take costs nothing but clarity.
    if let Ok(name) = CString::new(format!("shard-{}", setup.index)) {
        let _ = rustix::thread::set_name(&name);
    }
    if ring.is_small() {
        log::ring_is_small(setup.index);
    }
    let (notifier, notified) = notified(&ring)?;
    let shard = Rc::new(Shard {
        index: setup.index,
        cpu: setup.cpu,
        service: Service::new(
            recorder(&setup),
            Log::new(setup.index),
            setup.limits,
            setup.server_header,
        ),
        connections: RefCell::new(Slab::with_capacity(RESERVED_CONNECTIONS)),
        accepting: Cell::new(0),
        tasks: super::Tasks::default(),
        files: OnceCell::new(),
        life: RefCell::default(),
        closings: Cell::new(0),
        ending: Cell::new(false),
        quiet: Flag::default(),
        parting: Flag::default(),
        drained: Flag::default(),
        ended: Flag::default(),
        access: setup.access,
        leaving: Leaving::default(),
        taken: Cell::default(),
        info: setup.info,
        merged: Latest::new(()),
        newest: setup.newest,
        account: Account::new(Schedule::of_this_thread().ok()),
        fresh: RefCell::default(),
        written: stats::Written::default(),
        followers: Permits::new(STATS_FOLLOWERS),
        reports: setup.reports,
        core: Core::new(
            setup.index,
            Arc::clone(&setup.exchange),
            CoreHost::new(setup.index, &ring),
        ),
        ring,
    });
    let mut app = (setup.factory)(&shard);
    setup.exchange.seal(shard.index);
    if shard.core.has_lanes() {
        lanes::connect(&shard)?;
    }
    let mut life = app.take_life();
    let router = shard.build(app, &setup.files)?;
    let routes: Vec<_> = router
        .routes()
        .map(|route| {
            let name = RouteName::new(route.host, route.template);
            match route.method {
                Some(method) => name.of(method),
                None => name,
            }
        })
        .collect();
    shard.recorder().know_routes(&routes);
    shard.taken.set(Taken::by(&router));
    shard.service.route_by(router);
    observe_turns(&shard);
    for work in std::mem::take(&mut life.start) {
        work.await.map_err(|error| {
            let what = format!("the application cannot start: {error:?}");
            Failure::run(what, "see what it needs")
        })?;
    }
    for task in std::mem::take(&mut life.tasks) {
        glommio::spawn_local(task).detach();
    }
    shard.life.borrow_mut().append(&mut life);
    let ready = Report::Ready {
        shard: shard.index,
        notifier,
        schedule: Schedule::of_this_thread().ok(),
        routes,
    };
    if shard.reports.send(ready).is_err() {
        return Ok(());
    }
    let mut mailbox = Mailbox {
        tick: Deadline::new(&shard.ring),
        idle_ns: shard.ring.idle_ns(),
        ticked_ns: shard.ring.now_ns(),
        spares: Vec::with_capacity(SPARES),
        credit: setup.credit,
        sockets: setup.sockets,
        stats_socket: setup.stats_socket,
        orders: setup.orders,
        shard,
    };
    mailbox.arm_tick();
    mailbox.run(notified).await;
    lanes::end(&mailbox.shard).await;
    log::shard_ended(mailbox.shard.index, mailbox.shard.cpu);
    Ok(())
}

/// The recorder of a core: of latencies only if there is a `/stats` to read them at.
fn recorder(setup: &Setup) -> Recorder {
    let recorder = Recorder::new(setup.cpu, CloseReason::NAMES)
        .with_stall_threshold(setup.info.stall_threshold);
    if setup.access.enabled {
        recorder
    } else {
        recorder.without_latencies()
    }
}

/// Has the turns of the core's loop recorded.
fn observe_turns(shard: &Rc<Shard>) {
    let observed = Rc::downgrade(shard);
    let ring = shard.ring();
    shard.account.look(ring.now_ns(), ring.waited_ns());
    shard.ring.observe_turns(move |late_ns| {
        let Some(shard) = observed.upgrade() else {
            return;
        };
        let now_ns = shard.ring.now_ns();
        if shard.recorder().turned(late_ns, now_ns) {
            let waited_ns = shard.ring.waited_ns();
            let ran = shard.account.look_behind(now_ns, waited_ns, late_ns);
            shard.recorder().ran_in_stall(ran);
        }
    });
}

/// A pair of ends to wake the shard by.
pub(super) fn notified(ring: &Ring) -> Result<(Notifier, Notified), Failure> {
    Notified::new(ring).map_err(|error| {
        let what = format!("no descriptor for a shard's mailbox: {error}");
        Failure::run(what, "raise LimitNOFILE= in the systemd unit, or ulimit -n")
    })
}

/// How much of what snapshots are made of waits to be filled again. It is megabytes, and freeing it takes the core
/// some time; two are under way where fresh statistics are asked for.
const SPARES: usize = 2;

/// The shard's end of the messages between it and the supervisor.
struct Mailbox {
    shard: Rc<Shard>,
    orders: Receiver<Order>,
    tick: Deadline,
    /// The ring's idle time and clock at the last snapshot.
    idle_ns: u64,
    ticked_ns: u64,
    /// What snapshots are made of: as many as were under way at the same time, and no more than [`SPARES`].
    spares: Vec<Snapshot>,
    credit: Credit,
    sockets: Vec<Arc<OwnedFd>>,
    stats_socket: Option<Arc<OwnedFd>>,
}

impl Mailbox {
    async fn run(&mut self, mut notified: Notified) {
        let mut is_due = false;
        loop {
            loop {
                match self.orders.try_recv() {
                    // A supervisor that is gone has nothing more to say.
                    Ok(Order::Abort) | Err(TryRecvError::Disconnected) => return,
                    Ok(order) => self.obey(order).await,
                    Err(TryRecvError::Empty) => break,
                }
            }
            if self.shard.drained.is_raised() {
                self.end().await;
                // The last word: what the connections did until their end.
                self.report(None);
                return;
            }
            // Behind the orders, which may have brought back what it is made of.
            if is_due {
                self.report(None);
                let now_ns = self.shard.ring.now_ns();
                self.shard.service.log.tick(now_ns);
                self.shard
                    .files
                    .get()
                    .into_iter()
                    .for_each(|files| files.tick(now_ns));
            }
            // An eventfd that belongs to us alone cannot fail; if it did, the tick looks as well.
            let notification = async {
                let _ = notified.wait().await;
            };
            or(
                notification,
                or(self.tick.passed(), self.shard.drained.wait()),
            )
            .await;
            is_due = self.tick.has_passed();
            if is_due {
                self.arm_tick();
            }
        }
    }

    fn arm_tick(&self) {
        self.tick.arm_at(next_tick_ns(self.shard.ring.now_ns()));
    }

    /// Does what is left to do without connections.
    async fn end(&self) {
        let deadline = Deadline::new(&self.shard.ring);
        deadline.arm(END_GRACE);
        let endings = std::mem::take(&mut self.shard.life.borrow_mut().end);
        let ending = async {
            for ending in endings {
                ending.await;
            }
            // Left in their waits, tasks would never be dropped.
            if let Some(files) = self.shard.files.get() {
                files.end().await;
            }
        };
        // What is not done by then is dropped with the core.
        let _ = deadline.limit(ending).await;
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Serve => self.serve(),
            Order::Snapshot { round } => {
                // Connections that were woken before this order came count their requests first:
                // who has read a response finds its request in fresh statistics.
                yield_now().await;
                self.report(Some(round));
            }
            Order::Spare(spare) if self.spares.len() < SPARES => self.spares.push(spare),
            Order::Spare(_) => {}
            Order::Merged => {
                self.shard.merged.publish(());
                self.shard.written.forget(&self.shard);
            }
            Order::Fresh { tokens } => stats::deliver(&self.shard, &tokens),
            Order::Leave => self.shard.leaving.announce(),
            Order::Drain => {
                self.shard.leaving.announce();
                self.shard.service.draining.raise();
                self.shard.close();
                glommio::spawn_local(drain(Rc::clone(&self.shard))).detach();
                glommio::spawn_local(finish(Rc::clone(&self.shard))).detach();
            }
            Order::Part => self.shard.parting.raise(),
            Order::Abort => {}
        }
    }

    fn serve(&self) {
        log::shard_serves(self.shard.index, self.shard.cpu);
        let connections = match self.shard.files.get() {
            Some(_) => self.credit.with_files,
            None => self.credit.plain,
        };
        // The listening sockets share what the shard may have.
        let credit = connections / self.sockets.len().max(1);
        for socket in &self.sockets {
            self.accept(socket, Door::Service, credit);
        }
        if let Some(socket) = &self.stats_socket {
            self.accept(socket, Door::Stats, STATS_CONNECTIONS);
        }
    }

    fn accept(&self, socket: &Arc<OwnedFd>, door: Door, credit: usize) {
        let listener = Listener::new(&self.shard.ring, Arc::clone(socket), credit);
        self.shard.accepting.set(self.shard.accepting.get() + 1);
        let accept = acceptor::accept(Rc::clone(&self.shard), door, Rc::new(listener));
        glommio::spawn_local(accept).detach();
    }

    /// Sends a snapshot.
    fn report(&mut self, round: Option<u64>) {
        let now_ns = self.shard.ring.clock_ns();
        let idle_ns = self.shard.ring.idle_ns();
        let waited = idle_ns - self.idle_ns;
        let mut recorder = self.shard.recorder();
        recorder.waited(waited);
        recorder.ran((now_ns - self.ticked_ns).saturating_sub(waited));
        recorder.receive_buffers(ReceiveBuffers {
            held: self.shard.ring.buffers_held() as u64,
            bytes: self.shard.ring.buffer_bytes() as u64,
        });
        recorder.log_left_out(self.shard.service.log.events_left_out());
        if let Some(files) = self.shard.files.get() {
            recorder.file_cache(files.cache.figures());
        }
        (self.ticked_ns, self.idle_ns) = (now_ns, idle_ns);
        if recorder.is_on() {
            // What it span it had a CPU for.
            let waited_ns = self.shard.ring.waited_ns();
            self.shard.account.look(now_ns, waited_ns);
        }
        let snapshot = match self.spares.pop() {
            Some(mut spare) => {
                recorder.snapshot_into(&mut spare, now_ns);
                spare
            }
            None => recorder.snapshot(now_ns),
        };
        // Without a supervisor there is nobody to tell.
        let _ = self
            .shard
            .reports
            .send(Report::Snapshot { snapshot, round });
    }
}

/// Ends the connections that have nothing to do, after a grace in which requests that were on
/// their way are answered. The others end with their responses.
async fn drain(shard: Rc<Shard>) {
    shard.check_quiet();
    let grace = Deadline::new(&shard.ring);
    grace.arm(DRAIN_GRACE);
    grace.passed().await;
    shard.ending.set(true);
    for (_, wire) in shard.connections.borrow().iter() {
        wire.transport.interrupt();
    }
    shard.check_quiet();
}

/// Does what is left to do when the last request of this shard has been answered.
async fn finish(shard: Rc<Shard>) {
    shard.quiet.wait().await;
    if shard.core.has_lanes() {
        let index = shard.index;
        // Without a supervisor there is nobody to wait for.
        if shard.reports.send(Report::Quiet { shard: index }).is_ok() {
            shard.parting.wait().await;
        }
        shard.core.close();
        shard.core.finished().await;
    }
    let cleanup = std::mem::take(&mut shard.life.borrow_mut().cleanup);
    for work in cleanup.into_iter().rev() {
        work.await;
    }
    shard.drained.raise();
}
