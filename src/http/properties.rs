//! Properties of the whole layer, on generated and on mutated messages.

use std::num::NonZeroU64;

use ::http::{HeaderName, HeaderValue, StatusCode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::deliveries::{BodyRead, HeadOutcome, body_in_steps, head_in_steps};
use super::*;

/// A head and the parts that it was made of.
#[derive(Debug, Clone)]
struct Generated {
    method: String,
    path: String,
    query: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    bytes: Vec<u8>,
}

fn valid_head() -> impl Strategy<Value = Generated> {
    let method = "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}".prop_filter("its own form", |m| m != "CONNECT");
    let path = "/([A-Za-z0-9._~!$&'()*+,;=:@/|^-]|%[0-9A-Fa-f]{2}){0,30}";
    let query = proptest::option::of("[ -~&&[^\" #<>]]{0,20}");
    let name = "x-[A-Za-z0-9!#$%&'*+.^_`|~-]{0,20}";
    let value = vec(select(values()), 0..30).prop_map(|value| chars::trim_ows(&value).to_vec());
    let padding = "[ \t]{0,3}";
    let field = (name, value, padding, padding);
    (any::<bool>(), method, path, query, vec(field, 0..70)).prop_map(
        |(empty_line, method, path, query, fields)| {
            let mut bytes = if empty_line {
                b"\r\n".to_vec()
            } else {
                Vec::new()
            };
            bytes.extend(format!("{method} {path}").bytes());
            bytes.extend(
                query
                    .iter()
                    .flat_map(|query| format!("?{query}").into_bytes()),
            );
            bytes.extend(b" HTTP/1.1\r\nHost: h\r\n");
            for (name, value, before, after) in &fields {
                bytes.extend(format!("{name}:{before}").bytes());
                bytes.extend(value);
                bytes.extend(format!("{after}\r\n").bytes());
            }
            bytes.extend(b"\r\n");
            let fields = fields
                .into_iter()
                .map(|(name, value, ..)| (name, value))
                .collect();
            Generated {
                method,
                path,
                query,
                fields,
                bytes,
            }
        },
    )
}

/// Every octet that a field value may hold.
fn values() -> Vec<u8> {
    (0..=255)
        .filter(|&octet| chars::is(octet, chars::VALUE))
        .collect()
}

/// Bytes that look like heads and mostly are not: pieces of heads, with octets exchanged.
fn wild_head() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"GET / HTTP/1.1\r\n",
        b"POST /a?b HTTP/1.0\r\n",
        b"OPTIONS * HTTP/1.1\r\n",
        b"GET http://a/ HTTP/1.1\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"GET / HTTP/1.7\r\n",
        b"Host: h\r\n",
        b"Host: h\r\n",
        b"Content-Length: 1\r\n",
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"X: \xff\r\n",
        b" fold\r\n",
        b"a : b\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
    ];
    let edits = vec((any::<Index>(), any::<u8>()), 0..3);
    (vec(select(pieces), 0..8), edits).prop_map(|(pieces, edits)| {
        let mut bytes = pieces.concat();
        for (place, octet) in edits
            .into_iter()
            .filter(|_| !bytes.is_empty())
            .collect::<Vec<_>>()
        {
            let at = place.index(bytes.len());
            bytes[at] = octet;
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    })
}

/// A chunked body: the bytes, and the content they carry.
fn valid_chunks() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let extension = "([ \t]{0,2};[ \t]{0,2}[a-z!]{1,5}([ \t]{0,2}=[ \t]{0,2}([a-z]{1,5}|\"([ !#-\\[\\]-~]|\\\\[ -~]){0,9}\"))?){0,3}";
    let chunk = (vec(any::<u8>(), 1..40), "0{0,5}", extension, any::<bool>());
    let trailer = "([A-Za-z-]{1,9}:[ -~]{0,20}\r\n){0,3}";
    (vec(chunk, 0..6), trailer).prop_map(|(chunks, trailers)| {
        let (mut bytes, mut content) = (Vec::new(), Vec::new());
        for (data, zeros, extension, capitals) in chunks {
            let size = data.len();
            let size = if capitals {
                format!("{size:X}")
            } else {
                format!("{size:x}")
            };
            bytes.extend(format!("{zeros}{size}{extension}\r\n").bytes());
            bytes.extend(&data);
            bytes.extend(b"\r\n");
            content.extend(data);
        }
        bytes.extend(format!("0\r\n{trailers}\r\n").bytes());
        (bytes, content)
    })
}

