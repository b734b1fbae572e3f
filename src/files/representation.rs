//! What is said of a version of a file, and what part of it a request gets (RFC 9110 §8, §13, §14). It
//! reads no file.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::policy::Policy;
use super::variants::{Variant, Variants};
use crate::app::{Headers, Response};
use crate::http::{
    ContentCoding, HttpDate, IgnoredRange, RequestHead, Selection, Validators, Verdict,
    content_range,
};

/// What decides between the variants of a file.
pub(super) const VARIES: HeaderValue = HeaderValue::from_static("Accept-Encoding");

/// A version of a file, or of a neighbour in its place, as it is told of.
#[derive(Clone, Debug)]
pub(super) struct Representation {
    length: u64,
    media_type: HeaderValue,
    coding: Option<ContentCoding>,
    /// Whether another request may get another variant.
    is_negotiated: bool,
    /// What a 304 says as well.
    fields: Headers,
    /// What the responses say that have content of it.
    described: Headers,
    tag: Option<HeaderValue>,
    modified: Option<SystemTime>,
    /// Whether the date alone proves to a peer that its part is of this version.
    is_dated_strongly: bool,
}

/// What a request gets of a representation.
#[derive(Debug)]
pub(super) enum Outcome {
    /// This response, with nothing of the content.
    Bare(Response),
    /// This response, with the whole content.
    Whole(Response),
    /// This response, with these bytes.
    Part(Response, Range<u64>),
    /// This response, with these parts.
    Parts(Response, Multipart),
}

/// What the conditions and ranges of a request come to.
#[derive(Debug)]
pub(super) enum Judged {
    /// 304: the peer has it.
    NotModified,
    /// 412.
    Failed,
    /// This of it is sent; all of it, where ranges are ignored for this reason.
    Selected(Result<Selection, IgnoredRange>),
}

impl Judged {
    /// Whether all of the content is sent, or a part of it from its beginning on.
    pub(super) fn is_sent_from_start(&self) -> bool {
        match self {
            Self::Selected(Ok(Selection::Part(range))) => range.start == 0,
            Self::Selected(Ok(Selection::Whole) | Err(_)) => true,
            _ => false,
        }
    }
}

/// The parts of a `multipart/byteranges` (RFC 9110 §14.6).
#[derive(Debug)]
pub(super) struct Multipart {
    /// What goes before each part, and the part.
    pub(super) parts: Vec<(String, Range<u64>)>,
    /// What goes behind the last.
    pub(super) end: String,
}

