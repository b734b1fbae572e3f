//! A request's head as the rest of the server sees it: whole, proved, and owning its bytes.

use std::fmt;
use std::ops::Range;

use ::http::{Method, Version};
use httparse::{Header, Status};
use memchr::memchr;

use super::fields::{self, Fields, RECORD_BYTES};
use super::framing::{Decided, Facts, Framing};
use super::refusal::Refusal;
use super::target::{self, TargetForm};
use crate::limits::HeadLimits;

/// Most fields of a head that is parsed in one pass; more take the careful way.
const PLAIN_FIELDS: usize = 24;

/// Where the space after the method of such a head is looked for.
const PLAIN_METHOD_BYTES: usize = 16;

/// Length of what follows the target in a request line.
const VERSION_BYTES: usize = " HTTP/1.1\r\n".len();

/// The head of one request: request line and fields.
///
/// It owns the head's bytes as received, and behind them where each field lies. What the server
/// must know of every request is decided once, when the head is parsed. It is one pointer, because
/// it is handed on from the parser through the router to the handler.
pub struct RequestHead(Box<Parts>);

/// What was decided about a head, and where in its bytes the parts lie.
struct Parts {
    /// The head, from the method to the empty line, then the records of its fields.
    bytes: Box<[u8]>,
    /// The length of the head, and so where the records begin.
    head_bytes: u32,
    target: Span,
    /// Empty where there is none; `path()` says what stands for it.
    path: Span,
    /// One byte longer at the front than the query, for the question mark; empty without one.
    query: Span,
    /// Empty without a host.
    host: Span,
    method: Method,
    decided: Decided,
    form: TargetForm,
    is_http_10: bool,
}

/// A range of a head's bytes in 32-bit offsets; heads are bounded far below 4 GiB.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Span {
    #[inline]
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }
}

impl RequestHead {
    /// The method; any token, for which methods a resource has is the router's to say.
    #[inline]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The path, still percent-encoded: it begins with `/`, or is `*` where the target names no
    /// resource of this server (asterisk-form and authority-form).
    #[inline]
    pub fn path(&self) -> &str {
        let path = self.text(self.0.path);
        if !path.is_empty() {
            return path;
        }
        // RFC 9110 §4.2.3: an empty path means `/`; §9.3.7 and RFC 9112 §3.2.4: except that an
        // OPTIONS without path and query is about the server.
        let is_about_server = self.0.method == Method::OPTIONS && self.query().is_none();
        if self.0.form == TargetForm::Authority || is_about_server {
            "*"
        } else {
            "/"
        }
    }

    /// The path's octets as received, for comparing: empty where [`Self::path`] says what stands
    /// for it.
    #[inline]
    pub fn path_octets(&self) -> &[u8] {
        self.octets(self.0.path)
    }

    /// What follows the first `?` of the target, still percent-encoded; may be empty.
    #[inline]
    pub fn query(&self) -> Option<&str> {
        self.text(self.0.query).strip_prefix('?')
    }

    /// The target as received, in any of its forms.
    #[inline]
    pub fn target(&self) -> &str {
        self.text(self.0.target)
    }

    /// Which form the target has.
    #[inline]
    pub fn form(&self) -> TargetForm {
        self.0.form
    }

    /// HTTP/1.0 or HTTP/1.1, never another.
    ///
    /// A higher minor version is HTTP/1.1 to us (RFC 9110 §6.2).
    #[inline]
    pub fn version(&self) -> Version {
        if self.0.is_http_10 {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        }
    }

    /// All fields in the order received.
    #[inline]
    pub fn fields(&self) -> Fields<'_> {
        let (head, records) = self.0.bytes.split_at(self.0.head_bytes as usize);
        Fields::new(head, records)
    }

    /// The first value of the field `name`, compared without regard to case.
    #[inline]
    pub fn field(&self, name: impl AsRef<str>) -> Option<&[u8]> {
        let name = name.as_ref().as_bytes();
        self.fields().values_of(name).next()
    }

    /// Every value of the field `name`, in order, compared without regard to case.
    #[inline]
    pub fn field_values<'a, N>(&'a self, name: &'a N) -> impl Iterator<Item = &'a [u8]>
    where
        N: AsRef<str> + ?Sized,
    {
        self.fields().values_of(name.as_ref().as_bytes())
    }

    /// The host that the request is for, with its port if one was sent.
    ///
    /// It is the target's, where the target has one, whatever Host says (RFC 9112 §3.2.2), else
    /// that of the Host field. It is syntactically valid. `None` only in HTTP/1.0.
    #[inline]
    pub fn host(&self) -> Option<&str> {
        Some(self.text(self.0.host)).filter(|host| !host.is_empty())
    }

    /// The octets of [`Self::host`]; empty where there is none.
    #[inline]
    pub(crate) fn host_octets(&self) -> &[u8] {
        self.octets(self.0.host)
    }

    /// How long the body is.
    #[inline]
    pub fn framing(&self) -> Framing {
        self.0.decided.framing
    }

    /// Whether the peer wants the connection to stay open after this request: by its version and
    /// the Connection field (RFC 9112 §9.3).
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.0.decided.keep_alive
    }

    /// Whether the peer waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    ///
    /// False in HTTP/1.0 and without a body.
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.0.decided.expects_continue
    }

    /// The text at `span`, which the parser proved to be ASCII.
    #[inline]
    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.octets(span)).unwrap_or_default()
    }

    #[inline]
    fn octets(&self, span: Span) -> &[u8] {
        let octets = self.0.bytes.get(span.start as usize..span.end as usize);
        octets.unwrap_or_default()
    }
}

