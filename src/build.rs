//! Tells the program what builds it, which `/stats` tells on.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("--version").output();
    let told = told
        .ok()
        .and_then(|told| String::from_utf8(told.stdout).ok());
    // `rustc 1.95.0 (…)`.
    let version = told.as_deref().and_then(|told| told.split(' ').nth(1));
    println!(
        "cargo::rustc-env=CORELANE_RUSTC={}",
        version.unwrap_or("unknown").trim()
    );
    for (name, variable) in [
        ("TARGET", "CORELANE_TARGET"),
        ("PROFILE", "CORELANE_PROFILE"),
    ] {
        let value = env::var(name).unwrap_or_default();
        println!("cargo::rustc-env={variable}={value}");
    }
}
