//! What the fields of a request decide about its body and its connection.
//!
//! RFC 9112 §6.3 as code: one pass over the fields collects the facts, one function decides.
//! Whatever two recipients could read differently is refused.

use super::chars::trim_ows;
use super::refusal::Refusal;
use super::target;

/// How long the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body (RFC 9112 §6.3, seventh case).
    None,
    /// Exactly this many bytes, from Content-Length; may be 0.
    Length(u64),
    /// Chunks until the last one (RFC 9112 §7.1).
    Chunked,
}

/// What [`Facts::decide`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) framing: Framing,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
}

/// What the fields seen so far said.
#[derive(Debug, Default)]
pub(crate) struct Facts<'known, 'a> {
    /// A Host that was proved before: the same need not be proved again.
    known_host: &'known [u8],
    host: Option<&'a [u8]>,
    is_known_host: bool,
    length: Option<u64>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
    expects_else: bool,
}

/// What the Transfer-Encoding fields seen so far name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Codings that we do not know, and then chunked.
    UnknownThenChunked,
    /// The last coding so far is none that we know.
    Unknown,
}

impl<'known, 'a> Facts<'known, 'a> {
    /// Nothing seen yet. `known_host` is a valid Host, or empty.
    #[inline]
    pub(crate) fn new(known_host: &'known [u8]) -> Self {
        Self {
            known_host,
            ..Self::default()
        }
    }

    /// Takes note of one field; names are told apart by their length first.
    #[inline]
    pub(crate) fn note(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        match name.len() {
            4 if is_named(name, "Host") => self.note_host(value),
            6 if is_named(name, "Expect") => {
                self.note_expect(value);
                Ok(())
            }
            10 if is_named(name, "Connection") => {
                self.note_connection(value);
                Ok(())
            }
            14 if is_named(name, "Content-Length") => self.note_length(value),
            17 if is_named(name, "Transfer-Encoding") => self.note_coding(value),
            _ => Ok(()),
        }
    }

    /// The one valid Host, if there was one.
    #[inline]
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        self.host
    }

    /// That Host, if it is not the one that was proved before.
    #[inline]
    pub(crate) fn new_host(&self) -> Option<&'a [u8]> {
        self.host.filter(|_| !self.is_known_host)
    }

    /// Decides, once every field was noted. `is_http_10` says which of the two versions it is.
    #[inline]
    pub(crate) fn decide(&self, is_http_10: bool) -> Result<Decided, Refusal> {
        // RFC 9112 §3.2: 400 to any HTTP/1.1 request that lacks a Host field.
        if self.host.is_none() && !is_http_10 {
            return Err(Refusal::HOST_MISSING);
        }
        let framing = self.framing(is_http_10)?;
        // RFC 9110 §10.1.1: HTTP/1.0 has no expectations, so an Expect field there is ignored; in
        // HTTP/1.1 one that we cannot meet is answered 417. Without content there is nothing to
        // continue with.
        let expects = !is_http_10;
        if expects && self.expects_else {
            return Err(Refusal::EXPECTATION);
        }
        let has_body = !matches!(framing, Framing::None | Framing::Length(0));
        Ok(Decided {
            framing,
            // RFC 9112 §9.3: close wins; then 1.1 persists, and 1.0 only if it asks to.
            keep_alive: !self.close && (self.keep_alive || !is_http_10),
            expects_continue: expects && self.expects_continue && has_body,
        })
    }

    #[inline]
    fn framing(&self, is_http_10: bool) -> Result<Framing, Refusal> {
        let Some(coding) = self.coding else {
            return Ok(self.length.map_or(Framing::None, Framing::Length));
        };
        // RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0 is faulty framing.
        if is_http_10 {
            return Err(Refusal::CODING_IN_HTTP_10);
        }
        // RFC 9112 §6.1: a server may reject a request that has both, and ought to handle it as an
        // error, since it is how requests are smuggled.
        if self.length.is_some() {
            return Err(Refusal::LENGTH_AND_CODING);
        }
        match coding {
            Coding::Chunked => Ok(Framing::Chunked),
            Coding::UnknownThenChunked => Err(Refusal::CODING_UNKNOWN),
            // RFC 9112 §6.3, fourth case: no chunked at the end, so no length: 400, whatever the
            // coding is.
            Coding::Unknown => Err(Refusal::CODING_NOT_CHUNKED),
        }
    }

    #[inline]
    fn note_host(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        if self.host.is_some() {
            return Err(Refusal::HOST_REPEATED);
        }
        // RFC 9112 §3.3: where the http scheme needs an authority, an empty Host may be rejected.
        self.is_known_host = !value.is_empty() && value == self.known_host;
        if !self.is_known_host && !target::is_valid_authority(value) {
            return Err(Refusal::HOST_INVALID);
        }
        self.host = Some(value);
        Ok(())
    }

    /// RFC 9110 §8.6: repeated equal values may be collapsed or refused. Repeated lines are
    /// collapsed, for any reader agrees on them; a list in one line is refused, for readers that
    /// stop at the comma would not.
    fn note_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let length = decimal(value).ok_or(Refusal::LENGTH_INVALID)?;
        match self.length.replace(length) {
            Some(before) if before != length => Err(Refusal::LENGTHS_DIFFER),
            _ => Ok(()),
        }
    }

    /// Reads one line of the list strictly: empty members, which a lenient reader skips (RFC 9110
    /// §5.6.1.2), are refused here, because this list decides where the next request begins.
    fn note_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        for member in value.split(|&octet| octet == b',') {
            let member = trim_ows(member);
            if member.is_empty() {
                return Err(Refusal::CODING_NOT_CHUNKED);
            }
            let is_chunked = member.eq_ignore_ascii_case(b"chunked");
            self.coding = Some(match self.coding {
                None if is_chunked => Coding::Chunked,
                // RFC 9112 §6.1: chunked is applied once, and nothing comes after it.
                Some(Coding::Chunked | Coding::UnknownThenChunked) => {
                    return Err(Refusal::CODING_NOT_CHUNKED);
                }
                Some(Coding::Unknown) if is_chunked => Coding::UnknownThenChunked,
                None | Some(Coding::Unknown) => Coding::Unknown,
            });
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in members(value) {
            // RFC 9110 §7.6.1: connection options are compared without regard to case.
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn note_expect(&mut self, value: &[u8]) {
        for expectation in members(value) {
            if expectation.eq_ignore_ascii_case(b"100-continue") {
                self.expects_continue = true;
            } else {
                self.expects_else = true;
            }
        }
    }
}

/// Whether `name` is `usual`, which is how most peers write it: that takes one comparison, and
/// not one for each letter.
#[inline]
fn is_named(name: &str, usual: &str) -> bool {
    name == usual || name.eq_ignore_ascii_case(usual)
}

/// The members of a comma-separated list; empty ones are skipped (RFC 9110 §5.6.1.2).
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&octet| octet == b',')
        .map(trim_ows)
        .filter(|member| !member.is_empty())
}

/// `1*DIGIT`, below 2^64. No sign, no white space, no list (RFC 9110 §8.6).
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, octet| {
        let digit = octet.is_ascii_digit().then(|| octet - b'0')?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