impl fmt::Debug for RequestHead {
    /// Leaves the values of fields out, for they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.0.method)
            .field("target", &self.target())
            .field("version", &self.version())
            .field("fields", &self.fields().len())
            .field("decided", &self.0.decided)
            .finish_non_exhaustive()
    }
}

/// The parts of a head, found but not decided upon.
struct Found<'a> {
    head: &'a [u8],
    method: &'a [u8],
    target: &'a [u8],
    is_http_10: bool,
    fields: &'a [Header<'a>],
}

/// Builds the head of a request that stands whole and plain at the start of `received`, as nearly
/// all do, in one pass. `None` says nothing about it: the careful way decides.
///
/// What httparse is lenient about is proved from where it found the fields: nothing stands between
/// them but the colon, white space around values, and CR LF. Reading the request line here and not
/// there, and looking at the host only when it is another than `known_host`, saves a third of the
/// time.
#[inline]
pub(crate) fn build_plain(
    received: &[u8],
    limits: &HeadLimits,
    known_host: &[u8],
) -> Option<(RequestHead, usize)> {
    let method = &received[..memchr(b' ', received.get(..PLAIN_METHOD_BYTES)?)?];
    let after_method = &received[method.len() + 1..];
    let target = &after_method[..memchr(b' ', after_method)?];
    let is_http_10 = match after_method[target.len()..].get(..VERSION_BYTES)? {
        b" HTTP/1.1\r\n" => false,
        b" HTTP/1.0\r\n" => true,
        _ => return None,
    };
    let line_bytes = method.len() + 1 + target.len() + VERSION_BYTES;
    let section = &received[line_bytes..];

    let mut fields = [httparse::EMPTY_HEADER; PLAIN_FIELDS];
    let Ok(Status::Complete((section_bytes, fields))) =
        httparse::parse_headers(section, &mut fields)
    else {
        return None;
    };
    let section = &section[..section_bytes];
    let mut at = 0;
    for field in fields {
        let name = range_in(section, field.name.as_bytes());
        let value = range_in(section, field.value);
        if name.start != at || value.start <= name.end {
            return None;
        }
        let trailing = section.get(value.end..)?.iter();
        let trailing = trailing.take_while(|octet| matches!(octet, b' ' | b'\t'));
        at = value.end + trailing.count() + 2;
        if !section.get(..at)?.ends_with(b"\r\n") {
            return None;
        }
    }
    let is_plain = section.len() == at + 2
        && section.ends_with(b"\r\n")
        && line_bytes <= limits.request_line_bytes
        && section.len() <= limits.field_section_bytes
        && fields.len() <= limits.field_lines;
    if !is_plain {
        return None;
    }
    let end = line_bytes + section.len();
    let head = &received[..end];
    let found = Found {
        head,
        method,
        target,
        is_http_10,
        fields,
    };
    // What is wrong with a refused one, the careful way says: the same however it is delivered.
    Some((keep(&found, known_host).ok()??, end))
}

/// Builds the head from the bytes of a complete one, which has `field_lines` fields after the
/// `request_line_bytes` of its first line, each line ended by CR LF.
///
/// `None` says that httparse refused a line, without saying which.
pub(crate) fn build(
    received: &[u8],
    request_line_bytes: usize,
    field_lines: usize,
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
    let found = Found {
        head,
        method: method.as_bytes(),
        target: target.as_bytes(),
        is_http_10: minor == 0,
        fields: request.headers,
    };
    keep(&found, b"")
}

/// Decides what a head says, and copies it.
#[inline]
fn keep(found: &Found<'_>, known_host: &[u8]) -> Result<Option<RequestHead>, Refusal> {
    let Found {
        head,
        method,
        target,
        is_http_10,
        fields,
    } = *found;
    let Ok(known_method) = Method::from_bytes(method) else {
        return Ok(None);
    };
    let parsed = target::parse(method, target)?;

    let mut bytes = Vec::with_capacity(head.len() + fields.len() * RECORD_BYTES);
    bytes.extend_from_slice(head);
    let mut facts = Facts::new(known_host);
    for field in fields {
        let (name, value) = (field.name.as_bytes(), field.value);
        let record = fields::record(range_in(head, name), range_in(head, value));
        bytes.extend_from_slice(&record);
        facts.note(field.name, value)?;
    }
    let decided = facts.decide(is_http_10)?;

    let target_start = range_in(head, target).start;
    let within =
        |range: Range<usize>| Span::from(target_start + range.start..target_start + range.end);
    Ok(Some(RequestHead(Box::new(Parts {
        bytes: bytes.into_boxed_slice(),
        head_bytes: head.len() as u32,
        target: within(0..target.len()),
        path: within(parsed.path),
        query: parsed
            .query
            .map(|query| within(query.start - 1..query.end))
            .unwrap_or_default(),
        // RFC 9112 §3.2.2: with absolute-form the received Host is ignored.
        host: match (parsed.authority, facts.host()) {
            (Some(authority), _) => within(authority),
            (None, Some(host)) => range_in(head, host).into(),
            (None, None) => Span::default(),
        },
        method: known_method,
        decided,
        form: parsed.form,
        is_http_10,
    }))))
}

/// Where `part`, a slice of `head`, lies in it.
#[inline]
fn range_in(head: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    start..start + part.len()
}

#[cfg(test)]
mod tests;
