//! Redirects that rules make, before any file is looked at. It is pure: rules are texts that were proved,
//! a request is its path and its query, and the outcome is a Location.
//!
//! ```text
//! /old.html=/new.html              one path to another
//! /blog/*=https://blog.example/*   whatever lies below to the same place below another
//! /shop/*=/closed.html 302         whatever lies below to one place
//! ```
//!
//! A rule about a folder's own address, as `/about/=/about`, would lead back to it where that folder is: it
//! is sent on to its own address. There the rule does not apply.
//!
//! Paths stand for what is below the mount, on both sides. The rule for the path itself counts; without
//! one, that for the longest path that it lies below. `/blog/*` is about `/blog/`, and not about `/blog`.
//! The request's query goes along, unless the rule's target has one of its own.
//!
//! Nothing of a request decides where its host is: a target has it, or the Location begins with exactly
//! one slash. What is taken of the path is decoded, proved to be a path of a file or of a folder, and
//! encoded again, so that it holds no empty and no dot segment, no backslash and no control.

mod rule;
mod way;

use std::collections::HashMap;

use super::path::{self, Located};
use crate::limits::REDIRECTS;

pub use self::rule::{RedirectError, RedirectRule};
use self::way::{Folder, Way};

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
    /// Of each rule, whether it leaves the folder alone whose own address it is about.
    spares_folder: Vec<bool>,
}

/// A rule, and what of a request's path goes where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirected<'a> {
    rule: &'a RedirectRule,
    rest: Option<Located>,
    spared: Option<&'a str>,
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
    /// Whoever follows it comes to it again if folders lie where it and others lead: a folder is sent on to
    /// its own path with a slash behind it.
    #[error("leads back to itself if folders lie on the way")]
    FolderLoop {
        /// The place of the rule about the path with the slash.
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
    /// be no loop: no rule may be met twice on such a way. Where folders would be part of it, which are sent
    /// on to their own paths with a slash behind them, it depends on what lies where rules lead, which
    /// changes. If it takes one folder, whose own address a rule is about, as of `/a/=/a`, that rule [spares
    /// it](Redirected::spared). What takes several folders is refused, as `/a/=/b` beside `/b/=/a`.
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
        redirects.spares_folder = vec![false; rules.len()];
        redirects.rules = rules;
        let mut folders = Vec::with_capacity(redirects.rules.len());
        for (start, rule) in redirects.rules.iter().enumerate() {
            folders.push(Way::new(&redirects, start, false).end()?);
            if rule.is_of_all_below {
                Way::new(&redirects, start, true).end()?;
            }
        }
        for (start, folder) in folders.iter().enumerate() {
            match folder {
                None => {}
                Some(folder) if folder.by == start => redirects.spares_folder[start] = true,
                &Some(folder) => {
                    if let Some(Folder { place, by }) = last_on_way_back(start, folder, &folders) {
                        let why = Conflict::FolderLoop { by };
                        return Err(RedirectsError { place, why });
                    }
                }
            }
        }
        Ok(redirects)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule that a request for `path` meets, which is in normal form and without the slash at its
    /// beginning.
    pub fn find(&self, path: &str) -> Option<Redirected<'_>> {
        let place = self.meets(path)?;
        let rule = &self.rules[place];
        let rest = match rule.is_of_all_below {
            // What nobody can ask for meets no rule, whether or not its place matters.
            true => {
                let rest = format!("/{}", &path[rule.from.len()..]);
                let rest = path::locate(rest.as_bytes()).ok()?;
                Some(rest).filter(|_| rule.to.takes_rest)
            }
            false => None,
        };
        let own_address = rule.from.strip_suffix('/').filter(|_| path == &*rule.from);
        Some(Redirected {
            rule,
            rest,
            spared: own_address.filter(|_| self.spares_folder[place]),
        })
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
}

/// The last folder on the way that goes on from `folder`, if it leads back to the rule at `start`; `folders`
/// has for each rule where the way from it ends.
fn last_on_way_back(
    start: usize,
    mut folder: Folder,
    folders: &[Option<Folder>],
) -> Option<Folder> {
    for _ in folders {
        folder = folders[folder.by]?;
        if folder.by == start {
            return Some(folder);
        }
    }
    None
}

impl Redirected<'_> {
    /// The rule.
    pub fn rule(&self) -> &RedirectRule {
        self.rule
    }

    /// The path of a folder without the slash at its beginning, as it is requested: where it is sent on to its
    /// own address, which was requested here, the rule would lead back to it, and does not apply.
    pub fn spared(&self) -> Option<&str> {
        self.spared
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

#[cfg(test)]
mod tests;
