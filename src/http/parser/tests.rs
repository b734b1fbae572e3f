//! Heads as bytes, and what becomes of them: each delivered whole and split everywhere.

use super::super::deliveries::{head, head_in_steps};
use super::*;

/// Asserts that `bytes` are refused with `expected` however they arrive.
fn refused(bytes: &[u8], limits: &HeadLimits, expected: Refusal) {
    head(bytes, limits, |outcome| match outcome {
        Err(refusal) => assert_eq!(*refusal, expected, "{}", bytes.escape_ascii()),
        Ok(_) => panic!("accepted: {}", bytes.escape_ascii()),
    });
}

/// Asserts that a head of exactly `bytes` is accepted however they arrive.
fn accepted(bytes: &[u8], limits: &HeadLimits) {
    head(bytes, limits, |outcome| match outcome {
        Ok(Some((_, consumed))) => assert_eq!(*consumed, bytes.len()),
        Ok(None) => panic!("incomplete: {}", bytes.escape_ascii()),
        Err(refusal) => panic!("{refusal}: {}", bytes.escape_ascii()),
    });
}

#[test]
fn accepted_heads() {
    let cases: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.9\r\nHost: h\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
        b"GET http://h/ HTTP/1.1\r\nHost: other\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:h\r\nX:\r\nY: \t \r\nZ: \xff\ta \r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \t h \t\r\n\r\n",
    ];
    for bytes in cases {
        accepted(bytes, &HeadLimits::default());
    }
}

