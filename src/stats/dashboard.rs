//! The dashboard: one page with its style and its script in it, which asks for nothing but `/stats` as
//! events. It is written with the figures of the request in its tables, so that it can be read without a
//! script; with one it goes on by itself, and draws.
//!
//! Which figure stands where is in the page alone (`page.html`), for this and for the script:
//!
//! - `data-f="KIND PATH"`: the element's text is the figure at that path of the JSON, or of the row that it
//!   is in, written as one of that [kind](super::human::told), or nothing if it is a time of no requests;
//! - `data-rows="PATH"`: the element has a row for each element of that list, or for each member of that
//!   object (`key` and `value`), made of the template that it begins with; without any, `data-none` is
//!   shown. The rows that are written here have no marks in them: the script makes its own.
//!
//! The page is never longer than [`DASHBOARD_BYTES`]. Rows that have no room in it are left out, of each table the
//! last, and a row says how many; the script has them all, and so has the JSON.
//!
//! Names of routes are the app's, and hosts may be a peer's to invent: they are text and nothing else here
//! and in the script, and [`POLICY`] lets no other script run than this one.

use super::human;
use super::json::{Json, Selection, ServerInfo, Values};
use super::view::View;
use crate::limits::DASHBOARD_BYTES;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::Write as _;
use std::vec::IntoIter;

const PAGE: &str = include_str!("dashboard/page.html");
/// What all pages look like, and then what this one does.
const STYLE: &str = concat!(
    include_str!("../page.css"),
    include_str!("dashboard/style.css")
);
const SCRIPT: &str = include_str!("dashboard/script.js");

/// Where they stand in it.
const STYLE_PLACE: &str = "<style></style>";
const SCRIPT_PLACE: &str = "<script></script>";

/// The value of Content-Security-Policy for the page: its own style and script, known by their SHA-256,
/// and its own server.
pub(super) const POLICY: &str = concat!(
    "default-src 'none'; ",
    "style-src 'sha256-3UsMm+R2ks5A/9gBCIHSQU/td4Mjw4dkLhYCG/z6tIU='; ",
    "script-src 'sha256-EjChmpu2PuOftxfosG7faxoj7k8zs5Z2hj8hgPg1m7Y='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    "require-trusted-types-for 'script'; trusted-types 'none'"
);

/// Most bytes that a figure behind the first table takes: they are numbers, and have a unit at most.
const FIGURE_BYTES: usize = 32;
/// What is kept for saying of a table that rows of it were left out.
const LEFT_OUT_BYTES: usize = 128;

// Whatever it is filled with, some rows of each table have room.
const _: () = assert!(PAGE.len() + STYLE.len() + SCRIPT.len() < DASHBOARD_BYTES - 8 * 1024);

/// Figures, or rows of them, that are written at a time, so that a core can do something else in between.
const AT_A_TIME: usize = 4;

/// The page on its way to be written.
pub(super) struct Page<'a> {
    /// The figures, until they are all told.
    telling: Option<(Json<'a>, Values)>,
    document: Value,
    /// What of it is not written.
    rest: &'static str,
    /// Before that, of the table that was begun: which rows are to come, where what they are made of is, and their
    /// template.
    rows: IntoIter<usize>,
    rows_path: &'static str,
    row: &'static str,
    /// Up to which length of the page there may be rows of it.
    rows_end: usize,
    written: String,
}

/// What is left of a template when the next place in it has been filled.
struct Filled<'a> {
    rest: &'a str,
    /// The template of the rows that stand there, if it is one for rows, and the path of what they are made of.
    rows: Option<(&'a str, &'a str)>,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        view: &'a View,
        selection: &Selection,
        server: &'a ServerInfo,
        now_ns: u64,
    ) -> Page<'a> {
        let selection = Selection {
            charts: true,
            // Those are the script's.
            after: u64::MAX,
            ..selection.clone()
        };
        let mut written = String::with_capacity(DASHBOARD_BYTES);
        let (head, rest) = PAGE.split_once(STYLE_PLACE).unwrap_or(("", PAGE));
        for part in [head, "<style>", STYLE, "</style>"] {
            written.push_str(part);
        }
        let json = Json::new(view, selection, server, now_ns);
        Page {
            telling: Some((json, Values::default())),
            document: Value::Null,
            rest,
            rows: Vec::new().into_iter(),
            rows_path: "",
            row: "",
            rows_end: 0,
            written,
        }
    }

    /// Writes the next piece; `false` when there is none.
    pub(super) fn next(&mut self) -> bool {
        if let Some((json, values)) = &mut self.telling {
            if !json.next(values) {
                let told = self.telling.take();
                self.document = told.map_or(Value::Null, |(_, values)| values.finish());
            }
            return true;
        }
        for _ in 0..AT_A_TIME {
            if let Some(place) = self.rows.next() {
                self.write_row(place);
                continue;
            }
            let Some(filled) = fill_next(self.rest, &self.document, &mut self.written) else {
                return false;
            };
            self.rest = filled.rest;
            if let Some((row, path)) = filled.rows {
                (self.row, self.rows_path) = (row, path);
                self.rows = rows(&self.document, path).into_iter();
                self.rows_end = self.written.len() + self.room();
                return true;
            }
        }
        true
    }

    /// Writes the row that stands at `place` in what they are made of, or how many there are if it has no room.
    fn write_row(&mut self, place: usize) {
        let length = self.written.len();
        let row = row_at(&self.document, self.rows_path, place);
        fill(self.row, &row, &mut self.written);
        if self.written.len() <= self.rows_end {
            return;
        }
        self.written.truncate(length);
        let left_out = 1 + std::mem::take(&mut self.rows).len();
        let cells = self.row.matches("</t").count() - 1;
        let _ = write!(
            self.written,
            "<tr><td class=\"text\" colspan=\"{cells}\">and {left_out} more, which the JSON has</td></tr>"
        );
    }

    /// How many bytes the rows of the table may take that was just begun: half of those that are left, and more
    /// where the tables behind it have fewer rows.
    fn room(&self) -> usize {
        let (figures, tables) = (self.rest.matches(FIGURE), self.rest.split(ROWS).skip(1));
        let (mut wanted, mut fixed) = (0, LEFT_OUT_BYTES);
        for table in tables {
            let path = table.split('"').next().unwrap_or_default();
            let row = table.split("</template>").next().unwrap_or_default();
            // A row is hardly longer than its template with the marks, which it has not.
            wanted += row.len() * count_rows(&self.document, path);
            fixed += LEFT_OUT_BYTES;
        }
        fixed += self.rest.len() + SCRIPT.len() + FIGURE_BYTES * figures.count();
        let left = DASHBOARD_BYTES.saturating_sub(self.written.len() + fixed);
        (left / 2).max(left.saturating_sub(wanted))
    }

    /// The rest, when all pieces are written.
    pub(super) fn finish(mut self) -> String {
        let (body, end) = self
            .rest
            .split_once(SCRIPT_PLACE)
            .unwrap_or((self.rest, ""));
        for part in [body, "<script>", SCRIPT, "</script>", end] {
            self.written.push_str(part);
        }
        self.written
    }
}

