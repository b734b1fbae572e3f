//! Where whoever follows redirects comes to by rules alone, and whether that has an end.

use super::rule::Target;
use super::{Conflict, Redirects, RedirectsError};
use crate::app::normal_path;

/// The way of whoever follows one rule after the other, up to its end or a folder that is sent on to its own
/// address. From there on it depends on nothing but the folder: it is the way from the rule about that.
pub(super) struct Way<'a> {
    redirects: &'a Redirects,
    /// The place of the rule that is met.
    at: usize,
    /// The path that it is met with, in normal form and without the slash at its beginning.
    path: String,
    /// Whether anything at all may follow `path`, but what would meet another rule.
    is_open: bool,
}

/// A folder at the end of a way, which is sent on to its own address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder {
    /// The place of the rule that leads to it.
    pub(super) place: usize,
    /// The place of the rule about its own address, which begins another way.
    pub(super) by: usize,
}

/// The place of a rule that is met.
enum Met {
    Always(usize),
    /// If a folder is there.
    ByFolder(usize),
}

impl<'a> Way<'a> {
    /// The way that begins with the rule at `start`: with all that lies below its path, or with the path
    /// itself. A folder that is sent on comes to a rule for all that lies below by its own path alone.
    pub(super) fn new(redirects: &'a Redirects, start: usize, is_open: bool) -> Self {
        Self {
            redirects,
            at: start,
            path: redirects.rules[start].from.clone().into(),
            is_open,
        }
    }

    /// The folder where the way ends, if there has to be one for it to go on.
    ///
    /// # Errors
    /// It meets a rule a second time.
    pub(super) fn end(mut self) -> Result<Option<Folder>, RedirectsError> {
        let mut is_met = vec![false; self.redirects.rules.len()];
        loop {
            is_met[self.at] = true;
            let place = self.at;
            match self.follow() {
                None => return Ok(None),
                Some(Met::ByFolder(by)) => return Ok(Some(Folder { place, by })),
                Some(Met::Always(at)) if is_met[at] => {
                    let why = Conflict::Loop { by: place };
                    return Err(RedirectsError { place: at, why });
                }
                Some(Met::Always(at)) => self.at = at,
            }
        }
    }

    /// Follows the rule at `self.at`, and tells which is met where it leads, if one is.
    fn follow(&mut self) -> Option<Met> {
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
            return self.redirects.meets_below(&self.path).map(Met::Always);
        }
        if let Some(at) = self.redirects.meets(&self.path) {
            return Some(Met::Always(at));
        }
        if self.path.is_empty() || self.path.ends_with('/') {
            return None;
        }
        self.path.push('/');
        self.redirects.meets(&self.path).map(Met::ByFolder)
    }
}
