//! The parts of a representation that a request asks for (RFC 9110 §14). It reads and sends nothing.

use std::ops::Range;
use std::time::SystemTime;

use ::http::header::{IF_RANGE, RANGE};
use ::http::{HeaderValue, Method};

use super::chars::trim_ows;
use super::conditions::{Validators, date, strongly};
use super::head::RequestHead;
use crate::limits::{RANGE_GAP_BYTES, RANGES};

/// What of a representation a request is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it, with 200: the request names no range, or none that counts.
    Whole,
    /// These of its bytes, with 206 (Partial Content) and [`Selection::content_range`]. They are
    /// never none, and lie within it.
    Part(Range<u64>),
    /// These of its parts, at least two, each as [`Selection::Part`] has it: with 206 and a content
    /// of `multipart/byteranges`, in which each has its own [`content_range`]. They are in the order
    /// in which they were asked for, do not overlap, and are at least [`RANGE_GAP_BYTES`] apart.
    Parts(Vec<Range<u64>>),
    /// Nothing, with 416 (Range Not Satisfiable) and [`Selection::content_range`]: the range begins
    /// behind its end.
    Unsatisfiable,
}

impl Selection {
    /// The value of Content-Range for a representation of `length` bytes (RFC 9110 §14.4); `None`
    /// for the whole and for several parts, which have no such field (§15.3.7.2).
    pub fn content_range(&self, length: u64) -> Option<HeaderValue> {
        let text = match self {
            Selection::Whole | Selection::Parts(_) => return None,
            Selection::Part(range) => content_range(range, length),
            Selection::Unsatisfiable => format!("bytes */{length}"),
        };
        HeaderValue::try_from(text).ok()
    }
}

/// The Content-Range of a part of `length` bytes, as text. The range is not empty.
pub fn content_range(range: &Range<u64>, length: u64) -> String {
    let last = range.end.saturating_sub(1);
    format!("bytes {}-{last}/{length}", range.start)
}