#[test]
fn refused_heads() {
    let cases: &[(&[u8], Refusal)] = &[
        // What is no HTTP/1 at all.
        (b"\x16\x03\x01\x02\x00\x01\x00", Refusal::TLS_HELLO),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::HTTP2_PREFACE),
        (b"\x00\x00\x00\n", Refusal::BARE_LF),
        // Line ends.
        (b"\n", Refusal::BARE_LF),
        (b"\r\n\n", Refusal::BARE_LF),
        (b"\r\n\r\n", Refusal::EMPTY_LINES),
        (
            b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
            Refusal::EMPTY_LINES,
        ),
        (b"GET / HTTP/1.1\nHost: h\r\n\r\n", Refusal::BARE_LF),
        (b"GET / HTTP/1.1\r\nHost: h\n\r\n", Refusal::BARE_LF),
        (b"GET / HTTP/1.1\r\nHost: h\r\n\n", Refusal::BARE_LF),
        (b"GET / HTTP/1.1\r\nX: a\nHost: h\r\n\r\n", Refusal::BARE_LF),
        (b"GET / HTTP/1.1\rHost: h\r\n\r\n", Refusal::REQUEST_LINE),
        (
            b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n",
            Refusal::VERSION_SYNTAX,
        ),
        (b"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", Refusal::METHOD),
        (
            b"GET / HTTP/1.1\r\nHost: h\rX: a\r\n\r\n",
            Refusal::FIELD_VALUE,
        ),
        (b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", Refusal::FIELD_VALUE),
        (b"GET / HTTP/1.1\r\n\r\r\n", Refusal::FIELD_NAME),
        // The request line.
        (b"GET\r\n", Refusal::REQUEST_LINE),
        (b"GET /\r\n", Refusal::REQUEST_LINE),
        (b"GET  / HTTP/1.1\r\n", Refusal::REQUEST_LINE),
        (b"GET /  HTTP/1.1\r\n", Refusal::REQUEST_LINE),
        (b"GET / a HTTP/1.1\r\n", Refusal::REQUEST_LINE),
        (b"GET / HTTP/1.1 \r\n", Refusal::REQUEST_LINE),
        (b" GET / HTTP/1.1\r\n", Refusal::METHOD),
        (b"G\tT / HTTP/1.1\r\n", Refusal::METHOD),
        (b"G(T / HTTP/1.1\r\n", Refusal::METHOD),
        (b"G\xc9T / HTTP/1.1\r\n", Refusal::METHOD),
        (b"GET /\tHTTP/1.1 x\r\n", Refusal::VERSION_SYNTAX),
        (b"GET /\x00 HTTP/1.1\r\n", Refusal::TARGET),
        (b"GET /a\x7f HTTP/1.1\r\n", Refusal::TARGET),
        (b"GET /\xc3\xa9 HTTP/1.1\r\n", Refusal::TARGET),
        (b"GET * HTTP/1.1\r\n", Refusal::TARGET_FORM),
        (b"GET h:80 HTTP/1.1\r\n", Refusal::TARGET_FORM),
        (b"CONNECT / HTTP/1.1\r\n", Refusal::AUTHORITY),
        (b"GET https://h/ HTTP/1.1\r\n", Refusal::HTTPS_UNSECURED),
        (b"GET / HTTP/0.9\r\n", Refusal::VERSION),
        (b"GET / HTTP/2.0\r\n", Refusal::VERSION),
        (b"GET / HTTP/3.0\r\n", Refusal::VERSION),
        (b"GET / http/1.1\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / HTTP/1\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / HTTP/1.10\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / HTTP/01.1\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / HTTP/1,1\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / HTTP/1.x\r\n", Refusal::VERSION_SYNTAX),
        (b"GET / ICY/1.1\r\n", Refusal::VERSION_SYNTAX),
        // Field lines; one of each kind, for the rest is told in fields.rs.
        (
            b"GET / HTTP/1.1\r\nHost : h\r\n",
            Refusal::SPACE_BEFORE_COLON,
        ),
        (b"GET / HTTP/1.1\r\n Host: h\r\n", Refusal::OBS_FOLD),
        (
            b"GET / HTTP/1.1\r\nHost: h\r\n\tfold\r\n",
            Refusal::OBS_FOLD,
        ),
        (b"GET / HTTP/1.1\r\nHost\r\n", Refusal::FIELD_NAME),
        (b"GET / HTTP/1.1\r\nHost: h\x00\r\n", Refusal::FIELD_VALUE),
        // What the fields mean; the rest is told in framing.rs.
        (b"GET / HTTP/1.1\r\n\r\n", Refusal::HOST_MISSING),
        (b"GET http://h/ HTTP/1.1\r\n\r\n", Refusal::HOST_MISSING),
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            Refusal::HOST_REPEATED,
        ),
        (b"GET / HTTP/1.9\r\n\r\n", Refusal::HOST_MISSING),
        // The first fault in the order of the bytes is the one that is named.
        (b"GET /# HTTP/1.1\r\nHost : h\r\n\r\n", Refusal::TARGET),
        (
            b"GET / HTTP/1.1\r\nHost : h\r\nX: a\nY: b\r\n\r\n",
            Refusal::SPACE_BEFORE_COLON,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\nX : a\r\n\r\n",
            Refusal::SPACE_BEFORE_COLON,
        ),
    ];
    for (bytes, expected) in cases {
        refused(bytes, &HeadLimits::default(), *expected);
    }
}

