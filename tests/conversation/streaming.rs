//! Responses that are streamed: when their pieces go out, when their sources are asked, and how
//! they end. Cookies and redirects are here, too, as they are sent.

use super::{request, sent};
use bytes::Bytes;
use corelane::app::{Cookie, Headers, Redirect, Sse, SseEvent};
use corelane::http::CloseReason;
use corelane::limits::{INLINE_BODY_BYTES, READER_PIECE_BYTES, WRITE_TIMEOUT};
use corelane::testing::Conversation;
use corelane::{App, Body, IntoResponse, Request, Response};
use futures_lite::{AsyncReadExt, Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What a test feeds a stream with. A stream without more waits; no wait keeps its waker, for a
/// conversation polls after all that is done to it.
pub(super) struct Feed<T>(Rc<RefCell<Fed<T>>>);

struct Fed<T> {
    items: VecDeque<T>,
    has_ended: bool,
    is_dropped: bool,
    polls: usize,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Feed(Rc::clone(&self.0))
    }
}

impl<T> Feed<T> {
    pub(super) fn new() -> Feed<T> {
        Feed(Rc::new(RefCell::new(Fed {
            items: VecDeque::new(),
            has_ended: false,
            is_dropped: false,
            polls: 0,
        })))
    }

    pub(super) fn push(&self, item: T) {
        self.0.borrow_mut().items.push_back(item);
    }

    pub(super) fn end(&self) {
        self.0.borrow_mut().has_ended = true;
    }

    pub(super) fn stream(&self) -> Fountain<T> {
        Fountain(self.clone())
    }
}

/// The stream of a feed.
pub(super) struct Fountain<T>(Feed<T>);

impl<T> Stream for Fountain<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        let fed = &mut *self.0.0.borrow_mut();
        fed.polls += 1;
        match fed.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if fed.has_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Fountain<T> {
    fn drop(&mut self) {
        self.0.0.borrow_mut().is_dropped = true;
    }
}

