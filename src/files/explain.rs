//! What decides about a request, told to whoever runs the server. It takes the steps that serving
//! takes, by the same functions; what it adds is words.

use std::ffi::CStr;
use std::io;

use http::HeaderValue;

use super::archive::ARCHIVE_CACHE_CONTROL;
use super::decision::{Absence, Decision, Seen};
use super::glob::Glob;
use super::header_rules::HeaderRule;
use super::listed::LISTING_CACHE_CONTROL;
use super::remembering::Remembering;
use super::service::Files;
use crate::app::Request;

/// One thing that has to do with the response: what it is about, and what there is to say of it.
pub(crate) type Point = (&'static str, String);

impl Files {
    /// What decides about `request`, which is to read something, in the order in which it does. What the response then is, calling
    /// the handler tells.
    pub(crate) async fn explain(&self, request: &Request) -> Vec<Point> {
        let served = &self.0;
        let mut points = Vec::new();
        let release = served.root.release(served.ring.now_ns());
        if let Some(found) = served.rule(request) {
            let told = |path: &CStr, seen| points.push(look(path, seen));
            let spared = served.is_spared(&release, &found, request, told).await;
            let location = found.location(request.before_rest(), request.query_str());
            let rule = found.rule().as_str();
            match spared {
                Ok(false) => {
                    points.push(("redirect", format!("to {location}, by {rule}")));
                    return points;
                }
                Ok(true) => points.push((
                    "redirect",
                    format!(
                        "none by {rule}: a folder is there, to which {location} would lead back"
                    ),
                )),
                Err(refusal) => {
                    points.push(("failed", refusal.into_error().to_string()));
                    return points;
                }
            }
        }
        let path = format!("/{}", request.rest());
        let decided = served
            .decide(&release, path.as_bytes(), request, |path, seen| {
                points.push(look(path, seen));
            })
            .await;
        let (relative, version) = match decided {
            Ok(Decision::File { relative, version }) => (relative, version),
            Ok(Decision::Fallback { relative, version }) => {
                let why = "nothing else is there for a page that is asked for";
                points.push(("fallback", why.to_owned()));
                (relative, version)
            }
            Ok(Decision::Folder { .. }) => {
                points.push((
                    "redirect",
                    "to the folder with a slash behind it".to_owned(),
                ));
                return points;
            }
            Ok(Decision::Listing { relative }) => {
                points.push(("listing", shown(&relative)));
                self.explain_folder(&relative, LISTING_CACHE_CONTROL, &mut points);
                return points;
            }
            Ok(Decision::Archive { relative }) => {
                points.push(("archive", format!("{}, as tar", shown(&relative))));
                self.explain_folder(&relative, ARCHIVE_CACHE_CONTROL, &mut points);
                return points;
            }
            Ok(Decision::Refuse(reason)) => {
                points.push(("refused", reason.to_string()));
                if let Some(page) = served.error_page(reason.status(), request) {
                    let seen = served.look_at_page(&release, page).await;
                    points.push(error_page(page, seen));
                }
                return points;
            }
            Err(error) => {
                points.push(("failed", error.to_string()));
                return points;
            }
        };
        let variants = served
            .variants(&release, relative, version, |path, seen| {
                points.push(look(path, seen));
            })
            .await;
        let variants = match variants {
            Ok(variants) => variants,
            Err(error) => {
                points.push(("failed", error.to_string()));
                return points;
            }
        };
        let relative = variants.relative().to_bytes();
        let variant = variants.choose(request.head());
        points.push(("file", shown(&variants.path(variant.neighbour()))));
        points.push((
            "coding",
            match (variant.coding, variants.is_negotiated()) {
                (Some(coding), _) if variant.is_made => format!(
                    "{}, by Accept-Encoding; made of the file, if that is done in time and makes it smaller",
                    coding.name()
                ),
                (Some(coding), _) => format!("{}, by Accept-Encoding", coding.name()),
                (None, true) => "none, by Accept-Encoding".to_owned(),
                (None, false) => "none: there is no other variant".to_owned(),
            },
        ));
        let policy = &served.policy;
        let source = match policy.own_media_type(relative) {
            Some(_) => "a rule",
            None => "the program's table",
        };
        let media_type = policy.media_type(relative);
        let media_type = String::from_utf8_lossy(media_type.as_bytes());
        points.push(("media type", format!("{media_type}, by {source}")));
        points.push(cache_control(policy.cache_control(relative), None));
        points.extend(policy.response_headers.of(relative).into_iter().map(header));
        let now = served.message_time();
        let memory = if variant.is_made {
            let room_bytes = served.cache.room(variants.relative());
            let made = served.is_memorable(variant.version, now);
            made.map(|()| {
                format!(
                    "a core remembers what is made of it, if that has at most {room_bytes} bytes; \
                     else the file is sent as it is"
                )
            })
        } else {
            let plain = served.remembering(request.method(), variant.version, now);
            plain.map(|remembering| match remembering {
                Remembering::Whole => "a core remembers it whole".to_owned(),
                Remembering::Open => "a core keeps it open".to_owned(),
            })
        };
        let memory = memory.unwrap_or_else(|why| format!("not remembered: {why}"));
        points.push(("memory", memory));
        points
    }

    /// Adds what rules give to the listing or the archive of the folder at `relative`, which has the
    /// Cache-Control `otherwise` without one.
    fn explain_folder(&self, relative: &CStr, otherwise: &str, points: &mut Vec<Point>) {
        let (policy, relative) = (&self.0.policy, relative.to_bytes());
        let rule = policy.cache_control_of_folder(relative);
        points.push(cache_control(rule, Some(otherwise)));
        let headers = policy.response_headers.of_folder(relative);
        points.extend(headers.into_iter().map(header));
    }
}

/// The Cache-Control by a rule, or what it is `otherwise`.
fn cache_control(rule: Option<&(Glob, HeaderValue)>, otherwise: Option<&str>) -> Point {
    let what = match rule {
        Some((glob, value)) => {
            let value = String::from_utf8_lossy(value.as_bytes());
            format!("{value}, by {}", glob.as_str())
        }
        None => otherwise.map_or_else(
            || "no rule matches".to_owned(),
            |value| format!("{value}, as no rule matches"),
        ),
    };
    ("cache-control", what)
}

fn header(rule: &HeaderRule) -> Point {
    let value = String::from_utf8_lossy(rule.value().as_bytes());
    let field = format!("{}: {value}, by {}", rule.name(), rule.glob().as_str());
    ("header", field)
}

/// What comes of the page of an error.
fn error_page(page: &CStr, seen: io::Result<Seen>) -> Point {
    let page = shown(page);
    let what = match seen {
        Ok(Seen::File(_)) => page,
        _ => format!("none: {page} cannot be read, and the error is written without it"),
    };
    ("error page", what)
}

fn look(path: &CStr, seen: Seen) -> Point {
    let what = match seen {
        Seen::File(version) => format!("a file of {} bytes", version.length()),
        Seen::Folder => "a folder".to_owned(),
        Seen::Absent(Absence::Missing) => "missing".to_owned(),
        Seen::Absent(absence) => absence.to_string(),
    };
    ("look", format!("{}: {what}", shown(path)))
}

/// A path as text on one line.
fn shown(path: &CStr) -> String {
    path.to_bytes().escape_ascii().to_string()
}
