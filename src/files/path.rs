//! From a request path to a path below the root folder, or a refusal. It is pure: it never asks
//! the file system, and the last word on staying below the root is the kernel's, by `openat2` with
//! `RESOLVE_BENEATH`.
//!
//! Each file has exactly one path here. RFC 3986 §3.3 lets a path hold dot segments and empty
//! segments; a client resolves the former (§5.2.4) before it sends, and nothing merges the latter.
//! So the grammar gives no ground for 400, no file has such a name, and the answer is 404. Merging
//! or resolving them here would give one file many names, of which caches and filters in front of
//! the server know only one.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;

use crate::limits;

/// What a request path names below the root. Paths are relative, decoded once, as `openat2` takes
/// them: no empty, `.` or `..` segment, and never a leading slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    /// The path ends without a slash. A folder may turn out to lie there: then answer with
    /// [`directory_location`].
    File {
        /// The path of the file, never empty.
        relative: CString,
    },
    /// The path ends with a slash: a folder, of which the index is served.
    Directory {
        /// The path of the folder without its last slash; `.` for the root itself.
        relative: CString,
    },
}

/// Why a request path names nothing that can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    /// Answer 400: a percent sign without two hexadecimal digits (RFC 3986 §2.1), an encoded NUL,
    /// or a path that does not begin with a slash (RFC 9112 §3.2.1).
    #[error("the request path is malformed")]
    Malformed,
    /// Answer 404: no file can have that name.
    #[error("the request path names no file")]
    NotFound,
}

/// Decodes `path`, the raw path of a request target without its query, and checks each segment.
///
/// Bytes need not be UTF-8. A decoded slash stays part of its segment (RFC 3986 §2.2: it is data
/// there), and so names nothing.
///
/// # Errors
/// [`PathRefusal::Malformed`] wherever in the path the fault lies, else [`PathRefusal::NotFound`].
/// Paths beyond [`limits::PATH_BYTES`] and names beyond [`limits::NAME_BYTES`] are not found.
pub fn locate(path: &[u8]) -> Result<Located, PathRefusal> {
    let Some((b'/', rest)) = path.split_first() else {
        return Err(PathRefusal::Malformed);
    };
    let mut relative = Vec::with_capacity(rest.len() + 1);
    // Malformed wins over not found, so the whole path is decoded before the verdict on names.
    let mut found = true;
    let mut segments = rest.split(|&byte| byte == b'/').peekable();
    let mut directory = false;
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_none() {
            directory = true;
            break;
        }
        if !relative.is_empty() {
            relative.push(b'/');
        }
        let start = relative.len();
        decode_onto(segment, &mut relative)?;
        found &= is_name(&relative[start..]);
    }
    if !found || relative.len() > limits::PATH_BYTES {
        return Err(PathRefusal::NotFound);
    }
    if relative.is_empty() {
        relative.push(b'.');
    }
    let relative = CString::new(relative).map_err(|_| PathRefusal::Malformed)?;
    Ok(if directory {
        Located::Directory { relative }
    } else {
        Located::File { relative }
    })
}

/// The path that `name` is, which a program gives: decoded already, and of a file. `None` if no file can
/// have that name, as for [`locate`].
pub fn locate_named(name: &[u8]) -> Option<CString> {
    let is_found =
        name.len() <= limits::PATH_BYTES && name.split(|&byte| byte == b'/').all(is_name);
    if is_found {
        CString::new(name).ok()
    } else {
        None
    }
}

/// The `Location` for a request whose path, without a last slash, named the folder `relative`: the
/// same path with the slash, and the query as it came, if there was one.
///
/// The result is visible ASCII, and begins with exactly one slash, so that it can neither lead to
/// another host (RFC 3986 §4.2: `//` begins an authority) nor end the header line.
pub fn directory_location(relative: &CStr, query: Option<&[u8]>) -> String {
    let path = relative.to_bytes();
    let mut location = String::with_capacity(path.len() + query.map_or(0, <[u8]>::len) + 3);
    encode_segments_onto(path, &mut location);
    location.push('/');
    if let Some(query) = query {
        query_onto(query, &mut location);
    }
    location
}

/// Adds the request path of `located`, as [`locate`] takes it. It is visible ASCII, begins with a slash and
/// has no other before a name.
pub(super) fn located_onto(located: &Located, out: &mut String) {
    match located {
        Located::File { relative } => encode_segments_onto(relative.to_bytes(), out),
        Located::Directory { relative } => {
            if relative.as_c_str() != c"." {
                encode_segments_onto(relative.to_bytes(), out);
            }
            out.push('/');
        }
    }
}

/// Adds `query` with its question mark, as it came, but for what is no part of a URI.
pub(super) fn query_onto(query: &[u8], out: &mut String) {
    out.push('?');
    encode_onto(query, is_query_byte, out);
}

/// Whether `text` is a path, a query or a fragment of a URI as it stands (RFC 3986 §3.3 to §3.5).
pub(super) fn is_encoded(text: &[u8]) -> bool {
    let mut decoded = Vec::with_capacity(text.len());
    text.iter().all(|&byte| is_query_byte(byte)) && decode_onto(text, &mut decoded).is_ok()
}

