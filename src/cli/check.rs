//! `corelane check`: whether a configuration would be taken, without listening on anything.

use std::io::{self, Write as _};
use std::path::Path;

use crate::config::Config;
use crate::config::raw::RawConfig;
use crate::cores;
use crate::failure::Failure;
use crate::preflight;

/// Validates the file at `path` and prints `ok` to standard output.
///
/// The folder and the CPUs that it names are looked for on this machine, as `serve` would.
///
/// # Errors
/// Everything that is wrong, all of it at once as far as the file can be understood.
pub fn run(path: &Path) -> Result<(), Vec<Failure>> {
    let raw = RawConfig::read(path).map_err(|failure| vec![failure])?;
    let names_root = raw.root.is_some();
    let config = Config::try_from(raw)?;
    let mut faults = Vec::new();
    // Without a root of its own the file serves whatever folder `serve` is given.
    if names_root {
        faults.extend(preflight::folder(&config.root).err());
    }
    let chosen = cores::select(&config.cores, &cores::available(), cores::cgroup_quota());
    faults.extend(chosen.err().map(Failure::from));
    if !faults.is_empty() {
        return Err(faults);
    }
    // The exit code tells as well, to whoever closed standard output.
    let _ = writeln!(io::stdout(), "ok");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_checked_against_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::create_dir(folder.path().join("public")).unwrap();
        let table: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("root = 'public'", &[]),
            ("root = 'none'", &["none does not exist"]),
            ("root = 'c.toml'", &["c.toml is not a folder"]),
            (
                "cores = 1024\nroot = 'none'",
                &["none does", "cores: 1024 CPUs"],
            ),
            ("cores = 'x'\nlisten = 'y'", &["listen: 'y'", "cores: 'x'"]),
            ("limits.head_timeout = '0s'", &["head_timeout: 0ms is less"]),
            ("nonsense", &["c.toml:1:"]),
        ];
        for (text, expected) in table {
            std::fs::write(&path, text).unwrap();
            let faults = run(&path).err().unwrap_or_default();
            assert_eq!(faults.len(), expected.len(), "{text}: {faults:?}");
            for (fault, what) in faults.iter().zip(expected) {
                assert!(fault.what().contains(what), "{text}: {fault}");
                assert_eq!(fault.exit_code(), 2);
            }
        }
    }
}
