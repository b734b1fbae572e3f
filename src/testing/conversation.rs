//! One connection to an app.

use super::cores::{Bench, Cores};
use super::line::{Delivery, End, Line, Pipe};
use crate::app::{App, AppError};
use crate::connection::{self, Host as _, Transport as _, Wire};
use crate::http::CloseReason;
use crate::limits::Limits;
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The room that a client makes at a time, in bytes.
const READ_BYTES: usize = 1 << 20;

/// One connection to an app.
pub struct Conversation {
    cores: Rc<Cores>,
    bench: Rc<Bench>,
    wire: Rc<Wire<Pipe>>,
    line: Rc<RefCell<Line>>,
    serving: Pin<Box<dyn Future<Output = CloseReason>>>,
    ended: Option<CloseReason>,
    /// Whether the peer's room is a client's to make.
    is_read: bool,
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
    pub fn with_limits(app: App, limits: Limits) -> Result<Conversation, AppError> {
        let mut app = Some(app);
        let cores = Cores::start(1, limits, |_| app.take().unwrap_or_default())?;
        let bench = Rc::clone(cores.bench(0));
        Ok(Conversation::on(Rc::new(cores), bench))
    }

    /// Another connection to the same app, in the same time: it passes when either is told to let
    /// it pass, but only what that one serves takes notice at once.
    #[must_use]
    pub fn reconnect(&self) -> Conversation {
        Conversation::on(Rc::clone(&self.cores), Rc::clone(&self.bench))
    }

    pub(super) fn on(cores: Rc<Cores>, bench: Rc<Bench>) -> Conversation {
        bench.open.set(bench.open.get() + 1);
        let line = Rc::new(RefCell::new(Line {
            room: usize::MAX,
            clock: cores.clock.clone(),
            ..Line::default()
        }));
        let wire = Rc::new(Wire::new(Pipe(Rc::clone(&line))));
        let (host, served) = (Rc::clone(&bench), Rc::clone(&wire));
        let mut conversation = Conversation {
            cores,
            bench,
            wire,
            line,
            serving: Box::pin(async move { connection::serve(&host, served).await }),
            ended: None,
            is_read: false,
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
        self.cores.clock.pass(time);
        self.run();
    }

    /// Lets time pass until the next of the waits of handlers ([`Time::sleep`]) is over; whether
    /// there is any.
    ///
    /// [`Time::sleep`]: crate::app::Time::sleep
    pub fn pass_next(&mut self) -> bool {
        let has_passed = self.cores.clock.pass_next();
        if has_passed {
            self.run();
        }
        has_passed
    }

    /// How many more bytes the peer takes before the app has to wait; without limit at first.
    pub fn set_room(&mut self, bytes: usize) {
        self.is_read = false;
        self.line.borrow_mut().room = bytes;
        self.run();
    }

    /// A client reads what is sent, and makes room as it does: a response without an end would otherwise
    /// be made without one.
    pub(super) fn be_read(&mut self) {
        self.is_read = true;
        self.line.borrow_mut().room = READ_BYTES;
    }

    /// Makes room for more, if it is the client's to make; whether anything was sent then.
    pub(super) fn make_room(&mut self) -> bool {
        if self.is_read {
            self.line.borrow_mut().room = READ_BYTES;
            self.run();
        }
        !self.line.borrow().sent.is_empty()
    }

    /// The server begins to shut down, on all its cores: responses from here on end the connection, and
    /// an idle one ends now. Idle ones of others end when they are told the same. When none is left,
    /// and what the app does at the begin of a shutdown is done, it does what it does at
    /// [its end](App::on_cleanup).
    pub fn drain(&mut self) {
        self.cores.drain();
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
        self.bench.service().recorder().in_flight()
    }

    /// The time that has passed.
    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.cores.clock.now_ns())
    }

    /// The wall clock of the core.
    pub(super) fn wall_clock(&self) -> SystemTime {
        UNIX_EPOCH + self.bench.wall_clock()
    }

    /// Runs the connection, and the tasks of all cores, until they wait.
    fn run(&mut self) {
        let (serving, ended, bench) = (&mut self.serving, &mut self.ended, &self.bench);
        self.cores.run(|cx| {
            if ended.is_none()
                && let Poll::Ready(reason) = serving.as_mut().poll(cx)
            {
                *ended = Some(reason);
                bench.open.set(bench.open.get() - 1);
            }
        });
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if self.ended.is_none() {
            self.bench.open.set(self.bench.open.get() - 1);
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
        assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
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
        assert_eq!(bench.service().recorder().in_flight(), 0);
    }
}
