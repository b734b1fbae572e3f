//! How much the program's log tells.

use std::fmt;

use super::Mistake;

/// The least serious events that the log tells; each level has those before it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// None.
    Off,
    /// What failed: a handler, a response, a shard.
    Error,
    /// What somebody has to mend as well: a client that speaks TLS to the plain port, a lack of
    /// descriptors.
    #[default]
    Warn,
    /// The life of the server as well: shards, a shutdown.
    Info,
    /// What peers do wrong as well: every message that was refused.
    Debug,
}

impl LogLevel {
    const ALL: [LogLevel; 5] = [
        LogLevel::Off,
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
    ];
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        })
    }
}

/// The level called `text`.
pub(super) fn parse(text: &str) -> Result<LogLevel, Mistake> {
    let mut levels = LogLevel::ALL.into_iter();
    levels
        .find(|level| level.to_string() == text)
        .ok_or_else(|| {
            Mistake::new(
                format!("'{text}' is not a level of the log"),
                "write off, error, warn, info or debug",
            )
        })
}
