//! `corelane serve`: the files of a folder.

use crate::app::App;
use crate::config::Config;
use crate::failure::Failure;
use crate::preflight;
use crate::server::Server;

/// Serves `config.root` until it is told to stop.
///
/// # Errors
/// If the folder is not there, or the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    let root = config.root.clone();
    Server::new(config).run_until_signal(move |_shard| App::new().files("/", &root))
}
