//! The classes of differences from hyper, which reads targets by the `http` crate's `Uri`.

use super::*;
use crate::seen::trim;

/// How hyper differs.
pub(crate) const HYPER: &[Class] = &[
    BARE_LF,
    Class {
        name: "empty lines",
        kind: Kind::OursRefuses,
        why: "RFC 9112 §2.2: at least one empty line is to be ignored, and not more",
        is: |seen| seen.empty_lines > 1,
    },
    NO_HOST,
    Class {
        name: "two Hosts",
        kind: Kind::OursRefuses,
        why: "RFC 9112 §3.2: 400 to a request with more than one Host field line",
        is: |seen| seen.values("host").count() > 1,
    },
    INVALID_HOST,
    TARGET_FORM,
    TARGET_SCHEME,
    TARGET_AUTHORITY,
    TARGET_OCTETS,
    LENGTH_AND_CODING,
    Class {
        name: "codings beside chunked",
        kind: Kind::OursRefuses,
        why: "RFC 9112 §6.1: 501 to an unknown coding; §6.3: 400 where chunked is not final",
        is: |seen| {
            !matches!(&seen.codings()[..], [] | [_])
                || seen
                    .codings()
                    .iter()
                    .any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
        },
    },
    EXPECTATION,
    CHUNK_LINE,
    CHUNK_LINE_LENGTH,
    TRAILER,
    Class {
        name: "percent-encoded host",
        kind: Kind::TheirsRefuses,
        why: "RFC 3986 §3.2.2: a reg-name may have percent-encodings",
        is: |seen| authority(seen).contains(&b'%'),
    },
    Class {
        name: "colons in a host",
        kind: Kind::TheirsRefuses,
        why: "RFC 3986 §3.2.2: an IPvFuture may have any number of colons",
        is: |seen| {
            let literal = authority(seen).split(|&octet| octet == b']').next();
            literal
                .is_some_and(|literal| literal.iter().filter(|&&octet| octet == b':').count() > 8)
        },
    },
    Class {
        name: "many trailers",
        kind: Kind::TheirsRefuses,
        why: "RFC 9112 §7.1.2: trailers may be discarded, so only their bytes need a limit",
        // The empty line is among them.
        is: |seen| seen.trailers.len() > 101,
    },
    Class {
        name: "Connection with obs-text",
        kind: Kind::Persistence,
        why: "RFC 9112 §9.3: with the option close the connection does not persist",
        is: |seen| {
            let has_option = |list: &[u8]| {
                let mut options = list.split(|&octet| octet == b',').map(trim);
                options.any(|option| {
                    option.eq_ignore_ascii_case(b"close")
                        || option.eq_ignore_ascii_case(b"keep-alive")
                })
            };
            seen.values("connection")
                .any(|list| !list.is_ascii() && has_option(list))
        },
    },
    Class {
        name: "higher minor version",
        kind: Kind::TheirsRefuses,
        why: "RFC 9110 §2.5: it is to be read as the highest minor version implemented",
        is: is_higher_minor,
    },
];

/// The authority that the target names; empty where it names no valid one.
fn authority<'a>(seen: &Seen<'a>) -> &'a [u8] {
    let authority = match absolute(seen.target) {
        _ if seen.method == b"CONNECT" => seen.target,
        Some((_, rest)) if !seen.target.starts_with(b"/") => &rest[..authority_len(rest)],
        _ => b"",
    };
    match grammar::is_authority(authority) {
        true => authority,
        false => b"",
    }
}
