//! gzip and deflate, by flate2.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Decode, Encode, Malformed, Step};

/// The largest window there is, 32 KiB, as a logarithm.
const WINDOW_BITS: u8 = 15;

/// Room that is made for output at a time, in bytes.
const ROOM_BYTES: usize = 8 * 1024;

/// The level that leaves a block open from one call to the next.
const QUICK_LEVEL: u8 = 1;

pub(super) struct Encoder {
    compress: Compress,
    is_quick: bool,
    /// Whether there may be an open block.
    is_open: bool,
}

impl Encoder {
    pub(super) fn new(level: u8) -> Encoder {
        let is_quick = level == QUICK_LEVEL;
        let level = Compression::new(level.into());
        Encoder {
            compress: Compress::new_gzip(level, WINDOW_BITS),
            is_quick,
            is_open: false,
        }
    }
}

impl Encode for Encoder {
    fn encode(&mut self, mut input: &[u8], step: Step, output: &mut Vec<u8>) -> io::Result<()> {
        let flush = match step {
            Step::More => FlushCompress::None,
            Step::Flush => FlushCompress::Sync,
            Step::Finish => FlushCompress::Finish,
        };
        self.is_open = self.is_quick;
        loop {
            output.reserve(ROOM_BYTES);
            let before = self.compress.total_in();
            let status = self.compress.compress_vec(input, output, flush)?;
            input = &input[(self.compress.total_in() - before) as usize..];
            let is_done = match step {
                Step::Finish => status == Status::StreamEnd,
                // Room that is left says that nothing is held back.
                _ => input.is_empty() && output.len() < output.capacity(),
            };
            if is_done {
                self.is_open &= step != Step::Finish;
                return Ok(());
            }
        }
    }

    fn reset(&mut self) -> bool {
        // zlib-rs 0.6 does not close the block, and goes on with it in the next stream, which nobody can decode.
        if self.is_open && self.encode(&[], Step::Finish, &mut Vec::new()).is_err() {
            return false;
        }
        self.compress.reset();
        true
    }
}

pub(super) struct Decoder {
    inflate: Decompress,
    /// Whether members may follow one another.
    is_gzip: bool,
    /// Whether a member has ended and none begun since.
    is_complete: bool,
}

impl Decoder {
    pub(super) fn gzip() -> Decoder {
        Decoder {
            inflate: Decompress::new_gzip(WINDOW_BITS),
            is_gzip: true,
            is_complete: false,
        }
    }

    pub(super) fn zlib() -> Decoder {
        Decoder {
            inflate: Decompress::new(true),
            is_gzip: false,
            is_complete: false,
        }
    }
}

impl Decode for Decoder {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Malformed> {
        if self.is_complete {
            if input.is_empty() {
                return Ok(0);
            }
            // RFC 1952 §2.2: a file has members, one behind the other. RFC 1950 has no such thing.
            if !self.is_gzip {
                return Err(Malformed);
            }
            self.inflate = Decompress::new_gzip(WINDOW_BITS);
            self.is_complete = false;
        }
        let before = self.inflate.total_in();
        let status = self
            .inflate
            .decompress_vec(input, output, FlushDecompress::None)
            .map_err(|_| Malformed)?;
        self.is_complete = status == Status::StreamEnd;
        Ok((self.inflate.total_in() - before) as usize)
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}