impl Validators<'_> {
    /// What `head` asks for of the representation with these validators and `length` bytes.
    ///
    /// RFC 9110 §13.2.2: only when its conditions hold, see [`Validators::judge`]. A date in
    /// If-Range counts when it is that of the last change exactly; whether a second change could
    /// have followed within that second is for the handler to know (§8.8.2.2).
    pub fn select(&self, head: &RequestHead, length: u64) -> Selection {
        let selected = self.try_select(head, length);
        selected.unwrap_or(Selection::Whole)
    }

    /// [`Validators::select`], or why no range counts.
    ///
    /// # Errors
    /// That reason: it is the whole that is to be sent.
    pub fn try_select(&self, head: &RequestHead, length: u64) -> Result<Selection, IgnoredRange> {
        let specs = head.ranges()?;
        match self.is_current(head) {
            true => Ok(choose(&specs, length)),
            false => Err(IgnoredRange::Stale),
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

/// Why a request gets the whole (RFC 9110 §14.2: ranges may be ignored, and some have to be).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredRange {
    /// It names no range.
    Absent,
    /// Its method has none.
    Method,
    /// They are malformed, of another unit than bytes, in several fields, or more than [`RANGES`].
    Malformed,
    /// The peer has a part of something else, or does not prove that it has one of this: If-Range.
    Stale,
    /// Several are asked for of what has a content coding.
    Coded,
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
        match self.ranges().ok()?[..] {
            [spec] => Some(spec),
            _ => None,
        }
    }

    /// The ranges of bytes that it asks for.
    fn ranges(&self) -> Result<Vec<RangeSpec>, IgnoredRange> {
        // RFC 9110 §14.2: other methods have no ranges, and what is malformed or of another unit
        // is ignored.
        let mut values = self.field_values(RANGE.as_str());
        match (values.next(), values.next()) {
            (None, _) => Err(IgnoredRange::Absent),
            _ if *self.method() != Method::GET => Err(IgnoredRange::Method),
            (Some(value), None) => parse(value).ok_or(IgnoredRange::Malformed),
            _ => Err(IgnoredRange::Malformed),
        }
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

/// The ranges of a Range field, in bytes; `None` if it is malformed, of another unit, or has more
/// than [`RANGES`].
fn parse(value: &[u8]) -> Option<Vec<RangeSpec>> {
    let equals = memchr::memchr(b'=', value)?;
    let (unit, set) = (&value[..equals], &value[equals + 1..]);
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return None;
    }
    // RFC 9110 §5.6.1.2: members of a list may be empty.
    let members = set.split(|&octet| octet == b',').map(trim_ows);
    let members = members.filter(|member| !member.is_empty());
    let specs: Option<Vec<_>> = members.take(RANGES + 1).map(RangeSpec::parse).collect();
    specs.filter(|specs| (1..=RANGES).contains(&specs.len()))
}

/// What is to be sent for `specs` of `length` bytes.
///
/// RFC 9110 §15.3.7.2: ranges that overlap, or lie closer than what would be sent between them,
/// become one; a single one that is left needs no multipart.
fn choose(specs: &[RangeSpec], length: u64) -> Selection {
    // A representation of nothing has no last byte that could be named in an answer.
    if length == 0
        && specs
            .iter()
            .any(|spec| matches!(spec, RangeSpec::Last(1..)))
    {
        return Selection::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::with_capacity(specs.len());
    for spec in specs {
        let mut range = spec.of(length);
        if range.is_empty() {
            continue;
        }
        // One that swallows others may reach yet others, which were apart before.
        let mut place = parts.len();
        while let Some(near) = parts.iter().position(|part| are_near(part, &range)) {
            let part = parts.remove(near);
            range = range.start.min(part.start)..range.end.max(part.end);
            place = place.min(near);
        }
        parts.insert(place.min(parts.len()), range);
    }
    match parts.len() {
        0 => Selection::Unsatisfiable,
        1 => Selection::Part(parts.remove(0)),
        _ => Selection::Parts(parts),
    }
}

fn are_near(one: &Range<u64>, other: &Range<u64>) -> bool {
    let gap = one.start.max(other.start);
    gap < one.end.min(other.end).saturating_add(RANGE_GAP_BYTES)
}

impl RangeSpec {
    fn parse(member: &[u8]) -> Option<RangeSpec> {
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

    /// The bytes of `length` that it means; none if it begins behind them.
    fn of(self, length: u64) -> Range<u64> {
        match self {
            RangeSpec::Last(bytes) => length.saturating_sub(bytes)..length,
            RangeSpec::From(first, None) => first..length,
            RangeSpec::From(first, Some(last)) => first..length.min(last.saturating_add(1)),
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
            ("bytes=0-1,3-4", 10, Part(0..5)),
            ("bytes=0-1,x", 10, Whole),
            ("bytes=0-1,4-3", 10, Whole),
            ("bytes=0-1,10-", 10, Part(0..2)),
            ("bytes=10-,20-", 10, Unsatisfiable),
            ("bytes=-0,-0", 10, Unsatisfiable),
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
    fn several_ranges_stay_apart_or_become_one() {
        let gap = RANGE_GAP_BYTES;
        let cases: [(String, Selection); 9] = [
            ("0-0,500-509".into(), Parts(vec![0..1, 500..510])),
            ("500-509,0-0".into(), Parts(vec![500..510, 0..1])),
            ("0-0,-10".into(), Parts(vec![0..1, 990..1000])),
            ("0-0,2000-,500-".into(), Parts(vec![0..1, 500..1000])),
            (format!("0-0,{gap}-{gap}"), Part(0..gap + 1)),
            (
                format!("0-0,{0}-{0}", gap + 1),
                Parts(vec![0..1, gap + 1..gap + 2]),
            ),
            ("0-600,500-".into(), Part(0..1000)),
            // The third joins the first two.
            ("0-0,300-300,1-299".into(), Part(0..301)),
            (
                "700-700,0-0,300-300,1-299".into(),
                Parts(vec![700..701, 0..301]),
            ),
        ];
        for (ranges, expected) in cases {
            let value = format!("bytes={ranges}");
            assert_eq!(
                select("GET", 1000, &[("Range", &value)]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn so_many_ranges_and_no_more() {
        let ranges = |count: usize| {
            let ranges: Vec<_> = (0..count).map(|n| format!("{0}-{0}", n * 1000)).collect();
            format!("bytes={}", ranges.join(","))
        };
        let length = 1000 * (RANGES as u64 + 1);
        match select("GET", length, &[("Range", &ranges(RANGES))]) {
            Parts(parts) => assert_eq!(parts.len(), RANGES),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            select("GET", length, &[("Range", &ranges(RANGES + 1))]),
            Whole
        );
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
            (Parts(vec![0..1, 9..10]), None),
            (Unsatisfiable, Some("bytes */10")),
        ];
        for (selection, expected) in cases {
            let told = selection.content_range(10);
            assert_eq!(told.as_ref().map(|value| value.to_str().unwrap()), expected);
        }
    }
}
