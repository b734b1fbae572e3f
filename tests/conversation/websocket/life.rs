//! The life of a socket beside its messages: heartbeat, shutdown, panics, slow peers and programs,
//! and what several futures do with one socket at once.

use super::super::support::frames::{CLOSE, PING, PONG, Seen, TEXT, closing, frame};
use super::{Ends, echo, handshake, open, said};
use corelane::app::{App, Request};
use corelane::http::CloseReason;
use corelane::limits::{
    GATHER_BYTES, SWITCHED_GRACE, WEBSOCKET_CLOSE_TIMEOUT, WEBSOCKET_HEARTBEAT, WRITE_TIMEOUT,
};
use corelane::testing::{Conversation, TestClient};
use corelane::ws::{Message, WebSocket, WebSocketError, code};
use futures_lite::{StreamExt, future};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const MOMENT: Duration = Duration::from_nanos(1);

fn text(text: &str) -> Seen {
    Seen::new(TEXT, text.as_bytes())
}

/// An app whose `/` is a socket that `serve` gets.
fn app<F: Future<Output = ()> + 'static>(serve: impl Fn(WebSocket) -> F + Clone + 'static) -> App {
    App::new().get("/", move |req: Request| {
        let serve = serve.clone();
        async move { WebSocket::upgrade(&req).on_upgrade(serve) }
    })
}

#[test]
fn a_peer_that_answers_pings_stays_and_one_that_falls_silent_is_closed() {
    let ends = Ends::default();
    let mut peer = open(echo(&ends), "/echo");
    let answers: [&[u8]; 3] = [&frame(PONG, b""), &frame(TEXT, b"a"), &frame(PING, b"b")];
    for answer in answers {
        peer.pass(WEBSOCKET_HEARTBEAT - MOMENT);
        assert_eq!(said(&mut peer), []);
        peer.pass(MOMENT);
        assert_eq!(said(&mut peer), [Seen::new(PING, b"")]);
        peer.deliver(answer);
        peer.take_sent();
    }
    peer.pass(WEBSOCKET_HEARTBEAT);
    assert_eq!(said(&mut peer), [Seen::new(PING, b"")]);
    // Half a frame shows that it is there, too.
    peer.deliver(&frame(PONG, b"")[..1]);
    peer.pass(WEBSOCKET_HEARTBEAT);
    assert_eq!(said(&mut peer), [Seen::new(PING, b"")]);
    peer.pass(WEBSOCKET_HEARTBEAT - MOMENT);
    assert_eq!((peer.ended(), ends.borrow().len()), (None, 0));
    peer.pass(MOMENT);
    assert_eq!(peer.ended(), Some(CloseReason::PeerSilent));
    assert_eq!(*ends.borrow(), [Some(WebSocketError::PeerSilent)]);
}

#[test]
fn the_heartbeat_is_the_handlers_to_choose() {
    let app = App::new()
        .get("/often", async |req: Request| {
            let upgrade = WebSocket::upgrade(&req).heartbeat(Duration::from_secs(1));
            upgrade.on_upgrade(async |socket| while let Some(Ok(_)) = socket.recv().await {})
        })
        .get("/never", async |req: Request| {
            let upgrade = WebSocket::upgrade(&req).heartbeat(None);
            upgrade.on_upgrade(async |socket| while let Some(Ok(_)) = socket.recv().await {})
        });
    let mut never = open(app, "/never");
    let mut often = never.reconnect();
    often.deliver(&handshake("/often", ""));
    often.take_sent();
    often.pass(Duration::from_secs(1));
    assert_eq!(said(&mut often), [Seen::new(PING, b"")]);
    often.pass(Duration::from_secs(1));
    assert_eq!(often.ended(), Some(CloseReason::PeerSilent));
    never.pass(Duration::from_secs(24 * 60 * 60));
    assert_eq!((said(&mut never), never.ended()), (vec![], None));
}

