//! Brotli, by the crate of that name. Its encoder cannot be used for another stream.

use std::io;

use brotli::enc::StandardAlloc;
use brotli::enc::encode::{
    BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct,
};
use brotli::interface::{InputPair, PredictionModeContextMap, StaticCommand};
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, InputReferenceMut};

use super::{Decode, Encode, Malformed, Step};

/// Room that is made for output at a time, in bytes.
const ROOM_BYTES: usize = 8 * 1024;

/// The level from which on a large window is worth its memory.
const THOROUGH: u8 = 5;

/// Windows as logarithms: 256 KiB, with which a stream takes 1.6 MB at level 4, and 4 MiB, with which
/// one takes 10 MB at level 5.
const WINDOW_BITS: u32 = 18;
const THOROUGH_WINDOW_BITS: u32 = 22;

pub(super) struct Encoder(BrotliEncoderStateStruct<StandardAlloc>);

impl Encoder {
    pub(super) fn new(level: u8) -> Encoder {
        let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
        let window_bits = match level {
            THOROUGH.. => THOROUGH_WINDOW_BITS,
            _ => WINDOW_BITS,
        };
        for (parameter, value) in [
            (BrotliEncoderParameter::BROTLI_PARAM_QUALITY, level.into()),
            (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, window_bits),
        ] {
            state.set_parameter(parameter, value);
        }
        Encoder(state)
    }
}

impl Encode for Encoder {
    fn encode(&mut self, input: &[u8], step: Step, output: &mut Vec<u8>) -> io::Result<()> {
        let operation = match step {
            Step::More => BrotliEncoderOperation::BROTLI_OPERATION_PROCESS,
            Step::Flush => BrotliEncoderOperation::BROTLI_OPERATION_FLUSH,
            Step::Finish => BrotliEncoderOperation::BROTLI_OPERATION_FINISH,
        };
        let mut nobody = |_: &mut PredictionModeContextMap<InputReferenceMut<'_>>,
                          _: &mut [StaticCommand],
                          _: InputPair<'_>,
                          _: &mut StandardAlloc| ();
        let (mut left, mut taken) = (input.len(), 0);
        loop {
            let mut written = output.len();
            output.resize(written + ROOM_BYTES, 0);
            let mut room = ROOM_BYTES;
            let is_well = self.0.compress_stream(
                operation,
                &mut left,
                input,
                &mut taken,
                &mut room,
                output,
                &mut written,
                &mut None,
                &mut nobody,
            );
            output.truncate(written);
            if !is_well {
                return Err(io::Error::other("brotli failed"));
            }
            let is_done = match step {
                Step::Finish => self.0.is_finished(),
                _ => left == 0 && !self.0.has_more_output(),
            };
            if is_done {
                return Ok(());
            }
        }
    }

    fn reset(&mut self) -> bool {
        false
    }
}

pub(super) struct Decoder {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    is_complete: bool,
}

impl Decoder {
    pub(super) fn new() -> Decoder {
        let alloc = StandardAlloc::default;
        Decoder {
            // The other constructors take windows of up to 1 GiB, which RFC 7932 §9.1 does not have.
            state: BrotliState::new_strict(alloc(), alloc(), alloc()),
            is_complete: false,
        }
    }
}

impl Decode for Decoder {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Malformed> {
        if self.is_complete {
            return if input.is_empty() {
                Ok(0)
            } else {
                Err(Malformed)
            };
        }
        let (mut left, mut taken) = (input.len(), 0);
        let mut written = output.len();
        let mut room = output.capacity() - written;
        output.resize(output.capacity(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut taken,
            input,
            &mut room,
            &mut written,
            output,
            &mut 0,
            &mut self.state,
        );
        output.truncate(written);
        match result {
            BrotliResult::ResultFailure => return Err(Malformed),
            BrotliResult::ResultSuccess => self.is_complete = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(taken)
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}
