//! The test client: the same test in memory and over a socket.

use corelane::app::{BodyError, BodySource, Cookie, Headers, Sse, SseEvent};
use corelane::cores::CoreSelection;
use corelane::testing::TestClient;
use corelane::{App, Body, IntoResponse, Json, Request, Response, Server};
use futures_lite::stream;
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::cell::Cell;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

fn app() -> App {
    App::new()
        .any("/echo", async |mut request: Request| request.bytes().await)
        .get("/json", async |_| Json([1, 2]))
        .get("/close", async |_| {
            let close = HeaderValue::from_static("close");
            Response::new(StatusCode::OK)
                .with_header(header::CONNECTION, close)
                .with_body("bye")
        })
        .get("/stream/{pieces}", async |request: Request| {
            let left = request.param("pieces").parse().unwrap();
            Response::new(StatusCode::OK)
                .with_header(header::TRAILER, HeaderValue::from_static("X-Sum"))
                .with_body(Body::stream(Pieces(left), None))
        })
        .get("/broken", async |_| {
            Response::new(StatusCode::OK).with_body(Body::stream(Pieces(1), Some(5)))
        })
        .get("/wait", async |request: Request| {
            request.time().sleep(Duration::from_millis(1)).await;
            "waited"
        })
        .get("/peer", async |request: Request| {
            request.peer().ip().to_string()
        })
}

/// So many pieces.
struct Pieces(usize);

impl BodySource for Pieces {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        let left = self.0;
        self.0 = left.saturating_sub(1);
        Poll::Ready((left > 0).then(|| Ok("ab".into())))
    }

    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        let mut trailers = Headers::new();
        trailers.insert(
            HeaderName::from_static("x-sum"),
            HeaderValue::from_static("1"),
        );
        trailers
    }
}

/// What a user's test might do, and what a client has to get right.
fn talks(client: &mut TestClient) {
    let large = "x".repeat(200_000);
    for content in ["", "a", &large] {
        let answer = client.post("/echo").body(content).send();
        assert_eq!((answer.status().as_u16(), answer.text()), (200, content));
    }
    assert_eq!(
        client
            .put("/echo")
            .json(&["a"])
            .send()
            .json::<Vec<String>>(),
        ["a"]
    );
    let answer = client.get("/json").send();
    assert_eq!(answer.json::<[u8; 2]>(), [1, 2]);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    assert_eq!(
        client.head("/json").send().header("content-length"),
        Some("5")
    );
    assert_eq!(client.options("/json").send().status(), 204);
    for pieces in [0, 1, 1000] {
        let answer = client.get(&format!("/stream/{pieces}")).send();
        assert_eq!(answer.text(), "ab".repeat(pieces));
    }
    // A connection that is closed, or that broke, is made anew.
    for _ in 0..2 {
        assert_eq!(client.get("/close").send().text(), "bye");
        let broken = client.get("/broken").try_send().unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(
            client.get("/none").header("bad name", "").send().status(),
            400
        );
    }
    assert_eq!(client.get("/wait").send().text(), "waited");
    assert_eq!(client.get("/peer").send().text(), "127.0.0.1");
}

#[test]
fn in_memory_and_over_a_socket_alike() {
    talks(&mut TestClient::new(app()));
    streams(&mut TestClient::new(app()));
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let server = server.start(|_| app()).expect("the server starts");
    talks(&mut TestClient::connect(server.addresses()[0]));
    streams(&mut TestClient::connect(server.addresses()[0]));
    server.stop().expect("no shard failed");
}

