#![no_main]
//! See `checks::redirect`.

#[allow(dead_code, reason = "each target runs one of the checks")]
#[path = "../../fuzzing/checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::redirect(input));
