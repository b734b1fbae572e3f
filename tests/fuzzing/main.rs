//! Seeded fuzzing on stable Rust: each check over its seeds and over mutations of them.
//!
//! The run is the same every time. `FUZZ_ITERATIONS` sets how many mutated inputs each check gets,
//! `FUZZ_SEED` where the random numbers start. The same checks run under libFuzzer in `tests/fuzz`,
//! from the same seeds once `FUZZ_CORPUS` has said where to write them.

mod checks;
mod configurations;
mod conversation;
mod delivery;
mod exchanges;
#[cfg(feature = "websocket")]
mod sockets;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use support::mutate::Mutator;
use support::{seeds, setting, transcript};

/// Mutated inputs for each check if `FUZZ_ITERATIONS` is not set: a few seconds in a debug build.
const ITERATIONS: u64 = 40_000;

/// Longest mutated input, in bytes: long enough for every limit that the seeds come near.
const INPUT_BYTES: usize = 4096;

/// A check under the name of its libFuzzer target, and the inputs that it starts from.
struct Target {
    name: &'static str,
    check: fn(&[u8]),
    seeds: &'static [&'static [u8]],
}

const HEAD: Target = target("head", checks::head, seeds::HEADS);
const BODY: Target = target("body", checks::body, seeds::BODIES);
const TARGET: Target = target("target", checks::target, seeds::TARGETS);
const DATE: Target = target("date", checks::date, seeds::DATES);
const PATH: Target = target("path", checks::path, seeds::PATHS);
const REDIRECT: Target = target("redirect", checks::redirect, seeds::REDIRECTS);
const CONFIG: Target = target("config", configurations::config, seeds::CONFIGS);
const ROUTE: Target = target("route", checks::route, seeds::ROUTES);
const CONNECTION: Target = target("connection", conversation::connection, seeds::CONNECTIONS);
const EXCHANGE: Target = target("exchange", exchanges::exchange, seeds::EXCHANGES);
#[cfg(feature = "websocket")]
const SOCKET: Target = target("socket", sockets::socket, seeds::SOCKETS);

const fn target(name: &'static str, check: fn(&[u8]), seeds: &'static [&'static [u8]]) -> Target {
    Target { name, check, seeds }
}

/// Checks every seed, then mutations of them. A failure names the input.
fn fuzz(target: Target) {
    let Target { check, seeds, .. } = target;
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
    fuzz(HEAD);
}

#[test]
fn bodies() {
    fuzz(BODY);
}

#[test]
fn targets() {
    fuzz(TARGET);
}

#[test]
fn dates() {
    fuzz(DATE);
}

#[test]
fn file_paths() {
    fuzz(PATH);
}

#[test]
fn redirects() {
    fuzz(REDIRECT);
}

#[test]
fn configurations() {
    fuzz(CONFIG);
}

#[test]
fn routes() {
    fuzz(ROUTE);
}

#[test]
fn connections() {
    fuzz(CONNECTION);
}

#[test]
fn exchanges() {
    fuzz(EXCHANGE);
}

#[cfg(feature = "websocket")]
#[test]
fn sockets() {
    fuzz(SOCKET);
}

/// The seeds become the first inputs of libFuzzer's targets, a folder for each, where
/// `FUZZ_CORPUS` says.
#[test]
fn every_target_has_seeds_and_a_program() {
    let corpus = std::env::var_os("FUZZ_CORPUS").map(PathBuf::from);
    let corpus = corpus.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus"));
    let targets = [
        HEAD,
        BODY,
        TARGET,
        DATE,
        PATH,
        REDIRECT,
        CONFIG,
        ROUTE,
        CONNECTION,
        EXCHANGE,
        #[cfg(feature = "websocket")]
        SOCKET,
    ];
    for Target { name, seeds, .. } in &targets {
        let folder = corpus.join(name);
        fs::create_dir_all(&folder).expect("a folder for the seeds");
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{index}")), seed).expect("a seed is written");
        }
    }
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/fuzz_targets");
    // The package is without them.
    let Ok(programs) = fs::read_dir(programs) else {
        return;
    };
    let programs: BTreeSet<_> = programs
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| cfg!(feature = "websocket") || name != "socket.rs")
        .collect();
    let named = targets
        .iter()
        .map(|target| format!("{}.rs", target.name).into());
    assert_eq!(programs, named.collect());
}
