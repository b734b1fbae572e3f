//! The part of a representation that a request asks for (RFC 9110 §14). It reads and sends nothing,
//! and knows one range at a time: whoever asks for several gets the whole, as §14.2 allows.

use std::ops::Range;
use std::time::SystemTime;

use ::http::header::{IF_RANGE, RANGE};
use ::http::{HeaderValue, Method};

use super::chars::trim_ows;
use super::conditions::{Validators, date, strongly};
use super::head::RequestHead;

/// What of a representation a request is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it, with 200: the request names no range, or none that counts.
    Whole,
    /// These of its bytes, with 206 (Partial Content) and [`Selection::content_range`]. They are
    /// never none, and lie within it.
    Part(Range<u64>),
    /// Nothing, with 416 (Range Not Satisfiable) and [`Selection::content_range`]: the range begins
    /// behind its end.
    Unsatisfiable,
}

impl Selection {
    /// The value of Content-Range for a representation of `length` bytes (RFC 9110 §14.4); `None`
    /// for the whole, which has no such field.
    pub fn content_range(&self, length: u64) -> Option<HeaderValue> {
        let text = match self {
            Selection::Whole => return None,
            Selection::Part(range) => {
                let last = range.end.saturating_sub(1);
                format!("bytes {}-{last}/{length}", range.start)
            }
            Selection::Unsatisfiable => format!("bytes */{length}"),
        };
        HeaderValue::try_from(text).ok()
    }
}

impl Validators<'_> {
    /// What `head` asks for of the representation with these validators and `length` bytes.
    ///
    /// RFC 9110 §13.2.2: only when its conditions hold, see [`Validators::judge`]. A date in
    /// If-Range counts when it is that of the last change exactly; whether a second change could
    /// have followed within that second is for the handler to know (§8.8.2.2).
    pub fn select(&self, head: &RequestHead, length: u64) -> Selection {
        match head.range() {
            Some(spec) if self.is_current(head) => spec.of(length),
            _ => Selection::Whole,
        }
    }

    /// RFC 9110 §13.1.5: whether what the peer has a part of is this; true without If-Range.
    fn is_current(&self, head: &RequestHead) -> bool {
        match head.if_range() {
            Some(IfRange::Tag(theirs)) => {
                let tag = self.entity_tag.map(str::as_bytes);
                tag.is_some_and(|tag| strongly(theirs, tag))
            }
            Some(IfRange::Date(theirs)) => self.modified == Some(theirs),
            None => head.field(IF_RANGE).is_none(),
        }
    }
}

/// What a peer has a part of, as it names it in If-Range (RFC 9110 §13.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfRange<'a> {
    /// What has this entity tag, with its quotes and `W/` if it is weak.
    Tag(&'a [u8]),
    /// What was changed then.
    Date(SystemTime),
}

impl RequestHead {
    /// What If-Range names, if that is either.
    pub(crate) fn if_range(&self) -> Option<IfRange<'_>> {
        let validator = self.field(IF_RANGE)?;
        match validator.ends_with(b"\"") {
            true => Some(IfRange::Tag(validator)),
            false => date(self, IF_RANGE.as_str()).map(IfRange::Date),
        }
    }

    /// The one range of bytes that it asks for.
    pub(crate) fn range(&self) -> Option<RangeSpec> {
        // RFC 9110 §14.2: other methods have no ranges, and what is malformed or of another unit
        // is ignored.
        let mut values = self.field_values(RANGE.as_str());
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        (*self.method() == Method::GET)
            .then(|| RangeSpec::parse(value))
            .flatten()
    }
}

