//! Redirects that rules make, before any file is looked at. It is pure: rules are texts that were proved,
//! a request is its path and its query, and the outcome is a Location.
//!
//! ```text
//! /old.html=/new.html              one path to another
//! /blog/*=https://blog.example/*   whatever lies below to the same place below another
//! /shop/*=/closed.html 302         whatever lies below to one place
//! ```
//!
//! Paths stand for what is below the mount, on both sides. The rule for the path itself counts; without
//! one, that for the longest path that it lies below. `/blog/*` is about `/blog/`, and not about `/blog`.
//! The request's query goes along, unless the rule's target has one of its own.
//!
//! Nothing of a request decides where its host is: a target has it, or the Location begins with exactly
//! one slash. What is taken of the path is decoded, proved to be a path of a file or of a folder, and
//! encoded again, so that it holds no empty and no dot segment, no backslash and no control.

use std::collections::HashMap;
use std::str::FromStr;

use http::StatusCode;

use super::path::{self, Located};
use crate::app::normal_path;
use crate::limits::{REDIRECT_BYTES, REDIRECTS};

/// Rules, of which a path meets at most one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirects {
    rules: Vec<RedirectRule>,
    /// Rules for one path, by it.
    exact: HashMap<Box<str>, usize>,
    /// Rules for all that lies below a path, by it and its last slash.
    below: HashMap<Box<str>, usize>,
    /// Most slashes of a path in `below`.
    deepest: usize,
}

/// A rule, and what of a request's path goes where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirected<'a> {
    rule: &'a RedirectRule,
    rest: Option<Located>,
}

/// A redirect. Its text is `FROM=TO`, or `FROM=TO STATUS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectRule {
    text: Box<str>,
    /// In [normal form](normal_path), without the slash at its beginning; of all that lies below a path,
    /// that path with its last slash.
    from: Box<str>,
    is_of_all_below: bool,
    to: Target,
    status: StatusCode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// A path below the mount, or a URL; where the rest of the path goes behind it, without a last slash.
    base: Box<str>,
    is_below_mount: bool,
    takes_rest: bool,
    query: Option<Box<str>>,
    fragment: Option<Box<str>>,
}

/// Why a text is no redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It has no `=`.
    #[error("has no =")]
    Form,
    /// What stands before the `=` is no path of a file or a folder.
    #[error("does not begin with a path that can be asked for")]
    From,
    /// What stands behind it is neither a path nor the URL of another server.
    #[error("does not lead to a path or to an http or https URL")]
    To,
    /// A `*` that is not the end of a path, behind a slash, or is one of TO alone.
    #[error("has a * where none can be")]
    Star,
    /// It is none of 301, 302, 307 and 308.
    #[error("has no status of a redirect")]
    Status,
    /// There are more than [`REDIRECT_BYTES`].
    #[error("has more than {REDIRECT_BYTES} bytes")]
    TooLong,
}

/// Why rules cannot be together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectsError {
    /// The place of the rule that is one too many.
    pub place: usize,
    /// What is against it.
    pub why: Conflict,
}

/// What is against a rule among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another is about the same path.
    #[error("is about a path that another rule is about")]
    Twice {
        /// The other's place.
        with: usize,
    },
    /// Whoever follows it comes to it again.
    #[error("leads back to itself")]
    Loop {
        /// The place of the rule that leads to it; its own if it does.
        by: usize,
    },
    /// Whoever follows it comes to it again if a folder lies where it leads: a folder is sent on to its own
    /// path with a slash behind it.
    #[error("leads back to itself if a folder lies there")]
    FolderLoop {
        /// The place of the rule about the path with the slash; its own if it is.
        by: usize,
    },
    /// There are [`REDIRECTS`] before it.
    #[error("is one redirect more than {REDIRECTS}")]
    TooMany,
}

