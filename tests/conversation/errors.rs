//! Errors in the form that a request asks for, and what handlers may say of the connection.

use super::{request, sent, statuses, with};
use corelane::app::{Response, with_body_limit};
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use corelane::{App, Body, Request};
use http::header::CONNECTION;
use http::{HeaderValue, StatusCode};

#[test]
fn errors_of_every_origin_come_in_the_form_that_is_asked_for() {
    let forms = [
        ("", "text/plain; charset=utf-8", "404 Not Found\n"),
        (
            "Accept: text/html\r\n",
            "text/html; charset=utf-8",
            "<h1>404 Not Found</h1>",
        ),
        (
            "Accept: image/png\r\nAccept: application/json\r\n",
            "application/problem+json",
            "\"status\":404",
        ),
    ];
    for (accept, content_type, content) in forms {
        let mut peer = with(|_| {});
        // Of the router, pipelined behind one that asks for another form, of the framing, of the
        // handler that reads the body.
        let sources = [
            (request("GET", "/none", accept), 404),
            (
                [
                    request("GET", "/none", "Accept: text/plain\r\n"),
                    request("GET", "/none", accept),
                ]
                .concat(),
                404,
            ),
            (
                request(
                    "POST",
                    "/take",
                    &format!("{accept}Content-Length: 9999999\r\n"),
                ),
                413,
            ),
        ];
        for (message, status) in sources {
            peer.deliver(&message);
            let answer = sent(&mut peer);
            let last = &answer[answer.rfind("HTTP/1.1 ").unwrap()..];
            assert_eq!(statuses(last), [status]);
            assert!(
                last.contains(&format!("Content-Type: {content_type}\r\n")),
                "{last}"
            );
            assert!(last.contains("\r\nVary: Accept\r\n"), "{last}");
            if status == 404 {
                assert!(last.contains(content), "{last}");
            }
        }
    }
}

#[test]
fn a_whole_head_is_refused_in_the_form_that_it_prefers_and_a_line_as_text() {
    let text = ("text/plain; charset=utf-8", false);
    let page = ("text/html; charset=utf-8", true);
    let cases = [
        ("GET / HTTP/1.1\r\n", 400, page),
        ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n", 400, page),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", 400, page),
        ("GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n", 417, page),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            400,
            page,
        ),
        (
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n",
            501,
            page,
        ),
        ("GET https://h/ HTTP/1.1\r\nHost: h\r\n", 421, text),
        ("GET / HTTP/2.0\r\nHost: h\r\n", 505, text),
        ("GET / HTTP/1.1\r\nHost : h\r\n", 400, text),
        // A line behind the fault of the whole.
        ("GET / HTTP/1.1\r\nHost: a b\r\nX : y\r\n", 400, text),
    ];
    for (head, status, (content_type, varies)) in cases {
        let message = format!("{head}aCCept: image/png\r\nAccept:text/html \r\n\r\n");
        for size in [1, 7, message.len()] {
            let mut peer = with(|_| {});
            // What was asked before has no say in it.
            peer.deliver(&request("GET", "/", "Accept: application/json\r\n"));
            sent(&mut peer);
            let pieces = message.as_bytes().chunks(size);
            pieces.for_each(|piece| peer.deliver(piece));
            let answer = sent(&mut peer);
            let line = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&line), "{message}{answer}");
            let field = format!("\r\nContent-Type: {content_type}\r\n");
            assert!(answer.contains(&field), "{message}{answer}");
            let vary = answer.contains("\r\nVary: Accept\r\n");
            assert_eq!(vary, varies, "{message}{answer}");
        }
    }
}

#[test]
fn a_head_that_is_late_is_refused_as_text() {
    let mut peer = with(|_| {});
    peer.deliver(b"GET / HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n");
    peer.pass(corelane::limits::HEAD_TIMEOUT);
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [408]);
    assert!(answer.contains("\r\nContent-Type: text/plain"), "{answer}");
    assert!(!answer.contains("\r\nVary:"), "{answer}");
}

#[test]
fn an_error_to_head_has_the_fields_of_its_content_alone() {
    let mut peer = with(|_| {});
    peer.deliver(&request("HEAD", "/none", ""));
    let answer = sent(&mut peer);
    assert!(answer.contains("Content-Length: 14\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn a_handler_may_end_the_connection() {
    let app = App::new().get("/", async |_| {
        Response::new(StatusCode::OK)
            .with_header(CONNECTION, HeaderValue::from_static("x, Close"))
            .with_body("bye")
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("GET", "/", "").repeat(2));
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [200]);
    assert!(answer.contains("\r\nConnection: close, x\r\n"), "{answer}");
    assert!(peer.is_shut());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Completed));
}

#[test]
fn a_route_may_take_larger_bodies_or_only_smaller_ones() {
    let length = async |mut request: Request| {
        Ok::<_, corelane::Error>(request.bytes().await?.len().to_string())
    };
    let app = || {
        App::new()
            .post("/more", with_body_limit(2 << 20, length))
            .post("/less", with_body_limit(10, length))
    };
    for (path, bytes, status) in [
        ("/more", 2 << 20, 200),
        ("/more", (2 << 20) + 1, 413),
        ("/less", 10, 200),
        ("/less", 11, 413),
    ] {
        let content = "x".repeat(bytes);
        let declared = format!("Content-Length: {bytes}\r\n\r\n{content}");
        let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{content}\r\n0\r\n");
        for rest in [declared, chunked] {
            let mut peer = Conversation::new(app()).unwrap();
            peer.deliver(&request("POST", path, &rest));
            assert_eq!(statuses(&sent(&mut peer)), [status], "{path} {bytes}");
        }
    }
}

#[test]
fn a_response_that_breaks_off_does_not_look_whole() {
    let app = || {
        App::new().get("/", async |_| {
            Response::new(StatusCode::OK).with_body(Body::stream(Broken(true), None))
        })
    };
    let mut peer = Conversation::new(app()).unwrap();
    peer.deliver(&request("GET", "/", ""));
    assert!(!sent(&mut peer).contains("\r\n0\r\n\r\n"));
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    assert!(!peer.was_reset());
    // HTTP/1.0 has the end of the connection for the end of the content.
    let mut peer = Conversation::new(app()).unwrap();
    peer.deliver(b"GET / HTTP/1.0\r\n\r\n");
    assert!(sent(&mut peer).ends_with("\r\n\r\npart"));
    assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    assert!(peer.was_reset());
}

/// Yields a piece and then fails.
struct Broken(bool);

impl corelane::app::BodySource for Broken {
    fn poll_data(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<bytes::Bytes, corelane::app::BodyError>>> {
        std::task::Poll::Ready(Some(match std::mem::take(&mut self.0) {
            true => Ok(bytes::Bytes::from_static(b"part")),
            false => Err(std::io::Error::other("disk on fire").into()),
        }))
    }
}
