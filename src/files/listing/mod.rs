//! What a listing of a folder says, as a page and as JSON. It is pure: entries in, text out.
//!
//! The page has no script, and loads nothing but itself ([`POLICY`]). Names are the file system's, and may be
//! anything but UTF-8: they are shown as near as text can, and linked to exactly.
//!
//! The JSON is an object, whose `entries` come last:
//!
//! ```json
//! {"path":"/a/","sort":"name","order":"asc","entries":[
//! {"name":"sub","href":"./sub/","type":"folder","modified":"2026-11-23T10:04:00Z"},
//! {"name":"é.txt","href":"./%C3%A9.txt","type":"file","size":12,"modified":"2026-11-23T10:04:00Z"}
//! ]}
//! ```
//!
//! `href` is relative to the listing's own address. `sort` is `none` where there were too many entries to
//! sort, whatever was asked for.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::entries::{Entries, Entry, Key, Kind, Order};
use super::path::{decode_lossy, segment_href};
use crate::http::preferred_type;
use crate::stats::rfc3339::rfc3339;

const STYLE: &str = concat!(include_str!("../../page.css"), include_str!("style.css"));

/// The value of Content-Security-Policy for the page: its own style, known by its SHA-256, and an empty
/// icon.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-QR4qj+5+xeCGE3kyemdjAn9tduG7FiwWgVPokIWRbO8='; ",
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

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

/// Writes a listing.
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

    /// The query for the order `order`, as it stands in a page.
    fn query(&self, order: Order) -> String {
        let format = if self.is_named {
            "format=html&amp;"
        } else {
            ""
        };
        format!(
            "?{format}sort={}&amp;order={}",
            order.key.name(),
            order.direction()
        )
    }
}

