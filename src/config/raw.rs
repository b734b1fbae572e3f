//! The configuration as it was written, each value with the place where it stands: in a TOML file,
//! or on the command line over it. Nothing is understood here beyond the file's own grammar.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use toml::Spanned;

use super::Mistake;
use super::files::{FilesTable, RawFiles};
use crate::failure::Failure;

/// What was written; `None` is what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawConfig {
    /// `listen = "ADDR:PORT"` or a list of them; `--listen`.
    pub listen: Option<Vec<Written>>,
    /// `cores = "all"`, a number, or a list as text; `--cores`.
    pub cores: Option<Written>,
    /// `root = "FOLDER"`, relative to the file's own folder; the argument of `serve`.
    pub root: Option<PathBuf>,
    /// `shutdown_timeout = "30s"`; `--shutdown-timeout`.
    pub shutdown_timeout: Option<Written>,
    /// `shutdown_delay = "10s"`; `--shutdown-delay`.
    pub shutdown_delay: Option<Written>,
    /// `busy_poll = true`; `--busy-poll`.
    pub busy_poll: Option<bool>,
    /// `[stats] enabled = false`; `--no-stats`.
    pub stats_enabled: Option<bool>,
    /// `[stats] allow = "CIDR"` or a list of them; `--stats-allow`.
    pub stats_allow: Option<Vec<Written>>,
    /// `[stats] listen = "ADDR:PORT"`; `--stats-listen`.
    pub stats_listen: Option<Written>,
    /// `[stats] stall_threshold = "100ms"`; `--stall-threshold`.
    pub stall_threshold: Option<Written>,
    /// `[limits] NAME = VALUE`, by name; `--limit`.
    pub limits: BTreeMap<String, Written>,
    /// `server_header = "NAME"`, or `false`, which is the text `none`; `--server-header`.
    pub server_header: Option<Written>,
    /// `log_level = "warn"`; `--log-level`.
    pub log_level: Option<Written>,
    /// `access_log = "FILE"`, relative to the file's own folder, or `-`; `--access-log`.
    pub access_log: Option<PathBuf>,
    /// `access_log_format = "combined"`; `--access-log-format`.
    pub access_log_format: Option<Written>,
    /// `[files]`; the options of `serve`.
    pub files: RawFiles,
}

/// A text and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The value as it stands there.
    pub text: String,
    /// Where: `--listen`, or `FILE:LINE:COLUMN: KEY`.
    pub place: String,
}

impl Written {
    /// The text that was given with the option `name` on the command line.
    pub fn argument(name: &str, text: String) -> Self {
        Self {
            text,
            place: name.into(),
        }
    }

    /// The failure for a mistake in this text.
    pub fn fault(&self, mistake: Mistake) -> Failure {
        Failure::operator(format!("{}: {}", self.place, mistake.what), mistake.mend)
    }
}

impl RawConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or as [`RawConfig::parse`] does.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::operator(
                format!("{}: cannot be read: {error}", path.display()),
                "give --config a readable TOML file",
            )
        })?;
        Self::parse(path, &text)
    }

    /// Takes `text` as the content of the file at `path`, which places are named after, and whose
    /// folder a relative `root` starts from.
    ///
    /// # Errors
    /// If it is not TOML, a key is not known or a value has the wrong type: the first such place.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let file = File { path, text };
        let table: FileTable = toml::from_str(text).map_err(|error| file.grammar(&error))?;
        let stats = table.stats.unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self {
            listen: table.listen.map(|texts| file.all("listen", texts)),
            cores: table.cores.map(|cores| file.written("cores", cores)),
            root: table.root.map(|root| folder.join(root)),
            shutdown_timeout: table
                .shutdown_timeout
                .map(|text| file.written("shutdown_timeout", text)),
            shutdown_delay: table
                .shutdown_delay
                .map(|text| file.written("shutdown_delay", text)),
            busy_poll: table.busy_poll,
            stats_enabled: stats.enabled,
            stats_allow: stats.allow.map(|texts| file.all("stats.allow", texts)),
            stats_listen: stats.listen.map(|text| file.written("stats.listen", text)),
            stall_threshold: stats
                .stall_threshold
                .map(|text| file.written("stats.stall_threshold", text)),
            limits: table
                .limits
                .into_iter()
                .map(|(name, value)| {
                    let written = file.written(&format!("limits.{name}"), value);
                    (name, written)
                })
                .collect(),
            server_header: table
                .server_header
                .map(|name| file.written("server_header", name)),
            log_level: table
                .log_level
                .map(|level| file.written("log_level", level)),
            access_log: table.access_log.map(|path| match path.as_os_str() == "-" {
                true => path,
                false => folder.join(path),
            }),
            access_log_format: table
                .access_log_format
                .map(|format| file.written("access_log_format", format)),
            files: table.files.unwrap_or_default().written(&file),
        })
    }

    /// Lays `over` over this: what it has replaces what is here, whole lists included, and limits
    /// one by one.
    #[must_use]
    pub fn overlaid_by(self, over: Self) -> Self {
        Self {
            listen: over.listen.or(self.listen),
            cores: over.cores.or(self.cores),
            root: over.root.or(self.root),
            shutdown_timeout: over.shutdown_timeout.or(self.shutdown_timeout),
            shutdown_delay: over.shutdown_delay.or(self.shutdown_delay),
            busy_poll: over.busy_poll.or(self.busy_poll),
            stats_enabled: over.stats_enabled.or(self.stats_enabled),
            stats_allow: over.stats_allow.or(self.stats_allow),
            stats_listen: over.stats_listen.or(self.stats_listen),
            stall_threshold: over.stall_threshold.or(self.stall_threshold),
            limits: self.limits.into_iter().chain(over.limits).collect(),
            server_header: over.server_header.or(self.server_header),
            log_level: over.log_level.or(self.log_level),
            access_log: over.access_log.or(self.access_log),
            access_log_format: over.access_log_format.or(self.access_log_format),
            files: self.files.overlaid_by(over.files),
        }
    }
}

