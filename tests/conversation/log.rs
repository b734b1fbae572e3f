//! What the log is told, and what it never is: each test has a subscriber of its own.

mod given_up;
mod keeping;

pub(crate) use self::keeping::{Told, told, told_of};

use self::keeping::told_at;

use super::{app, get, request, sent, statuses};
use corelane::app::{BodyError, BodySource, Response};
use corelane::limits::{LOG_EVENTS, LOG_TEXT_BYTES};
use corelane::log::{HANDLER, LEFT_OUT, REFUSAL};
use corelane::testing::Conversation;
use corelane::{App, Body, Error, Request};
use futures_lite::future::yield_now;
use http::StatusCode;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tracing::Level;

#[test]
fn a_peer_that_speaks_another_protocol_is_told_of_with_the_mend() {
    let tls = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";
    let fields = [("shard", "0"), ("peer", "127.0.0.1:1"), ("status", "400")];
    let event = told_of(app(), tls);
    event.assert(Level::WARN, REFUSAL, &fields);
    assert!(event.field("message").contains("TLS"), "{event:?}");
    assert!(event.field("message").contains("http://"), "{event:?}");

    let event = told_of(app(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let fields = [("shard", "0"), ("peer", "127.0.0.1:1"), ("status", "505")];
    event.assert(Level::WARN, REFUSAL, &fields);
    assert!(event.field("message").contains("HTTP/2"), "{event:?}");
}

#[test]
fn what_is_refused_is_told_by_our_words_alone() {
    let chunks = |rest: &str| {
        request(
            "POST",
            "/take",
            &format!("Transfer-Encoding: chunked\r\n\r\n{rest}"),
        )
    };
    let unread = request("POST", "/", "Transfer-Encoding: chunked\r\n\r\nhunter2\r\n");
    let table: [(&[u8], &str, &str); 5] = [
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nA: hunter2\x1b[2J\r\n\r\n",
            "400",
            "A field value contains a control character.",
        ),
        (
            b"GET /hunter2 HTTP/1.1\r\n\r\n",
            "400",
            "The request has no Host field.",
        ),
        (
            &request("POST", "/take", "Content-Length: 9999999\r\n"),
            "413",
            "The request content is larger than this server accepts here.",
        ),
        (
            &chunks("hunter2\r\n"),
            "400",
            "A chunk size is not one hexadecimal number.",
        ),
        (
            &unread,
            "400",
            "A chunk size is not one hexadecimal number.",
        ),
    ];
    for (message, status, detail) in table {
        let event = told_of(app(), message);
        let fields = [
            ("peer", "127.0.0.1:1"),
            ("status", status),
            ("detail", detail),
        ];
        event.assert(Level::DEBUG, REFUSAL, &fields);
        assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");
    }
    let late = told(|| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(b"GET");
        peer.pass(Duration::from_secs(10));
    });
    assert_eq!(late.len(), 1, "{late:?}");
    late[0].assert(Level::DEBUG, REFUSAL, &[("status", "408")]);
}

#[test]
fn what_is_served_is_not_told() {
    let events = told(|| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&get());
        peer.deliver(&request("GET", "/none", ""));
        peer.deliver(&request("POST", "/take", "Content-Length: 2\r\n\r\nhi"));
        assert_eq!(statuses(&sent(&mut peer)), [200, 404, 200]);
    });
    assert!(events.is_empty(), "{events:?}");
}

