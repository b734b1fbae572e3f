//! Makes a head of its bytes, in one pass or with care, and with what is left of the last one.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use ::http::Method;
use httparse::{Header, Status};
use memchr::memchr;

use super::super::fields::{Place, Span};
use super::super::framing::Facts;
use super::super::refusal::Refusal;
use super::super::target::{self, Target};
use super::{Parts, RequestHead, Section};
use crate::limits::HeadLimits;

/// Most fields of a head that is parsed in one pass; more take the careful way.
const PLAIN_FIELDS: usize = 24;

/// Where the space after the method of such a head is looked for.
const PLAIN_METHOD_BYTES: usize = 16;

/// What follows the target in the request line of such a head.
const HTTP_11: &[u8; 11] = b" HTTP/1.1\r\n";
const HTTP_10: &[u8; 11] = b" HTTP/1.0\r\n";

/// Most memory of a head that is kept for the next one, in bytes.
const SPARE_BYTES: usize = 4 * 1024;

/// What a parser keeps of its last head for the next one.
#[derive(Default)]
pub(in crate::http) struct Last {
    /// The head itself, unless it was long. Clients repeat their fields with every request, and a
    /// section of the same bytes is not read again: that takes half of the work out of a head. And
    /// if nobody else has the head by then, its memory becomes that of the next one, which saves
    /// three allocations.
    parts: Option<Rc<Parts>>,
    /// Where another section is read into.
    section: Section,
    /// The last valid Host: the next request is likely for the same.
    host: Vec<u8>,
}

impl fmt::Debug for Last {
    /// Leaves everything out, for it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last").finish_non_exhaustive()
    }
}

/// A request line, taken apart.
struct Line<'a> {
    method: Method,
    target: &'a [u8],
    parts: Target,
    is_http_10: bool,
    /// Where the target begins.
    target_start: usize,
    /// The length of the line with its CR LF.
    bytes: usize,
}

impl<'a> Line<'a> {
    /// `None` if the method is none.
    #[inline]
    fn new(method: &[u8], target: &'a [u8], is_http_10: bool) -> Result<Option<Self>, Refusal> {
        let parts = target::parse(method, target)?;
        let target_start = method.len() + 1;
        let method = match method {
            // Nearly every request's, and not worth a search.
            b"GET" => Method::GET,
            other => match Method::from_bytes(other) {
                Ok(method) => method,
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(Self {
            method,
            target,
            parts,
            is_http_10,
            target_start,
            bytes: target_start + target.len() + HTTP_11.len(),
        }))
    }
}

/// Builds the head of a request that stands whole and plain at the start of `received`, as nearly
/// all do, in one pass. `None` says nothing about it: the careful way decides, and says what is
/// wrong with a refused one, the same however it is delivered.
///
/// Reading the request line here and not in httparse saves a tenth of the time.
#[inline]
pub(in crate::http) fn build_plain(
    received: &[u8],
    limits: &HeadLimits,
    last: &mut Last,
) -> Option<(RequestHead, usize)> {
    let beginning = received.get(..PLAIN_METHOD_BYTES)?;
    let method = &received[..beginning.iter().position(|&octet| octet == b' ')?];
    let after_method = &received[method.len() + 1..];
    let target = &after_method[..memchr(b' ', after_method)?];
    let version = after_method[target.len()..].first_chunk()?;
    let is_http_10 = version == HTTP_10;
    if !is_http_10 && version != HTTP_11 {
        return None;
    }
    let line = Line::new(method, target, is_http_10).ok()??;
    if line.bytes > limits.request_line_bytes {
        return None;
    }
    let rest = &received[line.bytes..];
    if let Some(section_bytes) = last.known_section(rest, is_http_10, limits) {
        let end = line.bytes + section_bytes;
        return Some((last.head(&received[..end], line), end));
    }
    let mut fields = [httparse::EMPTY_HEADER; PLAIN_FIELDS];
    let Ok(Status::Complete((section_bytes, fields))) = httparse::parse_headers(rest, &mut fields)
    else {
        return None;
    };
    if section_bytes > limits.field_section_bytes || fields.len() > limits.field_lines {
        return None;
    }
    let section = last.read_section(&rest[..section_bytes], fields, is_http_10);
    section.ok()??;
    let end = line.bytes + section_bytes;
    Some((last.new_head(&received[..end], line), end))
}

/// Builds the head from the bytes of a complete one, which has `field_lines` fields after the
/// `request_line_bytes` of its first line, each line ended by CR LF.
///
/// `None` says that httparse refused a line, without saying which.
pub(in crate::http) fn build(
    received: &[u8],
    request_line_bytes: usize,
    field_lines: usize,
    last: &mut Last,
) -> Result<Option<RequestHead>, Refusal> {
    // RFC 9110 §6.2: a higher minor version is processed as the highest one that we implement,
    // and httparse knows no higher one.
    let mut lowered;
    let mut head = received;
    if let [line @ .., minor, b'\r', b'\n'] = &received[..request_line_bytes]
        && matches!(minor, b'2'..=b'9')
        && line.ends_with(b" HTTP/1.")
    {
        lowered = received.to_vec();
        lowered[line.len()] = b'1';
        head = &lowered;
    }
    let mut fields = vec![httparse::EMPTY_HEADER; field_lines];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(Status::Complete(_)) = request.parse(head) else {
        return Ok(None);
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Ok(None);
    };
    let is_http_10 = minor == 0;
    let Some(line) = Line::new(method.as_bytes(), target.as_bytes(), is_http_10)? else {
        return Ok(None);
    };
    let section = &head[request_line_bytes..];
    let section = last.read_section(section, request.headers, is_http_10)?;
    Ok(section.map(|()| last.new_head(head, line)))
}

impl Last {
    /// The length of the field section at the start of `rest`, if it is the last head's again, in
    /// the same version and within the limits.
    #[inline]
    fn known_section(&self, rest: &[u8], is_http_10: bool, limits: &HeadLimits) -> Option<usize> {
        let parts = self.parts.as_deref()?;
        let known = parts.section_octets();
        let is_known = rest.starts_with(known)
            && parts.is_http_10 == is_http_10
            && known.len() <= limits.field_section_bytes
            && parts.section.fields.len() <= limits.field_lines;
        is_known.then_some(known.len())
    }

