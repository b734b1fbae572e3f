//! Peers that leave while a handler, or the source of its response, is waited for.

use super::{get, request, sent, statuses};
use corelane::app::{Sse, SseEvent, finish_after_disconnect, with_body_limit};
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use corelane::{App, Request};
use futures_lite::{StreamExt, stream};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A way to leave, and what the connection then ends as.
type Way = (fn(&mut Conversation), CloseReason);

const WAYS: [Way; 2] = [
    (Conversation::close, CloseReason::PeerAborted),
    (Conversation::reset, CloseReason::PeerAborted),
];

/// How many of what handlers hold was dropped.
#[derive(Clone, Default)]
struct Dropped(Rc<Cell<usize>>);

/// What a handler holds.
struct Held(Dropped);

impl Drop for Held {
    fn drop(&mut self) {
        let dropped = &self.0.0;
        dropped.set(dropped.get() + 1);
    }
}

impl Dropped {
    fn held(&self) -> Held {
        Held(self.clone())
    }

    fn count(&self) -> usize {
        self.0.get()
    }
}

/// `/` answers at once, `/slow` after 5 seconds, `/events` has one event each 5 seconds.
fn app(dropped: &Dropped) -> App {
    let (slow, events) = (dropped.clone(), dropped.clone());
    App::new()
        .get("/", async |_| "Hello")
        .any("/slow", move |request: Request| {
            let held = slow.held();
            async move {
                request.time().sleep(5 * SECOND).await;
                drop(held);
                "at last"
            }
        })
        .get("/events", move |request: Request| {
            let (time, held) = (request.time(), Rc::new(events.held()));
            async move {
                Sse::new(stream::repeat((time, held)).then(async |(time, _held)| {
                    time.sleep(5 * SECOND).await;
                    SseEvent::data("a")
                }))
            }
        })
}

fn talking(dropped: &Dropped) -> Conversation {
    Conversation::new(app(dropped)).unwrap()
}

#[test]
fn a_handler_that_waits_is_dropped_when_its_peer_leaves() {
    for (leave, reason) in WAYS {
        let dropped = Dropped::default();
        let mut peer = talking(&dropped);
        peer.deliver(&request("GET", "/slow", ""));
        peer.pass(SECOND);
        assert_eq!((dropped.count(), peer.in_flight()), (0, 1));
        leave(&mut peer);
        assert_eq!((dropped.count(), peer.in_flight()), (1, 0));
        assert_eq!(peer.ended(), Some(reason));
        assert_eq!(sent(&mut peer), "");
    }
}

#[test]
fn what_came_before_the_end_keeps_nobody_from_seeing_it() {
    for (leave, reason) in WAYS {
        let dropped = Dropped::default();
        let mut peer = talking(&dropped);
        let slow = request("GET", "/slow", "");
        peer.deliver(&[get(), slow, get()].concat());
        peer.deliver(&get().repeat(3));
        assert_eq!(statuses(&sent(&mut peer)), [200]);
        leave(&mut peer);
        assert_eq!((dropped.count(), peer.in_flight()), (1, 0));
        assert_eq!(peer.ended(), Some(reason));
        assert_eq!(sent(&mut peer), "");
    }
}

#[test]
fn handlers_that_do_not_wait_answer_a_peer_that_has_closed_its_side() {
    let mut peer = talking(&Dropped::default());
    peer.set_room(0);
    peer.deliver(&get());
    peer.deliver(&get().repeat(2));
    peer.close();
    assert_eq!((peer.in_flight(), peer.ended()), (1, None));
    peer.set_room(usize::MAX);
    assert_eq!(statuses(&sent(&mut peer)), [200; 3]);
    assert_eq!(peer.ended(), Some(CloseReason::PeerClosed));
}

#[test]
fn a_silent_stream_is_dropped_when_its_peer_leaves() {
    for (leave, reason) in WAYS {
        let dropped = Dropped::default();
        let mut peer = talking(&dropped);
        peer.deliver(&request("GET", "/events", ""));
        peer.pass(5 * SECOND);
        assert!(sent(&mut peer).contains("data: a"));
        peer.pass(SECOND);
        leave(&mut peer);
        assert_eq!((dropped.count(), peer.in_flight()), (1, 0));
        assert_eq!(peer.ended(), Some(reason));
        // What was sent does not look whole.
        assert!(!sent(&mut peer).contains("0\r\n\r\n"));
    }
}

