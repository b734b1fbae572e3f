//! Answers that are compressed, with gzip, which every scraper asks for. It is done once for all who ask for the
//! same, and in steps, so that a core that does so serves others in between.
//!
//! At the lowest level a twentieth of a scraper's text is left, for 1.7 ms of a core for each MiB and 22 µs in the longest
//! step. Above it the encoder holds back what it has found and writes it in one go: 130 µs at level 2, for a quarter
//! less.

use crate::coding::{Encode, Levels, Spares, Step};
use crate::http::ContentCoding;
use bytes::Bytes;
use std::{fmt, io};

/// How hard it tries: as little as it can.
const LEVEL: u8 = 1;

/// Bytes that are compressed at a time.
const STEP_BYTES: usize = 4 * 1024;

/// Bytes of a piece of what comes of it, so that nothing long is ever copied.
const PIECE_BYTES: usize = 64 * 1024;

/// The encoder of a core, once it was needed: 380 KB, which take some 0.2 ms to be made, in one go. A core makes it for
/// the first that asks for gzip, and keeps it: most cores of most servers are never asked.
pub(super) struct Gzip(Spares);

impl Default for Gzip {
    fn default() -> Self {
        let mut levels = Levels::default();
        levels.set(ContentCoding::Gzip, LEVEL);
        Self(Spares::new(levels))
    }
}

impl Gzip {
    /// What `pieces` are when they are compressed; None if nobody wants it any more. It has a `rest` behind each step.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) async fn compress(
        &self,
        pieces: &[Bytes],
        rest: impl AsyncFnMut(),
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<Vec<Bytes>>> {
        let mut encoder = self.0.take(ContentCoding::Gzip)?;
        let compressed = encode(&mut *encoder, pieces, rest, is_wanted).await;
        // It begins anew with the next, however this one ended.
        self.0.give_back(ContentCoding::Gzip, encoder);
        compressed
    }
}

/// What `encoder` makes of `pieces`; None if nobody wants it any more.
async fn encode(
    encoder: &mut dyn Encode,
    pieces: &[Bytes],
    mut rest: impl AsyncFnMut(),
    is_wanted: impl Fn() -> bool,
) -> io::Result<Option<Vec<Bytes>>> {
    let (mut compressed, mut last) = (Vec::new(), Vec::new());
    for part in pieces.iter().flat_map(|piece| piece.chunks(STEP_BYTES)) {
        encoder.encode(part, Step::More, &mut last)?;
        if last.len() >= PIECE_BYTES {
            compressed.push(std::mem::take(&mut last).into());
        }
        rest().await;
        if !is_wanted() {
            return Ok(None);
        }
    }
    encoder.encode(&[], Step::Finish, &mut last)?;
    compressed.push(last.into());
    Ok(Some(compressed))
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use futures_lite::future::block_on;
    use std::cell::Cell;
    use std::io::Read;

    #[test]
    fn there_is_one_encoder_however_many_answers_are_left() {
        let gzip = Gzip::default();
        let pieces = [vec![b'a'; 2 * STEP_BYTES].into(), Bytes::from_static(b"b")];
        let rests = Cell::new(0);
        // It is wanted until there were so many.
        let compress = |most: usize| {
            rests.set(0);
            let rest = async || rests.set(rests.get() + 1);
            let compressing = gzip.compress(&pieces, rest, || rests.get() < most);
            let compressed = block_on(compressing).expect("memory");
            assert_eq!(gzip.0.waiting(ContentCoding::Gzip), 1);
            compressed
        };
        for most in 1..=3 {
            assert!(compress(most).is_none());
            assert_eq!(rests.get(), most);
        }
        // What was begun is not in the next.
        let compressed = compress(4).expect("it is wanted").concat();
        let mut content = Vec::new();
        let decoded = GzDecoder::new(&*compressed).read_to_end(&mut content);
        decoded.expect("it is gzip");
        assert_eq!(content, pieces.concat());
    }
}
