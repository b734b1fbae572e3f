//! A response as handlers make it: status, fields and content. Framing it is the encoder's work.

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, StatusCode};

use super::body::Body;
use super::error::Error;
use super::headers::Headers;

/// The media type of text made by this server.
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What a handler answers.
///
/// Date, Connection and the framing fields are not its business: the connection adds them, and
/// leaves the content out where the request or the status has none.
#[derive(Debug)]
pub struct Response {
    /// The status; 200 unless set.
    pub status: StatusCode,
    /// The fields, in the order in which they are sent.
    pub headers: Headers,
    /// The content.
    pub body: Body,
    /// Why this is an error response, for the log alone.
    failure: Option<Error>,
}

impl Response {
    /// A response with `status`, without fields and content.
    pub const fn new(status: StatusCode) -> Response {
        Response {
            status,
            headers: Headers::new(),
            body: Body::Empty,
            failure: None,
        }
    }

    /// A 200 response whose content is `body`, of the media type `content_type`.
    #[inline]
    pub fn with_content(content_type: HeaderValue, body: impl Into<Body>) -> Response {
        let mut response = Response::new(StatusCode::OK);
        response.headers.append(CONTENT_TYPE, content_type);
        response.body = body.into();
        response
    }

    /// An error response for people: the status and `detail`, which may be empty, as a line of
    /// text, like `404 Not Found`.
    ///
    /// `detail` is sent to the peer, so it says nothing of the server's inside.
    pub fn error(status: StatusCode, detail: &str) -> Response {
        let code = status.as_str();
        let reason = status.canonical_reason().unwrap_or("Error");
        let separator = if detail.is_empty() { "" } else { ": " };
        let line = [code, " ", reason, separator, detail, "\n"].concat();
        let mut response = Response::with_content(TEXT, line);
        response.status = status;
        response
    }

    /// This response with the field `name` set to `value`, in place of others of that name.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Response {
        self.headers.insert(name, value);
        self
    }

    /// This response with `body` as its content.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Response {
        self.body = body.into();
        self
    }

    /// This response with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Response {
        self.status = status;
        self
    }

    /// Remembers `failure` as the reason of this response, for the log.
    #[must_use]
    pub(crate) fn because(mut self, failure: Error) -> Response {
        self.failure = Some(failure);
        self
    }

    /// The error that a handler returned, if this response was made from one. It is for the log
    /// and never for the peer.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn error_responses_are_a_line_of_text() {
        let cases = [
            (404, "", "404 Not Found\n"),
            (400, "No such thing.", "400 Bad Request: No such thing.\n"),
            (599, "", "599 Error\n"),
        ];
        for (code, detail, expected) in cases {
            let status = StatusCode::from_u16(code).unwrap();
            let response = Response::error(status, detail);
            assert_eq!(response.status, status);
            assert_eq!(response.headers.get(&CONTENT_TYPE), Some(&TEXT));
            assert_eq!(block_on(response.body.collect(100)).unwrap(), expected);
            assert!(response.failure.is_none());
        }
    }
}
