//! `corelane serve`: the files of a folder.

use super::access_log::AccessLines;
use crate::app::App;
use crate::config::Config;
use crate::failure::Failure;
use crate::log;
use crate::preflight;
use crate::server::Server;
use crate::shard::{Shard, reserved};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Serves `config.root` until it is told to stop.
///
/// # Errors
/// If the folder is not there, or the server cannot start or go on.
pub fn run(config: Config) -> Result<(), Failure> {
    preflight::folder(&config.root)?;
    tell_what_surprises(&config);
    let root = config.root.clone();
    let lines = AccessLines::open(&config)?;
    let told = lines.clone();
    let app = move |_: &Shard| told.around(App::new().files("/", &root));
    let outcome = Server::new(config).run_until_signal(app);
    lines.flush();
    outcome
}

/// Tells what of the folder as it is now is served otherwise than its names let expect. It may change.
fn tell_what_surprises(config: &Config) {
    for path in reserved::paths(&config.stats) {
        if config.root.join(path.trim_start_matches('/')).exists() {
            log::file_is_covered(path);
        }
    }
    let policy = &config.files;
    let pages = policy.error_pages.paths().chain(policy.fallback.as_deref());
    for page in pages {
        if !config
            .root
            .join(OsStr::from_bytes(page.to_bytes()))
            .is_file()
        {
            log::page_is_missing(page);
        }
    }
}
