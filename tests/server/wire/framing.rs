//! Where a request's body ends: lengths, codings, chunks, and bodies that nobody reads.

use crate::cases::{BREAKS, CLOSES, Case, STAYS, assert_all, assert_all_cut, case, refused};
use corelane::http::Refusal as R;

const ABC: (u16, &str) = (200, "abc");
const EMPTY: (u16, &str) = (200, "");

#[rustfmt::skip]
static LENGTHS: &[Case] = &[
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\n\r\n", STAYS, &[EMPTY], &["content-length: 0"]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", STAYS, &[EMPTY], &[]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[ABC], &["content-length: 3"]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\ncontent-length:\t 3 \t\r\n\r\nabc", STAYS, &[ABC], &[]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc", STAYS, &[ABC], &[]),
    case(b"POST /collect HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", CLOSES, &[ABC], &[]),
    case(b"POST /collect HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc", STAYS, &[ABC], &["connection: keep-alive"]),
    // RFC 9110 §8.6: the same length twice may be taken for one.
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", STAYS, &[ABC], &[]),
    // RFC 9112 §6.3: without a length there is no body, so what follows is the next request.
    case(b"POST /collect HTTP/1.0\r\n\r\n", CLOSES, &[EMPTY], &[]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nX-Content-Length: 9\r\nContent_Length: 9\r\n\r\n", STAYS, &[EMPTY], &[]),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: \t\r\n\r\n", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3e0\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3_0\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3 3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3a\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: \"3\"\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3;a=b\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3,\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa3\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551619\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 340282366920938463463374607431768211459\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", R::LENGTH_INVALID),
    refused(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", R::LENGTHS_DIFFER),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX: y\r\ncontent-length: 0\r\n\r\nabc", R::LENGTHS_DIFFER),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length:\r\n\r\nabc", R::LENGTH_INVALID),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", R::BODY_TOO_LARGE),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n", R::BODY_TOO_LARGE),
    refused(b"HEAD /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n", R::BODY_TOO_LARGE),
];

#[rustfmt::skip]
static CODINGS: &[Case] = &[
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", STAYS, &[ABC], &["content-length: 3"]),
    case(b"POST /collect HTTP/1.1\r\nHost: a\r\ntransfer-encoding:\t CHUNKED \t\r\n\r\n3\r\nabc\r\n0\r\n\r\n", STAYS, &[ABC], &[]),
    case(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", STAYS, &[(200, "Hello, World!")], &[]),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunk\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip, chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x;y=\", chunked\"\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", R::FIELD_VALUE),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", R::FIELD_VALUE),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\xff\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", R::CODING_UNKNOWN),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R::CODING_UNKNOWN),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", R::CODING_UNKNOWN),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R::LENGTH_AND_CODING),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", R::LENGTH_AND_CODING),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", R::LENGTH_AND_CODING),
    refused(b"POST /collect HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R::CODING_IN_HTTP_10),
    refused(b"POST /collect HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", R::CODING_IN_HTTP_10),
    refused(b"GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: identity\r\n\r\n", R::CODING_IN_HTTP_10),
];

/// A chunked request for `/collect` with this body.
macro_rules! chunked {
    ($body:literal) => {
        concat!(
            "POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            $body
        )
        .as_bytes()
    };
}

