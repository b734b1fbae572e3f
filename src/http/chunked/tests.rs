//! Chunked bodies as bytes, and what becomes of them: each whole and split everywhere.

use super::super::Framing;
use super::super::deliveries::{body, body_in_steps};
use super::*;
use crate::limits;

/// Asserts that `bytes` are one whole body with `content`, however they arrive.
fn content(bytes: &[u8], expected: &[u8]) {
    body(Framing::Chunked, 1 << 20, bytes, |outcome| match outcome {
        Ok(read) => {
            assert_eq!(
                (&read.content[..], read.complete),
                (expected, true),
                "{}",
                bytes.escape_ascii()
            );
            assert_eq!(read.consumed, bytes.len());
        }
        Err(refusal) => panic!("{refusal}: {}", bytes.escape_ascii()),
    });
}

/// Asserts that `bytes` are refused with `expected`, however they arrive.
fn refused(limit_bytes: u64, bytes: &[u8], expected: Refusal) {
    body(Framing::Chunked, limit_bytes, bytes, |outcome| {
        assert_eq!(*outcome, Err(expected), "{}", bytes.escape_ascii());
    });
}

#[test]
fn accepted_bodies() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"0\r\n\r\n", b""),
        (b"000\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"0003\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"00000000000000000000000000000001\r\na\r\n0\r\n\r\n", b"a"),
        // Extensions: RFC 9112 §7.1.1.
        (b"1;a\r\nx\r\n0;b=c\r\n\r\n", b"x"),
        (b"1;a=b;c=\"d\"\r\nx\r\n0\r\n\r\n", b"x"),
        (
            b"1 \t; a = b\t;\tc = \"d e\\\"\\\\;\xff\"\r\nx\r\n0\r\n\r\n",
            b"x",
        ),
        (b"1;a=\"\"\r\nx\r\n0\r\n\r\n", b"x"),
        (b"1;a ;b\r\nx\r\n0\r\n\r\n", b"x"),
        // Trailers: RFC 9112 §7.1.2.
        (b"0\r\nA: b\r\n\r\n", b""),
        (b"1\r\nx\r\n0\r\nA:\r\nB: \tc d\xff\t\r\n\r\n", b"x"),
        (b"0\r\nContent-Length: 5\r\n\r\n", b""),
    ];
    for (bytes, expected) in cases {
        content(bytes, expected);
    }
}

#[test]
fn refused_bodies() {
    use super::super::Refusal as R;
    let cases: &[(&[u8], Refusal)] = &[
        // Sizes.
        (b"\r\n", R::CHUNK_SIZE),
        (b"\n", R::CHUNK_SIZE),
        (b"g\r\n", R::CHUNK_SIZE),
        (b"0x1\r\n", R::CHUNK_SIZE),
        (b"+1\r\n", R::CHUNK_SIZE),
        (b"-1\r\n", R::CHUNK_SIZE),
        (b" 1\r\n", R::CHUNK_SIZE),
        (b"1 \r\n", R::CHUNK_SIZE),
        (b"1\t\r\n", R::CHUNK_SIZE),
        (b"1_0\r\n", R::CHUNK_SIZE),
        (b"1,\r\n", R::CHUNK_SIZE),
        (b"1 1\r\n", R::CHUNK_SIZE),
        (b"1\n", R::CHUNK_SIZE),
        (b"1\0\r\n", R::CHUNK_SIZE),
        (b";a\r\n", R::CHUNK_SIZE),
        (b"\xd9\xa1\r\n", R::CHUNK_SIZE),
        (b"10000000000000000\r\n", R::CHUNK_SIZE),
        (b"FFFFFFFFFFFFFFFFF\r\n", R::CHUNK_SIZE),
        (b"1\r\r\n", R::CHUNK_EXTENSION),
        (b"1\rx", R::CHUNK_EXTENSION),
        // The end of the data.
        (b"3\r\nabcd\r\n", R::CHUNK_END),
        (b"3\r\nabc0\r\n\r\n", R::CHUNK_END),
        (b"3\r\nabc\n0\r\n\r\n", R::CHUNK_END),
        (b"3\r\nabc\r0\r\n\r\n", R::CHUNK_END),
        (b"3\r\nabc\r\r\n", R::CHUNK_END),
        // Extensions.
        (b"1;\r\n", R::CHUNK_EXTENSION),
        (b"1;a\n", R::CHUNK_EXTENSION),
        (b"1;a \r\n", R::CHUNK_EXTENSION),
        (b"1;a=\r\n", R::CHUNK_EXTENSION),
        (b"1;a=b \r\n", R::CHUNK_EXTENSION),
        (b"1;=b\r\n", R::CHUNK_EXTENSION),
        (b"1;a=b=c\r\n", R::CHUNK_EXTENSION),
        (b"1;a=b c\r\n", R::CHUNK_EXTENSION),
        (b"1;a=\"b\r\n", R::CHUNK_EXTENSION),
        (b"1;a=\"b\n\"\r\n", R::CHUNK_EXTENSION),
        (b"1;a=\"\\\r\n", R::CHUNK_EXTENSION),
        (b"1;a=\"b\"c\r\n", R::CHUNK_EXTENSION),
        (b"1;;\r\n", R::CHUNK_EXTENSION),
        (b"1;a\0\r\n", R::CHUNK_EXTENSION),
        (b"1;a\rb\r\n", R::CHUNK_EXTENSION),
        // Trailers.
        (b"0\r\n\n", R::TRAILER),
        (b"0\r\nA\r\n", R::TRAILER),
        (b"0\r\nA : b\r\n", R::TRAILER),
        (b"0\r\n A: b\r\n", R::TRAILER),
        (b"0\r\nA: b\r\n c\r\n", R::TRAILER),
        (b"0\r\n: b\r\n", R::TRAILER),
        (b"0\r\nA: b\n", R::TRAILER),
        (b"0\r\nA: b\0\r\n", R::TRAILER),
        (b"0\r\nA: b\rc\r\n", R::TRAILER),
        (b"0\r\n\rx", R::TRAILER),
        (b"0\r\nGET / HTTP/1.1\r\n", R::TRAILER),
    ];
    for (bytes, expected) in cases {
        refused(1 << 20, bytes, *expected);
    }
}

