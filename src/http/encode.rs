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

/// The lines of `fields` for many responses that have the same, each behind the end of the line before it;
/// `None` if [`response_head`] decides about one of them for each response.
pub fn field_lines<'a>(
    fields: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) -> Option<Vec<u8>> {
    let mut lines = Vec::new();
    for (name, value) in fields {
        match *name {
            CONTENT_LENGTH | TRANSFER_ENCODING | DATE | TRAILER | CONNECTION | SERVER | UPGRADE => {
                return None;
            }
            _ => field_line(&mut lines, name, value),
        }
    }
    Some(lines)
}

/// Appends the status line and all fields of a response, to the empty line: first those that are in
/// `lines` ([`field_lines`]).
///
/// Content-Length, Transfer-Encoding, Connection and Date are this function's to write; such
/// fields among `fields` are skipped, but for options of Connection that are not about its end. A
/// Server among them takes the place of the preamble's; an Upgrade among them is named in
/// Connection. A Trailer among them is skipped where no trailers can follow.
/// A 1xx or 204 gets no framing fields, whatever `framing` is (RFC 9110 §8.6, RFC 9112 §6.1).
pub fn response_head<'a>(
    out: &mut Vec<u8>,
    status: StatusCode,
    lines: &[u8],
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
    out.extend_from_slice(lines);
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
        field_line(out, name, value);
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

/// Appends a field, behind the end of the line before it.
#[inline]
fn field_line(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(b"\r\n");
    field_name(out, name.as_str());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
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
mod tests;
