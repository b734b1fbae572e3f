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
//!   shown.
//!
//! Names of routes are the app's, and hosts may be a peer's to invent: they are text and nothing else here
//! and in the script, and [`POLICY`] lets no other script run than this one.

use super::human;
use super::json::{Json, Selection, ServerInfo, Values};
use super::view::View;
use crate::limits::DASHBOARD_BYTES;
use serde_json::{Value, json};
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
    "script-src 'sha256-r9HoRfwkoPStPZ6ww7mEmv7UZFMKfOUYUDbbQKaAhQQ='; ",
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    "require-trusted-types-for 'script'; trusted-types 'none'"
);

const _: () = assert!(PAGE.len() + STYLE.len() + SCRIPT.len() < DASHBOARD_BYTES);

/// Figures, or rows of them, that are written at a time, so that a core can do something else in between.
const AT_A_TIME: usize = 16;

/// The page on its way to be written.
pub(super) struct Page<'a> {
    /// The figures, until they are all told.
    telling: Option<(Json<'a>, Values)>,
    document: Value,
    /// What of it is not written.
    rest: &'static str,
    /// Before that: rows of the table that was begun, and what they are made of.
    rows: IntoIter<Value>,
    row: &'static str,
    written: String,
}

/// What is left of a template when the next place in it has been filled.
struct Filled<'a> {
    rest: &'a str,
    /// The rows that stand there, if it is one for rows, and what they are made of.
    rows: Option<(&'a str, Vec<Value>)>,
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
        let mut written = String::with_capacity(2 * DASHBOARD_BYTES);
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
            row: "",
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
            if let Some(row) = self.rows.next() {
                fill(self.row, &row, &mut self.written);
                continue;
            }
            let Some(filled) = fill_next(self.rest, &self.document, &mut self.written) else {
                return false;
            };
            self.rest = filled.rest;
            if let Some((row, rows)) = filled.rows {
                (self.row, self.rows) = (row, rows.into_iter());
            }
        }
        true
    }

    /// What can be taken out of it between two pieces.
    pub(super) fn written(&mut self) -> &mut String {
        &mut self.written
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

/// Writes all of `template`, which is a row, with the figures of `scope`.
fn fill(template: &str, scope: &Value, written: &mut String) {
    let mut rest = template;
    while let Some(filled) = fill_next(rest, scope, written) {
        rest = filled.rest;
    }
    written.push_str(rest);
}

/// Writes `template` up to the next place that is to be filled, and fills that of `scope`, but for rows, which
/// it returns; `None` if there is nothing to fill.
fn fill_next<'a>(template: &'a str, scope: &Value, written: &mut String) -> Option<Filled<'a>> {
    let (before, mark) = template.split_once(" data-")?;
    let (tag, rest) = mark.split_once('>')?;
    for part in [before, " data-", tag, ">"] {
        written.push_str(part);
    }
    let asked = |name: &str| {
        let (_, value) = tag.split_once(name)?;
        Some(value.split_once('"')?.0)
    };
    if let Some((kind, path)) = asked("f=\"").and_then(|asked| asked.split_once(' ')) {
        escape(written, &figure(kind, scope, path));
        return Some(Filled { rest, rows: None });
    }
    let Some(path) = asked("rows=\"") else {
        return Some(Filled { rest, rows: None });
    };
    let (row, rest) = rest.strip_prefix("<template>")?.split_once("</template>")?;
    for part in ["<template>", row, "</template>"] {
        written.push_str(part);
    }
    let rows = rows(at_path(scope, path));
    Some(Filled {
        rest,
        rows: Some((row, rows)),
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

/// What there is a row for.
fn rows(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows.clone(),
        Value::Object(members) => {
            let row = |(key, value)| json!({ "key": key, "value": value });
            members.iter().map(row).collect()
        }
        _ => Vec::new(),
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