impl Representation {
    /// The `variant` of `variants`, told of at `now`, the time since 1970; `tag` is the entity tag of
    /// its octets.
    ///
    /// Where there are several, their dates are often the same, and so prove nothing of either to who
    /// has a part of it.
    pub(super) fn new(
        policy: &Policy,
        variants: &Variants,
        variant: Variant,
        tag: Option<HeaderValue>,
        now: Duration,
    ) -> Self {
        let relative = variants.relative().to_bytes();
        let Variant {
            coding, version, ..
        } = variant;
        let is_negotiated = variants.is_negotiated();
        let tag = match coding {
            Some(coding) => tag.and_then(|tag| coded_tag(&tag, coding)),
            None => tag,
        };
        let modified = version.modified(now);
        let mut fields = Headers::new();
        let date = modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let date = date.map(|date| HttpDate::from_unix_seconds(date.as_secs()));
        let date = date.and_then(|date| HeaderValue::try_from(date.as_str()).ok());
        fields.extend(date.map(|date| (LAST_MODIFIED, date)));
        fields.extend(tag.clone().map(|tag| (ETAG, tag)));
        let rule = policy.cache_control(relative);
        fields.extend(rule.map(|(_, value)| (CACHE_CONTROL, own_value(value))));
        let rules = policy.response_headers.of(relative).into_iter();
        fields.extend(rules.map(|rule| (own_name(rule.name()), own_value(rule.value()))));
        if is_negotiated {
            fields.append(VARY, VARIES);
        }
        let media_type = match policy.own_media_type(relative) {
            Some(value) => own_value(value),
            None => policy.media_type(relative),
        };
        let mut described = Headers::new();
        described.append(CONTENT_TYPE, media_type.clone());
        let coding_name = coding.map(ContentCoding::name);
        described
            .extend(coding_name.map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
        let told = fields
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        described.extend(told);
        described.append(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Self {
            length: version.length(),
            media_type,
            described: described.shared(),
            coding,
            is_negotiated,
            fields,
            tag,
            modified,
            is_dated_strongly: !is_negotiated && version.is_dated_strongly(now),
        }
    }

    /// This, of so many bytes, where the variant is made and has another length than its file.
    pub(super) fn of_length(self, length: u64) -> Self {
        Self { length, ..self }
    }

    /// Bytes of all of it.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What the request with `head` gets: by conditions and ranges with GET and HEAD alone (RFC 9110
    /// §13.2.1, §14.2). With others, whose handler picked the file, it gets the whole, and nothing that
    /// would be said of what its target is now.
    pub(super) fn answer(&self, head: &RequestHead, boundary: impl FnOnce() -> String) -> Outcome {
        if !matches!(*head.method(), Method::GET | Method::HEAD) {
            return Outcome::Whole(self.of_no_target());
        }
        let selection = match self.judge(head) {
            Judged::NotModified => {
                let mut response = Response::new(StatusCode::NOT_MODIFIED);
                response.headers = self.fields.clone();
                return Outcome::Bare(response);
            }
            Judged::Failed => return Outcome::Bare(self.error(StatusCode::PRECONDITION_FAILED)),
            Judged::Selected(selection) => selection.unwrap_or(Selection::Whole),
        };
        let range = selection.content_range(self.length);
        match selection {
            Selection::Whole => Outcome::Whole(self.response(StatusCode::OK)),
            Selection::Part(part) => {
                let mut response = self.response(StatusCode::PARTIAL_CONTENT);
                response
                    .headers
                    .extend(range.map(|range| (CONTENT_RANGE, range)));
                Outcome::Part(response, part)
            }
            Selection::Parts(parts) => {
                let boundary = boundary();
                let media_type = format!("multipart/byteranges; boundary={boundary}");
                let media_type = HeaderValue::try_from(media_type);
                let media_type = media_type.unwrap_or_else(|_| self.media_type.clone());
                let response = self.response(StatusCode::PARTIAL_CONTENT);
                let response = response.with_header(CONTENT_TYPE, media_type);
                Outcome::Parts(response, self.multipart(parts, &boundary))
            }
            Selection::Unsatisfiable => {
                let mut response = self.error(StatusCode::RANGE_NOT_SATISFIABLE);
                response
                    .headers
                    .extend(range.map(|range| (CONTENT_RANGE, range)));
                Outcome::Bare(response)
            }
        }
    }

    /// What the conditions and ranges of `head` come to, which asks for it with GET or HEAD.
    pub(super) fn judge(&self, head: &RequestHead) -> Judged {
        let entity_tag = self.tag.as_ref().and_then(|tag| tag.to_str().ok());
        let mut validators = Validators {
            entity_tag,
            modified: self.modified,
        };
        match validators.judge(head) {
            Verdict::Perform => {}
            Verdict::NotModified => return Judged::NotModified,
            Verdict::Failed => return Judged::Failed,
        }
        if !self.is_dated_strongly {
            validators.modified = None;
        }
        Judged::Selected(match validators.try_select(head, self.length) {
            // RFC 9110 §14.2 lets a server ignore ranges. It does not say whether the coding is that of
            // the parts or of the multipart, and who reads it has to guess.
            Ok(Selection::Parts(_)) if self.coding.is_some() => Err(IgnoredRange::Coded),
            selected => selected,
        })
    }

    fn response(&self, status: StatusCode) -> Response {
        let mut response = Response::new(status);
        response.headers = self.described.clone();
        response
    }

    /// The response with the whole of what is not the representation of the request's target. RFC 9110
    /// §8.8: its validators would be taken for those of what the request has made.
    fn of_no_target(&self) -> Response {
        let mut response = self.response(StatusCode::OK);
        for name in [&ETAG, &LAST_MODIFIED, &ACCEPT_RANGES] {
            response.headers.remove(name);
        }
        response
    }

    fn error(&self, status: StatusCode) -> Response {
        let mut response = Response::error(status, "");
        if self.is_negotiated {
            response.headers.append(VARY, VARIES);
        }
        response
    }

    fn multipart(&self, parts: Vec<Range<u64>>, boundary: &str) -> Multipart {
        let media_type = String::from_utf8_lossy(self.media_type.as_bytes());
        let head = |(index, range): (usize, Range<u64>)| {
            let line_end = if index == 0 { "" } else { "\r\n" };
            let place = content_range(&range, self.length);
            let head = format!(
                "{line_end}--{boundary}\r\nContent-Type: {media_type}\r\n\
                 Content-Range: {place}\r\n\r\n"
            );
            (head, range)
        };
        Multipart {
            parts: parts.into_iter().enumerate().map(head).collect(),
            end: format!("\r\n--{boundary}--\r\n"),
        }
    }
}

/// The policy's values count their references in memory that all cores share; each response would write
/// to it.
pub(super) fn own_value(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// [`own_value`] of a name.
pub(super) fn own_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).unwrap_or_else(|_| name.clone())
}

/// RFC 9110 §8.8.3.3: the tag of a coded variant is another than that of any other variant, even if
/// somebody made both of one file.
fn coded_tag(tag: &HeaderValue, coding: ContentCoding) -> Option<HeaderValue> {
    let octets = tag.as_bytes().strip_suffix(b"\"")?;
    HeaderValue::from_bytes(&[octets, b"-", coding.name().as_bytes(), b"\""].concat()).ok()
}

#[cfg(test)]
mod tests;