/// A link to `name` from the listing of the folder that it lies in, with a slash behind a folder. Its
/// beginning keeps a colon in the name from being read as the end of a scheme (RFC 3986 §4.2).
pub(super) fn segment_href(name: &[u8], is_folder: bool) -> String {
    let mut href = String::with_capacity(name.len() + 3);
    href.push_str("./");
    encode_onto(name, is_pchar, &mut href);
    if is_folder {
        href.push('/');
    }
    href
}

/// What `path`, a part of a request path, decodes to; what cannot be decoded stays as it is.
pub(super) fn decode_lossy(path: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(path).collect()
}

/// Whether a decoded segment may name something. The empty one may not, nor may the dot segments and
/// one with a slash, which would name something in another folder.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let is_plain = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    is_plain && name.len() <= limits::NAME_BYTES
}

/// Decodes exactly once: `%2541` is the name `%41`.
fn decode_onto(segment: &[u8], out: &mut Vec<u8>) -> Result<(), PathRefusal> {
    let mut bytes = segment.iter();
    while let Some(&byte) = bytes.next() {
        let decoded = if byte == b'%' {
            let high = bytes.next().and_then(|&digit| hex(digit));
            let low = bytes.next().and_then(|&digit| hex(digit));
            let (Some(high), Some(low)) = (high, low) else {
                return Err(PathRefusal::Malformed);
            };
            high << 4 | low
        } else {
            byte
        };
        if decoded == 0 {
            return Err(PathRefusal::Malformed);
        }
        out.push(decoded);
    }
    Ok(())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// `locate` gives no empty segment; none is written for any other caller either.
fn encode_segments_onto(path: &[u8], out: &mut String) {
    for segment in path.split(|&byte| byte == b'/').filter(|s| !s.is_empty()) {
        out.push('/');
        encode_onto(segment, is_pchar, out);
    }
}

fn encode_onto(bytes: &[u8], literal: fn(u8) -> bool, out: &mut String) {
    for &byte in bytes {
        if literal(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// RFC 3986 §3.3: pchar, but for the percent sign, which begins an escape.
fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// RFC 3986 §3.4, with the percent sign: escapes stay as they came.
fn is_query_byte(byte: u8) -> bool {
    is_pchar(byte) || b"/?%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(relative: &[u8]) -> Result<Located, PathRefusal> {
        let relative = CString::new(relative).unwrap();
        Ok(Located::File { relative })
    }

    fn directory(relative: &[u8]) -> Result<Located, PathRefusal> {
        let relative = CString::new(relative).unwrap();
        Ok(Located::Directory { relative })
    }

    const BAD: Result<Located, PathRefusal> = Err(PathRefusal::Malformed);
    const NONE: Result<Located, PathRefusal> = Err(PathRefusal::NotFound);

    #[test]
    fn a_path_names_one_thing_or_nothing() {
        let table: &[(&[u8], Result<Located, PathRefusal>)] = &[
            (b"/", directory(b".")),
            (b"/a", file(b"a")),
            (b"/a/", directory(b"a")),
            (b"/a/b.txt", file(b"a/b.txt")),
            (b"/a/b/", directory(b"a/b")),
            (b"/a%20b", file(b"a b")),
            (b"/%61", file(b"a")),
            (b"/%c3%A9", file("é".as_bytes())),
            (b"/%ff\xfe", file(b"\xff\xfe")),
            (b"/a+b", file(b"a+b")),
            (b"/a\\..\\b", file(b"a\\..\\b")),
            (b"/%5c", file(b"\\")),
            (b"/%0d%0a", file(b"\r\n")),
            (b"/a.", file(b"a.")),
            (b"/a..b", file(b"a..b")),
            (b"/~a", file(b"~a")),
            (b"/C:", file(b"C:")),
            // Decoded once.
            (b"/%2541", file(b"%41")),
            (b"/%252e%252e/", directory(b"%2e%2e")),
            (b"/%2500", file(b"%00")),
            // Not a request path, or not decodable.
            (b"", BAD),
            (b"a", BAD),
            (b"*", BAD),
            (b"/%", BAD),
            (b"/%4", BAD),
            (b"/%4/1", BAD),
            (b"/%zz", BAD),
            (b"/%+1", BAD),
            (b"/a%00.txt", BAD),
            (b"/a\0", BAD),
            (b"/../%", BAD),
            // Dot segments, plain and encoded (RFC 3986 §6.2.2.2: the same).
            (b"/.", NONE),
            (b"/..", NONE),
            (b"/./", NONE),
            (b"/../", NONE),
            (b"/a/../b", NONE),
            (b"/a/./b", NONE),
            (b"/%2e%2e/etc/passwd", NONE),
            (b"/.%2E/etc/passwd", NONE),
            // Empty segments.
            (b"//", NONE),
            (b"//a", NONE),
            (b"/a//b", NONE),
            (b"/a//", NONE),
            // An encoded slash is no separator.
            (b"/a%2Fb", NONE),
            (b"/..%2f..%2fetc", NONE),
            (b"/%2F", NONE),
            // Names that begin with dots are names.
            (b"/.git/config", file(b".git/config")),
            (b"/%2eenv", file(b".env")),
            (b"/...", file(b"...")),
            (b"/.well-known/", directory(b".well-known")),
        ];
        for (path, expected) in table {
            assert_eq!(&locate(path), expected, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn names_and_paths_have_a_longest_length() {
        let name = |bytes: usize| format!("/{}", "n".repeat(bytes));
        assert!(locate(name(limits::NAME_BYTES).as_bytes()).is_ok());
        assert_eq!(locate(name(limits::NAME_BYTES + 1).as_bytes()), NONE);

        // Names of one byte and their slashes: 2n − 1 bytes once the first slash is gone.
        let path = "/n".repeat(limits::PATH_BYTES.div_ceil(2));
        assert_eq!(path.len() - 1, limits::PATH_BYTES);
        assert!(locate(path.as_bytes()).is_ok());
        assert!(locate(format!("{path}/").as_bytes()).is_ok());
        assert_eq!(locate(format!("{path}n").as_bytes()), NONE);
    }

    #[test]
    fn a_name_is_taken_as_it_is_or_not_at_all() {
        let table: &[(&[u8], bool)] = &[
            (b"a", true),
            (b"a/b.txt", true),
            (b"a b%41+?#", true),
            (b"%2e%2e", true),
            (b"\xff\n\\", true),
            (b".env", true),
            (b"...", true),
            (b"", false),
            (b".", false),
            (b"..", false),
            (b"/", false),
            (b"/a", false),
            (b"a/", false),
            (b"a//b", false),
            (b"./a", false),
            (b"a/.", false),
            (b"a/../b", false),
            (b"../a", false),
            (b"a/..", false),
            (b"a\0", false),
            (b"a\0/b", false),
        ];
        for (name, is_found) in table {
            let expected = is_found.then(|| CString::new(*name).unwrap());
            assert_eq!(locate_named(name), expected, "{}", name.escape_ascii());
        }
        let name = |bytes: usize| "n".repeat(bytes);
        assert!(locate_named(name(limits::NAME_BYTES).as_bytes()).is_some());
        assert!(locate_named(name(limits::NAME_BYTES + 1).as_bytes()).is_none());
        let path = "n/".repeat(limits::PATH_BYTES / 2) + "n";
        assert_eq!(path.len(), limits::PATH_BYTES);
        assert!(locate_named(path.as_bytes()).is_some());
        assert!(locate_named(format!("{path}n").as_bytes()).is_none());
    }

    #[test]
    fn a_redirect_keeps_the_query_and_the_host() {
        type Bytes = &'static [u8];
        let table: &[(Bytes, Option<Bytes>, &str)] = &[
            (b"a", None, "/a/"),
            (b"a/b", Some(b"x=1&y=%20"), "/a/b/?x=1&y=%20"),
            (b"a", Some(b""), "/a/?"),
            (b"a b", None, "/a%20b/"),
            (b"100%", None, "/100%25/"),
            (b"a?b#c", None, "/a%3Fb%23c/"),
            (b"\xff\r\nX: y", None, "/%FF%0D%0AX:%20y/"),
            // A browser takes a backslash for a slash.
            (b"\\evil.example", None, "/%5Cevil.example/"),
            (b"/evil.example", None, "/evil.example/"),
            (b"//evil.example", None, "/evil.example/"),
            (
                b"a",
                Some(b"\r\nSet-Cookie: x"),
                "/a/?%0D%0ASet-Cookie:%20x",
            ),
            (b"a", Some(b"/?\"<\xe9>#"), "/a/?/?%22%3C%E9%3E%23"),
        ];
        for (relative, query, expected) in table {
            let relative = CString::new(*relative).unwrap();
            assert_eq!(&directory_location(&relative, *query), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_located_stays_below_the_root(path in "/([a.%/~ 2eEfF0]|\\PC){0,24}") {
            if let Ok(Located::File { relative } | Located::Directory { relative }) =
                locate(path.as_bytes())
            {
                let bytes = relative.to_bytes();
                prop_assert!(!bytes.is_empty() && bytes[0] != b'/');
                for name in bytes.split(|&byte| byte == b'/') {
                    prop_assert!(bytes == b"." || !name.is_empty());
                    prop_assert!(name != b".." && (bytes == b"." || name != b"."));
                }
            }
        }

        #[test]
        fn a_redirect_leads_to_the_same_folder(
            names in prop::collection::vec("[^./\0][^/\0]{0,8}", 1..4),
            query in prop::option::of(prop::collection::vec(any::<u8>(), 0..12)),
        ) {
            let relative = CString::new(names.join("/")).unwrap();
            let location = directory_location(&relative, query.as_deref());
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!location.starts_with("//"));
            let path = location.split('?').next().unwrap_or_default();
            prop_assert_eq!(locate(path.as_bytes()), Ok(Located::Directory { relative }));
        }
    }
}
