//! Why another parser may read a message differently: every reason that is known, each told by the
//! bytes, with the clause that lets ours be as it is.

use super::grammar;
use super::seen::{Seen, split_field, trim, without_end};

/// Who does not read a request, or what is different about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Ours refuses what the other reads.
    OursRefuses,
    /// The other refuses what ours reads.
    TheirsRefuses,
    /// Both read it, and nothing is different but its version.
    Version,
    /// Both read it, and nothing is different but whether the connection goes on.
    Persistence,
    /// Both read it, and something else is different. No class is so.
    Content,
}

/// A known kind of difference.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    /// The clause by which ours is right, or may be so.
    pub(crate) why: &'static str,
    /// Whether a request is of this kind. Where one side refuses, it refuses every one that is.
    pub(crate) is: fn(&Seen<'_>) -> bool,
}

/// How hyper differs.
pub(crate) const HYPER: &[Class] = &[
    BARE_LF,
    Class {
        name: "empty lines",
        side: Side::OursRefuses,
        why: "RFC 9112 §2.2: at least one empty line before the request line is to be ignored; more is not asked for",
        is: |seen| seen.empty_lines > 1,
    },
    NO_HOST,
    TWO_HOSTS,
    INVALID_HOST,
    TARGET_FORM,
    TARGET_SCHEME,
    TARGET_AUTHORITY,
    TARGET_OCTETS,
    LENGTH_AND_CODING,
    CODING,
    EXPECTATION,
    CHUNK_LINE,
    CHUNK_LINE_LENGTH,
    TRAILER,
    Class {
        name: "percent-encoded host",
        side: Side::TheirsRefuses,
        why: "RFC 3986 §3.2.2: a reg-name may have percent-encodings",
        is: |seen| authority(seen).contains(&b'%'),
    },
    Class {
        name: "colons in a host",
        side: Side::TheirsRefuses,
        why: "RFC 3986 §3.2.2: an IPvFuture may have any number of colons",
        is: |seen| {
            let literal = authority(seen).split(|&octet| octet == b']').next();
            literal
                .is_some_and(|literal| literal.iter().filter(|&&octet| octet == b':').count() > 8)
        },
    },
    Class {
        name: "many trailers",
        side: Side::TheirsRefuses,
        why: "RFC 9110 §5.4: no limit is set on a section, and ours is one of bytes; the trailers are discarded (§6.5.1)",
        // The empty line is among them.
        is: |seen| seen.trailers.len() > 101,
    },
    Class {
        name: "Connection with obs-text",
        side: Side::Persistence,
        why: "RFC 9110 §5.5: obs-text is opaque, so it says nothing about the options beside it",
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
        side: Side::TheirsRefuses,
        why: "RFC 9110 §2.5: a higher minor version is read as the highest one that the recipient implements",
        is: is_higher_minor,
    },
];

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
        side: Side::OursRefuses,
        why: "RFC 9112 §5.2: a server rejects obs-fold, or replaces it by spaces",
        is: |seen| {
            seen.fields
                .iter()
                .any(|(name, _)| name.starts_with(b" ") || name.starts_with(b"\t"))
        },
    },
    Class {
        name: "control in a field value",
        side: Side::OursRefuses,
        why: "RFC 9110 §5.5: CTL characters in a value are invalid; to retain them is allowed where that is safe",
        is: |seen| {
            seen.fields
                .iter()
                .any(|(_, value)| value.iter().any(grammar::is_control))
        },
    },
    Class {
        name: "list of lengths",
        side: Side::OursRefuses,
        why: "RFC 9110 §8.6: a list of equal lengths in one field may be rejected as invalid",
        is: |seen| {
            seen.values("content-length")
                .any(|value| value.contains(&b','))
        },
    },
    Class {
        name: "coding in HTTP/1.0",
        side: Side::OursRefuses,
        why: "RFC 9112 §6.1: the framing of an HTTP/1.0 message with Transfer-Encoding is faulty",
        is: |seen| seen.is_http_10() && seen.has("transfer-encoding"),
    },
    Class {
        name: "major version",
        side: Side::OursRefuses,
        why: "RFC 9110 §15.6.6: 505 to a major version that the server does not speak",
        is: |seen| {
            seen.version
                .strip_prefix(b"HTTP/")
                .is_some_and(|version| !version.starts_with(b"1."))
        },
    },
    Class {
        name: "many fields",
        side: Side::OursRefuses,
        why: "RFC 6585 §5: a server may refuse more fields than it is willing to process",
        is: |seen| seen.fields.len() > corelane::limits::FIELD_LINES,
    },
    Class {
        name: "empty line",
        side: Side::TheirsRefuses,
        why: "RFC 9112 §2.2: a server should ignore at least one empty line before the request line",
        is: |seen| seen.empty_lines > 0,
    },
    Class {
        name: "white space in a chunk line",
        side: Side::TheirsRefuses,
        why: "RFC 9112 §7.1.1: a recipient must remove the white space (BWS) before the semicolon",
        is: |seen| {
            let digits = |line: &[u8]| {
                line.iter()
                    .take_while(|octet| octet.is_ascii_hexdigit())
                    .count()
            };
            let is_spaced = |line: &&[u8]| {
                matches!(line[digits(line)..], [b' ' | b'\t', ..]) && line.contains(&b';')
            };
            seen.chunk_lines.iter().any(is_spaced)
        },
    },
    Class {
        name: "zeros before a number",
        side: Side::TheirsRefuses,
        why: "RFC 9110 §8.6 and RFC 9112 §7.1: 1*DIGIT and 1*HEXDIG, of any length",
        is: |seen| {
            let digits = |line: &&[u8]| {
                line.iter()
                    .take_while(|octet| octet.is_ascii_hexdigit())
                    .count()
                    > 20
            };
            seen.values("content-length").any(|value| value.len() > 20)
                || seen.chunk_lines.iter().any(digits)
        },
    },
    Class {
        name: "framing in a trailer",
        side: Side::TheirsRefuses,
        why: "RFC 9110 §6.5.1: trailer fields may be discarded, and those that frame a message are not merged",
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
        side: Side::TheirsRefuses,
        why: "RFC 9110 §8.6: fields of the same decimal value may be taken for one, and zeros do not change it",
        is: |seen| {
            let lengths = seen.members("content-length");
            lengths.iter().any(|length| *length != lengths[0])
        },
    },
    Class {
        name: "higher minor version",
        side: Side::Version,
        why: "RFC 9110 §2.5: a higher minor version is read as the highest one that the recipient implements",
        is: is_higher_minor,
    },
    Class {
        name: "keep-alive in HTTP/1.0",
        side: Side::Persistence,
        why: "RFC 9112 §9.3: a server may let the connection of an HTTP/1.0 client that asks so persist",
        is: |seen| {
            seen.is_http_10()
                && seen
                    .members("connection")
                    .iter()
                    .any(|option| option.eq_ignore_ascii_case(b"keep-alive"))
        },
    },
];

