//! The normal form of a path, in which routes and requests meet. It resolves no dot segments.
//!
//! RFC 3986 §6.2.2.2: `/caf%C3%A9` and `/%63af%c3%a9` name what a person writes as `/café`. The
//! normal form decodes everything that decodes to text, except the two characters that would then
//! mean something else: `%2F`, which must never split a segment, and `%25`, which must never
//! begin an encoding that was not there. Octets that are not UTF-8 stay encoded too, so that
//! a file whose name is not text can still be asked for.

use std::borrow::Cow;
use std::fmt::Write;

/// The normal form of the percent-encoded `path`; the same text when nothing in it is encoded.
#[inline]
pub(crate) fn normal(path: &str) -> Cow<'_, str> {
    match memchr::memchr(b'%', path.as_bytes()) {
        None => Cow::Borrowed(path),
        Some(_) => Cow::Owned(decode(path.as_bytes())),
    }
}

/// What [`normal`] made of a path; `None` where that is the path itself.
#[inline]
pub(crate) fn if_other(normal: Cow<'_, str>) -> Option<Box<str>> {
    match normal {
        Cow::Borrowed(_) => None,
        Cow::Owned(path) => Some(path.into_boxed_str()),
    }
}

/// Whether a part of a path in normal form stands for text.
pub(crate) fn is_text(part: &str) -> bool {
    percent_encoding::percent_decode_str(part)
        .decode_utf8()
        .is_ok()
}

/// The text that a part of a path in normal form stands for, with U+FFFD for what is not text.
pub(crate) fn text(part: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy()
}

fn decode(path: &[u8]) -> String {
    let mut octets = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, tail @ ..] = rest {
        match triplet(rest) {
            Some(octet) => {
                match octet {
                    b'/' => octets.extend_from_slice(b"%2F"),
                    b'%' => octets.extend_from_slice(b"%25"),
                    _ => octets.push(octet),
                }
                rest = &rest[3..];
            }
            None => {
                match first {
                    // The head parser refuses a `%` without digits; in a template it is itself.
                    b'%' => octets.extend_from_slice(b"%25"),
                    _ => octets.push(*first),
                }
                rest = tail;
            }
        }
    }
    let mut normal = String::with_capacity(path.len());
    for chunk in octets.utf8_chunks() {
        normal.push_str(chunk.valid());
        for octet in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(normal, "%{octet:02X}");
        }
    }
    normal
}

/// RFC 3986 §2.1: the octet that `%` and two hexadecimal digits at the start of `octets` encode.
fn triplet(octets: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = octets else {
        return None;
    };
    let digit = |octet: u8| char::from(octet).to_digit(16);
    Some((digit(*high)? * 16 + digit(*low)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_their_normal_forms() {
        let cases = [
            ("/", "/"),
            ("/plain/text", "/plain/text"),
            ("/%70lain", "/plain"),
            ("/caf%C3%A9", "/café"),
            ("/caf%c3%a9", "/café"),
            ("/a%20b", "/a b"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2fb", "/a%2Fb"),
            ("/100%25", "/100%25"),
            ("/%252F", "/%252F"),
            ("/%FF", "/%FF"),
            ("/%c3", "/%C3"),
            ("/%C3%A9%ff", "/é%FF"),
            ("/%00", "/\0"),
            ("/%", "/%25"),
            ("/%g0", "/%25g0"),
            ("/%4", "/%254"),
        ];
        for (path, expected) in cases {
            assert_eq!(normal(path), expected, "{path}");
            assert_eq!(normal(&normal(path)), expected, "{path}, twice");
        }
    }

    #[test]
    fn parts_and_their_text() {
        let cases = [
            ("abc", "abc", true),
            ("é", "é", true),
            ("a%2Fb", "a/b", true),
            ("100%25", "100%", true),
            ("%252F", "%2F", true),
            ("a%FF", "a\u{fffd}", false),
        ];
        for (part, expected, is_all) in cases {
            assert_eq!(text(part), expected);
            assert_eq!(is_text(part), is_all, "{part}");
        }
    }
}
