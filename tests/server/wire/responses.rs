//! What is sent: content by method and status, the fields that frame it, and what becomes of the
//! connection.

use crate::cases::{
    CLOSES, Case, STAYS, assert_all, assert_all_cut, assert_all_in_a_row, case, refused,
};
use corelane::http::Refusal as R;

const HELLO: (u16, &str) = (200, "Hello, World!");
const FAILED: (u16, &str) = (500, "500 Internal Server Error\n");
const TEXT: &str = "content-type: text/plain; charset=utf-8";

#[rustfmt::skip]
static CONTENT: &[Case] = &[
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &[TEXT, "content-length: 13", "server: corelane", "!connection", "!transfer-encoding"]),
    case(b"GET /json HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "{\"message\":\"Hello, World!\"}")], &["content-type: application/json"]),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Type: x/y\r\n\r\nabc", STAYS, &[(200, "abc")], &["content-type: x/y", "content-length: 3"]),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "")], &["content-length: 0"]),
    case(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n02;x=\"y\"\r\nde\r\n0\r\nT: u\r\n\r\n", STAYS, &[(200, "abcde")], &["transfer-encoding: chunked", "!content-length"]),
    // RFC 9110 §9.3.2: the fields of GET and none of its content.
    case(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &[TEXT, "content-length: 13"]),
    case(b"HEAD /stream/100000 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "")], &["transfer-encoding: chunked", "!content-length"]),
    case(b"HEAD /known/100000 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "")], &["content-length: 100000"]),
    case(b"HEAD /bytes/100000 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "")], &["content-length: 100000"]),
    case(b"HEAD /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(404, "")], &["content-length: 14"]),
    case(b"HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(405, "")], &["allow: OPTIONS, POST"]),
    case(b"HEAD /failure HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(500, "")], &[]),
    case(b"HEAD /plaintext HTTP/1.0\r\n\r\n", CLOSES, &[HELLO], &["content-length: 13"]),
    case(b"HEAD /stream/100000 HTTP/1.0\r\n\r\n", CLOSES, &[(200, "")], &["!transfer-encoding", "!content-length"]),
    // A refused HEAD has no content either.
    refused(b"HEAD /plaintext HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"\r\nHEAD /plaintext HTTP/1.1\r\nHost : a\r\n\r\n", R::SPACE_BEFORE_COLON),
    refused(b"HEAD /plaintext HTTP/2.0\r\nHost: a\r\n\r\n", R::VERSION),
    refused(b"HEAD /plain text HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    // Statuses without content (RFC 9112 §6.1 and §6.3, RFC 9110 §15.3.6).
    case(b"GET /empty HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["!content-length", "!transfer-encoding"]),
    case(b"GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["!content-length", "!transfer-encoding"]),
    case(b"GET /status/205 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(205, "")], &["content-length: 0", "!transfer-encoding"]),
    case(b"GET /not-modified HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(304, "")], &["!content-length", "!transfer-encoding"]),
    case(b"GET /stream-status/204 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["!content-length", "!transfer-encoding"]),
    case(b"GET /stream-status/205 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(205, "")], &["content-length: 0", "!transfer-encoding"]),
    case(b"GET /stream-status/304 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(304, "")], &["!content-length", "!transfer-encoding"]),
    case(b"GET /stream-status/204 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", STAYS, &[(204, "")], &["connection: keep-alive"]),
    // Others have it, known or not.
    case(b"GET /status/201 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(201, "content")], &["content-length: 7"]),
    case(b"GET /status/599 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(599, "content")], &["content-length: 7"]),
    // What is no final status is no answer (RFC 9110 §15, §15.2).
    case(b"GET /interim HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[FAILED], &[]),
    case(b"GET /status/100 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[FAILED], &[]),
    case(b"GET /status/101 HTTP/1.0\r\n\r\n", CLOSES, &[FAILED], &[]),
    case(b"GET /status/600 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[FAILED], &[]),
    case(b"GET /status/999 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[FAILED], &[]),
    // RFC 9110 §7.8: whoever sends Upgrade names it in Connection.
    case(b"GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(426, "")], &["upgrade: h2c", "connection: upgrade"]),
    // Handlers that err.
    case(b"GET /error HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(409, "409 Conflict: Not so.\n")], &[TEXT]),
    case(b"GET /failure HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[FAILED], &[TEXT]),
    case(b"GET /timer HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "after a timer")], &[]),
];

/// RFC 9112 §9.3 and §9.6.
#[rustfmt::skip]
static CONNECTIONS: &[Case] = &[
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection:\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: closed, x-close, \"close\"\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: TE,,Keep-Alive\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\nKeep-Alive: timeout=1\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nconnection: keep-alive , \t Close\t\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: ,, close ,\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX: y\r\nConnection: x, close\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSES, &[(426, "")], &["upgrade: h2c"]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", CLOSES, &[(200, "abc")], &["connection: close"]),
    case(b"GET /stream/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSES, &[(200, "\0\u{1}\u{2}")], &["transfer-encoding: chunked"]),
    case(b"GET /none/such HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSES, &[(404, "404 Not Found\n")], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.0\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: x\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", STAYS, &[HELLO], &["connection: keep-alive"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: Keep-Alive, x\r\n\r\n", STAYS, &[HELLO], &["connection: keep-alive"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: x\r\nConnection: ,keep-alive\r\n\r\n", STAYS, &[HELLO], &["connection: keep-alive"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", CLOSES, &[HELLO], &["connection: close"]),
    // RFC 9112 §6.1: no chunks for HTTP/1.0, so the end of the connection ends the content.
    case(b"GET /stream/3 HTTP/1.0\r\n\r\n", CLOSES, &[(200, "\0\u{1}\u{2}")], &["!transfer-encoding", "!content-length"]),
    case(b"GET /stream/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", CLOSES, &[(200, "\0\u{1}\u{2}")], &["!transfer-encoding", "!content-length"]),
    case(b"GET /known/3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", STAYS, &[(200, "\0\u{1}\u{2}")], &["content-length: 3"]),
];

/// RFC 9110 §10.1.1, without those cases in which it is seen who speaks first.
#[rustfmt::skip]
static EXPECTATIONS: &[Case] = &[
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", STAYS, &[HELLO], &[]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", STAYS, &[(200, "")], &[]),
    case(b"POST /collect HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", CLOSES, &[(200, "abc")], &[]),
    case(b"POST /collect HTTP/1.0\r\nContent-Length: 3\r\nExpect: magic\r\n\r\nabc", CLOSES, &[(200, "abc")], &[]),
    case(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", CLOSES, &[(200, "ignored")], &["connection: close"]),
    case(b"POST /none/such HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n", CLOSES, &[(404, "404 Not Found\n")], &["connection: close"]),
    case(b"POST /plaintext HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", CLOSES, &[(405, "405 Method Not Allowed\n")], &["connection: close"]),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: magic\r\n\r\n", R::EXPECTATION),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue, magic\r\n\r\n", R::EXPECTATION),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue=1\r\n\r\n", R::EXPECTATION),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", R::EXPECTATION),
    refused(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", R::EXPECTATION),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n", R::BODY_TOO_LARGE),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nExpect: 100-continue\r\n\r\n", R::LENGTH_INVALID),
];

#[test]
fn content() {
    assert_all(CONTENT);
    assert_all_cut(CONTENT);
}

#[test]
fn connections() {
    assert_all(CONNECTIONS);
    assert_all_cut(CONNECTIONS);
}

#[test]
fn expectations() {
    assert_all(EXPECTATIONS);
}

#[test]
fn all_that_stay_on_one_connection_in_one_write() {
    let tables = [CONTENT, CONNECTIONS, EXPECTATIONS];
    let all = tables.into_iter().flatten();
    assert_all_in_a_row(&all.filter(|case| case.fate == STAYS).collect::<Vec<_>>());
}
