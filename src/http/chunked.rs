//! The chunked transfer coding of RFC 9112 §7.1, as a machine that takes one octet at a time.
//!
//! Extensions are checked and bounded, then forgotten: none of them is known to us (RFC 9112
//! §7.1.1). Trailers are checked and bounded, and kept until they are asked for.

use ::http::{HeaderName, HeaderValue};

use super::body::{BodyLimits, Decoded};
use super::chars;
use super::refusal::Refusal;
use super::trailers;

/// A chunk line without extensions or leading zeros is no longer: 16 digits and CR LF.
const PLAIN_LINE_BYTES: usize = 18;

/// Where the reading of a chunked body stands.
#[derive(Debug, Clone)]
pub(crate) struct ChunkedDecoder {
    state: State,
    /// In a chunk line the size so far; in chunk data the bytes to come.
    size: u64,
    /// How much content may still come is what is left of `content_bytes`.
    limits: BodyLimits,
    /// Bytes of the chunk line so far.
    line_bytes: usize,
    /// Bytes of all chunk lines so far that plain ones would not have had.
    excess_bytes: usize,
    /// The trailer section so far, with the empty line that ends it.
    trailers: Vec<u8>,
}

/// What may come next, named after what came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    ChunkStart,
    SizeDigit,
    /// White space before the semicolon of an extension (RFC 9112 §7.1.1 allows it, badly).
    SizeSpace,
    Semicolon,
    ExtensionName,
    ExtensionNameSpace,
    Equals,
    ExtensionToken,
    Quoted,
    QuotedBackslash,
    QuoteEnd,
    ExtensionSpace,
    LineCr,
    Data,
    DataEnd,
    DataCr,
    /// At the beginning of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerCr,
    LastCr,
    Complete,
}

