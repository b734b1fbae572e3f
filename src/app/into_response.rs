//! Which values a handler may return, and the response that each becomes.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::error::Error;
use super::response::{Response, TEXT};

/// The media type of bytes of which nothing is known.
const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What JSON is serialized into at first, in bytes: small answers grow no further.
const JSON_RESERVE_BYTES: usize = 128;

/// Something that a handler may return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned by a handler",
    label = "does not become a response",
    note = "return text, bytes, `Json(value)`, `Html(text)`, a `Body`, a `Redirect`, `Sse`, a `StatusCode`, \
            `(StatusCode, value)`, a `Response`, or a `Result` or an `Option` of these"
)]
pub trait IntoResponse {
    /// The response that this value stands for.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}

/// 204 (No Content).
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(StatusCode::NO_CONTENT)
    }
}

/// 200 with text.
impl IntoResponse for &'static str {
    #[inline]
    fn into_response(self) -> Response {
        Response::with_content(TEXT, self)
    }
}

/// 200 with text.
impl IntoResponse for String {
    #[inline]
    fn into_response(self) -> Response {
        Response::with_content(TEXT, self)
    }
}

/// 200 with text.
impl IntoResponse for Box<str> {
    fn into_response(self) -> Response {
        Response::with_content(TEXT, self)
    }
}

/// 200 with text.
impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        Response::with_content(TEXT, self)
    }
}

/// 200 with bytes of an unknown media type.
impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::with_content(OCTET_STREAM, self)
    }
}

/// 200 with bytes of an unknown media type.
impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        Response::with_content(OCTET_STREAM, self)
    }
}

/// 200 with bytes of an unknown media type.
impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        Response::with_content(OCTET_STREAM, self)
    }
}

/// 200 with bytes of an unknown media type.
impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::with_content(OCTET_STREAM, self)
    }
}

/// A status alone; an error status (4xx, 5xx) comes with a line of text for people.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        if self.is_client_error() || self.is_server_error() {
            Response::error(self, "")
        } else {
            Response::new(self)
        }
    }
}

/// The value's response with another status.
impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        let (status, value) = self;
        value.into_response().with_status(status)
    }
}

/// The value's response with another status and more fields, in place of its own of those names;
/// a name may be repeated.
impl<const N: usize, T> IntoResponse for (StatusCode, [(HeaderName, HeaderValue); N], T)
where
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        let (status, fields, value) = self;
        (fields, value).into_response().with_status(status)
    }
}

/// The value's response with more fields, in place of its own of those names; a name may be
/// repeated.
impl<const N: usize, T> IntoResponse for ([(HeaderName, HeaderValue); N], T)
where
    T: IntoResponse,
{
    fn into_response(self) -> Response {
        let (fields, value) = self;
        let mut response = value.into_response();
        for (name, _) in &fields {
            response.headers.remove(name);
        }
        for (name, value) in fields {
            response.headers.append(name, value);
        }
        response
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    #[inline]
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

/// The value's response, or 404 where there is none.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(value) => value.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// Text that is sent as an HTML page. Nothing in it is escaped.
#[derive(Debug, Clone, Copy)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::with_content(HTML, self.0)
    }
}

/// A value that is sent as JSON.
///
/// A value that cannot be serialized (a map whose keys are not text, say) is answered with 500.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut content = Vec::with_capacity(JSON_RESERVE_BYTES);
        match serde_json::to_writer(&mut content, &self.0) {
            Ok(()) => Response::with_content(JSON, content),
            Err(error) => Error::from(error).into_response(),
        }
    }
}

