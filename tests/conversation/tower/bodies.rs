//! Content in both directions: when it is fetched, what services are told of it, and how it goes out.

use super::super::{get, request, sent, statuses};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use axum::routing::{get as to_get, post};
use bytes::Bytes;
use corelane::App;
use corelane::app::tower::{RequestBody, Tower};
use corelane::testing::Conversation;
use futures_lite::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

fn conversation(router: Router) -> Conversation {
    Conversation::new(App::new().fallback(Tower::new(router))).unwrap()
}

/// The content of the one response that was sent, as it went out, and its head in small letters.
fn answer(peer: &mut Conversation) -> (String, String) {
    let sent = sent(peer);
    let (head, content) = sent.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase(), content.to_owned())
}

#[test]
fn what_is_sent_back_as_it_comes_goes_out_as_it_comes() {
    let mut peer = conversation(Router::new().route("/", post(async |body: Body| body)));
    peer.deliver(&request("POST", "/", CHUNKED));
    for piece in ["one", "two", "three"] {
        let chunk = format!("{:X}\r\n{piece}\r\n", piece.len());
        peer.deliver(chunk.as_bytes());
        assert!(sent(&mut peer).ends_with(&chunk));
    }
    peer.deliver(b"0\r\n\r\n");
    assert_eq!(
        (sent(&mut peer).as_str(), peer.in_flight()),
        ("0\r\n\r\n", 0)
    );
    // The connection goes on.
    peer.deliver(&request("POST", "/", "Content-Length: 2\r\n\r\nab"));
    let (head, content) = answer(&mut peer);
    assert!(head.contains("\r\ncontent-length: 2"), "{head}");
    assert_eq!(content, "ab");
}

#[test]
fn content_is_fetched_when_it_is_asked_for() {
    let go = Arc::new(Notify::new());
    let going = Arc::clone(&go);
    let router = Router::new().route(
        "/",
        post(async move |body: Body| {
            let mut body = body.into_data_stream();
            let mut pieces = 0;
            loop {
                going.notified().await;
                match body.next().await {
                    Some(piece) => pieces += usize::from(!piece.unwrap().is_empty()),
                    None => return pieces.to_string(),
                }
            }
        }),
    );
    let mut peer = conversation(router);
    let fields = "Expect: 100-continue\r\nContent-Length: 6\r\n";
    peer.deliver(&request("POST", "/", fields));
    assert_eq!(sent(&mut peer), "");
    let ask = |peer: &mut Conversation| {
        go.notify_one();
        peer.pass(Duration::ZERO);
        sent(peer)
    };
    assert_eq!(ask(&mut peer), "HTTP/1.1 100 Continue\r\n\r\n");
    for piece in ["ab", "cd", "ef"] {
        peer.deliver(piece.as_bytes());
        let answer = ask(&mut peer);
        assert_eq!(answer.is_empty(), piece != "ef", "{answer}");
        if piece == "ef" {
            assert!(answer.ends_with("\r\n\r\n3"), "{answer}");
        }
    }
}

#[test]
fn content_that_nobody_reads_is_not_asked_for() {
    let mut peer = conversation(Router::new().route("/", post(async || "unread")));
    let fields = "Expect: 100-continue\r\nContent-Length: 6\r\n";
    peer.deliver(&request("POST", "/", fields));
    assert_eq!(statuses(&sent(&mut peer)), [200]);
}

