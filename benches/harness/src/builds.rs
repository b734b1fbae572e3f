//! Building the programs that are compared, with cargo.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The folder that holds the crates compared: `benches/`.
pub fn benches() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the harness is in a folder of benches/")
}

/// Builds one of the bench-only crates and returns its binaries by name.
pub fn bench_crate(name: &str) -> Result<HashMap<String, PathBuf>> {
    let target = benches().join("build").join(name);
    build(
        &benches().join(name),
        &["--locked", "--target-dir", &target.to_string_lossy()],
    )
}

/// Builds corelane itself, as its users do.
pub fn corelane() -> Result<PathBuf> {
    let top = benches()
        .parent()
        .context("benches/ is in corelane's folder")?;
    let mut binaries = build(top, &["--bin", "corelane"])?;
    binaries
        .remove("corelane")
        .context("cargo built no binary `corelane`")
}

fn build(folder: &Path, args: &[&str]) -> Result<HashMap<String, PathBuf>> {
    eprintln!("building {}", folder.display());
    let output = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--quiet",
            "--message-format=json-render-diagnostics",
        ])
        .args(args)
        .current_dir(folder)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{} does not build", folder.display());
    }
    // Cargo names what it built, one JSON value a line; the place depends on the environment.
    let messages = String::from_utf8(output.stdout)?;
    Ok(messages.lines().filter_map(binary).collect())
}

fn binary(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let path = message["executable"].as_str()?;
    let name = message["target"]["name"].as_str()?;
    Some((name.to_owned(), PathBuf::from(path)))
}
