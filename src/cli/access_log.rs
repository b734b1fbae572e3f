//! The program's access log: where its lines go. What stands in them is [`AccessFormat`]'s to say.

use std::fs::OpenOptions;
use std::io;

use crate::app::{AccessFormat, App};
use crate::config::Config;
use crate::config::access_log::AccessLogTo;
use crate::failure::Failure;
use crate::log::Lines;

/// An access log that is open, if there is to be one.
#[derive(Clone, Debug)]
pub(super) struct AccessLines(Option<(Lines, AccessFormat)>);

impl AccessLines {
    /// Opens the access log of `config`.
    ///
    /// # Errors
    /// If its file cannot be opened, or there is no thread for it.
    pub(super) fn open(config: &Config) -> Result<AccessLines, Failure> {
        let Some(log) = &config.access_log else {
            return Ok(AccessLines(None));
        };
        let lines = match &log.to {
            AccessLogTo::Stdout => Lines::to(io::stdout()),
            AccessLogTo::File(path) => {
                let file = OpenOptions::new().append(true).create(true).open(path);
                Lines::to(file.map_err(|error| {
                    let path = path.display();
                    let what = format!("the access log {path} cannot be opened: {error}");
                    Failure::operator(what, "name a file that can be written to, or -")
                })?)
            }
        };
        let lines = lines.map_err(|error| Failure::no_thread(&error))?;
        Ok(AccessLines(Some((lines, log.format))))
    }

    /// `app`, with a line for each request.
    pub(super) fn around(&self, app: App) -> App {
        match self.0.clone() {
            Some((lines, format)) => app.access_log(move |access| lines.write(access.line(format))),
            None => app,
        }
    }

    /// Waits until the lines are written, but not for long.
    pub(super) fn flush(&self) {
        self.0.iter().for_each(|(lines, _)| lines.flush());
    }
}