const BARE_LF: Class = Class {
    name: "bare LF",
    side: Side::OursRefuses,
    why: "RFC 9112 §2.2: a recipient may recognise a single LF as the end of a line, and need not",
    is: |seen| seen.lines.iter().any(|line| !line.ends_with(b"\r\n")),
};

const NO_HOST: Class = Class {
    name: "no Host",
    side: Side::OursRefuses,
    why: "RFC 9112 §3.2: 400 to an HTTP/1.1 request that lacks a Host field",
    is: |seen| !seen.is_http_10() && !seen.has("host"),
};

const TWO_HOSTS: Class = Class {
    name: "two Hosts",
    side: Side::OursRefuses,
    why: "RFC 9112 §3.2: 400 to a request with more than one Host field line",
    is: |seen| seen.values("host").count() > 1,
};

const INVALID_HOST: Class = Class {
    name: "invalid Host",
    side: Side::OursRefuses,
    why: "RFC 9112 §3.2: 400 to a request with an invalid Host; RFC 9110 §4.2.1: one without a host is invalid",
    is: |seen| seen.values("host").any(|host| !grammar::is_authority(host)),
};

const TARGET_FORM: Class = Class {
    name: "form of the target",
    side: Side::OursRefuses,
    why: "RFC 9112 §3.2: four forms; authority-form with CONNECT alone, asterisk-form with OPTIONS alone",
    is: |seen| {
        let is_server = seen.method == b"OPTIONS" && seen.target == b"*";
        seen.method != b"CONNECT"
            && !is_server
            && !seen.target.starts_with(b"/")
            && absolute(seen.target).is_none()
    },
};

const TARGET_SCHEME: Class = Class {
    name: "scheme of the target",
    side: Side::OursRefuses,
    why: "RFC 9110 §7.4: a server rejects requests for which it is not the origin, and https on an unsecured connection",
    is: |seen| {
        let is_foreign = |(scheme, _): (&[u8], &[u8])| !scheme.eq_ignore_ascii_case(b"http");
        seen.method != b"CONNECT"
            && !seen.target.starts_with(b"/")
            && absolute(seen.target).is_some_and(is_foreign)
    },
};

