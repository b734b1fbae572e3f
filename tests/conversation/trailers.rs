//! Trailer fields, in both directions.

use super::{request, sent};
use bytes::Bytes;
use corelane::app::{BodyError, BodySource, Headers, Response};
use corelane::testing::Conversation;
use corelane::{App, Body, Request};
use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderName, HeaderValue, StatusCode};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The fields as text.
fn told(trailers: Option<&Headers>) -> String {
    let fields = trailers.into_iter().flat_map(Headers::iter);
    let lines = fields.map(|(name, value)| format!("{name}={}", value.to_str().unwrap()));
    lines.collect::<Vec<_>>().join(",")
}

#[test]
fn trailers_of_a_request() {
    let app = App::new()
        .post("/bytes", async |mut request: Request| {
            assert!(request.trailers().is_none());
            let content = request.bytes().await?;
            assert_eq!(content, "hello");
            Ok::<_, corelane::Error>(told(request.trailers()))
        })
        .post("/pieces", async |mut request: Request| {
            let mut content = Vec::new();
            while let Some(piece) = request.body_mut().next().await {
                content.extend(piece?);
            }
            assert_eq!(content, b"hello");
            Ok::<_, corelane::Error>(told(request.trailers()))
        });
    let mut peer = Conversation::new(app).unwrap();
    for path in ["/bytes", "/pieces"] {
        for (trailers, expected) in [
            ("", ""),
            ("X-Sum: 1\r\n", "x-sum=1"),
            ("a: b\r\nX-Sum:2 \r\nA: c\r\n", "a=b,x-sum=2,a=c"),
            (
                "Content-Length: 9\r\nHost: evil\r\nb: c\r\nAuthorization: x\r\n",
                "b=c",
            ),
        ] {
            let body = format!("\r\n5\r\nhello\r\n0\r\n{trailers}");
            let message = request(
                "POST",
                path,
                &format!("Transfer-Encoding: chunked\r\n{body}"),
            );
            for size in [1, message.len()] {
                message.chunks(size).for_each(|piece| peer.deliver(piece));
                let answer = sent(&mut peer);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{answer}");
            }
        }
    }
}

/// Yields one piece, and trailers behind it.
struct Summed(bool);

impl BodySource for Summed {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let has_more = std::mem::take(&mut self.0);
        Poll::Ready(has_more.then(|| Ok(Bytes::from_static(b"hello"))))
    }

    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        let mut trailers = Headers::new();
        for name in ["x-sum", "x-secret"] {
            trailers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        trailers.append(CONTENT_LENGTH, HeaderValue::from_static("7"));
        trailers
    }
}

#[test]
fn trailers_of_a_response_are_sent_where_they_were_announced_and_can_be() {
    let app = App::new().get("/{length}", async |request: Request| {
        let length = request.param("length").parse().ok();
        Response::new(StatusCode::OK)
            .with_header(TRAILER, HeaderValue::from_static("Content-Length, X-Sum"))
            .with_body(Body::stream(Summed(true), length))
    });
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("GET", "/unknown", ""));
    let answer = sent(&mut peer);
    assert!(
        answer.ends_with("\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
        "{answer}"
    );
    assert!(answer.contains("\r\nTrailer: "), "{answer}");
    peer.deliver(&request("GET", "/5", ""));
    let answer = sent(&mut peer);
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(!answer.contains("\r\nTrailer: "), "{answer}");
    peer.deliver(b"GET /unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = sent(&mut peer);
    assert!(
        answer.ends_with("\r\n\r\nhello") && peer.is_shut(),
        "{answer}"
    );
    assert!(!answer.contains("\r\nTrailer: "), "{answer}");
}

#[test]
fn the_trailers_of_a_request_are_no_part_of_its_echo() {
    let app = App::new().post("/", async |request: Request| {
        Response::new(StatusCode::OK).with_body(request.into_body())
    });
    let mut peer = Conversation::new(app).unwrap();
    let body = "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n";
    peer.deliver(&request("POST", "/", body));
    let answer = sent(&mut peer);
    assert!(answer.ends_with("\r\n2\r\nhi\r\n0\r\n\r\n"), "{answer}");
}
