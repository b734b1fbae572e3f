//! The heads and the chunks that are written, octet by octet.

use ::http::header;

use super::*;

const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

fn head(
    code: u16,
    fields: &[(HeaderName, &'static str)],
    framing: BodyFraming,
    connection: Connection,
) -> String {
    let mut out = Vec::new();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
        .collect();
    response_head(
        &mut out,
        StatusCode::from_u16(code).unwrap(),
        &[],
        fields.iter().map(|(name, value)| (name, value)),
        framing,
        connection,
        &Preamble::new(
            &HttpDate::from_unix_seconds(784_111_777),
            Some(&HeaderValue::from_static("corelane")),
        ),
    );
    String::from_utf8(out).unwrap()
}

#[test]
fn heads_by_status_and_framing() {
    use BodyFraming::*;
    let cases: &[(u16, BodyFraming, Connection, &str, &str)] = &[
        (
            200,
            Length(13),
            Connection::Default,
            "200 OK",
            "Content-Length: 13\r\n",
        ),
        (
            200,
            Length(0),
            Connection::Close,
            "200 OK",
            "Connection: close\r\nContent-Length: 0\r\n",
        ),
        (
            404,
            Length(u64::MAX),
            Connection::KeepAlive,
            "404 Not Found",
            "Connection: keep-alive\r\nContent-Length: 18446744073709551615\r\n",
        ),
        (
            200,
            Chunked,
            Connection::Default,
            "200 OK",
            "Transfer-Encoding: chunked\r\n",
        ),
        (
            200,
            UntilClose,
            Connection::KeepAlive,
            "200 OK",
            "Connection: close\r\n",
        ),
        (304, None, Connection::Default, "304 Not Modified", ""),
        (204, Length(0), Connection::Default, "204 No Content", ""),
        (103, Chunked, Connection::Default, "103 Early Hints", ""),
        (
            418,
            Length(1),
            Connection::Default,
            "418 I'm a teapot",
            "Content-Length: 1\r\n",
        ),
        (
            599,
            Length(1),
            Connection::Default,
            "599 ",
            "Content-Length: 1\r\n",
        ),
    ];
    for &(code, framing, connection, line, tail) in cases {
        assert_eq!(
            head(code, &[], framing, connection),
            format!("HTTP/1.1 {line}\r\n{DATE}Server: corelane\r\n{tail}\r\n")
        );
    }
}

#[test]
fn every_precomputed_line_says_what_the_registry_says() {
    for code in 100..600 {
        let Some(line) = known_status_line(code) else {
            continue;
        };
        let reason = StatusCode::from_u16(code)
            .unwrap()
            .canonical_reason()
            .unwrap();
        assert_eq!(line, format!("HTTP/1.1 {code} {reason}\r\n").as_bytes());
    }
}

#[test]
fn fields_are_written_but_for_those_that_frame() {
    let fields = [
        (CONTENT_LENGTH, "999"),
        (CONTENT_TYPE, "text/plain"),
        (TRANSFER_ENCODING, "gzip"),
        (CONNECTION, "close, X-1"),
        (CONNECTION, "x-1,,x-2, Keep-Alive"),
        (header::DATE, "now"),
        (header::SET_COOKIE, "a=b"),
        (header::SET_COOKIE, ""),
        (HeaderName::from_static("x--1"), "y"),
    ];
    assert_eq!(
        head(200, &fields, BodyFraming::Length(1), Connection::Default),
        format!(
            "HTTP/1.1 200 OK\r\n{DATE}Server: corelane\r\nContent-Type: text/plain\r\n\
             Set-Cookie: a=b\r\nSet-Cookie: \r\nX--1: y\r\nConnection: x-1, x-2\r\nContent-Length: 1\r\n\r\n"
        )
    );
}

#[test]
fn trailers_are_announced_where_they_can_be_sent() {
    use BodyFraming::*;
    for (framing, is_announced) in [
        (Chunked, true),
        (Length(1), false),
        (UntilClose, false),
        (None, false),
    ] {
        let text = head(200, &[(TRAILER, "x")], framing, Connection::Default);
        assert_eq!(text.contains("\r\nTrailer: x\r\n"), is_announced, "{text}");
    }
}

#[test]
fn a_server_field_of_the_response_stands_alone() {
    let text = head(
        200,
        &[(SERVER, "mine")],
        BodyFraming::None,
        Connection::Default,
    );
    assert_eq!(
        text,
        format!("HTTP/1.1 200 OK\r\n{DATE}Server: mine\r\n\r\n")
    );
}

#[test]
fn an_upgrade_is_named_as_a_connection_option() {
    for (connection, options) in [
        (Connection::Default, "upgrade"),
        (Connection::Close, "close, upgrade"),
        (Connection::KeepAlive, "keep-alive, upgrade"),
    ] {
        let text = head(426, &[(UPGRADE, "h2c")], BodyFraming::Length(0), connection);
        let fields = format!("Upgrade: h2c\r\nConnection: {options}\r\nContent-Length: 0");
        assert_eq!(
            text,
            format!("HTTP/1.1 426 Upgrade Required\r\n{DATE}Server: corelane\r\n{fields}\r\n\r\n")
        );
    }
}

#[test]
fn chunks() {
    let cases: &[(&[u8], &str)] = &[
        (b"", ""),
        (b"a", "1\r\na\r\n"),
        (b"0123456789", "a\r\n0123456789\r\n"),
        (b"0123456789abcdef", "10\r\n0123456789abcdef\r\n"),
    ];
    for (data, expected) in cases {
        let mut out = Vec::new();
        chunk(&mut out, data);
        assert_eq!(String::from_utf8(out).unwrap(), *expected);
    }
    for (size, expected) in [
        (1, "1\r\n"),
        (0x1000, "1000\r\n"),
        (u64::MAX, "ffffffffffffffff\r\n"),
    ] {
        let mut out = Vec::new();
        chunk_head(&mut out, NonZeroU64::new(size).unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    let mut out = Vec::new();
    last_chunk(&mut out, []);
    assert_eq!(out, b"0\r\n\r\n");
}

#[test]
fn lines_are_written_ahead_but_for_fields_that_are_decided_about() {
    let value = HeaderValue::from_static("x");
    let told = [CONTENT_TYPE, header::ETAG, header::ACCEPT_RANGES];
    let fields = || told.iter().map(|name| (name, &value));
    let lines = field_lines(fields()).unwrap();
    assert_eq!(lines, b"\r\nContent-Type: x\r\nEtag: x\r\nAccept-Ranges: x");
    let [ahead, afresh] = [true, false].map(|is_ahead| {
        let mut out = Vec::new();
        let fields = fields().take(if is_ahead { 0 } else { told.len() });
        let lines = if is_ahead { &lines[..] } else { &[] };
        let date = HttpDate::from_unix_seconds(784_111_777);
        response_head(
            &mut out,
            StatusCode::OK,
            lines,
            fields,
            BodyFraming::Length(1),
            Connection::Default,
            &Preamble::new(&date, None),
        );
        out
    });
    assert_eq!(ahead, afresh);
    for decided in [
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        header::DATE,
        TRAILER,
        CONNECTION,
        SERVER,
        UPGRADE,
    ] {
        assert_eq!(field_lines([(&decided, &value)]), None, "{decided}");
    }
}
