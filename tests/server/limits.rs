//! The limits of a message, each met at N and at N + 1.

use super::app::Served;
use super::app::app;
use super::support::{Client, number, scrape};
use corelane::limits::{
    CHUNK_EXCESS_BYTES, CHUNK_LINE_BYTES, FIELD_LINES, FIELD_SECTION_BYTES, REQUEST_LINE_BYTES,
    TRAILER_BYTES,
};
use corelane::{Limits, Server};
use http::HeaderValue;

/// What is answered to `request`; the connection goes on or ends as the status asks for.
fn status_of(served: &Served, request: &str) -> u16 {
    let mut client = Client::connect(served.address);
    client.send(request);
    let response = client.response();
    match response.status {
        200 | 404 => client.assert_alive(),
        _ => {
            assert!(response.closes(), "{response:?}");
            client.assert_closed();
        }
    }
    response.status
}

/// A request line of so many bytes, CRLF included.
fn line_of(bytes: usize) -> String {
    let around = "GET / HTTP/1.1\r\n".len();
    format!("GET /{} HTTP/1.1\r\n", "n".repeat(bytes - around))
}

/// A field section of so many bytes, with its empty line.
fn section_of(bytes: usize) -> String {
    let around = "Host: a\r\nA: \r\n\r\n".len();
    format!("Host: a\r\nA: {}\r\n\r\n", "v".repeat(bytes - around))
}

#[test]
fn heads() {
    let served = Served::new();
    let lines = |lines| "Host: a\r\n".to_owned() + &"A: b\r\n".repeat(lines - 1) + "\r\n";
    let with_line = |bytes| line_of(bytes) + "Host: a\r\n\r\n";
    let with_section = |section: String| "GET / HTTP/1.1\r\n".to_owned() + &section;
    let table = [
        (with_line(REQUEST_LINE_BYTES), 200),
        (with_line(REQUEST_LINE_BYTES + 1), 414),
        (with_section(section_of(FIELD_SECTION_BYTES)), 200),
        (with_section(section_of(FIELD_SECTION_BYTES + 1)), 431),
        (with_section(lines(FIELD_LINES)), 200),
        (with_section(lines(FIELD_LINES + 1)), 431),
        (
            line_of(REQUEST_LINE_BYTES) + &section_of(FIELD_SECTION_BYTES),
            200,
        ),
        // Too long without an end, too: nothing waits for it.
        ("G".repeat(REQUEST_LINE_BYTES + 1), 501),
        ("GET /".to_owned() + &"n".repeat(REQUEST_LINE_BYTES), 414),
        (
            "GET / HTTP/1.1\r\nA: ".to_owned() + &"v".repeat(FIELD_SECTION_BYTES),
            431,
        ),
    ];
    for (request, status) in table {
        assert_eq!(
            status_of(&served, &request),
            status,
            "{} bytes",
            request.len()
        );
    }
}

#[test]
fn chunks_and_trailers() {
    const HEAD: &str = "POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let served = Served::new();
    // One chunk of one byte whose line has so many bytes.
    let line = |bytes| format!("1;{}\r\na\r\n", "x".repeat(bytes - "1;\r\n".len()));
    // Chunks whose lines have so many bytes beyond 16 digits and CRLF each.
    let excess = |bytes: usize| {
        let full = CHUNK_LINE_BYTES - 18;
        let rest = bytes % full;
        line(CHUNK_LINE_BYTES).repeat(bytes / full) + &line(rest + 18)
    };
    let trailer = |bytes| {
        format!(
            "0\r\nA: {}\r\n\r\n",
            "v".repeat(bytes - "A: \r\n\r\n".len())
        )
    };
    let table = [
        (line(CHUNK_LINE_BYTES) + "0\r\n\r\n", 200),
        (line(CHUNK_LINE_BYTES + 1) + "0\r\n\r\n", 400),
        (excess(CHUNK_EXCESS_BYTES) + "0\r\n\r\n", 200),
        (excess(CHUNK_EXCESS_BYTES + 1) + "0\r\n\r\n", 400),
        (trailer(TRAILER_BYTES), 200),
        (trailer(TRAILER_BYTES + 1), 431),
    ];
    for (row, (body, status)) in table.into_iter().enumerate() {
        assert_eq!(
            status_of(&served, &(HEAD.to_owned() + &body)),
            status,
            "row {row}"
        );
    }
}

#[test]
fn connections_of_a_shard() {
    let mut limits = Limits::default();
    limits.connections = 2;
    let server = Server::bind("127.0.0.1:0").cores("1".parse().expect("one core"));
    let served = Served::on(server.limits(limits), app);
    let mut first = Client::connect(served.address);
    first.assert_alive();
    let mut second = Client::connect(served.address);
    second.assert_alive();
    // The kernel takes it into the accept queue, and there it stays.
    let mut third = Client::connect(served.address);
    third.get("/third");
    let stats = scrape(&mut second);
    assert_eq!(number(&stats, "/connections/accepted_total"), 2, "{stats}");
    drop(first);
    assert_eq!(third.response().text(), "Hello, third");
    second.assert_alive();
}

#[test]
fn the_server_field_is_as_configured() {
    let table = [None, Some(HeaderValue::from_static("a/1 (b)"))];
    for value in table {
        let server = Server::bind("127.0.0.1:0").server_header(value.clone());
        let served = Served::on(server, app);
        let mut client = Client::connect(served.address);
        client.get("/a");
        let expected = value.as_ref().and_then(|value| value.to_str().ok());
        assert_eq!(client.response().field("server"), expected);
    }
}

#[test]
fn limits_that_cannot_be_kept_do_not_start() {
    let mut limits = Limits::default();
    limits.head_timeout = std::time::Duration::ZERO;
    let server = Server::bind("127.0.0.1:0").limits(limits);
    let error = server.start(app).expect_err("no server");
    assert!(
        error.to_string().contains("head_timeout: 0ms is less"),
        "{error}"
    );
}
