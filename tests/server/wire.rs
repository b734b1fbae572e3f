//! What is said on the wire: requests as bytes, in tables by subject, and the order and the pace in
//! which they are answered.

mod fields;
mod framing;
mod pace;
mod request_line;
mod responses;

use super::app::{Served, app};
use super::support::Client;
use super::support::client::Response;
use corelane::{App, Request, Server};
use std::net::SocketAddr;

/// `count` requests sent at once and read afterwards are answered each and in order.
fn assert_in_order(address: SocketAddr, count: usize) {
    let mut client = Client::connect(address);
    let mut sender = Client::on(client.stream.try_clone().expect("a second handle"));
    let requests: String = (0..count)
        .map(|i| format!("GET /n{i} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(requests));
        for i in 0..count {
            assert_eq!(client.response().text(), format!("Hello, n{i}"));
        }
    });
    client.assert_alive();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let served = Served::new();
    for count in [16, 63, 64, 65, 10_000] {
        assert_in_order(served.address, count);
    }
}

#[test]
fn requests_that_wait_keep_their_place_in_the_pipeline() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    let paths = [
        "/deadline",
        "/a",
        "/timer",
        "/b",
        "/panic-later",
        "/c",
        "/stream/40000",
        "/d",
    ];
    client.send(
        paths
            .map(|path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .concat(),
    );
    let lengths = paths.map(|_| client.response().body.len());
    assert_eq!(lengths, [16, 8, 13, 8, 26, 8, 40_000, 8]);
}

#[test]
fn a_client_that_has_closed_its_side_is_answered() {
    // One that is waited for is given up otherwise.
    let served = Served::with(|shard| app(shard).finish_after_disconnect());
    let table: [(&[&str], &str); 4] = [
        (&["/plaintext"], "Hello, World!"),
        (&["/deadline"], "after a deadline"),
        (&["/timer"], "after a timer"),
        (&["/a", "/timer", "/b"], "Hello, b"),
    ];
    for (paths, last) in table {
        let mut client = Client::connect(served.address);
        for path in paths {
            client.get(path);
        }
        client.finish_sending();
        let responses: Vec<_> = paths.iter().map(|_| client.response()).collect();
        assert_eq!(responses.last().map(Response::text), Some(last));
        client.assert_closed();
    }
}

#[test]
fn an_old_client_may_send_a_line_end_behind_a_body() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    client.send("POST /collect HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
    let response = client.response();
    assert_eq!((response.text(), response.closes()), ("abc", true));
    client.assert_closed();
    // Both are taken; a connection that was closed for good would have been reset by the first.
    client.send("\r");
    client.send("\n");
}

#[test]
fn a_client_that_closes_in_the_middle_gets_no_answer() {
    let served = Served::new();
    for request in [
        &b"GET / HT"[..],
        b"\r\n",
        b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Le",
    ] {
        let mut client = Client::connect(served.address);
        client.send(request);
        client.finish_sending();
        client.assert_closed();
    }
}

#[test]
fn a_handler_that_panics_is_a_500_and_hurts_nobody() {
    let served = Served::new();
    let mut other = Client::connect(served.address);
    let mut client = Client::connect(served.address);
    for path in ["/panic", "/panic-later", "/panic"] {
        client.get(path);
        let response = client.response();
        assert_eq!(
            (response.status, response.text()),
            (500, "500 Internal Server Error\n")
        );
        assert!(!response.closes());
        client.assert_alive();
        other.assert_alive();
    }
}

#[test]
fn a_body_is_invited_only_when_it_is_read() {
    const EXPECTING: &str =
        "HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let served = Served::new();

    // Read by the handler: invited, then sent. The same behind a request that is answered first.
    for (path, ahead) in [
        ("/collect", false),
        ("/echo", false),
        ("/collect", true),
        ("/echo", true),
    ] {
        let mut client = Client::connect(served.address);
        let good = if ahead {
            "GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
        } else {
            ""
        };
        client.send(format!("{good}POST {path} {EXPECTING}"));
        if ahead {
            assert_eq!(client.response().text(), "Hello, good");
        }
        let invitation = client.response();
        assert_eq!(
            (invitation.status, invitation.fields.len()),
            (100, 0),
            "{path}"
        );
        client.send("abc");
        assert_eq!(client.response().text(), "abc");
        client.assert_alive();
    }

    // Sent without waiting.
    let mut client = Client::connect(served.address);
    client.send(format!("POST /collect {EXPECTING}abc"));
    let mut response = client.response();
    if response.status == 100 {
        response = client.response();
    }
    assert_eq!(response.text(), "abc");
    client.assert_alive();

    // Not read: answered without an invitation, and closed, for nobody knows what comes.
    let mut client = Client::connect(served.address);
    client.send(format!("POST /ignore {EXPECTING}"));
    let response = client.response();
    assert_eq!((response.status, response.closes()), (200, true));
    client.assert_closed();

    // HTTP/1.0 knows no invitations.
    let mut client = Client::connect(served.address);
    client.send("POST /collect HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    assert_eq!(client.response().text(), "abc");
    client.assert_closed();
}

#[test]
fn handlers_are_told_the_peer_in_both_families() {
    for listen in ["127.0.0.1:0", "[::1]:0"] {
        let server = Server::bind(listen);
        let served = Served::on(server, |_| {
            App::new().get("/", async |request: Request| request.peer().to_string())
        });
        let mut client = Client::connect(served.address);
        let peer = client.stream.local_addr().expect("an address").to_string();
        for _ in 0..2 {
            client.get("/");
            assert_eq!(client.response().text(), peer);
        }
    }
}
