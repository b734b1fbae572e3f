//! Panics of handlers that middleware is around, and what becomes of those that it does not see.

use super::log::{Told, told};
use super::request;
use corelane::app::middleware::{Cors, RequestId, SecurityHeaders, Timeout};
use corelane::app::{Answer, Handler, Next};
use corelane::log::HANDLER;
use corelane::testing::{Conversation, TestClient};
use corelane::{App, Limits, Request, Response};
use futures_lite::future::yield_now;
use http::StatusCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tracing::Level;

const MINUTE: Duration = Duration::from_secs(60);

/// A handler that panics before it has a future.
struct AtOnce;

impl Handler for AtOnce {
    fn call(&self, _: Request) -> Answer {
        panic!("on purpose")
    }
}

struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("it was dropped");
    }
}

/// Routes that panic, and one that does not.
fn panicking() -> App {
    App::new()
        .get("/", async |_| "Hello")
        .get("/call", AtOnce)
        .get("/poll", async |_| -> &str { panic!("on purpose") })
        .get("/later/{x}", async |_| -> &str {
            yield_now().await;
            panic!("on purpose")
        })
}

/// `app` within all of the ready-made middleware that changes responses.
fn wrapped(app: App) -> App {
    let outer = App::new()
        .wrap(RequestId::new().trusting())
        .wrap(SecurityHeaders::new())
        .wrap(Cors::origins(["https://a.example"]));
    #[cfg(feature = "compression")]
    let outer = outer.wrap(corelane::app::middleware::Compression::new());
    outer.wrap(Timeout::new(MINUTE)).nest("/in", app)
}

#[test]
fn middleware_sees_the_500_of_a_panic() {
    let mut client = TestClient::new(wrapped(panicking()));
    for (path, status) in [
        ("/in", 200),
        ("/in/call", 500),
        ("/in/poll", 500),
        ("/in/later/1", 500),
        ("/in", 200),
    ] {
        let answer = client
            .get(path)
            .header("origin", "https://a.example")
            .header("accept-encoding", "gzip")
            .header("x-request-id", "mine")
            .send();
        assert_eq!(answer.status(), status, "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "https://a.example"),
            ("x-content-type-options", "nosniff"),
            ("x-request-id", "mine"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
        if status == 500 {
            assert_eq!(answer.text(), "500 Internal Server Error\n");
        }
    }
}

#[test]
fn middleware_of_users_sees_it_and_may_put_another_in_its_place() {
    async fn polite(request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        match response.status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                Response::new(StatusCode::BAD_GATEWAY).with_body("Sorry.")
            }
            _ => response,
        }
    }
    for path in ["/call", "/poll", "/later/1"] {
        let events = told(|| {
            let mut client = TestClient::new(panicking().wrap(polite));
            let answer = client.get(path).send();
            assert_eq!((answer.status().as_u16(), answer.text()), (502, "Sorry."));
        });
        assert_eq!(panics(&events), ["on purpose"], "{events:?}");
    }
}

/// What panicked.
fn panics(events: &[Told]) -> Vec<&str> {
    let panicked = |event: &&Told| event.field("message") == "a handler panicked";
    let panicked = events.iter().filter(panicked);
    panicked.map(|event| event.field("panic")).collect()
}

#[test]
fn a_panic_is_told_once_with_its_request() {
    for (method, path, route) in [
        ("GET", "/in/call", "/in/call"),
        ("HEAD", "/in/poll", "/in/poll"),
        ("GET", "/in/later/1", "/in/later/{x}"),
    ] {
        let events = told(|| {
            let mut peer = Conversation::new(wrapped(panicking())).unwrap();
            peer.deliver(&request(method, path, ""));
        });
        assert_eq!(events.len(), 1, "{events:?}");
        let fields = [
            ("shard", "0"),
            ("peer", "127.0.0.1:1"),
            ("method", method),
            ("route", route),
            ("panic", "on purpose"),
        ];
        events[0].assert(Level::ERROR, HANDLER, &fields);
    }
}

#[test]
fn what_is_left_of_a_handler_that_panicked_may_panic_when_it_is_dropped() {
    // An async block would drop what it holds while the first panic unwinds.
    struct Twice(Fragile);
    impl Future for Twice {
        type Output = Response;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Response> {
            let Twice(_) = &*self;
            panic!("on purpose")
        }
    }
    let app = App::new()
        .wrap(SecurityHeaders::new())
        .get("/", |_| Twice(Fragile));
    let events = told(|| {
        let answer = TestClient::new(app).get("/").send();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    });
    assert_eq!(panics(&events), ["on purpose", "it was dropped"]);
}

#[test]
fn a_panic_of_middleware_is_told_once_as_well() {
    let events = told(|| {
        let app = App::new()
            .wrap(async |_: Request, _: Next| -> Response { panic!("around") })
            .get("/", async |_| "Hello");
        assert_eq!(TestClient::new(app).get("/").send().status(), 500);
    });
    assert_eq!(panics(&events), ["around"]);
}

#[test]
fn the_access_log_has_the_id_of_requests_whose_response_middleware_does_not_see() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&told);
    let app = App::new()
        .access_log(move |access| {
            let status = access.status().map_or(0, |status| status.as_u16());
            let id = access.request_id().unwrap_or("-").to_owned();
            notes.borrow_mut().push((status, id));
        })
        .get("/unwrapped", async |_| "Hello")
        .nest(
            "/in",
            App::new()
                .wrap(RequestId::new().trusting())
                .wrap(async |request: Request, next: Next| {
                    assert!(request.query_str() != Some("fail"), "around the handler");
                    next.run(request).await
                })
                .get("/panic", async |_| -> &str { panic!("on purpose") })
                .get("/", async |_| "Hello")
                .get("/never", async |_| std::future::pending::<&str>().await),
        );
    let mut limits = Limits::default();
    limits.handler_timeout = Some(MINUTE);
    let mut client = TestClient::try_new(app, limits).unwrap();
    let mut told_of = |path: &str, id: &str| {
        let status = client.get(path).header("x-request-id", id).send().status();
        let told = told.take();
        assert_eq!(told.len(), 1, "{path}: {told:?}");
        assert_eq!(told[0].0, status.as_u16());
        told[0].clone()
    };
    for (path, id, expected) in [
        ("/in", "a", (200, "a")),
        ("/in/panic", "b", (500, "b")),
        ("/in?fail", "c", (500, "c")),
        ("/in/never", "d", (503, "d")),
        ("/in/none", "e", (404, "-")),
        ("/unwrapped", "f", (200, "-")),
    ] {
        let (status, told) = told_of(path, id);
        assert_eq!((status, told.as_str()), expected, "{path}");
    }
    // So it has of one that was given up.
    let peer = client.conversation().unwrap();
    peer.deliver(&request("GET", "/in/never", "X-Request-Id: g\r\n"));
    peer.reset();
    assert_eq!(told.take(), [(0, "g".to_owned())]);
}
