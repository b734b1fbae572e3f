//! `corelane demo`: the demo application.

use crate::app::demo::demo;
use crate::config::Config;
use crate::failure::Failure;
use crate::server::Server;

/// Serves the demo application until it is told to stop.
///
/// # Errors
/// If the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    Server::new(config).run_until_signal(|_shard| demo())
}
