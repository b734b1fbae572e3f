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
    ContentCoding, HttpDate, RequestHead, Selection, Validators, Verdict, content_range,
};

/// What decides between the variants of a file.
const VARIES: HeaderValue = HeaderValue::from_static("Accept-Encoding");

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
        Self {
            length: version.length(),
            media_type: match policy.own_media_type(relative) {
                Some(value) => own_value(value),
                None => policy.media_type(relative),
            },
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
        let entity_tag = self.tag.as_ref().and_then(|tag| tag.to_str().ok());
        let mut validators = Validators {
            entity_tag,
            modified: self.modified,
        };
        match validators.judge(head) {
            Verdict::Perform => {}
            Verdict::NotModified => {
                let mut response = Response::new(StatusCode::NOT_MODIFIED);
                response.headers = self.fields.clone();
                return Outcome::Bare(response);
            }
            Verdict::Failed => {
                return Outcome::Bare(self.error(StatusCode::PRECONDITION_FAILED));
            }
        }
        if !self.is_dated_strongly {
            validators.modified = None;
        }
        let selection = match validators.select(head, self.length) {
            // RFC 9110 §14.2 lets a server ignore ranges. It does not say whether the coding is that of
            // the parts or of the multipart, and who reads it has to guess.
            Selection::Parts(_) if self.coding.is_some() => Selection::Whole,
            selection => selection,
        };
        let range = selection.content_range(self.length);
        match selection {
            Selection::Whole => Outcome::Whole(self.response(StatusCode::OK, &self.media_type)),
            Selection::Part(part) => {
                let mut response = self.response(StatusCode::PARTIAL_CONTENT, &self.media_type);
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
                let response = self.response(StatusCode::PARTIAL_CONTENT, &media_type);
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

    fn response(&self, status: StatusCode, media_type: &HeaderValue) -> Response {
        let mut response = Response::new(status);
        let fields = &mut response.headers;
        fields.append(CONTENT_TYPE, media_type.clone());
        let coding = self.coding.map(ContentCoding::name);
        fields.extend(coding.map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
        fields.extend(
            self.fields
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        fields.append(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    }

    /// The response with the whole of what is not the representation of the request's target. RFC 9110
    /// §8.8: its validators would be taken for those of what the request has made.
    fn of_no_target(&self) -> Response {
        let mut response = self.response(StatusCode::OK, &self.media_type);
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
mod tests {
    use super::*;
    use crate::files::decision::Seen;
    use crate::files::version::Version;
    use crate::http::{HeadLimits, HeadParser};

    const NOW: Duration = Duration::from_secs(784_111_877);
    /// A hundred seconds before.
    const CHANGED: Duration = Duration::from_secs(784_111_777);
    const TAG: &str = "\"a\"";

    /// A file with these neighbours, each of another length.
    fn variants(changed: Duration, codings: &[ContentCoding]) -> Variants {
        let mut variants = Variants::new(c"a.txt".to_owned(), Version::made(1, 1000, changed));
        for &coding in codings {
            let length = 500 + coding as u64;
            let seen = Seen::File(Version::made(2, length, changed));
            assert!(variants.saw(Some(coding), seen));
        }
        variants
    }

    fn answer(changed: Duration, fields: &str) -> Outcome {
        answer_of(&variants(changed, &[]), fields)
    }

    fn answer_of(variants: &Variants, fields: &str) -> Outcome {
        answer_to("GET", variants, fields)
    }

    fn answer_to(method: &str, variants: &Variants, fields: &str) -> Outcome {
        let mut policy = Policy {
            cache_control: vec![(
                "*.txt".parse().unwrap(),
                HeaderValue::from_static("max-age=5"),
            )],
            ..Policy::default()
        };
        for rule in [
            "*.txt=X-A: b",
            "*.css=X-C: d",
            "/**=Content-Security-Policy: e",
        ] {
            policy.response_headers.add(rule).unwrap();
        }
        let bytes = format!("{method} /a.txt HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let parsed = HeadParser::default().parse(bytes.as_bytes(), &HeadLimits::default());
        let (head, _) = parsed.unwrap().unwrap();
        let tag = Some(HeaderValue::from_static(TAG));
        let variant = variants.choose(&head);
        let representation = Representation::new(&policy, variants, variant, tag, NOW);
        representation.answer(&head, || "BOUNDARY".to_owned())
    }

    fn lines(response: &Response) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        response.headers.iter().map(line).collect()
    }

    #[test]
    fn what_is_said_of_the_whole_of_a_part_and_of_nothing_new() {
        let said = [
            "content-type: text/plain; charset=utf-8",
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
            "etag: \"a\"",
            "cache-control: max-age=5",
            "x-a: b",
            "content-security-policy: e",
            "accept-ranges: bytes",
        ];
        match answer(CHANGED, "") {
            Outcome::Whole(response) => assert_eq!(lines(&response), said),
            other => panic!("{other:?}"),
        }
        match answer(CHANGED, "Range: bytes=0-9\r\n") {
            Outcome::Part(response, part) => {
                assert_eq!((response.status.as_u16(), part), (206, 0..10));
                let mut said = said.to_vec();
                said.push("content-range: bytes 0-9/1000");
                assert_eq!(lines(&response), said);
            }
            other => panic!("{other:?}"),
        }
        match answer(CHANGED, "If-None-Match: \"a\"\r\n") {
            Outcome::Bare(response) => {
                assert_eq!(response.status, 304);
                assert_eq!(lines(&response), said[1..6]);
            }
            other => panic!("{other:?}"),
        }
        match answer(CHANGED, "Range: bytes=1000-\r\n") {
            Outcome::Bare(response) => {
                assert_eq!(response.status, 416);
                assert_eq!(lines(&response), ["content-range: bytes */1000"]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_methods_have_neither_conditions_nor_ranges_nor_validators() {
        let variants = variants(CHANGED, &[ContentCoding::Gzip]);
        let said = [
            "content-type: text/plain; charset=utf-8",
            "content-encoding: gzip",
            "cache-control: max-age=5",
            "x-a: b",
            "content-security-policy: e",
            "vary: Accept-Encoding",
        ];
        for fields in [
            "",
            "Range: bytes=0-9\r\n",
            "Range: bytes=1000-\r\n",
            "If-Match: \"x\"\r\n",
            "If-None-Match: *\r\n",
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
        ] {
            let fields = format!("Accept-Encoding: gzip\r\n{fields}");
            match answer_to("POST", &variants, &fields) {
                Outcome::Whole(response) => {
                    assert_eq!(response.status, 200, "{fields}");
                    assert_eq!(lines(&response), said, "{fields}");
                }
                other => panic!("{fields}: {other:?}"),
            }
        }
    }

    #[test]
    fn several_parts_are_told_apart_by_a_boundary() {
        let Outcome::Parts(response, multipart) = answer(CHANGED, "Range: bytes=0-1,-2\r\n") else {
            panic!("no parts");
        };
        let media_type = "content-type: multipart/byteranges; boundary=BOUNDARY";
        assert_eq!(lines(&response)[0], media_type);
        let head = |place| {
            format!(
                "--BOUNDARY\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Range: bytes {place}/1000\r\n\r\n"
            )
        };
        let expected = [
            (head("0-1"), 0..2),
            (format!("\r\n{}", head("998-999")), 998..1000),
        ];
        assert_eq!(multipart.parts, expected);
        assert_eq!(multipart.end, "\r\n--BOUNDARY--\r\n");
    }

    #[test]
    fn a_date_proves_nothing_before_its_second_is_over() {
        let fields = |date: &str| format!("Range: bytes=0-1\r\nIf-Range: {date}\r\n");
        let old = fields("Sun, 06 Nov 1994 08:49:37 GMT");
        assert!(matches!(answer(CHANGED, &old), Outcome::Part(..)));
        let young = fields("Sun, 06 Nov 1994 08:51:17 GMT");
        assert!(matches!(answer(NOW, &young), Outcome::Whole(_)));
        // A tag does.
        assert!(matches!(answer(NOW, &fields(TAG)), Outcome::Part(..)));
    }

    #[test]
    fn what_is_said_of_variants() {
        let variants = variants(CHANGED, &[ContentCoding::Gzip]);
        let rest = [
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
            "etag: \"a-gzip\"",
            "cache-control: max-age=5",
            "x-a: b",
            "content-security-policy: e",
            "vary: Accept-Encoding",
        ];
        let mut said = vec![
            "content-type: text/plain; charset=utf-8",
            "content-encoding: gzip",
        ];
        said.extend(rest);
        said.push("accept-ranges: bytes");
        let coded =
            |fields: &str| answer_of(&variants, &format!("Accept-Encoding: gzip\r\n{fields}"));
        match coded("") {
            Outcome::Whole(response) => assert_eq!(lines(&response), said),
            other => panic!("{other:?}"),
        }
        match coded("If-None-Match: \"a-gzip\"\r\n") {
            Outcome::Bare(response) => {
                assert_eq!(response.status, 304);
                assert_eq!(lines(&response), rest);
            }
            other => panic!("{other:?}"),
        }
        // The tag of another variant is none of this one.
        let other_tag = "If-None-Match: \"a\"\r\n";
        assert!(matches!(coded(other_tag), Outcome::Whole(_)));
        match coded("If-Match: \"a\"\r\n") {
            Outcome::Bare(response) => {
                assert_eq!(response.status, 412);
                assert_eq!(lines(&response), ["vary: Accept-Encoding"]);
            }
            other => panic!("{other:?}"),
        }
        match answer_of(&variants, "") {
            Outcome::Whole(response) => {
                let lines = lines(&response);
                assert!(lines.contains(&"vary: Accept-Encoding".to_owned()));
                assert!(lines.contains(&"etag: \"a\"".to_owned()));
                assert!(
                    !lines
                        .iter()
                        .any(|line| line.starts_with("content-encoding"))
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ranges_are_of_the_variant() {
        let variants = variants(CHANGED, &[ContentCoding::Gzip]);
        let coded =
            |fields: &str| answer_of(&variants, &format!("Accept-Encoding: gzip\r\n{fields}"));
        match coded("Range: bytes=-10\r\n") {
            Outcome::Part(response, part) => {
                assert_eq!(part, 490..500);
                assert!(lines(&response).contains(&"content-range: bytes 490-499/500".to_owned()));
                assert!(lines(&response).contains(&"content-encoding: gzip".to_owned()));
            }
            other => panic!("{other:?}"),
        }
        match coded("Range: bytes=500-\r\n") {
            Outcome::Bare(response) => {
                let said = ["vary: Accept-Encoding", "content-range: bytes */500"];
                assert_eq!(lines(&response), said);
            }
            other => panic!("{other:?}"),
        }
        let several = coded("Range: bytes=0-0,250-250,499-499\r\n");
        assert!(matches!(several, Outcome::Whole(_)), "{several:?}");
        let several = answer_of(&variants, "Range: bytes=0-0,500-500\r\n");
        assert!(matches!(several, Outcome::Parts(..)), "{several:?}");
        // A date is that of every variant, and a tag that of one.
        let range = |validator| format!("Range: bytes=0-0\r\nIf-Range: {validator}\r\n");
        let dated = coded(&range("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(matches!(dated, Outcome::Whole(_)), "{dated:?}");
        assert!(matches!(coded(&range("\"a-gzip\"")), Outcome::Part(..)));
        assert!(matches!(coded(&range("\"a\"")), Outcome::Whole(_)));
    }
}