/// Everything that can be asked of an outcome, for comparing two.
fn described(outcome: HeadOutcome) -> String {
    match outcome {
        Ok(Some((head, consumed))) => format!(
            "{consumed} {head:?} {:?} {:?} {:?} {:?}",
            head.path(),
            head.query(),
            head.host(),
            head.fields().collect::<Vec<_>>(),
        ),
        Ok(None) => "needs more".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

/// Limits small enough for generated heads to meet them.
fn small_limits() -> impl Strategy<Value = HeadLimits> {
    (1..60usize, 1..80usize, 0..8usize).prop_map(|(line, section, lines)| HeadLimits {
        request_line_bytes: line,
        field_section_bytes: section,
        field_lines: lines,
    })
}

/// Places to cut `0..length` at, in order.
fn ordered(cuts: &[Index], length: usize) -> Vec<usize> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(length + 1)).collect();
    ends.sort_unstable();
    ends
}

proptest! {
    #[test]
    fn a_valid_head_parses_to_what_it_was_made_of(made in valid_head(), tail in vec(any::<u8>(), 0..9)) {
        let bytes = [&made.bytes[..], &tail].concat();
        let (head, consumed) = HeadParser::new().parse(&bytes, &HeadLimits::default()).unwrap().unwrap();
        prop_assert_eq!(consumed, made.bytes.len());
        prop_assert_eq!(head.method().as_str(), made.method);
        prop_assert_eq!(head.path(), made.path);
        prop_assert_eq!(head.query(), made.query.as_deref());
        prop_assert_eq!(head.fields().next(), Some(("Host", &b"h"[..])));
        let fields: Vec<_> = head.fields().skip(1).map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        prop_assert_eq!(fields, made.fields);
    }

    #[test]
    fn a_head_does_not_depend_on_how_it_is_split(
        bytes in prop_oneof![wild_head(), valid_head().prop_map(|made| made.bytes), vec(any::<u8>(), 0..60)],
        cuts in vec(any::<Index>(), 0..5),
        limits in prop_oneof![Just(HeadLimits::default()), small_limits()],
    ) {
        let whole = described(head_in_steps(&bytes, &limits, []));
        let split = described(head_in_steps(&bytes, &limits, ordered(&cuts, bytes.len())));
        let single = described(head_in_steps(&bytes, &limits, 0..bytes.len()));
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(&single, &whole);
    }

    #[test]
    fn a_head_does_not_depend_on_the_one_before(
        before in prop_oneof![wild_head(), valid_head().prop_map(|made| made.bytes)],
        edit in proptest::option::of((any::<Index>(), any::<u8>())),
        line in proptest::option::of(select(vec!["GET /other HTTP/1.1", "OPTIONS * HTTP/1.0", "GET http://a/ HTTP/1.1", "CONNECT a:1 HTTP/1.0"])),
        limits in prop_oneof![Just(HeadLimits::default()), small_limits()],
        is_held in any::<bool>(),
    ) {
        // The same fields again, mostly, in another request.
        let mut bytes = before.clone();
        if let (Some(line), Some(end)) = (line, before.windows(2).position(|pair| pair == b"\r\n")) {
            bytes = [line.as_bytes(), &before[end..]].concat();
        }
        if let Some((place, octet)) = edit {
            let at = place.index(bytes.len());
            bytes[at] = octet;
        }
        let mut parser = HeadParser::new();
        let first = parser.parse(&before, &HeadLimits::default());
        prop_assume!(matches!(first, Ok(Some(_))));
        let held = is_held.then_some(first);
        let outcome = described(parser.parse(&bytes, &limits));
        prop_assert_eq!(outcome, described(head_in_steps(&bytes, &limits, [])));
        // Nor does one that is kept see anything of the next.
        if let Some(first) = held {
            let again = head_in_steps(&before, &HeadLimits::default(), []);
            prop_assert_eq!(described(first), described(again));
        }
    }

    #[test]
    fn the_line_check_and_httparse_agree(
        name in "[A-Za-z0-9!#$%&'*+.^_`|~ -]{0,70}:?",
        value in vec(select(values()), 0..100),
        edit in proptest::option::of((any::<Index>(), any::<u8>())),
    ) {
        let mut line = [name.as_bytes(), &value].concat();
        prop_assume!(!line.is_empty());
        if let Some((place, octet)) = edit {
            let at = place.index(line.len());
            line[at] = octet;
        }
        prop_assume!(!line.contains(&b'\n') && line != b"\r");
        let bytes = [b"GET / HTTP/1.1\r\n", &line[..], b"\r\n\r\n"].concat();
        let mut headers = [httparse::EMPTY_HEADER; 2];
        let theirs = httparse::Request::new(&mut headers).parse(&bytes);
        prop_assert_eq!(fields::check_line(&line).is_ok(), theirs.is_ok(), "{}", line.escape_ascii());
    }

    #[test]
    fn the_request_line_check_and_httparse_agree(
        line in "(GET|OPTIONS|CONNECT|PRI|a b|\\(|) ?(/a?b|/|\\*|a:1|http://a/|/#|\u{e9}|) ?(HTTP/[012][.][0-9]|HTTP/1.1 |http/1.1|)",
        edit in proptest::option::of((any::<Index>(), any::<u8>())),
    ) {
        let mut line = line.into_bytes();
        if let (Some((place, octet)), false) = (edit, line.is_empty()) {
            let at = place.index(line.len());
            line[at] = octet;
        }
        prop_assume!(!line.contains(&b'\n') && !line.starts_with(b"\r") && !line.is_empty());
        let bytes = [&line[..], b"\r\nHost: h\r\n\r\n"].concat();
        let theirs = head::build(&bytes, line.len() + 2, 1, &mut head::Last::default());
        let is_accepted = matches!(theirs, Ok(Some(_)));
        prop_assert_eq!(parser::check_request_line(&line).is_ok(), is_accepted, "{}", line.escape_ascii());
    }

    #[test]
    fn a_body_does_not_depend_on_how_it_is_split(
        (mut bytes, content) in valid_chunks(),
        edit in proptest::option::of((any::<Index>(), any::<u8>())),
        cuts in vec(any::<Index>(), 0..5),
        limit in prop_oneof![Just(1 << 20), 0..60u64],
    ) {
        if let Some((place, octet)) = edit {
            let at = place.index(bytes.len());
            bytes[at] = octet;
        }
        let whole = body_in_steps(Framing::Chunked, limit, &bytes, []);
        let split = body_in_steps(Framing::Chunked, limit, &bytes, ordered(&cuts, bytes.len()));
        let single = body_in_steps(Framing::Chunked, limit, &bytes, 0..bytes.len());
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(&single, &whole);
        if edit.is_none() {
            let expected = if content.len() as u64 > limit {
                Err(Refusal::BODY_TOO_LARGE)
            } else {
                Ok(BodyRead { consumed: bytes.len(), content, complete: true })
            };
            prop_assert_eq!(whole, expected);
        }
    }

    #[test]
    fn encoded_chunks_decode_to_their_data(pieces in vec(vec(any::<u8>(), 0..300), 0..6)) {
        let mut bytes = Vec::new();
        for piece in &pieces {
            chunk(&mut bytes, piece);
        }
        if let Some(size) = NonZeroU64::new(3) {
            chunk_head(&mut bytes, size);
            bytes.extend(b"abc");
            bytes.extend(CHUNK_END);
        }
        last_chunk(&mut bytes, []);
        let read = body_in_steps(Framing::Chunked, 1 << 20, &bytes, []).unwrap();
        prop_assert_eq!(read.content, [pieces.concat(), b"abc".to_vec()].concat());
        prop_assert!(read.complete);
    }

    #[test]
    fn an_encoded_head_parses_back(
        code in 100..1000u16,
        names in subsequence(vec!["content-type", "date", "server", "x-a", "content-length", "etag"], 0..6),
        value in vec(select(values()), 0..30),
        framing in select(vec![BodyFraming::None, BodyFraming::Length(7), BodyFraming::Chunked, BodyFraming::UntilClose]),
        connection in select(vec![Connection::Default, Connection::Close, Connection::KeepAlive]),
    ) {
        let value = HeaderValue::from_bytes(chars::trim_ows(&value)).unwrap();
        let names: Vec<_> = names.into_iter().map(HeaderName::from_static).collect();
        let date = HttpDate::from_unix_seconds(0);
        let mut out = Vec::new();
        let status = StatusCode::from_u16(code).unwrap();
        let fields = names.iter().map(|name| (name, &value));
        response_head(&mut out, status, &[], fields, framing, connection, &Preamble::new(&date, None));

        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut response = httparse::Response::new(&mut headers);
        prop_assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())));
        prop_assert_eq!(response.code, Some(code));
        let values = |name: &str| {
            let same = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            same.map(|header| header.value).collect::<Vec<_>>()
        };
        prop_assert_eq!(values("date"), [&date.as_bytes()[..]]);
        for name in &names {
            if !matches!(name.as_str(), "date" | "content-length") {
                prop_assert_eq!(values(name.as_str()), [value.as_bytes()]);
            }
        }
        let has_framing = code >= 200 && code != 204;
        let is_length = has_framing && framing == BodyFraming::Length(7);
        prop_assert_eq!(values("content-length"), if is_length { vec![&b"7"[..]] } else { vec![] });
        let is_chunked = has_framing && framing == BodyFraming::Chunked;
        prop_assert_eq!(values("transfer-encoding").len(), usize::from(is_chunked));
    }

    #[test]
    fn dates_go_there_and_back(seconds in 0..253_402_300_800u64, wild in vec(any::<u8>(), 0..40)) {
        let date = HttpDate::from_unix_seconds(seconds);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        prop_assert_eq!(HttpDate::parse(date.as_bytes()), Some(time));
        // Whatever a peer sends instead, it is read or ignored.
        HttpDate::parse(&wild);
    }
}
