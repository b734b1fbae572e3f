//! What a request says, as types of the program: its query, JSON and forms by serde, its path's
//! segments, its conditions and ranges. Cookies are in `cookies.rs`.

use std::borrow::Cow;
use std::fmt::Display;

use http::StatusCode;
use serde::de::DeserializeOwned;

use super::error::{Error, Result};
use super::path;
use super::request::Request;
use crate::http::{Selection, Validators, Verdict};

/// The most that a peer is told of why its content does not fit, in bytes: such texts repeat what
/// it sent.
const REASON_BYTES: usize = 200;

impl Request {
    /// The query as a value of the program, such as a struct with a field for each name.
    ///
    /// A name that occurs more than once is a `Vec`; one that may be missing is an `Option` or has
    /// `#[serde(default)]`. No query at all is read as an empty one. Octets that are not UTF-8
    /// become U+FFFD.
    ///
    /// ```
    /// use corelane::{Request, Result};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Page {
    ///     #[serde(default)]
    ///     after: u64,
    ///     #[serde(default)]
    ///     tag: Vec<String>,
    /// }
    ///
    /// /// Answers `/notes?after=20&tag=blue&tag=green`.
    /// async fn notes(request: Request) -> Result<String> {
    ///     let page: Page = request.query()?;
    ///     Ok(format!("after {} with {} tags", page.after, page.tag.len()))
    /// }
    /// ```
    ///
    /// # Errors
    /// 400 with the reason if the query does not fit `T`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T> {
        let query = self.query_str().unwrap_or_default();
        serde_html_form::from_str(query).map_err(|error| misfit("query", error))
    }

    /// All of the content as JSON. It is kept, so asking again gives the same.
    ///
    /// The media type is `application/json` or ends in `+json` (RFC 6839 §3.1), whatever its
    /// parameters: JSON is UTF-8 (RFC 8259 §8.1).
    ///
    /// ```
    /// use corelane::{Json, Request, Result};
    ///
    /// #[derive(serde::Deserialize, serde::Serialize)]
    /// struct Note {
    ///     title: String,
    /// }
    ///
    /// async fn add(mut request: Request) -> Result<Json<Note>> {
    ///     let note: Note = request.json().await?;
    ///     Ok(Json(note))
    /// }
    /// ```
    ///
    /// # Errors
    /// 415 if the media type is another or missing, before anything is read; 400 with the reason,
    /// the line and the column if the content is not JSON or does not fit `T`; those of
    /// [`Request::bytes`].
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        if !self.media_type().is_some_and(is_json) {
            return Err(unsupported("application/json"));
        }
        let content = self.bytes().await?;
        serde_json::from_slice(&content).map_err(|error| misfit("JSON", error))
    }

    /// All of the content as a form (`application/x-www-form-urlencoded`), as [`Request::query`]
    /// reads a query, but strictly by its charset, as [`Request::text`]. It is kept, so asking again
    /// gives the same.
    ///
    /// # Errors
    /// 415 if the media type is another or missing, or the charset not known or none for forms, before
    /// anything is read; 400 with the reason if the content is not text or does not fit `T`; those of
    /// [`Request::bytes`].
    pub async fn form<T: DeserializeOwned>(&mut self) -> Result<T> {
        const FORM: &str = "application/x-www-form-urlencoded";
        if !self
            .media_type()
            .is_some_and(|is| is.eq_ignore_ascii_case(FORM))
        {
            return Err(unsupported(FORM));
        }
        let charset = self.known_charset()?;
        let content = self.bytes().await?;
        let content = charset.form(&content)?;
        serde_html_form::from_bytes(&content).map_err(|error| misfit("form", error))
    }

    /// The media type of the content, without parameters and as it was written, such as
    /// `text/plain`. Names are compared without regard to case (RFC 9110 §8.3.1).
    ///
    /// `None` if there is no Content-Type, or more than one.
    pub fn media_type(&self) -> Option<&str> {
        let mut values = self.head().field_values("content-type");
        let value = std::str::from_utf8(values.next()?).ok()?;
        let essence = value.split(';').next().unwrap_or_default();
        let essence = essence.trim_end_matches([' ', '\t']);
        (values.next().is_none() && !essence.is_empty()).then_some(essence)
    }

    /// The segments of the path, percent-decoded: `/a/b%2Fc` has `a` and `b/c`, `/a/` has `a` and
    /// an empty one, `/` and `*` have none. U+FFFD stands for what is not UTF-8.
    ///
    /// Dot segments are left as they are, and so are slashes that were encoded: a segment is no
    /// safe file name.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let below = self
            .path()
            .strip_prefix('/')
            .filter(|rest| !rest.is_empty());
        below
            .into_iter()
            .flat_map(|rest| rest.split('/'))
            .map(path::text)
    }

    /// Judges the conditions of this request (If-Match, If-None-Match, If-Modified-Since,
    /// If-Unmodified-Since; RFC 9110 §13) by the validators of what it would get or change.
    ///
    /// ```
    /// use corelane::http::{Validators, Verdict};
    /// use corelane::{IntoResponse, Request, Response};
    /// use http::StatusCode;
    ///
    /// async fn note(request: Request) -> Response {
    ///     let validators = Validators { entity_tag: Some("\"7\""), modified: None };
    ///     let response = match request.judge(&validators) {
    ///         Verdict::Perform => "The note".into_response(),
    ///         Verdict::NotModified => Response::new(StatusCode::NOT_MODIFIED),
    ///         Verdict::Failed => return StatusCode::PRECONDITION_FAILED.into_response(),
    ///     };
    ///     response.with_validators(&validators)
    /// }
    /// ```
    pub fn judge(&self, validators: &Validators<'_>) -> Verdict {
        validators.judge(self.head())
    }

    /// Which of `length` bytes this request is to be given, by Range and If-Range (RFC 9110 §14),
    /// once its conditions hold.
    ///
    /// ```
    /// use corelane::http::{Selection, Validators};
    /// use corelane::{IntoResponse, Request, Response};
    /// use http::StatusCode;
    /// use http::header::CONTENT_RANGE;
    ///
    /// async fn digits(request: Request) -> Response {
    ///     let digits = "0123456789";
    ///     let selection = request.select(&Validators::default(), 10);
    ///     let response = match &selection {
    ///         // Who asks for several parts may be given the whole (RFC 9110 §14.2).
    ///         Selection::Whole | Selection::Parts(_) => digits.into_response(),
    ///         Selection::Part(part) => {
    ///             let part = &digits[part.start as usize..part.end as usize];
    ///             (StatusCode::PARTIAL_CONTENT, part).into_response()
    ///         }
    ///         Selection::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
    ///     };
    ///     match selection.content_range(10) {
    ///         Some(value) => response.with_header(CONTENT_RANGE, value),
    ///         None => response,
    ///     }
    /// }
    /// ```
    pub fn select(&self, validators: &Validators<'_>, length: u64) -> Selection {
        validators.select(self.head(), length)
    }
}

