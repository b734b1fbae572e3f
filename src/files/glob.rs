//! Patterns for the paths of files, as rules name them. They are matched on decoded bytes, below the
//! root, and never ask the file system.
//!
//! | pattern | matches |
//! |---|---|
//! | `?` | one byte but `/` |
//! | `*` | any number of them, none included |
//! | `**` | any bytes, `/` included; as a whole segment also no segment at all |
//! | `[abc]`, `[a-z]`, `[!a-z]` | one byte of those, or one of the others but `/` |
//! | `\x` | the byte `x` as it is |
//!
//! A pattern without `/` names files and folders at any depth (`*.css`); one with `/` begins at the
//! root (`/assets/**`, `assets/**`). Letter case matters, as it does for the file system.

mod inclusion;

use std::fmt;
use std::str::FromStr;

use crate::limits::GLOB_BYTES;

/// A pattern, understood.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    tokens: Box<[Token]>,
    /// It is about a single name, wherever that is.
    is_name: bool,
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// Nothing at all, or slashes alone.
    #[error("is empty")]
    Empty,
    /// More than [`GLOB_BYTES`].
    #[error("is longer than {GLOB_BYTES} bytes")]
    TooLong,
    /// A `[` without its `]`, or with nothing in it.
    #[error("has a `[` that does not end")]
    Unclosed,
    /// A `\` at the end.
    #[error("ends with a `\\`")]
    Escape,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Any,
    Star,
    /// `**`.
    Deep,
    /// The beginning of `**/`, which is left at once with nothing, or goes on as [`Token::Folders`].
    NoFolder,
    /// Folders, whole: whatever ends in a slash.
    Folders,
    Set {
        ranges: Box<[(u8, u8)]>,
        is_negated: bool,
    },
}

impl Glob {
    /// Whether the pattern matches `path`, which is relative to the root: `a/b.css`.
    pub fn matches(&self, path: &[u8]) -> bool {
        if self.is_name {
            let name = path.rsplit(|&byte| byte == b'/').next();
            return run(&self.tokens, name.unwrap_or(path), Until::End);
        }
        run(&self.tokens, path, Until::End)
    }

    /// Whether the pattern matches the folder at `path`, which is `.` for the root, with the slash at its
    /// end or without: `/a/**` and `/a/*` are about `/a/`, too, and so is `/a`.
    pub fn matches_folder(&self, path: &[u8]) -> bool {
        let path = if path == b"." { b"" } else { path };
        let is_asked_for = |path: &[u8]| !self.is_name && self.matches(&[path, b"/"].concat());
        self.matches(path) || !path.is_empty() && is_asked_for(path)
    }

    /// Whether the pattern matches `path` or a folder that it lies in.
    pub fn covers(&self, path: &[u8]) -> bool {
        if self.is_name {
            let mut names = path.split(|&byte| byte == b'/');
            return names.any(|name| run(&self.tokens, name, Until::End));
        }
        run(&self.tokens, path, Until::Folder)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.len() > GLOB_BYTES {
            return Err(GlobError::TooLong);
        }
        let rooted = text.trim_start_matches('/');
        // A folder is named with its last slash or without.
        let pattern = rooted.trim_end_matches('/');
        if pattern.is_empty() {
            return Err(GlobError::Empty);
        }
        let is_name = rooted.len() == text.len() && !pattern.contains('/');
        Ok(Self {
            text: text.into(),
            tokens: tokens(pattern.as_bytes())?.into(),
            is_name,
        })
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({})", self.text)
    }
}

fn tokens(pattern: &[u8]) -> Result<Vec<Token>, GlobError> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut begins_segment = true;
    while let [first, tail @ ..] = rest {
        let (token, tail) = match (first, tail) {
            (b'*', [b'*', tail @ ..]) => match skip_stars(tail) {
                [b'/', tail @ ..] if begins_segment => {
                    tokens.push(Token::NoFolder);
                    (Token::Folders, tail)
                }
                tail => (Token::Deep, tail),
            },
            (b'*', _) => (Token::Star, tail),
            (b'?', _) => (Token::Any, tail),
            (b'[', _) => set(tail)?,
            (b'\\', []) => return Err(GlobError::Escape),
            (b'\\', [byte, tail @ ..]) => (Token::Byte(*byte), tail),
            (byte, _) => (Token::Byte(*byte), tail),
        };
        begins_segment = matches!(token, Token::Byte(b'/') | Token::Folders);
        tokens.push(token);
        rest = tail;
    }
    Ok(tokens)
}

