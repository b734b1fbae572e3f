//! The supervisor: starts the shards, merges their statistics, passes messages on, and shuts the
//! shards down. It runs on a thread of its own that is pinned nowhere, and no request waits for it
//! but one that asks for fresh statistics.

use super::listen::Listening;
use super::pace::Pace;
use super::rounds::Rounds;
use super::surroundings;
use crate::between::Exchange;
use crate::config::StatsAccess;
use crate::failure::Failure;
use crate::files::Policy;
use crate::http::CloseReason;
use crate::limits::{Limits, SNAPSHOT_INTERVAL};
use crate::log;
use crate::ring::{self, RingOptions, monotonic_ns};
use crate::shard::{
    self, Credit, Factory, Newest, Order, Post, Report, Schedule, Setup, next_tick_ns,
};
use crate::stats::{AcceptQueue, Build, Outside, ServerInfo, Snapshot, Totals, View};
use http::HeaderValue;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

/// What a supervisor is made from.
pub(super) struct Plan {
    pub(super) cpus: Vec<usize>,
    pub(super) listening: Listening,
    /// The statistics' own address, if they have one.
    pub(super) stats_listening: Option<Listening>,
    pub(super) options: RingOptions,
    pub(super) limits: Limits,
    pub(super) credit: Credit,
    pub(super) server_header: Option<HeaderValue>,
    pub(super) files: Policy,
    pub(super) access: StatsAccess,
    pub(super) stall_threshold: Duration,
    pub(super) shutdown_timeout: Duration,
    pub(super) shutdown_delay: Duration,
    pub(super) factory: Factory,
    pub(super) inbox: Receiver<Report>,
    pub(super) reports: Sender<Report>,
}

/// The shards, as seen from between them.
pub(super) struct Supervisor {
    plan: Plan,
    posts: Vec<Option<Post>>,
    /// Of each shard's thread, if the kernel tells of it.
    schedules: Vec<Option<Schedule>>,
    running: usize,
    /// Shards that have no requests left.
    quiet: Vec<bool>,
    totals: Totals,
    pace: Pace,
    /// Those that shards may still have, and this besides, so that they are freed here: that of thousands of
    /// distributions would hold a core up.
    views: Vec<Arc<View>>,
    newest: Newest,
    rounds: Rounds,
    /// When the shutdown begins, once it was announced.
    leaving_at: Option<Instant>,
    /// When the shutdown has to be over, once one began.
    draining_until: Option<Instant>,
    failure: Option<Failure>,
}

impl Supervisor {
    pub(super) fn new(plan: Plan) -> Self {
        let shards = plan.cpus.len();
        let totals = Totals::new(&plan.cpus, CloseReason::NAMES, monotonic_ns());
        Self {
            newest: Newest::new(Arc::new(totals.merge(monotonic_ns()))),
            totals,
            pace: Pace::new(),
            views: Vec::new(),
            posts: (0..shards).map(|_| None).collect(),
            schedules: (0..shards).map(|_| None).collect(),
            running: 0,
            quiet: vec![false; shards],
            rounds: Rounds::new(shards, Instant::now()),
            leaving_at: None,
            draining_until: None,
            failure: None,
            plan,
        }
    }

