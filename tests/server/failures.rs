//! Handlers that fail, as clients see it that others wrote: an answer, or a message that is broken,
//! and never one that looks whole and is not.

use super::app::{Served, app};
use super::support::outside::has;
use super::support::{Client, PATIENCE, fresh_stats, number};
use corelane::app::{Sse, SseEvent};
use corelane::{App, Body, Error, Limits, Request, Response, Server};
use futures_lite::{StreamExt, stream};
use http::StatusCode;
use std::io;
use std::process::Command;
use std::time::Duration;

/// What curl exits with when content is shorter than it should be, and when its connection fails.
const PARTIAL_FILE: i32 = 18;
const RECV_ERROR: i32 = 56;

/// The routes of [`app`], and those whose content ends in the middle.
fn failing() -> Served {
    let mut limits = Limits::default();
    limits.handler_timeout = Some(Duration::from_millis(100));
    let server = Server::bind("127.0.0.1:0").limits(limits);
    Served::on(server, |shard| app(shard).nest("/midway", midway()))
}

/// Each has its head and some of its content out before it fails.
fn midway() -> App {
    fn begun<E>(then: impl FnOnce() -> Result<&'static str, E> + 'static) -> Body
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        let rest = stream::once_future(async move {
            glommio::timer::sleep(Duration::from_millis(5)).await;
            then()
        });
        Body::from_stream(stream::once(Ok("begun")).chain(rest))
    }
    App::new()
        .get("/error", async |_| {
            begun(|| Err(io::Error::other("disk on fire")))
        })
        .get("/refusal", async |_| {
            begun(|| Err(Error::new(StatusCode::CONFLICT, "Too late.")))
        })
        .get("/panic", async |_| {
            begun::<io::Error>(|| panic!("a source that panics, on purpose"))
        })
        .get("/known", async |_| {
            let reader = &b"begun"[..];
            Response::new(StatusCode::OK).with_body(Body::from_reader(reader, Some(100)))
        })
        .get("/silent", async |_: Request| {
            Sse::new(stream::once(SseEvent::data("begun")).chain(stream::pending()))
        })
}

#[test]
fn what_breaks_off_looks_broken() {
    let served = failing();
    let base = format!("http://{}", served.address);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .build()
        .into();
    let table = [
        ("/midway/error", PARTIAL_FILE, RECV_ERROR),
        ("/midway/refusal", PARTIAL_FILE, RECV_ERROR),
        ("/midway/panic", PARTIAL_FILE, RECV_ERROR),
        ("/midway/silent", PARTIAL_FILE, RECV_ERROR),
        ("/midway/known", PARTIAL_FILE, PARTIAL_FILE),
        ("/fails/100000", PARTIAL_FILE, RECV_ERROR),
        ("/too-short", PARTIAL_FILE, PARTIAL_FILE),
    ];
    let mut broken = 0;
    for (path, code, old_code) in table {
        let mut response = agent.get(format!("{base}{path}")).call().expect("a head");
        assert_eq!(response.status(), 200);
        let content = response.body_mut().read_to_vec();
        content.expect_err("content that looks whole");
        broken += 1;
        if !has("curl") {
            continue;
        }
        for (version, expected) in [("--http1.1", code), ("--http1.0", old_code)] {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--noproxy", "*", "--max-time", "30", version]);
            let output = curl.arg(format!("{base}{path}")).output().expect("it runs");
            assert_eq!(output.status.code(), Some(expected), "{version} {path}");
            broken += 1;
        }
    }
    Client::connect(served.address).assert_alive();
    let stats = fresh_stats(served.address);
    let truncated = number(&stats, "/connections/closed/truncated");
    assert_eq!(truncated, broken, "{stats}");
    assert_eq!(number(&stats, "/requests/in_flight"), 1, "{stats}");
}

#[test]
fn what_fails_before_its_head_is_out_is_answered_and_the_connection_goes_on() {
    let served = failing();
    let mut client = Client::connect(served.address);
    for (path, status, text) in [
        ("/panic", 500, "500 Internal Server Error\n"),
        ("/panic-later", 500, "500 Internal Server Error\n"),
        ("/panic-in-body", 500, "500 Internal Server Error\n"),
        ("/failure", 500, "500 Internal Server Error\n"),
        ("/error", 409, "409 Conflict: Not so.\n"),
        (
            "/never",
            503,
            "503 Service Unavailable: The answer took too long.\n",
        ),
    ] {
        client.get(path);
        let response = client.response();
        assert_eq!((response.status, response.text()), (status, text), "{path}");
        assert!(!response.closes(), "{path}");
    }
    client.assert_alive();
}
