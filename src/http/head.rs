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
use super::target::{self, Target, TargetForm};

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

/// What was decided about a head, and where in its bytes the parts lie.
#[derive(Clone)]
struct Parts {
    /// The head, from the method to the empty line.
    bytes: Vec<u8>,
    /// The length of the request line, and so where the field section begins.
    line_bytes: usize,
    section: Section,
    method: Method,
    is_http_10: bool,
    form: TargetForm,
    target: Span,
    /// Empty where there is none; `path()` says what stands for it.
    path: Span,
    /// One byte longer at the front than the query, for the question mark; empty without one.
    query: Span,
    /// The target's authority; empty without one.
    authority: Span,
}

/// What a field section says, in HTTP/1.0 or in HTTP/1.1; its spans are relative to its start.
#[derive(Clone)]
struct Section {
    fields: Vec<Place>,
    /// The value of Host; empty without one.
    host: Span,
    decided: Decided,
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
        Fields::new(self.0.section_octets(), &self.0.section.fields)
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
        // RFC 9112 §3.2.2: with absolute-form the received Host is ignored.
        let octets = match self.octets(self.0.authority) {
            [] => self.0.section.host.of(self.0.section_octets()),
            authority => authority,
        };
        Some(ascii(octets)).filter(|host| !host.is_empty())
    }

    /// How long the body is.
    #[inline]
    pub fn framing(&self) -> Framing {
        self.0.section.decided.framing
    }

    /// Whether the peer wants the connection to stay open after this request: by its version and
    /// the Connection field (RFC 9112 §9.3).
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.0.section.decided.keep_alive
    }

    /// Whether the peer waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    ///
    /// False in HTTP/1.0 and without a body.
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.0.section.decided.expects_continue
    }

    #[inline]
    fn text(&self, span: Span) -> &str {
        ascii(self.octets(span))
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
            .field("decided", &self.0.section.decided)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Last {
    /// Leaves everything out, for it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Last").finish_non_exhaustive()
    }
}

/// The text that is `octets`, which the parser proved to be ASCII.
#[inline]
fn ascii(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
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

impl Parts {
    #[inline]
    fn section_octets(&self) -> &[u8] {
        self.bytes.get(self.line_bytes..).unwrap_or_default()
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            line_bytes: 0,
            section: Section::default(),
            method: Method::GET,
            is_http_10: false,
            form: TargetForm::Origin,
            target: Span::default(),
            path: Span::default(),
            query: Span::default(),
            authority: Span::default(),
        }
    }
}

impl Default for Section {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            host: Span::default(),
            decided: Decided {
                framing: Framing::None,
                keep_alive: false,
                expects_continue: false,
            },
        }
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
mod tests;
