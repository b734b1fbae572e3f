//! Seeded fuzzing on stable Rust: each check over its seeds and over mutations of them.
//!
//! The run is the same every time. `FUZZ_ITERATIONS` sets how many mutated inputs each check gets,
//! `FUZZ_SEED` where the random numbers start. The same checks run under libFuzzer in `tests/fuzz`.

mod checks;
mod conversation;
#[path = "../support/mod.rs"]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use support::mutate::Mutator;
use support::{seeds, setting, transcript};

/// Mutated inputs for each check if `FUZZ_ITERATIONS` is not set: a few seconds in a debug build.
const ITERATIONS: u64 = 40_000;

/// Longest mutated input, in bytes: long enough for every limit that the seeds come near.
const INPUT_BYTES: usize = 4096;

/// Checks every seed, then mutations of them. A failure names the input.
fn fuzz(check: fn(&[u8]), seeds: &[&[u8]]) {
    let iterations = setting("FUZZ_ITERATIONS").unwrap_or(ITERATIONS);
    let start = setting("FUZZ_SEED").unwrap_or(1);
    let run = |input: &[u8]| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
            eprintln!("the input was b\"{}\"", input.escape_ascii());
            resume_unwind(panic);
        }
    };
    seeds.iter().for_each(|seed| run(seed));
    let mut mutator = Mutator::new(start, seeds);
    let mut input = Vec::new();
    for _ in 0..iterations {
        mutator.mutate(&mut input);
        input.truncate(INPUT_BYTES);
        run(&input);
    }
}

#[test]
fn heads() {
    fuzz(checks::head, seeds::HEADS);
}

#[test]
fn bodies() {
    fuzz(checks::body, seeds::BODIES);
}

#[test]
fn targets() {
    fuzz(checks::target, seeds::TARGETS);
}

#[test]
fn dates() {
    fuzz(checks::date, seeds::DATES);
}

#[test]
fn file_paths() {
    fuzz(checks::path, seeds::PATHS);
}

#[test]
fn configurations() {
    fuzz(checks::config, seeds::CONFIGS);
}

#[test]
fn routes() {
    fuzz(checks::route, seeds::ROUTES);
}

#[test]
fn connections() {
    fuzz(conversation::connection, seeds::CONNECTIONS);
}
