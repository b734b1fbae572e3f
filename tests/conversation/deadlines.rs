//! What may take too long: each deadline a nanosecond before it passes, and when it does.

use super::{get, request, sent, statuses, with};
use corelane::app::finish_after_disconnect;
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use corelane::{App, Body, Limits, Request, Response};
use futures_lite::{StreamExt, stream};
use http::StatusCode;
use std::io;
use std::time::Duration;

const TICK: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

/// Waits until a moment before `deadline` and makes sure that nothing has happened; then lets it
/// pass.
fn outlive(peer: &mut Conversation, deadline: Duration) -> String {
    peer.pass(deadline - TICK);
    assert!(!peer.is_shut());
    assert_eq!(sent(peer), "");
    peer.pass(TICK);
    sent(peer)
}

#[test]
fn silence_before_and_between_requests_is_answered_with_silence() {
    for requests in [0, 1, 2] {
        let mut peer = with(|limits| limits.idle_timeout = 20 * SECOND);
        peer.pass(3 * SECOND);
        for _ in 0..requests {
            peer.pass(17 * SECOND - TICK);
            peer.deliver(&get());
            assert_eq!(statuses(&sent(&mut peer)), [200]);
        }
        let left = if requests == 0 { 17 } else { 20 };
        assert_eq!(outlive(&mut peer, left * SECOND), "");
        assert_eq!(peer.ended(), Some(CloseReason::IdleTimeout));
    }
}

#[test]
fn a_head_has_its_time_from_the_first_byte_however_it_trickles() {
    let mut peer = with(|limits| limits.head_timeout = 5 * SECOND);
    peer.pass(30 * SECOND);
    for byte in b"GET / HTTP" {
        peer.deliver(&[*byte]);
        peer.pass(SECOND / 2 - TICK);
    }
    assert_eq!(sent(&mut peer), "");
    peer.pass(10 * TICK);
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [408]);
    assert!(answer.contains("Connection: close"), "{answer}");
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::HeadTimeout));
}

#[test]
fn the_next_head_has_a_time_of_its_own() {
    let mut peer = with(|limits| limits.head_timeout = 5 * SECOND);
    let message = get();
    let (first, second) = message.split_at(5);
    peer.deliver(first);
    peer.pass(4 * SECOND);
    peer.deliver(&[second, first].concat());
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    peer.pass(4 * SECOND);
    peer.deliver(second);
    assert_eq!(statuses(&sent(&mut peer)), [200]);
}

#[test]
fn a_pause_in_a_body_that_is_read() {
    let mut peer = with(|limits| {
        limits.body_timeout = 7 * SECOND;
        limits.body_rate_bytes = 0;
    });
    peer.deliver(&request("POST", "/take", "Content-Length: 1000\r\n"));
    for _ in 0..500 {
        peer.pass(7 * SECOND - TICK);
        peer.deliver(b"x");
    }
    let answer = outlive(&mut peer, 7 * SECOND);
    assert_eq!(statuses(&answer), [408]);
    assert!(answer.contains("Connection: close"), "{answer}");
}

#[test]
fn a_body_below_the_least_rate() {
    // 10 bytes a second on average, after 7 seconds for nothing.
    let slow = |bytes_each_second: usize| {
        let mut peer = with(|limits| {
            limits.body_timeout = 7 * SECOND;
            limits.body_rate_bytes = 10;
        });
        peer.deliver(&request("POST", "/take", "Content-Length: 300\r\n"));
        let mut seconds = 0;
        loop {
            peer.deliver(&vec![b'x'; bytes_each_second]);
            let answer = sent(&mut peer);
            if !answer.is_empty() {
                return (seconds, statuses(&answer));
            }
            peer.pass(SECOND);
            seconds += 1;
        }
    };
    // 300 bytes.
    assert_eq!(slow(10), (29, vec![200]));
    assert_eq!(slow(9), (33, vec![200]));
    // 5n bytes came before second n, and 10(n - 7) are due in it: no more than that at n = 14.
    assert_eq!(slow(5), (14, vec![408]));
    assert_eq!(slow(1), (8, vec![408]));
}

#[test]
fn a_body_that_is_thrown_away_has_no_more_time_than_one_that_is_read() {
    let mut peer = with(|limits| limits.body_timeout = 7 * SECOND);
    peer.deliver(&request("POST", "/", "Content-Length: 10\r\n"));
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    peer.pass(7 * SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::BodyTimeout));
}