/// A conversation in which `/` was asked for and is answered with what `make` makes.
fn asked<A: IntoResponse + 'static>(make: impl Fn() -> A + 'static) -> Conversation {
    let make = Rc::new(make);
    let app = App::new().get("/", move |_: Request| {
        let make = Rc::clone(&make);
        async move { make() }
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("GET", "/", ""));
    peer
}

/// Lets the conversation look again.
fn look(peer: &mut Conversation) -> String {
    peer.pass(Duration::ZERO);
    sent(peer)
}

#[test]
fn each_piece_goes_out_before_the_next_is_waited_for() {
    let feed = Feed::<io::Result<&'static str>>::new();
    let source = feed.clone();
    let mut peer = asked(move || Body::from_stream(source.stream()));
    let head = sent(&mut peer);
    assert!(
        head.contains("\r\nTransfer-Encoding: chunked\r\n"),
        "{head}"
    );
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    for (piece, chunk) in [("a", "1\r\na\r\n"), ("", ""), ("bc", "2\r\nbc\r\n")] {
        feed.push(Ok(piece));
        assert_eq!(look(&mut peer), chunk);
    }
    feed.push(Ok("d"));
    feed.push(Ok("e"));
    feed.end();
    assert_eq!(look(&mut peer), "1\r\nd\r\n1\r\ne\r\n0\r\n\r\n");
    assert!(feed.0.borrow().is_dropped);
    peer.deliver(&request("GET", "/none", ""));
    assert!(sent(&mut peer).starts_with("HTTP/1.1 404 "));
}

#[test]
fn a_stream_waits_for_a_peer_that_does_not_read() {
    const PIECE: usize = INLINE_BODY_BYTES + 1;
    let taken = Rc::new(Cell::new(0));
    let counter = Rc::clone(&taken);
    let app = App::new().get("/", move |_: Request| {
        let counter = Rc::clone(&counter);
        async move {
            let pieces = stream::repeat_with(move || {
                counter.set(counter.get() + 1);
                io::Result::Ok(vec![b'x'; PIECE])
            });
            Body::from_stream(pieces)
        }
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.set_room(1000);
    peer.deliver(&request("GET", "/", ""));
    assert_eq!((peer.take_sent().len(), taken.get()), (1000, 1));
    peer.set_room(10 * PIECE);
    assert_eq!(peer.take_sent().len(), 10 * PIECE);
    assert!((10..=11).contains(&taken.get()), "{}", taken.get());
    peer.pass(WRITE_TIMEOUT);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
}

#[test]
fn a_stream_that_fails_or_panics_does_not_look_whole() {
    let failing: fn() -> Body = || {
        let items = [Ok("part"), Err(io::Error::other("disk on fire"))];
        Body::from_stream(stream::iter(items))
    };
    let panicking: fn() -> Body = || {
        let items = stream::iter([true, false]);
        Body::from_stream(items.map(|is_well| {
            assert!(is_well, "a stream that panics");
            io::Result::Ok("part")
        }))
    };
    let short: fn() -> Body = || Body::from_reader(&b"part"[..], Some(5));
    for make in [failing, panicking, short] {
        let mut peer = asked(make);
        let answer = sent(&mut peer);
        assert!(answer.contains("part"), "{answer}");
        assert!(!answer.contains("\r\n0\r\n\r\n"), "{answer}");
        assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    }
}

#[test]
fn a_reader_goes_out_whole() {
    let content: Rc<[u8]> = (0..READER_PIECE_BYTES * 3 + 5).map(|n| n as u8).collect();
    let read = Rc::clone(&content);
    let length = content.len() as u64;
    let mut peer = asked(move || {
        let reader = futures_lite::io::Cursor::new(read.to_vec());
        Body::from_reader(reader, Some(length))
    });
    let answer = peer.take_sent();
    let head = String::from_utf8_lossy(&answer[..answer.len() - content.len()]);
    assert!(head.contains(&format!("\r\nContent-Length: {length}\r\n")));
    assert!(answer.ends_with(&content));
}

#[test]
fn the_content_of_a_request_is_a_stream_and_a_reader() {
    let app = App::new()
        .post("/shout", async |request: Request| {
            Body::from_stream(request.into_body().map(|piece| {
                let piece = piece?.to_ascii_uppercase();
                Ok::<_, corelane::Error>(piece)
            }))
        })
        .post("/read", async |request: Request| {
            let mut text = String::new();
            let mut reader = request.into_body().into_reader();
            reader.read_to_string(&mut text).await?;
            Ok::<_, corelane::Error>(text)
        });
    let mut peer = Conversation::new(app).unwrap();
    let chunked = "Transfer-Encoding: chunked\r\n";
    peer.deliver(&request("POST", "/shout", chunked));
    // What is made of a request waits for the first of it.
    assert_eq!(sent(&mut peer), "");
    for (delivered, expected) in [
        ("2\r\nab\r\n", "2\r\nAB\r\n"),
        ("1\r\nc\r\n0\r\n\r\n", "1\r\nC\r\n0\r\n\r\n"),
    ] {
        peer.deliver(delivered.as_bytes());
        let sent = sent(&mut peer);
        assert!(sent.ends_with(expected), "{sent}");
    }
    peer.deliver(&request("POST", "/read", chunked));
    peer.deliver(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    assert!(sent(&mut peer).ends_with("\r\n\r\nabc"));
    // What the peer does wrong is still told as its own fault.
    peer.deliver(&request("POST", "/read", chunked));
    peer.deliver(b"x\r\n");
    assert!(sent(&mut peer).starts_with("HTTP/1.1 400 "));
}

#[test]
fn trailers_are_made_when_the_content_has_ended() {
    const SUM: HeaderName = HeaderName::from_static("x-sum");
    let mut peer = asked(|| {
        let sum = Rc::new(Cell::new(0));
        let total = Rc::clone(&sum);
        let numbers = stream::iter(1..=3u8).map(move |number| {
            sum.set(sum.get() + number);
            io::Result::Ok(vec![b'0' + number])
        });
        let response = Body::from_stream(numbers).into_response();
        response.with_trailers(&[SUM], move || {
            let mut trailers = Headers::new();
            trailers.append(SUM, HeaderValue::from(u16::from(total.get())));
            trailers
        })
    });
    let answer = sent(&mut peer);
    assert!(answer.contains("\r\nTrailer: x-sum\r\n"), "{answer}");
    assert!(
        answer.ends_with("1\r\n3\r\n0\r\nX-Sum: 6\r\n\r\n"),
        "{answer}"
    );
    // Content in memory goes out in chunks then.
    let mut peer = asked(|| {
        "abc".into_response().with_trailers(&[SUM], || {
            let mut trailers = Headers::new();
            trailers.append(SUM, HeaderValue::from(1));
            trailers
        })
    });
    let answer = sent(&mut peer);
    assert!(
        answer.ends_with("\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn events_go_out_one_by_one() {
    let events = Feed::<SseEvent>::new();
    let source = events.clone();
    let mut peer = asked(move || Sse::new(source.stream()));
    let head = sent(&mut peer);
    for field in [
        "Content-Type: text/event-stream",
        "Cache-Control: no-store",
        "Transfer-Encoding: chunked",
    ] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    events.push(SseEvent::data("a\nb").event("c"));
    let expected = "1a\r\ndata: a\ndata: b\nevent: c\n\n\r\n";
    assert_eq!(look(&mut peer), expected);
    assert_eq!(look(&mut peer), "");
    events.push(SseEvent::data("d"));
    assert_eq!(look(&mut peer), "9\r\ndata: d\n\n\r\n");
    events.end();
    assert_eq!(look(&mut peer), "0\r\n\r\n");
    assert!(events.0.borrow().is_dropped);
}

#[test]
fn events_end_in_order_at_a_shutdown() {
    let events = Feed::<SseEvent>::new();
    let source = events.clone();
    let mut peer = asked(move || Sse::new(source.stream()));
    look(&mut peer);
    // What is ready goes out before.
    events.push(SseEvent::data("a"));
    peer.drain();
    assert_eq!(sent(&mut peer), "9\r\ndata: a\n\n\r\n0\r\n\r\n");
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
    assert!(events.0.borrow().is_dropped);
}

#[test]
fn content_ends_at_a_shutdown_if_it_says_so() {
    let feed = Feed::<io::Result<&str>>::new();
    let (events, pieces) = (Feed::<SseEvent>::new(), feed.clone());
    let source = events.clone();
    let mut going_on = asked(move || Sse::new(source.stream()).to_its_end());
    let source = pieces.clone();
    let mut whole = asked(move || Body::from_stream(source.stream()));
    let source = pieces.clone();
    let mut until = asked(move || Body::from_stream(source.stream()).until_shutdown());
    for peer in [&mut going_on, &mut whole, &mut until] {
        look(peer);
        peer.drain();
    }
    assert_eq!(sent(&mut until), "0\r\n\r\n");
    assert_eq!((sent(&mut going_on), sent(&mut whole)), Default::default());
    events.push(SseEvent::data("a"));
    events.end();
    assert_eq!(look(&mut going_on), "9\r\ndata: a\n\n\r\n0\r\n\r\n");
    feed.end();
    assert_eq!(look(&mut whole), "0\r\n\r\n");
}

#[test]
fn events_end_where_their_stream_fails_or_the_peer_goes() {
    let feed = Feed::<Result<SseEvent, io::Error>>::new();
    let source = feed.clone();
    let start = || {
        let source = source.clone();
        asked(move || Sse::from_results(source.stream()))
    };
    let mut peer = start();
    feed.push(Err(io::Error::other("disk on fire")));
    assert!(!look(&mut peer).contains("0\r\n\r\n"));
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    let mut peer = start();
    feed.push(Ok(SseEvent::data("a").id("b\nc")));
    assert!(!look(&mut peer).contains('b'));
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    let mut peer = start();
    feed.0.borrow_mut().is_dropped = false;
    peer.reset();
    feed.push(Ok(SseEvent::data("a")));
    look(&mut peer);
    assert_eq!(peer.ended(), Some(CloseReason::PeerAborted));
    assert!(feed.0.borrow().is_dropped);
}

#[test]
fn cookies_and_redirects_as_they_are_sent() {
    let mut peer = asked(|| {
        let cookies = [
            Cookie::new("a", "1")?.http_only(),
            Cookie::removal("b")?.path("/c")?,
        ];
        let response = Redirect::see_other("/é").into_response();
        let response = cookies.into_iter().fold(response, Response::with_cookie);
        Ok::<_, corelane::Error>(response)
    });
    let answer = sent(&mut peer);
    assert!(answer.starts_with("HTTP/1.1 303 See Other\r\n"), "{answer}");
    assert!(
        answer.contains(
            "\r\nLocation: /%C3%A9\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\n\
             Set-Cookie: b=; Path=/c; Max-Age=0\r\n"
        ),
        "{answer}"
    );
    let mut peer = asked(|| Redirect::permanent("/\r\nSet-Cookie: a=1"));
    let answer = sent(&mut peer);
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(!answer.contains("a=1"), "{answer}");
}

#[test]
fn a_response_of_the_head_alone_asks_its_stream_for_nothing() {
    let feed = Feed::<io::Result<Bytes>>::new();
    let source = feed.clone();
    let app = App::new().get("/", move |_: Request| {
        let body = Body::from_stream(source.stream());
        async move { Response::new(StatusCode::OK).with_body(body) }
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("HEAD", "/", ""));
    assert!(sent(&mut peer).ends_with("\r\n\r\n"));
    let fed = feed.0.borrow();
    assert!(fed.is_dropped);
    assert_eq!(fed.polls, 0);
}
