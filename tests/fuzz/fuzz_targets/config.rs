#![no_main]
//! See `configurations::config`.

#[path = "../../fuzzing/configurations.rs"]
mod configurations;

libfuzzer_sys::fuzz_target!(|input: &[u8]| configurations::config(input));
