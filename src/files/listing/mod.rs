//! What a listing of a folder says, as a page and as JSON. It is pure: entries in, text out.
//!
//! Names are the file system's, and may be anything but UTF-8: they are shown as near as text can, and linked
//! to exactly.

mod json;
mod page;

use std::ffi::CStr;
use std::time::{Duration, UNIX_EPOCH};

use super::entries::{Entries, Entry, Key, Order};
use super::path::decode_lossy;
use crate::http::preferred_type;
use crate::stats::rfc3339::rfc3339;

pub(super) use self::page::POLICY;

/// How a listing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Html,
    Json,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) format: Format,
    /// Whether the query names the format, and so its links have to.
    is_named: bool,
    pub(super) order: Order,
}

/// Whose listing it is.
#[derive(Debug)]
pub(super) struct Place {
    /// What the server serves the root as, decoded and with a slash at its end.
    mount: String,
    /// The names of the folders from there on, decoded.
    folders: Vec<String>,
}

/// Writes a listing: its beginning, the head of its entries, each of them, and its end.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    /// In which order the entries come.
    order: Order,
    /// Whether the folder can be downloaded.
    has_archive: bool,
    written_any: bool,
}

impl Format {
    const ALL: [Format; 2] = [Format::Html, Format::Json];
    const OFFERS: [&[&str]; 2] = [&["text/html"], &["application/json"]];

    fn name(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Json => "json",
        }
    }

    /// The value of Content-Type.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Format::Html => "text/html; charset=utf-8",
            Format::Json => "application/json",
        }
    }
}

impl Key {
    const ALL: [Key; 4] = [Key::Name, Key::Size, Key::Time, Key::None];

    fn name(self) -> &'static str {
        match self {
            Key::Name => "name",
            Key::Size => "size",
            Key::Time => "time",
            Key::None => "none",
        }
    }
}

impl Order {
    fn direction(self) -> &'static str {
        match self.is_descending {
            true => "desc",
            false => "asc",
        }
    }
}

impl Asked {
    /// Reads `sort=name|size|time|none`, `order=asc|desc` and `format=html|json` of a query; what it does
    /// not know is ignored, as in any query. Without a format it is what `accept`, the values of all Accept
    /// fields, prefer: the page, unless they want JSON more.
    ///
    /// # Errors
    /// A sentence for the peer.
    pub(super) fn parse<'a>(
        query: &str,
        accept: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, String> {
        let pairs: Vec<(String, String)> = serde_html_form::from_str(query)
            .map_err(|error| format!("The query cannot be read: {error}."))?;
        let mut order = Order::default();
        let mut format = None;
        for (name, value) in pairs {
            match &*name {
                "sort" => {
                    let key = Key::ALL.into_iter().find(|key| key.name() == value);
                    order.key = key.ok_or("sort is one of name, size, time, none.")?;
                }
                "order" => {
                    order.is_descending = match &*value {
                        "asc" => false,
                        "desc" => true,
                        _ => return Err("order is asc or desc.".to_owned()),
                    };
                }
                "format" => {
                    let named = Format::ALL.into_iter().find(|one| one.name() == value);
                    format = Some(named.ok_or("format is html or json.")?);
                }
                _ => {}
            }
        }
        let preferred = || {
            let preferred = preferred_type(accept, &Format::OFFERS);
            preferred.map_or(Format::Html, |place| Format::ALL[place])
        };
        Ok(Self {
            format: format.unwrap_or_else(preferred),
            is_named: format.is_some(),
            order,
        })
    }
}

impl Place {
    /// The folder at `relative` of what is served below `before`, the path of a request up to there.
    pub(super) fn new(before: &str, relative: &CStr) -> Self {
        let folders = match relative.to_bytes() {
            b"." => Vec::new(),
            relative => {
                let names = relative.split(|&byte| byte == b'/');
                names.map(text_of).collect()
            }
        };
        Self {
            mount: text_of(&decode_lossy(before)) + "/",
            folders,
        }
    }

    fn path(&self) -> String {
        let mut path = self.mount.clone();
        for folder in &self.folders {
            path.push_str(folder);
            path.push('/');
        }
        path
    }
}

impl Writer {
    /// Writes what was asked for; a page has a link to the folder as an archive, if it `has_archive`.
    pub(super) fn new(asked: Asked, has_archive: bool) -> Self {
        Self {
            asked,
            order: asked.order,
            has_archive,
            written_any: false,
        }
    }

    /// Writes what does not depend on the entries.
    pub(super) fn begin(&self, place: &Place, out: &mut String) {
        match self.asked.format {
            Format::Html => page::begin(place, out),
            Format::Json => json::begin(place, out),
        }
    }

    /// Writes what means nothing, as often as may be, behind the beginning or behind an entry.
    pub(super) fn wait(&self, out: &mut String) {
        out.push('\n');
    }

    /// Writes what goes before the entries, which come in `order`; `all` are all of them, if they are
    /// known.
    pub(super) fn head(
        &mut self,
        place: &Place,
        order: Order,
        all: Option<&Entries>,
        out: &mut String,
    ) {
        self.order = order;
        match self.asked.format {
            Format::Html => page::head(self, place, all, out),
            Format::Json => json::head(order, out),
        }
    }

    /// Writes an entry.
    pub(super) fn entry(&mut self, entry: &Entry<'_>, out: &mut String) {
        match self.asked.format {
            Format::Html => page::entry(entry, out),
            Format::Json => json::entry(entry, !self.written_any, out),
        }
        self.written_any = true;
    }

    /// Writes what goes behind the entries.
    pub(super) fn end(&self, out: &mut String) {
        match self.asked.format {
            Format::Html => page::end(!self.written_any, out),
            Format::Json => json::end(out),
        }
    }
}

/// A time in seconds since 1970 as RFC 3339 has it; one before is shown as its beginning.
fn time(seconds: i64) -> String {
    /// 9999-12-31T23:59:59Z: the format has four digits for a year.
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    rfc3339(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A name as text, with a replacement character for what is not UTF-8.
fn text_of(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests;