/// The status and the public message as a line of text; the error itself is kept for the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Response::error(self.status(), self.public_message()).because(self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_lite::future::block_on;
    use http::header::{CONTENT_TYPE, ETAG, SET_COOKIE};

    use super::*;
    use crate::http::ErrorForm;

    fn value(text: &'static str) -> HeaderValue {
        HeaderValue::from_static(text)
    }

    /// Status, content type and content, of an error as text.
    fn parts(mut response: Response) -> (u16, Option<String>, Bytes) {
        response.explain(|| Some(ErrorForm::Text));
        let content_type = response.headers.get(&CONTENT_TYPE);
        (
            response.status.as_u16(),
            content_type.map(|value| value.to_str().unwrap().to_owned()),
            block_on(response.body.collect(1000)).unwrap(),
        )
    }

    #[test]
    fn values_and_their_responses() {
        const PLAIN: Option<&str> = Some("text/plain; charset=utf-8");
        const OCTETS: Option<&str> = Some("application/octet-stream");
        const JSON: Option<&str> = Some("application/json");
        const PAGE: Option<&str> = Some("text/html; charset=utf-8");
        let unserializable = Json(BTreeMap::from([((1, 2), 3)]));
        let cases = [
            (().into_response(), (204, None, "")),
            ("héllo".into_response(), (200, PLAIN, "héllo")),
            (String::from("a").into_response(), (200, PLAIN, "a")),
            (Bytes::from("a").into_response(), (200, OCTETS, "a")),
            (vec![b'a'].into_response(), (200, OCTETS, "a")),
            (Box::<str>::from("a").into_response(), (200, PLAIN, "a")),
            (Cow::Borrowed("a").into_response(), (200, PLAIN, "a")),
            (
                Cow::<str>::Owned("a".into()).into_response(),
                (200, PLAIN, "a"),
            ),
            ((&b"a"[..]).into_response(), (200, OCTETS, "a")),
            (Body::from("a").into_response(), (200, OCTETS, "a")),
            (Html("<a>").into_response(), (200, PAGE, "<a>")),
            (Some("a").into_response(), (200, PLAIN, "a")),
            (
                None::<&str>.into_response(),
                (404, PLAIN, "404 Not Found\n"),
            ),
            (Json([1, 2]).into_response(), (200, JSON, "[1,2]")),
            (
                unserializable.into_response(),
                (500, PLAIN, "500 Internal Server Error\n"),
            ),
            (StatusCode::ACCEPTED.into_response(), (202, None, "")),
            (StatusCode::GONE.into_response(), (410, PLAIN, "410 Gone\n")),
            (
                (StatusCode::CREATED, "a").into_response(),
                (201, PLAIN, "a"),
            ),
            ((StatusCode::GONE, ()).into_response(), (410, None, "")),
            (
                (StatusCode::OK, [(CONTENT_TYPE, value("a/b"))], "c").into_response(),
                (200, Some("a/b"), "c"),
            ),
            (
                ([(CONTENT_TYPE, value("a/b"))], "c").into_response(),
                (200, Some("a/b"), "c"),
            ),
            (Ok::<_, Error>("a").into_response(), (200, PLAIN, "a")),
            (
                Err::<(), _>(StatusCode::CONFLICT).into_response(),
                (409, PLAIN, "409 Conflict\n"),
            ),
            (
                Err::<(), _>(Error::new(StatusCode::NOT_FOUND, "No such note.")).into_response(),
                (404, PLAIN, "404 Not Found: No such note.\n"),
            ),
        ];
        for (response, (status, content_type, content)) in cases {
            let expected = (status, content_type.map(str::to_owned), content.into());
            assert_eq!(parts(response), expected);
        }
    }

    #[test]
    fn fields_of_a_tuple_replace_and_repeat() {
        let fields = [
            (SET_COOKIE, value("a")),
            (CONTENT_TYPE, value("t/u")),
            (SET_COOKIE, value("b")),
        ];
        let inner = "x".into_response().with_header(ETAG, value("e"));
        let response = (StatusCode::OK, fields, inner).into_response();
        let lines: Vec<_> = response.headers.iter().map(|(_, value)| value).collect();
        assert_eq!(lines, ["e", "a", "t/u", "b"]);
    }

    #[test]
    fn the_error_is_kept_for_the_log() {
        let response = Error::from(std::io::Error::other("disk on fire")).into_response();
        assert_eq!(response.failure().unwrap().to_string(), "disk on fire");
        let (_, _, content) = parts(response);
        assert_eq!(content, "500 Internal Server Error\n");
    }
}
