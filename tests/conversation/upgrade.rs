//! Connections that switch protocols: what may switch, the bytes on both sides, and every way in
//! which such a connection ends.

use super::{get, sent, statuses};
use corelane::app::{self, App, Request, Response, Upgraded};
use corelane::http::CloseReason;
use corelane::limits::{GATHER_BYTES, LINGER_TIMEOUT, SWITCHED_GRACE, WRITE_TIMEOUT};
use corelane::testing::Conversation;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const SWITCH: &str =
    "GET /shout HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// What a work of the app noted.
type Notes = Rc<RefCell<Vec<String>>>;

fn app(notes: &Notes) -> App {
    let noted = |what: &str| {
        let (notes, what) = (Rc::clone(notes), what.to_owned());
        move || notes.borrow_mut().push(what.clone())
    };
    let (left, stopped, taken) = (noted("left"), noted("stopped"), noted("taken"));
    let dropped = Rc::clone(notes);
    App::new()
        .get("/shout", move |req: Request| {
            let left = left.clone();
            async move {
                app::upgrade(&req, "shout", async move |mut stream: Upgraded| {
                    let mut buffer = [0; 16];
                    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
                        buffer[..bytes].make_ascii_uppercase();
                        if stream.write_all(&buffer[..bytes]).await.is_err() {
                            break;
                        }
                        if buffer[..bytes].contains(&b'!') {
                            return;
                        }
                    }
                    left();
                })
            }
        })
        .get("/flood", move |req: Request| {
            let taken = taken.clone();
            async move {
                app::upgrade(&req, "shout", async move |mut stream: Upgraded| {
                    while stream.write_all(&[b'x'; 1000]).await.is_ok() {
                        taken();
                    }
                })
            }
        })
        .get("/stop", move |req: Request| {
            let stopped = stopped.clone();
            async move {
                app::upgrade(&req, "shout", async move |mut stream: Upgraded| {
                    stream.stopping().await;
                    stopped();
                    let _ = stream.write_all(b"bye").await;
                })
            }
        })
        .get("/deaf", move |req: Request| {
            let guard = OnDrop(Rc::clone(&dropped));
            async move {
                app::upgrade(&req, "shout", async move |_stream: Upgraded| {
                    let _guard = guard;
                    std::future::pending().await
                })
            }
        })
        .get("/panic", async |req: Request| {
            app::upgrade(&req, "shout", async |mut stream: Upgraded| {
                let _ = stream.write_all(b"so far").await;
                let mut byte = [0];
                let _ = stream.read(&mut byte).await;
                panic!("of the test");
            })
        })
        .get("/panic-at-once", async |req: Request| {
            app::upgrade(&req, "shout", |_: Upgraded| -> std::future::Ready<()> {
                panic!("of the test")
            })
        })
        .get("/half", async |req: Request| {
            app::upgrade(&req, "shout", async |mut stream: Upgraded| {
                let _ = stream.write_all(b"all of it").await;
                let _ = stream.close().await;
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            })
        })
        .get("/bare", async |_: Request| {
            Response::new(http::StatusCode::SWITCHING_PROTOCOLS)
        })
}

/// Notes that it was dropped.
struct OnDrop(Notes);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.borrow_mut().push("dropped".to_owned());
    }
}

fn start(path: &str) -> (Conversation, Notes) {
    let notes = Notes::default();
    let mut peer = Conversation::new(app(&notes)).unwrap();
    peer.deliver(SWITCH.replace("/shout", path).as_bytes());
    (peer, notes)
}

/// What was sent behind the head of the 101.
fn switched(peer: &mut Conversation) -> String {
    let sent = String::from_utf8(peer.take_sent()).unwrap();
    let (head, rest) = sent.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nUpgrade: shout\r\nConnection: upgrade"),
        "{head}"
    );
    assert!(
        !head.contains("Content-Length") && !head.contains("Transfer"),
        "{head}"
    );
    rest.to_owned()
}

