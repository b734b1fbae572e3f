//! The conditions that a request makes, judged by the validators of what it would get (RFC 9110
//! §13). It looks nothing up and answers nothing.

use std::time::SystemTime;

use ::http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
use ::http::{HeaderName, Method};

use super::date::HttpDate;
use super::head::RequestHead;

/// What tells one state of a representation from another.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validators<'a> {
    /// The entity tag as ETag has it, with its quotes and, if it is weak, `W/` before them.
    pub entity_tag: Option<&'a str>,
    /// The time in whole seconds that Last-Modified tells.
    pub modified: Option<SystemTime>,
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They hold: the method is performed.
    Perform,
    /// 304 (Not Modified): the peer has what it asks for.
    NotModified,
    /// 412 (Precondition Failed): the method must not be performed.
    Failed,
}

impl Verdict {
    /// The field by which it was reached for the request with `head`, in the order of RFC 9110 §13.2.2; `None`
    /// if no condition stood in the way.
    pub fn decided_by(self, head: &RequestHead) -> Option<HeaderName> {
        let candidates = match self {
            Verdict::Perform => return None,
            Verdict::NotModified => [IF_NONE_MATCH, IF_MODIFIED_SINCE],
            Verdict::Failed => [IF_MATCH, IF_UNMODIFIED_SINCE],
        };
        candidates
            .into_iter()
            .find(|name| head.field(name).is_some())
    }
}

impl Validators<'_> {
    /// Judges the conditions of a request that selects the representation with these validators.
    ///
    /// RFC 9110 §13.2.1: only after all other checks, and not if the response without conditions
    /// would be neither 2xx nor 412.
    pub fn judge(&self, head: &RequestHead) -> Verdict {
        let is_retrieval = matches!(*head.method(), Method::GET | Method::HEAD);
        // RFC 9110 §13.2.2, in its order: whoever fears to lose an update comes before caches, and
        // entity tags take the place of dates.
        if head.field(IF_MATCH).is_some() {
            if !self.is_listed(head, IF_MATCH.as_str(), strongly) {
                return Verdict::Failed;
            }
        } else if let Some(limit) = date(head, IF_UNMODIFIED_SINCE.as_str())
            && self.modified.is_some_and(|modified| modified > limit)
        {
            return Verdict::Failed;
        }
        if head.field(IF_NONE_MATCH).is_some() {
            if self.is_listed(head, IF_NONE_MATCH.as_str(), weakly) {
                return if is_retrieval {
                    Verdict::NotModified
                } else {
                    Verdict::Failed
                };
            }
        } else if is_retrieval
            && let Some(since) = date(head, IF_MODIFIED_SINCE.as_str())
            && self.modified.is_some_and(|modified| modified <= since)
        {
            return Verdict::NotModified;
        }
        Verdict::Perform
    }

    /// Whether the field is `*`, or a list with a tag that is the same as this.
    fn is_listed(&self, head: &RequestHead, name: &str, same: fn(&[u8], &[u8]) -> bool) -> bool {
        let tag = self.entity_tag.map(str::as_bytes);
        head.field_values(name).any(|value| {
            value == b"*" || tag.is_some_and(|tag| tags(value).any(|listed| same(listed, tag)))
        })
    }
}

/// RFC 9110 §8.8.3.2: the same and neither weak.
pub(super) fn strongly(one: &[u8], other: &[u8]) -> bool {
    one == other && !one.starts_with(b"W/")
}

/// RFC 9110 §8.8.3.2: the same but for weakness.
fn weakly(one: &[u8], other: &[u8]) -> bool {
    let opaque = |tag| <[u8]>::strip_prefix(tag, b"W/").unwrap_or(tag);
    opaque(one) == opaque(other)
}

/// The entity tags of a list, up to the first member that is none: commas inside of the quotes
/// separate nothing.
fn tags(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let quote = if list.starts_with(b"W/") { 2 } else { 0 };
        let opaque = list.get(quote..)?.strip_prefix(b"\"")?;
        let end = quote + memchr::memchr(b'"', opaque)? + 2;
        let (tag, rest) = list.split_at(end);
        list = rest;
        Some(tag)
    })
}

/// The entity tags that a condition lists.
#[derive(Debug, Clone, Copy)]
pub struct EntityTags<'a> {
    head: &'a RequestHead,
    name: &'static str,
}

impl<'a> EntityTags<'a> {
    /// Whether it is `*`: any there is.
    pub fn is_any(&self) -> bool {
        self.head.field_values(self.name).any(|value| value == b"*")
    }

    /// The tags as they were written, with their quotes and `W/` if they are weak, up to what is none.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        self.head.field_values(self.name).flat_map(tags)
    }
}