#[test]
fn the_content_at_the_limit_and_one_over() {
    content(b"6\r\nabcdef\r\n0\r\n\r\n", b"abcdef");
    for (limit, bytes) in [
        (5, &b"6\r\n"[..]),
        (5, b"3\r\nabc\r\n3\r\n"),
        (0, b"1\r\n"),
        (u64::MAX - 1, b"FFFFFFFFFFFFFFFF\r\n"),
    ] {
        refused(limit, bytes, Refusal::BODY_TOO_LARGE);
    }
    for (limit, bytes) in [
        (6, &b"6\r\n"[..]),
        (6, b"3\r\nabc\r\n3\r\n"),
        (0, b"0\r\n\r\n"),
        (u64::MAX, b"FFFFFFFFFFFFFFFF\r\n"),
    ] {
        body(Framing::Chunked, limit, bytes, |outcome| {
            assert!(outcome.is_ok(), "{limit}")
        });
    }
}

#[test]
fn a_chunk_line_at_the_limit_and_one_over() {
    let line = |bytes: usize| format!("1;{}\r\n", "a".repeat(bytes - 4));
    let at = line(limits::CHUNK_LINE_BYTES);
    assert_eq!(at.len(), limits::CHUNK_LINE_BYTES);
    content(format!("{at}x\r\n0\r\n\r\n").as_bytes(), b"x");
    let over = line(limits::CHUNK_LINE_BYTES + 1);
    refused(1, over.as_bytes(), Refusal::CHUNK_LINE_TOO_LONG);
    let zeros = "0".repeat(limits::CHUNK_LINE_BYTES + 1);
    refused(1, zeros.as_bytes(), Refusal::CHUNK_LINE_TOO_LONG);
}

#[test]
fn all_chunk_lines_at_the_limit_and_one_over() {
    // Lines with 512 bytes more than a plain one, as many as the limit allows.
    let long = format!("1;{}\r\nx\r\n", "a".repeat(PLAIN_LINE_BYTES + 512 - 4));
    let at = long.repeat(limits::CHUNK_EXCESS_BYTES / 512);
    let chunks = limits::CHUNK_EXCESS_BYTES / 512;
    content(
        format!("{at}0\r\n\r\n").as_bytes(),
        "x".repeat(chunks).as_bytes(),
    );
    let one_more = format!("{at}1;{}\r\n", "a".repeat(PLAIN_LINE_BYTES + 1 - 4));
    refused(1 << 20, one_more.as_bytes(), Refusal::CHUNK_LINE_TOO_LONG);
}

#[test]
fn the_trailers_at_the_limit_and_one_over() {
    let trailers = |bytes: usize| format!("0\r\nA:{}\r\n\r\n", "b".repeat(bytes - 6));
    content(trailers(limits::TRAILER_BYTES).as_bytes(), b"");
    let over = trailers(limits::TRAILER_BYTES + 1);
    refused(1, over.as_bytes(), Refusal::TRAILER_TOO_LONG);
}

#[test]
fn one_run_of_content_a_call_and_nothing_after_the_end() {
    let input = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET";
    let mut decoder = ChunkedDecoder::new(BodyLimits::default().with_content_bytes(5));
    let first = decoder.decode(input).unwrap();
    // The framing behind the first run is consumed with it.
    assert_eq!((first.consumed, first.data), (11, 3..6));
    let second = decoder.decode(&input[11..]).unwrap();
    assert_eq!((second.consumed, second.data), (9, 0..2));
    assert!(decoder.is_complete());
    let rest = decoder.decode(&input[20..]).unwrap();
    assert_eq!((rest.consumed, rest.data), (0, 0..0));
}

#[test]
fn a_body_that_stops_early_is_not_complete() {
    let bytes = b"3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for end in 0..bytes.len() {
        let read = body_in_steps(Framing::Chunked, 3, &bytes[..end], []).unwrap();
        assert!(!read.complete, "{end}");
        assert_eq!(read.consumed, end);
    }
}
