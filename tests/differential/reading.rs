//! What a parser reads out of a message: the requests, as far as they can be compared. It holds our
//! parser's side.

use corelane::http::{BodyDecoder, BodyLimits, HeadLimits, HeadParser, Refusal};
use std::fmt;

/// A field's name and its value.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// A request that was read to its end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// The minor version: 1 for HTTP/1.1.
    pub(crate) minor: u8,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection goes on after it. If not, it is the last that is read.
    pub(crate) persists: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, target) = (self.method.escape_ascii(), self.target.escape_ascii());
        write!(f, "{method} {target} 1.{}", self.minor)?;
        for (name, value) in &self.fields {
            write!(f, " | {}: {}", name.escape_ascii(), value.escape_ascii())?;
        }
        let after = if self.persists { "persists" } else { "closes" };
        write!(f, " | body \"{}\" | {after}", self.body.escape_ascii())
    }
}

/// What our parser read.
pub(crate) struct Reading {
    /// Each request, and where its bytes begin.
    pub(crate) requests: Vec<(usize, Request)>,
    /// Where the reading ended: behind the last request.
    pub(crate) end: usize,
    /// Why it ended there, if not for want of bytes.
    pub(crate) refusal: Option<Refusal>,
}

/// Reads requests as a connection does, until the bytes end, one is refused, or one closes.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading {
        requests: Vec::new(),
        end: 0,
        refusal: None,
    };
    let mut parser = HeadParser::new();
    loop {
        match next(&mut parser, &bytes[reading.end..]) {
            Ok(Some((request, taken))) => {
                let persists = request.persists;
                reading.requests.push((reading.end, request));
                reading.end += taken;
                if !persists {
                    return reading;
                }
            }
            Ok(None) => return reading,
            Err(refusal) => {
                reading.refusal = Some(refusal);
                return reading;
            }
        }
    }
}

/// The request at the beginning of `bytes` and how many of them it took; none if more are needed.
fn next(parser: &mut HeadParser, bytes: &[u8]) -> Result<Option<(Request, usize)>, Refusal> {
    let Some((head, mut taken)) = parser.parse(bytes, &HeadLimits::default())? else {
        return Ok(None);
    };
    let mut decoder = BodyDecoder::new(
        head.framing(),
        &BodyLimits::default().with_content_bytes(u64::MAX),
    )?;
    let mut body = Vec::new();
    while !decoder.is_complete() {
        let input = &bytes[taken..];
        if input.is_empty() {
            return Ok(None);
        }
        let decoded = decoder.decode(input)?;
        body.extend_from_slice(&input[decoded.data]);
        taken += decoded.consumed;
    }
    let fields = head.fields();
    let request = Request {
        method: head.method().as_str().into(),
        target: head.target().into(),
        minor: u8::from(head.version() == http::Version::HTTP_11),
        fields: fields
            .map(|(name, value)| (name.into(), value.to_vec()))
            .collect(),
        body,
        persists: head.keep_alive(),
    };
    Ok(Some((request, taken)))
}

/// Leaves the first of equal Content-Length fields, as parsers do that hand on one of them
/// (RFC 9110 §8.6).
pub(crate) fn collapse_lengths(fields: &mut Vec<Field>) {
    let mut is_first = true;
    fields.retain(|(name, _)| {
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        !is_length || std::mem::take(&mut is_first)
    });
}
