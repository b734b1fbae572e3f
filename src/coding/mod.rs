//! Content codings at work: content in, coded content out, and back. What is coded, and whether, is
//! not decided here; neither is how much at a time, which is the caller's
//! ([`CODING_SLICE_BYTES`](crate::limits::CODING_SLICE_BYTES)).
//!
//! Each coding is a file of its own around a crate: flate2 over zlib-rs (of the pure backends the
//! faster: at level 5 a MiB of text takes it 40 to 50 ms and miniz_oxide 126 ms), brotli, and
//! zstd-safe over the C library.
//!
//! An encoder is large (gzip 380 KB, zstd up to 1.8 MB) and takes long to make, compared with coding
//! a few KiB: [`Spares`] keeps some for the next response of the core.

#[cfg(feature = "compression-br")]
mod brotli;
mod gzip;
mod spares;
#[cfg(test)]
mod tests;
#[cfg(feature = "compression-zstd")]
mod zstd;

pub(crate) use spares::{Levels, Loan, Spares};

use std::io;

use crate::http::ContentCoding;

/// What becomes of the content behind the input of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// More comes at once: output may be held back.
    More,
    /// Perhaps not soon: what was taken so far can be decoded from the output so far.
    Flush,
    /// Nothing.
    Finish,
}

/// One coded stream being made.
pub(crate) trait Encode {
    /// Takes all of `input`, and appends to `output` what that makes of it.
    ///
    /// # Errors
    /// The coder is out of memory.
    fn encode(&mut self, input: &[u8], step: Step, output: &mut Vec<u8>) -> io::Result<()>;

    /// Makes ready for another stream; false if it cannot be used again.
    fn reset(&mut self) -> bool;
}

/// One coded stream being read.
pub(crate) trait Decode {
    /// Takes from `input`, and appends to `output`, as long as both have room; returns how many bytes
    /// it took. When `output` was filled there may be more even without input.
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Malformed>;

    /// Whether the stream may end here.
    fn is_complete(&self) -> bool;
}

/// The input is no stream of its coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Whether there is an encoder for `coding`.
pub(crate) const fn can_encode(coding: ContentCoding) -> bool {
    // Peers do not agree on what deflate is.
    !matches!(coding, ContentCoding::Deflate) && can_decode(coding)
}

/// Whether there is a decoder for `coding`.
pub(crate) const fn can_decode(coding: ContentCoding) -> bool {
    match coding {
        ContentCoding::Gzip | ContentCoding::Deflate => true,
        ContentCoding::Brotli => cfg!(feature = "compression-br"),
        ContentCoding::Zstd => cfg!(feature = "compression-zstd"),
    }
}

/// A decoder for `coding`, if there is one.
pub(crate) fn decoder(coding: ContentCoding) -> Option<Box<dyn Decode>> {
    Some(match coding {
        ContentCoding::Gzip => Box::new(gzip::Decoder::gzip()),
        ContentCoding::Deflate => Box::new(gzip::Decoder::zlib()),
        #[cfg(feature = "compression-br")]
        ContentCoding::Brotli => Box::new(brotli::Decoder::new()),
        #[cfg(feature = "compression-zstd")]
        ContentCoding::Zstd => Box::new(zstd::Decoder::new().ok()?),
        #[cfg(not(all(feature = "compression-br", feature = "compression-zstd")))]
        _ => return None,
    })
}

/// An encoder for `coding`, if there is one, at `level`.
fn encoder(coding: ContentCoding, level: u8) -> io::Result<Box<dyn Encode>> {
    Ok(match coding {
        ContentCoding::Gzip => Box::new(gzip::Encoder::new(level)),
        #[cfg(feature = "compression-br")]
        ContentCoding::Brotli => Box::new(brotli::Encoder::new(level)),
        #[cfg(feature = "compression-zstd")]
        ContentCoding::Zstd => Box::new(zstd::Encoder::new(level)?),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    })
}
