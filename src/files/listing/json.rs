//! A listing as JSON: an object, whose `entries` come last.
//!
//! ```json
//! {"path":"/a/",
//! "sort":"name","order":"asc","entries":[
//! {"name":"sub","href":"./sub/","type":"folder","modified":"2026-11-23T10:04:00Z"},
//! {"name":"é.txt","href":"./%C3%A9.txt","type":"file","size":12,"modified":"2026-11-23T10:04:00Z"}
//! ]}
//! ```
//!
//! `name` is the name itself, with a replacement character for what is not UTF-8; `href`, which is relative to
//! the listing's own address, is all of it. `sort` is `none` where there were too many entries to
//! sort, whatever was asked for.

use std::fmt::Write as _;

use super::{Place, text_of, time};
use crate::files::entries::{Entry, Kind, Order};
use crate::files::path::segment_href;

pub(super) fn begin(place: &Place, out: &mut String) {
    out.push_str("{\"path\":");
    push_text(&place.path(), out);
    out.push_str(",\n");
}

pub(super) fn head(order: Order, out: &mut String) {
    let (key, direction) = (order.key.name(), order.direction());
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        out,
        "\"sort\":\"{key}\",\"order\":\"{direction}\",\"entries\":["
    );
}

pub(super) fn entry(entry: &Entry<'_>, is_first: bool, out: &mut String) {
    let is_folder = entry.kind == Kind::Folder;
    let separator = if is_first { "\n" } else { ",\n" };
    out.push_str(separator);
    out.push_str("{\"name\":");
    push_text(&text_of(entry.name), out);
    out.push_str(",\"href\":");
    push_text(&segment_href(entry.name, is_folder), out);
    let _ = match is_folder {
        true => write!(out, ",\"type\":\"folder\""),
        false => write!(out, ",\"type\":\"file\",\"size\":{}", entry.length),
    };
    let _ = write!(out, ",\"modified\":\"{}\"}}", time(entry.modified));
}

pub(super) fn end(out: &mut String) {
    out.push_str("\n]}\n");
}

fn push_text(text: &str, out: &mut String) {
    // Text cannot fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}