fn skip_stars(mut rest: &[u8]) -> &[u8] {
    while let [b'*', tail @ ..] = rest {
        rest = tail;
    }
    rest
}

/// What stands behind a `[`, and what follows its `]`.
fn set(rest: &[u8]) -> Result<(Token, &[u8]), GlobError> {
    let (is_negated, mut rest) = match rest {
        [b'!' | b'^', tail @ ..] => (true, tail),
        _ => (false, rest),
    };
    let mut ranges = Vec::new();
    loop {
        rest = match rest {
            // As the first of a set it stands for itself.
            [b']', tail @ ..] if !ranges.is_empty() => {
                let ranges = ranges.into();
                return Ok((Token::Set { ranges, is_negated }, tail));
            }
            [low, b'-', high, tail @ ..] if *high != b']' => {
                ranges.push((*low, *high));
                tail
            }
            [byte, tail @ ..] => {
                ranges.push((*byte, *byte));
                tail
            }
            [] => return Err(GlobError::Unclosed),
        };
    }
}

/// How much of a path has to be matched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// All of it.
    End,
    /// All of it, or of the path of a folder that it lies in.
    Folder,
}

/// Whether `tokens` match so much of `path`, in time proportional to the product of their lengths:
/// every place in the pattern that could be reached so far is followed at once.
fn run(tokens: &[Token], path: &[u8], until: Until) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    let mut next = reached.clone();
    reached[0] = true;
    skip_empty(tokens, &mut reached);
    for &byte in path {
        if byte == b'/' && until == Until::Folder && reached[tokens.len()] {
            return true;
        }
        next.fill(false);
        step(tokens, &reached, byte, &mut next);
        std::mem::swap(&mut reached, &mut next);
    }
    reached[tokens.len()]
}

/// Adds the places to `next` that `byte` leads to from those that were `reached`.
fn step(tokens: &[Token], reached: &[bool], byte: u8, next: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate().filter(|(at, _)| reached[*at]) {
        match token {
            Token::Byte(wanted) => next[at + 1] |= byte == *wanted,
            Token::Any => next[at + 1] |= byte != b'/',
            Token::Set { ranges, is_negated } => {
                let is_in = ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&byte));
                next[at + 1] |= byte != b'/' && is_in != *is_negated;
            }
            Token::Star => next[at] |= byte != b'/',
            Token::Deep => next[at] = true,
            Token::NoFolder => {}
            Token::Folders => {
                next[at] = true;
                next[at + 1] |= byte == b'/';
            }
        }
    }
    skip_empty(tokens, next);
}

