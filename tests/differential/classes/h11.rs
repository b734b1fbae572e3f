//! The classes of differences from h11, which looks into no target, Host or chunk extension.

use super::*;
use crate::seen::trim;

/// How h11 differs.
pub(crate) const H11: &[Class] = &[
    BARE_LF,
    NO_HOST,
    INVALID_HOST,
    TARGET_FORM,
    TARGET_SCHEME,
    TARGET_AUTHORITY,
    TARGET_OCTETS,
    LENGTH_AND_CODING,
    EXPECTATION,
    CHUNK_LINE,
    CHUNK_LINE_LENGTH,
    TRAILER,
    Class {
        name: "line folding",
        kind: Kind::OursRefuses,
        why: "RFC 9112 §5.2: a server rejects obs-fold, or replaces it by spaces",
        is: |seen| {
            seen.fields
                .iter()
                .any(|(name, _)| name.starts_with(b" ") || name.starts_with(b"\t"))
        },
    },
    Class {
        name: "control in a field value",
        kind: Kind::OursRefuses,
        why: "RFC 9110 §5.5: it makes the value invalid, though it may be retained",
        is: |seen| {
            seen.fields
                .iter()
                .any(|(_, value)| value.iter().any(grammar::is_control))
        },
    },
    Class {
        name: "list of lengths",
        kind: Kind::OursRefuses,
        why: "RFC 9110 §8.6: a list of equal lengths in one field may be rejected as invalid",
        is: |seen| {
            seen.values("content-length")
                .any(|value| value.contains(&b','))
        },
    },
    Class {
        name: "coding in HTTP/1.0",
        kind: Kind::OursRefuses,
        why: "RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0 is faulty framing",
        is: |seen| seen.is_http_10() && seen.has("transfer-encoding"),
    },
    Class {
        name: "major version",
        kind: Kind::OursRefuses,
        why: "RFC 9110 §15.6.6: 505 to a major version that the server does not speak",
        is: |seen| {
            seen.version
                .strip_prefix(b"HTTP/")
                .is_some_and(|version| !version.starts_with(b"1."))
        },
    },
    Class {
        name: "many fields",
        kind: Kind::OursRefuses,
        why: "RFC 6585 §5: a server may refuse more fields than it is willing to process",
        is: |seen| seen.fields.len() > corelane::limits::FIELD_LINES,
    },
    Class {
        name: "empty line",
        kind: Kind::TheirsRefuses,
        why: "RFC 9112 §2.2: a server should ignore at least one empty line",
        is: |seen| seen.empty_lines > 0,
    },
    Class {
        name: "white space in a chunk line",
        kind: Kind::TheirsRefuses,
        why: "RFC 9110 §5.6.3: bad white space (RFC 9112 §7.1.1 has it there) is to be removed",
        is: |seen| {
            let is_spaced = |line: &&[u8]| {
                let rest = &line[grammar::hex_digits(line)..];
                matches!(rest, [b' ' | b'\t', ..]) && rest.contains(&b';')
            };
            seen.chunk_lines.iter().any(is_spaced)
        },
    },
    Class {
        name: "zeros before a number",
        kind: Kind::TheirsRefuses,
        why: "RFC 9110 §8.6 and RFC 9112 §7.1: 1*DIGIT and 1*HEXDIG, of any length",
        is: |seen| {
            let mut lengths = seen.values("content-length");
            let mut lines = seen.chunk_lines.iter();
            lengths.any(|length| length.len() > 20)
                || lines.any(|line| grammar::hex_digits(line) > 20)
        },
    },
    Class {
        name: "framing in a trailer",
        kind: Kind::TheirsRefuses,
        why: "RFC 9112 §7.1.2: trailers may be discarded, and frame nothing",
        is: |seen| {
            let named = |name: &str| -> Vec<&[u8]> {
                let fields = seen
                    .trailers
                    .iter()
                    .map(|line| split_field(without_end(line)));
                let same = fields.filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
                same.map(|field| field.1).collect()
            };
            let lengths = named("content-length");
            let mut lengths = lengths
                .iter()
                .flat_map(|list| list.split(|&octet| octet == b','));
            let first = lengths.next().map(trim);
            let is_length = |length: &[u8]| {
                !length.is_empty() && length.len() <= 20 && length.iter().all(u8::is_ascii_digit)
            };
            let is_coding = match named("transfer-encoding")[..] {
                [] => true,
                [coding] => coding.eq_ignore_ascii_case(b"chunked"),
                _ => false,
            };
            !is_coding
                || !first.is_none_or(is_length)
                || lengths.any(|length| Some(trim(length)) != first)
        },
    },
    Class {
        name: "a length written in two ways",
        kind: Kind::TheirsRefuses,
        why: "RFC 9110 §8.6: lengths of the same decimal value may be taken for one",
        is: |seen| {
            let lengths = seen.members("content-length");
            lengths.iter().any(|length| *length != lengths[0])
        },
    },
    Class {
        name: "higher minor version",
        kind: Kind::Version,
        why: "RFC 9110 §2.5: it is to be read as the highest minor version implemented",
        is: is_higher_minor,
    },
    Class {
        name: "keep-alive in HTTP/1.0",
        kind: Kind::Persistence,
        why: "RFC 9112 §9.3: a server may let the connection persist for whom asks so",
        is: |seen| {
            seen.is_http_10()
                && seen
                    .members("connection")
                    .iter()
                    .any(|option| option.eq_ignore_ascii_case(b"keep-alive"))
        },
    },
];
