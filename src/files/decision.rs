//! What becomes of a request path, step by step: which names to look at, and what follows from what
//! lies there. It is pure: whoever serves a request and whoever explains one look for themselves, and
//! come to the same decision.
//!
//! ```text
//! path ─begin→ Step::Look ─(the file system)→ Seen ─saw→ Step::Look … → Step::Done(Decision)
//! ```

use std::ffi::{CStr, CString};
use std::fmt;

use http::StatusCode;

use super::path::{Located, PathRefusal, locate};
use super::policy::{Hidden, Policy};
use super::version::Version;

/// What a folder serves when it is asked for itself.
const INDEX: &CStr = c"index.html";

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
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// A path without a slash at its end.
    Plain,
    /// The index of this folder.
    Index(CString),
    /// A folder without an index, to list it.
    Listing,
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

/// Begins with `path`, the raw path of a request below where the folder is served.
pub fn begin(policy: &Policy, path: &[u8]) -> Step {
    let (relative, is_folder) = match locate(path) {
        Ok(Located::File { relative }) => (relative, false),
        Ok(Located::Directory { relative }) => (relative, true),
        Err(PathRefusal::Malformed) => return Step::refused(Reason::Malformed),
        Err(PathRefusal::NotFound) => return Step::refused(Reason::NoName),
    };
    // The root itself has no name to be hidden by.
    if &*relative != c"."
        && let Some(hidden) = policy.hides(relative.to_bytes())
    {
        return Step::refused(Reason::Hidden(hidden));
    }
    if !is_folder {
        let asked = Asked::Plain;
        return Step::Look(Course { relative, asked });
    }
    let index = below(&relative, INDEX);
    match policy.hides(index.to_bytes()) {
        Some(_) => without_index(policy, relative),
        None => Step::Look(Course {
            relative: index,
            asked: Asked::Index(relative),
        }),
    }
}

