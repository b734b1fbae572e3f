//! One connection to an app, and what stands in for the core that serves it.

use super::clock::Clock;
use super::line::{Delivery, End, Line, Pipe};
use crate::app::{Answer, App, AppError, Job, Life, Time, Timer};
use crate::connection::{self, Host, Service, Transport, Wire};
use crate::http::{CloseReason, RequestHead};
use crate::limits::Limits;
use crate::log::Log;
use crate::stats::Recorder;
use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the wall clock of every conversation starts, since 1970: 2001-09-09T01:46:40Z.
const EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// One connection to an app.
pub struct Conversation {
    bench: Rc<Bench>,
    wire: Rc<Wire<Pipe>>,
    line: Rc<RefCell<Line>>,
    serving: Pin<Box<dyn Future<Output = CloseReason>>>,
    ended: Option<CloseReason>,
    woken: Arc<Woken>,
}

impl Conversation {
    /// A connection to `app` with the default limits, over which nothing was sent yet.
    ///
    /// # Errors
    /// The problems of the app, or why its [start](App::on_start) failed.
    pub fn new(app: App) -> Result<Conversation, AppError> {
        Conversation::with_limits(app, Limits::default())
    }

    /// A connection to `app` that keeps `limits`, over which nothing was sent yet.
    ///
    /// # Errors
    /// The problems of the app, or why its [start](App::on_start) failed.
    pub fn with_limits(mut app: App, limits: Limits) -> Result<Conversation, AppError> {
        let mut life = app.take_life();
        let clock = Clock::default();
        let recorder = Recorder::new(0, CloseReason::NAMES);
        let service = Service::new(recorder, Log::new(0), limits, None);
        service.route_by(app.timed_by(Time::new(clock.clone())).build()?);
        for work in std::mem::take(&mut life.start) {
            start(work, &clock)?;
        }
        Ok(Conversation::on(Rc::new(Bench {
            service,
            clock,
            life: RefCell::new(life),
        })))
    }

    /// Another connection to the same app, in the same time: it passes when either is told to let
    /// it pass, but only what that one serves takes notice at once.
    #[must_use]
    pub fn reconnect(&self) -> Conversation {
        Conversation::on(Rc::clone(&self.bench))
    }

    fn on(bench: Rc<Bench>) -> Conversation {
        let line = Rc::new(RefCell::new(Line {
            room: usize::MAX,
            clock: bench.clock.clone(),
            ..Line::default()
        }));
        let wire = Rc::new(Wire::new(Pipe(Rc::clone(&line))));
        let (host, served) = (Rc::clone(&bench), Rc::clone(&wire));
        let mut conversation = Conversation {
            bench,
            wire,
            line,
            serving: Box::pin(async move { connection::serve(&host, served).await }),
            ended: None,
            woken: Arc::default(),
        };
        conversation.run();
        conversation
    }

