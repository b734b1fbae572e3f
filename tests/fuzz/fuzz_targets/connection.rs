#![no_main]
//! See `conversation::connection`.

#[path = "../../fuzzing/conversation.rs"]
mod conversation;
#[path = "../../fuzzing/delivery.rs"]
mod delivery;
#[path = "../../support/transcript.rs"]
mod transcript;

libfuzzer_sys::fuzz_target!(|input: &[u8]| conversation::connection(input));