const TARGET_AUTHORITY: Class = Class {
    name: "authority of the target",
    side: Side::OursRefuses,
    why: "RFC 9110 §4.2.1 and §4.2.4: no empty host, no user information; §9.3.6: CONNECT to a valid port",
    is: |seen| match (seen.method, absolute(seen.target)) {
        (b"CONNECT", _) => {
            let colon = seen.target.iter().rposition(|&octet| octet == b':');
            let port = colon.and_then(|colon| grammar::port_number(&seen.target[colon + 1..]));
            port.is_none_or(|port| port == 0) || !grammar::is_authority(seen.target)
        }
        (_, Some((_, rest))) if !seen.target.starts_with(b"/") => {
            !grammar::is_authority(&rest[..authority_len(rest)])
        }
        _ => false,
    },
};

const TARGET_OCTETS: Class = Class {
    name: "octets of the target",
    side: Side::OursRefuses,
    why: "RFC 9112 §3.2: 400 to an invalid target; RFC 3986 §2 says which octets stand for themselves",
    is: |seen| {
        let path_and_query = match absolute(seen.target) {
            _ if seen.method == b"CONNECT" || seen.target == b"*" => return false,
            _ if seen.target.starts_with(b"/") => seen.target,
            Some((_, rest)) => &rest[authority_len(rest)..],
            None => return false,
        };
        let mut parts = path_and_query.splitn(2, |&octet| octet == b'?');
        !grammar::is_path(parts.next().unwrap_or_default())
            || !grammar::is_query(parts.next().unwrap_or_default())
    },
};

const LENGTH_AND_CODING: Class = Class {
    name: "length and coding",
    side: Side::OursRefuses,
    why: "RFC 9112 §6.1: a server may reject a request with both Content-Length and Transfer-Encoding",
    is: |seen| seen.has("content-length") && seen.has("transfer-encoding"),
};

const CODING: Class = Class {
    name: "codings beside chunked",
    side: Side::OursRefuses,
    why: "RFC 9112 §6.1: 501 to a coding that is not understood, and chunked is applied once; §6.3: 400 where it is not final",
    is: |seen| {
        !matches!(&seen.codings()[..], [] | [_])
            || seen
                .codings()
                .iter()
                .any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
    },
};

const EXPECTATION: Class = Class {
    name: "unknown expectation",
    side: Side::OursRefuses,
    why: "RFC 9110 §10.1.1: a server may answer 417 to an expectation other than 100-continue",
    is: |seen| {
        let is_unknown =
            |member: &&[u8]| !member.is_empty() && !member.eq_ignore_ascii_case(b"100-continue");
        !seen.is_http_10() && seen.members("expect").iter().any(is_unknown)
    },
};

const CHUNK_LINE: Class = Class {
    name: "syntax of a chunk line",
    side: Side::OursRefuses,
    why: "RFC 9112 §7.1 and §7.1.1: chunk-size [ chunk-ext ], and no white space at the end",
    is: |seen| {
        seen.chunk_lines
            .iter()
            .any(|line| !grammar::is_chunk_line(line))
    },
};

const CHUNK_LINE_LENGTH: Class = Class {
    name: "long chunk line",
    side: Side::OursRefuses,
    why: "RFC 9112 §7.1.1: a server ought to limit the total length of chunk extensions",
    is: |seen| {
        seen.chunk_lines
            .iter()
            .any(|line| line.len() + 2 > corelane::limits::CHUNK_LINE_BYTES)
    },
};

const TRAILER: Class = Class {
    name: "syntax of a trailer",
    side: Side::OursRefuses,
    why: "RFC 9112 §7.1.2: a trailer section is field lines, and what holds for them in a head holds here",
    is: |seen| {
        seen.trailers.iter().any(|line| {
            let content = without_end(line);
            let (name, value) = split_field(content);
            let is_field = content.contains(&b':')
                && grammar::is_token(name)
                && !value.iter().any(grammar::is_control);
            !line.ends_with(b"\r\n") || !(content.is_empty() || is_field)
        })
    },
};

fn is_higher_minor(seen: &Seen<'_>) -> bool {
    matches!(
        seen.version,
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9']
    )
}

/// The authority that the target names; empty where it names none.
fn authority<'a>(seen: &Seen<'a>) -> &'a [u8] {
    match absolute(seen.target) {
        _ if seen.method == b"CONNECT" => seen.target,
        Some((_, rest)) if !seen.target.starts_with(b"/") => &rest[..authority_len(rest)],
        _ => b"",
    }
}

/// The scheme of an absolute target, and what follows it from the authority on.
fn absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = target.windows(3).position(|window| window == b"://")?;
    Some((&target[..at], &target[at + 3..]))
}

fn authority_len(rest: &[u8]) -> usize {
    rest.iter()
        .position(|octet| b"/?#".contains(octet))
        .unwrap_or(rest.len())
}
