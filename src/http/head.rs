//! A request's head as the rest of the server sees it: whole, proved, and owning its bytes.

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;

use ::http::{Method, Version};
use httparse::{Header, Status};

use super::fields::{self, Fields, RECORD_BYTES};
use super::framing::{Decided, Facts, Framing};
use super::refusal::Refusal;
use super::target::{self, TargetForm};

/// Fields that are parsed without touching the heap; more cost one allocation.
const INLINE_FIELDS: usize = 64;

/// The head of one request: request line and fields.
///
/// It owns one allocation: the head's bytes as received, and behind them where each field lies.
/// What the server must know of every request is decided once, when the head is parsed.
pub struct RequestHead {
    /// The head, from the method to the empty line, then the records of its fields.
    bytes: Box<[u8]>,
    parts: Parts,
}

/// What was decided about a head, and where in its bytes the parts lie.
struct Parts {
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
        &self.parts.method
    }

    /// The path, still percent-encoded: it begins with `/`, or is `*` where the target names no
    /// resource of this server (asterisk-form and authority-form).
    #[inline]
    pub fn path(&self) -> &str {
        let path = self.text(self.parts.path);
        if !path.is_empty() {
            return path;
        }
        // RFC 9110 §4.2.3: an empty path means `/`; §9.3.7 and RFC 9112 §3.2.4: except that an
        // OPTIONS without path and query is about the server.
        let is_about_server = self.parts.method == Method::OPTIONS && self.query().is_none();
        if self.parts.form == TargetForm::Authority || is_about_server {
            "*"
        } else {
            "/"
        }
    }

    /// What follows the first `?` of the target, still percent-encoded; may be empty.
    #[inline]
    pub fn query(&self) -> Option<&str> {
        self.text(self.parts.query).strip_prefix('?')
    }

    /// The target as received, in any of its forms.
    #[inline]
    pub fn target(&self) -> &str {
        self.text(self.parts.target)
    }

    /// Which form the target has.
    #[inline]
    pub fn form(&self) -> TargetForm {
        self.parts.form
    }

    /// HTTP/1.0 or HTTP/1.1, never another.
    ///
    /// A higher minor version is HTTP/1.1 to us (RFC 9110 §2.5).
    #[inline]
    pub fn version(&self) -> Version {
        if self.parts.is_http_10 {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        }
    }

    /// All fields in the order received.
    #[inline]
    pub fn fields(&self) -> Fields<'_> {
        let (head, records) = self.bytes.split_at(self.parts.head_bytes as usize);
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
        Some(self.text(self.parts.host)).filter(|host| !host.is_empty())
    }

    /// How long the body is.
    #[inline]
    pub fn framing(&self) -> Framing {
        self.parts.decided.framing
    }

    /// Whether the peer wants the connection to stay open after this request: by its version and
    /// the Connection field (RFC 9112 §9.3).
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.parts.decided.keep_alive
    }

    /// Whether the peer waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    ///
    /// False in HTTP/1.0 and without a body.
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.parts.decided.expects_continue
    }

    /// The text at `span`, which the parser proved to be ASCII.
    #[inline]
    fn text(&self, span: Span) -> &str {
        let bytes = self.bytes.get(span.start as usize..span.end as usize);
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Debug for RequestHead {
    /// Leaves the values of fields out, for they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.parts.method)
            .field("target", &self.target())
            .field("version", &self.version())
            .field("fields", &self.fields().len())
            .field("decided", &self.parts.decided)
            .finish_non_exhaustive()
    }
}

/// Builds the head from the bytes of a complete one, which has `field_lines` fields after the
/// `request_line_bytes` of its first line, each line ended by CR LF.
///
/// `None` says that httparse refused a line, without saying which.
#[inline]
pub(crate) fn build(
    received: &[u8],
    request_line_bytes: usize,
    field_lines: usize,
) -> Result<Option<RequestHead>, Refusal> {
    let mut bytes = Vec::with_capacity(received.len() + field_lines * RECORD_BYTES);
    bytes.extend_from_slice(received);
    bytes.resize(received.len() + field_lines * RECORD_BYTES, 0);
    let mut bytes = bytes.into_boxed_slice();
    let (head, records) = bytes.split_at_mut(received.len());

    // RFC 9110 §2.5: a higher minor version is processed as the highest one that we implement,
    // and httparse knows no higher one.
    if let [line @ .., minor, b'\r', b'\n'] = &mut head[..request_line_bytes]
        && matches!(minor, b'2'..=b'9')
        && line.ends_with(b" HTTP/1.")
    {
        *minor = b'1';
    }

    let parts = if field_lines <= INLINE_FIELDS {
        let mut headers = [const { MaybeUninit::uninit() }; INLINE_FIELDS];
        read(head, records, &mut headers)?
    } else {
        read(head, records, &mut vec![MaybeUninit::uninit(); field_lines])?
    };
    Ok(parts.map(|parts| RequestHead { bytes, parts }))
}

/// Parses `head` into `headers`, and writes the `records` of its fields.
#[inline]
fn read<'a>(
    head: &'a [u8],
    records: &mut [u8],
    headers: &mut [MaybeUninit<Header<'a>>],
) -> Result<Option<Parts>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    let Ok(Status::Complete(_)) = request.parse_with_uninit_headers(head, headers) else {
        return Ok(None);
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Ok(None);
    };
    let Ok(known_method) = Method::from_bytes(method.as_bytes()) else {
        return Ok(None);
    };
    let parsed = target::parse(method.as_bytes(), target.as_bytes())?;

    let mut facts = Facts::default();
    for (header, record) in request
        .headers
        .iter()
        .zip(records.chunks_exact_mut(RECORD_BYTES))
    {
        let (name, value) = (header.name.as_bytes(), header.value);
        fields::write_record(record, range_in(head, name), range_in(head, value));
        facts.note(header.name, value)?;
    }
    let is_http_10 = minor == 0;
    let decided = facts.decide(is_http_10)?;

    let target_start = range_in(head, target.as_bytes()).start;
    let within =
        |range: Range<usize>| Span::from(target_start + range.start..target_start + range.end);
    Ok(Some(Parts {
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
    }))
}

/// Where `part`, a slice of `head`, lies in it.
#[inline]
fn range_in(head: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
    start..start + part.len()
}

#[cfg(test)]
mod tests;
