//! What has let requests be smuggled past other servers and proxies, and what is made of it here.
//!
//! Each case is named after the CVE and the product. It is refused for what is wrong with it, or
//! read in the one way that the RFCs leave; a request for `/smuggled` that only a wrong reading
//! finds is never answered. Bytes are those of the advisory where it shows any, else the plainest
//! that have the fault it names.

use super::app::Served;
use super::cases::{BREAKS, CLOSES, Case, STAYS, assert_all, read, refused};
use super::support::Client;
use corelane::http::Refusal as R;

/// A request that only a wrong reading finds.
macro_rules! smuggled {
    () => {
        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    };
}

/// A request for `/collect` with these fields, and what follows its head.
macro_rules! post {
    ($fields:literal, $($after:expr),*) => {
        concat!("POST /collect HTTP/1.1\r\nHost: a\r\n", $fields, "\r\n", $($after),*).as_bytes()
    };
}

/// The same in chunks.
macro_rules! chunked {
    ($($body:expr),*) => {
        post!("Transfer-Encoding: chunked\r\n", $($body),*)
    };
}

/// A request without content and with these fields, and what follows its head.
macro_rules! get {
    ($fields:literal, $($after:expr),*) => {
        concat!("GET /plaintext HTTP/1.1\r\n", $fields, "\r\n", $($after),*).as_bytes()
    };
}

const ABC: &[(u16, &str)] = &[(200, "abc")];
/// Content that looks like a request, as the handler that collects it gives it back.
const AS_CONTENT: &[(u16, &str)] = &[(200, smuggled!())];

