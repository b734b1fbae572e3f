//! What an encoder has made so far, in pieces of a bounded size.
//!
//! One piece that grows would be copied as a whole each time that there is no more room for it, and have
//! room in the end that nobody counts. Measured in release, growing to 4 MiB took 0.35 ms at once with the
//! program's allocator, and 1.3 ms with the C library's; a piece is copied in 0.03 ms and 0.08 ms.

use std::io;

/// From so many bytes on, a piece is full.
const FULL_BYTES: usize = 64 * 1024;

/// What a piece has room for, in bytes: what an encoder holds back comes at once.
const PIECE_BYTES: usize = 2 * FULL_BYTES;

/// Encoded content.
#[derive(Debug)]
pub(super) struct Output {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    /// Of those that are full.
    full_bytes: usize,
}

impl Output {
    /// None yet, of which there will be about `most` bytes at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            full: Vec::new(),
            last: Vec::with_capacity(most.min(PIECE_BYTES)),
            full_bytes: 0,
        }
    }

    /// How many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        self.full_bytes + self.last.len()
    }

    /// Has `encode` write behind what there is.
    ///
    /// # Errors
    /// Those of `encode`.
    pub(super) fn push(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.last.len() >= FULL_BYTES {
            self.full_bytes += self.last.len();
            let next = Vec::with_capacity(PIECE_BYTES);
            self.full.push(std::mem::replace(&mut self.last, next));
        }
        encode(&mut self.last)
    }

    /// All of it, in order.
    pub(super) fn into_pieces(mut self) -> impl Iterator<Item = Vec<u8>> {
        self.full.push(self.last);
        self.full.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_in_pieces_that_never_grow() {
        for (step, count) in [(1, 10), (8 * 1024, 100), (40_000, 20), (FULL_BYTES, 3)] {
            let mut output = Output::new(step * count);
            let mut all = Vec::new();
            for number in 0..count {
                let bytes = vec![number as u8; step];
                let written = output.push(|piece| {
                    piece.extend_from_slice(&bytes);
                    Ok(())
                });
                written.unwrap();
                all.extend_from_slice(&bytes);
                assert_eq!(output.bytes(), all.len());
            }
            let pieces: Vec<_> = output.into_pieces().collect();
            assert_eq!(pieces.concat(), all);
            assert!(pieces.iter().all(|piece| piece.capacity() <= PIECE_BYTES));
        }
    }
}
