//! `corelane demo`: the demo application.

use crate::config::Config;
use crate::failure::Failure;

/// Serves the demo application until it is told to stop.
///
/// # Errors
/// If the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    let _ = config;
    Err(Failure::run(
        "the server is not linked",
        "build it with the server",
    ))
}