#[rustfmt::skip]
static CHUNKS: &[Case] = &[
    case(chunked!("0\r\n\r\n"), STAYS, &[EMPTY], &[]),
    case(chunked!("000\r\n\r\n"), STAYS, &[EMPTY], &[]),
    case(chunked!("1\r\na\r\n02\r\nbc\r\n0\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("A\r\n0123456789\r\nb\r\n0123456789\n\r\n0\r\n\r\n"), STAYS, &[(200, "01234567890123456789\n")], &[]),
    case(chunked!("00000000000000000003\r\nabc\r\n0\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), STAYS, &[(200, "0\r\n\r\n")], &[]),
    // RFC 9112 §7.1.1: unknown extensions are ignored, with the white space that the grammar allows.
    case(chunked!("3;x\r\nabc\r\n0;y\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("3;x=y;z=\"a;\\\"\\\\b\"\r\nabc\r\n0\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("3 \t;\tx = y ; z\t=\t\"\"\r\nabc\r\n0\r\n\r\n"), STAYS, &[ABC], &[]),
    refused(chunked!("\r\n"), R::CHUNK_SIZE),
    refused(chunked!("x\r\n"), R::CHUNK_SIZE),
    refused(chunked!("0x3\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("+3\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("-1\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3_0\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!(" 3\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3 \r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3\t\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3 0\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3,3\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3\0\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!(";x\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("10000000000000003\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("fffffffffffffffff\r\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), R::BODY_TOO_LARGE),
    refused(chunked!("80000000\r\nabc\r\n0\r\n\r\n"), R::BODY_TOO_LARGE),
    // Line ends.
    refused(chunked!("3\nabc\r\n0\r\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("3\r\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3\rabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3\r\nabc\n0\r\n\r\n"), R::CHUNK_END),
    refused(chunked!("3\r\nabc\r0\r\n\r\n"), R::CHUNK_END),
    refused(chunked!("3\r\nabc0\r\n\r\n"), R::CHUNK_END),
    refused(chunked!("3\r\nabcd\r\n0\r\n\r\n"), R::CHUNK_END),
    refused(chunked!("3\r\nabcXX0\r\n\r\n"), R::CHUNK_END),
    refused(chunked!("0\n\r\n"), R::CHUNK_SIZE),
    refused(chunked!("0\r\n\n"), R::TRAILER),
    refused(chunked!("0\r\n\rX"), R::TRAILER),
    // Extensions.
    refused(chunked!("3;\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;;x\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x\rabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x=\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x=\"y\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x=\"y\nz\"\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x=\"y\"z\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x=y z\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
    refused(chunked!("3;x\0\r\nabc\r\n0\r\n\r\n"), R::CHUNK_EXTENSION),
];

#[rustfmt::skip]
static TRAILERS: &[Case] = &[
    case(chunked!("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("3\r\nabc\r\n0\r\nX:\r\nY: \t z\t\r\nX: w\r\n\r\n"), STAYS, &[ABC], &[]),
    // RFC 9110 §6.5.1: nothing in a trailer frames, routes or authorises.
    case(chunked!("3\r\nabc\r\n0\r\nContent-Length: 30\r\nTransfer-Encoding: gzip\r\n\r\n"), STAYS, &[ABC], &[]),
    case(chunked!("3\r\nabc\r\n0\r\nHost: b\r\nConnection: close\r\nExpect: x\r\n\r\n"), STAYS, &[ABC], &["!connection"]),
    case(b"POST /names HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\nAuthorization: z\r\n\r\n", STAYS, &[(200, "Host,Trailer,Transfer-Encoding")], &[]),
    refused(chunked!("0\r\nX : y\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\n X: y\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nX: y\r\n z\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nX\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\n: y\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nX: y\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nX: y\rz\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nX: y\0\r\n\r\n"), R::TRAILER),
    refused(chunked!("0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), R::TRAILER),
];

/// Bodies that the handler leaves alone, or reads in part (RFC 9112 §9.3).
#[rustfmt::skip]
static UNREAD: &[Case] = &[
    case(b"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx", STAYS, &[(200, "ignored")], &[]),
    case(b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx", STAYS, &[(200, "had some")], &[]),
    case(b"POST /none/such HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx", STAYS, &[(404, "404 Not Found\n")], &[]),
    case(b"DELETE /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx", STAYS, &[(405, "405 Method Not Allowed\n")], &[]),
    case(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx", STAYS, &[(501, "501 Not Implemented\n")], &[]),
    case(b"POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", STAYS, &[(200, "ignored")], &[]),
    case(b"POST /none/such HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", BREAKS, &[(404, "404 Not Found\n")], &[]),
];

#[test]
fn lengths() {
    assert_all(LENGTHS);
}

#[test]
fn codings() {
    assert_all(CODINGS);
}

#[test]
fn chunks() {
    assert_all(CHUNKS);
    assert_all_cut(CHUNKS);
}

#[test]
fn trailers() {
    assert_all(TRAILERS);
    assert_all_cut(TRAILERS);
}

#[test]
fn bodies_that_are_not_read() {
    assert_all(UNREAD);
    assert_all_cut(UNREAD);
}