/// An error with a cause that has one too.
#[derive(Debug, thiserror::Error)]
#[error("the note\ncould not be kept")]
struct NotKept(#[source] io::Error);

/// An error that fails at what errors are for.
#[derive(Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("speechless")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn the_failure_of_a_handler_is_told_with_its_causes() {
    let failing = || {
        App::new()
            .any("/keep/{id}", async |_| {
                let full = io::Error::other("no space\u{1b}[2J left");
                Err::<(), Error>(NotKept(full).into())
            })
            .get("/later", async |_| {
                yield_now().await;
                Err::<(), Error>(Error::new(StatusCode::BAD_GATEWAY, "Later."))
            })
            .get("/long", async |_| {
                Err::<(), Error>(io::Error::other("é".repeat(5_000)).into())
            })
            .get("/mute", async |_| Err::<(), Error>(Unspeakable.into()))
            .get("/interim", async |_| Response::new(StatusCode::CONTINUE))
    };
    let event = told_of(
        failing(),
        &request("HEAD", "/keep/hunter2?token=hunter2", "Cookie: hunter2\r\n"),
    );
    let fields = [
        ("shard", "0"),
        ("peer", "127.0.0.1:1"),
        ("method", "HEAD"),
        ("route", "/keep/{id}"),
        ("status", "500"),
        (
            "error",
            r"the note\ncould not be kept: no space\u{1b}[2J left",
        ),
    ];
    event.assert(Level::ERROR, HANDLER, &fields);
    assert!(!format!("{event:?}").contains("hunter2"), "{event:?}");

    let event = told_of(failing(), &request("POST", "/keep/1", ""));
    assert!(
        !event.fields.contains_key("method"),
        "the route takes any: {event:?}"
    );

    let event = told_of(failing(), &request("GET", "/later", ""));
    let fields = [("method", "GET"), ("status", "502"), ("error", "Later.")];
    event.assert(Level::ERROR, HANDLER, &fields);

    let event = told_of(failing(), &request("GET", "/long", ""));
    let error = event.field("error");
    assert!(error.ends_with('…') && error.len() <= LOG_TEXT_BYTES + '…'.len_utf8());

    let event = told_of(failing(), &request("GET", "/mute", ""));
    event.assert(
        Level::ERROR,
        HANDLER,
        &[("error", "it panics when it is displayed")],
    );

    let event = told_of(failing(), &request("GET", "/interim", ""));
    event.assert(
        Level::ERROR,
        HANDLER,
        &[("route", "/interim"), ("status", "500")],
    );
    assert!(event.field("error").contains("100 Continue"), "{event:?}");
}

fn denied() -> Error {
    Error::new(StatusCode::FORBIDDEN, "No.")
}

#[test]
fn a_4xx_of_a_handler_is_told_if_it_has_a_source() {
    let denying = || {
        App::new()
            .get("/why", async |_| {
                Err::<(), _>(denied().with_source("no such key"))
            })
            .get("/no", async |_| Err::<(), _>(denied()))
    };
    let event = told_of(denying(), &request("GET", "/why", ""));
    let fields = [
        ("status", "403"),
        ("route", "/why"),
        ("error", "No.: no such key"),
    ];
    event.assert(Level::DEBUG, HANDLER, &fields);
    let events = told(|| {
        Conversation::new(denying())
            .unwrap()
            .deliver(&request("GET", "/no", ""))
    });
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_panic_is_told_wherever_it_comes() {
    let panicking = || {
        App::new()
            .get("/call", |_| -> std::future::Ready<&str> {
                panic!("in the call\r")
            })
            .get("/poll", async |_| -> &str { panic!("in the call{}", '\r') })
            .get("/later", async |_| -> &str {
                yield_now().await;
                panic!("in the call\r")
            })
            .get("/body", async |_| {
                Response::new(StatusCode::OK).with_body(Body::stream(Panicking, None))
            })
    };
    for path in ["/call", "/poll", "/later", "/body"] {
        let event = told_of(panicking(), &request("GET", path, ""));
        let fields = [
            ("method", "GET"),
            ("route", path),
            ("panic", r"in the call\r"),
            ("peer", "127.0.0.1:1"),
        ];
        event.assert(Level::ERROR, HANDLER, &fields);
    }
    let thrown = App::new().get("/", async |_| -> &str { std::panic::panic_any(7) });
    told_of(thrown, &get()).assert(Level::ERROR, HANDLER, &[("panic", "")]);
}

type Piece = Result<&'static str, BodyError>;

fn streamed(pieces: Vec<Piece>, length: Option<u64>) -> Response {
    Response::new(StatusCode::OK).with_body(Body::stream(Source(pieces), length))
}

/// Yields pieces, and then ends.
struct Source(Vec<Piece>);

impl BodySource for Source {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        let piece = (!self.0.is_empty()).then(|| self.0.remove(0));
        Poll::Ready(piece.map(|piece| piece.map(Into::into)))
    }
}

