//! What becomes of services that fail, panic, are given up, or were sent what cannot be taken.

use super::super::log::{told, told_of};
use super::super::{get, request, sent, statuses};
use axum::body::{Body, Bytes};
use axum::routing::{get as to_get, post};
use axum::{Json, Router};
use corelane::app::tower::{RequestBody, Tower};
use corelane::http::CloseReason;
use corelane::limits::{BODY_BYTES, BODY_TIMEOUT};
use corelane::log::HANDLER;
use corelane::testing::Conversation;
use corelane::{App, IntoResponse};
use futures_lite::{StreamExt, future, stream};
use http_body_util::{BodyExt, Empty};
use serde_json::Value;
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tracing::Level;

fn served(router: Router) -> App {
    App::new().fallback(Tower::new(router))
}

/// `/json` and `/text` take content as axum does, `/echo` sends it back, `/any` does not mind.
fn takers() -> Router {
    Router::new()
        .route("/json", post(async |_: Json<Value>| ()))
        .route("/text", post(async |text: String| text.len().to_string()))
        .route("/echo", post(async |body: Body| body))
        .route(
            "/any",
            post(async |body: Body| body.collect().await.is_err().to_string()),
        )
}

#[test]
fn content_that_cannot_be_taken_has_the_status_that_it_has_elsewhere() {
    const FIELDS: &str = "Content-Type: application/json\r\n";
    let chunked = |content: &str| format!("{FIELDS}Transfer-Encoding: chunked\r\n\r\n{content}");
    let size = format!("{:x}\r\n", BODY_BYTES + 1);
    let table = [
        (
            format!("{FIELDS}Content-Length: {}\r\n", BODY_BYTES + 1),
            Duration::ZERO,
            413,
        ),
        (chunked(&size), Duration::ZERO, 413),
        (chunked("x\r\n"), Duration::ZERO, 400),
        (chunked("5\r\n\"ab"), BODY_TIMEOUT, 408),
    ];
    for (fields, wait, status) in table {
        for path in ["/json", "/text", "/echo"] {
            if path == "/echo" && status == 408 {
                // What came in time is out already.
                continue;
            }
            let mut peer = Conversation::new(served(takers())).unwrap();
            let message = request("POST", path, &fields);
            let message = message.strip_suffix(b"\r\n").unwrap();
            peer.deliver(message);
            if fields.ends_with("\r\n") && !fields.contains("chunked") {
                peer.deliver(b"\r\n");
            }
            peer.pass(wait);
            let answer = sent(&mut peer);
            assert_eq!(statuses(&answer), [status], "{path} {fields:?} {answer}");
            assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        }
    }
    // A service that answers all the same is believed.
    let mut peer = Conversation::new(served(takers())).unwrap();
    peer.deliver(&request("POST", "/any", &chunked("x\r\n")));
    let answer = sent(&mut peer);
    assert!(
        statuses(&answer) == [200] && answer.ends_with("true"),
        "{answer}"
    );
    // Content up to the limit is taken, and axum's own limits hold within it.
    let length = BODY_BYTES as usize;
    let mut peer = Conversation::new(served(takers())).unwrap();
    peer.deliver(&request(
        "POST",
        "/text",
        &format!("Content-Length: {length}\r\n"),
    ));
    peer.deliver(&vec![b'x'; length]);
    assert!(sent(&mut peer).ends_with(&length.to_string()));
    let own = takers().layer(axum::extract::DefaultBodyLimit::max(2));
    let mut peer = Conversation::new(served(own)).unwrap();
    peer.deliver(&request("POST", "/text", "Content-Length: 3\r\n\r\nabc"));
    assert_eq!(statuses(&sent(&mut peer)), [413]);
}

#[test]
fn a_response_made_of_broken_content_breaks_off() {
    let mut peer = Conversation::new(served(takers())).unwrap();
    peer.deliver(&request("POST", "/echo", "Transfer-Encoding: chunked\r\n"));
    peer.deliver(b"2\r\nab\r\n");
    assert!(sent(&mut peer).ends_with("\r\n\r\n2\r\nab\r\n"));
    peer.deliver(b"x\r\n");
    assert!(!sent(&mut peer).contains("0\r\n\r\n") && peer.is_shut());
}