#[test]
fn a_program_that_takes_no_messages_does_not_make_its_peer_silent() {
    let app = app(async |socket| {
        future::pending::<()>().await;
        drop(socket);
    });
    let mut peer = open(app, "/");
    // The first is read ahead; the second, and the pong behind it, are not.
    peer.deliver(&[frame(TEXT, b"a"), frame(TEXT, b"b")].concat());
    for _ in 0..5 {
        peer.pass(WEBSOCKET_HEARTBEAT);
        assert_eq!(said(&mut peer), [Seen::new(PING, b"")]);
        peer.deliver(&frame(PONG, b""));
    }
    assert_eq!(peer.ended(), None);
}

#[test]
fn a_shutdown_says_goodbye_and_waits_for_the_answer() {
    let ends = Ends::default();
    let mut peer = open(echo(&ends), "/echo");
    peer.drain();
    let seen = said(&mut peer);
    assert_eq!((seen.len(), seen[0].code()), (1, Some(code::GOING_AWAY)));
    // The program has ended; the peer has its time, and what it still says is not answered.
    assert_eq!(*ends.borrow(), [None]);
    peer.deliver(&[frame(TEXT, b"late"), frame(PING, b"")].concat());
    assert_eq!((said(&mut peer), peer.is_shut()), (vec![], false));
    peer.deliver(&frame(CLOSE, &closing(code::GOING_AWAY, b"")));
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
    // One that does not answer is not waited for longer than that.
    let mut peer = open(echo(&Ends::default()), "/echo");
    peer.drain();
    peer.pass(WEBSOCKET_CLOSE_TIMEOUT - MOMENT);
    assert!(!peer.is_shut());
    peer.pass(MOMENT);
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
}

#[test]
fn a_program_that_ignores_the_end_is_dropped() {
    let dropped = Rc::new(Cell::new(0));
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let app = |dropped: &Rc<Cell<u32>>| {
        let dropped = Rc::clone(dropped);
        app(move |_| {
            let guard = Guard(Rc::clone(&dropped));
            async move {
                let _guard = guard;
                future::pending().await
            }
        })
    };
    type End = fn(&mut Conversation);
    let ends: [(End, CloseReason); 4] = [
        (|peer| peer.close(), CloseReason::PeerClosed),
        (|peer| peer.reset(), CloseReason::PeerAborted),
        (
            |peer| {
                peer.deliver(&frame(CLOSE, b""));
                peer.close();
            },
            CloseReason::Completed,
        ),
        (
            |peer| {
                peer.deliver(&frame(3, b""));
                peer.close();
            },
            CloseReason::Refused,
        ),
    ];
    for (index, (end, reason)) in ends.into_iter().enumerate() {
        let mut peer = open(app(&dropped), "/");
        end(&mut peer);
        peer.pass(SWITCHED_GRACE - MOMENT);
        assert_eq!(
            (dropped.get(), peer.ended()),
            (index as u32, None),
            "{reason:?}"
        );
        peer.pass(MOMENT);
        assert_eq!(
            (dropped.get(), peer.ended()),
            (index as u32 + 1, Some(reason))
        );
    }
}

#[test]
fn a_panic_closes_with_its_code_and_stays_in_its_socket() {
    let app = app(async |socket: WebSocket| {
        let _ = socket.recv().await;
        panic!("of the test");
    });
    let mut peer = open(app, "/");
    let mut other = peer.reconnect();
    other.deliver(&handshake("/", ""));
    peer.deliver(&frame(TEXT, b"a"));
    let seen = said(&mut peer);
    assert_eq!((seen.len(), seen[0].code()), (1, Some(code::INTERNAL)));
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    assert_eq!(other.ended(), None);
}

#[test]
fn the_end_of_the_program_closes_the_socket() {
    let app = app(async |socket: WebSocket| {
        let _ = socket.recv().await;
    });
    let mut peer = open(app, "/");
    peer.deliver(&frame(TEXT, b"a"));
    let mut seen = said(&mut peer);
    assert_eq!(seen.pop().unwrap().code(), Some(code::NORMAL));
    assert!(!peer.is_shut());
    peer.deliver(&frame(CLOSE, &closing(code::NORMAL, b"")));
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Completed));
}

