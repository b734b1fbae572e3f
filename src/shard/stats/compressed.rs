//! Answers that are compressed, with gzip, which every scraper asks for. It is done once for all who ask for the
//! same, and in steps, so that a core that does so serves others in between.
//!
//! At the lowest level a twentieth of a scraper's text is left, for 1.7 ms of a core for each MiB and 22 µs in the longest
//! step. Above it the encoder holds back what it has found and writes it in one go: 130 µs at level 2, for a quarter
//! less.

use super::written::Slice;
use crate::coding::{Levels, Spares, Step};
use crate::http::ContentCoding;
use bytes::Bytes;
use std::{fmt, io};

/// How hard it tries: as little as it can.
const LEVEL: u8 = 1;

/// Bytes that are compressed at a time.
const STEP_BYTES: usize = 4 * 1024;

/// Bytes of a piece of what comes of it, so that nothing long is ever copied.
const PIECE_BYTES: usize = 64 * 1024;

/// The encoder of a core, once it was needed: 380 KB, which take some 0.2 ms to be made.
pub(super) struct Gzip(Spares);

impl Default for Gzip {
    fn default() -> Self {
        let mut levels = Levels::default();
        levels.set(ContentCoding::Gzip, LEVEL);
        Self(Spares::new(levels))
    }
}

impl Gzip {
    /// What `pieces` are when they are compressed; None if nobody wants it any more.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) async fn compress(
        &self,
        pieces: &[Bytes],
        slice: &mut Slice<'_>,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<Vec<Bytes>>> {
        let mut encoder = self.0.take(ContentCoding::Gzip)?;
        let (mut compressed, mut last) = (Vec::new(), Vec::new());
        for part in pieces.iter().flat_map(|piece| piece.chunks(STEP_BYTES)) {
            encoder.encode(part, Step::More, &mut last)?;
            if last.len() >= PIECE_BYTES {
                compressed.push(std::mem::take(&mut last).into());
            }
            slice.rest().await;
            if !is_wanted() {
                return Ok(None);
            }
        }
        encoder.encode(&[], Step::Finish, &mut last)?;
        compressed.push(last.into());
        self.0.give_back(ContentCoding::Gzip, encoder);
        Ok(Some(compressed))
    }
}

impl fmt::Debug for Gzip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gzip").finish_non_exhaustive()
    }
}