impl Redirects {
    /// These `rules` together.
    ///
    /// A loop is found where rules lead from one to the next by themselves, even if it takes a long time to
    /// be no loop: no rule may be met twice on a way. It is found as well where a folder would be part of it,
    /// which is sent on to its own path with a slash behind it: what lies where rules lead is not known, and
    /// changes, so a folder might. `/a/=/a` is refused, and `/a/=/a.html` is not.
    ///
    /// Not seen are ways by what is no rule of these: a URL that leads back to this server, by whatever name,
    /// and what other servers and the app's own handlers answer.
    ///
    /// # Errors
    /// There are too many, two are about the same path, or one leads back to itself.
    pub fn new(rules: Vec<RedirectRule>) -> Result<Self, RedirectsError> {
        let mut redirects = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            let conflict = |why| RedirectsError { place, why };
            if place == REDIRECTS {
                return Err(conflict(Conflict::TooMany));
            }
            let kind = match rule.is_of_all_below {
                true => &mut redirects.below,
                false => &mut redirects.exact,
            };
            if let Some(with) = kind.insert(rule.from.clone(), place) {
                return Err(conflict(Conflict::Twice { with }));
            }
            if rule.is_of_all_below {
                let slashes = rule.from.matches('/').count();
                redirects.deepest = redirects.deepest.max(slashes);
            }
        }
        redirects.rules = rules;
        let mut starts = redirects.rules.iter().enumerate();
        let found = starts.find_map(|(start, rule)| {
            let below = || rule.is_of_all_below.then(|| redirects.way(start, true));
            let own = redirects.way(start, false).find_loop();
            own.or_else(|| below()?.find_loop())
        });
        match found {
            Some(error) => Err(error),
            None => Ok(redirects),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule that a request for `path` meets, which is in normal form and without the slash at its
    /// beginning.
    pub fn find(&self, path: &str) -> Option<Redirected<'_>> {
        let rule = &self.rules[self.meets(path)?];
        let rest = match rule.is_of_all_below {
            // What nobody can ask for meets no rule, whether or not its place matters.
            true => {
                let rest = format!("/{}", &path[rule.from.len()..]);
                let rest = path::locate(rest.as_bytes()).ok()?;
                Some(rest).filter(|_| rule.to.takes_rest)
            }
            false => None,
        };
        Some(Redirected { rule, rest })
    }

    /// The place of the rule for `path`, in normal form and without the slash at its beginning.
    fn meets(&self, path: &str) -> Option<usize> {
        let exact = self.exact.get(path).copied();
        exact.or_else(|| self.meets_below(path))
    }

    /// The place of the rule for the longest path that `path` lies below. It takes as many steps as the
    /// deepest rule is deep, whatever a peer sends.
    fn meets_below(&self, path: &str) -> Option<usize> {
        if self.below.is_empty() {
            return None;
        }
        let slashes = memchr::memchr_iter(b'/', path.as_bytes()).take(self.deepest);
        let mut longest = self.below.get("");
        for slash in slashes {
            longest = self.below.get(&path[..=slash]).or(longest);
        }
        longest.copied()
    }

    /// The way that begins with the rule at `start`: with all that lies below its path, or with the path
    /// itself. A folder that is sent on comes to a rule for all that lies below by its own path alone.
    fn way(&self, start: usize, is_open: bool) -> Way<'_> {
        Way {
            redirects: self,
            at: start,
            path: self.rules[start].from.clone().into(),
            is_open,
        }
    }
}

/// The way of whoever follows one rule after the other.
struct Way<'a> {
    redirects: &'a Redirects,
    /// The place of the rule that is met.
    at: usize,
    /// The path that it is met with, in normal form and without the slash at its beginning.
    path: String,
    /// Whether anything at all may follow `path`, but what would meet another rule.
    is_open: bool,
}

impl Way<'_> {
    /// Why the way has no end, if it meets a rule a second time.
    fn find_loop(mut self) -> Option<RedirectsError> {
        // Of each rule that was met, how many were met before it.
        let mut met_as = vec![None; self.redirects.rules.len()];
        // The last folder on the way: when it was met, the rule that leads to it, and that for its slash.
        let mut folder = None;
        let mut before = self.at;
        for number in 0.. {
            if let Some(first) = met_as[self.at].replace(number) {
                return Some(match folder {
                    // It is on the part of the way that is repeated.
                    Some((led, place, by)) if led >= first => RedirectsError {
                        place,
                        why: Conflict::FolderLoop { by },
                    },
                    _ => RedirectsError {
                        place: self.at,
                        why: Conflict::Loop { by: before },
                    },
                });
            }
            before = self.at;
            if self.follow()? {
                folder = Some((number, before, self.at));
            }
        }
        None
    }

    /// Goes on to the rule that is met where the one at `self.at` leads, if there is one, and tells whether
    /// it is met because a folder may lie there.
    fn follow(&mut self) -> Option<bool> {
        let rule = &self.redirects.rules[self.at];
        let Target {
            base, takes_rest, ..
        } = &rule.to;
        if !rule.to.is_below_mount {
            return None;
        }
        let next = match takes_rest {
            true => format!("{base}/{}", &self.path[rule.from.len()..]),
            false => base.clone().into_string(),
        };
        self.is_open &= takes_rest;
        self.path = normal_path(&next)[1..].to_owned();
        if self.is_open {
            self.at = self.redirects.meets_below(&self.path)?;
            return Some(false);
        }
        let met = self.redirects.meets(&self.path);
        let is_by_folder = met.is_none();
        if is_by_folder {
            if self.path.is_empty() || self.path.ends_with('/') {
                return None;
            }
            self.path.push('/');
        }
        self.at = met.or_else(|| self.redirects.meets(&self.path))?;
        Some(is_by_folder)
    }
}

