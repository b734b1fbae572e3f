//! Writes responses: the head with the fields that frame it, and chunks.
//!
//! It appends to a buffer and decides nothing about the connection. Names and values are typed as
//! the `http` crate proves them, so no CR, LF or NUL can reach the wire through them.

use std::num::NonZeroU64;

use ::http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, SERVER, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use ::http::{HeaderName, HeaderValue, StatusCode};

use super::date::HttpDate;
use super::framing::members;
use super::trailers::is_forbidden_trailer;

/// How the end of a response's content is marked (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// By the status alone: 1xx, 204 and 304 have no content. No field is written.
    None,
    /// By Content-Length. A response to HEAD writes it and sends no content.
    Length(u64),
    /// By the last chunk. Only to a peer that speaks HTTP/1.1.
    Chunked,
    /// By the end of the connection, so [`Connection::Close`] is written whatever is asked.
    UntilClose,
}

/// What a response says about the connection (RFC 9112 §9.3, §9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Nothing: what the version implies.
    Default,
    /// `Connection: close`.
    Close,
    /// `Connection: keep-alive`, which an HTTP/1.0 peer that asked for it needs to see.
    KeepAlive,
}

/// The interim response that invites the body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What follows the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Appends the status line and all fields of a response, to the empty line.
///
/// Content-Length, Transfer-Encoding, Connection and Date are this function's to write; such
/// fields among `fields` are skipped, but for options of Connection that are not about its end. A
/// Server among them takes the place of the preamble's; an Upgrade among them is named in
/// Connection. A Trailer among them is skipped where no trailers can follow.
/// A 1xx or 204 gets no framing fields, whatever `framing` is (RFC 9110 §8.6, RFC 9112 §6.1).
pub fn response_head<'a>(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    framing: BodyFraming,
    connection: Connection,
    preamble: &Preamble,
) {
    // One growth for a typical head, not one for each of its parts.
    out.reserve(TYPICAL_HEAD_BYTES);
    // RFC 9110 §5.3: control data goes first.
    let start;
    if status == StatusCode::OK {
        out.extend_from_slice(&preamble.bytes);
        start = out.len() - preamble.fields().len();
    } else {
        status_line(out, status);
        start = out.len();
        out.extend_from_slice(preamble.fields());
    }
    // The handler's own connection options, which are few responses'.
    let mut options = Vec::new();
    for (name, value) in fields {
        if *name == CONTENT_TYPE {
            // Nearly every response has this one.
            out.extend_from_slice(b"\r\nContent-Type: ");
            out.extend_from_slice(value.as_bytes());
            continue;
        }
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING | DATE => continue,
            // RFC 9110 §6.5: trailers are sent in chunked content alone.
            TRAILER if framing != BodyFraming::Chunked => continue,
            CONNECTION => {
                add_options(&mut options, value);
                continue;
            }
            SERVER => remove_server(out, start, preamble),
            // RFC 9110 §7.8: a sender of Upgrade also sends it as a connection option.
            UPGRADE => add_options(&mut options, &HeaderValue::from_static("upgrade")),
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        field_name(out, name.as_str());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
    // RFC 9112 §9.3: without a length the connection cannot persist.
    let connection = match framing {
        BodyFraming::UntilClose => Connection::Close,
        _ => connection,
    };
    out.extend_from_slice(match connection {
        Connection::Default => b"",
        Connection::Close => b"\r\nConnection: close",
        Connection::KeepAlive => b"\r\nConnection: keep-alive",
    });
    for (index, option) in options.iter().enumerate() {
        out.extend_from_slice(match (connection, index) {
            (Connection::Default, 0) => b"\r\nConnection: ",
            _ => b", ",
        });
        out.extend_from_slice(option);
    }
    let has_framing = !status.is_informational() && status != StatusCode::NO_CONTENT;
    match framing {
        BodyFraming::Length(length) if has_framing => {
            out.extend_from_slice(b"\r\nContent-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
        }
        BodyFraming::Chunked if has_framing => {
            out.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
        }
        _ => {}
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Adds the connection options in `value` (RFC 9110 §7.6.1) that are not the connection's own to
/// decide, each once.
#[cold]
fn add_options(options: &mut Vec<Vec<u8>>, value: &HeaderValue) {
    for option in members(value.as_bytes()) {
        let option = option.to_ascii_lowercase();
        if option != b"close" && option != b"keep-alive" && !options.contains(&option) {
            options.push(option);
        }
    }
}

/// The fields that are the same in every response of a second, Date and Server: written once, and
/// copied as one. So is the status line of most responses, 200 (OK).
#[derive(Debug, Clone)]
pub struct Preamble {
    /// Without the end of the last line.
    bytes: Vec<u8>,
    /// Where the fields begin, after the status line.
    fields_start: usize,
    date_bytes: usize,
}

impl Preamble {
    /// The fields for `date` and, if there is one, the value of Server.
    pub fn new(date: &HttpDate, server: Option<&HeaderValue>) -> Self {
        let mut bytes = Vec::new();
        status_line(&mut bytes, StatusCode::OK);
        let fields_start = bytes.len();
        bytes.extend_from_slice(b"Date: ");
        bytes.extend_from_slice(date.as_bytes());
        let date_bytes = bytes.len() - fields_start;
        if let Some(server) = server {
            bytes.extend_from_slice(b"\r\nServer: ");
            bytes.extend_from_slice(server.as_bytes());
        }
        Self {
            bytes,
            fields_start,
            date_bytes,
        }
    }

    #[inline]
    fn fields(&self) -> &[u8] {
        &self.bytes[self.fields_start..]
    }
}

/// Takes the preamble's Server out of a head, from `start` on, that has one of its own.
#[cold]
fn remove_server(out: &mut Vec<u8>, start: usize, preamble: &Preamble) {
    let ours = &preamble.fields()[preamble.date_bytes..];
    let at = start + preamble.date_bytes;
    // It is gone already when a second one comes.
    if out[at..].starts_with(ours) {
        out.drain(at..at + ours.len());
    }
}

/// What most heads fit in, in bytes.
const TYPICAL_HEAD_BYTES: usize = 256;

/// Appends one whole chunk; of no data, nothing, for an empty chunk would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    let Some(data_bytes) = NonZeroU64::new(data.len() as u64) else {
        return;
    };
    out.reserve(data.len() + 20);
    chunk_head(out, data_bytes);
    out.extend_from_slice(data);
    out.extend_from_slice(CHUNK_END);
}

/// Appends the line before a chunk's data, for data that is sent from elsewhere. [`CHUNK_END`]
/// must follow the data.
pub fn chunk_head(out: &mut Vec<u8>, data_bytes: NonZeroU64) {
    let digits = 16 - data_bytes.leading_zeros() / 4;
    for digit in (0..digits).rev() {
        let value = (data_bytes.get() >> (4 * digit)) & 0xf;
        out.push(b"0123456789abcdef"[value as usize]);
    }
    out.extend_from_slice(CHUNK_END);
}

/// Appends the last chunk, the trailer fields and the end of the body. Fields that may not be
/// trailers (RFC 9110 §6.5.1) are skipped.
pub fn last_chunk<'a>(
    out: &mut Vec<u8>,
    trailers: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        if !is_forbidden_trailer(name) {
            field_name(out, name.as_str());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a field name with capitals, as people and old clients expect them.
#[inline]
fn field_name(out: &mut Vec<u8>, name: &str) {
    let start = out.len();
    out.extend_from_slice(name.as_bytes());
    let mut begins_word = true;
    for octet in &mut out[start..] {
        if begins_word {
            octet.make_ascii_uppercase();
        }
        begins_word = *octet == b'-';
    }
}

/// Appends the status line and its CR LF.
#[inline]
fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    match known_status_line(status.as_u16()) {
        Some(line) => out.extend_from_slice(line),
        None => {
            // RFC 9112 §4: the space after the code stays even where no reason follows.
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[inline]
fn known_status_line(code: u16) -> Option<&'static [u8]> {
    Some(match code {
        200 => b"HTTP/1.1 200 OK\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        405 => b"HTTP/1.1 405 Method Not Allowed\r\n",
        500 => b"HTTP/1.1 500 Internal Server Error\r\n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
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
                format!(
                    "HTTP/1.1 426 Upgrade Required\r\n{DATE}Server: corelane\r\n{fields}\r\n\r\n"
                )
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
}
