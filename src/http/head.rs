//! A request's head as the rest of the server sees it: whole, proved, and owning its bytes.

use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use ::http::{Method, Version};
use httparse::{Header, Status};
use memchr::memchr;

use super::fields::{Fields, Place, Span};
use super::framing::{Decided, Facts, Framing};
use super::parser::HeadLimits;
use super::refusal::Refusal;
use super::target::{self, TargetForm};

/// Most fields of a head that is parsed in one pass; more take the careful way.
const PLAIN_FIELDS: usize = 24;

/// Where the space after the method of such a head is looked for.
const PLAIN_METHOD_BYTES: usize = 16;

/// What follows the target in the request line of such a head. Compared as arrays, which are a few
/// words and not a call or a byte at a time.
const HTTP_11: &[u8; 11] = b" HTTP/1.1\r\n";
const HTTP_10: &[u8; 11] = b" HTTP/1.0\r\n";

/// Most memory of a head that is kept for the next one, in bytes.
const SPARE_BYTES: usize = 4 * 1024;

/// The head of one request: request line and fields.
///
/// It owns the head's bytes as received. What the server must know of every request is decided
/// once, when the head is parsed. It is one pointer, because it is handed on from the parser
/// through the router to the handler.
pub struct RequestHead(Rc<Parts>);

/// What a parser keeps of its last head for the next one.
#[derive(Default)]
pub(super) struct Last {
    /// The head itself, unless it was long. If nobody else has it by then, its memory becomes that
    /// of the next head, which saves three allocations for nearly every request.
    parts: Option<Rc<Parts>>,
    /// Where the next head's fields lie is noted here first.
    fields: Vec<Place>,
    /// The last valid Host: the next request is likely for the same.
    host: Vec<u8>,
}

/// What was decided about a head, and where in its bytes the parts lie.
#[derive(Clone)]
struct Parts {
    /// The head, from the method to the empty line.
    bytes: Vec<u8>,
    /// Where its fields lie.
    fields: Vec<Place>,
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
    /// A higher minor version is HTTP/1.1 to us (RFC 9110 §2.5).
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
        Fields::new(&self.0.bytes, &self.0.fields)
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
        span.of(&self.0.bytes)
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

impl fmt::Debug for Last {
    /// Leaves everything out, for it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last").finish_non_exhaustive()
    }
}

/// The parts of a head, found but not decided upon.
struct Found<'a> {
    head: &'a [u8],
    /// The length of the request line.
    line_bytes: usize,
    method: &'a [u8],
    target: &'a [u8],
    is_http_10: bool,
    fields: &'a [Header<'a>],
}

/// Builds the head of a request that stands whole and plain at the start of `received`, as nearly
/// all do, in one pass. `None` says nothing about it: the careful way decides.
///
/// Reading the request line here and not in httparse saves a tenth of the time.
#[inline]
pub(super) fn build_plain(
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
    let line_bytes = method.len() + 1 + target.len() + version.len();

    let mut fields = [httparse::EMPTY_HEADER; PLAIN_FIELDS];
    let Ok(Status::Complete((section_bytes, fields))) =
        httparse::parse_headers(&received[line_bytes..], &mut fields)
    else {
        return None;
    };
    let is_within = line_bytes <= limits.request_line_bytes
        && section_bytes <= limits.field_section_bytes
        && fields.len() <= limits.field_lines;
    if !is_within {
        return None;
    }
    let end = line_bytes + section_bytes;
    let found = Found {
        head: &received[..end],
        line_bytes,
        method,
        target,
        is_http_10,
        fields,
    };
    // What is wrong with a refused one, the careful way says: the same however it is delivered.
    Some((last.keep(&found).ok()??, end))
}

