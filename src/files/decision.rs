//! What becomes of a request path, step by step: which names to look at, and what follows from what
//! lies there. It is pure: whoever serves a request looks.
//!
//! ```text
//! path ─begin→ Step::Look ─(the file system)→ Seen ─saw→ Step::Look … → Step::Done(Decision)
//! ```

use std::ffi::{CStr, CString};
use std::fmt;

use http::StatusCode;

use super::media;
use super::path::{Located, PathRefusal, locate, locate_named};
use super::policy::{Hidden, Policy};
use super::version::Version;

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Look at this path below the root, and tell the course what is there.
    Look(Course),
    /// Nothing more has to be looked at.
    Done(Decision),
}

/// A path on its way to a decision.
#[derive(Debug, PartialEq, Eq)]
pub struct Course {
    relative: CString,
    asked: Asked,
    /// Whether the fallback is served where nothing else is.
    falls_back: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// A path without a slash at its end.
    Plain,
    /// The same with `.html` behind it, where there is nothing of its own name, or this folder.
    Page { folder: Option<CString> },
    /// The index of this folder, of these that it may be.
    Index { folder: CString, number: usize },
    /// A folder without an index, to list it.
    Listing,
    /// A folder, to send it as an archive.
    Archive,
    /// The fallback, because of this.
    Fallback(Reason),
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A regular file, in this version.
    File(Version),
    /// A folder.
    Folder,
    /// Nothing that is served.
    Absent(Absence),
}

/// Why nothing that is served lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is nothing of that name.
    Missing,
    /// A symbolic link is on the way, and none are followed, or too many are.
    Link,
    /// A symbolic link leads out of the root.
    Outside,
    /// Permissions forbid it.
    Unreadable,
    /// A device, a FIFO or a socket.
    Special,
}

/// What is done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This file is served.
    File {
        /// Its path below the root.
        relative: CString,
        /// What was seen of it.
        version: Version,
    },
    /// This file is served in place of what is not there, to whoever wants a page.
    Fallback {
        /// Its path below the root.
        relative: CString,
        /// What was seen of it.
        version: Version,
    },
    /// The folder is redirected to, by its path with a slash behind it:
    /// [`directory_location`](super::path::directory_location).
    Folder {
        /// Its path below the root.
        relative: CString,
    },
    /// What lies in this folder is listed.
    Listing {
        /// Its path below the root.
        relative: CString,
    },
    /// What lies in this folder is sent as an archive.
    Archive {
        /// Its path below the root.
        relative: CString,
    },
    /// Nothing is served.
    Refuse(Reason),
}

/// Why nothing is served. It is for operators: a peer learns the [status](Reason::status) alone, which
/// is the same for what is not there and what may not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path cannot be decoded.
    Malformed,
    /// No file can have such a name: an empty or a dot segment, an encoded slash, or too long.
    NoName,
    /// The policy hides it.
    Hidden(Hidden),
    /// Nothing lies there that is served.
    Absent(Absence),
    /// A folder without an index.
    NoIndex,
}

/// Begins with `path`, the raw path of a request below where the folder is served. `is_navigation` is
/// whether the request asks for a page: its Accept fields name `text/html`, and not merely anything.
///
/// The fallback of the policy is for paths of a navigation where nothing is served, but for those whose
/// last name has an extension: where a script or a picture is missing, a page would only hide it.
pub fn begin(policy: &Policy, path: &[u8], is_navigation: bool) -> Step {
    begin_with(policy, path, is_navigation, false)
}

/// [`begin`] where `path` is asked for with a query that [asks for an archive](asks_for_archive), which
/// means nothing where it is no folder's.
pub fn begin_archive(policy: &Policy, path: &[u8], is_navigation: bool) -> Step {
    begin_with(policy, path, is_navigation, true)
}

/// Whether `query` asks for an archive of a folder: by `download=tar`.
pub fn asks_for_archive(query: &str) -> bool {
    query.split('&').any(|pair| pair == "download=tar")
}

fn begin_with(policy: &Policy, path: &[u8], is_navigation: bool, is_archive: bool) -> Step {
    let (relative, is_folder) = match locate(path) {
        Ok(Located::File { relative }) => (relative, false),
        Ok(Located::Directory { relative }) => (relative, true),
        Err(PathRefusal::Malformed) => return Step::refused(Reason::Malformed),
        Err(PathRefusal::NotFound) => return Step::refused(Reason::NoName),
    };
    let has_extension = !is_folder && media::extension(relative.to_bytes()).is_some();
    let course = Course {
        relative,
        asked: Asked::Plain,
        falls_back: is_navigation && !has_extension && policy.fallback.is_some(),
    };
    // The root itself has no name to be hidden by.
    if &*course.relative != c"."
        && let Some(hidden) = policy.hides(course.relative.to_bytes())
    {
        return course.refuse(policy, Reason::Hidden(hidden));
    }
    if is_folder && is_archive {
        return Step::Look(Course {
            asked: Asked::Archive,
            ..course
        });
    }
    if is_folder {
        let folder = course.relative.clone();
        return course.index(policy, folder, 0);
    }
    Step::Look(course)
}

/// Where the file lies that a handler calls `name`: a path below the folder as it is on the disk. It is
/// served or nothing is, so there is one thing to look at: no page without its extension, no index, no
/// listing and no fallback.
///
/// # Errors
/// Why nothing there is served, whatever lies there.
pub fn named(policy: &Policy, name: &[u8]) -> Result<CString, Reason> {
    let relative = locate_named(name).ok_or(Reason::NoName)?;
    match policy.hides(relative.to_bytes()) {
        None => Ok(relative),
        Some(hidden) => Err(Reason::Hidden(hidden)),
    }
}

