//! Field lines: how they end, what names and values are, and the rules of Host.

use crate::cases::{CLOSES, Case, STAYS, assert_all, assert_all_cut, case, refused};
use corelane::http::Refusal as R;

const HELLO: (u16, &str) = (200, "Hello, World!");

/// RFC 9112 §2.2: CR LF ends a line, and neither octet is anything else.
#[rustfmt::skip]
static LINE_ENDS: &[Case] = &[
    refused(b"GET /plaintext HTTP/1.1\nHost: a\r\n\r\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\n\r\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\nHost: a\n\n", R::BARE_LF),
    refused(b"\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\r\nX: a\nHost: a\r\n\r\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: a\n\tb\r\n\r\n", R::BARE_LF),
    refused(b"GET /plaintext HTTP/1.1\rHost: a\r\n\r\n", R::REQUEST_LINE),
    refused(b"GET /plaintext HTTP/1.1\r\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX),
    refused(b"\rGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", R::METHOD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\r\n", R::FIELD_NAME),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX\r: b\r\n\r\n", R::FIELD_NAME),
    // RFC 9112 §2.2 and §5.2: no line begins with white space.
    refused(b"GET /plaintext HTTP/1.1\r\n Host: a\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\n\tX: b\r\nHost: a\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\n \r\nHost: a\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX:\r\n b\r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nX: b\r\n \r\n\r\n", R::OBS_FOLD),
    refused(b"GET /plaintext HTTP/1.1\r\nHost:\r\n a\r\n\r\n", R::OBS_FOLD),
];

#[rustfmt::skip]
static NAMES: &[Case] = &[
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n", STAYS, &[(200, "[b]")], &[]),
    case(b"GET /x HTTP/1.1\r\nhOsT: a\r\nx: b\r\n\r\n", STAYS, &[(200, "[b]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: b\r\n\r\n", STAYS, &[(200, "[]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX_X: b\r\n\r\n", STAYS, &[(200, "[]")], &[]),
    // RFC 9110 §5.1: whatever is not known is ignored.
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nClose: x\r\nTE: trailers\r\nDate: never\r\n\r\n", STAYS, &[(200, "[]")], &["!connection"]),
    refused(b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n", R::SPACE_BEFORE_COLON),
    refused(b"GET /x HTTP/1.1\r\nHost\t: a\r\n\r\n", R::SPACE_BEFORE_COLON),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", R::SPACE_BEFORE_COLON),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX \t : b\r\n\r\n", R::SPACE_BEFORE_COLON),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX\x0b: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\n\0X: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\n:\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX=b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\n\"X\": b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX@Y: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX\xc3\xb6: b\r\n\r\n", R::FIELD_NAME),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nGET /smuggled HTTP/1.1\r\n\r\n", R::FIELD_NAME),
];

#[rustfmt::skip]
static VALUES: &[Case] = &[
    // RFC 9110 §5.5: white space around a value is none of it.
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n", STAYS, &[(200, "[]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: \t \r\n\r\n", STAYS, &[(200, "[]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX:b\r\n\r\n", STAYS, &[(200, "[b]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: \t b \t c\t \r\n\r\n", STAYS, &[(200, "[b \t c]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: a:b::c\r\n\r\n", STAYS, &[(200, "[a:b::c]")], &[]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: \xc3\xb6\r\n\r\n", STAYS, &[(200, "[\u{f6}]")], &[]),
    case(b"GET /json HTTP/1.1\r\nHost: a\r\nX: \x80 \xff\r\n\r\n", STAYS, &[(200, "{\"message\":\"Hello, World!\"}")], &["content-type: application/json"]),
    case(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\r\nX: c\r\n\r\n", STAYS, &[(200, "[b]")], &[]),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\x0bc\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\x0cc\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: \x1b[0m\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", R::FIELD_VALUE),
    refused(b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\x08\r\n\r\n", R::FIELD_VALUE),
];

#[rustfmt::skip]
static HOSTS: &[Case] = &[
    case(b"GET /host HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[(200, "a")], &[]),
    case(b"GET /host HTTP/1.1\r\nHost: \t a.b:80\t \r\n\r\n", STAYS, &[(200, "a.b:80")], &[]),
    case(b"GET /host HTTP/1.1\r\nHost: a:\r\n\r\n", STAYS, &[(200, "a:")], &[]),
    case(b"GET /host HTTP/1.1\r\nHost: 127.0.0.1:65535\r\n\r\n", STAYS, &[(200, "127.0.0.1:65535")], &[]),
    case(b"GET /host HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:1\r\n\r\n", STAYS, &[(200, "[::ffff:1.2.3.4]:1")], &[]),
    case(b"GET /host HTTP/1.1\r\nHost: x_y%41~\r\n\r\n", STAYS, &[(200, "x_y%41~")], &[]),
    case(b"GET /host HTTP/1.1\r\nX: y\r\nAccept: */*\r\nHost: a\r\n\r\n", STAYS, &[(200, "a")], &[]),
    case(b"GET /host HTTP/1.0\r\n\r\n", CLOSES, &[(200, "no host")], &[]),
    case(b"GET /host HTTP/1.0\r\nHost: a\r\n\r\n", CLOSES, &[(200, "a")], &[]),
    refused(b"GET /host HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"GET /host HTTP/1.1\r\nX-Host: a\r\n\r\n", R::HOST_MISSING),
    refused(b"OPTIONS * HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"HEAD /host HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"CONNECT a:80 HTTP/1.1\r\n\r\n", R::HOST_MISSING),
    refused(b"GET /host HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", R::HOST_REPEATED),
    refused(b"GET /host HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", R::HOST_REPEATED),
    refused(b"GET /host HTTP/1.0\r\nHost: a\r\nX: y\r\nHOST: b\r\n\r\n", R::HOST_REPEATED),
    refused(b"GET http://a/host HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", R::HOST_REPEATED),
    refused(b"GET /host HTTP/1.1\r\nHost:\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.0\r\nHost: \t\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a, b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: u@a\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: http://a\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a/b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a?b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a#b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a\\b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: :80\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a:b\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a:-1\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a:1:2\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: a:65536\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: ::1\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: [::1\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: [::1%25eth0]\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: %zz\r\n\r\n", R::HOST_INVALID),
    refused(b"GET /host HTTP/1.1\r\nHost: \xc3\xb6\r\n\r\n", R::HOST_INVALID),
];

/// Fields that ask for what a server may leave alone, and this one does.
#[rustfmt::skip]
static LEFT_ALONE: &[Case] = &[
    // RFC 9110 §7.8: a server may stay with HTTP/1.1, and in HTTP/1.0 must.
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", STAYS, &[HELLO], &["!upgrade"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", STAYS, &[HELLO], &["!upgrade"]),
    case(b"GET /plaintext HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", CLOSES, &[HELLO], &["!upgrade"]),
    // RFC 9110 §14.2, §14.4 and §13.1.5: ranges are optional, and If-Range needs them.
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nRange: bytes=0-4\r\n\r\n", STAYS, &[HELLO], &["!content-range"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nRange: lines=1-2\r\nIf-Range: \"x\"\r\n\r\n", STAYS, &[HELLO], &["!content-range"]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nIf-Range: \"x\"\r\n\r\n", STAYS, &[HELLO], &[]),
    case(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\nRange: bytes=0-4\r\n\r\n", STAYS, &[HELLO], &["content-length: 13"]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[(200, "abc")], &["!content-range"]),
    // RFC 9110 §13.2.1: conditions mean nothing where nothing is selected.
    case(b"OPTIONS /plaintext HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", STAYS, &[(204, "")], &[]),
    case(b"GET /none/such HTTP/1.1\r\nHost: a\r\nIf-Match: *\r\n\r\n", STAYS, &[(404, "404 Not Found\n")], &[]),
    case(b"BREW /plaintext HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n", STAYS, &[(405, "405 Method Not Allowed\n")], &["allow: GET, HEAD, OPTIONS"]),
    case(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", STAYS, &[(204, "")], &[]),
];

#[test]
fn line_ends() {
    assert_all(LINE_ENDS);
    assert_all_cut(LINE_ENDS);
}

#[test]
fn names() {
    assert_all(NAMES);
}

#[test]
fn values() {
    assert_all(VALUES);
}

#[test]
fn hosts() {
    assert_all(HOSTS);
}

#[test]
fn what_may_be_left_alone() {
    assert_all(LEFT_ALONE);
}