#[test]
fn bytes_go_both_ways_however_they_are_split() {
    let stream = format!("{SWITCH}hello, this is not HTTP\r\n\r\n!");
    for cut in 0..=stream.len() {
        let mut peer = Conversation::new(app(&Notes::default())).unwrap();
        let (first, second) = stream.as_bytes().split_at(cut);
        peer.deliver(first);
        peer.deliver(second);
        assert_eq!(switched(&mut peer), "HELLO, THIS IS NOT HTTP\r\n\r\n!");
        assert!(peer.is_shut() && peer.ended().is_none());
        peer.close();
        assert_eq!(peer.ended(), Some(CloseReason::Completed));
    }
    let mut peer = Conversation::new(app(&Notes::default())).unwrap();
    for byte in stream.as_bytes() {
        peer.deliver(&[*byte]);
    }
    assert_eq!(switched(&mut peer), "HELLO, THIS IS NOT HTTP\r\n\r\n!");
    peer.pass(LINGER_TIMEOUT);
    assert_eq!(
        (peer.ended(), peer.in_flight()),
        (Some(CloseReason::Completed), 0)
    );
}

#[test]
fn the_request_is_counted_when_the_head_is_sent() {
    let (mut peer, _) = start("/shout");
    assert_eq!(switched(&mut peer), "");
    assert_eq!((peer.in_flight(), peer.ended()), (0, None));
    // There is no deadline for a silent peer.
    peer.pass(Duration::from_secs(24 * 60 * 60));
    peer.deliver(b"still");
    assert_eq!(sent(&mut peer), "STILL");
}

#[test]
fn what_was_asked_before_is_answered_before() {
    let mut peer = Conversation::new(app(&Notes::default())).unwrap();
    peer.deliver(&[&get()[..], SWITCH.as_bytes(), b"a!"].concat());
    let sent = sent(&mut peer);
    assert_eq!(statuses(&sent), [404, 101]);
    assert!(sent.ends_with("\r\n\r\nA!"), "{sent}");
}

#[test]
fn what_did_not_ask_for_it_is_not_switched() {
    let line = "GET /shout HTTP/1.1\r\nHost: h\r\n";
    let table = [
        (line.to_owned(), 426),
        (format!("{line}Connection: upgrade\r\n"), 426),
        (
            format!("{line}Connection: upgrade\r\nUpgrade: other\r\n"),
            426,
        ),
        (
            format!("{line}Connection: upgrade\r\nUpgrade: shouting\r\n"),
            426,
        ),
        (format!("{line}Upgrade: shout\r\n"), 400),
        (
            format!("{line}Connection: close\r\nUpgrade: shout\r\n"),
            400,
        ),
        (
            "GET /shout HTTP/1.0\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: shout\r\n".into(),
            426,
        ),
        (
            format!("{line}Connection: upgrade\r\nUpgrade: shout\r\nContent-Length: 1\r\n"),
            400,
        ),
        (
            format!(
                "{line}Connection: upgrade\r\nUpgrade: shout\r\nTransfer-Encoding: chunked\r\n"
            ),
            400,
        ),
        (
            "HEAD /shout HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: shout\r\n".into(),
            500,
        ),
        (
            "GET /bare HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: shout\r\n".into(),
            500,
        ),
        (
            format!("{line}Connection: keep-alive, Upgrade\r\nUpgrade: h2c, SHOUT\r\n"),
            101,
        ),
    ];
    for (head, status) in table {
        let mut peer = Conversation::new(app(&Notes::default())).unwrap();
        peer.deliver(format!("{head}\r\n").as_bytes());
        let sent = sent(&mut peer);
        assert!(
            sent.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}{sent}"
        );
        // RFC 9110 §15.5.22: what is required is named.
        let is_named = sent.contains("\r\nUpgrade: shout\r\n");
        assert_eq!(is_named, status != 500, "{head}{sent}");
    }
}