/// Whether content of this media type is JSON.
fn is_json(media_type: &str) -> bool {
    const SUFFIX: &[u8] = b"+json";
    let octets = media_type.as_bytes();
    let split = octets.len().saturating_sub(SUFFIX.len());
    media_type.eq_ignore_ascii_case("application/json")
        || split > 0 && octets[split..].eq_ignore_ascii_case(SUFFIX)
}

#[cold]
pub(super) fn unsupported(wanted: &str) -> Error {
    let message = format!("The content must be {wanted}.");
    Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

/// Tells the peer why what it sent does not fit.
#[cold]
fn misfit(what: &str, error: impl Display) -> Error {
    let mut reason = error.to_string();
    if reason.len() > REASON_BYTES {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        reason.push('…');
    }
    let message = format!("The {what} does not fit: {reason}.");
    Error::new(StatusCode::BAD_REQUEST, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_that_are_json() {
        let cases = [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/problem+json", true),
            ("image/x+JSON", true),
            ("+json", false),
            ("json", false),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/json+xml", false),
            ("", false),
        ];
        for (media_type, expected) in cases {
            assert_eq!(is_json(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let whole = "é".repeat(REASON_BYTES / 2);
        let expected = format!("The form does not fit: {whole}.");
        assert_eq!(misfit("form", &whole).public_message(), expected);
        let expected = format!("The form does not fit: {whole}….");
        assert_eq!(
            misfit("form", format!("{whole}x")).public_message(),
            expected
        );
        let odd = format!("x{whole}");
        let kept = &odd[..REASON_BYTES - 1];
        let expected = format!("The form does not fit: {kept}….");
        assert_eq!(misfit("form", &odd).public_message(), expected);
    }
}