impl ChunkedDecoder {
    pub(crate) fn new(limits: BodyLimits) -> Self {
        Self {
            state: State::ChunkStart,
            size: 0,
            limits,
            line_bytes: 0,
            excess_bytes: 0,
            trailers: Vec::new(),
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// The trailer fields of a complete body, once.
    pub(crate) fn take_trailers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        if !self.is_complete() {
            return Vec::new();
        }
        trailers::fields(&std::mem::take(&mut self.trailers))
    }

    /// See [`super::BodyDecoder::decode`].
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Decoded, Refusal> {
        let mut at = 0;
        let mut data = 0..0;
        while let Some(&octet) = input.get(at) {
            match self.state {
                State::Complete => break,
                State::Data if !data.is_empty() => break,
                State::Data => {
                    let rest = input.len() - at;
                    let taken = usize::try_from(self.size).map_or(rest, |size| size.min(rest));
                    data = at..at + taken;
                    at = data.end;
                    self.size -= taken as u64;
                    if self.size == 0 {
                        self.state = State::DataEnd;
                    }
                }
                _ => {
                    self.state = self.advance(octet)?;
                    at += 1;
                }
            }
        }
        Ok(Decoded { consumed: at, data })
    }

    /// Takes one octet of framing.
    fn advance(&mut self, octet: u8) -> Result<State, Refusal> {
        match self.state {
            State::DataEnd if octet == b'\r' => Ok(State::DataCr),
            State::DataCr if octet == b'\n' => Ok(State::ChunkStart),
            State::DataEnd | State::DataCr => Err(Refusal::CHUNK_END),
            State::TrailerStart
            | State::TrailerName
            | State::TrailerValue
            | State::TrailerCr
            | State::LastCr => {
                if self.trailers.len() >= self.limits.trailer_bytes {
                    return Err(Refusal::TRAILER_TOO_LONG);
                }
                self.trailers.push(octet);
                trailer_step(self.state, octet)
            }
            State::Data | State::Complete => Ok(self.state),
            _ => {
                self.line_bytes += 1;
                if self.line_bytes > self.limits.chunk_line_bytes {
                    return Err(Refusal::CHUNK_LINE_TOO_LONG);
                }
                self.line_step(octet)
            }
        }
    }

    /// One octet of a chunk line: `chunk-size [ chunk-ext ] CRLF`.
    fn line_step(&mut self, octet: u8) -> Result<State, Refusal> {
        match (self.state, octet) {
            (State::ChunkStart | State::SizeDigit, _) if chars::is(octet, chars::HEX) => {
                // RFC 9112 §7.1: large numbers must not overflow.
                self.size = self.size.checked_mul(16).ok_or(Refusal::CHUNK_SIZE)?
                    | u64::from(hex_value(octet));
                Ok(State::SizeDigit)
            }
            (State::SizeDigit, b'\r') => Ok(State::LineCr),
            (State::SizeDigit | State::SizeSpace, b' ' | b'\t') => Ok(State::SizeSpace),
            (State::SizeDigit | State::SizeSpace, b';') => Ok(State::Semicolon),
            (State::LineCr, b'\n') => self.end_line(),
            (State::ChunkStart | State::SizeDigit | State::SizeSpace, _) => {
                Err(Refusal::CHUNK_SIZE)
            }
            _ => extension_step(self.state, octet),
        }
    }

    /// Acts on a complete chunk line.
    fn end_line(&mut self) -> Result<State, Refusal> {
        // A body of one-byte chunks with long extensions costs a thousand times what it carries;
        // so what all the lines have beyond plain ones is bounded too.
        self.excess_bytes += self.line_bytes.saturating_sub(PLAIN_LINE_BYTES);
        if self.excess_bytes > self.limits.chunk_excess_bytes {
            return Err(Refusal::CHUNK_LINE_TOO_LONG);
        }
        self.line_bytes = 0;
        if self.size == 0 {
            return Ok(State::TrailerStart);
        }
        let allowance = &mut self.limits.content_bytes;
        *allowance = allowance
            .checked_sub(self.size)
            .ok_or(Refusal::BODY_TOO_LARGE)?;
        Ok(State::Data)
    }
}

/// One octet of `chunk-ext` (RFC 9112 §7.1.1), of which a quoted value may hold anything printable.
fn extension_step(state: State, octet: u8) -> Result<State, Refusal> {
    let is_token = chars::is(octet, chars::TCHAR);
    Ok(match (state, octet) {
        (State::Semicolon, b' ' | b'\t') => State::Semicolon,
        (State::Semicolon | State::ExtensionName, _) if is_token => State::ExtensionName,
        (State::ExtensionName | State::ExtensionNameSpace, b' ' | b'\t') => {
            State::ExtensionNameSpace
        }
        (State::ExtensionName | State::ExtensionNameSpace, b'=') => State::Equals,
        (State::Equals, b' ' | b'\t') => State::Equals,
        (State::Equals, b'"') => State::Quoted,
        (State::Equals | State::ExtensionToken, _) if is_token => State::ExtensionToken,
        (State::Quoted, b'"') => State::QuoteEnd,
        (State::Quoted, b'\\') => State::QuotedBackslash,
        (State::Quoted, _) if chars::is(octet, chars::QDTEXT) => State::Quoted,
        (State::QuotedBackslash, _) if chars::is(octet, chars::VALUE) => State::Quoted,
        (State::ExtensionToken | State::QuoteEnd | State::ExtensionSpace, b' ' | b'\t') => {
            State::ExtensionSpace
        }
        (
            State::ExtensionName
            | State::ExtensionNameSpace
            | State::ExtensionToken
            | State::QuoteEnd
            | State::ExtensionSpace,
            b';',
        ) => State::Semicolon,
        (State::ExtensionName | State::ExtensionToken | State::QuoteEnd, b'\r') => State::LineCr,
        _ => return Err(Refusal::CHUNK_EXTENSION),
    })
}

/// One octet of the trailer section, which has the syntax of a field section.
fn trailer_step(state: State, octet: u8) -> Result<State, Refusal> {
    let is_token = chars::is(octet, chars::TCHAR);
    Ok(match (state, octet) {
        (State::TrailerStart, b'\r') => State::LastCr,
        (State::TrailerStart | State::TrailerName, _) if is_token => State::TrailerName,
        (State::TrailerName, b':') => State::TrailerValue,
        (State::TrailerValue, b'\r') => State::TrailerCr,
        (State::TrailerValue, _) if chars::is(octet, chars::VALUE) => State::TrailerValue,
        (State::TrailerCr, b'\n') => State::TrailerStart,
        (State::LastCr, b'\n') => State::Complete,
        _ => return Err(Refusal::TRAILER),
    })
}

/// The value of a hexadecimal digit.
fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests;
