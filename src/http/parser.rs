//! Finds the end of a request's head in what has arrived, within the limits.
//!
//! It looks at every byte once however the head is delivered, and refuses at the first line that
//! is wrong. What a complete head means is decided in `head.rs`.

use memchr::memchr;

use super::chars;
use super::fields;
use super::head::{self, Last, RequestHead};
use super::refusal::Refusal;
use super::target;
use crate::limits::HeadLimits;

/// A limit in force: offsets into a head are kept in 32 bits.
fn cap(limit_bytes: usize) -> usize {
    limit_bytes.min(1 << 30)
}

/// Where the scan of one request's head stands.
///
/// Of the head it keeps offsets, never bytes: `checked ≤ line_start ≤ scanned ≤ received.len()`.
#[derive(Debug, Default)]
pub struct HeadParser {
    /// Where the request line begins: after the empty line that may precede it.
    start: usize,
    /// Where the field section begins; 0 while the request line is not complete.
    section_start: usize,
    /// Where the line begins whose end was not found yet.
    line_start: usize,
    /// Bytes that hold no line end which was not acted on.
    scanned: usize,
    /// Where the first line begins whose syntax was not checked yet.
    checked: usize,
    field_lines: usize,
    /// The head was whole, each of its lines valid, and was refused all the same.
    is_refused_whole: bool,
    last: Last,
}

/// What a scan ended with.
enum Scan {
    Complete,
    NeedsMore,
    Refused(Refusal),
}

impl HeadParser {
    /// A parser at the first byte of a request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stands at the first byte of a request again, whatever was scanned.
    pub fn reset(&mut self) {
        // What it keeps of its last head stays where it is.
        let Self {
            start,
            section_start,
            line_start,
            scanned,
            checked,
            field_lines,
            is_refused_whole,
            last: _,
        } = self;
        for place in [
            start,
            section_start,
            line_start,
            scanned,
            checked,
            field_lines,
        ] {
            *place = 0;
        }
        *is_refused_whole = false;
    }