impl Redirected<'_> {
    /// The rule.
    pub fn rule(&self) -> &RedirectRule {
        self.rule
    }

    /// The Location for a request with this `query`, where `mount` stands before the paths that the rules
    /// are about; both are as they came. It is visible ASCII if they are.
    pub fn location(&self, mount: &str, query: Option<&str>) -> String {
        let to = &self.rule.to;
        let mut location = String::new();
        if to.is_below_mount {
            location.push_str(mount);
        }
        location.push_str(&to.base);
        if let Some(rest) = &self.rest {
            path::located_onto(rest, &mut location);
        }
        if let Some(query) = to.query.as_deref().or(query) {
            path::query_onto(query.as_bytes(), &mut location);
        }
        if let Some(fragment) = &to.fragment {
            location.push('#');
            location.push_str(fragment);
        }
        location
    }
}

impl RedirectRule {
    /// The rule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The response's status: 301, 302, 307 or 308.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl FromStr for RedirectRule {
    type Err = RedirectError;

    /// An `=` in FROM is written `%3D`.
    fn from_str(text: &str) -> Result<Self, RedirectError> {
        if text.len() > REDIRECT_BYTES {
            return Err(RedirectError::TooLong);
        }
        let (from, to) = text.split_once('=').ok_or(RedirectError::Form)?;
        let (to, status) = match to.rsplit_once(' ') {
            Some((to, status)) => (to.trim_end_matches(' '), parse_status(status)?),
            None => (to, StatusCode::FOUND),
        };
        let is_of_all_below = from.ends_with("/*");
        let from = if is_of_all_below {
            &from[..from.len() - 1]
        } else {
            from
        };
        if from.contains('*') {
            return Err(RedirectError::Star);
        }
        if from.contains(['?', '#']) || path::locate(from.as_bytes()).is_err() {
            return Err(RedirectError::From);
        }
        let to: Target = to.parse()?;
        if to.takes_rest && !is_of_all_below {
            return Err(RedirectError::Star);
        }
        Ok(Self {
            text: text.into(),
            from: normal_path(from)[1..].into(),
            is_of_all_below,
            to,
            status,
        })
    }
}

fn parse_status(text: &str) -> Result<StatusCode, RedirectError> {
    match text {
        "301" => Ok(StatusCode::MOVED_PERMANENTLY),
        "302" => Ok(StatusCode::FOUND),
        "307" => Ok(StatusCode::TEMPORARY_REDIRECT),
        "308" => Ok(StatusCode::PERMANENT_REDIRECT),
        _ => Err(RedirectError::Status),
    }
}

impl FromStr for Target {
    type Err = RedirectError;

    fn from_str(text: &str) -> Result<Self, RedirectError> {
        let (text, fragment) = split(text, '#');
        let (path, query) = split(text, '?');
        let mut parts = query.iter().chain(&fragment);
        if !parts.all(|part| path::is_encoded(part.as_bytes())) {
            return Err(RedirectError::To);
        }
        let takes_rest = path.ends_with("/*");
        let base = if takes_rest {
            &path[..path.len() - 2]
        } else {
            path
        };
        if base.contains('*') {
            return Err(RedirectError::Star);
        }
        let is_below_mount = path.starts_with('/');
        let path = match is_below_mount {
            true => Some(path),
            false => path_of_url(base),
        };
        let path = path.ok_or(RedirectError::To)?;
        if !path.is_empty() && !is_encoded_path(path) {
            return Err(RedirectError::To);
        }
        Ok(Self {
            base: base.into(),
            is_below_mount,
            takes_rest,
            query: query.map(Into::into),
            fragment: fragment.map(Into::into),
        })
    }
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

/// The path of an `http` or `https` URL without query and fragment, which may be empty.
///
/// RFC 9110 §4.2.4: nobody is to be told a user and a password with it.
fn path_of_url(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_known = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let authority: http::uri::Authority = authority.parse().ok()?;
    let host = authority.host();
    let is_port = |port: &str| port.is_empty() || authority.port_u16().is_some();
    // What stands before the host is the user.
    let is_host = !host.is_empty() && authority.as_str().strip_prefix(host).is_some_and(is_port);
    (is_known && is_host).then_some(path)
}

/// Whether `path` can be asked for as it is written.
fn is_encoded_path(path: &str) -> bool {
    path::is_encoded(path.as_bytes()) && path::locate(path.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests;