/// Lengths: one number in digits, or no request.
#[rustfmt::skip]
static LENGTHS: &[Case] = &[
    refused(post!("Content-Length: +3\r\n", "abc", smuggled!()), R::LENGTH_INVALID).titled("CVE-2021-32715 hyper: a plus sign"),
    refused(post!("Content-Length: +0\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2023-40167 Jetty: a plus sign"),
    refused(post!("Content-Length: 0x23\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2023-38697 protocol-http1 (Falcon): hexadecimal"),
    refused(post!("Content-Length: 3_5\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2023-47627 aiohttp: digits that only int() reads"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa3\xd9\xa5\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::LENGTH_INVALID).titled("CVE-2025-69224 aiohttp: digits of another script"),
    refused(post!("Content-Length: -1\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2022-24761 waitress: a minus sign"),
    refused(post!("Content-Length: 3x\r\n", "abc", smuggled!()), R::LENGTH_INVALID).titled("CVE-2022-42252 Tomcat: an invalid length"),
    refused(post!("Content-Length: abc\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2021-32565 Apache Traffic Server: an invalid length"),
    refused(post!("Content-Length:\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2023-40225 HAProxy: an empty length"),
    refused(post!("Content-Length: \r\nContent-Length: 35\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2023-40175 Puma: an empty length"),
    refused(post!("Content-Length: 3 5\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2018-7159 Node: a space among the digits"),
    refused(post!("Content-Length: 18446744073709551651\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2014-0099 Tomcat: a length beyond 64 bits"),
    refused(post!("Content-Length: \"35\"\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2020-15049 Squid: more than digits"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: \x0b35\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::FIELD_VALUE).titled("CVE-2020-15049 Squid: white space that is none"),
    refused(post!("Content-Length: 0\r\nContent-Length: 35\r\n", smuggled!()), R::LENGTHS_DIFFER).titled("CVE-2005-2090 Tomcat: two lengths"),
    refused(post!("Content-Length: 35\r\nContent-Length: 0\r\n", smuggled!()), R::LENGTHS_DIFFER).titled("CVE-2015-5740 Go net/http: two lengths"),
    refused(post!("Content-Length: 3\r\nContent-Length: 38\r\n", "abc", smuggled!()), R::LENGTHS_DIFFER).titled("CVE-2019-16792 waitress: two lengths"),
    refused(post!("Content-Length: 0\r\nX: y\r\ncontent-length: 35\r\n", smuggled!()), R::LENGTHS_DIFFER).titled("CVE-2020-10108 Twisted: two lengths"),
    refused(post!("Content-Length: 0\r\nContent-Length: 35\r\n", smuggled!()), R::LENGTHS_DIFFER).titled("CVE-2017-7658 Jetty: two lengths"),
    refused(post!("Content-Length: 0, 35\r\n", smuggled!()), R::LENGTH_INVALID).titled("CVE-2018-8004 Apache Traffic Server: two lengths in a line"),
    refused(post!("Content Length: 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2015-5739 Go net/http: a space for the hyphen"),
    refused(post!("Content\rLength: 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2020-8201 Node: CR for the hyphen"),
    read(post!("Content_Length: 35\r\n", smuggled!()), STAYS, &[(200, ""), (200, "Hello, smuggled")]).titled("CVE-2024-45614 Puma: an underscore for the hyphen is another name"),
    read(post!("Content-Length: 35\r\n", smuggled!()), STAYS, AS_CONTENT).titled("CVE-2020-35863 hyper: content of any method is content"),
    read(get!("Host: a\r\nContent-Length: 35\r\n", smuggled!()), STAYS, &[(200, "Hello, World!")]).titled("CVE-2020-35863 hyper: content of GET is content"),
];

/// Both framings at once.
#[rustfmt::skip]
static LENGTH_AND_CODING: &[Case] = &[
    refused(post!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2005-2088 Apache httpd"),
    refused(post!("Transfer-Encoding: chunked\r\nContent-Length: 40\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2013-4286 Tomcat"),
    refused(post!("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2015-5741 Go net/http"),
    refused(post!("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2019-20445 Netty"),
    refused(post!("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2020-1944 Apache Traffic Server"),
    refused(post!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "23\r\n", smuggled!(), "\r\n0\r\n\r\n"), R::LENGTH_AND_CODING).titled("CVE-2020-10109 Twisted"),
    refused(post!("Content-Length: 40\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2021-38512 actix-http"),
    refused(post!("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2023-47641 aiohttp"),
    refused(post!("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2024-47220 WEBrick"),
    refused(post!("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", "0\r\n\r\nX", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2024-6827 gunicorn"),
    refused(post!("Transfer-Encoding: x\r\nContent-Length: 0\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2024-1135 gunicorn: a coding that is not known does not give way to the length"),
    refused(post!("Content-Length: 0\r\nTransfer-Encoding: identity\r\n", smuggled!()), R::LENGTH_AND_CODING).titled("CVE-2021-33037 Tomcat: identity does not give way to the length"),
];

/// Transfer codings: `chunked` once and last, however it is disguised.
#[rustfmt::skip]
static CODINGS: &[Case] = &[
    refused(post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2021-21299 hyper: two lines"),
    refused(post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked-false\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2020-8287 Node: two lines"),
    refused(post!("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::CODING_UNKNOWN).titled("CVE-2026-2835 Pingora: two lines"),
    refused(concat!("POST /collect HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", smuggled!()).as_bytes(), R::CODING_IN_HTTP_10).titled("CVE-2026-2835 Pingora: in HTTP/1.0"),
    refused(concat!("POST /collect HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", smuggled!()).as_bytes(), R::CODING_IN_HTTP_10).titled("CVE-2021-33037 Tomcat: in HTTP/1.0"),
    refused(post!("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2021-33037 Tomcat: chunked is not last"),
    refused(post!("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2022-32213 Node: a longer word"),
    refused(post!("Transfer-Encoding: chunked;x=y\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2019-15605 Node: a malformed field"),
    refused(post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n", smuggled!()), R::OBS_FOLD).titled("CVE-2022-32215 Node: over two lines"),
    refused(post!("Transfer-Encoding: chunked\nX: y\r\n", "0\r\n\r\n", smuggled!()), R::BARE_LF).titled("CVE-2022-35256 Node: a line that CR LF does not end"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", R::FIELD_VALUE).titled("CVE-2019-18277 HAProxy: a vertical tab"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0cchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", R::FIELD_VALUE).titled("CVE-2019-16789 waitress: white space that is none"),
    refused(post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", smuggled!()), R::CODING_UNKNOWN).titled("CVE-2019-16786 waitress: a list"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", R::FIELD_VALUE).titled("CVE-2020-11076 Puma: an invalid coding"),
    refused(post!("Transfer-Encoding: gzip\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2022-24790 Puma: no chunked at all"),
    refused(post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2020-15811 Squid: quoted"),
    refused(post!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2020-25613 WEBrick: a longer word"),
    refused(post!("Transfer-Encoding: cow\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2020-35884 tiny_http: an invalid coding"),
    refused(post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2020-35884 tiny_http: two lines"),
    refused(post!("Transfer-Encoding: identity\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2019-17569 Tomcat: an invalid coding"),
    refused(post!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", smuggled!()), R::CODING_NOT_CHUNKED).titled("CVE-2021-38512 actix-http: chunked twice"),
    read(post!("Transfer-Encoding: CHUNKED\r\n", "23\r\n", smuggled!(), "\r\n0\r\n\r\n"), STAYS, AS_CONTENT).titled("CVE-2026-23527 h3: in capitals"),
];

/// Sizes of chunks.
#[rustfmt::skip]
static CHUNK_SIZES: &[Case] = &[
    refused(chunked!("f0000000000000003\r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2021-32714 hyper: beyond 64 bits"),
    refused(chunked!("10000000000000000\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2017-7657 Jetty: beyond 64 bits"),
    refused(chunked!("100000000\r\nabc\r\n0\r\n\r\n", smuggled!()), R::BODY_TOO_LARGE).titled("CVE-2017-7657 Jetty: beyond 32 bits"),
    refused(chunked!("100000000\r\n", smuggled!()), R::BODY_TOO_LARGE).titled("CVE-2020-10719 undertow: a large size"),
    refused(chunked!("ffffffffffffffff\r\n", smuggled!()), R::BODY_TOO_LARGE).titled("CVE-2013-2028 nginx: a size that is negative when signed"),
    refused(chunked!("7fffffffffffffff\r\n", smuggled!()), R::BODY_TOO_LARGE).titled("CVE-2014-0075 Tomcat: a size that overflows a sum"),
    refused(chunked!("-1\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2015-3183 Apache httpd: a sign"),
    refused(chunked!("3 x\r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2015-3183 Apache httpd: more than a size"),
    refused(chunked!("0x3\r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2022-24761 waitress: a prefix"),
    refused(chunked!("+3\r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2022-24801 Twisted: a sign"),
    refused(chunked!("0x23\r\n", smuggled!(), "\r\n0\r\n\r\n"), R::CHUNK_SIZE).titled("CVE-2023-38697 protocol-http1 (Falcon): a prefix"),
    refused(chunked!("3 \r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2023-46846 Squid: white space behind the size"),
    refused(chunked!("x\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2014-0227 Tomcat: nothing is read on after an error"),
    refused(chunked!("g\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2024-53868 Apache Traffic Server: a malformed size"),
    refused(chunked!("\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2019-17565 Apache Traffic Server: no size"),
    refused(chunked!("3_5\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2023-47627 aiohttp: digits that only int() reads"),
];

/// Ends of chunk lines and of chunks, and extensions.
#[rustfmt::skip]
static CHUNK_LINES: &[Case] = &[
    refused(chunked!("3\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_SIZE).titled("CVE-2025-22871 Go net/http: LF ends no size"),
    refused(chunked!("3;\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2025-22871 Go net/http: LF ends no extension"),
    refused(chunked!("2;\nxx\r\n23\r\n0\r\n\r\n", smuggled!(), "\r\n0\r\n\r\n"), R::CHUNK_EXTENSION).titled("CVE-2025-58056 Netty: LF in an extension"),
    refused(chunked!("2;x\nxx\r\n4c\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2024-52304 aiohttp: LF in an extension"),
    refused(chunked!("2;x\nxx\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2021-22960 Node: LF in an extension"),
    refused(chunked!("5;x=\"\nabcde\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2025-55315 Kestrel: LF in an extension"),
    refused(chunked!("5;\rabcde\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2025-55315 Kestrel: CR in an extension"),
    refused(chunked!("1;ext=\"val\r\nX\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2026-2332 Jetty: CR LF inside of quotes"),
    refused(chunked!("3;a\0b\r\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2023-38697 protocol-http1 (Falcon): what cannot be seen"),
    refused(chunked!("3;x\nabc\r\n0\r\n\r\n", smuggled!()), R::CHUNK_EXTENSION).titled("CVE-2022-24801 Twisted: LF in an extension"),
    read(chunked!("23;", "x=\"0\"", "\r\n", smuggled!(), "\r\n0\r\n\r\n"), STAYS, AS_CONTENT).titled("CVE-2021-22960 Node: an extension is no size"),
    read(chunked!("23;a=\";b\";c=\"\\\"\"\r\n", smuggled!(), "\r\n0\r\n\r\n"), STAYS, AS_CONTENT).titled("CVE-2026-2332 Jetty: quotes that are closed"),
    refused(chunked!("5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n", smuggled!()), R::CHUNK_END).titled("CVE-2025-43859 h11: two octets that are not CR LF"),
    refused(chunked!("3\r\nabc", "0\r\n\r\n", smuggled!()), R::CHUNK_END).titled("CVE-2025-47905 Varnish: no CR LF"),
    refused(chunked!("3\r\nabc\n0\r\n\r\n", smuggled!()), R::CHUNK_END).titled("CVE-2024-53868 Apache Traffic Server: LF ends no chunk"),
    refused(chunked!("3\r\nabc\n\r0\r\n\r\n", smuggled!()), R::CHUNK_END).titled("CVE-2019-16785 waitress: LF CR ends no chunk"),
];

/// Trailers: field lines that say nothing about the message.
#[rustfmt::skip]
static TRAILERS: &[Case] = &[
    read(chunked!("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), STAYS, ABC).titled("CVE-2025-53643 aiohttp: trailers are not the next request"),
    refused(chunked!("0\r\n", smuggled!()), R::TRAILER).titled("CVE-2025-53643 aiohttp: the next request is no trailer"),
    read(chunked!("3\r\nabc\r\n0\r\nTransfer-Encoding: identity\r\nContent-Length: 35\r\n\r\n"), STAYS, ABC).titled("CVE-2025-12642 lighttpd: trailers are no header fields"),
    read(chunked!("3\r\nabc\r\n0\r\nHost: b\r\nConnection: close\r\n\r\n"), STAYS, ABC).titled("CVE-2025-12642 lighttpd: trailers do not close the connection"),
    refused(chunked!("0\r\nX\r\n\r\n", smuggled!()), R::TRAILER).titled("CVE-2023-45648 Tomcat: an invalid trailer"),
    refused(chunked!("0\r\nX: y\n\r\n", smuggled!()), R::TRAILER).titled("CVE-2023-40175 Puma: LF ends no trailer"),
    refused(chunked!("0\r\nX: y\r\n\rX\r\n", smuggled!()), R::TRAILER).titled("CVE-2025-23167 Node: CR and another octet end no section"),
    refused(chunked!("0\r\nX : y\r\n\r\n", smuggled!()), R::TRAILER).titled("CVE-2021-22959 Node: a space before the colon of a trailer"),
];

/// Field names, and what stands around them.
#[rustfmt::skip]
static NAMES: &[Case] = &[
    refused(post!("Content-Length : 35\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2021-22959 Node: a space before the colon"),
    refused(post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2019-16276 Go net/http: a space before the colon"),
    refused(post!("Transfer-Encoding : chunked\r\nContent-Length: 35\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2019-16869 Netty: a space before the colon"),
    refused(post!("Content-Length : 35\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2018-8004 Apache Traffic Server: a space before the colon"),
    refused(post!("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2019-18678 Squid: white space before the colon"),
    refused(post!("Content-Length\t: 35\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2020-15810 Squid: white space before the colon"),
    refused(post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n", smuggled!()), R::SPACE_BEFORE_COLON).titled("CVE-2022-24766 mitmproxy: a space before the colon"),
    refused(post!("Transfer-Encoding\0: chunked\r\n", "0\r\n\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2024-52530 libsoup: NUL before the colon"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\n\x0bTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", R::FIELD_NAME).titled("CVE-2021-43797 Netty: a control before the name"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x1f: chunked\r\n\r\n0\r\n\r\n", R::FIELD_NAME).titled("CVE-2021-43797 Netty: a control behind the name"),
    refused(post!(" Transfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::OBS_FOLD).titled("CVE-2020-7238 Netty: a space before the name"),
    refused(post!(" Content-Length: 35\r\n", smuggled!()), R::OBS_FOLD).titled("CVE-2024-27982 Node: a space before the name"),
    refused(get!(" Content-Length: 35\r\nHost: a\r\n", smuggled!()), R::OBS_FOLD).titled("CVE-2024-27982 Node: a space before the first name"),
    refused(post!("Content-Length\r\nX: 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2019-20444 Netty: a line without a colon"),
    refused(post!(": x\r\nContent-Length: 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2023-25725 HAProxy: an empty name"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\xff: chunked\r\n\r\n0\r\n\r\n", R::FIELD_NAME).titled("CVE-2024-23829 aiohttp: a name that is no token"),
    refused(post!("Content-Length[]: 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2024-23829 aiohttp: delimiters in a name"),
    refused(post!("(Content-Length): 35\r\n", smuggled!()), R::FIELD_NAME).titled("CVE-2016-8743 Apache httpd: delimiters in a name"),
    refused(b"POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\xa0chunked\r\n\r\n0\r\n\r\n", R::CODING_NOT_CHUNKED).titled("CVE-2017-12165 undertow: white space that is none"),
    refused(get!("Host: a\r\nHost: b\r\n", smuggled!()), R::HOST_REPEATED).titled("CVE-2025-14523 libsoup: two hosts"),
];

/// Values and line ends.
#[rustfmt::skip]
static LINES: &[Case] = &[
    refused(b"GET /plaintext HTTP/1.1\nHost: a\nContent-Length: 35\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::BARE_LF).titled("CVE-2019-16785 waitress: LF ends no line"),
    refused(post!("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::BARE_LF).titled("CVE-2022-32214 Node: LF ends no line"),
    refused(post!("X: y\nContent-Length: 35\r\n", smuggled!()), R::BARE_LF).titled("CVE-2021-37147 Apache Traffic Server: LF ends no line"),
    refused(post!("X: y\n\rContent-Length: 35\r\n", smuggled!()), R::BARE_LF).titled("CVE-2021-41136 Puma: LF in a value"),
    refused(post!("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n", smuggled!()), R::FIELD_VALUE).titled("CVE-2023-30589 Node: CR ends no line"),
    refused(post!("X: y\rContent-Length: 35\r\n", smuggled!()), R::FIELD_VALUE).titled("CVE-2015-8852 Varnish: CR ends no line"),
    refused(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\rXGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::FIELD_NAME).titled("CVE-2025-23167 Node: CR and another octet end no head"),
    refused(post!("Transfer-Encoding: chunked\r\r\n", "0\r\n\r\n", smuggled!()), R::FIELD_VALUE).titled("CVE-2020-1935 Tomcat: CR before CR LF"),
    refused(post!("X: a\0b\r\nContent-Length: 35\r\n", smuggled!()), R::FIELD_VALUE).titled("CVE-2019-9900 Envoy: NUL in a value"),
    read(post!("Content-Length: 35 \t \r\n", smuggled!()), STAYS, AS_CONTENT).titled("CVE-2019-18802 Envoy: white space behind a value is none of it"),
    refused(post!("X: y\r\n z\r\nContent-Length: 35\r\n", smuggled!()), R::OBS_FOLD).titled("CVE-2022-32215 Node: a value over two lines"),
    refused(concat!("OPTIONS /plaintext HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n Expect: 100-continue\r\n\r\n", smuggled!()).as_bytes(), R::OBS_FOLD).titled("CVE-2025-32094 Akamai: Expect folded into another field"),
    read(get!("Host: a\r\nConnection: TE,,Keep-Alive\r\n", ""), STAYS, &[(200, "Hello, World!")]).titled("CVE-2012-5533 lighttpd: empty members of a list"),
];

/// The request line.
#[rustfmt::skip]
static REQUEST_LINES: &[Case] = &[
    refused(concat!("GET /plaintext\r\n\r\n", smuggled!()).as_bytes(), R::REQUEST_LINE).titled("CVE-2017-7656 Jetty: HTTP/0.9"),
    refused(concat!("GET /plaintext HTTP/0.9\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::VERSION).titled("CVE-2017-7656 Jetty: HTTP/0.9 by name"),
    refused(b"GET /plaintext\tHTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE).titled("CVE-2016-8743 Apache httpd: white space that is none"),
    refused(b"GET  /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE).titled("CVE-2016-8743 Apache httpd: two spaces"),
    refused(b"GET /plaintext HTTP/1.1\x0c\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::VERSION_SYNTAX).titled("CVE-2016-6816 Tomcat: an invalid character"),
    refused(b"GET /plaintext{\"x\"} HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET).titled("CVE-2016-6816 Tomcat: invalid characters of a target"),
    refused(b"GET /plain\rtext HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", R::TARGET).titled("CVE-2017-2666 undertow: an invalid character"),
    refused(b"GET /plaintext \0.html HTTP/1.1\r\nHost: a\r\n\r\n", R::REQUEST_LINE).titled("CVE-2013-4547 nginx: a space in the target"),
    refused(concat!("GET /none#/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::TARGET).titled("CVE-2023-45539 HAProxy: a fragment"),
    refused(concat!("GET /none#/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::TARGET).titled("CVE-2021-27577 Apache Traffic Server: a fragment"),
    refused(concat!("GET x:/b/plaintext HTTP/1.1\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::TARGET_FORM).titled("CVE-2019-17559 Apache Traffic Server: a scheme"),
    refused(concat!("G(T /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::METHOD).titled("CVE-2024-23829 aiohttp: a method that is no token"),
    refused(concat!("GET /plaintext HTTP/1.1 x\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::REQUEST_LINE).titled("CVE-2021-44040 Apache Traffic Server: more than a version"),
    refused(concat!("GET /plaintext HTTP/1.1\r X: y\r\nHost: a\r\n\r\n", smuggled!()).as_bytes(), R::REQUEST_LINE).titled("CVE-2024-23829 aiohttp: CR in the version"),
];

/// Content that is not read, and what is done before it has come.
#[rustfmt::skip]
static UNREAD: &[Case] = &[
    read(concat!("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n", smuggled!()).as_bytes(), STAYS, &[(200, "ignored")]).titled("CVE-2025-4366 Pingora: content that nobody reads"),
    read(concat!("POST /none/such HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n", smuggled!()).as_bytes(), STAYS, &[(404, "404 Not Found\n")]).titled("CVE-2019-20372 nginx: content before an error page"),
    read(concat!("POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n", smuggled!()).as_bytes(), STAYS, &[(200, "had some")]).titled("CVE-2022-23959 Varnish: content behind an answer that did not wait for it"),
    read(concat!("POST /ignore HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n23\r\n", smuggled!(), "\r\n0\r\n\r\n").as_bytes(), STAYS, &[(200, "ignored")]).titled("CVE-2022-22720 Apache httpd: content is discarded whole"),
    read(concat!("POST /none/such HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", smuggled!()).as_bytes(), BREAKS, &[(404, "404 Not Found\n")]).titled("CVE-2022-22720 Apache httpd: content that cannot be discarded ends the connection"),
    read(get!("Host: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 35\r\n", smuggled!()), STAYS, &[(200, "Hello, World!")]).titled("CVE-2026-2833 Pingora: an upgrade that was not accepted"),
    read(concat!("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 35\r\n\r\n", smuggled!()).as_bytes(), STAYS, &[(501, "501 Not Implemented\n")]).titled("CVE-2026-2833 Pingora: a tunnel that was not made"),
    read(concat!("POST /ignore HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 35\r\n\r\n", smuggled!()).as_bytes(), CLOSES, &[(200, "ignored")]).titled("CVE-2025-32094 Akamai: content that was not invited"),
    read(concat!("GET /deadline HTTP/1.1\r\nHost: a\r\n\r\n", "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), STAYS, &[(200, "after a deadline"), (200, "Hello, World!")]).titled("CVE-2023-46137 Twisted: answers in the order of the requests"),
    refused(concat!("GET /plaintext HTTP/1.1\r\nHost : a\r\n\r\n", smuggled!()).as_bytes(), R::SPACE_BEFORE_COLON).titled("CVE-2024-49768 waitress: what was received with an error is not read"),
];

#[test]
fn lengths() {
    assert_all(LENGTHS);
}

#[test]
fn length_and_coding() {
    assert_all(LENGTH_AND_CODING);
}

#[test]
fn codings() {
    assert_all(CODINGS);
}

/// No content is ended by the connection (CVE-2026-2835 Pingora). Byte by byte the connection would
/// be gone before all is sent.
#[test]
fn http_1_0_without_a_length_has_no_content() {
    let served = Served::new();
    for ahead in ["", "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let mut client = Client::connect(served.address);
        client.send(format!(
            "{ahead}POST /collect HTTP/1.0\r\nHost: a\r\n\r\n{}",
            smuggled!()
        ));
        if !ahead.is_empty() {
            assert_eq!(client.response().text(), "Hello, World!");
        }
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, ""));
        client.assert_closed();
    }
}

#[test]
fn chunk_sizes() {
    assert_all(CHUNK_SIZES);
}

#[test]
fn chunk_lines() {
    assert_all(CHUNK_LINES);
}

#[test]
fn trailers() {
    assert_all(TRAILERS);
}

#[test]
fn names() {
    assert_all(NAMES);
}

#[test]
fn lines() {
    assert_all(LINES);
}

#[test]
fn request_lines() {
    assert_all(REQUEST_LINES);
}

#[test]
fn content_that_is_not_read() {
    assert_all(UNREAD);
}

/// A name so long that its length overflows eight bits hides no other (CVE-2021-40346 HAProxy), and
/// extensions without end are not read without end (CVE-2024-22019 Node, CVE-2024-21647 Puma).
#[test]
fn what_is_too_long_to_stand_in_a_table() {
    let served = Served::new();
    let long_name = format!(
        "POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length0{}:\r\nContent-Length: 35\r\n\r\n{}",
        "a".repeat(255),
        smuggled!()
    );
    let mut client = Client::connect(served.address);
    client.send(long_name);
    assert_eq!(client.response().text(), smuggled!());
    client.assert_alive();

    let endless = format!(
        "POST /collect HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;{}",
        "x".repeat(100_000)
    );
    let mut client = Client::connect(served.address);
    // The refusal may be out, and the connection gone, before all is sent.
    let _ = client.try_send(endless);
    let response = client.response();
    let refusal = format!("{}\n", R::CHUNK_LINE_TOO_LONG);
    assert_eq!((response.status, response.text()), (400, &*refusal));
    client.assert_closed();
}
