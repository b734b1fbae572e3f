#![no_main]
//! See `sockets::socket`.

#[path = "../../fuzzing/delivery.rs"]
mod delivery;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../support/frames.rs"]
mod frames;
#[path = "../../fuzzing/sockets.rs"]
mod sockets;
/// Where the checks look for what they share with other tests.
mod support {
    pub(crate) use super::frames;
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| sockets::socket(input));
