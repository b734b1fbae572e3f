#![no_main]
//! See `exchanges::exchange`.

#[allow(dead_code, reason = "it is the other check's")]
#[path = "../../fuzzing/conversation.rs"]
mod conversation;
#[allow(dead_code, reason = "it is the other check's")]
#[path = "../../fuzzing/delivery.rs"]
mod delivery;
#[path = "../../fuzzing/exchanges.rs"]
mod exchanges;
#[allow(dead_code, reason = "it is the other check's")]
#[path = "../../support/transcript.rs"]
mod transcript;

libfuzzer_sys::fuzz_target!(|input: &[u8]| exchanges::exchange(input));