#[test]
fn services_are_told_how_much_will_come() {
    let service = tower::service_fn(async |request: http::Request<RequestBody>| {
        let body = request.into_body();
        let before = (body.size_hint().exact(), body.is_end_stream());
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let trailers: Vec<_> = trailers.get_all("x-sum").iter().cloned().collect();
        let told = format!("{before:?} {:?} {trailers:?}", collected.to_bytes());
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from(told)))
    });
    let mut peer = Conversation::new(App::new().fallback(Tower::new(service))).unwrap();
    let chunks = format!("{CHUNKED}\r\n1\r\na\r\n2\r\nbc\r\n0\r\n");
    for (message, expected) in [
        (get(), r#"(Some(0), true) b"" []"#),
        (
            request("POST", "/", "Content-Length: 3\r\n\r\nabc"),
            r#"(Some(3), false) b"abc" []"#,
        ),
        (request("POST", "/", &chunks), r#"(None, false) b"abc" []"#),
        (
            request(
                "POST",
                "/",
                &format!("{chunks}X-Sum: 1\r\nHost: h\r\nx-sum: 2\r\n"),
            ),
            r#"(None, false) b"abc" ["1", "2"]"#,
        ),
    ] {
        peer.deliver(&message);
        assert_eq!(answer(&mut peer).1, expected);
    }
}

/// A body of unknown length, or of a length that the response declares.
fn streamed(declared: Option<&str>) -> Response {
    let pieces = ["ab", "", "cd"].map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
    if let Some(declared) = declared {
        let value = HeaderValue::from_str(declared).unwrap();
        response.headers_mut().insert("content-length", value);
    }
    response
}

#[test]
fn responses_are_framed_by_what_is_known_of_them() {
    let router = Router::new()
        .route("/whole", to_get(async || "abcd"))
        .route("/empty", to_get(async || ""))
        .route("/none", to_get(async || http::StatusCode::NO_CONTENT))
        .route(
            "/same",
            to_get(async || (http::StatusCode::NOT_MODIFIED, "unsent")),
        )
        .route("/streamed", to_get(async || streamed(None)))
        .route("/declared", to_get(async || streamed(Some("4"))))
        .route("/mistaken", to_get(async || streamed(Some("+4"))));
    let mut peer = conversation(router);
    let (length, chunked) = ("content-length: 4", "transfer-encoding: chunked");
    let table = [
        ("/whole", length, "abcd"),
        ("/empty", "content-length: 0", ""),
        ("/none", "", ""),
        ("/same", "", ""),
        ("/streamed", chunked, "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
        ("/declared", length, "abcd"),
        ("/mistaken", chunked, "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"),
    ];
    for (path, framing, expected) in table {
        for method in ["GET", "HEAD"] {
            peer.deliver(&request(method, path, ""));
            let (head, content) = answer(&mut peer);
            let framings: Vec<_> = head
                .lines()
                .filter(|line| line.starts_with("content-length") || line.starts_with("transfer"))
                .collect();
            assert_eq!(framings.join(" "), framing, "{method} {path}");
            let expected = if method == "GET" { expected } else { "" };
            assert_eq!(content, expected, "{method} {path}");
        }
    }
    // An end of unknown length is the connection's in HTTP/1.0.
    peer.deliver(b"GET /streamed HTTP/1.0\r\n\r\n");
    assert_eq!(answer(&mut peer).1, "abcd");
    assert!(peer.is_shut());
}

#[test]
fn head_is_answered_by_a_service_that_does_not_know_it() {
    let service = tower::service_fn(async |_: http::Request<RequestBody>| {
        Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::from("abcd")))
    });
    let app = App::new().get("/", Tower::new(service));
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&request("HEAD", "/", ""));
    let (head, content) = answer(&mut peer);
    assert!(
        head.contains("content-length: 4") && content.is_empty(),
        "{head}"
    );
}

#[test]
fn trailers_are_sent_where_they_are_announced() {
    async fn trailed(fields: HeaderMap) -> Response {
        let name = HeaderName::from_static("x-sum");
        let mut trailers = HeaderMap::new();
        trailers.append(name.clone(), HeaderValue::from_static("1"));
        trailers.append(name.clone(), HeaderValue::from_static("2"));
        trailers.append("x-other", HeaderValue::from_static("3"));
        let length = fields
            .get("x-length")
            .map(|_| HeaderValue::from_static("2"));
        let frames = [Frame::data(Bytes::from("ab")), Frame::trailers(trailers)];
        let frames = stream::iter(frames.map(Ok::<_, Infallible>));
        let mut response = Response::new(Body::new(StreamBody::new(frames)));
        if fields.contains_key("te") {
            response.headers_mut().insert("trailer", name.into());
        }
        if let Some(length) = length {
            response.headers_mut().insert("content-length", length);
        }
        response
    }
    let mut peer = conversation(Router::new().route("/", to_get(trailed)));
    let trailers = "x-sum: 1\r\nx-sum: 2\r\n";
    for (fields, expected) in [
        ("TE: trailers\r\n", trailers),
        ("TE: trailers\r\nX-Length: 2\r\n", trailers),
        ("", ""),
    ] {
        peer.deliver(&request("GET", "/", fields));
        let (_, content) = answer(&mut peer);
        let content = content.to_ascii_lowercase();
        assert_eq!(content, format!("2\r\nab\r\n0\r\n{expected}\r\n"));
    }
    peer.deliver(b"GET / HTTP/1.0\r\nTE: trailers\r\nX-Length: 2\r\n\r\n");
    assert_eq!(answer(&mut peer).1, "ab");
}

#[test]
fn a_peer_without_room_is_not_made_content_for() {
    let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let router = Router::new().route(
        "/",
        to_get(async move || {
            let pieces = std::iter::repeat_with(move || {
                counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok::<_, Infallible>(Bytes::from(vec![b'x'; 100_000]))
            });
            Body::from_stream(stream::iter(pieces.take(50)))
        }),
    );
    let mut peer = conversation(router);
    peer.set_room(150_000);
    peer.deliver(&get());
    let so_far = made.load(std::sync::atomic::Ordering::Relaxed);
    assert!((1..=3).contains(&so_far), "{so_far}");
    peer.set_room(usize::MAX);
    assert_eq!(made.load(std::sync::atomic::Ordering::Relaxed), 50);
    assert!(sent(&mut peer).ends_with("\r\n0\r\n\r\n"));
}
