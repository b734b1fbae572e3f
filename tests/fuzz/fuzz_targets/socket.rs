#![no_main]
//! See `sockets::socket`.

#[path = "../../fuzzing/sockets.rs"]
mod sockets;
mod support {
    #[allow(dead_code, reason = "other tests use the rest")]
    #[path = "../../../support/frames.rs"]
    pub(crate) mod frames;
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| sockets::socket(input));