impl RequestHead {
    /// The entity tags in the fields `name`, if there are such fields.
    pub(crate) fn entity_tags(&self, name: &'static str) -> Option<EntityTags<'_>> {
        self.field(name)?;
        Some(EntityTags { head: self, name })
    }

    /// The date in the field `name`, if it has one and is not repeated.
    pub(crate) fn date(&self, name: &str) -> Option<SystemTime> {
        date(self, name)
    }
}

/// Whether `list`, a value of If-Match or If-None-Match, has `tag` exactly as it is.
#[cfg(feature = "compression")]
pub(crate) fn is_listed(list: &[u8], tag: &[u8]) -> bool {
    tags(list).any(|listed| listed == tag)
}

/// The date in a field that has just one (RFC 9110 §13.1.3 and §13.1.4: else it is ignored).
pub(super) fn date(head: &RequestHead, name: &str) -> Option<SystemTime> {
    let mut values = head.field_values(name);
    let value = values.next()?;
    match values.next() {
        None => HttpDate::parse(value),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::deliveries::head_with;
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sunday, 06-Nov-94 08:49:38 GMT";

    /// Judges a request with these fields by a tag and the time [`THEN`].
    fn judge(method: &str, tag: Option<&str>, has_time: bool, fields: &[(&str, &str)]) -> Verdict {
        let head = head_with(method, fields);
        let validators = Validators {
            entity_tag: tag,
            modified: has_time.then(|| UNIX_EPOCH + Duration::from_secs(784_111_777)),
        };
        validators.judge(&head)
    }

    #[test]
    fn tags_are_compared_strongly_or_weakly() {
        // The listed tags, the tag there is, and what If-Match and If-None-Match make of them.
        let cases: &[(&str, Option<&str>, bool, bool)] = &[
            ("*", None, true, true),
            ("*", Some("\"a\""), true, true),
            ("\"a\"", None, false, false),
            ("\"a\"", Some("\"a\""), true, true),
            ("\"a\"", Some("\"b\""), false, false),
            ("\"A\"", Some("\"a\""), false, false),
            ("W/\"a\"", Some("\"a\""), false, true),
            ("\"a\"", Some("W/\"a\""), false, true),
            ("W/\"a\"", Some("W/\"a\""), false, true),
            ("w/\"a\"", Some("\"a\""), false, false),
            ("\"x\", \"a\"", Some("\"a\""), true, true),
            (",, \"x\" ,\t\"a\",", Some("\"a\""), true, true),
            ("\"x, \\\", \"a\"", Some("\"a\""), true, true),
            ("\"x,y\"", Some("\"x,y\""), true, true),
            ("\"x,\"a\"\"", Some("\"a\""), false, false),
            ("\"\"", Some("\"\""), true, true),
            ("a", Some("\"a\""), false, false),
            ("\"a", Some("\"a\""), false, false),
            ("", Some("\"a\""), false, false),
            ("*, \"x\"", Some("\"a\""), false, false),
        ];
        for &(listed, tag, strongly, weakly) in cases {
            let matches = judge("PUT", tag, false, &[("If-Match", listed)]);
            assert_eq!(matches == Verdict::Perform, strongly, "{listed} {tag:?}");
            let differs = judge("PUT", tag, false, &[("If-None-Match", listed)]);
            assert_eq!(differs == Verdict::Failed, weakly, "{listed} {tag:?}");
            let differs = judge("GET", tag, false, &[("If-None-Match", listed)]);
            assert_eq!(differs == Verdict::NotModified, weakly, "{listed} {tag:?}");
        }
        let lines = [("If-Match", "\"x\""), ("if-match", "\"a\"")];
        assert_eq!(judge("PUT", Some("\"a\""), false, &lines), Verdict::Perform);
    }

    #[test]
    fn dates_are_compared_and_ignored_if_they_are_none() {
        use Verdict::*;
        let list = format!("{THEN}, {THEN}");
        let cases: &[(&str, bool, Verdict, Verdict)] = &[
            // The date, whether there is one to compare it with, and what If-Modified-Since and
            // If-Unmodified-Since make of it.
            (BEFORE, true, Perform, Failed),
            (THEN, true, NotModified, Perform),
            (AFTER, true, NotModified, Perform),
            (BEFORE, false, Perform, Perform),
            (AFTER, false, Perform, Perform),
            ("yesterday", true, Perform, Perform),
            ("", true, Perform, Perform),
            (&list, true, Perform, Perform),
        ];
        for &(date, has_time, since, unmodified) in cases {
            for method in ["GET", "HEAD"] {
                let verdict = judge(method, None, has_time, &[("If-Modified-Since", date)]);
                assert_eq!(verdict, since, "{method} {date}");
            }
            let verdict = judge("POST", None, has_time, &[("If-Modified-Since", date)]);
            assert_eq!(verdict, Perform, "POST {date}");
            for method in ["GET", "DELETE"] {
                let verdict = judge(method, None, has_time, &[("If-Unmodified-Since", date)]);
                assert_eq!(verdict, unmodified, "{method} {date}");
            }
            let twice = [("If-Modified-Since", date), ("If-Modified-Since", date)];
            assert_eq!(judge("GET", None, has_time, &twice), Perform);
            let twice = [("If-Unmodified-Since", date), ("If-Unmodified-Since", date)];
            assert_eq!(judge("GET", None, has_time, &twice), Perform);
        }
    }

    #[test]
    fn conditions_are_judged_in_order() {
        use Verdict::*;
        let tag = Some("\"a\"");
        let cases: &[(&[(&str, &str)], Verdict)] = &[
            (&[], Perform),
            // Tags take the place of dates.
            (
                &[("If-Match", "\"a\""), ("If-Unmodified-Since", BEFORE)],
                Perform,
            ),
            (
                &[("If-None-Match", "\"x\""), ("If-Modified-Since", AFTER)],
                Perform,
            ),
            (
                &[("If-None-Match", "x"), ("If-Modified-Since", AFTER)],
                Perform,
            ),
            // The lost update comes first.
            (&[("If-None-Match", "\"a\""), ("If-Match", "\"x\"")], Failed),
            (
                &[
                    ("If-Modified-Since", AFTER),
                    ("If-Unmodified-Since", BEFORE),
                ],
                Failed,
            ),
            (
                &[("If-Match", "\"a\""), ("If-None-Match", "\"a\"")],
                NotModified,
            ),
            (
                &[("If-Match", "*"), ("If-Modified-Since", THEN)],
                NotModified,
            ),
            (
                &[("If-Unmodified-Since", THEN), ("If-Modified-Since", BEFORE)],
                Perform,
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(judge("GET", tag, true, fields), *expected, "{fields:?}");
        }
    }
}