#[test]
fn a_handler_that_is_to_finish_does_and_its_response_goes_out() {
    let slow = |dropped: &Dropped| {
        let dropped = dropped.clone();
        move |request: Request| {
            let held = dropped.held();
            async move {
                request.time().sleep(5 * SECOND).await;
                drop(held);
                "at last"
            }
        }
    };
    let apps: [&dyn Fn(&Dropped) -> App; 5] = [
        &|dropped| App::new().get("/slow", finish_after_disconnect(slow(dropped))),
        &|dropped| {
            let handler = finish_after_disconnect(with_body_limit(1, slow(dropped)));
            App::new().get("/slow", handler)
        },
        &|dropped| {
            let handler = with_body_limit(1, finish_after_disconnect(slow(dropped)));
            App::new().get("/slow", handler)
        },
        &|dropped| app(dropped).finish_after_disconnect(),
        &|dropped| {
            let outer = App::new().finish_after_disconnect();
            outer.nest("/", App::new().get("/slow", slow(dropped)))
        },
    ];
    for make in apps {
        let dropped = Dropped::default();
        let mut peer = Conversation::new(make(&dropped)).unwrap();
        peer.deliver(&request("GET", "/slow", ""));
        peer.close();
        peer.pass(4 * SECOND);
        assert_eq!((dropped.count(), peer.ended()), (0, None));
        peer.pass(SECOND);
        assert!(sent(&mut peer).ends_with("at last"));
        assert_eq!(dropped.count(), 1);
        assert_eq!(peer.ended(), Some(CloseReason::PeerClosed));
        // After a reset it runs to its end as well, and nobody reads what it says.
        let mut peer = peer.reconnect();
        peer.deliver(&request("GET", "/slow", ""));
        peer.reset();
        peer.pass(4 * SECOND);
        assert_eq!((dropped.count(), peer.ended()), (1, None));
        peer.pass(SECOND);
        assert_eq!((dropped.count(), peer.in_flight()), (2, 0));
        assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
    }
}

#[test]
fn a_stream_that_is_to_finish_goes_on_until_nobody_can_read_it() {
    let dropped = Dropped::default();
    let app = app(&dropped).finish_after_disconnect();
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("GET", "/events", ""));
    peer.close();
    sent(&mut peer);
    for _ in 0..3 {
        peer.pass(5 * SECOND);
        assert!(sent(&mut peer).contains("data: a"));
    }
    assert_eq!((dropped.count(), peer.ended()), (0, None));
    let mut peer = peer.reconnect();
    peer.deliver(&request("GET", "/events", ""));
    peer.reset();
    assert_eq!(dropped.count(), 1);
    assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
}

/// An app that tells what becomes of the content of its request, after a second's thought.
fn thinking(dropped: &Dropped) -> App {
    let dropped = dropped.clone();
    App::new().post("/", move |mut request: Request| {
        let held = dropped.held();
        async move {
            let outcome = request.bytes().await;
            request.time().sleep(SECOND).await;
            drop(held);
            match outcome {
                Ok(bytes) => format!("{} bytes", bytes.len()),
                Err(error) => error.to_string(),
            }
        }
    })
}

#[test]
fn who_reads_the_content_sees_its_end_first_and_may_see_to_that() {
    let mut peer = Conversation::new(thinking(&Dropped::default())).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 9\r\n"));
    peer.deliver(b"part");
    peer.close();
    assert_eq!((peer.ended(), peer.in_flight()), (None, 1));
    peer.pass(SECOND);
    let answer = sent(&mut peer);
    assert!(answer.contains("closed the connection"), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
}

#[test]
fn content_that_is_whole_or_not_asked_for_keeps_no_handler() {
    let cases = [
        ("Content-Length: 4\r\n", &b"whole"[..4]),
        ("Transfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n"),
    ];
    for (fields, content) in cases {
        let dropped = Dropped::default();
        let mut peer = Conversation::new(thinking(&dropped)).unwrap();
        peer.deliver(&request("POST", "/", fields));
        peer.deliver(content);
        peer.close();
        assert_eq!(dropped.count(), 1);
        assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
    }
    for fields in [
        "Content-Length: 9\r\n",
        "Content-Length: 9\r\nExpect: 100-continue\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let dropped = Dropped::default();
        let mut peer = talking(&dropped);
        peer.deliver(&[&request("POST", "/slow", fields)[..], b"3\r\n"].concat());
        peer.close();
        assert_eq!((dropped.count(), peer.in_flight()), (1, 0));
        assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
        assert_eq!(sent(&mut peer), "");
    }
}

#[test]
fn the_next_wait_of_a_connection_is_watched_like_the_first() {
    let dropped = Dropped::default();
    let mut peer = talking(&dropped);
    for _ in 0..3 {
        peer.deliver(&request("GET", "/slow", ""));
        peer.pass(5 * SECOND);
        assert_eq!(statuses(&sent(&mut peer)), [200]);
    }
    peer.deliver(&request("GET", "/slow", ""));
    peer.close();
    assert_eq!(dropped.count(), 4);
    assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
}

#[test]
fn a_comment_goes_out_when_there_was_none_and_no_event_for_so_long() {
    let app = App::new().get("/", async |request: Request| {
        let time = request.time();
        let pause = request.time();
        let events = stream::iter([3, 3, 7]).then(move |seconds| {
            let pause = pause.clone();
            async move {
                pause.sleep(seconds * SECOND).await;
                SseEvent::data("a")
            }
        });
        Sse::new(events.chain(stream::pending())).keep_alive(&time, 5 * SECOND)
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&get());
    sent(&mut peer);
    let event = "9\r\ndata: a\n\n\r\n";
    let comment = "3\r\n:\n\n\r\n";
    // Events after 3, 6 and 13 seconds; a comment 5 seconds after each thing that was sent.
    let expected = [
        (3, event),
        (6, event),
        (11, comment),
        (13, event),
        (18, comment),
        (23, comment),
    ];
    for second in 1..=23 {
        peer.pass(SECOND);
        let due = expected.iter().find(|(at, _)| *at == second);
        let due = due.map_or("", |(_, bytes)| bytes);
        assert_eq!(sent(&mut peer), due, "after {second} s");
    }
}
