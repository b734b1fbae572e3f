//! Spans of requests under a real subscriber: what is in them, and that they never mix.

mod seen;

use self::seen::Seen;
use super::{request, sent, statuses};
use corelane::app::middleware::{RequestId, Spans, TraceParent};
use corelane::testing::Conversation;
use corelane::{App, Body, Error, Request, request_span};
use futures_lite::{StreamExt, future, stream};
use http::StatusCode;
use std::io::{self, Read, Seek};
use std::time::Duration;
use tracing::Level;
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

const SECOND: Duration = Duration::from_secs(1);

/// Says so when it is dropped.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        tracing::info!("dropped");
    }
}

/// Tells an event each second, in `steps`.
async fn steps(request: Request) -> &'static str {
    let _held = Held;
    for step in ["one", "two", "three"] {
        tracing::info!("{step}");
        request.time().sleep(SECOND).await;
    }
    "done"
}

fn app() -> App {
    App::new()
        .wrap(Spans::new())
        .get("/steps/{name}", steps)
        .get("/streamed", async |request: Request| {
            let time = request.time();
            Body::from_stream(stream::iter(["a", "b"]).then(move |piece| {
                let time = time.clone();
                async move {
                    time.sleep(SECOND).await;
                    tracing::info!("made {piece}");
                    io::Result::Ok(piece)
                }
            }))
        })
        .get("/fails", async |_| {
            Err::<(), _>(Error::from(io::Error::other("disk on fire")))
        })
        .get("/panics", async |_| -> &'static str {
            panic!("at the disco")
        })
}

#[test]
fn spans_have_the_fields_of_their_requests() {
    let app = App::new()
        .wrap(RequestId::new().trusting())
        .wrap(Spans::new())
        .get("/users/{id}", async |request: Request| {
            let parent = request.extension::<TraceParent>();
            parent.map_or_else(String::new, TraceParent::to_string)
        });
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    let plain: &[_] = &[
        ("otel.name", Some("GET /users/{id}")),
        ("otel.kind", Some("server")),
        ("otel.status_code", None),
        ("http.request.method", Some("GET")),
        ("http.request.method_original", None),
        ("http.route", Some("/users/{id}")),
        ("http.response.status_code", Some("200")),
        ("url.scheme", Some("http")),
        ("url.path", Some("/users/7")),
        ("server.address", Some("h")),
        ("server.port", None),
        ("client.address", Some("127.0.0.1")),
        ("client.port", Some("1")),
        ("network.protocol.version", Some("1.1")),
        ("user_agent.original", None),
        ("trace_id", None),
        ("error.type", None),
    ];
    let traced = format!("User-Agent: t\r\nX-Request-Id: me\r\nTraceparent: {PARENT}\r\n");
    let table: [(&str, &str, String, &[_]); 5] = [
        ("GET", "/users/7?secret", String::new(), plain),
        (
            "GET",
            "/users/7",
            traced,
            &[
                ("user_agent.original", Some("t")),
                ("request_id", Some("me")),
                ("trace_id", Some("0af7651916cd43dd8448eb211c80319c")),
                ("parent_span_id", Some("00f067aa0ba902b7")),
                ("trace_flags", Some("01")),
            ],
        ),
        (
            "GET",
            "/users/7",
            format!("Traceparent: {PARENT}\r\n").repeat(2),
            &[("trace_id", None), ("parent_span_id", None)],
        ),
        (
            "BREW",
            "http://example.org:81/none",
            String::new(),
            &[
                ("otel.name", Some("HTTP")),
                ("http.request.method", Some("_OTHER")),
                ("http.request.method_original", Some("BREW")),
                ("http.route", None),
                ("http.response.status_code", Some("501")),
                ("server.address", Some("example.org")),
                ("server.port", Some("81")),
            ],
        ),
        (
            "GET",
            "/none",
            String::new(),
            &[
                ("otel.name", Some("GET")),
                ("http.response.status_code", Some("404")),
                ("otel.status_code", None),
            ],
        ),
    ];
    Seen::at(Level::INFO, |seen| {
        let mut peer = Conversation::new(app).unwrap();
        for (method, target, fields, expected) in table {
            peer.deliver(&request(method, target, &fields));
            let is_traced = sent(&mut peer).ends_with(PARENT);
            let closed = seen.closed();
            assert_eq!(closed.len(), 1, "{method} {target}");
            for (name, value) in expected {
                assert_eq!(closed[0].get(name), *value, "{name} of {method} {target}");
            }
            assert_eq!(is_traced, closed[0].get("trace_id").is_some());
        }
    });
}

