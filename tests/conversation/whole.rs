//! Content that is asked for as a whole more than once: it is all of it each time, or an error.

use super::{request, sent, statuses};
use corelane::app::{Next, with_body_limit};
use corelane::testing::Conversation;
use corelane::{App, Error, Request};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const TEN: &str = "Content-Length: 10\r\n";

/// The content of the request, or the status that it has instead.
async fn ask(request: &mut Request) -> String {
    let content = request.text().await;
    content.unwrap_or_else(|error| format!("{} {:?}", error.status().as_u16(), error.blame()))
}

/// Asks for a second, again and again.
async fn patient(mut request: Request) -> String {
    let time = request.time();
    for dropped in 0.. {
        if let Ok(content) = time.limit(SECOND, ask(&mut request)).await {
            let again = ask(&mut request).await;
            let trailers = request.trailers().map_or(0, |trailers| trailers.len());
            return format!("{dropped} {content} {again} {trailers}");
        }
    }
    unreachable!("it is asked for until it is there")
}

/// Asks twice, with `limits`.
async fn twice(mut request: Request, limits: [u64; 2]) -> String {
    request.set_body_limit(limits[0]);
    let first = ask(&mut request).await;
    request.set_body_limit(limits[1]);
    let second = ask(&mut request).await;
    let trailers = request.trailers().map_or(0, |trailers| trailers.len());
    format!("{first}, {second}, {trailers}")
}

fn content(peer: &mut Conversation) -> String {
    let answer = sent(peer);
    let (_, content) = answer.split_once("\r\n\r\n").expect("a head");
    content.to_owned()
}

#[test]
fn after_a_future_was_dropped_the_content_is_whole() {
    let app = || App::new().post("/", patient);
    for (fields, pieces, trailers) in [
        (TEN, ["012", "34", "56789"], 0),
        (
            CHUNKED,
            [
                "3\r\n012\r\n2",
                "\r\n34\r\n",
                "5\r\n56789\r\n0\r\nA: b\r\n\r\n",
            ],
            1,
        ),
    ] {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("POST", "/", fields));
        for piece in pieces {
            peer.pass(SECOND);
            peer.deliver(piece.as_bytes());
        }
        let expected = format!("3 0123456789 0123456789 {trailers}");
        assert_eq!(content(&mut peer), expected, "{fields}");
    }
}

#[test]
fn a_limit_of_the_handlers_loses_nothing() {
    for (limits, expected) in [
        ([3, 10], "413 Peer, 0123456789"),
        ([3, 9], "413 Peer, 413 Peer"),
        ([10, 3], "0123456789, 413 Peer"),
        ([0, 10], "413 Peer, 0123456789"),
    ] {
        let app = || App::new().post("/", move |request| twice(request, limits));
        for size in [1, 4, 100] {
            for (fields, body, trailers) in [
                (TEN, "0123456789", 0),
                (CHUNKED, "2\r\n01\r\n8\r\n23456789\r\n0\r\nA: b\r\n\r\n", 1),
            ] {
                let mut peer = Conversation::new(app()).unwrap();
                peer.deliver(&request("POST", "/", fields));
                let pieces = body.as_bytes().chunks(size);
                pieces.for_each(|piece| peer.deliver(piece));
                let is_read = expected.contains('9');
                let trailers = if is_read { trailers } else { 0 };
                let expected = format!("{expected}, {trailers}");
                assert_eq!(content(&mut peer), expected, "{fields} in pieces of {size}");
            }
        }
    }
}

#[test]
fn content_that_failed_has_failed_for_all_who_ask() {
    async fn again(mut request: Request, next: Next) -> Result<corelane::Response, Error> {
        // Whoever ignores it hides it from nobody.
        let _ = request.bytes().await;
        Ok(next.run(request).await)
    }
    let app = || {
        let app = App::new()
            .post("/", with_body_limit(4, |request| twice(request, [9, 10])))
            .post(
                "/echo",
                with_body_limit(4, async |request: Request| {
                    corelane::Response::new(http::StatusCode::OK).with_body(request.into_body())
                }),
            );
        app.wrap(again)
    };
    for (body, status) in [("zz\r\n", 400), ("1\r\n0\r\n5\r\n12345\r\n0\r\n\r\n", 413)] {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("POST", "/", CHUNKED));
        peer.deliver(body.as_bytes());
        let expected = format!("{status} Peer, {status} Peer, 0");
        assert_eq!(content(&mut peer), expected, "{body}");

        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("POST", "/echo", CHUNKED));
        peer.deliver(body.as_bytes());
        assert_eq!(statuses(&sent(&mut peer)), [status], "{body}");
    }
}

#[test]
fn content_that_was_taken_is_not_told_as_empty() {
    let taken = "500 Handler";
    let app = App::new()
        .post("/piece", async |mut request: Request| {
            let piece = request.body_mut().next().await.expect("a piece")?;
            assert!(!piece.is_empty());
            Ok::<_, Error>(ask(&mut request).await)
        })
        .post("/pieces", async |mut request: Request| {
            while request.body_mut().next().await.transpose()?.is_some() {}
            Ok::<_, Error>(ask(&mut request).await)
        })
        .post("/body", async |mut request: Request| {
            let body = request.take_body();
            assert_eq!(body.collect(10).await?, "0123456789");
            let first = ask(&mut request).await;
            assert_eq!(ask(&mut request).await, first);
            Ok::<_, Error>(first)
        });
    let mut peer = Conversation::new(app).unwrap();
    for path in ["/piece", "/pieces", "/body"] {
        peer.deliver(&request("POST", path, TEN));
        peer.deliver(b"01234");
        peer.deliver(b"56789");
        assert_eq!(content(&mut peer), taken, "{path}");
    }
}
