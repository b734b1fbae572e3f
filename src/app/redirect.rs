//! Redirects: a status and a Location that was checked. Where to, the handler decides.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::error::Error;
use super::into_response::IntoResponse;
use super::response::Response;

/// What stands in no URI reference (RFC 3986 §2) and is sent percent-encoded. A backslash would be
/// taken for a slash by browsers.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// An answer that sends the peer elsewhere.
///
/// The location is a URI or a part of one, such as `/notes/7` (RFC 9110 §10.2.2). What has to be
/// percent-encoded in one is, and what is encoded already stays as it is. One that is empty or has
/// controls in it is the handler's failure: 500, and nothing of it is sent.
///
/// A location that a peer can choose leads wherever it wants: `//example.org` is another host.
///
/// ```
/// use corelane::app::Redirect;
/// use corelane::{App, Request};
///
/// let app = App::new()
///     .post("/notes", |_: Request| async { Redirect::see_other("/notes/7") })
///     .get("/old", |_: Request| async { Redirect::permanent("/new") });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    status: StatusCode,
    /// `None` if it was refused.
    location: Option<HeaderValue>,
}

/// A handler made a redirect to where none can lead.
#[derive(Debug, thiserror::Error)]
#[error("the location of a redirect is empty or has controls in it")]
struct NoLocation;

impl Redirect {
    /// 303 (See Other): what was asked for is done, and its outcome is at `location`, to be fetched
    /// with GET.
    pub fn see_other(location: &str) -> Redirect {
        Redirect::new(StatusCode::SEE_OTHER, location)
    }

    /// 307 (Temporary Redirect): the same request is to be sent to `location`, this time.
    pub fn temporary(location: &str) -> Redirect {
        Redirect::new(StatusCode::TEMPORARY_REDIRECT, location)
    }

    /// 308 (Permanent Redirect): the same request is to be sent to `location`, now and later.
    /// Browsers remember that.
    pub fn permanent(location: &str) -> Redirect {
        Redirect::new(StatusCode::PERMANENT_REDIRECT, location)
    }

    fn new(status: StatusCode, location: &str) -> Redirect {
        let is_one = !location.is_empty() && !location.contains(|c: char| c.is_ascii_control());
        let encoded = is_one.then(|| utf8_percent_encode(location, ENCODED).to_string());
        Redirect {
            status,
            location: encoded.and_then(|text| HeaderValue::try_from(text).ok()),
        }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        match self.location {
            Some(location) => Response::new(self.status).with_header(LOCATION, location),
            None => Error::from(NoLocation).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_and_their_responses() {
        let cases = [
            (Redirect::see_other("/a"), 303, "/a"),
            (Redirect::temporary("/a?b=c#d"), 307, "/a?b=c#d"),
            (
                Redirect::permanent("https://user@[::1]:8/"),
                308,
                "https://user@[::1]:8/",
            ),
            (Redirect::see_other("b/../c;d=e,f"), 303, "b/../c;d=e,f"),
            (Redirect::see_other("/é ü"), 303, "/%C3%A9%20%C3%BC"),
            (Redirect::see_other("/%C3%A9"), 303, "/%C3%A9"),
            (
                Redirect::see_other("/\\example.org"),
                303,
                "/%5Cexample.org",
            ),
            (
                Redirect::see_other("/<\"{|}^`>"),
                303,
                "/%3C%22%7B%7C%7D%5E%60%3E",
            ),
        ];
        for (redirect, status, location) in cases {
            let response = redirect.into_response();
            assert_eq!(response.status.as_u16(), status);
            assert_eq!(response.headers.get(&LOCATION).unwrap(), location);
            assert!(response.body.is_empty());
        }
    }

    #[test]
    fn a_location_that_would_inject_is_a_failure() {
        for location in ["", "/a\r\nSet-Cookie: b=c", "/\n", "\t/a", "/\0", "/\x7f"] {
            let response = Redirect::permanent(location).into_response();
            assert_eq!(response.status.as_u16(), 500, "{location:?}");
            assert!(response.headers.get(&LOCATION).is_none() && response.failure().is_some());
        }
    }
}