#[test]
fn spans_of_handlers_that_take_turns_do_not_mix() {
    Seen::at(Level::INFO, |seen| {
        let mut first = Conversation::new(app()).unwrap();
        let mut second = first.reconnect();
        first.deliver(&request("GET", "/steps/first", ""));
        second.deliver(&request("GET", "/steps/second", ""));
        assert_eq!(seen.open(), ["/steps/first", "/steps/second"]);
        for _ in 0..3 {
            tracing::info!("outside");
            first.pass(SECOND);
            second.pass(Duration::ZERO);
        }
        assert_eq!(statuses(&sent(&mut first)), [200]);
        assert_eq!(statuses(&sent(&mut second)), [200]);
        assert_eq!((seen.open().len(), seen.closed().len()), (0, 2));
        let events = seen.events();
        let of = |path: &str| {
            let is_of = |(_, spans): &&(String, Vec<String>)| spans[..] == [path.to_owned()];
            let messages = events
                .iter()
                .filter(is_of)
                .map(|(message, _)| message.clone());
            messages.collect::<Vec<_>>()
        };
        for path in ["/steps/first", "/steps/second"] {
            assert_eq!(of(path), ["one", "two", "three", "dropped"]);
        }
        let outside = |(message, spans): &(String, Vec<String>)| {
            (message == "outside").then_some(spans.len())
        };
        assert_eq!(
            events.iter().filter_map(outside).collect::<Vec<_>>(),
            [0, 0, 0]
        );
        assert_eq!(events.len(), 11);
    });
}

#[test]
fn a_handler_that_is_dropped_closes_its_span() {
    Seen::at(Level::INFO, |seen| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("GET", "/steps/left", ""));
        assert_eq!((seen.open().len(), seen.closed().len()), (1, 0));
        peer.close();
        assert_eq!(peer.in_flight(), 0);
        let closed = seen.closed();
        assert_eq!((seen.open().len(), closed.len()), (0, 1));
        assert_eq!(closed[0].get("http.response.status_code"), None);
        let dropped = ("dropped".to_owned(), vec!["/steps/left".to_owned()]);
        assert!(seen.events().contains(&dropped));
    });
}

#[test]
fn a_streamed_response_is_made_in_its_span() {
    Seen::at(Level::INFO, |seen| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("GET", "/streamed", ""));
        assert_eq!(seen.open(), ["/streamed"]);
        peer.pass(SECOND);
        peer.pass(SECOND);
        assert!(sent(&mut peer).ends_with("\r\n0\r\n\r\n"));
        let spans = vec!["/streamed".to_owned()];
        let made = ["made a", "made b"].map(|made| (made.to_owned(), spans.clone()));
        assert_eq!(seen.events(), made);
        assert_eq!(
            seen.closed()[0].get("http.response.status_code"),
            Some("200")
        );
        // One that is given up is closed, too.
        peer.deliver(&request("GET", "/streamed", ""));
        assert_eq!(seen.open(), ["/streamed"]);
        peer.reset();
        assert_eq!((seen.open().len(), seen.closed().len()), (0, 1));
    });
}

#[test]
fn failures_are_told_in_the_span_and_marked() {
    Seen::at(Level::INFO, |seen| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("GET", "/fails", ""));
        assert_eq!(statuses(&sent(&mut peer)), [500]);
        let closed = seen.closed();
        for (name, value) in [
            ("http.response.status_code", "500"),
            ("error.type", "500"),
            ("otel.status_code", "ERROR"),
        ] {
            assert_eq!(closed[0].get(name), Some(value));
        }
        let failed = ("a handler failed".to_owned(), vec!["/fails".to_owned()]);
        assert_eq!(seen.events(), [failed]);
        peer.deliver(&request("GET", "/panics", ""));
        assert_eq!(statuses(&sent(&mut peer)), [500]);
        let closed = seen.closed();
        assert_eq!((seen.open().len(), closed.len()), (0, 1));
        for (name, value) in [
            ("http.response.status_code", "500"),
            ("error.type", "500"),
            ("otel.status_code", "ERROR"),
        ] {
            assert_eq!(closed[0].get(name), Some(value));
        }
        let panicked = ("a handler panicked".to_owned(), vec!["/panics".to_owned()]);
        assert_eq!(seen.events(), [panicked]);
    });
}

