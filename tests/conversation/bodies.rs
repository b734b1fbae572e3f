//! Request bodies that are read late, in part, by others than their handler, or while something
//! else is sent; and peers that wait to be invited to send them.

use super::{get, request, sent, statuses, with};
use corelane::app::{BodySource, Response};
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use corelane::{App, Body, Limits, Request};
use futures_lite::future::{block_on, poll_once};
use http::StatusCode;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

const TICK: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.body_rate_bytes = 0;
    limits
}

/// Sends the content back as it comes.
fn echo() -> App {
    App::new().post("/", async |request: Request| {
        Response::new(StatusCode::OK).with_body(request.into_body())
    })
}

/// A request for `/` whose peer waits to be invited to send its 5 bytes.
fn expecting() -> Vec<u8> {
    request("POST", "/", "Expect: 100-continue\r\nContent-Length: 5\r\n")
}

#[test]
fn a_body_that_is_sent_back_has_its_own_time_and_the_sending_has_another() {
    for (body, write) in [(3, 30), (30, 3)] {
        let mut limits = limits();
        limits.body_timeout = body * SECOND;
        limits.write_timeout = write * SECOND;
        let mut peer = Conversation::with_limits(echo(), limits).unwrap();
        peer.deliver(&request("POST", "/", "Content-Length: 100\r\n"));
        for _ in 0..10 {
            peer.pass(body * SECOND - TICK);
            peer.deliver(b"x");
        }
        assert_eq!(peer.ended(), None, "{body} {write}");
        assert!(sent(&mut peer).ends_with("\r\n\r\nxxxxxxxxxx"));
        peer.pass(body * SECOND - TICK);
        assert_eq!(peer.ended(), None, "{body} {write}");
        peer.pass(TICK);
        assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    }
}

#[test]
fn a_body_that_is_sent_back_has_a_least_rate() {
    let mut limits = limits();
    limits.body_timeout = 7 * SECOND;
    limits.body_rate_bytes = 10;
    let mut peer = Conversation::with_limits(echo(), limits).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 100\r\n"));
    let mut seconds = 0;
    while peer.ended().is_none() {
        peer.deliver(b"x");
        peer.pass(SECOND);
        seconds += 1;
    }
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    // n bytes came before second n, and 10(n - 7) are due in it.
    assert_eq!(seconds, 8);
}

#[test]
fn a_handler_that_is_slow_to_read_costs_its_peer_no_time() {
    let slot = Rc::new(RefCell::new(None));
    let taken = Rc::clone(&slot);
    let app = App::new().post("/", move |mut request: Request| {
        let slot = Rc::clone(&taken);
        async move {
            // Asks for the body, does something else, and asks again.
            assert!(poll_once(request.body_mut().next()).await.is_none());
            let busy = std::future::poll_fn(|cx| match slot.borrow_mut().take() {
                Some(()) => Poll::Ready(()),
                None => {
                    let _ = cx;
                    Poll::Pending
                }
            });
            busy.await;
            Ok::<_, corelane::Error>(request.bytes().await?.len().to_string())
        }
    });
    let mut limits = limits();
    limits.body_timeout = 7 * SECOND;
    limits.body_rate_bytes = 10;
    let mut peer = Conversation::with_limits(app, limits).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 10\r\n"));
    peer.deliver(b"12345");
    peer.pass(100 * SECOND);
    *slot.borrow_mut() = Some(());
    peer.pass(7 * SECOND - TICK);
    peer.deliver(b"67890");
    assert!(sent(&mut peer).ends_with("\r\n\r\n10"));
}

#[test]
fn a_body_is_invited_when_it_is_first_read_and_before_the_response() {
    let mut peer = Conversation::new(echo()).unwrap();
    peer.deliver(&expecting());
    assert_eq!(sent(&mut peer), CONTINUE);
    peer.deliver(&[b"hello", &get()[..]].concat());
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [200, 405], "{answer}");
    assert!(answer.contains("\r\n\r\nhelloHTTP/1.1 405 "), "{answer}");

    // A handler that reads first, behind a response that is gathered.
    let mut peer = with(|_| {});
    let taking = request(
        "POST",
        "/take",
        "Expect: 100-continue\r\nContent-Length: 5\r\n",
    );
    peer.deliver(&[get(), taking].concat());
    let answer = sent(&mut peer);
    assert!(
        answer.ends_with(&format!("\r\n\r\nHello{CONTINUE}")),
        "{answer}"
    );
    peer.deliver(b"hello");
    assert!(sent(&mut peer).ends_with("\r\n\r\n5"));
}

#[test]
fn an_invitation_that_is_no_more_wanted_costs_no_response() {
    for room in [0, 1, 10] {
        let app = App::new().post("/", async |mut request: Request| {
            assert!(poll_once(request.body_mut().next()).await.is_none());
            drop(request);
            "answered"
        });
        let mut peer = Conversation::new(app).unwrap();
        peer.set_room(room);
        peer.deliver(&expecting());
        peer.set_room(usize::MAX);
        let answer = sent(&mut peer);
        assert!(answer.ends_with("\r\n\r\nanswered"), "{room}: {answer}");
        // Nobody knows whether the peer sends the body now.
        assert!(answer.contains("Connection: close"), "{answer}");
    }
}

