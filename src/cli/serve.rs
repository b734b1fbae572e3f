//! `corelane serve`: the files of a folder.

use super::access_log::AccessLines;
use crate::app::App;
use crate::config::Config;
use crate::failure::Failure;
use crate::preflight;
use crate::server::Server;
use crate::shard::Shard;

/// Serves `config.root` until it is told to stop.
///
/// # Errors
/// If the folder is not there, or the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    let root = config.root.clone();
    let lines = AccessLines::open(&config)?;
    let told = lines.clone();
    let app = move |_: &Shard| told.around(App::new().files("/", &root));
    let outcome = Server::new(config).run_until_signal(app);
    lines.flush();
    outcome
}