#[test]
fn what_does_not_come_in_memory_is_told() {
    let app = App::new().get("/", async |_| std::future::pending::<&str>().await);
    let error = TestClient::new(app).get("/").try_send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

/// A piece of so many bytes again and again, with so many seconds before each.
fn endless(bytes: usize, seconds: u64, request: &Request) -> Body {
    let time = request.time();
    let piece = bytes::Bytes::from(vec![b'x'; bytes]);
    Body::from_stream(stream::unfold((), move |()| {
        let (time, piece) = (time.clone(), piece.clone());
        async move {
            if seconds > 0 {
                time.sleep(Duration::from_secs(seconds)).await;
            }
            Some((Ok::<_, BodyError>(piece), ()))
        }
    }))
}

#[test]
fn a_response_without_an_end_is_given_up() {
    let app = App::new()
        .get("/", async |_| "Hello")
        .get("/hourly", async |request: Request| {
            Response::new(StatusCode::OK).with_body(endless(2, 3600, &request))
        })
        .get("/full", async |request: Request| {
            Response::new(StatusCode::OK).with_body(endless(1 << 16, 0, &request))
        })
        .get("/silent", async |request: Request| -> &str {
            loop {
                request.time().sleep(Duration::from_secs(3600)).await;
            }
        });
    let mut client = TestClient::new(app);
    for (path, kind, bound) in [
        ("/hourly", ErrorKind::TimedOut, "30 days"),
        ("/silent", ErrorKind::TimedOut, "30 days"),
        ("/full", ErrorKind::QuotaExceeded, "64 MiB"),
    ] {
        let error = client.get(path).try_send().unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
        let told = error.to_string();
        assert!(
            told.contains(bound) && told.contains("send_streaming"),
            "{told}"
        );
        assert_eq!(client.get("/").send().text(), "Hello");
    }
    // One that is long but ends is whole, and each of its bytes is looked at once.
    let app = App::new().get("/", async |_| {
        Response::new(StatusCode::OK).with_body(Body::stream(Pieces(300_000), None))
    });
    let answer = TestClient::new(app).get("/").send();
    assert_eq!(answer.bytes().len(), 600_000);
}

#[test]
fn events_are_read_one_by_one() {
    /// Tells when it is dropped.
    struct Watched(Rc<Cell<bool>>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let is_dropped = Rc::new(Cell::new(false));
    let watched = Rc::clone(&is_dropped);
    let app = App::new()
        .get("/", async |_| "Hello")
        .get("/ticks", move |request: Request| {
            let held = (Watched(Rc::clone(&watched)), request.time());
            async move {
                Sse::new(stream::unfold((held, 1), |(held, tick)| async move {
                    held.1.sleep(Duration::from_secs(86_400)).await;
                    Some((SseEvent::data(tick.to_string()), (held, tick + 1)))
                }))
            }
        });
    let mut client = TestClient::new(app);
    let mut ticks = client.get("/ticks").send_streaming();
    assert_eq!(ticks.response().status(), 200);
    assert_eq!(
        ticks.response().header("content-type"),
        Some("text/event-stream")
    );
    // More than 30 days of them: the bounds are those of each piece.
    for tick in 1..=50 {
        assert_eq!(ticks.next_piece().unwrap(), format!("data: {tick}\n\n"));
    }
    assert!(!is_dropped.get());
    drop(ticks);
    assert!(is_dropped.get(), "the source of a page that was left");
    assert_eq!(client.get("/").send().text(), "Hello");
}

/// Reads what ends and what does not, piece by piece.
fn streams(client: &mut TestClient) {
    let mut three = client.get("/stream/3").send_streaming();
    let mut pieces = 0;
    while let Some(piece) = three.next_piece() {
        assert_eq!(piece, "ab");
        pieces += 1;
    }
    assert_eq!((pieces, three.next_piece()), (3, None));
    assert_eq!(three.response().trailer("x-sum"), Some("1"));
    drop(three);
    // Whoever leaves early goes on with another connection, also where there is nothing to read.
    drop(client.get("/stream/3").send_streaming());
    assert_eq!(client.head("/json").send_streaming().next_piece(), None);
    assert_eq!(
        client.get("/close").send_streaming().next_piece().unwrap(),
        "bye"
    );
    let mut broken = client.get("/broken").send_streaming();
    assert_eq!(broken.next_piece().unwrap(), "ab");
    let error = broken.try_next_piece().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    drop(broken);
    let whole = client.get("/stream/2").send();
    assert_eq!((whole.text(), whole.trailer("X-Sum")), ("abab", Some("1")));
    assert_eq!(whole.trailers().count(), 1);
    assert_eq!(client.get("/json").send().trailer("x-sum"), None);
}

/// An app that tells the cookies that it gets, and sets what it is asked for.
fn remembering() -> App {
    App::new()
        .get("/set/{name}/{seconds}", async |request: Request| {
            let seconds = request.param_as("seconds")?;
            let cookie = Cookie::new(&request.param("name"), "1")?
                .http_only()
                .secure()
                .max_age(Duration::from_secs(seconds));
            Ok::<_, corelane::Error>(StatusCode::OK.into_response().with_cookie(cookie))
        })
        .get("/told", async |request: Request| {
            request.header("cookie").unwrap_or("none").to_owned()
        })
}

fn remembers(client: &mut TestClient) {
    let told = |client: &mut TestClient| client.get("/told").send().text().to_owned();
    assert_eq!(told(client), "none");
    client.get("/set/a/60").send();
    client.get("/set/b/10").send();
    client.get("/set/c/0").send();
    assert_eq!(told(client), "a=1; b=1");
    assert_eq!((client.cookie("a"), client.cookie("c")), (Some("1"), None));
    let own = client.get("/told").header("Cookie", "d=2").send();
    assert_eq!(own.text(), "d=2");
    let elsewhere = client.get("/told").header("Host", "example.org").send();
    assert_eq!(elsewhere.text(), "none");
    client.get("/set/a/0").send();
    assert_eq!(told(client), "b=1");
    if let Some(conversation) = client.conversation() {
        conversation.pass(Duration::from_secs(10));
        assert_eq!(
            (told(client), client.cookie("b")),
            ("none".to_owned(), None)
        );
        client.get("/set/b/10").send();
    }
    client.clear_cookies();
    assert_eq!(told(client), "none");
    client.get("/set/a/60").send();
    assert_eq!(told(client), "a=1");
}

#[test]
fn cookies_are_kept_and_sent_back_until_they_expire() {
    remembers(&mut TestClient::new(remembering()));
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let server = server.start(|_| remembering()).expect("the server starts");
    remembers(&mut TestClient::connect(server.addresses()[0]));
    server.stop().expect("no shard failed");
    let mut client = TestClient::new(remembering()).without_cookies();
    client.get("/set/a/60").send();
    assert_eq!(client.get("/told").send().text(), "none");
    client.clear_cookies();
    client.get("/set/a/60").send();
    assert_eq!(
        (client.get("/told").send().text(), client.cookie("a")),
        ("none", None)
    );
}