    /// The addresses listened on, with the ports that were picked.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.plan.listening.addresses
    }

    /// The address of the statistics alone, with the port that was picked.
    pub(super) fn stats_address(&self) -> Option<SocketAddr> {
        let listening = self.plan.stats_listening.as_ref()?;
        listening.addresses.first().copied()
    }

    fn stats_socket(&self, shard: usize) -> Option<Arc<OwnedFd>> {
        let listening = self.plan.stats_listening.as_ref()?;
        listening.by_shard[shard].first().cloned()
    }

    /// Starts every shard and, when all of them can, has them serve.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let started_ns = monotonic_ns();
        let info = ServerInfo {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            build: Build::OWN,
            pid: std::process::id(),
            instance: surroundings::new_uuid(),
            started_at: SystemTime::now(),
            started_ns,
            cores: self.plan.cpus.len(),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            stall_threshold: self.plan.stall_threshold,
            busy_poll: self.plan.options.busy_poll,
            receive_buffers: self.plan.options.buffers.into(),
        };
        self.totals.tell_time(started_ns, info.started_at);
        self.totals.surround(surroundings::read(|| ()));
        self.share(started_ns);
        let exchange = Arc::new(Exchange::new(self.plan.cpus.len()));
        let mut orders_by_shard = Vec::new();
        for (index, cpu) in self.plan.cpus.iter().copied().enumerate() {
            let (orders, receiver) = channel();
            orders_by_shard.push(orders);
            let setup = Setup {
                index,
                cpu,
                sockets: self.plan.listening.by_shard[index].clone(),
                stats_socket: self.stats_socket(index),
                options: self.plan.options,
                limits: self.plan.limits,
                credit: self.plan.credit,
                server_header: self.plan.server_header.clone(),
                files: self.plan.files.clone(),
                access: self.plan.access.clone(),
                info: info.clone(),
                newest: self.newest.clone(),
                factory: Arc::clone(&self.plan.factory),
                exchange: Arc::clone(&exchange),
                orders: receiver,
                reports: self.plan.reports.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("blocking-{index}"));
            if let Err(error) = thread.spawn(move || shard::run(setup)) {
                self.abort();
                return Err(Failure::no_thread(&error));
            }
            self.running += 1;
        }
        while self.posts.iter().any(Option::is_none) {
            match self.plan.inbox.recv() {
                Ok(Report::Ready {
                    shard,
                    notifier,
                    schedule,
                    routes,
                }) => {
                    self.totals.know_routes(self.plan.cpus[shard], routes);
                    let orders = orders_by_shard[shard].clone();
                    self.posts[shard] = Some(Post { orders, notifier });
                    self.schedules[shard] = schedule;
                }
                Ok(Report::Ended { outcome, .. }) => {
                    self.running -= 1;
                    self.abort();
                    let ended =
                        || Failure::run("a shard ended before it served", "run corelane doctor");
                    return Err(outcome.err().unwrap_or_else(ended));
                }
                // It takes the others longer than a tick: what has left a core with a snapshot is nowhere else.
                Ok(Report::Snapshot { snapshot, round }) => self.take(snapshot, round),
                Ok(Report::Signal | Report::Stop) => {
                    self.abort();
                    return Err(Failure::run("stopped while starting", "start it again"));
                }
                Ok(_) => {}
                Err(_) => unreachable!("the plan holds a sender"),
            }
        }
        self.send_all(|| Order::Serve);
        Ok(())
    }

    /// Serves until told to stop; returns when the shards have ended, or have to.
    pub(super) fn supervise(mut self) -> Result<(), Failure> {
        let mut merge_at = next_merge();
        // Whether nothing lay in the inbox when it was looked at last.
        let mut are_read = false;
        while self.running > 0 {
            if Instant::now() >= merge_at {
                // Without them (`--no-stats`) nobody can ask.
                if self.plan.access.enabled {
                    self.publish();
                    are_read = false;
                }
                merge_at = next_merge();
            }
            self.move_rounds(are_read);
            // Both of these may have taken a while.
            let now = Instant::now();
            if self.leaving_at.is_some_and(|at| now >= at) {
                self.drain();
            }
            if self.draining_until.is_some_and(|until| now >= until) {
                log::shutdown_is_cut_short(self.running);
                self.abort();
                break;
            }
            let wake_at = [self.rounds.wake_at(), self.leaving_at]
                .into_iter()
                .flatten()
                .chain(self.draining_until)
                .fold(merge_at, Instant::min);
            let wait = wake_at.saturating_duration_since(now);
            let received = self.pace.receive(&self.plan.inbox, wait);
            are_read = received.is_err();
            match received {
                Ok(Report::Signal) if self.draining_until.is_some() => {
                    self.abort();
                    let what = "a second signal cut the shutdown short";
                    return Err(Failure::run(
                        what,
                        "wait for it, or lower --shutdown-timeout",
                    ));
                }
                Ok(report) => self.handle(report),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("the plan holds a sender"),
            }
        }
        log::shutdown_is_over();
        self.failure.map_or(Ok(()), Err)
    }

    fn handle(&mut self, report: Report) {
        match report {
            Report::Snapshot { snapshot, round } => self.take(snapshot, round),
            Report::Fresh { shard, token } => self.rounds.ask(shard, token),
            Report::Signal | Report::Stop => self.leave(),
            Report::Quiet { shard } => {
                self.quiet[shard] = true;
                self.part();
            }
            Report::Ended { shard, outcome } => {
                self.running -= 1;
                self.posts[shard] = None;
                if let Err(failure) = outcome {
                    log::shard_failed(shard, &failure);
                    // One core less would be a server that quietly serves less: stop instead.
                    self.failure.get_or_insert(failure);
                    self.drain();
                }
                self.part();
            }
            Report::Ready { .. } => {}
        }
    }

    fn take(&mut self, snapshot: Snapshot, round: Option<u64>) {
        let core = snapshot.core();
        let Some(shard) = self.plan.cpus.iter().position(|cpu| *cpu == core) else {
            return;
        };
        let spare = self.totals.keep_in_pieces(snapshot, || self.pace.rest());
        if let Some(post) = &self.posts[shard] {
            post.leave(Order::Spare(spare));
        }
        if let Some(round) = round {
            self.rounds.answered(round, shard);
        }
    }

    /// Merges what came in the last interval, and tells every shard.
    fn publish(&mut self) {
        let now_ns = monotonic_ns();
        self.totals.tell_time(now_ns, SystemTime::now());
        self.totals
            .end_second_in_pieces(now_ns, || self.pace.rest());
        self.totals
            .surround(surroundings::read(|| self.pace.pause()));
        self.look_at_cores();
        self.share(now_ns);
        for post in self.posts.iter().flatten() {
            post.leave(Order::Merged);
        }
    }

    /// Looks at what a core cannot tell itself while it is held: who waits to be accepted, and for how long it was
    /// kept from running. Some 3 µs for each.
    fn look_at_cores(&mut self) {
        let by_shard = self.plan.listening.by_shard.iter().zip(&self.schedules);
        for (core, (sockets, schedule)) in self.plan.cpus.iter().zip(by_shard) {
            let queues = sockets
                .iter()
                .map(|socket| ring::accept_queue(socket.as_fd()));
            let queues: Result<Vec<_>, _> = queues.collect();
            let outside = Outside {
                accept_queue: queues.ok().map(AcceptQueue::of),
                run_delay_ns: schedule.as_ref().and_then(Schedule::run_delay_ns),
            };
            self.totals.see(*core, outside);
            self.pace.rest();
        }
    }

    /// Merges what there is at `now_ns`, for all shards to have, and frees the views that none of them has any more.
    fn share(&mut self, now_ns: u64) {
        self.pace.rest();
        let view = self.totals.merge_in_pieces(now_ns, || self.pace.rest());
        let view = Arc::new(view);
        self.pace.rest();
        self.newest.put(Arc::clone(&view));
        for older in std::mem::take(&mut self.views) {
            self.pace.rest();
            match Arc::try_unwrap(older) {
                Ok(older) => older.free(|| self.pace.rest()),
                Err(shared) => self.views.push(shared),
            }
        }
        self.views.push(view);
    }

    /// Answers who waits for a round that is over, begins the next, and asks whom it misses. Whether all reports that
    /// came `are_read` decides if a round can be out of time.
    fn move_rounds(&mut self, are_read: bool) {
        if let Some(askers) = self.rounds.end(Instant::now(), are_read) {
            self.look_at_cores();
            self.share(monotonic_ns());
            for (shard, tokens) in askers {
                if let Some(post) = &self.posts[shard] {
                    post.send(Order::Fresh { tokens });
                }
            }
        }
        let missing = || self.posts.iter().map(Option::is_some).collect();
        self.rounds.begin(Instant::now(), missing);
        for (shard, round) in self.rounds.orders() {
            if let Some(post) = &self.posts[shard] {
                post.send(Order::Snapshot { round });
            }
        }
    }

    /// Announces the shutdown, which begins after the delay: at once if there is none, or who was told
    /// already is told again.
    fn leave(&mut self) {
        let delay = self.plan.shutdown_delay;
        if delay.is_zero() || self.leaving_at.is_some() || self.draining_until.is_some() {
            return self.drain();
        }
        self.leaving_at = Some(Instant::now() + delay);
        log::shutdown_is_announced(delay);
        self.send_all(|| Order::Leave);
    }

    /// Begins the shutdown, once.
    fn drain(&mut self) {
        self.leaving_at = None;
        if self.draining_until.is_none() {
            self.draining_until = Some(Instant::now() + self.plan.shutdown_timeout);
            log::shutdown_begins(self.running);
            let all = [&self.plan.listening]
                .into_iter()
                .chain(&self.plan.stats_listening);
            all.for_each(Listening::refuse_new);
            self.send_all(|| Order::Drain);
        }
    }

    /// Lets the shards end that wait for the requests of others, when there are none left: requests may
    /// need answers of any shard.
    fn part(&self) {
        let mut quiet = self.posts.iter().zip(&self.quiet);
        if quiet.all(|(post, is_quiet)| post.is_none() || *is_quiet) {
            self.send_all(|| Order::Part);
        }
    }

    fn abort(&self) {
        self.send_all(|| Order::Abort);
    }

    fn send_all(&self, order: impl Fn() -> Order) {
        self.posts
            .iter()
            .flatten()
            .for_each(|post| post.send(order()));
    }
}

/// When what the cores sent at their last tick is merged next: between two ticks.
fn next_merge() -> Instant {
    let half_ns = SNAPSHOT_INTERVAL.as_nanos() as u64 / 2;
    let now_ns = monotonic_ns();
    let at_ns = next_tick_ns(now_ns.saturating_sub(half_ns)) + half_ns;
    Instant::now() + Duration::from_nanos(at_ns - now_ns)
}
