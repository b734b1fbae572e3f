//! A request's head as the rest of the server sees it: whole, proved, and owning its bytes.

use std::fmt;
use std::rc::Rc;

use ::http::{Method, Version};

use super::fields::{Fields, Place, Span};
use super::framing::{Decided, Framing, members};
use super::target::TargetForm;

mod build;

pub(super) use self::build::{Last, build, build_plain};

/// The head of one request: request line and fields.
///
/// It owns the head's bytes as received. What the server must know of every request is decided
/// once, when the head is parsed. It is one pointer, because it is handed on from the parser
/// through the router to the handler. A clone is the same head once more, not a copy of it.
#[derive(Clone)]
pub struct RequestHead(Rc<Parts>);

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
        match self.text(self.0.path) {
            "" => self.unwritten_path(),
            path => path,
        }
    }

    /// The path where the target has none.
    #[cold]
    fn unwritten_path(&self) -> &'static str {
        // RFC 9110 §4.2.3: an empty path means `/`; §9.3.7 and RFC 9112 §3.2.4: except that an
        // OPTIONS without path and query is about the server.
        let is_about_server = self.0.method == Method::OPTIONS && self.query().is_none();
        if self.0.form == TargetForm::Authority || is_about_server {
            "*"
        } else {
            "/"
        }
    }

    /// The octets of [`Self::path`], for comparing.
    #[inline]
    pub fn path_octets(&self) -> &[u8] {
        match self.octets(self.0.path) {
            [] => self.unwritten_path().as_bytes(),
            path => path,
        }
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

    /// Whether the field `name` is about this connection alone, and so not for whoever a request
    /// is passed on to: Connection names it (RFC 9110 §7.6.1), or it always is.
    pub fn is_hop_by_hop(&self, name: impl AsRef<str>) -> bool {
        const ALWAYS: [&str; 6] = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
        ];
        let name = name.as_ref();
        let is_name = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes());
        let mut named = self.field_values("connection").flat_map(members);
        ALWAYS.iter().any(|other| is_name(other.as_bytes())) || named.any(is_name)
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

    /// How long the head is, to the end of its empty line.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.0.bytes.len() as u64
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

/// The text that is `octets`, which the parser proved to be ASCII.
#[inline]
fn ascii(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap_or_default()
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

#[cfg(test)]
mod tests;