#[test]
fn a_response_that_is_not_taken() {
    let mut peer = with(|limits| {
        limits.write_timeout = 9 * SECOND;
        limits.write_rate_bytes = 0;
    });
    peer.set_room(0);
    peer.deliver(&get());
    for _ in 0..20 {
        // Every byte renews it.
        peer.pass(9 * SECOND - TICK);
        peer.set_room(1);
    }
    assert_eq!(peer.take_sent().len(), 20);
    peer.pass(9 * SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
}

/// A conversation with `app` in which handlers are waited for 5 seconds.
fn impatient(app: App) -> Conversation {
    let mut limits = Limits::default();
    limits.handler_timeout = Some(5 * SECOND);
    limits.write_timeout = 9 * SECOND;
    limits.write_rate_bytes = 10;
    Conversation::with_limits(app, limits).unwrap()
}

#[test]
fn a_response_below_the_least_rate() {
    // 10 bytes a second on average, after 9 seconds for nothing.
    let slow = |bytes_each_second: usize| {
        let mut peer = impatient(App::new().get("/", async |_| "x".repeat(1000)));
        peer.set_room(0);
        peer.deliver(&get());
        for seconds in 0.. {
            peer.set_room(bytes_each_second);
            if peer.in_flight() == 0 {
                return (seconds, peer.ended());
            }
            peer.pass(SECOND);
        }
        unreachable!("one of them comes")
    };
    assert_eq!(slow(2000), (0, None));
    assert_eq!(slow(10).1, None);
    // 9n + 9 bytes were taken before second n + 1, and 10(n + 1 - 9) are due at its end.
    assert_eq!(slow(9), (90, Some(CloseReason::WriteTimeout)));
    assert_eq!(slow(5), (18, Some(CloseReason::WriteTimeout)));
    assert_eq!(slow(1), (10, Some(CloseReason::WriteTimeout)));
}

#[test]
fn only_the_time_that_the_peer_takes_counts_for_the_least_rate() {
    let app = || {
        App::new().get("/", async |request: Request| {
            let time = request.time();
            Body::from_stream(stream::repeat(time).then(async |time| {
                time.sleep(4 * SECOND).await;
                io::Result::Ok("x")
            }))
        })
    };
    // A handler that makes a byte each 4 seconds is not its peer's fault.
    let mut peer = impatient(app());
    peer.deliver(&get());
    for _ in 0..100 {
        sent(&mut peer);
        peer.pass(4 * SECOND);
        assert_eq!(sent(&mut peer), "1\r\nx\r\n");
    }
    // A peer that takes 3 seconds more for each of them falls below 10 bytes a second at last.
    let mut peer = impatient(app());
    peer.deliver(&get());
    let mut pieces = 0;
    while peer.ended().is_none() {
        peer.set_room(0);
        peer.pass(4 * SECOND);
        peer.pass(3 * SECOND);
        peer.set_room(usize::MAX);
        pieces += 1;
        assert!(pieces < 100, "it is never let go of");
    }
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
    // Its head and 6 bytes for each piece were worth so much.
    let head = 1 + sent(&mut peer).find("\r\n\r\n").unwrap() / 10;
    assert!((3..3 + head).contains(&pieces), "{pieces}");
}

#[test]
fn a_handler_that_never_answers() {
    let app = || {
        App::new()
            .get("/", async |_| "Hello")
            .get("/never", async |_| std::future::pending::<&str>().await)
    };
    // Without a limit it is waited for, as long as its peer stays.
    let mut peer = Conversation::new(app()).unwrap();
    peer.deliver(&request("GET", "/never", ""));
    peer.pass(1_000_000 * SECOND);
    assert_eq!((sent(&mut peer), peer.ended()), (String::new(), None));

    let mut peer = impatient(app());
    for _ in 0..2 {
        peer.deliver(&[request("GET", "/never", ""), get()].concat());
        let answer = outlive(&mut peer, 5 * SECOND);
        assert_eq!(statuses(&answer), [503, 200], "{answer}");
        assert!(answer.contains("The answer took too long."), "{answer}");
    }
    assert_eq!(peer.in_flight(), 0);
}

#[test]
fn the_time_that_content_takes_to_come_is_not_the_handlers() {
    let app = App::new().post("/", async |mut request: Request| {
        let text = request.text().await?;
        request.time().sleep(9 * SECOND).await;
        Ok::<_, corelane::Error>(text)
    });
    let mut peer = impatient(app);
    peer.deliver(&request("POST", "/", "Content-Length: 3\r\n"));
    for _ in 0..3 {
        peer.pass(4 * SECOND);
        assert_eq!(sent(&mut peer), "");
        peer.deliver(b"x");
    }
    assert_eq!(statuses(&outlive(&mut peer, 5 * SECOND)), [503]);
}

#[test]
fn a_stream_that_never_goes_on() {
    let app = || {
        App::new().get("/", async |request: Request| {
            let time = request.time();
            let pieces = stream::iter(["a", "b"]).then(move |piece| {
                let time = time.clone();
                async move {
                    time.sleep(5 * SECOND - TICK).await;
                    io::Result::Ok(piece)
                }
            });
            Body::from_stream(pieces.chain(stream::pending()))
        })
    };
    for (version, framed) in [("1.1", ["1\r\na\r\n", "1\r\nb\r\n"]), ("1.0", ["a", "b"])] {
        let mut peer = impatient(app());
        peer.deliver(format!("GET / HTTP/{version}\r\nHost: h\r\n\r\n").as_bytes());
        sent(&mut peer);
        // Each piece has its own time, which begins when its peer has taken the last.
        for piece in framed {
            peer.set_room(0);
            peer.pass(5 * SECOND - TICK);
            peer.pass(SECOND);
            peer.set_room(usize::MAX);
            assert_eq!(sent(&mut peer), piece);
        }
        peer.pass(5 * SECOND - TICK);
        assert_eq!(peer.ended(), None);
        peer.pass(TICK);
        assert_eq!(sent(&mut peer), "");
        assert_eq!(peer.ended(), Some(CloseReason::Truncated));
        assert_eq!(peer.was_reset(), version == "1.0");
    }
}

#[test]
fn a_handler_that_is_to_finish_has_no_more_time_than_others() {
    let never = async |_: Request| -> Response {
        std::future::pending::<()>().await;
        Response::new(StatusCode::OK)
    };
    let mut peer = impatient(App::new().get("/", finish_after_disconnect(never)));
    peer.deliver(&get());
    peer.close();
    assert_eq!(statuses(&outlive(&mut peer, 5 * SECOND)), [503]);
}

#[test]
fn lingering() {
    let mut peer = with(|limits| limits.linger_timeout = 4 * SECOND);
    peer.deliver(b"BAD\r\n");
    assert_eq!(statuses(&sent(&mut peer)), [400]);
    for _ in 0..3 {
        peer.deliver(b"more");
        peer.pass(SECOND);
    }
    peer.pass(SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::Refused));
}
