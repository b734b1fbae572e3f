//! Why another parser may read a message differently: every reason that is known, each told by the
//! bytes, with the clause that lets ours be as it is.

mod h11;
mod hyper;

use super::grammar;
use super::seen::{Seen, split_field, without_end};
pub(crate) use h11::H11;
pub(crate) use hyper::HYPER;

/// Who does not read a request, or what is different about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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
    pub(crate) kind: Kind,
    /// The clause by which ours is right, or may be so.
    pub(crate) why: &'static str,
    /// Whether a request is of this kind. Where one side refuses, it refuses every one that is.
    pub(crate) is: fn(&Seen<'_>) -> bool,
}

const BARE_LF: Class = Class {
    name: "bare LF",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §2.2: a recipient may take a single LF for a line end, and need not",
    is: |seen| seen.lines.iter().any(|line| !line.ends_with(b"\r\n")),
};

const NO_HOST: Class = Class {
    name: "no Host",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §3.2: 400 to an HTTP/1.1 request that lacks a Host field",
    is: |seen| !seen.is_http_10() && !seen.has("host"),
};

const INVALID_HOST: Class = Class {
    name: "invalid Host",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §3.2: 400 to an invalid Host; RFC 9110 §4.2.1: so is an empty one",
    is: |seen| seen.values("host").any(|host| !grammar::is_authority(host)),
};

const TARGET_FORM: Class = Class {
    name: "form of the target",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §3.2.3 and §3.2.4: authority-form is CONNECT's, asterisk-form OPTIONS's",
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
    kind: Kind::OursRefuses,
    why: "RFC 9110 §7.4: a resource that is not the server's, or needs TLS, is refused",
    is: |seen| {
        let is_foreign = |(scheme, _): (&[u8], &[u8])| !scheme.eq_ignore_ascii_case(b"http");
        seen.method != b"CONNECT"
            && !seen.target.starts_with(b"/")
            && absolute(seen.target).is_some_and(is_foreign)
    },
};

const TARGET_AUTHORITY: Class = Class {
    name: "authority of the target",
    kind: Kind::OursRefuses,
    why: "RFC 9110 §4.2.1, §4.2.4, §9.3.6: a host, no user information, a port for CONNECT",
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
    kind: Kind::OursRefuses,
    why: "RFC 9112 §3: 400 to an invalid request line; RFC 3986 §2 has the octets",
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
    kind: Kind::OursRefuses,
    why: "RFC 9112 §6.1: a server may reject a request that has both",
    is: |seen| seen.has("content-length") && seen.has("transfer-encoding"),
};

const EXPECTATION: Class = Class {
    name: "unknown expectation",
    kind: Kind::OursRefuses,
    why: "RFC 9110 §10.1.1: a server may answer 417 to an expectation other than 100-continue",
    is: |seen| {
        let is_unknown =
            |member: &&[u8]| !member.is_empty() && !member.eq_ignore_ascii_case(b"100-continue");
        !seen.is_http_10() && seen.members("expect").iter().any(is_unknown)
    },
};

const CHUNK_LINE: Class = Class {
    name: "syntax of a chunk line",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §7.1 and §7.1.1: chunk-size [ chunk-ext ], and no white space at the end",
    is: |seen| {
        seen.chunk_lines
            .iter()
            .any(|line| !grammar::is_chunk_line(line))
    },
};

const CHUNK_LINE_LENGTH: Class = Class {
    name: "long chunk line",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §7.1.1: a server ought to limit the total length of chunk extensions",
    is: |seen| {
        seen.chunk_lines
            .iter()
            .any(|line| line.len() + 2 > corelane::limits::CHUNK_LINE_BYTES)
    },
};

const TRAILER: Class = Class {
    name: "syntax of a trailer",
    kind: Kind::OursRefuses,
    why: "RFC 9112 §7.1.2: trailers are field lines, with the syntax that those of a head have",
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
