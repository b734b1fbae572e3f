//! What stands in for the cores of a server, all of which run on the thread of the test.

use super::clock::Clock;
use super::line::Pipe;
use crate::app::{Answer, App, AppError, Life, Time, Timer};
use crate::between::{self, Core, Exchange, Job};
use crate::connection::{Host, Service};
use crate::http::{CloseReason, RequestHead};
use crate::limits::Limits;
use crate::log::{About, Log};
use crate::stats::{Recorder, Whose};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Where the wall clock of every core starts, since 1970: 2001-09-09T01:46:40Z.
const EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// All cores of a server.
#[derive(Debug)]
pub(super) struct Cores {
    benches: Vec<Rc<Bench>>,
    pub(super) clock: Clock,
    woken: Arc<Woken>,
    /// No core has a request left, and none will have.
    is_ending: Cell<bool>,
}

/// Stands in for a core.
#[derive(Debug)]
pub(super) struct Bench {
    service: Service,
    clock: Clock,
    core: Core,
    /// Connections that have not ended.
    pub(super) open: Cell<usize>,
    /// What the app has still to do beside answering requests.
    life: RefCell<Life>,
}

/// What a core runs on.
struct CoreHost {
    clock: Clock,
    log: Log,
}

impl Cores {
    /// So many cores with the app that `factory` makes for each, which have started.
    pub(super) fn start(
        count: usize,
        limits: Limits,
        mut factory: impl FnMut(&Core) -> App,
    ) -> Result<Cores, AppError> {
        let (clock, exchange) = (Clock::default(), Arc::new(Exchange::new(count)));
        let mut benches = Vec::new();
        for index in 0..count {
            let host = CoreHost {
                clock: clock.clone(),
                log: Log::new(index),
            };
            let core = Core::new(index, Arc::clone(&exchange), host);
            let mut app = factory(&core);
            exchange.seal(index);
            let life = app.take_life();
            let recorder = Recorder::new(index, CloseReason::NAMES);
            let service = Service::new(recorder, Log::new(index), limits, None);
            let time = Time::new(clock.clone());
            service.route_by(service.equip(app, time).build()?);
            benches.push(Rc::new(Bench {
                service,
                clock: clock.clone(),
                core,
                open: Cell::new(0),
                life: RefCell::new(life),
            }));
        }
        let cores = Cores {
            benches,
            clock,
            woken: Arc::default(),
            is_ending: Cell::new(false),
        };
        cores.run_starts()?;
        Ok(cores)
    }

    /// Runs what the apps do at their start, and then has their other tasks begin.
    fn run_starts(&self) -> Result<(), AppError> {
        let mut starts = Vec::new();
        let mut tasks = Vec::new();
        for bench in &self.benches {
            let mut life = bench.life.borrow_mut();
            starts.push(VecDeque::from(std::mem::take(&mut life.start)));
            tasks.push(std::mem::replace(&mut life.tasks, bench.core.take_jobs()));
        }
        let mut failure = None;
        loop {
            self.run(|cx| {
                for works in &mut starts {
                    while let Some(work) = works.front_mut()
                        && let Poll::Ready(outcome) = work.as_mut().poll(cx)
                    {
                        works.pop_front();
                        failure = failure.take().or(outcome.err());
                    }
                }
            });
            if let Some(error) = failure {
                return Err(AppError::of(format!("it cannot start: {error:?}")));
            }
            if starts.iter().all(VecDeque::is_empty) {
                break;
            }
            if !self.clock.pass_next() {
                let what = "its start waits for something that does not come in memory";
                return Err(AppError::of(what.to_owned()));
            }
        }
        for (bench, mut tasks) in self.benches.iter().zip(tasks) {
            bench.life.borrow_mut().tasks.append(&mut tasks);
        }
        Ok(())
    }

    /// The core of this number.
    #[track_caller]
    pub(super) fn bench(&self, core: usize) -> &Rc<Bench> {
        let count = self.benches.len();
        let bench = self.benches.get(core);
        bench.unwrap_or_else(|| panic!("there is no core {core} among {count}"))
    }

    /// The shutdown begins.
    pub(super) fn drain(&self) {
        for bench in &self.benches {
            bench.service.draining.raise();
        }
    }

    /// Runs `front` and the tasks of all cores, until all wait.
    pub(super) fn run(&self, mut front: impl FnMut(&mut Context<'_>)) {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            front(&mut cx);
            for bench in &self.benches {
                bench.run(&mut cx);
            }
            if self.benches.iter().all(|bench| bench.is_quiet()) {
                self.end(&mut cx);
            }
            let rung = self.benches.iter().filter(|bench| bench.answer()).count();
            if rung == 0 && !self.woken.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Goes on with the end of a shutdown, when no core has a request left.
    fn end(&self, cx: &mut Context<'_>) {
        for bench in &self.benches {
            if !self.is_ending.get() {
                bench.core.close();
            }
            if pin!(bench.core.finished()).poll(cx).is_ready() {
                bench.clean_up(cx);
            }
        }
        self.is_ending.set(true);
    }
}

impl Bench {
    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// Answers the core's bell; whether it was rung.
    fn answer(&self) -> bool {
        let is_rung = self.core.still();
        if is_rung {
            self.core.answer();
        }
        is_rung
    }

    fn run(&self, cx: &mut Context<'_>) {
        let life = &mut *self.life.borrow_mut();
        life.tasks
            .retain_mut(|task| task.as_mut().poll(cx).is_pending());
        if self.service.draining.is_raised() {
            life.drain
                .retain_mut(|work| work.as_mut().poll(cx).is_pending());
        }
    }

    /// Whether a shutdown has nothing of this core to wait for.
    fn is_quiet(&self) -> bool {
        let is_draining = self.service.draining.is_raised();
        is_draining && self.open.get() == 0 && self.life.borrow().drain.is_empty()
    }

    /// Goes on with what the app does at the very end, the last first.
    fn clean_up(&self, cx: &mut Context<'_>) {
        let cleanup = &mut self.life.borrow_mut().cleanup;
        while let Some(work) = cleanup.last_mut()
            && work.as_mut().poll(cx).is_ready()
        {
            cleanup.pop();
        }
    }
}

impl Host for Bench {
    type Transport = Pipe;

    fn service(&self) -> &Service {
        &self.service
    }

    fn wall_clock(&self) -> Duration {
        EPOCH.saturating_add(Duration::from_nanos(self.clock.now_ns()))
    }

    fn reserved(
        self: &Rc<Self>,
        _: &RequestHead,
        _: SocketAddr,
        _: &Pipe,
    ) -> Option<(Whose, Answer)> {
        None
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        self.clock.passed(at_ns)
    }
}

impl between::Host for CoreHost {
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    fn passed(&self, at_ns: u64) -> Job {
        self.clock.passed(at_ns)
    }

    fn panicked(&self, payload: &(dyn Any + Send)) {
        self.log
            .panicked(payload, self.clock.now_ns(), About::nobody);
    }
}

/// Notes that something wants to be polled again.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
