//! The request target: which of the four forms it has, and where its parts lie.
//!
//! It decodes nothing and normalises nothing: dot segments and percent-encodings are the router's
//! and the files' business.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::chars;
use super::refusal::Refusal;

/// The four forms of RFC 9112 §3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`: what clients send to a server.
    Origin,
    /// `http://host/path?query`: what clients send to a proxy, and servers must accept.
    Absolute,
    /// `host:port`: CONNECT alone.
    Authority,
    /// `*`: OPTIONS alone, about the server as a whole.
    Asterisk,
}

/// Where the parts of a target lie, as offsets into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) form: TargetForm,
    /// Empty where the target has no path: absolute-form without one, and authority-form.
    pub(crate) path: Range<usize>,
    pub(crate) query: Option<Range<usize>>,
    pub(crate) authority: Option<Range<usize>>,
}

/// Takes `target` apart as the target of `method`.
#[inline]
pub(crate) fn parse(method: &[u8], target: &[u8]) -> Result<Target, Refusal> {
    if target.first() == Some(&b'/') && method != b"CONNECT" {
        let (path, query) = path_and_query(target, 0)?;
        return Ok(Target {
            form: TargetForm::Origin,
            path,
            query,
            authority: None,
        });
    }
    parse_rare(method, target)
}

/// The three forms that are not origin-form.
#[cold]
fn parse_rare(method: &[u8], target: &[u8]) -> Result<Target, Refusal> {
    if !target.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::TARGET);
    }
    // RFC 9112 §3.2.3: authority-form is for CONNECT only, and CONNECT has no other.
    if method == b"CONNECT" {
        return authority_form(target);
    }
    // RFC 9112 §3.2.4: asterisk-form is for a server-wide OPTIONS only.
    if target == b"*" && method == b"OPTIONS" {
        return Ok(Target {
            form: TargetForm::Asterisk,
            path: 0..1,
            query: None,
            authority: None,
        });
    }
    absolute_form(target)
}

fn authority_form(target: &[u8]) -> Result<Target, Refusal> {
    // RFC 9110 §9.3.6: CONNECT has no default port; an empty or invalid one must be rejected.
    match split_authority(target) {
        Some((_, Some(port))) if port != 0 => Ok(Target {
            form: TargetForm::Authority,
            path: 0..0,
            query: None,
            authority: Some(0..target.len()),
        }),
        _ => Err(Refusal::AUTHORITY),
    }
}

fn absolute_form(target: &[u8]) -> Result<Target, Refusal> {
    let scheme_len = target
        .windows(3)
        .position(|window| window == b"://")
        .ok_or(Refusal::TARGET_FORM)?;
    // RFC 3986 §3.1: schemes are compared without regard to case.
    if target[..scheme_len].eq_ignore_ascii_case(b"https") {
        return Err(Refusal::HTTPS_UNSECURED);
    }
    if !target[..scheme_len].eq_ignore_ascii_case(b"http") {
        return Err(Refusal::SCHEME);
    }
    let start = scheme_len + 3;
    let authority_len = target[start..]
        .iter()
        .position(|octet| matches!(octet, b'/' | b'?' | b'#'))
        .unwrap_or(target.len() - start);
    let authority = start..start + authority_len;
    // RFC 9110 §4.2.1 and §4.2.4: an empty host must, user information should be an error. The
    // latter fails here because `@` belongs to no host.
    if !is_valid_authority(&target[authority.clone()]) {
        return Err(Refusal::AUTHORITY);
    }
    let (path, query) = path_and_query(target, authority.end)?;
    Ok(Target {
        form: TargetForm::Absolute,
        path,
        query,
        authority: Some(authority),
    })
}

type PathAndQuery = (Range<usize>, Option<Range<usize>>);

/// Splits `target[start..]` at the first `?` and checks the octets of both parts.
#[inline]
fn path_and_query(target: &[u8], start: usize) -> Result<PathAndQuery, Refusal> {
    let mut at = start;
    loop {
        match target.get(at) {
            None => return Ok((start..at, None)),
            Some(&octet) if chars::is(octet, chars::PATH) => at += 1,
            Some(b'?') => break,
            // RFC 3986 §2.1: a percent sign begins a triplet. Resources are found by the decoded
            // path, so one that cannot be decoded one way only is refused.
            Some(b'%') if is_triplet(&target[at..]) => at += 3,
            Some(_) => return Err(Refusal::TARGET),
        }
    }
    let query = at + 1..target.len();
    // RFC 9112 §3.2.1: a fragment is never sent; `#` is in neither class.
    if !chars::all(&target[query.clone()], chars::QUERY) {
        return Err(Refusal::TARGET);
    }
    Ok((start..at, Some(query)))
}

