//! A response to a test's client, and how it is read.

use crate::http::{BodyDecoder, BodyLimits, Framing};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;

/// The most fields that a response may have.
const FIELDS: usize = 100;

/// A response, whole.
#[derive(Clone)]
pub struct TestResponse {
    status: StatusCode,
    fields: Vec<(HeaderName, HeaderValue)>,
    content: Vec<u8>,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The first field called `name`, in any case, if it is there and is ASCII text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = name.as_ref();
        let is_name = |(other, _): &&(HeaderName, _)| other.as_str().eq_ignore_ascii_case(name);
        self.fields.iter().find(is_name)?.1.to_str().ok()
    }

    /// All fields, in the order received.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.content
    }

    /// The content as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.content) {
            Ok(text) => text,
            Err(error) => panic!("the content is no text: {error}"),
        }
    }

    /// The content, read as JSON.
    ///
    /// # Panics
    /// If it is none, or not that of a `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.content) {
            Ok(value) => value,
            Err(error) => panic!("the content cannot be read as JSON: {error}: {self:?}"),
        }
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("content", &String::from_utf8_lossy(&self.content))
            .finish()
    }
}

/// The response at the front of `bytes`, how many of them it takes, and whether it is the last of
/// its connection; `None` if more is needed. `is_whole` says that no more will come.
pub(super) fn read(
    bytes: &[u8],
    is_head: bool,
    is_whole: bool,
) -> io::Result<Option<(TestResponse, usize, bool)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let taken = match head.parse(bytes).map_err(malformed)? {
        httparse::Status::Complete(taken) => taken,
        httparse::Status::Partial => return Ok(None),
    };
    let status = StatusCode::from_u16(head.code.unwrap_or(0)).map_err(malformed)?;
    let rest = &bytes[taken..];
    let is_switched = status == StatusCode::SWITCHING_PROTOCOLS;
    if status.is_informational() && !is_switched {
        let final_one = read(rest, is_head, is_whole)?;
        return Ok(final_one.map(|(response, more, is_last)| (response, taken + more, is_last)));
    }
    let mut fields = Vec::new();
    for field in &*head.headers {
        let name = HeaderName::try_from(field.name).map_err(malformed)?;
        fields.push((
            name,
            HeaderValue::from_bytes(field.value).map_err(malformed)?,
        ));
    }
    let mut response = TestResponse {
        status,
        fields,
        content: Vec::new(),
    };
    // What follows a switch is no HTTP.
    let is_last = is_switched || response.header("connection") == Some("close");
    let has_none = is_head || matches!(status.as_u16(), 101 | 204 | 304);
    let framing = match response.header("content-length").map(str::parse) {
        _ if has_none => Framing::None,
        _ if response.header("transfer-encoding") == Some("chunked") => Framing::Chunked,
        Some(length) => Framing::Length(length.map_err(malformed)?),
        // RFC 9112 §6.3: it ends with the connection.
        None if !is_whole => return Ok(None),
        None => Framing::Length(rest.len() as u64),
    };
    let limits = BodyLimits::default().with_content_bytes(u64::MAX);
    let mut decoder = BodyDecoder::new(framing, &limits).map_err(malformed)?;
    let mut at = 0;
    while !decoder.is_complete() {
        let input = &rest[at..];
        if input.is_empty() {
            return Ok(None);
        }
        let decoded = decoder.decode(input).map_err(malformed)?;
        response.content.extend_from_slice(&input[decoded.data]);
        at += decoded.consumed;
    }
    Ok(Some((response, taken + at, is_last || is_whole)))
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_however_they_end() {
        let head = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
        let table = [
            (head("Content-Length: 2\r\n\r\nab"), "ab", false),
            (head("Content-Length: 0\r\n\r\n"), "", false),
            (
                head("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
                "ab",
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "", false),
            (
                "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(),
                "",
                true,
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 1\r\n\r\na"
                    .to_owned(),
                "a",
                false,
            ),
            (
                head("Connection: close\r\nContent-Length: 1\r\n\r\na"),
                "a",
                true,
            ),
        ];
        for (message, content, is_last) in table {
            let bytes = message.as_bytes();
            for cut in 0..bytes.len() {
                assert!(
                    read(&bytes[..cut], false, false).unwrap().is_none(),
                    "{message:?} {cut}"
                );
            }
            let followed = [bytes, b"HTTP"].concat();
            let (response, taken, last) = read(&followed, false, false).unwrap().unwrap();
            assert_eq!(
                (response.text(), taken, last),
                (content, bytes.len(), is_last)
            );
        }
        let until_close = head("\r\nab");
        assert!(
            read(until_close.as_bytes(), false, false)
                .unwrap()
                .is_none()
        );
        let (response, ..) = read(until_close.as_bytes(), false, true).unwrap().unwrap();
        assert_eq!(response.text(), "ab");
        let to_head = head("Content-Length: 9\r\n\r\n");
        assert!(read(to_head.as_bytes(), true, false).unwrap().is_some());
        let (cut, malformed) = (
            head("Content-Length: 9\r\n\r\na"),
            head("Content-Length: x\r\n\r\n"),
        );
        assert!(read(cut.as_bytes(), false, true).unwrap().is_none());
        assert!(read(malformed.as_bytes(), false, false).is_err());
    }
}