/// An error with a cause.
#[derive(Debug, thiserror::Error)]
#[error("no notes today")]
struct Broken(#[source] io::Error);

#[test]
fn the_error_of_a_service_is_the_logs_with_its_causes() {
    let service = tower::service_fn(async |_: http::Request<RequestBody>| {
        Err::<http::Response<Empty<Bytes>>, _>(Broken(io::Error::other("disk on fire")))
    });
    let app = || App::new().get("/", Tower::new(service));
    let event = told_of(app(), &get());
    let fields = [
        ("status", "500"),
        ("route", "/"),
        ("error", "no notes today: disk on fire"),
    ];
    event.assert(Level::ERROR, HANDLER, &fields);
    let mut peer = Conversation::new(app()).unwrap();
    peer.deliver(&get());
    let answer = sent(&mut peer);
    assert!(
        statuses(&answer) == [500] && !answer.contains("notes"),
        "{answer}"
    );
    peer.deliver(&get());
    assert_eq!(statuses(&sent(&mut peer)), [500]);
}

#[test]
fn the_error_of_a_body_breaks_its_response_off() {
    let router = Router::new().route(
        "/",
        to_get(async || {
            let pieces = [Ok("ab"), Err(Broken(io::Error::other("disk on fire")))];
            Body::from_stream(stream::iter(pieces).then(async |piece| {
                future::yield_now().await;
                piece
            }))
        }),
    );
    let events = told(|| {
        let mut peer = Conversation::new(served(router)).unwrap();
        peer.deliver(&get());
        assert!(sent(&mut peer).ends_with("\r\n\r\n2\r\nab\r\n"));
        assert_eq!(peer.ended(), Some(CloseReason::Truncated));
    });
    let fields = [("status", "200"), ("error", "no notes today")];
    events[0].assert(Level::ERROR, HANDLER, &fields);
}

#[test]
fn a_panic_is_its_own_request_s_alone() {
    async fn panics() -> &'static str {
        panic!("at the disco")
    }
    let router = Router::new()
        .route("/now", to_get(panics))
        .route(
            "/later",
            to_get(async || {
                future::yield_now().await;
                panics().await
            }),
        )
        .route(
            "/body",
            to_get(async || {
                Body::from_stream(
                    stream::once(()).map(|()| -> io::Result<&str> { panic!("at the disco") }),
                )
            }),
        )
        .route("/", to_get(async || "Hello"));
    let events = told(|| {
        let mut peer = Conversation::new(served(router)).unwrap();
        for path in ["/now", "/later", "/body"] {
            peer.deliver(&request("GET", path, ""));
            assert_eq!(statuses(&sent(&mut peer)), [500], "{path}");
            peer.deliver(&get());
            assert_eq!(statuses(&sent(&mut peer)), [200], "after {path}");
        }
    });
    assert_eq!(events.len(), 3);
    for event in events {
        event.assert(Level::ERROR, HANDLER, &[("panic", "at the disco")]);
    }
}

#[test]
fn a_service_without_its_tokio_says_what_it_needs() {
    async fn sleeps() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    async fn spawns() {
        tokio::spawn(async {}).await.unwrap();
    }
    async fn connects() -> String {
        tokio::net::TcpStream::connect("127.0.0.1:9")
            .await
            .is_err()
            .to_string()
    }
    async fn offloads() {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
    let routers = [
        to_get(sleeps),
        to_get(spawns),
        to_get(connects),
        to_get(offloads),
    ];
    for methods in routers {
        let app = served(Router::new().route("/", methods));
        let event = told_of(app, &get());
        event.assert(Level::ERROR, HANDLER, &[]);
        let panic = event.field("panic");
        assert!(panic.starts_with("a service needs tokio"), "{panic}");
        assert!(panic.contains("Tower::within"), "{panic}");
        assert!(panic.contains("there is no reactor running"), "{panic}");
    }
}

/// Counts how often it is dropped, and whether it was within.
#[derive(Clone)]
struct Watched {
    is_within: Rc<Cell<bool>>,
    seen: Rc<Cell<[usize; 2]>>,
}

impl Watched {
    fn see(&self) {
        let mut seen = self.seen.get();
        seen[usize::from(self.is_within.get())] += 1;
        self.seen.set(seen);
    }
}

struct Seen(Watched);

impl Drop for Seen {
    fn drop(&mut self) {
        self.0.see();
    }
}

#[test]
fn services_are_polled_and_dropped_within_what_is_around_them() {
    let watched = Watched {
        is_within: Rc::default(),
        seen: Rc::default(),
    };
    let (seen, entered) = (watched.clone(), Rc::clone(&watched.is_within));
    let service = tower::service_fn(move |request: http::Request<RequestBody>| {
        seen.see();
        let held = Seen(seen.clone());
        async move {
            held.0.see();
            if request.uri().path() == "/never" {
                future::pending::<()>().await;
            }
            let body = stream::once(()).then(move |()| {
                held.0.see();
                let is_silent = request.uri().path() == "/silent";
                async move {
                    if is_silent {
                        future::pending::<()>().await;
                    }
                    Ok::<_, Infallible>(http_body::Frame::data(Bytes::from("ab")))
                }
            });
            Ok::<_, Infallible>(http::Response::new(http_body_util::StreamBody::new(body)))
        }
    });
    let tower = Tower::new(service).within(move |poll| {
        assert!(!entered.replace(true));
        poll();
        entered.set(false);
    });
    let mut peer = Conversation::new(App::new().fallback(tower)).unwrap();
    // Called, polled, the body polled, and dropped; or dropped before that.
    for (path, times, is_answered) in [("/", 4, true), ("/silent", 4, false), ("/never", 3, false)]
    {
        watched.seen.set([0, 0]);
        let mut other = peer.reconnect();
        other.deliver(&request("GET", path, ""));
        assert_eq!(other.in_flight() == 0, is_answered);
        other.close();
        assert_eq!(watched.seen.get(), [0, times], "{path}");
    }
    peer.deliver(&get());
    assert_eq!(statuses(&sent(&mut peer)), [200]);
}

#[test]
fn a_reader_that_outlives_its_request_is_told_so() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let service = tower::service_fn(move |request: http::Request<RequestBody>| {
        sender.send(request.into_body()).unwrap();
        async { Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new())) }
    });
    let mut peer = Conversation::new(App::new().fallback(Tower::new(service))).unwrap();
    peer.deliver(&request("POST", "/", "Content-Length: 4\r\n\r\nab"));
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    let mut body = receiver.recv().unwrap();
    let error = future::block_on(body.frame()).unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer closed the connection in the middle of its content"
    );
    assert!(future::block_on(body.frame()).is_none());
    assert_eq!(corelane::Error::from(error).into_response().status, 400);
}