    /// Delivers `bytes` from the peer, at once and in one piece.
    pub fn deliver(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let mut line = self.line.borrow_mut();
            let now_ns = line.clock.now_ns();
            line.deliveries.push_back(Delivery {
                bytes: bytes.to_vec(),
                taken: 0,
                arrived_ns: now_ns,
            });
        }
        self.run();
    }

    /// The peer closes its side: it has sent everything, and reads on. A handler that waits is given
    /// up, unless it is [to finish](crate::app::finish_after_disconnect).
    pub fn close(&mut self) {
        self.line.borrow_mut().end.get_or_insert(End::Closed);
        self.run();
    }

    /// The peer's side resets the connection.
    pub fn reset(&mut self) {
        self.line.borrow_mut().end = Some(End::Reset);
        self.run();
    }

    /// Lets `time` pass.
    pub fn pass(&mut self, time: Duration) {
        self.bench.clock.pass(time);
        self.run();
    }

    /// Lets time pass until the next of the waits of handlers ([`Time::sleep`]) is over; whether
    /// there is any.
    ///
    /// [`Time::sleep`]: crate::app::Time::sleep
    pub fn pass_next(&mut self) -> bool {
        let has_passed = self.bench.clock.pass_next();
        if has_passed {
            self.run();
        }
        has_passed
    }

    /// How many more bytes the peer takes before the app has to wait; without limit at first.
    pub fn set_room(&mut self, bytes: usize) {
        self.line.borrow_mut().room = bytes;
        self.run();
    }

    /// The server begins to shut down: responses from here on end the connection, and an idle
    /// one ends now.
    pub fn drain(&mut self) {
        self.bench.service.draining.raise();
        self.bench.close();
        self.wire.transport.interrupt();
        self.run();
    }

    /// What was sent to the peer since this was last asked.
    pub fn take_sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.line.borrow_mut().sent)
    }

    /// How the connection ended; `None` while it is open.
    pub fn ended(&self) -> Option<CloseReason> {
        self.ended
    }

    /// Whether the peer has seen the end of what it will be sent, or the whole connection's.
    pub fn is_shut(&self) -> bool {
        self.ended.is_some() || self.line.borrow().is_shut
    }

    /// Whether the connection ended, or will end, in a reset by the server.
    pub fn was_reset(&self) -> bool {
        self.line.borrow().is_reset
    }

    /// Requests that have begun, and whose response is not sent whole.
    pub fn in_flight(&self) -> u64 {
        self.bench.service.recorder().in_flight()
    }

    /// The wall clock, which starts at [`EPOCH`].
    pub(super) fn wall_clock(&self) -> SystemTime {
        UNIX_EPOCH + self.bench.wall_clock()
    }

    /// Runs the connection until it waits.
    fn run(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut cx = Context::from_waker(&waker);
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            if self.ended.is_none()
                && let Poll::Ready(reason) = self.serving.as_mut().poll(&mut cx)
            {
                self.ended = Some(reason);
            }
            self.bench.run_tasks(&mut cx);
            if !self.woken.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// Runs what an app does at its start.
fn start(mut work: Job<crate::Result<()>>, clock: &Clock) -> Result<(), AppError> {
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(outcome) = work.as_mut().poll(&mut cx) {
            let failed = |error| AppError::of(format!("it cannot start: {error:?}"));
            return outcome.map_err(failed);
        }
        if !woken.0.swap(false, Ordering::Relaxed) && !clock.pass_next() {
            let what = "its start waits for something that does not come in memory";
            return Err(AppError::of(what.to_owned()));
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("line", &self.line.borrow())
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Stands in for a core.
#[derive(Debug)]
struct Bench {
    service: Service,
    clock: Clock,
    /// What the app has still to do beside answering requests.
    life: RefCell<Life>,
}

impl Bench {
    /// Begins with what the app does when a shutdown begins.
    fn close(&self) {
        let life = &mut *self.life.borrow_mut();
        life.tasks.append(&mut life.drain);
    }

    fn run_tasks(&self, cx: &mut Context<'_>) {
        let tasks = &mut self.life.borrow_mut().tasks;
        tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
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

    fn reserved(self: &Rc<Self>, _: &RequestHead, _: SocketAddr) -> Option<Answer> {
        None
    }

    fn passed(&self, at_ns: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        self.clock.passed(at_ns)
    }
}
/// Notes that the connection wants to be polled again.
#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;
    use crate::limits::{HEAD_TIMEOUT, IDLE_TIMEOUT, WRITE_TIMEOUT};

    fn hello() -> Conversation {
        let app = App::new()
            .get("/", |_req: Request| async { "Hello" })
            .get("/large", |_req: Request| async { vec![b'x'; 1 << 20] })
            .get("/never", |_req: Request| async {
                std::future::pending::<&str>().await
            });
        Conversation::new(app).unwrap()
    }

    fn get(path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
    }

    #[test]
    fn a_request_is_answered_with_the_date_of_the_conversation() {
        let mut peer = hello();
        peer.pass(Duration::from_secs(3));
        peer.deliver(&get("/"));
        let sent = String::from_utf8(peer.take_sent()).unwrap();
        assert!(
            sent.contains("Date: Sun, 09 Sep 2001 01:46:43 GMT"),
            "{sent}"
        );
        assert!(sent.ends_with("\r\n\r\nHello"));
        assert_eq!((peer.ended(), peer.in_flight()), (None, 0));
    }

    #[test]
    fn deadlines_pass_when_time_does() {
        let tick = Duration::from_nanos(1);
        let mut peer = hello();
        peer.pass(IDLE_TIMEOUT - tick);
        assert_eq!(peer.ended(), None);
        peer.pass(tick);
        assert_eq!(peer.ended(), Some(CloseReason::IdleTimeout));
        assert!(peer.take_sent().is_empty());

        let mut peer = hello();
        peer.deliver(b"GET /");
        peer.pass(HEAD_TIMEOUT - tick);
        assert!(peer.take_sent().is_empty());
        peer.pass(tick);
        assert!(peer.take_sent().starts_with(b"HTTP/1.1 408 "));
        assert!(peer.is_shut());
        peer.close();
        assert_eq!(peer.ended(), Some(CloseReason::HeadTimeout));
    }

    #[test]
    fn a_peer_without_room_is_waited_for() {
        let mut peer = hello();
        peer.set_room(1000);
        peer.deliver(&get("/large"));
        assert_eq!(peer.take_sent().len(), 1000);
        peer.set_room(1);
        assert_eq!((peer.take_sent().len(), peer.in_flight()), (1, 1));
        peer.pass(WRITE_TIMEOUT);
        assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
        assert_eq!(peer.in_flight(), 0);
    }

    #[test]
    fn the_peer_may_close_or_reset() {
        let mut peer = hello();
        peer.deliver(&get("/"));
        peer.close();
        assert_eq!(peer.ended(), Some(CloseReason::PeerClosed));
        let mut peer = hello();
        peer.deliver(b"GET");
        peer.reset();
        assert_eq!(peer.ended(), Some(CloseReason::Failed));
    }

    #[test]
    fn a_shutdown_ends_what_is_idle_and_answers_what_is_not() {
        let mut peer = hello();
        peer.drain();
        assert_eq!(peer.ended(), Some(CloseReason::Stopped));
        let mut peer = hello();
        peer.deliver(&get("/")[..9]);
        peer.drain();
        assert_eq!(peer.ended(), None);
        peer.deliver(&get("/")[9..]);
        let sent = String::from_utf8(peer.take_sent()).unwrap();
        assert!(sent.contains("Connection: close"), "{sent}");
    }

    #[test]
    fn a_conversation_that_is_dropped_drops_its_handler() {
        let mut peer = hello();
        peer.deliver(&get("/never"));
        assert_eq!(peer.in_flight(), 1);
        let bench = Rc::clone(&peer.bench);
        drop(peer);
        assert_eq!(bench.service.recorder().in_flight(), 0);
    }
}
