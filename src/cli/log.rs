//! The program's log: events as lines on standard error. Which events there are is [`crate::log`]'s
//! to say.
//!
//! Standard error may be a pipe that is read slowly, or not at all: no core waits for that, but the
//! thread of [`Lines`].

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::log_level::LogLevel;
use crate::failure::Failure;
use crate::log::{self, Lines, Written};

/// Writes events of `level` on from now on. What is returned waits at its end, for a moment, until
/// they are written.
///
/// # Errors
/// If there is no thread or descriptor to be had for it.
pub(super) fn start(level: LogLevel) -> Result<Option<Lines>, Failure> {
    let level = match level {
        LogLevel::Off => return Ok(None),
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // A descriptor of its own: the lock of the library's is not held while it waits.
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(|error| {
        let what = format!("no descriptor for the log: {error}");
        Failure::run(what, "open standard error, or use --log-level off")
    })?;
    let tell = |out: &mut File, told: Written| {
        // Whoever closed standard error does not wait for the line.
        if let Written::LeftOut(lines) = told {
            let line = format!(
                "corelane: {lines} lines of the log were left out; read standard error faster\n"
            );
            let _ = out.write_all(line.as_bytes());
        }
    };
    let lines = Lines::start("log", File::from(stderr), tell)
        .map_err(|error| Failure::no_thread(&error))?;
    let format = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Events(lines.clone()));
    let subscriber = tracing_subscriber::registry()
        .with(Targets::new().with_target(env!("CARGO_PKG_NAME"), level))
        .with(format);
    // Whoever runs the command line within a program that has a subscriber keeps that.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(log::panic::hook));
    }
    Ok(Some(lines))
}

/// Where the subscriber writes lines.
struct Events(Lines);

impl Write for &Events {
    /// An event is one write.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.hand_over(|| line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Events {
    type Writer = &'a Events;

    fn make_writer(&'a self) -> &'a Events {
        self
    }
}