/// The file's grammar.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    listen: Option<Spanned<Texts>>,
    cores: Option<Spanned<Text>>,
    root: Option<PathBuf>,
    shutdown_timeout: Option<Spanned<Text>>,
    shutdown_delay: Option<Spanned<Text>>,
    busy_poll: Option<bool>,
    stats: Option<StatsTable>,
    #[serde(default)]
    limits: BTreeMap<String, Spanned<Text>>,
    server_header: Option<Spanned<NameOrFalse>>,
    log_level: Option<Spanned<String>>,
    access_log: Option<PathBuf>,
    access_log_format: Option<Spanned<String>>,
    files: Option<FilesTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsTable {
    enabled: Option<bool>,
    allow: Option<Spanned<Texts>>,
    listen: Option<Spanned<String>>,
    stall_threshold: Option<Spanned<Text>>,
}

/// A string, or a whole number as its digits: `cores = 2` is as plain as `cores = "2"`.
pub(super) struct Text(String);

/// A string, or `false` as the text `none`.
struct NameOrFalse(String);

/// `true` or `false`, as the text `on` or `off`.
#[derive(Deserialize)]
pub(super) struct Switch(bool);

/// One string or a list of strings.
pub(super) enum Texts {
    One(String),
    Many(Vec<Spanned<String>>),
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl Visitor<'_> for TextVisitor {
            type Value = Text;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for NameOrFalse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = NameOrFalse;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NameOrFalse, E> {
                Ok(NameOrFalse(text.into()))
            }

            fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<NameOrFalse, E> {
                if wanted {
                    return Err(E::invalid_type(de::Unexpected::Bool(true), &self));
                }
                Ok(NameOrFalse("none".into()))
            }
        }
        deserializer.deserialize_any(NameVisitor)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl From<Switch> for String {
    fn from(switch: Switch) -> Self {
        if switch.0 { "on" } else { "off" }.into()
    }
}

impl From<NameOrFalse> for String {
    fn from(name: NameOrFalse) -> Self {
        name.0
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts::One(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts::Many(texts))
            }
        }
        deserializer.deserialize_any(TextsVisitor)
    }
}

/// The file being read, for naming places in it.
pub(super) struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    pub(super) fn written(&self, key: &str, text: Spanned<impl Into<String>>) -> Written {
        let place = format!("{}: {key}", self.place(text.span().start));
        Written {
            text: text.into_inner().into(),
            place,
        }
    }

    pub(super) fn all(&self, key: &str, texts: Spanned<Texts>) -> Vec<Written> {
        let start = texts.span().start;
        let written = |start, text| Written {
            text,
            place: format!("{}: {key}", self.place(start)),
        };
        match texts.into_inner() {
            Texts::One(text) => vec![written(start, text)],
            Texts::Many(texts) => texts
                .into_iter()
                .map(|text| written(text.span().start, text.into_inner()))
                .collect(),
        }
    }

    fn grammar(&self, error: &toml::de::Error) -> Failure {
        let place = match error.span() {
            Some(span) => self.place(span.start),
            None => self.path.display().to_string(),
        };
        let mend = if error.message().starts_with("unknown field") {
            "remove it or correct its name"
        } else {
            "correct this line"
        };
        // The library puts what it expected on lines of its own.
        let message = error.message().replace('\n', ", ");
        Failure::operator(format!("{place}: {message}"), mend)
    }

    /// `FILE:LINE:COLUMN`, counted from 1, the column in characters as editors do.
    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", self.path.display())
    }
}

#[cfg(test)]
mod tests;
