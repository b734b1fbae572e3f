//! What is made for one request, and compressed while it is: a piece, and then what comes of that. Nobody
//! else gets it, so nothing of it is kept.
//!
//! It has the slices that files have, one between two turns of the core's ring and none where a file had
//! one, but it waits for no turn in their order: it is done as its connection asks for it, which stops asking
//! while a peer is slow, and whoever had the turn then would hold up all others.
//!
//! A peer that reads slowly has its encoder for long. So there is a most of them
//! ([`LISTING_ENCODERS`](crate::limits::LISTING_ENCODERS)), and none tries harder than by default: from level 5
//! of brotli on one takes 10 MB.

use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::{Compressing, Compressor, parts};
use crate::coding::{Levels, Loan, Step};
use crate::http::ContentCoding;
use crate::limits::{CODING_SLICE_BYTES, FILE_CODING_BYTES};
use crate::ring::Ring;

/// What compresses one stream of pieces.
pub(in crate::files) struct Encoder {
    coding: ContentCoding,
    loan: Loan,
    parts: usize,
    ring: Ring,
    common: Rc<Compressing>,
}

/// `levels`, but none above the default.
pub(super) fn of_streams(levels: &Levels) -> Levels {
    let mut lowered = Levels::default();
    for coding in ContentCoding::ALL {
        lowered.set(coding, levels.of(coding).min(lowered.of(coding)));
    }
    lowered
}

impl Compressor {
    /// An encoder for what is made for one request on the core of `ring`; `None` if there are as many as may
    /// be.
    pub(in crate::files) fn lend(&self, ring: &Ring, coding: ContentCoding) -> Option<Encoder> {
        let permit = self.common.streams.take()?;
        Some(Encoder {
            coding,
            loan: self.spares_of_streams.lend(coding, permit),
            parts: parts(coding, Levels::default().of(coding)),
            ring: ring.clone(),
            common: Rc::clone(&self.common),
        })
    }
}

impl Encoder {
    /// The coding of what it makes.
    pub(in crate::files) fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// What comes of the next `piece`: enough to decode all of it; with the end of the stream, if it
    /// `is_last`.
    ///
    /// # Errors
    /// The encoder is out of memory.
    pub(in crate::files) async fn encode(
        &mut self,
        piece: Bytes,
        is_last: bool,
    ) -> io::Result<Bytes> {
        let mut output = Vec::with_capacity(piece.len() / 4);
        let mut rest = piece;
        let mut taken = 0;
        loop {
            let slice = rest.split_to(rest.len().min(FILE_CODING_BYTES / self.parts));
            taken += slice.len();
            let is_held_for_long = taken.is_multiple_of(CODING_SLICE_BYTES / self.parts);
            let step = match rest.is_empty() {
                true if is_last => Step::Finish,
                false if !is_held_for_long => Step::More,
                _ => Step::Flush,
            };
            self.common.slot(&self.ring).await;
            self.loan.encode(&slice, step, &mut output)?;
            if rest.is_empty() {
                return Ok(output.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Policy;
    use crate::limits::LISTING_ENCODERS;
    use crate::ring::{RingOptions, run};
    use ContentCoding::{Brotli, Gzip, Zstd};

    fn compressor(compress: &[(ContentCoding, u8)]) -> Compressor {
        let policy = Policy {
            compress: compress.to_vec(),
            ..Policy::default()
        };
        Compressor::new(&policy, &Rc::default())
    }

    #[test]
    fn there_is_a_most_of_encoders() {
        run(None, RingOptions::default(), |ring| async move {
            let compressor = compressor(&[(Gzip, 1)]);
            let lend = |_| compressor.lend(&ring, Gzip);
            let mut lent: Vec<_> = (0..LISTING_ENCODERS).map(lend).collect();
            assert!(lent.iter().all(Option::is_some));
            assert!(compressor.lend(&ring, Gzip).is_none());
            lent.pop();
            assert!(compressor.lend(&ring, Gzip).is_some());
        })
        .unwrap();
    }

    #[test]
    fn streams_try_no_harder_than_by_default() {
        let mut levels = Levels::default();
        levels.set(Brotli, 6);
        levels.set(Gzip, 1);
        let lowered = of_streams(&levels);
        assert_eq!(
            [Brotli, Gzip, Zstd].map(|coding| lowered.of(coding)),
            [4, 1, 3]
        );
    }

    /// Each piece is as much as can be decoded so far, and a slice of it is all that is done between two turns.
    #[test]
    fn a_piece_is_coded_as_a_whole_in_slices() {
        const PIECES: usize = 3;
        run(None, RingOptions::default(), |ring| async move {
            let compressor = compressor(&[(Gzip, 5)]);
            let mut encoder = compressor.lend(&ring, Gzip).unwrap();
            let piece = Bytes::from(vec![b'a'; CODING_SLICE_BYTES + 1]);
            let mut coded = Vec::new();
            for number in 1..=PIECES {
                let is_last = number == PIECES;
                coded.extend(encoder.encode(piece.clone(), is_last).await.unwrap());
                let mut decoded = Vec::new();
                let mut decoder = crate::coding::decoder(Gzip).unwrap();
                let mut rest = &coded[..];
                loop {
                    let known = decoded.len();
                    decoded.reserve(piece.len());
                    let taken = decoder.decode(rest, &mut decoded).unwrap();
                    rest = &rest[taken..];
                    if taken == 0 && decoded.len() == known {
                        break;
                    }
                }
                assert_eq!(decoded, piece.repeat(number), "{number}");
                assert_eq!(decoder.is_complete(), is_last, "{number}");
            }
            let slices = piece.len().div_ceil(FILE_CODING_BYTES) * PIECES;
            assert_eq!(compressor.common.slices.get(), slices as u64);
        })
        .unwrap();
    }
}
