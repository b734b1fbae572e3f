//! Zstandard, by zstd-safe.

use std::io;

use zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::{Decode, Encode, Malformed, Step};

/// The window of what is encoded as a logarithm: 256 KiB. The library's own choice, 2 MiB at level 3,
/// makes a MiB of text 2 % smaller and the encoder twice as large.
const WINDOW_LOG: u32 = 18;

/// The largest window that is decoded as a logarithm: 8 MiB, as RFC 9659 has it. A decoder takes as
/// much memory as its stream asks for.
const WINDOW_LOG_MAX: u32 = 23;

/// Room that is made for output at a time, in bytes.
const ROOM_BYTES: usize = 8 * 1024;

pub(super) struct Encoder(CCtx<'static>);

impl Encoder {
    pub(super) fn new(level: u8) -> io::Result<Encoder> {
        let mut context = CCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        for parameter in [
            CParameter::CompressionLevel(level.into()),
            CParameter::WindowLog(WINDOW_LOG),
        ] {
            context.set_parameter(parameter).map_err(failure)?;
        }
        Ok(Encoder(context))
    }
}

impl Encode for Encoder {
    fn encode(&mut self, input: &[u8], step: Step, output: &mut Vec<u8>) -> io::Result<()> {
        let directive = match step {
            Step::More => ZSTD_EndDirective::ZSTD_e_continue,
            Step::Flush => ZSTD_EndDirective::ZSTD_e_flush,
            Step::Finish => ZSTD_EndDirective::ZSTD_e_end,
        };
        let bytes = input.len();
        let mut input = InBuffer::around(input);
        loop {
            output.reserve(ROOM_BYTES);
            let written = output.len();
            let mut room = OutBuffer::around_pos(output, written);
            let left = self.0.compress_stream2(&mut room, &mut input, directive);
            let left = left.map_err(failure)?;
            let is_done = match step {
                Step::More => input.pos() == bytes,
                Step::Flush | Step::Finish => left == 0,
            };
            if is_done {
                return Ok(());
            }
        }
    }

    fn reset(&mut self) -> bool {
        self.0.reset(ResetDirective::SessionOnly).is_ok()
    }
}

pub(super) struct Decoder {
    context: DCtx<'static>,
    /// Whether a frame has ended and none begun since.
    is_complete: bool,
}

impl Decoder {
    pub(super) fn new() -> io::Result<Decoder> {
        let mut context = DCtx::try_create().ok_or(io::ErrorKind::OutOfMemory)?;
        let parameter = DParameter::WindowLogMax(WINDOW_LOG_MAX);
        context.set_parameter(parameter).map_err(failure)?;
        Ok(Decoder {
            context,
            is_complete: false,
        })
    }
}

impl Decode for Decoder {
    fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Malformed> {
        if self.is_complete && input.is_empty() {
            return Ok(0);
        }
        let mut input = InBuffer::around(input);
        let written = output.len();
        let mut room = OutBuffer::around_pos(output, written);
        let left = self.context.decompress_stream(&mut room, &mut input);
        self.is_complete = left.map_err(|_| Malformed)? == 0;
        Ok(input.pos())
    }

    fn is_complete(&self) -> bool {
        self.is_complete
    }
}

fn failure(code: zstd_safe::ErrorCode) -> io::Error {
    io::Error::other(zstd_safe::get_error_name(code))
}
