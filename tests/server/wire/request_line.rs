//! The first line of a request: methods, targets in their four forms, versions, and bytes that
//! begin another protocol.

use crate::cases::{CLOSES, Case, STAYS, assert_all, assert_all_cut, case, refused};
use corelane::http::Refusal as R;

const NOT_ALLOWED: (u16, &str) = (405, "405 Method Not Allowed\n");
const NOT_IMPLEMENTED: (u16, &str) = (501, "501 Not Implemented\n");
const HELLO: (u16, &str) = (200, "Hello, World!");

#[rustfmt::skip]
static METHODS: &[Case] = &[
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &["content-length: 13"]),
    case(b"POST /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"PUT /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"DELETE /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"PATCH /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"TRACE /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"BREW /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: OPTIONS, POST"]),
    case(b"OPTIONS /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["allow: GET, HEAD, OPTIONS", "!content-length"]),
    // Known nowhere.
    case(b"TRACE /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    case(b"BREW /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    case(b"!#$%&'*+-.^_`|~09azAZ /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    case(b"AS-LONG-AS-NO-OTHER-METHOD-IS /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    // RFC 9110 §9.1: case matters.
    case(b"get /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_ALLOWED], &["allow: GET, HEAD, OPTIONS"]),
    case(b"Get /none/such HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    // Content has no say in what the method is.
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[HELLO], &[]),
    case(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[HELLO], &["content-length: 13"]),
    case(b"OPTIONS /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[(204, "")], &[]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: DELETE\r\n\r\n", STAYS, &[HELLO], &[]),
    refused(b" GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"\tGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G\0T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G\tT /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G\x0bT /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G/T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G:T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"\"GET\" /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"G\xc9T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"\xef\xbb\xbfGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
];

/// White space and order within the line (RFC 9112 §3).
#[rustfmt::skip]
static LINES: &[Case] = &[
    refused(b"GET\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET \r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET  /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext  HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext HTTP/1.1 \r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plain text HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET\t/plaintext\tHTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET\x0b/plaintext\x0bHTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext\x0cHTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"HTTP/1.1 200 OK\r\nHost: a\r\n\r\n", R::METHOD),
    // RFC 9112 §2.2: one empty line before the request line is ignored.
    case(b"\r\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &[]),
    case(b"\r\nHEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &[]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n", STAYS, &[(200, "abc")], &[]),
    refused(b"\r\n\r\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::EMPTY_LINES),
    refused(b"\r\n GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
];

#[rustfmt::skip]
static TARGETS: &[Case] = &[
    // Origin-form.
    case(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, Anonymous")], &[]),
    case(b"GET /? HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, Anonymous")], &[]),
    case(b"GET /b?c=d/e?f HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, b")], &[]),
    case(b"GET /%62 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, b")], &[]),
    case(b"GET /J%C3%B6rg?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, J\u{f6}rg")], &["content-type: text/plain; charset=utf-8"]),
    case(b"GET /~!$&'()*+,;=:@ HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, ~!$&'()*+,;=:@")], &[]),
    case(b"GET /http:%2F%2Fb HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, http://b")], &[]),
    case(b"GET /%FF HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(400, "400 Bad Request: The path is not UTF-8 text.\n")], &[]),
    // Absolute-form: the host is the target's, whatever Host says.
    case(b"GET /host HTTP/1.1\r\nHost: a:1\r\n\r\n", STAYS, &[(200, "a:1")], &[]),
    case(b"GET http://b/host HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "b")], &[]),
    case(b"GET HTTP://b:80/host HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "b:80")], &[]),
    case(b"GET http://[::1]:8/host?q HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "[::1]:8")], &[]),
    case(b"GET http://b/host HTTP/1.0\r\n\r\n", CLOSES, &[(200, "b")], &[]),
    case(b"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, Anonymous")], &[]),
    case(b"GET http://b?c HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "Hello, Anonymous")], &[]),
    refused(b"GET http://b/host HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"GET http://b/host HTTP/1.1\r\nHost: a/b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET https://b/host HTTP/1.1\r\nHost: b\r\n\r\n", R::HTTPS_UNSECURED),
    refused(b"GET ftp://b/host HTTP/1.1\r\nHost: b\r\n\r\n", R::SCHEME),
    refused(b"GET file:///host HTTP/1.1\r\nHost: b\r\n\r\n", R::SCHEME),
    refused(b"GET http:///host HTTP/1.1\r\nHost: b\r\n\r\n", R::AUTHORITY),
    refused(b"GET http://:80/host HTTP/1.1\r\nHost: b\r\n\r\n", R::AUTHORITY),
    refused(b"GET http://u:p@b/host HTTP/1.1\r\nHost: b\r\n\r\n", R::AUTHORITY),
    refused(b"GET http://b:65536/host HTTP/1.1\r\nHost: b\r\n\r\n", R::AUTHORITY),
    refused(b"GET http://b\\c/host HTTP/1.1\r\nHost: b\r\n\r\n", R::AUTHORITY),
    refused(b"GET http:/b/host HTTP/1.1\r\nHost: b\r\n\r\n", R::TARGET_FORM),
    refused(b"GET //\r\nHost: b\r\n\r\n", R::REQUEST_LINE),
    // Authority-form: CONNECT alone, and with a port.
    case(b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    case(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[NOT_IMPLEMENTED], &[]),
    refused(b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT a:99999 HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT a:http HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT u@a:80 HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"CONNECT http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"OPTIONS a:80 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    // Asterisk-form: OPTIONS alone.
    case(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["allow: GET, HEAD, OPTIONS, POST", "!content-length", "!transfer-encoding"]),
    case(b"OPTIONS * HTTP/1.0\r\n\r\n", CLOSES, &[(204, "")], &[]),
    case(b"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["allow: GET, HEAD, OPTIONS, POST"]),
    case(b"OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(204, "")], &["allow: GET, HEAD, OPTIONS"]),
    refused(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"HEAD * HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"CONNECT * HTTP/1.1\r\nHost: a\r\n\r\n", R::AUTHORITY),
    refused(b"OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    // None of the four.
    refused(b"GET plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    refused(b"GET #a HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET_FORM),
    // Octets that no target has.
    refused(b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /\"a\" HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /<a> HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /\xc3\xb6 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /?\xc3\xb6 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /% HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /%4g HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
    refused(b"GET /%u0041 HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET),
];

#[rustfmt::skip]
static VERSIONS: &[Case] = &[
    case(b"GET /plaintext HTTP/1.0\r\n\r\n", CLOSES, &[HELLO], &["content-length: 13"]),
    case(b"GET /plaintext HTTP/1.0\r\nHost: a\r\n\r\n", CLOSES, &[HELLO], &[]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &[]),
    // RFC 9110 §6.2: a higher minor version is the highest that we know.
    case(b"GET /plaintext HTTP/1.2\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"GET /plaintext HTTP/1.9\r\nHost: a\r\n\r\n", STAYS, &[HELLO], &["!connection"]),
    case(b"POST /echo HTTP/1.9\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", STAYS, &[(200, "x")], &["transfer-encoding: chunked"]),
    refused(b"GET /plaintext HTTP/1.9\r\n\r\n", R::HOST_MISSING),
    refused(b"GET /plaintext HTTP/0.9\r\nHost: a\r\n\r\n", R::VERSION),
    refused(b"GET /plaintext HTTP/2.0\r\nHost: a\r\n\r\n", R::VERSION),
    refused(b"GET /plaintext HTTP/3.1\r\nHost: a\r\n\r\n", R::VERSION),
    refused(b"GET /plaintext HTTP/9.9\r\nHost: a\r\n\r\n", R::VERSION),
    refused(b"GET /plaintext HTTP/1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP/1.\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP/1.10\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP/01.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP/1.1a\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP/1,1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTP 1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext HTTP/+1.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext http/1.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext HTTPS/1.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext XTTP/1.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"GET /plaintext RTSP/1.0\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
];

#[rustfmt::skip]
static OTHER_PROTOCOLS: &[Case] = &[
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", R::HTTP2_PREFACE),
    refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", R::TLS_HELLO),
    refused(b"\x80\x2e\x01\x00\x02\r\n", R::REQUEST_LINE),
    refused(b"SSH-2.0-OpenSSH_9.9\r\n", R::REQUEST_LINE),
    refused(b"EHLO a\r\n", R::REQUEST_LINE),
    refused(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n", R::REQUEST_LINE),
    refused(b"\r\n\r\n\0\r\nQUIT\n", R::EMPTY_LINES),
    refused(b"*1\r\n$4\r\nPING\r\n", R::REQUEST_LINE),
    refused(b"\0\0\0\0\n", R::BARE_LF),
];

#[test]
fn methods() {
    assert_all(METHODS);
}

#[test]
fn lines() {
    assert_all(LINES);
    assert_all_cut(LINES);
}

#[test]
fn targets() {
    assert_all(TARGETS);
}

#[test]
fn versions() {
    assert_all(VERSIONS);
}

#[test]
fn other_protocols() {
    assert_all(OTHER_PROTOCOLS);
}
