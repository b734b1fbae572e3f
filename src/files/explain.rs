//! What decided about a request, told to whoever runs the server: the words for what serving has noted
//! (`facts.rs`).

use std::ffi::CStr;

use http::HeaderValue;

use super::archive::ARCHIVE_CACHE_CONTROL;
use super::decision::{Absence, Decision, Seen};
use super::facts::{Fact, Facts};
use super::glob::Glob;
use super::header_rules::HeaderRule;
use super::listed::LISTING_CACHE_CONTROL;
use super::policy::Policy;
use super::remembering::Remembering;
use super::representation::Judged;
use super::service::Files;
use super::variants::{Variant, Variants};
use crate::http::{ContentCoding, IgnoredRange, RequestHead, Selection, Verdict};
use crate::limits::RANGES;

/// One thing that has to do with the response: what it is about, and what there is to say of it.
pub(crate) type Point = (&'static str, String);

impl Files {
    /// These, to be [asked](Files::explained) about what they did.
    pub(crate) fn explaining(self) -> Self {
        self.noting(Facts::noted())
    }

    /// What decided about the request that was served last, in the order in which it did.
    pub(crate) fn explained(&self) -> Vec<Point> {
        let served = &self.0;
        let mut points = Points {
            policy: &served.policy,
            told: Vec::new(),
            of_error: 0,
        };
        for fact in served.facts.take() {
            points.tell(fact);
        }
        points.told
    }
}

struct Points<'a> {
    policy: &'a Policy,
    told: Vec<Point>,
    /// Where begins what is about the page of an error.
    of_error: usize,
}

impl Points<'_> {
    fn tell(&mut self, fact: Fact) {
        match fact {
            Fact::Redirected { location, rule } => {
                self.push("redirect", format!("to {location}, by {rule}"));
            }
            Fact::Spared { location, rule } => {
                let why = format!("a folder is there, to which {location} would lead back");
                self.push("redirect", format!("none by {rule}: {why}"));
            }
            Fact::Looked(path, seen) => self.push("look", look(&path, seen)),
            Fact::Linked(path) => {
                let what = "a symbolic link is on the way; what hides does so by the path that is asked for";
                self.push("link", format!("{}: {what}", shown(&path)));
            }
            Fact::LeftAlone { path, is_empty } => {
                let why = match is_empty {
                    true => "it is empty",
                    false => "it is older than its file",
                };
                self.push("left alone", format!("{}: {why}", shown(&path)));
            }
            Fact::Decided(decision) => self.tell_decision(decision),
            Fact::Unopened(path, absence) => {
                self.push("left alone", format!("{}: {absence}", shown(&path)));
            }
            Fact::Unmade(variant) => {
                let coding = variant.coding.map_or("none", ContentCoding::name);
                let why = "it is not made of the file in time, or would be no smaller";
                self.push("left alone", format!("{coding}: {why}"));
            }
            Fact::Chosen(variants, variant) => self.tell_choice(&variants, variant),
            Fact::Coded { wanted, is_coded } => {
                let name = wanted.map_or("none", ContentCoding::name);
                let why = match (wanted, is_coded) {
                    (Some(_), false) => {
                        "left alone: the listing is short, or too many are compressed"
                    }
                    (Some(_), true) => "by Accept-Encoding; made of the listing",
                    (None, _) => "by Accept-Encoding",
                };
                self.push("coding", format!("{name}, {why}"));
            }
            Fact::Remembered(remembered) => {
                let what = match remembered {
                    Ok(Remembering::Whole) => "a core remembers it whole".to_owned(),
                    Ok(Remembering::Open) => "a core keeps it open".to_owned(),
                    Ok(Remembering::Replica) => {
                        "a core keeps it open, and a copy once it is asked for again".to_owned()
                    }
                    Err(why) => format!("not remembered: {why}"),
                };
                self.push("memory", what);
            }
            Fact::Judged(head, judged) => self.told.extend(judgement(&head, &judged)),
            Fact::Refused(why) => {
                self.told.extend(why.map(|why| ("refused", why)));
                self.of_error = self.told.len();
            }
            Fact::ErrorPage(page, is_read) => {
                // What was found out about it by the way is of no interest.
                self.told.truncate(self.of_error);
                let page = shown(&page);
                let what = match is_read {
                    true => page,
                    false => {
                        format!("none: {page} cannot be read, and the error is written without it")
                    }
                };
                self.push("error page", what);
            }
        }
    }

    fn push(&mut self, about: &'static str, what: impl Into<String>) {
        self.told.push((about, what.into()));
    }

    fn tell_decision(&mut self, decision: Decision) {
        match decision {
            Decision::File { .. } => {}
            Decision::Fallback { .. } => {
                self.push(
                    "fallback",
                    "nothing else is there for a page that is asked for",
                );
            }
            Decision::Folder { .. } => {
                self.push("redirect", "to the folder with a slash behind it")
            }
            Decision::Listing { relative } => {
                self.push("listing", shown(&relative));
                self.tell_rules_of_folder(&relative, LISTING_CACHE_CONTROL);
            }
            Decision::Archive { relative } => {
                self.push("archive", format!("{}, as tar", shown(&relative)));
                self.tell_rules_of_folder(&relative, ARCHIVE_CACHE_CONTROL);
            }
            Decision::Refuse(reason) => self.push("refused", reason.to_string()),
        }
    }

    /// Tells what rules give to the listing or the archive of the folder at `relative`, which has the
    /// Cache-Control `otherwise` without one.
    fn tell_rules_of_folder(&mut self, relative: &CStr, otherwise: &str) {
        let (policy, relative) = (self.policy, relative.to_bytes());
        let rule = policy.cache_control_of_folder(relative);
        self.told.push(cache_control(rule, Some(otherwise)));
        let headers = policy.response_headers.of_folder(relative);
        self.told.extend(headers.into_iter().map(header));
    }

    fn tell_choice(&mut self, variants: &Variants, variant: Variant) {
        let (policy, relative) = (self.policy, variants.relative().to_bytes());
        self.push("file", shown(&variants.path(variant.neighbour())));
        let coding = match (variant.coding, variants.is_negotiated()) {
            (Some(coding), _) if variant.is_made => {
                format!("{}, by Accept-Encoding; made of the file", coding.name())
            }
            (Some(coding), _) => format!("{}, by Accept-Encoding", coding.name()),
            (None, true) => "none, by Accept-Encoding".to_owned(),
            (None, false) => "none: there is no other variant".to_owned(),
        };
        self.push("coding", coding);
        let source = match policy.own_media_type(relative) {
            Some(_) => "a rule",
            None => "the program's table",
        };
        let media_type = policy.media_type(relative);
        let media_type = String::from_utf8_lossy(media_type.as_bytes());
        self.push("media type", format!("{media_type}, by {source}"));
        let tag = match policy.hashes(variant.version.length()) || variant.is_made {
            true => "of the content",
            false => "of length, time and inode",
        };
        self.push("etag", tag);
        self.told
            .push(cache_control(policy.cache_control(relative), None));
        let headers = policy.response_headers.of(relative);
        self.told.extend(headers.into_iter().map(header));
    }
}

