//! `corelane demo`: the demo application.

use super::access_log::AccessLines;
use crate::app::demo::demo;
use crate::config::Config;
use crate::failure::Failure;
use crate::server::Server;

/// Serves the demo application until it is told to stop.
///
/// # Errors
/// If the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    let lines = AccessLines::open(&config)?;
    let told = lines.clone();
    let outcome = Server::new(config).run_until_signal(move |_shard| told.around(demo()));
    lines.flush();
    outcome
}
