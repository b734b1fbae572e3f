//! A listing as a page. It has no script, and loads nothing but itself ([`POLICY`]).

use std::fmt::Write as _;

use super::{Asked, Place, Writer, text_of, time};
use crate::files::entries::{Entries, Entry, Key, Kind, Order};
use crate::files::path::segment_href;
use crate::printable::is_plain;

pub(super) const STYLE: &str = concat!(include_str!("../../page.css"), include_str!("style.css"));

/// The value of Content-Security-Policy for the page: its own style, known by its SHA-256, and an empty
/// icon.
pub(in crate::files) const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-QR4qj+5+xeCGE3kyemdjAn9tduG7FiwWgVPokIWRbO8='; ",
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
);

pub(super) fn begin(place: &Place, out: &mut String) {
    out.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>",
    );
    escape(&place.path(), out);
    // Writing to a String cannot fail, here and below.
    let _ = write!(out, "</title>\n<style>{STYLE}</style>\n<header><h1>");
    push_crumbs(place, out);
    out.push_str("</h1>\n");
}

pub(super) fn head(writer: &Writer, place: &Place, all: Option<&Entries>, out: &mut String) {
    out.push_str("<p>");
    match all {
        Some(all) => push_summary(all, out),
        None => out.push_str("Not sorted: in the order in which the file system has them"),
    }
    if writer.has_archive {
        out.push_str(" · <a href=\"?download=tar\">Download as tar</a>");
    }
    out.push_str("</p></header>\n<main><div class=\"card\"><table>\n<thead><tr>");
    for (key, title) in [
        (Key::Name, "Name"),
        (Key::Size, "Size"),
        (Key::Time, "Changed"),
    ] {
        push_column(writer, key, title, out);
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    if !place.folders.is_empty() {
        out.push_str(
            "<tr><th scope=\"row\" class=\"folder\"><a href=\"../\" rel=\"up\" \
             aria-label=\"The folder above\">../</a></th><td></td><td></td></tr>\n",
        );
    }
}

pub(super) fn entry(entry: &Entry<'_>, out: &mut String) {
    let is_folder = entry.kind == Kind::Folder;
    let (class, slash) = match is_folder {
        true => (" class=\"folder\"", "/"),
        false => ("", ""),
    };
    let _ = write!(out, "<tr><th scope=\"row\"{class}><a href=\"");
    escape(&segment_href(entry.name, is_folder), out);
    out.push_str("\"><bdi>");
    escape(&text_of(entry.name), out);
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

pub(super) fn end(is_empty: bool, out: &mut String) {
    out.push_str("</tbody></table>");
    if is_empty {
        out.push_str("<p class=\"empty\">Nothing is here.</p>");
    }
    out.push_str("</div></main>\n</html>\n");
}

/// Writes the path, each folder of which is a link to its listing.
fn push_crumbs(place: &Place, out: &mut String) {
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
fn push_column(writer: &Writer, key: Key, title: &str, out: &mut String) {
    let is_sorted = writer.order.key == key;
    let order = Order {
        key,
        // The first click on a size or a time shows the largest and the newest.
        is_descending: match is_sorted {
            true => !writer.order.is_descending,
            false => key != Key::Name,
        },
    };
    let sorted = match (is_sorted, writer.order.is_descending) {
        (false, _) => "",
        (true, false) => " aria-sort=\"ascending\"",
        (true, true) => " aria-sort=\"descending\"",
    };
    let query = query(writer.asked, order);
    let _ = write!(
        out,
        "<th scope=\"col\"{sorted}><a href=\"{query}\">{title}</a></th>"
    );
}

/// The query for the order `order`, as it stands in a page.
fn query(asked: Asked, order: Order) -> String {
    let format = if asked.is_named {
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
pub(super) fn push_size(bytes: u64, out: &mut String) {
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

/// Writes text so that it is nothing but text, in elements and in attributes. What would move it, or turn the
/// direction in which it is read, is shown as an escape: a name is not to look like another.
fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other if is_plain(other) => out.push(other),
            other => out.extend(other.escape_default()),
        }
    }
}