#[test]
fn a_program_closes_with_its_own_code_and_a_reason_of_any_length() {
    let closed = Rc::new(RefCell::new(None));
    let noted = Rc::clone(&closed);
    let app = app(move |socket: WebSocket| {
        let noted = Rc::clone(&noted);
        async move {
            socket.close(4001, &"€".repeat(100)).await;
            *noted.borrow_mut() = socket.close_frame();
            assert_eq!(socket.send("late").await, Err(WebSocketError::Closed));
            assert_eq!(socket.recv().await, None);
        }
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&handshake("/", ""));
    let sent = super::after_head(&mut peer);
    let reason = "€".repeat(41);
    assert_eq!(
        super::seen(&sent),
        [Seen::new(CLOSE, &closing(4001, reason.as_bytes()))]
    );
    peer.deliver(&frame(CLOSE, &closing(4002, b"as well")));
    let closed = closed.take().unwrap();
    assert_eq!((closed.code, &*closed.reason), (4002, "as well"));
}

#[test]
fn the_peers_close_is_read_behind_messages_that_nobody_takes() {
    fn leave(closed: &Rc<RefCell<Option<WebSocket>>>) -> App {
        let closed = Rc::clone(closed);
        app(move |socket: WebSocket| {
            *closed.borrow_mut() = Some(socket.clone());
            async move {
                let first = socket.recv().await;
                if matches!(&first, Some(Ok(first)) if first.as_text() == Some("close")) {
                    socket.close(4001, "").await;
                    assert_eq!(socket.recv().await, None);
                }
            }
        })
    }
    fn hold(closed: &Rc<RefCell<Option<WebSocket>>>) -> App {
        let closed = Rc::clone(closed);
        app(move |socket: WebSocket| {
            *closed.borrow_mut() = Some(socket);
            future::pending()
        })
    }
    type Program = fn(&Rc<RefCell<Option<WebSocket>>>) -> App;
    let table: [(Program, &[&str], u16, CloseReason); 4] = [
        (
            leave,
            &["end", "a", "b"],
            code::NORMAL,
            CloseReason::Completed,
        ),
        (leave, &["close", "a", "b"], 4001, CloseReason::Completed),
        (hold, &["a"], code::GOING_AWAY, CloseReason::Stopped),
        (
            hold,
            &["a", "b", "c"],
            code::GOING_AWAY,
            CloseReason::Stopped,
        ),
    ];
    for (program, messages, code, reason) in table {
        let socket = Rc::default();
        let mut peer = open(program(&socket), "/");
        let socket = socket.take().unwrap();
        let messages = messages.iter().map(|text| frame(TEXT, text.as_bytes()));
        peer.deliver(&messages.collect::<Vec<_>>().concat());
        if code == code::GOING_AWAY {
            peer.drain();
        }
        assert_eq!(said(&mut peer).pop().unwrap().code(), Some(code));
        peer.deliver(&frame(CLOSE, &closing(code, b"as well")));
        assert_eq!(&*socket.close_frame().unwrap().reason, "as well");
        // No time has passed.
        assert!(peer.is_shut());
        assert_eq!(future::block_on(socket.recv()), None);
        peer.close();
        peer.pass(SWITCHED_GRACE);
        assert_eq!(peer.ended(), Some(reason));
    }
}

#[test]
fn one_future_sends_while_another_receives() {
    // What is received on either socket goes to both: no lock, and no halves.
    type Room = Rc<RefCell<Vec<WebSocket>>>;
    let room = Room::default();
    let app = app(move |socket: WebSocket| {
        let room = Rc::clone(&room);
        async move {
            room.borrow_mut().push(socket.clone());
            while let Some(Ok(message)) = socket.recv().await {
                let all = room.borrow().clone();
                for other in all {
                    let _ = other.send(message.clone()).await;
                }
            }
        }
    });
    let mut first = open(app, "/");
    let mut second = first.reconnect();
    second.deliver(&handshake("/", ""));
    second.take_sent();
    first.deliver(&frame(TEXT, b"a"));
    // Its connection is woken, and goes on when it next runs.
    second.deliver(b"");
    assert_eq!(
        (said(&mut first), said(&mut second)),
        (vec![text("a")], vec![text("a")])
    );
    // A handle that outlives its socket knows that it is closed, and holds no connection.
    first.close();
    assert_eq!(first.ended(), Some(CloseReason::PeerClosed));
    second.deliver(&frame(TEXT, b"b"));
    assert_eq!(said(&mut second), [text("b")]);
}

#[test]
fn a_future_that_waits_for_room_may_be_given_up() {
    let app = app(async |socket: WebSocket| {
        let large = Message::from(vec![b'x'; 40_000]);
        let told = async { while socket.send(large.clone()).await.is_ok() {} };
        let heard = async { while let Some(Ok(_)) = socket.recv().await {} };
        // Both are given up when either is done, and begun anew.
        future::or(told, heard).await;
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.set_room(1000);
    peer.deliver(&handshake("/", ""));
    assert_eq!(peer.take_sent().len(), 1000);
    // It receives though it cannot send, and answers the last ping when it can.
    for n in 0..100 {
        peer.deliver(&[frame(PING, &[n]), frame(TEXT, b"a")].concat());
    }
    assert_eq!(peer.ended(), None);
    peer.pass(WRITE_TIMEOUT);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
}

#[test]
fn pings_to_which_there_is_no_room_to_answer_have_one_answer() {
    let app = app(async |socket: WebSocket| {
        let _ = socket.send(vec![b'x'; 3 * GATHER_BYTES]).await;
        let _ = socket.send(vec![b'x'; 3 * GATHER_BYTES]).await;
        while let Some(Ok(_)) = socket.recv().await {}
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.set_room(1000);
    peer.deliver(&handshake("/", ""));
    let mut sent = peer.take_sent();
    for n in 0..100 {
        peer.deliver(&frame(PING, &[n]));
    }
    peer.set_room(usize::MAX);
    sent.extend(peer.take_sent());
    let end = sent
        .windows(4)
        .position(|octets| octets == b"\r\n\r\n")
        .unwrap()
        + 4;
    let seen = super::seen(&sent[end..]);
    let pongs: Vec<_> = seen.iter().filter(|frame| frame.opcode == PONG).collect();
    assert_eq!(pongs, [&Seen::new(PONG, &[99])]);
    assert_eq!(seen.len(), 3);
}

#[test]
fn messages_of_every_size_arrive_as_they_are() {
    let app = App::new().get("/", async |req: Request| {
        let upgrade = WebSocket::upgrade(&req)
            .max_message_bytes(1 << 20)
            .max_frame_bytes(1 << 20);
        upgrade.on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.next().await {
                if socket.send(message).await.is_err() {
                    return;
                }
            }
        })
    });
    let mut client = TestClient::new(app);
    let mut socket = client.get("/").websocket();
    for size in [0, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 1 << 20] {
        let content: Vec<u8> = (0..size).map(|n| n as u8).collect();
        socket.send(content.clone());
        assert_eq!(socket.recv(), Some(Message::from(content)), "{size}");
        let content = "é".repeat(size / 2);
        socket.send(content.clone());
        assert_eq!(socket.recv(), Some(Message::from(content)), "{size}");
    }
    socket.send(vec![0; (1 << 20) + 1]);
    assert_eq!(socket.recv(), None);
    assert_eq!(socket.close_frame().unwrap().code, code::TOO_LARGE);
}

#[test]
fn the_test_client_tells_what_became_of_a_socket() {
    let app = app(async |socket: WebSocket| match socket.recv().await {
        Some(Ok(message)) if message.as_text() == Some("panic") => panic!("of the test"),
        Some(Ok(message)) if message.as_text() == Some("wait") => future::pending().await,
        _ => {}
    });
    let mut client = TestClient::new(app);
    let mut socket = client.get("/").websocket();
    socket.send("panic");
    assert_eq!(socket.recv(), None);
    assert_eq!(socket.close_frame().unwrap().code, code::INTERNAL);
    // The client makes another connection for what comes next.
    let mut socket = client.get("/").websocket();
    socket.send("wait");
    assert_eq!(
        socket.try_recv().unwrap_err().kind(),
        std::io::ErrorKind::TimedOut
    );
    let mut socket = client.get("/").websocket();
    socket.close(1000, "enough");
    assert_eq!(socket.recv(), None);
    assert_eq!(client.get("/").send().status().as_u16(), 426);
    let mut other = client.another();
    assert!(other.get("/elsewhere").try_websocket().is_err());
}