/// Builds the head from the bytes of a complete one, which has `field_lines` fields after the
/// `request_line_bytes` of its first line, each line ended by CR LF.
///
/// `None` says that httparse refused a line, without saying which.
pub(super) fn build(
    received: &[u8],
    request_line_bytes: usize,
    field_lines: usize,
    last: &mut Last,
) -> Result<Option<RequestHead>, Refusal> {
    // RFC 9110 §2.5: a higher minor version is processed as the highest one that we implement,
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
        line_bytes: request_line_bytes,
        method: method.as_bytes(),
        target: target.as_bytes(),
        is_http_10: minor == 0,
        fields: request.headers,
    };
    last.keep(&found)
}

impl Last {
    /// Decides what a head says, and copies it. `None` if there is something in it that httparse
    /// is lenient about: it is proved from where the fields were found that nothing stands between
    /// them but the colon, white space around values, and CR LF.
    #[inline]
    fn keep(&mut self, found: &Found<'_>) -> Result<Option<RequestHead>, Refusal> {
        let Found {
            head,
            line_bytes,
            target,
            is_http_10,
            ..
        } = *found;
        let Ok(method) = Method::from_bytes(found.method) else {
            return Ok(None);
        };
        let parsed = target::parse(found.method, target)?;
        let mut facts = Facts::new(&self.host);
        self.fields.clear();
        let mut at = line_bytes;
        for field in found.fields {
            let name = range_in(head, field.name.as_bytes());
            let value = range_in(head, field.value);
            let end = line_end(head, value.end);
            let (true, Some(end)) = (name.start == at && value.start > name.end, end) else {
                return Ok(None);
            };
            at = end;
            facts.note(field.name, field.value)?;
            self.fields.push(Place {
                name: name.into(),
                value: value.into(),
            });
        }
        if head.get(at..) != Some(b"\r\n") {
            return Ok(None);
        }
        let decided = facts.decide(is_http_10)?;

        let mut shared = self.parts.take().unwrap_or_default();
        // One that somebody still has is copied first, which is of no use, but rare.
        let parts = Rc::make_mut(&mut shared);
        parts.bytes.clear();
        parts.bytes.extend_from_slice(head);
        std::mem::swap(&mut parts.fields, &mut self.fields);
        let target_start = found.method.len() + 1;
        let within =
            |range: Range<usize>| Span::from(target_start + range.start..target_start + range.end);
        parts.target = within(0..target.len());
        parts.path = within(parsed.path);
        parts.query = parsed
            .query
            .map(|query| within(query.start - 1..query.end))
            .unwrap_or_default();
        // RFC 9112 §3.2.2: with absolute-form the received Host is ignored.
        parts.host = match (parsed.authority, facts.host()) {
            (Some(authority), _) => within(authority),
            (None, Some(host)) => range_in(head, host).into(),
            (None, None) => Span::default(),
        };
        parts.method = method;
        parts.decided = decided;
        parts.form = parsed.form;
        parts.is_http_10 = is_http_10;

        if let Some(host) = facts.new_host() {
            self.host.clear();
            self.host.extend_from_slice(host);
        }
        if parts.bytes.capacity() <= SPARE_BYTES {
            self.parts = Some(Rc::clone(&shared));
        }
        Ok(Some(RequestHead(shared)))
    }
}

/// Where the line ends of which nothing but white space and CR LF is left at `at`.
#[inline]
fn line_end(head: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while let Some(b' ' | b'\t') = head.get(end) {
        end += 1;
    }
    (head.get(end..end + 2)? == b"\r\n").then_some(end + 2)
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            fields: Vec::new(),
            target: Span::default(),
            path: Span::default(),
            query: Span::default(),
            host: Span::default(),
            method: Method::GET,
            decided: Decided {
                framing: Framing::None,
                keep_alive: false,
                expects_continue: false,
            },
            form: TargetForm::Origin,
            is_http_10: false,
        }
    }
}

/// Where `part`, a slice of `head`, lies in it.
#[inline]
fn range_in(head: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    start..start + part.len()
}

#[cfg(test)]
mod tests;
