//! What the compiler says of the mistakes that are easily made leads to their mending.
//!
//! Each `mistakes/*.rs` is one, and the `.stderr` beside it is what its author is told first, but for
//! what other places of the library have to do with it. The words are those of the Rust that the crate is
//! developed with; another may say it differently, and then
//! `MISTAKES=overwrite cargo test --all-features --test mistakes` writes them down anew.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::outside::not_run;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mistakes");

/// The Rust whose words they are.
const RUST: &str = "rustc 1.95.";

/// The folder of what was built for this test, and the library in it: the newest, as cargo has just
/// built it or found it fresh.
fn library() -> (PathBuf, PathBuf) {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let is_library = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with("libcorelane-") && name.ends_with(".rlib")
    };
    let entries = fs::read_dir(&folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let changed = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let newest = paths.filter(is_library).max_by_key(changed);
    (
        folder,
        newest.expect("the library is built before its tests"),
    )
}

/// What the compiler says of `file`, which it must refuse.
fn compile(file: &Path, out: &Path) -> String {
    let (folder, library) = library();
    let output = Command::new("rustc")
        .args(["--edition=2024", "--crate-type=bin", "--emit=metadata"])
        .args(["--color=never", "--extern"])
        .arg(format!("corelane={}", library.display()))
        .arg(format!("-Ldependency={}", folder.display()))
        .arg("-o")
        .arg(out)
        .arg(file.file_name().unwrap())
        .current_dir(FOLDER)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{file:?} compiles");
    said(&String::from_utf8(output.stderr).unwrap())
}

/// What is said first of the mistake itself: places in the library or in Rust's own, and lists of what
/// else there is, are left out, as both change with what is unrelated.
fn said(stderr: &str) -> String {
    let mut said = String::new();
    let mut is_elsewhere = false;
    for line in stderr.lines() {
        if line.is_empty() && said.contains("error") {
            break;
        }
        let text = line.trim_start();
        let is_code = text.starts_with('|') || text.starts_with("...");
        let is_code = is_code || text.starts_with(|c: char| c.is_ascii_digit());
        let begins = !line.starts_with(' ') || text.starts_with("= ");
        if text.starts_with("--> ") || text.starts_with("::: ") {
            is_elsewhere = text.contains('/');
        } else if text.contains("following other types implement") {
            is_elsewhere = true;
            continue;
        } else if begins && !(is_elsewhere && is_code) {
            is_elsewhere = false;
        }
        // A place is a line of its own, as is each type of a list.
        if !is_elsewhere && !line.starts_with("For more information") {
            said.push_str(line);
            said.push('\n');
        }
    }
    without_paths(said.trim_end()) + "\n"
}

/// The names of types and traits without the modules that they are in: whether those are written depends
/// on which other names there are, and so on the features.
fn without_paths(text: &str) -> String {
    let mut short = String::new();
    for piece in text.split_inclusive("::") {
        let starts_with_type = piece.starts_with(|c: char| c.is_ascii_uppercase());
        if starts_with_type && short.ends_with("::") {
            let is_of_path =
                |c: char| c == ':' || c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
            short.truncate(short.trim_end_matches(is_of_path).len());
        }
        short.push_str(piece);
    }
    short
}

#[test]
fn the_compiler_says_what_to_mend() {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map_or(Vec::new(), |output| output.stdout);
    if !version.starts_with(RUST.as_bytes()) {
        let version = String::from_utf8_lossy(&version);
        not_run(&format!("its words are those of {RUST}, not of {version}"));
        return;
    }
    let overwrites = std::env::var_os("MISTAKES").is_some();
    let out = tempfile::tempdir().unwrap();
    let entries = fs::read_dir(FOLDER).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension() == Some(OsStr::new("rs")));
    files.sort();
    assert!(files.len() >= 10);
    let mut differing = Vec::new();
    for file in files {
        let told = compile(&file, &out.path().join("mistake"));
        let expected = file.with_extension("stderr");
        if overwrites {
            fs::write(&expected, &told).unwrap();
        }
        if fs::read_to_string(&expected).ok().as_ref() != Some(&told) {
            differing.push(format!("{}:\n{told}", file.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
