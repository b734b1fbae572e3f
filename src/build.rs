//! Tells the program what builds it, which `/stats` tells on.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    println!(
        "cargo::rustc-env=CORELANE_REVISION={}",
        revision().unwrap_or_default()
    );
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

/// What the source is called: by whoever builds it, or else by git, where it is the checkout of a repository of its
/// own and built for release: others are not to be built anew for each commit. What has been changed in it since is not
/// told, for nothing would tell when to look again.
fn revision() -> Option<String> {
    println!("cargo::rerun-if-env-changed=CORELANE_REVISION");
    if let Ok(revision) = env::var("CORELANE_REVISION") {
        return Some(revision);
    }
    // In a registry's folder a repository around it would be another's.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_release || !Path::new(".git").exists() {
        return None;
    }
    // The log of HEAD has a line for each time that it becomes another commit.
    for path in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", path]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["describe", "--always", "--tags", "--abbrev=12"])
}

/// What git says on a line of its own, if it is there and has something to say.
fn git(arguments: &[&str]) -> Option<String> {
    let told = Command::new("git").args(arguments).output().ok()?;
    let line = String::from_utf8(told.stdout).ok()?;
    let line = line.trim();
    (told.status.success() && !line.is_empty() && !line.contains('\n')).then(|| line.to_owned())
}
