//! `corelane serve`: the files of a folder.

use crate::config::Config;
use crate::failure::Failure;
use crate::preflight;

/// Serves `config.root` until it is told to stop.
///
/// # Errors
/// If the folder is not there, or the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    Err(Failure::run(
        "the server is not linked",
        "build it with the server",
    ))
}
