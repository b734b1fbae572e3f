//! A response to a test's client, and how it is read.

use crate::http::{BodyDecoder, BodyLimits, Framing};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;

/// The most fields that a response may have.
const FIELDS: usize = 100;

/// The longest head of a response, with those of interim ones before it.
const HEAD_BYTES: usize = 1 << 20;

/// A response, whole.
#[derive(Clone)]
pub struct TestResponse {
    status: StatusCode,
    fields: Vec<(HeaderName, HeaderValue)>,
    pub(super) content: Vec<u8>,
    trailers: Vec<(HeaderName, HeaderValue)>,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The first field called `name`, in any case, if it is there and is ASCII text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        text_of(&self.fields, name.as_ref())
    }

    /// All fields, in the order received.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// The first field called `name`, in any case, behind chunked content (RFC 9112 §7.1.2), if it is
    /// there and is ASCII text.
    pub fn trailer(&self, name: impl AsRef<str>) -> Option<&str> {
        text_of(&self.trailers, name.as_ref())
    }

    /// All fields behind the content, in the order received.
    pub fn trailers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.trailers.iter().map(|(name, value)| (name, value))
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

fn text_of<'a>(fields: &'a [(HeaderName, HeaderValue)], name: &str) -> Option<&'a str> {
    let is_name = |(other, _): &&(HeaderName, _)| other.as_str().eq_ignore_ascii_case(name);
    fields.iter().find(is_name)?.1.to_str().ok()
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("content", &String::from_utf8_lossy(&self.content))
            .field("trailers", &self.trailers)
            .finish()
    }
}

/// The head of the response at the front of `bytes`, behind those of interim ones, and how many of them
/// all of these take; `None` if more is needed.
pub(super) fn read_head(bytes: &[u8]) -> io::Result<Option<(TestResponse, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let taken = match head.parse(bytes).map_err(malformed)? {
        httparse::Status::Complete(taken) => taken,
        httparse::Status::Partial if bytes.len() <= HEAD_BYTES => return Ok(None),
        httparse::Status::Partial => return Err(malformed("the head does not end")),
    };
    let status = StatusCode::from_u16(head.code.unwrap_or(0)).map_err(malformed)?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        let final_one = read_head(&bytes[taken..])?;
        return Ok(final_one.map(|(response, more)| (response, taken + more)));
    }
    let mut fields = Vec::new();
    for field in &*head.headers {
        let name = HeaderName::try_from(field.name).map_err(malformed)?;
        fields.push((
            name,
            HeaderValue::from_bytes(field.value).map_err(malformed)?,
        ));
    }
    let response = TestResponse {
        status,
        fields,
        content: Vec::new(),
        trailers: Vec::new(),
    };
    Ok(Some((response, taken)))
}

/// The content of a response while it is read.
pub(super) struct Content {
    /// `None` where it ends with the connection (RFC 9112 §6.3).
    decoder: Option<BodyDecoder>,
    is_whole: bool,
    is_last: bool,
}

impl Content {
    /// The content behind the head of `response`.
    pub(super) fn of(response: &TestResponse, is_head: bool) -> io::Result<Content> {
        let status = response.status.as_u16();
        let has_none = is_head || matches!(status, 101 | 204 | 304);
        let framing = match response.header("content-length").map(str::parse) {
            _ if has_none => Some(Framing::None),
            _ if response.header("transfer-encoding") == Some("chunked") => Some(Framing::Chunked),
            Some(length) => Some(Framing::Length(length.map_err(malformed)?)),
            None => None,
        };
        let limits = BodyLimits::default().with_content_bytes(u64::MAX);
        let decoder = framing.map(|framing| BodyDecoder::new(framing, &limits));
        // What follows a switch is no HTTP.
        let is_last = status == 101 || response.header("connection") == Some("close");
        let is_last = is_last || framing.is_none();
        Ok(Content {
            decoder: decoder.transpose().map_err(malformed)?,
            is_whole: false,
            is_last,
        })
    }

    pub(super) fn is_whole(&self) -> bool {
        let is_complete = self.decoder.as_ref().is_some_and(BodyDecoder::is_complete);
        self.is_whole || is_complete
    }

    /// Whether nothing more is answered on its connection.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Takes what comes next from `received`, which is not empty, and so is what there is of it, unless
    /// it was no content.
    pub(super) fn take(&mut self, received: &mut BytesMut) -> io::Result<Bytes> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(received.split().freeze());
        };
        let decoded = decoder.decode(received).map_err(malformed)?;
        let taken = received.split_to(decoded.consumed).freeze();
        Ok(taken.slice(decoded.data))
    }

    /// The connection has ended.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.is_whole = self.decoder.is_none();
        match self.is_whole() {
            true => Ok(()),
            false => Err(ended()),
        }
    }

    /// Gives `response` the fields that came behind the content.
    pub(super) fn finish(&mut self, response: &mut TestResponse) {
        if let Some(decoder) = self
            .decoder
            .as_mut()
            .filter(|decoder| decoder.is_complete())
        {
            response.trailers.append(&mut decoder.take_trailers());
        }
    }
}

/// The connection ended within a response.
pub(super) fn ended() -> io::Error {
    let what = "the connection ended before the response did";
    io::Error::new(io::ErrorKind::UnexpectedEof, what)
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The response in `bytes`, how many of them it takes, and whether it is the last of its connection;
    /// `None` if more is needed. `is_whole` says that no more will come.
    fn read(
        bytes: &[u8],
        is_head: bool,
        is_whole: bool,
    ) -> io::Result<Option<(TestResponse, usize, bool)>> {
        let Some((mut response, taken)) = read_head(bytes)? else {
            return Ok(None);
        };
        let mut content = Content::of(&response, is_head)?;
        let mut rest = BytesMut::from(&bytes[taken..]);
        while !content.is_whole() {
            if !rest.is_empty() {
                let piece = content.take(&mut rest)?;
                response.content.extend_from_slice(&piece);
            } else if !is_whole || content.end().is_err() {
                return Ok(None);
            }
        }
        content.finish(&mut response);
        Ok(Some((
            response,
            bytes.len() - rest.len(),
            content.is_last(),
        )))
    }

    #[test]
    fn trailers_are_kept() {
        let message = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            1\r\na\r\n0\r\nDigest: x\r\nB: 1\r\nB: 2\r\n\r\n";
        let (response, ..) = read(message, false, false).unwrap().unwrap();
        assert_eq!(response.text(), "a");
        assert_eq!(response.trailer("digest"), Some("x"));
        assert_eq!(response.trailers().count(), 3);
        assert_eq!(response.header("digest"), None);
    }

    #[test]
    fn a_head_that_does_not_end_is_refused() {
        let head = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(HEAD_BYTES - 20));
        assert_eq!(head.len(), HEAD_BYTES);
        assert!(read(head.as_bytes(), false, false).unwrap().is_none());
        let head = format!("{head}a");
        assert!(read(head.as_bytes(), false, false).is_err());
    }

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