/// Writes all of `template`, which is a row, with the figures of `scope` in place of their marks.
fn fill(template: &str, scope: &Value, written: &mut String) {
    let mut rest = template;
    while let Some((before, mark)) = rest.split_once(" data-") {
        let Some((tag, behind)) = mark.split_once('>') else {
            break;
        };
        for part in [before, ">"] {
            written.push_str(part);
        }
        if let Some(asked) = marked(tag, FIGURE) {
            write_figure(written, asked, scope);
        }
        rest = behind;
    }
    written.push_str(rest);
}

/// What a tag is marked with by this name.
fn marked<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(name)?;
    Some(value.split_once('"')?.0)
}

/// The marks of figures and of rows.
const FIGURE: &str = "f=\"";
const ROWS: &str = "rows=\"";

/// Writes the figure of `scope` that is `asked` for by its kind and path.
fn write_figure(written: &mut String, asked: &str, scope: &Value) {
    let (kind, path) = asked.split_once(' ').unwrap_or((asked, ""));
    escape(written, &figure(kind, scope, path));
}

/// Writes `template` up to the next place that is to be filled, and fills that of `scope`, but for rows; `None` if there is nothing to fill.
fn fill_next<'a>(template: &'a str, scope: &Value, written: &mut String) -> Option<Filled<'a>> {
    let (before, mark) = template.split_once(" data-")?;
    let (tag, rest) = mark.split_once('>')?;
    for part in [before, " data-", tag, ">"] {
        written.push_str(part);
    }
    if let Some(asked) = marked(tag, FIGURE) {
        write_figure(written, asked, scope);
        return Some(Filled { rest, rows: None });
    }
    let Some(path) = marked(tag, ROWS) else {
        return Some(Filled { rest, rows: None });
    };
    let (row, rest) = rest.strip_prefix("<template>")?.split_once("</template>")?;
    for part in ["<template>", row, "</template>"] {
        written.push_str(part);
    }
    Some(Filled {
        rest,
        rows: Some((row, path)),
    })
}

/// The figure at `path` of `scope`, as one of its `kind`. A time of nothing is none: 0 would be a time.
fn figure(kind: &str, scope: &Value, path: &str) -> String {
    let of = path.rsplit_once('.');
    let of = of.map_or(scope, |(of, _)| at_path(scope, of));
    if kind == "time" && of["count"] == 0 {
        return human::NONE.to_owned();
    }
    human::told(kind, at_path(scope, path))
}

/// What stands at `path` of `scope`, its names apart by dots.
fn at_path<'a>(scope: &'a Value, path: &str) -> &'a Value {
    let mut names = path.split('.');
    let found = names.try_fold(scope, |value, name| value.get(name));
    found.unwrap_or(&Value::Null)
}

/// The places of what there is a row for at `path` of `scope`, in the order of the script: what was asked for most first,
/// and what happened last.
fn rows(scope: &Value, path: &str) -> Vec<usize> {
    let mut places: Vec<_> = (0..count_rows(scope, path)).collect();
    let made_of = at_path(scope, path);
    match path {
        "routes" => places.sort_by_key(|place| Reverse(made_of[*place]["count"].as_u64())),
        "stalls" => places.reverse(),
        _ => {}
    }
    places
}

/// What the row is made of that stands at `place` there.
fn row_at<'a>(scope: &'a Value, path: &str, place: usize) -> Cow<'a, Value> {
    let of = at_path(scope, path);
    let member = of.as_object().and_then(|members| members.iter().nth(place));
    match member {
        Some((key, value)) => Cow::Owned(json!({ "key": key, "value": value })),
        None => Cow::Borrowed(&of[place]),
    }
}

fn count_rows(scope: &Value, path: &str) -> usize {
    match at_path(scope, path) {
        Value::Array(rows) => rows.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    }
}

/// Writes text so that it is nothing but text, in elements and in attributes.
fn escape(written: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            other => written.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