/// Adds the places that are reached without a byte.
fn skip_empty(tokens: &[Token], reached: &mut [bool]) {
    for (at, token) in tokens.iter().enumerate() {
        if !reached[at] {
            continue;
        }
        match token {
            Token::Star | Token::Deep => reached[at + 1] = true,
            Token::NoFolder => {
                reached[at + 1] = true;
                reached[at + 2] = true;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<Glob>().unwrap().matches(path.as_bytes())
    }

    #[test]
    fn patterns_and_what_they_match() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("a", &["a", "x/a", "x/y/a"], &["b", "aa", "a/x", ""]),
            (
                "*.css",
                &["a.css", ".css", "x/a.css"],
                &["a.cssx", "a.css/x"],
            ),
            ("/*.css", &["a.css"], &["x/a.css"]),
            ("a/*", &["a/b", "a/"], &["a", "a/b/c", "x/a/b"]),
            ("a/**", &["a/b", "a/b/c"], &["a", "ab", "x/a/b"]),
            ("a/**/", &["a/b", "a/b/c"], &["a"]),
            ("**/b", &["b", "a/b", "a/c/b"], &["ab", "a/ab", "b/a"]),
            (
                "a/**/b",
                &["a/b", "a/x/b", "a/x/y/b"],
                &["ab", "a/xb", "x/a/b"],
            ),
            ("a/**/**/b", &["a/b", "a/x/b"], &["a/xb"]),
            ("/**", &["a", "a/b", ""], &[]),
            ("a**b", &["ab", "axb", "x/ab"], &["a", "ba"]),
            ("/a**b", &["ab", "a/x/b"], &["x/ab"]),
            ("?", &["a", "x/b"], &["", "ab"]),
            ("/a?b", &["axb"], &["a/b", "ab"]),
            ("[ab]", &["a", "b"], &["c", "ab"]),
            ("[a-c]", &["b"], &["d"]),
            ("[!a-c]", &["d"], &["b"]),
            ("[^a]", &["d"], &["a"]),
            ("/a[!x]b", &["ayb"], &["a/b"]),
            ("[]]", &["]"], &["a"]),
            ("[a-]", &["a", "-"], &["b"]),
            (r"\*", &["*"], &["a"]),
            (r"\[a]", &["[a]"], &["a"]),
            ("*.bak", &["a.bak"], &["a.BAK"]),
            ("/secret/", &["secret"], &["a/secret"]),
            ("é?", &["éa"], &["é"]),
        ];
        for (pattern, matched, others) in table {
            for path in *matched {
                assert!(matches(pattern, path), "{pattern} {path}");
            }
            for path in *others {
                assert!(!matches(pattern, path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn what_lies_in_a_folder_is_covered_with_it() {
        let covers = |pattern: &str, path: &str| {
            let glob: Glob = pattern.parse().unwrap();
            glob.covers(path.as_bytes())
        };
        assert!(covers("private", "private/a/b"));
        assert!(covers("private", "a/private/b"));
        assert!(covers("/a/b", "a/b/c"));
        assert!(!covers("/a/b", "a/bc"));
        assert!(covers("*.key", "x/a.key"));
        assert!(!covers("*.key", "x/a.keys"));
        // Begun anew for each of its folders, this would take minutes.
        let deep = "a/".repeat(256 * 1024);
        assert!(!covers("/a/**/b", &deep));
        assert!(covers("/a/**/b", &format!("{deep}b/c")));
        assert!(!covers("b", &deep));
    }

    #[test]
    fn a_folder_is_matched_by_what_is_asked_for() {
        let table = [
            ("/a", "a", true),
            ("/a/", "a", true),
            ("/a/*", "a", true),
            ("/a/**", "a", true),
            ("/a/?", "a", false),
            ("/a/b", "a", false),
            ("/a/*", "a/b", true),
            ("/a/*/*", "a/b", true),
            ("/a/*", "a/b/c", false),
            ("/a/**", "a/b/c", true),
            ("b", "a/b", true),
            ("*", "a/b", true),
            ("*.css", "a", false),
            ("/*", ".", true),
            ("/**", ".", true),
            ("*", ".", true),
            ("?", ".", false),
            (".", ".", false),
            ("/a/**", ".", false),
        ];
        for (pattern, path, expected) in table {
            let glob: Glob = pattern.parse().unwrap();
            let matches = glob.matches_folder(path.as_bytes());
            assert_eq!(matches, expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        let long = "a".repeat(GLOB_BYTES);
        assert!(long.parse::<Glob>().is_ok());
        let longer = format!("{long}a");
        let table = [
            ("", GlobError::Empty),
            ("/", GlobError::Empty),
            ("[a", GlobError::Unclosed),
            ("[", GlobError::Unclosed),
            ("[]", GlobError::Unclosed),
            (r"a\", GlobError::Escape),
            (&longer, GlobError::TooLong),
        ];
        for (pattern, error) in table {
            assert_eq!(pattern.parse::<Glob>(), Err(error), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_matches_itself_alone(name in "[a-z/]{1,8}", other in "[a-z/]{1,8}") {
            let glob: Result<Glob, _> = format!("/{name}").parse();
            if let Ok(glob) = glob {
                let literal = name.trim_matches('/');
                prop_assert!(glob.matches(literal.as_bytes()));
                prop_assert_eq!(glob.matches(other.as_bytes()), other == literal);
            }
        }

        #[test]
        fn what_is_covered_is_matched_or_lies_in_what_is(
            pattern in r"[\]a*?\[!\\/-]{0,12}",
            path in r"[ab/\]-]{0,12}",
        ) {
            if let Ok(glob) = pattern.parse::<Glob>() {
                let path = path.as_bytes();
                let mut ends = memchr::memchr_iter(b'/', path).chain([path.len()]);
                prop_assert_eq!(glob.covers(path), ends.any(|end| glob.matches(&path[..end])));
            }
        }
    }
}
