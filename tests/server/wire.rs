//! Requests as bytes and the responses they get, whole, byte by byte, and pipelined with others.

use super::app::Served;
use super::support::Client;
use super::support::client::{Broken, Response};
use std::net::SocketAddr;

/// A request and what is answered.
struct Case {
    request: &'static [u8],
    status: u16,
    /// Whether the connection goes on.
    stays: bool,
    /// Fields that the response must have (`name: value`), or must not (`!name`).
    fields: &'static [&'static str],
    body: &'static str,
}

const fn case(
    request: &'static [u8],
    status: u16,
    stays: bool,
    fields: &'static [&'static str],
    body: &'static str,
) -> Case {
    Case {
        request,
        status,
        stays,
        fields,
        body,
    }
}

const STAYS: bool = true;
const CLOSES: bool = false;
const TEXT: &str = "content-type: text/plain; charset=utf-8";

static CASES: &[Case] = &[
    // Requests that are answered, in both versions.
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[TEXT, "content-length: 13", "server: corelane", "!connection", "!transfer-encoding"], "Hello, World!"),
    case(b"GET / HTTP/1.1\r\nhost:a\r\n\r\n", 200, STAYS, &[], "Hello, Anonymous"),
    case(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[], "Hello, Anonymous"),
    case(b"GET /J%C3%B6rg?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[TEXT], "Hello, J\u{f6}rg"),
    case(b"GET http://b/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[], "Hello, World!"),
    case(b"GET /json HTTP/1.1\r\nHost: a\r\nX: \xc3\xb6 \xff\r\n\r\n", 200, STAYS, &["content-type: application/json"], "{\"message\":\"Hello, World!\"}"),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200, CLOSES, &[], "Hello, World!"),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", 200, CLOSES, &[], "Hello, World!"),
    case(b"GET /plaintext HTTP/1.0\r\n\r\n", 200, CLOSES, &["content-length: 13"], "Hello, World!"),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, STAYS, &["connection: keep-alive"], "Hello, World!"),
    case(b"GET /plaintext HTTP/1.2\r\nHost: a\r\n\r\n", 200, STAYS, &[], "Hello, World!"),
    // HEAD: the fields of GET and not its content.
    case(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[TEXT, "content-length: 13"], ""),
    case(b"HEAD /stream/100000 HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &["transfer-encoding: chunked"], ""),
    case(b"HEAD /known/100000 HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &["content-length: 100000"], ""),
    case(b"HEAD /none/such HTTP/1.1\r\nHost: a\r\n\r\n", 404, STAYS, &["content-length: 14"], ""),
    case(b"HEAD /plaintext HTTP/1.0\r\n\r\n", 200, CLOSES, &["content-length: 13"], ""),
    // Statuses without content.
    case(b"GET /empty HTTP/1.1\r\nHost: a\r\n\r\n", 204, STAYS, &["!content-length", "!transfer-encoding"], ""),
    case(b"GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\n", 304, STAYS, &["!transfer-encoding"], ""),
    case(b"OPTIONS /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 204, STAYS, &["allow: GET, HEAD, OPTIONS"], ""),
    case(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204, STAYS, &["allow: GET, HEAD, OPTIONS, POST"], ""),
    // Handlers that err.
    case(b"GET /error HTTP/1.1\r\nHost: a\r\n\r\n", 409, STAYS, &[TEXT], "409 Conflict: Not so.\n"),
    case(b"GET /failure HTTP/1.1\r\nHost: a\r\n\r\n", 500, STAYS, &[TEXT], "500 Internal Server Error\n"),
    case(b"GET /interim HTTP/1.1\r\nHost: a\r\n\r\n", 500, STAYS, &[], "500 Internal Server Error\n"),
    case(b"GET /timer HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &[], "after a timer"),
    // Bodies that are read, and bodies that are not.
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Type: x/y\r\n\r\nabc", 200, STAYS, &["content-type: x/y", "content-length: 3"], "abc"),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, STAYS, &["content-length: 0"], ""),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", 200, STAYS, &["content-length: 0"], ""),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n02;x=\"y\"\r\nde\r\n0\r\nT: u\r\n\r\n", 200, STAYS, &["transfer-encoding: chunked"], "abcde"),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, STAYS, &["content-length: 3"], "abc"),
    case(b"POST /collect HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 200, CLOSES, &[], "abc"),
    case(b"POST /echo HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", 200, STAYS, &["content-length: 3"], "abc"),
    case(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /wrong HTTP/1.1\r\nHost: a\r\n", 200, STAYS, &[], "ignored"),
    case(b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /wrong HTTP/1.1\r\nHost: a\r\n", 200, STAYS, &[], "had some"),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 200, STAYS, &[], "Hello, World!"),
    case(b"POST /none/such HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 404, STAYS, &[], "404 Not Found\n"),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: The data of a chunk is not followed by CR LF.\n"),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: A chunk size is not one hexadecimal number.\n"),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413, CLOSES, &[], "413 Payload Too Large: The request content is larger than this server accepts here.\n"),
    // Requests for what is not there.
    case(b"GET /none/such HTTP/1.1\r\nHost: a\r\n\r\n", 404, STAYS, &[TEXT], "404 Not Found\n"),
    case(b"DELETE /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 405, STAYS, &["allow: GET, HEAD, OPTIONS"], "405 Method Not Allowed\n"),
    case(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", 405, STAYS, &["allow: OPTIONS, POST"], "405 Method Not Allowed\n"),
    case(b"BREW /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 405, STAYS, &[], "405 Method Not Allowed\n"),
    case(b"BREW /none/such HTTP/1.1\r\nHost: a\r\n\r\n", 501, STAYS, &[], "501 Not Implemented\n"),
    case(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, STAYS, &[], "501 Not Implemented\n"),
    case(b"GET /%FF HTTP/1.1\r\nHost: a\r\n\r\n", 400, STAYS, &[], "400 Bad Request: The path is not UTF-8 text.\n"),
    // Requests that are refused.
    case(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, CLOSES, &[], "505 HTTP Version Not Supported: This server speaks HTTP/1.1 and HTTP/1.0.\n"),
    case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, CLOSES, &[], "505 HTTP Version Not Supported: This port speaks HTTP/1.1, but the client began HTTP/2 without negotiating it.\n"),
    case(b"\x16\x03\x01\x02\x00\x01", 400, CLOSES, &[], "400 Bad Request: This port speaks plain HTTP, but the client began a TLS handshake.\n"),
    case(b"GET / HTTP/1.1\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: The request has no Host field.\n"),
    case(b"GET / HTTP/1.1\nHost: a\n\n", 400, CLOSES, &[], "400 Bad Request: A line of the message head does not end in CR LF.\n"),
    case(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: White space stands between a field name and its colon.\n"),
    case(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: A field line begins with white space.\n"),
    case(b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: A field value contains a control character.\n"),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, CLOSES, &[], "400 Bad Request: The request has both Content-Length and Transfer-Encoding.\n"),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400, CLOSES, &[], "400 Bad Request: The Content-Length is not one decimal number.\n"),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, CLOSES, &[], "501 Not Implemented: The only transfer coding that this server understands is chunked.\n"),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417, CLOSES, &[], "417 Expectation Failed: The only expectation that this server meets is 100-continue.\n"),
];

const GOOD: &[u8] = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

fn assert_good(client: &mut Client, place: &str) {
    let response = client.response();
    assert_eq!(
        (response.status, response.text()),
        (200, "Hello, good"),
        "{place}"
    );
}

impl Case {
    fn name(&self) -> String {
        self.request.escape_ascii().to_string()
    }

    /// Takes the response from `client` and holds it against what is expected.
    fn assert_answered(&self, client: &mut Client, delivery: &str) {
        let name = format!("{delivery}: {}", self.name());
        let response = client.try_response(self.request.starts_with(b"HEAD"));
        let response = response.unwrap_or_else(|broken| panic!("{name}: {broken:?}"));
        assert_eq!(response.status, self.status, "{name}: {response:?}");
        assert_eq!(response.text(), self.body, "{name}");
        for field in self.fields {
            match field.split_once(": ") {
                Some((name, value)) => {
                    assert_eq!(response.field(name), Some(value), "{field}: {response:?}");
                }
                None => assert_eq!(response.field(&field[1..]), None, "{name}: {response:?}"),
            }
        }
        self.assert_general_fields(&response, &name);
    }

    /// What every response has.
    fn assert_general_fields(&self, response: &Response, name: &str) {
        let date = response
            .field("date")
            .unwrap_or_else(|| panic!("{name}: no Date"));
        httpdate::parse_http_date(date).unwrap_or_else(|error| panic!("{name}: {date}: {error}"));
        assert!(date.ends_with(" GMT") && date.len() == 29, "{name}: {date}");
        assert_eq!(response.closes(), !self.stays, "{name}: {response:?}");
    }

    /// After the response the connection is what the case says.
    fn assert_fate(&self, client: &mut Client, delivery: &str) {
        if self.stays {
            client.send(GOOD);
            assert_good(client, delivery);
        } else {
            let rest = client.rest();
            let closed = Broken::Closed(Vec::new());
            assert_eq!(rest, closed, "{delivery}: {}", self.name());
        }
    }
}

/// Runs `deliver` for every case on a connection of its own.
fn for_each_case(deliver: impl Fn(&Case, &mut Client)) {
    let served = Served::new();
    for case in CASES {
        deliver(case, &mut Client::connect(served.address));
    }
}

#[test]
fn requests_in_one_piece() {
    for_each_case(|case, client| {
        client.send(case.request);
        case.assert_answered(client, "whole");
        case.assert_fate(client, "whole");
    });
}

#[test]
fn requests_byte_by_byte() {
    for_each_case(|case, client| {
        client.send_bytewise(case.request);
        case.assert_answered(client, "byte by byte");
        case.assert_fate(client, "byte by byte");
    });
}

#[test]
fn requests_in_two_pieces_cut_everywhere() {
    let served = Served::new();
    let mut good = Client::connect(served.address);
    for case in CASES {
        for cut in 1..case.request.len() {
            let (first, second) = case.request.split_at(cut);
            let mut client = Client::connect(served.address);
            client.send(first);
            // Every fourth time the server has had time to look at the first piece alone.
            if cut % 4 == 0 {
                good.assert_alive();
            }
            // A refusal may be out, and the connection gone, before all is sent.
            let sent = client.try_send(second);
            assert!(sent.is_ok() || !case.stays, "{cut}: {}", case.name());
            case.assert_answered(&mut client, "cut");
        }
    }
}

#[test]
fn requests_behind_a_good_one() {
    for_each_case(|case, client| {
        client.send([GOOD, case.request].concat());
        assert_good(client, "ahead");
        case.assert_answered(client, "behind a good request");
        case.assert_fate(client, "behind a good request");
    });
}

#[test]
fn requests_ahead_of_a_good_one() {
    for_each_case(|case, client| {
        client.send([case.request, GOOD].concat());
        case.assert_answered(client, "ahead of a good request");
        if case.stays {
            assert_good(client, "behind");
            case.assert_fate(client, "ahead of a good request");
        } else {
            // Nothing that follows is taken for a request.
            client.assert_closed();
        }
    });
}

#[test]
fn all_that_stay_on_one_connection_in_one_write() {
    let served = Served::new();
    let staying: Vec<_> = CASES.iter().filter(|case| case.stays).collect();
    let all: Vec<_> = staying.iter().map(|case| case.request).collect();
    let mut client = Client::connect(served.address);
    client.send(all.concat());
    for case in &staying {
        case.assert_answered(&mut client, "in a row");
    }
    client.assert_alive();
}

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
    let served = Served::new();
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
        let good: &[u8] = if ahead { GOOD } else { b"" };
        client.send([good, format!("POST {path} {EXPECTING}").as_bytes()].concat());
        if ahead {
            assert_good(&mut client, path);
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