    /// Decides what a section says. `None` if there is something in it that httparse is lenient
    /// about: it is proved from where the fields were found that nothing stands between them but
    /// the colon, white space around values, and CR LF.
    #[inline]
    fn read_section(
        &mut self,
        section: &[u8],
        fields: &[Header<'_>],
        is_http_10: bool,
    ) -> Result<Option<()>, Refusal> {
        let mut facts = Facts::new(&self.host);
        self.section.fields.clear();
        let mut at = 0;
        for field in fields {
            let name = range_in(section, field.name.as_bytes());
            let value = range_in(section, field.value);
            let end = line_end(section, value.end);
            let (true, Some(end)) = (name.start == at && value.start > name.end, end) else {
                return Ok(None);
            };
            at = end;
            facts.note(field.name, field.value)?;
            self.section.fields.push(Place {
                name: name.into(),
                value: value.into(),
            });
        }
        if section.get(at..) != Some(b"\r\n") {
            return Ok(None);
        }
        self.section.decided = facts.decide(is_http_10)?;
        let host = facts.host();
        self.section.host = host.map_or(Span::default(), |host| range_in(section, host).into());
        if let Some(host) = facts.new_host() {
            self.host.clear();
            self.host.extend_from_slice(host);
        }
        Ok(Some(()))
    }

    /// The head of `line` and the section that was read.
    #[inline]
    fn new_head(&mut self, head: &[u8], line: Line<'_>) -> RequestHead {
        let mut parts = self.parts.take().unwrap_or_default();
        std::mem::swap(&mut Rc::make_mut(&mut parts).section, &mut self.section);
        self.parts = Some(parts);
        self.head(head, line)
    }

    /// The head of `line` and the last head's section.
    #[inline]
    fn head(&mut self, head: &[u8], line: Line<'_>) -> RequestHead {
        let mut shared = self.parts.take().unwrap_or_default();
        // A head that somebody still has is copied first.
        let parts = Rc::make_mut(&mut shared);
        parts.bytes.clear();
        parts.bytes.extend_from_slice(head);
        parts.line_bytes = line.bytes;
        parts.method = line.method;
        parts.is_http_10 = line.is_http_10;
        parts.form = line.parts.form;
        let within = |range: Range<usize>| {
            Span::from(line.target_start + range.start..line.target_start + range.end)
        };
        parts.target = within(0..line.target.len());
        parts.path = within(line.parts.path);
        let query = line.parts.query;
        let query = query.map(|query| within(query.start - 1..query.end));
        parts.query = query.unwrap_or_default();
        parts.authority = line.parts.authority.map(within).unwrap_or_default();
        if parts.bytes.capacity() <= SPARE_BYTES {
            self.parts = Some(Rc::clone(&shared));
        }
        RequestHead(shared)
    }
}

/// Where the line ends of which nothing but white space and CR LF is left at `at`.
#[inline]
fn line_end(section: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while let Some(b' ' | b'\t') = section.get(end) {
        end += 1;
    }
    (section.get(end..end + 2)? == b"\r\n").then_some(end + 2)
}

/// Where `part`, a slice of `whole`, lies in it.
#[inline]
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_head_is_not_kept_for_the_next_one() {
        for (head_bytes, is_kept) in [(SPARE_BYTES, true), (SPARE_BYTES + 1, false)] {
            let around = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n".len();
            let value = "x".repeat(head_bytes - around);
            let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {value}\r\n\r\n");
            let mut last = Last::default();
            let built = build_plain(bytes.as_bytes(), &HeadLimits::default(), &mut last);
            assert_eq!(built.map(|(_, taken)| taken), Some(head_bytes));
            assert_eq!(last.parts.is_some(), is_kept, "{head_bytes} bytes");
        }
    }
}