/// Whether `octets` begin with a percent-encoding.
fn is_triplet(octets: &[u8]) -> bool {
    matches!(octets, [b'%', high, low, ..] if chars::all(&[*high, *low], chars::HEX))
}

/// Whether `authority` is `uri-host [ ":" port ]` with a host that is not empty.
///
/// This is the grammar of the Host field (RFC 9110 §7.2). The grammar alone lets the host be
/// empty; the http scheme does not (RFC 9110 §4.2.1).
pub(crate) fn is_valid_authority(authority: &[u8]) -> bool {
    split_authority(authority).is_some()
}

/// The length of the host and the port (`None` when empty or missing); `None` if invalid.
fn split_authority(authority: &[u8]) -> Option<(usize, Option<u16>)> {
    let host_len = match authority {
        [b'[', inside @ ..] => {
            let end = inside.iter().position(|&octet| octet == b']')?;
            is_ip_literal(&inside[..end]).then_some(end + 2)?
        }
        _ => reg_name_len(authority).filter(|&len| len > 0)?,
    };
    match &authority[host_len..] {
        [] => Some((host_len, None)),
        [b':', digits @ ..] => Some((host_len, port(digits)?)),
        _ => None,
    }
}

/// How many octets of `authority` its `reg-name` or IPv4 address takes; `None` if malformed.
fn reg_name_len(authority: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &authority[at..];
        let plain = rest
            .iter()
            .position(|&octet| !chars::is(octet, chars::HOST));
        at += plain.unwrap_or(rest.len());
        match authority.get(at) {
            Some(b'%') if is_triplet(&authority[at..]) => at += 3,
            Some(b':') | None => return Some(at),
            Some(_) => return None,
        }
    }
}

/// RFC 3986 §3.2.3: `*DIGIT`, so it may be empty; TCP has no port beyond 65535.
fn port(digits: &[u8]) -> Option<Option<u16>> {
    if digits.is_empty() {
        return Some(None);
    }
    digits
        .iter()
        .try_fold(0u16, |port, octet| {
            let digit = octet.is_ascii_digit().then(|| octet - b'0')?;
            port.checked_mul(10)?.checked_add(u16::from(digit))
        })
        .map(Some)
}