/// What follows where `folder` has no index that is served.
fn without_index(policy: &Policy, folder: CString) -> Step {
    if !policy.listing {
        return Step::refused(Reason::NoIndex);
    }
    Step::Look(Course {
        relative: folder,
        asked: Asked::Listing,
    })
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
        let Self { relative, asked } = self;
        Step::Done(match (seen, asked) {
            (Seen::Folder, Asked::Listing) => Decision::Listing { relative },
            (Seen::File(_), Asked::Listing) => Decision::Refuse(Reason::NoIndex),
            (Seen::File(version), _) => Decision::File { relative, version },
            (Seen::Folder, Asked::Plain) => Decision::Folder { relative },
            (Seen::Folder | Seen::Absent(Absence::Missing), Asked::Index(folder)) => {
                return without_index(policy, folder);
            }
            (Seen::Absent(absence), _) => Decision::Refuse(Reason::Absent(absence)),
        })
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
mod tests {
    use super::*;
    use std::time::Duration;

    const VERSION: fn() -> Version = || Version::made(1, 2, Duration::from_secs(3));

    /// Decides `path` where these names lie; the others are missing. Also tells what was looked at.
    fn decide(path: &str, names: &[(&str, Seen)], listing: bool) -> (Decision, Vec<String>) {
        let policy = Policy {
            listing,
            hide: vec!["*.key".parse().unwrap()],
            ..Policy::default()
        };
        let mut looks = Vec::new();
        let mut step = begin(&policy, path.as_bytes());
        loop {
            match step {
                Step::Done(decision) => return (decision, looks),
                Step::Look(course) => {
                    let name = course.relative().to_str().unwrap().to_owned();
                    let seen = names.iter().find(|(other, _)| *other == name);
                    looks.push(name);
                    let seen = seen.map_or(Seen::Absent(Absence::Missing), |seen| seen.1);
                    step = course.saw(&policy, seen);
                }
            }
        }
    }

    #[test]
    fn paths_and_what_becomes_of_them() {
        let file = |relative: &str| Decision::File {
            relative: CString::new(relative).unwrap(),
            version: VERSION(),
        };
        let folder = |relative: &str| Decision::Folder {
            relative: CString::new(relative).unwrap(),
        };
        let refuse = Decision::Refuse;
        let names = [
            ("a", Seen::File(VERSION())),
            ("d", Seen::Folder),
            ("index.html", Seen::File(VERSION())),
            ("d/index.html", Seen::File(VERSION())),
            ("e", Seen::Folder),
            ("e/index.html", Seen::Folder),
            ("f", Seen::Absent(Absence::Special)),
            ("g/index.html", Seen::Absent(Absence::Unreadable)),
        ];
        let table: &[(&str, Decision, &[&str])] = &[
            ("/", file("index.html"), &["index.html"]),
            ("/a", file("a"), &["a"]),
            ("/d", folder("d"), &["d"]),
            ("/d/", file("d/index.html"), &["d/index.html"]),
            ("/e/", refuse(Reason::NoIndex), &["e/index.html"]),
            ("/none/", refuse(Reason::NoIndex), &["none/index.html"]),
            ("/f", refuse(Reason::Absent(Absence::Special)), &["f"]),
            (
                "/g/",
                refuse(Reason::Absent(Absence::Unreadable)),
                &["g/index.html"],
            ),
            ("/none", refuse(Reason::Absent(Absence::Missing)), &["none"]),
            // Decided without a look.
            ("/%", refuse(Reason::Malformed), &[]),
            ("/../a", refuse(Reason::NoName), &[]),
            ("/.env", refuse(Reason::Hidden(Hidden::Dot)), &[]),
            (
                "/x.key",
                refuse(Reason::Hidden(Hidden::By("*.key".parse().unwrap()))),
                &[],
            ),
        ];
        for (path, decision, looks) in table {
            let (decided, looked) = decide(path, &names, false);
            assert_eq!(&decided, decision, "{path}");
            assert_eq!(&looked, looks, "{path}");
        }
    }

    #[test]
    fn a_folder_without_an_index_is_listed_if_the_policy_says_so() {
        let names = [
            (".", Seen::Folder),
            ("d", Seen::Folder),
            ("d/index.html", Seen::File(VERSION())),
            ("e", Seen::Folder),
            ("e/index.html", Seen::Folder),
            ("g", Seen::Folder),
            ("g/index.html", Seen::Absent(Absence::Unreadable)),
            ("a", Seen::File(VERSION())),
        ];
        let listing = |relative: &str| Decision::Listing {
            relative: CString::new(relative).unwrap(),
        };
        let absent = |absence| Decision::Refuse(Reason::Absent(absence));
        let table: &[(&str, Decision, &[&str])] = &[
            ("/", listing("."), &["index.html", "."]),
            ("/e/", listing("e"), &["e/index.html", "e"]),
            (
                "/d/",
                Decision::File {
                    relative: c"d/index.html".to_owned(),
                    version: VERSION(),
                },
                &["d/index.html"],
            ),
            // What the index keeps to itself its folder does, too.
            ("/g/", absent(Absence::Unreadable), &["g/index.html"]),
            (
                "/none/",
                absent(Absence::Missing),
                &["none/index.html", "none"],
            ),
            (
                "/a/",
                Decision::Refuse(Reason::NoIndex),
                &["a/index.html", "a"],
            ),
            ("/.git/", Decision::Refuse(Reason::Hidden(Hidden::Dot)), &[]),
        ];
        for (path, decision, looks) in table {
            let (decided, looked) = decide(path, &names, true);
            assert_eq!(&decided, decision, "{path}");
            assert_eq!(&looked, looks, "{path}");
        }
    }

    #[test]
    fn an_index_may_be_hidden_and_its_folder_not() {
        let mut policy = Policy {
            hide: vec!["*.html".parse().unwrap(), "?".parse().unwrap()],
            ..Policy::default()
        };
        let begun = begin(&policy, b"/");
        assert!(matches!(
            begun,
            Step::Done(Decision::Refuse(Reason::NoIndex))
        ));
        policy.listing = true;
        let Step::Look(course) = begin(&policy, b"/") else {
            panic!("nothing is looked at");
        };
        assert_eq!(course.relative(), c".");
    }

    #[test]
    fn every_reason_but_a_malformed_path_looks_the_same() {
        let absences = [
            Absence::Missing,
            Absence::Link,
            Absence::Outside,
            Absence::Unreadable,
            Absence::Special,
        ];
        let mut reasons: Vec<_> = absences.map(Reason::Absent).into();
        reasons.extend([
            Reason::NoName,
            Reason::NoIndex,
            Reason::Hidden(Hidden::Dot),
            Reason::Hidden(Hidden::By("a".parse().unwrap())),
        ]);
        for reason in &reasons {
            assert_eq!(reason.status(), StatusCode::NOT_FOUND, "{reason}");
        }
        assert_eq!(Reason::Malformed.status(), StatusCode::BAD_REQUEST);
        // They are told apart by words.
        reasons.sort_by_key(Reason::to_string);
        assert!(reasons.is_sorted_by(|a, b| a.to_string() < b.to_string()));
    }
}