    /// Looks for a complete head in `received`: everything since the request's first byte.
    ///
    /// Returns the head and how many bytes of `received` it took, and stands at the next
    /// request's first byte then; `None` if more is needed. The work over a whole delivery is
    /// linear, even when this is called after every byte.
    ///
    /// # Errors
    /// The [`Refusal`] does not depend on how the bytes were split. After one, the parser is of no
    /// use but for [`Self::is_head`] and [`Self::refused_values`].
    pub fn parse(
        &mut self,
        received: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<(RequestHead, usize)>, Refusal> {
        if self.scanned == 0
            && let Some(plain) = head::build_plain(received, limits, &mut self.last)
        {
            return Ok(Some(plain));
        }
        match self.scan(received, limits) {
            Scan::Complete => {
                let end = self.scanned;
                let built = head::build(
                    &received[self.start..end],
                    self.section_start - self.start,
                    self.field_lines,
                    &mut self.last,
                );
                if let Ok(Some(head)) = built {
                    self.reset();
                    return Ok(Some((head, end)));
                }
                // A fault of a line comes first, and is named here where httparse found it.
                self.check_lines(received)?;
                self.is_refused_whole = true;
                built?;
                Err(Refusal::REQUEST_LINE)
            }
            Scan::NeedsMore => {
                self.check_lines(received)?;
                Ok(None)
            }
            // A fault in an earlier line comes first, as it would have byte by byte.
            Scan::Refused(refusal) => {
                self.check_lines(received)?;
                Err(refusal)
            }
        }
    }

    /// Whether the request that begins in `received`, and was parsed so far as it came, is HEAD:
    /// even when it is refused, its response has no content (RFC 9110 §9.3.2).
    pub fn is_head(&self, received: &[u8]) -> bool {
        let request = received.get(self.start..).unwrap_or_default();
        request.starts_with(b"HEAD ")
    }

    /// The values of the field `name` in a head that is whole in `received`, and was refused for
    /// what its fields say. `None` for one that was refused for a line: how much of it has come by
    /// then depends on how the bytes were split, and the answer should not.
    pub fn refused_values<'a>(
        &self,
        received: &'a [u8],
        name: &str,
    ) -> Option<impl Iterator<Item = &'a [u8]>> {
        let section = received.get(self.section_start..self.scanned)?;
        self.is_refused_whole.then(|| {
            let fields = fields::of_section(section);
            let named =
                fields.filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
            named.map(|(_, value)| value)
        })
    }

    /// Finds the line ends that were not found yet and holds the lines against the limits.
    #[inline]
    fn scan(&mut self, received: &[u8], limits: &HeadLimits) -> Scan {
        // RFC 8446 §5.1: a TLS client's first octet is the content type handshake.
        if received.first() == Some(&0x16) {
            return Scan::Refused(Refusal::TLS_HELLO);
        }
        while let Some(found) = memchr(b'\n', received.get(self.scanned..).unwrap_or_default()) {
            let end = self.scanned + found + 1;
            self.scanned = end;
            if let Some(refusal) = self.over_limit(received, end, limits) {
                return Scan::Refused(refusal);
            }
            // RFC 9112 §2.2: we take CR LF for a line end, and nothing else.
            let length = end - self.line_start;
            if length < 2 || received[end - 2] != b'\r' {
                return Scan::Refused(Refusal::BARE_LF);
            }
            let is_empty = length == 2;
            if self.section_start != 0 {
                if is_empty {
                    return Scan::Complete;
                }
                self.field_lines += 1;
                if self.field_lines > limits.field_lines {
                    return Scan::Refused(Refusal::TOO_MANY_FIELDS);
                }
            } else if !is_empty {
                self.section_start = end;
            } else if self.start == 0 {
                self.start = end;
                self.checked = end;
            } else {
                return Scan::Refused(Refusal::EMPTY_LINES);
            }
            self.line_start = end;
        }
        self.scanned = received.len();
        // The line that is still arriving has at least one byte more than it has now.
        match self.over_limit(received, received.len() + 1, limits) {
            Some(refusal) => Scan::Refused(refusal),
            None => Scan::NeedsMore,
        }
    }

    /// The refusal for a line that ends at `end`, if that is too far.
    #[inline]
    fn over_limit(&self, received: &[u8], end: usize, limits: &HeadLimits) -> Option<Refusal> {
        if self.section_start == 0 {
            let limit = cap(limits.request_line_bytes);
            (end - self.line_start > limit)
                .then(|| long_request_line(&received[self.line_start..self.line_start + limit]))
        } else {
            (end - self.section_start > cap(limits.field_section_bytes))
                .then_some(Refusal::FIELD_SECTION_TOO_LONG)
        }
    }

    /// Checks the syntax of the lines that are complete and were not checked yet.
    #[cold]
    fn check_lines(&mut self, received: &[u8]) -> Result<(), Refusal> {
        while self.checked < self.line_start {
            let rest = &received[self.checked..self.line_start];
            let Some(line_bytes) = memchr(b'\n', rest).map(|found| found + 1) else {
                break;
            };
            let line = &rest[..line_bytes.saturating_sub(2)];
            if self.checked == self.start {
                check_request_line(line)?;
            } else {
                fields::check_line(line)?;
            }
            self.checked += line_bytes;
        }
        Ok(())
    }
}

/// What is wrong with a request line of which only `beginning` is within the limit.
#[cold]
fn long_request_line(beginning: &[u8]) -> Refusal {
    let method = beginning.split(|&octet| octet == b' ').next();
    let method = method.unwrap_or_default();
    if !chars::all(method, chars::TCHAR) {
        Refusal::METHOD
    } else if method.len() == beginning.len() {
        // RFC 9112 §3: 501 for a method that is longer than any we implement.
        Refusal::METHOD_TOO_LONG
    } else {
        Refusal::REQUEST_LINE_TOO_LONG
    }
}

/// Checks a complete request line, without its CR LF; see [`fields::check_line`].
pub(super) fn check_request_line(line: &[u8]) -> Result<(), Refusal> {
    if line == b"PRI * HTTP/2.0" {
        return Err(Refusal::HTTP2_PREFACE);
    }
    let mut parts = line.splitn(3, |&octet| octet == b' ');
    let (Some(method), Some(target), Some(version)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::REQUEST_LINE);
    };
    if method.is_empty() || !chars::all(method, chars::TCHAR) {
        return Err(Refusal::METHOD);
    }
    if target.is_empty() || version.contains(&b' ') {
        return Err(Refusal::REQUEST_LINE);
    }
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major != b'1' {
                return Err(Refusal::VERSION);
            }
        }
        _ => return Err(Refusal::VERSION_SYNTAX),
    }
    target::parse(method, target).map(drop)
}

#[cfg(test)]
mod tests;