/// RFC 3986 §3.2.2, inside the brackets: an IPv6 address without a zone, or IPvFuture.
fn is_ip_literal(literal: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = literal {
        let Some(dot) = future.iter().position(|&octet| octet == b'.') else {
            return false;
        };
        let (version, address) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && chars::all(version, chars::HEX)
            && !address.is_empty()
            && address
                .iter()
                .all(|&octet| octet == b':' || chars::is(octet, chars::HOST));
    }
    std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form and the parts of an accepted target as text.
    type Parts<'a> = (TargetForm, &'a str, Option<&'a str>, Option<&'a str>);

    fn parts<'a>(method: &str, target: &'a str) -> Result<Parts<'a>, Refusal> {
        let parsed = parse(method.as_bytes(), target.as_bytes())?;
        Ok((
            parsed.form,
            &target[parsed.path],
            parsed.query.map(|query| &target[query]),
            parsed.authority.map(|authority| &target[authority]),
        ))
    }

    #[test]
    fn accepted_targets_and_their_parts() {
        use TargetForm::*;
        let cases: &[(&str, &str, Parts<'_>)] = &[
            ("GET", "/", (Origin, "/", None, None)),
            ("GET", "//", (Origin, "//", None, None)),
            ("GET", "/a/../b", (Origin, "/a/../b", None, None)),
            ("GET", "/a%2fb%00", (Origin, "/a%2fb%00", None, None)),
            ("GET", "/a?", (Origin, "/a", Some(""), None)),
            ("GET", "/a?b?c=/d", (Origin, "/a", Some("b?c=/d"), None)),
            ("GET", "/a|b[1]^", (Origin, "/a|b[1]^", None, None)),
            (
                "GET",
                "/?q=100%&{x}",
                (Origin, "/", Some("q=100%&{x}"), None),
            ),
            ("GET", "/http://x/", (Origin, "/http://x/", None, None)),
            ("OPTIONS", "/a", (Origin, "/a", None, None)),
            ("OPTIONS", "*", (Asterisk, "*", None, None)),
            ("GET", "http://h", (Absolute, "", None, Some("h"))),
            ("GET", "http://h/", (Absolute, "/", None, Some("h"))),
            (
                "GET",
                "HTTP://h:80/a?b",
                (Absolute, "/a", Some("b"), Some("h:80")),
            ),
            ("GET", "http://h?b", (Absolute, "", Some("b"), Some("h"))),
            ("OPTIONS", "http://h", (Absolute, "", None, Some("h"))),
            ("CONNECT", "h:443", (Authority, "", None, Some("h:443"))),
            ("CONNECT", "[::1]:1", (Authority, "", None, Some("[::1]:1"))),
        ];
        for &(method, target, expected) in cases {
            assert_eq!(parts(method, target), Ok(expected), "{method} {target}");
        }
    }

    #[test]
    fn refused_targets() {
        let cases: &[(&str, &str, Refusal)] = &[
            ("GET", "", Refusal::TARGET_FORM),
            ("GET", "*", Refusal::TARGET_FORM),
            ("GET", "a/b", Refusal::TARGET_FORM),
            ("GET", "?a", Refusal::TARGET_FORM),
            ("GET", "h:80", Refusal::TARGET_FORM),
            ("GET", "http:/h/", Refusal::TARGET_FORM),
            ("OPTIONS", "*?a", Refusal::TARGET_FORM),
            ("GET", "/a#b", Refusal::TARGET),
            ("GET", "/a?b#c", Refusal::TARGET),
            ("GET", "/a\\b", Refusal::TARGET),
            ("GET", "/<a>", Refusal::TARGET),
            ("GET", "/a?\"", Refusal::TARGET),
            ("GET", "/%", Refusal::TARGET),
            ("GET", "/%1", Refusal::TARGET),
            ("GET", "/%1g", Refusal::TARGET),
            ("GET", "/\u{e9}", Refusal::TARGET),
            ("GET", "/?\u{e9}", Refusal::TARGET),
            ("GET", "/\u{7f}", Refusal::TARGET),
            ("GET", "http://\u{e9}/", Refusal::TARGET),
            ("GET", "http://h/#a", Refusal::TARGET),
            ("GET", "ftp://h/", Refusal::SCHEME),
            ("GET", "://h/", Refusal::SCHEME),
            ("GET", "https://h/", Refusal::HTTPS_UNSECURED),
            ("GET", "http:///a", Refusal::AUTHORITY),
            ("GET", "http://:80/", Refusal::AUTHORITY),
            ("GET", "http://u@h/", Refusal::AUTHORITY),
            ("GET", "http://u:p@h/", Refusal::AUTHORITY),
            ("CONNECT", "/", Refusal::AUTHORITY),
            ("CONNECT", "*", Refusal::AUTHORITY),
            ("CONNECT", "h", Refusal::AUTHORITY),
            ("CONNECT", "h:", Refusal::AUTHORITY),
            ("CONNECT", "h:0", Refusal::AUTHORITY),
            ("CONNECT", "h:65536", Refusal::AUTHORITY),
            ("CONNECT", "http://h:80/", Refusal::AUTHORITY),
        ];
        for &(method, target, expected) in cases {
            assert_eq!(parts(method, target), Err(expected), "{method} {target}");
        }
    }

    #[test]
    fn authorities() {
        let valid = [
            "h",
            "h:",
            "h:0",
            "h:80",
            "h:65535",
            "a.b-c_d~",
            "1.2.3.4:5",
            "%41b",
            "a,b;c=d!",
            "[::]",
            "[::1]:80",
            "[1:2:3:4:5:6:7:8]",
            "[::ffff:1.2.3.4]",
            "[v1f.a:b]",
        ];
        let invalid = [
            "",
            ":",
            ":80",
            "h:65536",
            "h:99999999999",
            "h:+1",
            "h: 80",
            "h:8a",
            "h:1:2",
            "a b",
            "u@h",
            "h/",
            "h?",
            "h#",
            "h\\",
            "%4",
            "%zz",
            "::1",
            "[::1",
            "[::1]x",
            "[]",
            "[::1%1]",
            "[1.2.3.4]",
            "[g::]",
            "[v.a]",
            "[v1.]",
            "[vg.a]",
            "[v1]",
            "\u{e9}",
            "h\0",
            "<h>",
        ];
        for authority in valid {
            assert!(is_valid_authority(authority.as_bytes()), "{authority}");
        }
        for authority in invalid {
            assert!(!is_valid_authority(authority.as_bytes()), "{authority}");
        }
    }
}