/// RFC 9110 §14.1.2: one range of bytes as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeSpec {
    /// From the first of these bytes to the second, if it is named; both are counted from 0 and
    /// belong to it.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl RangeSpec {
    /// The range of a Range field that has one, in bytes.
    fn parse(value: &[u8]) -> Option<RangeSpec> {
        let equals = memchr::memchr(b'=', value)?;
        let (unit, set) = (&value[..equals], &value[equals + 1..]);
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        // RFC 9110 §5.6.1.2: members of a list may be empty.
        let members = set.split(|&octet| octet == b',').map(trim_ows);
        let mut members = members.filter(|member| !member.is_empty());
        let (Some(member), None) = (members.next(), members.next()) else {
            return None;
        };
        let dash = memchr::memchr(b'-', member)?;
        let (first, last) = (&member[..dash], &member[dash + 1..]);
        match (first, last) {
            ([], _) => Some(RangeSpec::Last(number(last)?)),
            (_, []) => Some(RangeSpec::From(number(first)?, None)),
            _ => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(RangeSpec::From(first, Some(last)))
            }
        }
    }

    fn of(self, length: u64) -> Selection {
        let range = match self {
            // A representation of nothing has no last byte that could be named in an answer.
            RangeSpec::Last(bytes) if length == 0 && bytes > 0 => return Selection::Whole,
            RangeSpec::Last(bytes) => length.saturating_sub(bytes)..length,
            RangeSpec::From(first, None) => first..length,
            RangeSpec::From(first, Some(last)) => first..length.min(last.saturating_add(1)),
        };
        match range.is_empty() {
            true => Selection::Unsatisfiable,
            false => Selection::Part(range),
        }
    }
}

/// Decimal digits and nothing else; what is beyond 64 bits is beyond any representation.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &digit| {
        let value = u64::from(digit.wrapping_sub(b'0'));
        (value < 10).then(|| number.saturating_mul(10).saturating_add(value))
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::deliveries::head_with;
    use super::Selection::*;
    use super::*;

    /// What a request with these fields is given of `length` bytes with the tag `"a"`, changed
    /// 1994-11-06T08:49:37Z.
    fn select(method: &str, length: u64, fields: &[(&str, &str)]) -> Selection {
        let head = head_with(method, fields);
        let validators = Validators {
            entity_tag: Some("\"a\""),
            modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)),
        };
        validators.select(&head, length)
    }

    #[test]
    fn ranges_and_what_they_select() {
        let cases = [
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=0-9", 10, Part(0..10)),
            ("bytes=0-10", 10, Part(0..10)),
            ("bytes=9-", 10, Part(9..10)),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-20", 10, Unsatisfiable),
            ("bytes=-1", 10, Part(9..10)),
            ("bytes=-10", 10, Part(0..10)),
            ("bytes=-11", 10, Part(0..10)),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-1", 0, Whole),
            ("bytes=-0", 0, Unsatisfiable),
            ("Bytes=,\t2-3 ,", 10, Part(2..4)),
            ("bytes=0-18446744073709551615", 10, Part(0..10)),
            ("bytes=0-99999999999999999999", 10, Part(0..10)),
            ("bytes=99999999999999999999-", 10, Unsatisfiable),
            ("bytes=-99999999999999999999", 10, Part(0..10)),
            ("bytes=3-2", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1 -2", 10, Whole),
            ("bytes=1--2", 10, Whole),
            ("bytes=1-2-3", 10, Whole),
            ("bytes=0x1-2", 10, Whole),
            ("bytes 0-1", 10, Whole),
            ("bytes =0-1", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("", 10, Whole),
        ];
        for (range, length, expected) in cases {
            assert_eq!(
                select("GET", length, &[("Range", range)]),
                expected,
                "{range}"
            );
        }
        for method in ["HEAD", "POST"] {
            assert_eq!(select(method, 10, &[("Range", "bytes=0-1")]), Whole);
        }
        let twice = [("Range", "bytes=0-1"), ("Range", "bytes=0-1")];
        assert_eq!(select("GET", 10, &twice), Whole);
        assert_eq!(select("GET", 10, &[]), Whole);
    }

    #[test]
    fn a_part_is_of_what_the_peer_has() {
        let cases = [
            ("\"a\"", true),
            ("W/\"a\"", false),
            ("\"b\"", false),
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 Nov 1994 08:49:36 GMT", false),
            ("Sun, 06 Nov 1994 08:49:38 GMT", false),
            ("*", false),
            ("", false),
        ];
        for (validator, is_current) in cases {
            let fields = [("Range", "bytes=2-"), ("If-Range", validator)];
            let expected = if is_current { Part(2..10) } else { Whole };
            assert_eq!(select("GET", 10, &fields), expected, "{validator}");
        }
    }

    #[test]
    fn what_is_told_of_a_selection() {
        let cases = [
            (Whole, None),
            (Part(0..1), Some("bytes 0-0/10")),
            (Part(2..10), Some("bytes 2-9/10")),
            (Unsatisfiable, Some("bytes */10")),
        ];
        for (selection, expected) in cases {
            let told = selection.content_range(10);
            assert_eq!(told.as_ref().map(|value| value.to_str().unwrap()), expected);
        }
    }
}
