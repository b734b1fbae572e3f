//! A response as handlers make it: status, fields and content. Framing it is the encoder's work.

use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderName, HeaderValue, StatusCode};

use super::body::Body;
use super::error::Error;
use super::explanation::explain;
use super::headers::Headers;
use super::upgrade::Switch;
use crate::http::ErrorForm;

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
    /// What few responses have; boxed, for responses are moved about.
    aside: Option<Box<Aside>>,
}

/// What few responses have beside what is sent.
#[derive(Debug, Default)]
struct Aside {
    /// Why it is an error response, for the log alone.
    failure: Option<Error>,
    /// What the peer may read, in the form that it prefers.
    detail: Option<Box<str>>,
    /// What speaks on the connection once this response has switched its protocol.
    switch: Option<Switch>,
}

impl Response {
    /// A response with `status`, without fields and content.
    pub const fn new(status: StatusCode) -> Response {
        Response {
            status,
            headers: Headers::new(),
            body: Body::Empty,
            aside: None,
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

    /// An error response for people and programs: the status and `detail`, which may be empty.
    ///
    /// It has no content yet. When it is sent it gets some in the form that the request prefers by
    /// its Accept fields: a line of text like `404 Not Found`, an HTML page, or JSON (RFC 9457).
    /// A body that is set meanwhile takes the place of that.
    ///
    /// `detail` is sent to the peer, so it says nothing of the server's inside.
    pub fn error(status: StatusCode, detail: &str) -> Response {
        let mut response = Response::new(status);
        response.aside = Some(Box::new(Aside {
            detail: Some(detail.into()),
            ..Aside::default()
        }));
        response
    }

    /// Writes an error that has no content yet in the `form` that its request prefers, or as text
    /// where that is not known; any other response is left as it is.
    #[inline]
    pub fn explain(&mut self, form: impl FnOnce() -> Option<ErrorForm>) {
        if self.aside.is_some() {
            self.explain_error(form);
        }
    }

    #[cold]
    fn explain_error(&mut self, form: impl FnOnce() -> Option<ErrorForm>) {
        let detail = self.aside.as_mut().and_then(|aside| aside.detail.take());
        if let (Some(detail), Body::Empty) = (detail, &self.body) {
            let form = form();
            let (content_type, content) = explain(self.status, &detail, form.unwrap_or_default());
            self.headers.insert(CONTENT_TYPE, content_type);
            if form.is_some() {
                // Errors are kept by caches, too (RFC 9110 §15.1).
                self.headers
                    .append(VARY, HeaderValue::from_static("Accept"));
            }
            self.body = content.into();
        }
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
        self.aside.get_or_insert_default().failure = Some(failure);
        self
    }

    /// This response, behind which `switch` gets the connection.
    #[must_use]
    pub(super) fn switching(mut self, switch: Switch) -> Response {
        self.aside.get_or_insert_default().switch = Some(switch);
        self
    }

    /// Whether something is to get the connection behind this response.
    pub(crate) fn is_switching(&self) -> bool {
        self.aside
            .as_ref()
            .is_some_and(|aside| aside.switch.is_some())
    }

    /// What is to get the connection behind this response.
    pub(crate) fn take_switch(&mut self) -> Option<Switch> {
        self.aside.as_mut()?.switch.take()
    }

    /// The error that a handler returned, if this response was made from one. It is for the log
    /// and never for the peer.
    pub fn failure(&self) -> Option<&Error> {
        self.aside.as_ref()?.failure.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;

    use super::*;

    #[test]
    fn an_error_is_explained_once_and_in_the_form_that_is_wanted() {
        let mut response = Response::error(StatusCode::NOT_FOUND, "Gone fishing.");
        assert!(response.body.is_empty() && response.failure().is_none());
        response.explain(|| Some(ErrorForm::Text));
        response.explain(|| Some(ErrorForm::Html));
        assert_eq!(response.headers.get(&CONTENT_TYPE), Some(&TEXT));
        assert_eq!(response.headers.get_all(&VARY).count(), 1);
        let content = block_on(response.body.collect(100)).unwrap();
        assert_eq!(content, "404 Not Found: Gone fishing.\n");
        // Where nothing was chosen, nothing varies.
        let mut response = Response::error(StatusCode::NOT_FOUND, "");
        response.explain(|| None);
        assert_eq!(response.headers.get(&CONTENT_TYPE), Some(&TEXT));
        assert_eq!(response.headers.get(&VARY), None);
    }

    #[test]
    fn content_that_was_set_is_left_alone() {
        let mut response = Response::error(StatusCode::NOT_FOUND, "").with_body("mine");
        response.explain(|| Some(ErrorForm::Json));
        assert!(response.headers.is_empty());
        assert_eq!(block_on(response.body.collect(100)).unwrap(), "mine");
        let mut response = Response::new(StatusCode::NOT_FOUND);
        response.explain(|| Some(ErrorForm::Json));
        assert!(response.body.is_empty() && response.headers.is_empty());
    }
}