struct Panicking;

impl BodySource for Panicking {
    fn poll_data(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        panic!("in the call\r")
    }
}

#[test]
fn a_response_that_breaks_off_is_told_with_its_cause() {
    let breaking = || {
        App::new()
            .get("/failed", async |_| {
                streamed(
                    vec![Ok("a"), Err(io::Error::other("disk\non fire").into())],
                    None,
                )
            })
            .get("/short", async |_| streamed(vec![Ok("a")], Some(2)))
            .get("/long", async |_| {
                streamed(vec![Ok("a"), Ok("bc")], Some(2))
            })
            .post("/echo", async |request: Request| {
                Response::new(StatusCode::OK).with_body(request.into_body())
            })
    };
    for (path, error) in [
        ("/failed", r"disk\non fire"),
        ("/short", "it has less content than was declared"),
        ("/long", "it has more content than was declared"),
    ] {
        let event = told_of(breaking(), &request("GET", path, ""));
        let fields = [
            ("method", "GET"),
            ("route", path),
            ("status", "200"),
            ("error", error),
            ("peer", "127.0.0.1:1"),
        ];
        event.assert(Level::ERROR, HANDLER, &fields);
    }
    // A peer that leaves in the middle of what it is echoed is no failure of the handler.
    let events = told(|| {
        let mut peer = Conversation::new(breaking()).unwrap();
        peer.deliver(&request(
            "POST",
            "/echo",
            "Content-Length: 99\r\n\r\nhunter2",
        ));
        peer.close();
    });
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].assert(
        Level::DEBUG,
        HANDLER,
        &[("route", "/echo"), ("status", "200")],
    );
}

#[test]
fn a_second_tells_so_many_events_of_a_kind_and_how_many_more_there_were() {
    let failing = App::new()
        .get("/", async |_| StatusCode::OK)
        .get("/500", async |_| {
            Err::<(), Error>(io::Error::other("x").into())
        })
        .get("/panic", async |_| -> &str { panic!("x") });
    let mut peer = Conversation::new(failing).unwrap();
    let mut ask = |path: &str, times: u32| {
        told(|| (0..times).for_each(|_| peer.deliver(&request("GET", path, ""))))
    };
    assert_eq!(ask("/500", LOG_EVENTS).len(), LOG_EVENTS as usize);
    assert_eq!(ask("/500", 7).len(), 0);
    // Another kind has a budget of its own.
    assert_eq!(ask("/panic", 2).len(), 2);
    let mut later = |time, path: &str| {
        peer.pass(time);
        told(|| peer.deliver(&request("GET", path, "")))
    };
    let second = Duration::from_secs(1);
    assert_eq!(later(second - Duration::from_nanos(1), "/500").len(), 0);
    let events = later(Duration::from_nanos(1), "/500");
    assert_eq!(events.len(), 2, "{events:?}");
    events[0].assert(Level::WARN, LEFT_OUT, &[("shard", "0"), ("failed", "8")]);
    assert!(!events[0].fields.contains_key("panicked"), "{events:?}");
    events[1].assert(Level::ERROR, HANDLER, &[("error", "x")]);
    assert_eq!(later(second, "/500").len(), 1);
}

#[test]
fn what_nobody_wants_to_be_told_is_not_counted_as_left_out() {
    let refuse = || {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(b"GET / HTTP/1.1\r\n\r\n");
    };
    assert_eq!(told(refuse).len(), 1);
    assert!(told_at(Level::INFO, refuse).is_empty());

    let denying = App::new().get("/", async |_| Err::<(), _>(denied().with_source("x")));
    let mut peer = Conversation::new(denying).unwrap();
    let events = told_at(Level::WARN, || {
        (0..2 * LOG_EVENTS).for_each(|_| peer.deliver(&get()));
        peer.pass(Duration::from_secs(1));
        peer.deliver(&get());
    });
    assert!(events.is_empty(), "{events:?}");
}
