//! What is told of requests that do not get their response: their peer left, or their handler took
//! too long.

use super::{Told, told};
use crate::{get, request, sent};
use corelane::App;
use corelane::app::{Sse, SseEvent};
use corelane::http::CloseReason;
use corelane::log::HANDLER;
use corelane::testing::Conversation;
use futures_lite::{StreamExt, stream};
use http::StatusCode;
use std::time::Duration;
use tracing::Level;

/// What is held by a handler that panics when it is let go of.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("it was dropped");
    }
}

fn app() -> App {
    App::new()
        .get("/", async |_| "Hello")
        .get("/never", async |_| std::future::pending::<&str>().await)
        .get("/fragile", async |_| {
            let _fragile = Fragile;
            std::future::pending::<&str>().await
        })
        .get("/events", async |_| {
            Sse::new(stream::once(SseEvent::data("a")).chain(stream::pending()))
        })
        .get("/fragile-events", async |_| fragile_events())
        .get("/fragile-no-answer", async |_| {
            (StatusCode::EARLY_HINTS, fragile_events())
        })
}

/// Events whose stream panics when it is let go of.
fn fragile_events() -> Sse {
    let fragile = std::rc::Rc::new(Fragile);
    Sse::new(stream::pending::<SseEvent>().map(move |event| {
        let _held = &fragile;
        event
    }))
}

fn assert_panic_was_told(events: &[Told], route: &str) {
    let panic = events.iter().find(|event| event.level == Level::ERROR);
    let fields = [("route", route), ("panic", "it was dropped")];
    panic.unwrap().assert(Level::ERROR, HANDLER, &fields);
}

#[test]
fn a_request_that_is_given_up_is_told_once() {
    type Way = (fn(&mut Conversation), &'static str);
    let ways: [Way; 2] = [
        (Conversation::close, "peer_aborted"),
        (Conversation::reset, "peer_aborted"),
    ];
    for (leave, reason) in ways {
        for (path, panics) in [
            ("/never", false),
            ("/events", false),
            ("/fragile", true),
            ("/fragile-events", true),
        ] {
            let events = told(|| {
                let mut peer = Conversation::new(app()).unwrap();
                peer.deliver(&request("GET", path, ""));
                leave(&mut peer);
                assert!(peer.ended().is_some());
                assert_eq!(peer.in_flight(), 0);
            });
            assert_eq!(events.len(), 1 + usize::from(panics), "{events:?}");
            let given_up = events.iter().find(|event| event.level == Level::DEBUG);
            let fields = [("route", path), ("reason", reason), ("method", "GET")];
            given_up.unwrap().assert(Level::DEBUG, HANDLER, &fields);
            if panics {
                assert_panic_was_told(&events, path);
            }
        }
    }
    // So is one that is too slow in taking its response.
    let events = told(|| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.set_room(0);
        peer.deliver(&request("GET", "/events", ""));
        peer.pass(corelane::limits::WRITE_TIMEOUT);
    });
    assert_eq!(events.len(), 1, "{events:?}");
    events[0].assert(Level::DEBUG, HANDLER, &[("reason", "write_timeout")]);
}

#[test]
fn what_panics_when_nobody_waits_for_it_yet_harms_nobody() {
    // The response before it cannot be sent.
    for path in ["/fragile", "/fragile-events"] {
        let events = told(|| {
            let mut peer = Conversation::new(app()).unwrap();
            peer.set_room(0);
            peer.deliver(&[get(), request("GET", path, "")].concat());
            peer.pass(corelane::limits::WRITE_TIMEOUT);
            assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
            assert_eq!(peer.in_flight(), 0);
        });
        assert_panic_was_told(&events, path);
    }
    // Its content is not asked for, or cannot be sent.
    for (method, path, status) in [
        ("HEAD", "/fragile-events", 200),
        ("GET", "/fragile-no-answer", 500),
    ] {
        let events = told(|| {
            let mut peer = Conversation::new(app()).unwrap();
            peer.deliver(&[request(method, path, ""), get()].concat());
            let answers = sent(&mut peer);
            assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")));
            assert!(answers.ends_with("\r\n\r\nHello"), "{answers}");
        });
        let panics = events
            .iter()
            .filter(|event| !event.field("panic").is_empty());
        assert_eq!(panics.count(), 1, "{events:?}");
    }
}

#[test]
fn a_handler_that_takes_too_long_is_told() {
    let mut limits = corelane::Limits::default();
    limits.handler_timeout = Some(Duration::from_secs(1));
    let app = App::new()
        .get("/never", async |_| std::future::pending::<&str>().await)
        .get("/silent", async |_| {
            Sse::new(stream::once(SseEvent::data("a")).chain(stream::pending()))
        });
    let mut peer = Conversation::with_limits(app, limits).unwrap();
    let events = told(|| {
        for path in ["/never", "/silent"] {
            peer.deliver(&request("GET", path, ""));
            peer.pass(Duration::from_secs(1));
        }
    });
    assert_eq!(events.len(), 2, "{events:?}");
    let fields = [("route", "/never"), ("status", "503")];
    events[0].assert(Level::ERROR, HANDLER, &fields);
    let error = "its source took longer than handler_timeout";
    let fields = [("route", "/silent"), ("status", "200"), ("error", error)];
    events[1].assert(Level::ERROR, HANDLER, &fields);
}