/// What the conditions and ranges of a request come to, if it has any that count, or are ignored.
fn judgement(head: &RequestHead, judged: &Judged) -> Option<Point> {
    let condition = |verdict: Verdict, what: &str| {
        let field = verdict.decided_by(head)?;
        Some(("condition", format!("{what}, by {}", field.as_str())))
    };
    let range = |what: &str| Some(("range", what.to_owned()));
    match judged {
        Judged::NotModified => condition(Verdict::NotModified, "the peer has this version"),
        Judged::Failed => condition(Verdict::Failed, "the peer means another version"),
        Judged::Selected(Ok(Selection::Whole)) => range("the whole, by range"),
        Judged::Selected(Ok(Selection::Part(part))) => {
            let bytes = part.end - part.start;
            range(&format!("{bytes} bytes from {} on, by range", part.start))
        }
        Judged::Selected(Ok(Selection::Parts(parts))) => {
            range(&format!("{} parts, by range", parts.len()))
        }
        Judged::Selected(Ok(Selection::Unsatisfiable)) => {
            range("none, for it begins behind the end")
        }
        Judged::Selected(Err(ignored)) => match ignored {
            IgnoredRange::Absent => None,
            IgnoredRange::Method => range("ignored: GET alone has ranges"),
            IgnoredRange::Malformed => range(&format!(
                "ignored: it is malformed, of another unit than bytes, repeated, or more than {RANGES}"
            )),
            IgnoredRange::Stale => {
                range("ignored: if-range does not prove that the peer has a part of this")
            }
            IgnoredRange::Coded => range("ignored: several of what is coded"),
        },
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

fn look(path: &CStr, seen: Seen) -> String {
    let what = match seen {
        Seen::File(version) => format!("a file of {} bytes", version.length()),
        Seen::Folder => "a folder".to_owned(),
        Seen::Absent(Absence::Missing) => "missing".to_owned(),
        Seen::Absent(absence) => absence.to_string(),
    };
    format!("{}: {what}", shown(path))
}

/// A path as text on one line.
fn shown(path: &CStr) -> String {
    path.to_bytes().escape_ascii().to_string()
}
