//! What a response says of its content, as values: validators, and a name to be saved under.

use std::time::UNIX_EPOCH;

use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, ETAG, LAST_MODIFIED};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::response::Response;
use crate::http::{HttpDate, Validators};

/// RFC 8187 §3.2.1: all but `attr-char`.
const IN_EXT_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

impl Response {
    /// This response with the ETag and Last-Modified of `validators`, by which
    /// [`Request::judge`](super::Request::judge), which shows both, judges the conditions of later
    /// requests. A tag that is none (RFC 9110 §8.8.3) is left out, as is a time before 1970.
    #[must_use]
    pub fn with_validators(mut self, validators: &Validators<'_>) -> Response {
        if let Some(tag) = validators.entity_tag.filter(|tag| is_entity_tag(tag))
            && let Ok(tag) = HeaderValue::from_str(tag)
        {
            self.headers.insert(ETAG, tag);
        }
        let modified = validators.modified;
        if let Some(since) = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
            let date = HttpDate::from_unix_seconds(since.as_secs());
            if let Ok(date) = HeaderValue::from_bytes(date.as_bytes()) {
                self.headers.insert(LAST_MODIFIED, date);
            }
        }
        self
    }

    /// This response as a file to be saved as `filename` (Content-Disposition, RFC 6266), and not to
    /// be shown.
    ///
    /// Slashes, backslashes and controls in the name become `_`, so that it names a file and no
    /// path. A name beyond ASCII is sent as UTF-8 (RFC 8187), and with `_` in place of what older
    /// clients would not read.
    ///
    /// ```
    /// use corelane::{IntoResponse, Request, Response};
    ///
    /// async fn report(_: Request) -> Response {
    ///     "a;b\n1;2\n".into_response().with_attachment("Übersicht.csv")
    /// }
    /// ```
    #[must_use]
    pub fn with_attachment(mut self, filename: &str) -> Response {
        let is_apart = |c: char| c.is_control() || matches!(c, '/' | '\\');
        let name = filename.replace(is_apart, "_");
        // RFC 6266, appendix D: some clients decode what looks percent-encoded.
        let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '%');
        let plain = name.replace(|c| !is_plain(c), "_");
        let mut value = format!("attachment; filename=\"{plain}\"");
        if plain != name {
            let encoded = utf8_percent_encode(&name, IN_EXT_VALUE);
            value += &format!("; filename*=UTF-8''{encoded}");
        }
        if let Ok(value) = HeaderValue::try_from(value) {
            self.headers.insert(CONTENT_DISPOSITION, value);
        }
        self
    }
}

/// RFC 9110 §8.8.3; what is beyond ASCII is not sent.
fn is_entity_tag(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    let opaque = opaque
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    opaque.is_some_and(|opaque| {
        let is_fit = |octet: u8| octet.is_ascii_graphic() && octet != b'"';
        opaque.bytes().all(is_fit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use std::time::{Duration, SystemTime};

    fn field(response: &Response, name: &http::HeaderName) -> Option<String> {
        let value = response.headers.get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn names_to_save_under() {
        let table = [
            ("a b.txt", "filename=\"a b.txt\""),
            ("", "filename=\"\""),
            ("../a\\b\r\n", "filename=\".._a_b__\""),
            (
                "50%.csv",
                "filename=\"50_.csv\"; filename*=UTF-8''50%25.csv",
            ),
            (
                "a\"b;c'",
                "filename=\"a_b;c'\"; filename*=UTF-8''a%22b%3Bc%27",
            ),
            (
                "é €.pdf",
                "filename=\"_ _.pdf\"; filename*=UTF-8''%C3%A9%20%E2%82%AC.pdf",
            ),
        ];
        for (filename, expected) in table {
            let response = Response::new(StatusCode::OK).with_attachment(filename);
            let expected = format!("attachment; {expected}");
            assert_eq!(field(&response, &CONTENT_DISPOSITION), Some(expected));
        }
    }

    #[test]
    fn validators_as_fields() {
        let then = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        type Case = (
            Option<&'static str>,
            Option<SystemTime>,
            [Option<&'static str>; 2],
        );
        let table: [Case; 9] = [
            (None, None, [None, None]),
            (Some("\"a\""), None, [Some("\"a\""), None]),
            (Some("W/\"\""), Some(then), [Some("W/\"\""), Some(date)]),
            (Some("a"), None, [None, None]),
            (Some("\""), None, [None, None]),
            (Some("\"a b\""), None, [None, None]),
            (Some("\"a\"\""), None, [None, None]),
            (
                Some("w/\"a\""),
                Some(UNIX_EPOCH - Duration::from_secs(1)),
                [None, None],
            ),
            (Some("\"a\r\""), None, [None, None]),
        ];
        for (entity_tag, modified, expected) in table {
            let validators = Validators {
                entity_tag,
                modified,
            };
            let response = Response::new(StatusCode::OK).with_validators(&validators);
            let told = [ETAG, LAST_MODIFIED].map(|name| field(&response, &name));
            let expected = expected.map(|text| text.map(str::to_owned));
            assert_eq!(told, expected, "{entity_tag:?}");
        }
    }
}