#[test]
fn a_wrong_line_is_refused_when_it_ends() {
    for (bytes, expected) in [
        (&b"\x16"[..], Refusal::TLS_HELLO),
        (b"PRI * HTTP/2.0\r\n", Refusal::HTTP2_PREFACE),
        (b"GET / HTTP/2.0\r\n", Refusal::VERSION),
        (b"GET / HTTP/1.1\r\nX : a\r\n", Refusal::SPACE_BEFORE_COLON),
    ] {
        refused(bytes, &HeadLimits::default(), expected);
        let before = head_in_steps(&bytes[..bytes.len() - 1], &HeadLimits::default(), []);
        assert!(matches!(before, Ok(None)), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_request_line_at_the_limit_and_one_over() {
    let limits = HeadLimits::default();
    let line = |bytes: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(bytes - 16));
    let at = line(limits.request_line_bytes);
    assert_eq!(at.len(), limits.request_line_bytes);
    accepted(format!("{at}Host: h\r\n\r\n").as_bytes(), &limits);
    // The empty line before it does not count.
    accepted(format!("\r\n{at}Host: h\r\n\r\n").as_bytes(), &limits);
    let over = line(limits.request_line_bytes + 1);
    refused(over.as_bytes(), &limits, Refusal::REQUEST_LINE_TOO_LONG);
    // Refused without waiting for the line's end, and not before the limit.
    let unfinished = &over.as_bytes()[..limits.request_line_bytes];
    refused(unfinished, &limits, Refusal::REQUEST_LINE_TOO_LONG);
    let shorter = head_in_steps(&unfinished[1..], &limits, []);
    assert!(matches!(shorter, Ok(None)));
}

#[test]
fn a_long_request_line_is_refused_for_what_is_long() {
    let limits = HeadLimits {
        request_line_bytes: 20,
        ..HeadLimits::default()
    };
    for (bytes, expected) in [
        (
            &b"GET /aaaaaaaaaaaaaaaaaaaaaaaaa"[..],
            Refusal::REQUEST_LINE_TOO_LONG,
        ),
        (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", Refusal::METHOD_TOO_LONG),
        (
            b"AAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n",
            Refusal::METHOD_TOO_LONG,
        ),
        (b"\x01\x02\x03aaaaaaaaaaaaaaaaaaaaaaaaaa", Refusal::METHOD),
        (
            b"GET /aaaaaaaaaaaaaaaaaaaa HTTP/1.1\n",
            Refusal::REQUEST_LINE_TOO_LONG,
        ),
    ] {
        refused(bytes, &limits, expected);
    }
}

#[test]
fn the_field_section_at_the_limit_and_one_over() {
    let limits = HeadLimits::default();
    let head = |section_bytes: usize| {
        let filler = "a".repeat(section_bytes - "Host: h\r\nX: \r\n\r\n".len());
        format!("GET / HTTP/1.1\r\nHost: h\r\nX: {filler}\r\n\r\n")
    };
    accepted(head(limits.field_section_bytes).as_bytes(), &limits);
    let over = head(limits.field_section_bytes + 1);
    refused(over.as_bytes(), &limits, Refusal::FIELD_SECTION_TOO_LONG);
    let unfinished = &over.as_bytes()[..over.len() - 1];
    refused(unfinished, &limits, Refusal::FIELD_SECTION_TOO_LONG);
    let shorter = head_in_steps(&over.as_bytes()[..over.len() - 2], &limits, []);
    assert!(matches!(shorter, Ok(None)));
}

#[test]
fn the_number_of_fields_at_the_limit_and_one_over() {
    // More than fit without an allocation, too.
    for field_lines in [0, 1, crate::limits::FIELD_LINES, 300] {
        let limits = HeadLimits {
            field_lines,
            ..HeadLimits::default()
        };
        let head = |lines: usize| {
            let fields: String = (0..lines).map(|i| format!("F{i}: {i}\r\n")).collect();
            format!("GET / HTTP/1.0\r\n{fields}\r\n")
        };
        accepted(head(field_lines).as_bytes(), &limits);
        let over = head(field_lines + 1);
        refused(over.as_bytes(), &limits, Refusal::TOO_MANY_FIELDS);
    }
}

#[test]
fn one_parser_reads_request_after_request() {
    let pipelined = b"\r\nGET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut parser = HeadParser::new();
    let mut rest = &pipelined[..];
    for path in ["/1", "/2"] {
        let (head, consumed) = parser.parse(rest, &HeadLimits::default()).unwrap().unwrap();
        assert_eq!(head.path(), path);
        rest = &rest[consumed..];
    }
    assert!(rest.is_empty());
    assert!(
        parser
            .parse(rest, &HeadLimits::default())
            .unwrap()
            .is_none()
    );
}
