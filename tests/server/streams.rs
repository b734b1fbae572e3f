//! Response bodies: large, streamed, failing, and read slowly.

use super::app::{Served, pattern};
use super::support::client::Broken;
use super::support::{Client, fresh_stats, number};
use corelane::app::{Sse, SseEvent};
use corelane::{App, Request};
use futures_lite::{StreamExt, stream};
use socket2::{Domain, Socket, Type};
use std::time::Duration;

const LARGE: usize = 10 * 1024 * 1024;

#[test]
fn responses_of_every_size_arrive_whole() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    for size in [0, 1, 16_384, 16_385, 65_536, 1_000_000, LARGE] {
        for kind in ["bytes", "known", "stream"] {
            client.get(&format!("/{kind}/{size}"));
            let response = client.response();
            assert_eq!(response.status, 200);
            assert!(response.body == pattern(size), "{kind} {size}");
            assert_eq!(response.chunks.is_some(), kind == "stream");
            let chunks = response.chunks.unwrap_or_default();
            assert_eq!(
                chunks.iter().sum::<usize>(),
                if kind == "stream" { size } else { 0 }
            );
        }
    }
    client.assert_alive();
}

#[test]
fn events_arrive_while_their_stream_goes_on() {
    let served = Served::with(|_| {
        App::new().get("/", async |request: Request| {
            let events = stream::once(SseEvent::data("a")).chain(stream::pending());
            Sse::new(events).keep_alive(&request.time(), Duration::from_millis(1))
        })
    });
    let mut client = Client::connect(served.address);
    client.get("/");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.exactly(1).expect("a head"));
    }
    for expected in ["9\r\ndata: a\n\n\r\n", "3\r\n:\n\n\r\n", "3\r\n:\n\n\r\n"] {
        let arrived = client.exactly(expected.len()).expect("an event");
        assert_eq!(String::from_utf8_lossy(&arrived), expected);
    }
}

#[test]
fn http_1_0_gets_a_stream_to_the_end_of_the_connection() {
    let served = Served::new();
    for keep_alive in ["", "Connection: keep-alive\r\n"] {
        let mut client = Client::connect(served.address);
        client.send(format!("GET /stream/1000000 HTTP/1.0\r\n{keep_alive}\r\n"));
        let response = client.response();
        assert!(response.closes() && response.chunks.is_none());
        assert_eq!(response.field("content-length"), None);
        assert!(response.body == pattern(1_000_000));
    }
    // A known length needs no end of the connection.
    let mut client = Client::connect(served.address);
    client.send("GET /known/1000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(client.response().body, pattern(1000));
    client.assert_alive();
}

#[test]
fn a_response_that_fails_midway_never_looks_complete() {
    let served = Served::new();
    let known = ["/too-short", "/too-long"];
    let unknown = ["/fails/1", "/fails/100000"];
    let table = [
        ("1.1", &known[..]),
        ("1.1", &unknown[..]),
        ("1.0", &known[..]),
    ];
    let mut failures = 0;
    for (version, paths) in table {
        for path in paths {
            let mut client = Client::connect(served.address);
            client.send(format!("GET {path} HTTP/{version}\r\nHost: a\r\n\r\n"));
            let broken = client.try_response(false);
            broken
                .err()
                .unwrap_or_else(|| panic!("{path} HTTP/{version} looks complete"));
            failures += 1;
        }
    }
    Client::connect(served.address).assert_alive();
    let truncated = number(
        &fresh_stats(served.address),
        "/connections/closed/truncated",
    );
    assert_eq!(truncated, failures);
}

#[test]
fn a_response_that_fails_before_any_of_it_is_out_is_an_error() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    for path in [
        "/fails/0",
        "/fails-at-once",
        "/known-fails",
        "/panic-in-body",
    ] {
        client.get(path);
        let response = client.response();
        assert_eq!(response.status, 500, "{path}");
        assert_eq!(response.text(), "500 Internal Server Error\n", "{path}");
        assert_eq!(response.field("transfer-encoding"), None, "{path}");
    }
    client.assert_alive();
}

#[test]
fn a_response_that_fails_costs_none_of_those_before_it() {
    let served = Served::new();
    for path in ["/too-short", "/too-long", "/fails/1", "/fails/100000"] {
        let mut client = Client::connect(served.address);
        client.get("/a");
        client.send(format!(
            "GET /b HTTP/1.1\r\nHost: a\r\n\r\nGET {path} HTTP/1.1\r\nHost: a\r\n\r\n\
             GET /c HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        assert_eq!(client.response().text(), "Hello, a");
        assert_eq!(client.response().text(), "Hello, b", "{path}");
        client.try_response(false).expect_err("a complete failure");
    }
}

#[test]
fn a_slow_reader_gets_everything_and_holds_nobody_up() {
    let served = Served::new();
    let mut other = Client::connect(served.address);
    for kind in ["bytes", "stream"] {
        // Far less than all of it between the server and this client, and room for some of the largest packets
        // that loopback has: with less, the kernel tells of room only when it is probed, ever more rarely.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(256 * 1024).expect("SO_RCVBUF");
        socket
            .connect(&served.address.into())
            .expect("a connection");
        let mut slow = Client::on(socket.into());
        slow.get(&format!("/{kind}/{LARGE}"));
        slow.get("/behind");
        // Nothing of it is read while these are answered.
        for _ in 0..100 {
            other.assert_alive();
        }
        assert!(slow.response().body == pattern(LARGE), "{kind}");
        assert_eq!(slow.response().text(), "Hello, behind");
    }
}

#[test]
fn a_reader_that_leaves_is_forgotten() {
    let served = Served::new();
    for kind in ["bytes", "stream", "known"] {
        let mut client = Client::connect(served.address);
        client.get(&format!("/{kind}/{LARGE}"));
        client.exactly(1000).expect("the beginning");
        drop(client);
    }
    super::support::wait_until("only the connection that asks is left", || {
        number(&fresh_stats(served.address), "/connections/active") == 1
    });
    let stats = fresh_stats(served.address);
    assert_eq!(number(&stats, "/requests/in_flight"), 1, "{stats}");
}

#[test]
fn the_end_of_the_last_response_is_read_by_a_peer_that_sends_on() {
    let served = Served::new();
    // A reset for the bytes behind the refused head would destroy the answer.
    for _ in 0..50 {
        let mut client = Client::connect(served.address);
        client.send([&b"BAD\r\n\r\n"[..], &pattern(100_000)].concat());
        assert_eq!(client.response().status, 400);
        assert_eq!(client.rest(), Broken::Closed(Vec::new()));
    }
}