#[test]
fn a_failure_is_told_in_the_innermost_span() {
    Seen::at(Level::INFO, |seen| {
        let app = App::new().wrap(Spans::new()).nest("/in", app());
        let mut peer = Conversation::new(app).unwrap();
        peer.deliver(&request("GET", "/in/fails", ""));
        assert_eq!(statuses(&sent(&mut peer)), [500]);
        let spans = vec!["/in/fails".to_owned(); 2];
        assert_eq!(seen.events(), [("a handler failed".to_owned(), spans)]);
        assert_eq!((seen.open().len(), seen.closed().len()), (0, 2));
    });
}

#[test]
fn what_peers_send_stays_on_its_line_and_in_its_field() {
    let mut log = tempfile::tempfile().unwrap();
    let format = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(log.try_clone().unwrap());
    let subscriber = tracing_subscriber::registry().with(format);
    let app = App::new()
        .wrap(RequestId::new().trusting())
        .wrap(Spans::new())
        .get("/{*rest}", async |_| tracing::info!("served"));
    let fields = [
        "X-Request-Id: a forged=1\r\n",
        "User-Agent: a\" forged=\"1\\\r\n",
        "User-Agent: a\tb\r\n",
        "User-Agent: a\u{9b}2J\u{85}b\r\n",
        "User-Agent: a\u{2028}\u{202e}b\r\n",
        "Traceparent: 00-forged=1\r\n",
    ];
    tracing::subscriber::with_default(subscriber, || {
        let mut peer = Conversation::new(app).unwrap();
        for fields in fields {
            peer.deliver(&request("GET", "/%0a'b", fields));
            assert_eq!(statuses(&sent(&mut peer)), [204], "{fields:?}");
        }
    });
    let mut told = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut told).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), fields.len(), "{told}");
    for (line, fields) in lines.iter().zip(fields) {
        assert!(!line.chars().any(char::is_control), "{fields:?}: {line}");
        assert!(line.contains(" url.path=\"/%0a'b\" "), "{line}");
    }
    let quoted = r#" user_agent.original="a\" forged=\"1\\" "#;
    assert!(told.contains(quoted), "{told}");
    assert_eq!(told.matches("forged").count(), 1, "{told}");
    assert_eq!(told.matches("user_agent.original").count(), 1, "{told}");
}

#[test]
fn spans_may_be_opened_with_more_and_with_less() {
    let more = Spans::opened_by(|request: &Request| {
        request_span!(request, tenant = request.header("x-tenant"), user = Empty)
    });
    let less = Spans::opened_by(|request: &Request| {
        tracing::info_span!(
            "own",
            url.path = request.path(),
            http.response.status_code = Empty
        )
    });
    let own = App::new()
        .wrap(less)
        .get("/", async |_| StatusCode::IM_A_TEAPOT);
    let app = App::new().nest("/own", own).nest(
        "/more",
        App::new().wrap(more).get("/", async |_| {
            future::yield_now().await;
            tracing::Span::current().record("user", "Ada");
        }),
    );
    Seen::at(Level::INFO, |seen| {
        let mut peer = Conversation::new(app).unwrap();
        peer.deliver(&request("GET", "/more", "X-Tenant: blue\r\n"));
        peer.deliver(&request("GET", "/own", ""));
        let closed = seen.closed();
        let found = |name: &str| {
            closed
                .iter()
                .map(|fields| fields.get(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("tenant"), [Some("blue"), None]);
        assert_eq!(found("user"), [Some("Ada"), None]);
        assert_eq!(found("http.route"), [Some("/more"), None]);
        assert_eq!(
            found("http.response.status_code"),
            [Some("204"), Some("418")]
        );
    });
}

#[test]
fn nothing_is_opened_for_a_subscriber_that_does_not_want_it() {
    Seen::at(Level::WARN, |seen| {
        let mut peer = Conversation::new(app()).unwrap();
        peer.deliver(&request("GET", "/streamed", ""));
        assert!(seen.open().is_empty());
        peer.pass(2 * SECOND);
        peer.pass(2 * SECOND);
        assert!(sent(&mut peer).ends_with("\r\n0\r\n\r\n"));
        assert!(seen.closed().is_empty());
    });
}