#[test]
fn an_invitation_that_is_not_taken_has_a_deadline() {
    let mut peer = with(|limits| limits.write_timeout = 4 * SECOND);
    peer.set_room(0);
    peer.deliver(&request(
        "POST",
        "/take",
        "Expect: 100-continue\r\nContent-Length: 5\r\n",
    ));
    peer.pass(4 * SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
    assert_eq!(peer.in_flight(), 0);
}

#[test]
fn a_body_that_is_first_read_behind_the_head_of_the_response_is_not_invited() {
    /// Yields a piece at once, waits for the connection to send it, and then reads the body.
    struct Late(u8, Body);

    impl BodySource for Late {
        fn poll_data(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<bytes::Bytes, corelane::app::BodyError>>> {
            self.0 += 1;
            match self.0 {
                1 => Poll::Ready(Some(Ok("first".into()))),
                2 => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                _ => self.1.poll_next(cx),
            }
        }
    }

    let app = App::new().post("/", async |request: Request| {
        let body = Body::stream(Late(0, request.into_body()), None);
        Response::new(StatusCode::OK).with_body(body)
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&expecting());
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [200], "{answer}");
    assert!(answer.ends_with("\r\n5\r\nfirst\r\n"), "{answer}");
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
}

#[test]
fn a_body_that_is_kept_reads_nothing_once_its_request_is_answered() {
    let kept = Rc::new(RefCell::new(Body::Empty));
    let keeper = Rc::clone(&kept);
    let app = App::new()
        .post("/", move |request: Request| {
            *keeper.borrow_mut() = request.into_body();
            async { "kept" }
        })
        .get("/", async |_| "next");
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 10\r\n"));
    peer.deliver(b"01234");
    assert!(sent(&mut peer).ends_with("\r\n\r\nkept"));
    // The rest of it is being thrown away, and is nobody's to read.
    let piece = block_on(poll_once(kept.borrow_mut().next()));
    assert!(matches!(piece, Some(Some(Err(_)))), "{piece:?}");
    peer.deliver(&[b"56789", &get()[..]].concat());
    assert!(sent(&mut peer).ends_with("\r\n\r\nnext"));
}

#[test]
fn a_request_that_is_refused_is_so_even_when_its_content_was_to_be_the_answer() {
    let large = format!("{:x}\r\n", 2 << 20);
    for (body, status) in [("zz\r\n", 400), (&*large, 413)] {
        for size in [1, 1000] {
            let mut peer = Conversation::new(echo()).unwrap();
            let message = request(
                "POST",
                "/",
                &format!("Transfer-Encoding: chunked\r\n\r\n{body}"),
            );
            // Without the empty line that `request` ends with.
            let message = &message[..message.len() - 2];
            message.chunks(size).for_each(|piece| peer.deliver(piece));
            let answer = sent(&mut peer);
            assert_eq!(
                statuses(&answer),
                [status],
                "{body} in pieces of {size}: {answer}"
            );
            assert!(answer.contains("Connection: close") && peer.is_shut());
        }
    }
    let mut peer = Conversation::with_limits(echo(), limits()).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 5\r\n"));
    peer.pass(limits().body_timeout);
    assert_eq!(statuses(&sent(&mut peer)), [408]);
}

#[test]
fn the_empty_line_before_a_request_is_no_beginning_of_it() {
    let mut limits = limits();
    limits.head_timeout = 5 * SECOND;
    limits.idle_timeout = 20 * SECOND;
    let start = || Conversation::with_limits(echo(), limits).unwrap();
    for before in [Vec::new(), get()] {
        let mut peer = start();
        peer.deliver(&[&before[..], b"\r\n"].concat());
        sent(&mut peer);
        peer.pass(20 * SECOND - TICK);
        assert_eq!((sent(&mut peer), peer.ended()), (String::new(), None));
        peer.pass(TICK);
        assert_eq!(sent(&mut peer), "");
        assert_eq!(peer.ended(), Some(CloseReason::IdleTimeout));
        // It ends like any that has asked for nothing.
        let mut peer = start();
        peer.deliver(b"\r\n");
        peer.close();
        assert_eq!(peer.ended(), Some(CloseReason::PeerClosed));
        let mut peer = start();
        peer.deliver(b"\r\n");
        peer.drain();
        assert_eq!(peer.ended(), Some(CloseReason::Stopped));
    }
    // And is taken once, however long the rest takes to come.
    for (lines, status) in [("\r\n", 405), ("\r\n\r\n", 400)] {
        let mut peer = start();
        for byte in lines.bytes().chain(get()) {
            peer.deliver(&[byte]);
            peer.pass(SECOND / 10);
        }
        assert_eq!(statuses(&sent(&mut peer)), [status], "{lines:?}");
    }
}