impl Step {
    fn refused(reason: Reason) -> Self {
        Step::Done(Decision::Refuse(reason))
    }
}

impl Course {
    /// The path to look at: relative to the root, never leaving it by itself.
    pub fn relative(&self) -> &CStr {
        &self.relative
    }

    /// What follows by `policy` from what was seen there.
    pub fn saw(self, policy: &Policy, seen: Seen) -> Step {
        match (self.asked.clone(), seen) {
            (Asked::Plain | Asked::Page { .. } | Asked::Index { .. }, Seen::File(version)) => {
                Step::Done(Decision::File {
                    relative: self.relative,
                    version,
                })
            }
            (Asked::Plain, Seen::Folder) => {
                let folder = self.relative.clone();
                self.page(policy, Some(folder))
            }
            (Asked::Plain, Seen::Absent(Absence::Missing)) => self.page(policy, None),
            (Asked::Page { folder }, Seen::Folder | Seen::Absent(Absence::Missing)) => {
                self.no_page(policy, folder)
            }
            (Asked::Index { folder, number }, Seen::Folder | Seen::Absent(Absence::Missing)) => {
                self.index(policy, folder, number + 1)
            }
            (Asked::Listing, Seen::Folder) => Step::Done(Decision::Listing {
                relative: self.relative,
            }),
            (Asked::Archive, Seen::Folder) => Step::Done(Decision::Archive {
                relative: self.relative,
            }),
            (Asked::Listing | Asked::Archive, Seen::File(_)) => {
                self.refuse(policy, Reason::NoIndex)
            }
            (Asked::Fallback(_), Seen::File(version)) => Step::Done(Decision::Fallback {
                relative: self.relative,
                version,
            }),
            (Asked::Fallback(reason), _) => Step::refused(reason),
            (_, Seen::Absent(absence)) => self.refuse(policy, Reason::Absent(absence)),
        }
    }

    /// Goes on with the index of `folder`, from the one with this number on.
    fn index(self, policy: &Policy, folder: CString, from: usize) -> Step {
        for (number, name) in policy.index.iter().enumerate().skip(from) {
            let relative = below(&folder, name);
            if policy.hides(relative.to_bytes()).is_none() {
                return Step::Look(Self {
                    relative,
                    asked: Asked::Index { folder, number },
                    ..self
                });
            }
        }
        if !policy.listing {
            return self.refuse(policy, Reason::NoIndex);
        }
        Step::Look(Self {
            relative: folder,
            asked: Asked::Listing,
            ..self
        })
    }

    /// Goes on with the page of that name, if pages go without their extension. It goes before the
    /// `folder` of the name, as nginx's `try_files $uri $uri.html $uri/` has it: what makes `blog.html` puts
    /// that page's own pages into `blog/`.
    fn page(self, policy: &Policy, folder: Option<CString>) -> Step {
        let page = [self.relative.to_bytes(), b".html"].concat();
        match CString::new(page) {
            Ok(relative) if policy.clean_urls && policy.hides(relative.to_bytes()).is_none() => {
                Step::Look(Self {
                    relative,
                    asked: Asked::Page { folder },
                    ..self
                })
            }
            _ => self.no_page(policy, folder),
        }
    }

    /// Goes on where there is no page, and the `folder` of its name or nothing.
    fn no_page(self, policy: &Policy, folder: Option<CString>) -> Step {
        match folder {
            Some(relative) => Step::Done(Decision::Folder { relative }),
            None => self.refuse(policy, Reason::Absent(Absence::Missing)),
        }
    }

    /// Goes on with the fallback, if there is one for this path.
    fn refuse(self, policy: &Policy, reason: Reason) -> Step {
        match &policy.fallback {
            Some(fallback) if self.falls_back => Step::Look(Self {
                relative: fallback.clone(),
                asked: Asked::Fallback(reason),
                ..self
            }),
            _ => Step::refused(reason),
        }
    }
}

impl Reason {
    /// The status that a peer gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Reason::Malformed => StatusCode::BAD_REQUEST,
            _ => StatusCode::NOT_FOUND,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Malformed => f.write_str("the path cannot be decoded"),
            Reason::NoName => f.write_str("no file can have such a name"),
            Reason::Hidden(Hidden::Dot) => f.write_str("a name begins with a dot"),
            Reason::Hidden(Hidden::By(glob)) => write!(f, "it is hidden by {}", glob.as_str()),
            Reason::Absent(absence) => absence.fmt(f),
            Reason::NoIndex => f.write_str("the folder has no index"),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Absence::Missing => "nothing of that name is there",
            Absence::Link => "a symbolic link is on the way, or too many of them",
            Absence::Outside => "a symbolic link leads out of the root",
            Absence::Unreadable => "permissions forbid it",
            Absence::Special => "it is a device, a FIFO or a socket",
        })
    }
}

/// The path of `name` in `folder`.
pub(super) fn below(folder: &CStr, name: &CStr) -> CString {
    // Neither part holds a NUL.
    CString::new(below_bytes(folder, name.to_bytes())).unwrap_or_else(|_| name.to_owned())
}

/// [`below`], as bytes.
pub(super) fn below_bytes(folder: &CStr, name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.count_bytes() + name.len() + 2);
    if folder != c"." {
        path.extend_from_slice(folder.to_bytes());
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

#[cfg(test)]
mod tests;