#[test]
fn the_work_sees_its_peer_leave_and_goes_on() {
    type Leave = fn(&mut Conversation);
    let table: [(Leave, CloseReason); 2] = [
        (|peer| peer.close(), CloseReason::PeerClosed),
        (|peer| peer.reset(), CloseReason::PeerAborted),
    ];
    for (leave, reason) in table {
        let (mut peer, notes) = start("/shout");
        leave(&mut peer);
        assert_eq!(*notes.borrow(), ["left"]);
        assert_eq!(peer.ended(), Some(reason));
    }
}

#[test]
fn a_work_that_does_not_care_is_dropped_after_its_grace() {
    type End = fn(&mut Conversation);
    let table: [(End, CloseReason); 2] = [
        (|peer| peer.close(), CloseReason::PeerClosed),
        (|peer| peer.reset(), CloseReason::PeerAborted),
    ];
    for (end, reason) in table {
        let (mut peer, notes) = start("/deaf");
        // What is left unread does not hide that the peer has left.
        peer.deliver(b"unread");
        peer.deliver(b"unread as well");
        end(&mut peer);
        peer.pass(SWITCHED_GRACE - Duration::from_nanos(1));
        assert_eq!((notes.borrow().len(), peer.ended()), (0, None));
        peer.pass(Duration::from_nanos(1));
        assert_eq!(*notes.borrow(), ["dropped"]);
        assert_eq!(peer.ended(), Some(reason));
    }
    let (mut peer, notes) = start("/deaf");
    peer.drain();
    peer.pass(SWITCHED_GRACE - Duration::from_nanos(1));
    assert_eq!((notes.borrow().len(), peer.ended()), (0, None));
    peer.pass(Duration::from_nanos(1));
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
}

#[test]
fn a_shutdown_lets_the_work_say_goodbye() {
    let (mut peer, notes) = start("/stop");
    assert_eq!(switched(&mut peer), "");
    peer.drain();
    assert_eq!((sent(&mut peer).as_str(), notes.borrow().len()), ("bye", 1));
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
    // One that begins during the shutdown is told at once.
    let notes = Notes::default();
    let mut peer = Conversation::new(app(&notes)).unwrap();
    peer.deliver(b"GET /stop HT");
    peer.drain();
    peer.deliver(SWITCH.strip_prefix("GET /shout HT").unwrap().as_bytes());
    assert_eq!(switched(&mut peer), "bye");
}

#[test]
fn a_panic_is_contained_and_what_was_written_before_is_sent() {
    let (mut peer, _) = start("/panic");
    assert_eq!(switched(&mut peer), "so far");
    peer.deliver(b"x");
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    let (mut peer, _) = start("/panic-at-once");
    assert_eq!(switched(&mut peer), "");
    peer.close();
    assert_eq!(
        (peer.ended(), peer.in_flight()),
        (Some(CloseReason::Truncated), 0)
    );
}

#[test]
fn a_peer_that_reads_slowly_is_bounded() {
    let notes = Notes::default();
    let mut peer = Conversation::new(app(&notes)).unwrap();
    peer.set_room(4096);
    peer.deliver(SWITCH.replace("/shout", "/flood").as_bytes());
    assert_eq!(peer.take_sent().len(), 4096);
    peer.set_room(100_000);
    assert_eq!(peer.take_sent().len(), 100_000);
    // One message is on its way and one behind it, each up to the limit and what went beyond it.
    let taken = 1000 * notes.borrow().len();
    assert!(taken < 104_096 + 2 * (GATHER_BYTES + 1000), "{taken}");
    peer.pass(WRITE_TIMEOUT - SECOND);
    assert_eq!(peer.ended(), None);
    peer.pass(SECOND);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
}

#[test]
fn our_side_may_be_closed_alone() {
    let (mut peer, _) = start("/half");
    assert_eq!(switched(&mut peer), "all of it");
    assert!(peer.is_shut());
    peer.deliver(b"the peer goes on");
    assert_eq!(peer.ended(), None);
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::PeerClosed));
}