impl Place {
    /// The folder at `relative` of what is served below `before`, the path of a request up to there.
    pub(super) fn new(before: &str, relative: &CStr) -> Self {
        let folders = match relative.to_bytes() {
            b"." => Vec::new(),
            relative => {
                let names = relative.split(|&byte| byte == b'/');
                names.map(shown).collect()
            }
        };
        Self {
            mount: shown(&decode_lossy(before)) + "/",
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
    /// Writes what was asked for, the entries in `order`; a page has a link to the folder as an archive, if
    /// it `has_archive`.
    pub(super) fn new(asked: Asked, order: Order, has_archive: bool) -> Self {
        Self {
            asked,
            order,
            has_archive,
            written_any: false,
        }
    }

    /// Writes what goes before the entries; `all` are all of them, if they are known.
    pub(super) fn begin(&self, place: &Place, all: Option<&Entries>, out: &mut String) {
        match self.asked.format {
            Format::Html => self.begin_page(place, all, out),
            Format::Json => {
                out.push_str("{\"path\":");
                push_json(&place.path(), out);
                let (key, direction) = (self.order.key.name(), self.order.direction());
                // Writing to a String cannot fail, here and below.
                let _ = write!(
                    out,
                    ",\"sort\":\"{key}\",\"order\":\"{direction}\",\"entries\":["
                );
            }
        }
    }

    /// Writes an entry.
    pub(super) fn entry(&mut self, entry: &Entry<'_>, out: &mut String) {
        let name = shown(entry.name);
        let is_folder = entry.kind == Kind::Folder;
        let href = segment_href(entry.name, is_folder);
        match self.asked.format {
            Format::Html => {
                let (class, slash) = match is_folder {
                    true => (" class=\"folder\"", "/"),
                    false => ("", ""),
                };
                let _ = write!(out, "<tr><th scope=\"row\"{class}><a href=\"");
                escape(&href, out);
                out.push_str("\"><bdi>");
                escape(&name, out);
                let _ = write!(out, "{slash}</bdi></a></th><td");
                if is_folder {
                    out.push('>');
                } else {
                    let _ = write!(out, " title=\"{} bytes\">", entry.length);
                    push_size(entry.length, out);
                }
                let time = time(entry.modified);
                let (date, hour) = (&time[..10], &time[11..16]);
                let _ = writeln!(
                    out,
                    "</td><td><time datetime=\"{time}\">{date}<span> {hour}</span></time></td></tr>"
                );
            }
            Format::Json => {
                let separator = if self.written_any { ",\n" } else { "\n" };
                out.push_str(separator);
                out.push_str("{\"name\":");
                push_json(&name, out);
                out.push_str(",\"href\":");
                push_json(&href, out);
                let _ = match is_folder {
                    true => write!(out, ",\"type\":\"folder\""),
                    false => write!(out, ",\"type\":\"file\",\"size\":{}", entry.length),
                };
                let _ = write!(out, ",\"modified\":\"{}\"}}", time(entry.modified));
            }
        }
        self.written_any = true;
    }

    /// Writes what goes behind the entries.
    pub(super) fn end(&self, out: &mut String) {
        match self.asked.format {
            Format::Html => {
                out.push_str("</tbody></table>");
                if !self.written_any {
                    out.push_str("<p class=\"empty\">Nothing is here.</p>");
                }
                out.push_str("</div></main>\n</html>\n");
            }
            Format::Json => out.push_str("\n]}\n"),
        }
    }

    fn begin_page(&self, place: &Place, all: Option<&Entries>, out: &mut String) {
        out.push_str(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>",
        );
        escape(&place.path(), out);
        let _ = write!(out, "</title>\n<style>{STYLE}</style>\n<header><h1>");
        self.push_crumbs(place, out);
        out.push_str("</h1>\n<p>");
        match all {
            Some(all) => push_summary(all, out),
            None => out.push_str("Not sorted: in the order in which the file system has them"),
        }
        if self.has_archive {
            out.push_str(" · <a href=\"?download=tar\">Download as tar</a>");
        }
        out.push_str("</p></header>\n<main><div class=\"card\"><table>\n<thead><tr>");
        for (key, title) in [
            (Key::Name, "Name"),
            (Key::Size, "Size"),
            (Key::Time, "Changed"),
        ] {
            self.push_column(key, title, out);
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        if !place.folders.is_empty() {
            out.push_str(
                "<tr><th scope=\"row\" class=\"folder\"><a href=\"../\" rel=\"up\" \
                 aria-label=\"The folder above\">../</a></th><td></td><td></td></tr>\n",
            );
        }
    }

    /// Writes the path, each folder of which is a link to its listing.
    fn push_crumbs(&self, place: &Place, out: &mut String) {
        let depth = place.folders.len();
        let names = std::iter::once(&place.mount).chain(&place.folders);
        for (index, name) in names.enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            if index == depth {
                out.push_str("<bdi aria-current=\"page\">");
                escape(name, out);
                let _ = write!(out, "</bdi>{slash}");
            } else {
                let _ = write!(out, "<a href=\"{}\"><bdi>", "../".repeat(depth - index));
                escape(name, out);
                let _ = write!(out, "</bdi>{slash}</a>\u{200b}");
            }
        }
    }

    /// Writes the head of a column, which is a link to the listing sorted by it, or sorted the other way
    /// if it is already.
    fn push_column(&self, key: Key, title: &str, out: &mut String) {
        let is_sorted = self.order.key == key;
        let order = Order {
            key,
            // The first click on a size or a time shows the largest and the newest.
            is_descending: match is_sorted {
                true => !self.order.is_descending,
                false => key != Key::Name,
            },
        };
        let sorted = match (is_sorted, self.order.is_descending) {
            (false, _) => "",
            (true, false) => " aria-sort=\"ascending\"",
            (true, true) => " aria-sort=\"descending\"",
        };
        let query = self.asked.query(order);
        let _ = write!(
            out,
            "<th scope=\"col\"{sorted}><a href=\"{query}\">{title}</a></th>"
        );
    }
}

/// What is told of all entries together.
fn push_summary(all: &Entries, out: &mut String) {
    let folders = all
        .iter()
        .filter(|entry| entry.kind == Kind::Folder)
        .count();
    let files = all.len() - folders;
    let bytes: u64 = all
        .iter()
        .filter(|entry| entry.kind == Kind::File)
        .fold(0, |sum, entry| sum.saturating_add(entry.length));
    let many = |count: usize| if count == 1 { "" } else { "s" };
    if folders > 0 {
        let _ = write!(out, "{folders} folder{}, ", many(folders));
    }
    let _ = write!(out, "{files} file{}", many(files));
    if files > 0 {
        out.push_str(", ");
        push_size(bytes, out);
    }
    out.push_str(" · times are in UTC");
}

/// Writes a number of bytes with a unit, in two to four digits.
fn push_size(bytes: u64, out: &mut String) {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        let _ = write!(out, "{bytes} B");
        return;
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    // What would be rounded to 1024 is one of the next unit.
    while size >= 1023.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(size < 99.95);
    let _ = write!(out, "{size:.decimals$} {}", UNITS[unit]);
}

/// A time in seconds since 1970 as RFC 3339 has it; one before is shown as its beginning.
fn time(seconds: i64) -> String {
    /// 9999-12-31T23:59:59Z: the format has four digits for a year.
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    rfc3339(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// A name as text: what is not UTF-8, or would act on the text around it, is replaced.
fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.replace(|c: char| c.is_control(), "\u{fffd}")
}

fn push_json(text: &str, out: &mut String) {
    // Text cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes text so that it is nothing but text, in elements and in attributes.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
