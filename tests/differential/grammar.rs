//! The grammars that the classes of differences speak of, written once more after the RFCs.

use std::net::Ipv6Addr;

const UNRESERVED_AND_SUB_DELIMS: &[u8] = b"-._~!$&'()*+,;=";
const TOKEN_PUNCTUATION: &[u8] = b"!#$%&'*+-.^_`|~";

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(octets: &[u8]) -> bool {
    let is_tchar = |octet: &u8| octet.is_ascii_alphanumeric() || TOKEN_PUNCTUATION.contains(octet);
    !octets.is_empty() && octets.iter().all(is_tchar)
}

/// Whether an octet has no place in a field value or a quoted string (RFC 9110 §5.5).
pub(crate) fn is_control(octet: &u8) -> bool {
    octet.is_ascii_control() && *octet != b'\t'
}

/// `uri-host [ ":" port ]` with a host (RFC 9110 §4.2.1 and §7.2), and a port that TCP has.
pub(crate) fn is_authority(text: &[u8]) -> bool {
    let colon = match text.iter().rposition(|&octet| octet == b']') {
        Some(bracket) => bracket + 1,
        None => text
            .iter()
            .position(|&octet| octet == b':')
            .unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(colon);
    let is_port = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => port_number(digits).is_some(),
        _ => false,
    };
    is_port && is_host(host)
}

/// The value of `port`, below 2^16.
pub(crate) fn port_number(digits: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|octet| octet.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// RFC 3986 §3.2.2.
fn is_host(host: &[u8]) -> bool {
    let Some(literal) = host.strip_prefix(b"[") else {
        return !host.is_empty() && are_encoded(host, is_in_name);
    };
    let Some(literal) = literal.strip_suffix(b"]") else {
        return false;
    };
    let text = String::from_utf8_lossy(literal);
    match text
        .strip_prefix(['v', 'V'])
        .and_then(|future| future.split_once('.'))
    {
        Some((version, address)) => {
            let is_version =
                !version.is_empty() && version.bytes().all(|octet| octet.is_ascii_hexdigit());
            let mut octets = address.bytes();
            is_version
                && !address.is_empty()
                && octets.all(|octet| octet == b':' || is_in_name(octet))
        }
        None => text.parse::<Ipv6Addr>().is_ok(),
    }
}

/// An octet of `reg-name`, percent-encodings apart.
fn is_in_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || UNRESERVED_AND_SUB_DELIMS.contains(&octet)
}

/// RFC 3986 §3.3, and the four octets more that browsers send in a path.
pub(crate) fn is_path(path: &[u8]) -> bool {
    are_encoded(path, |octet| {
        is_in_name(octet) || b":@/[]^|".contains(&octet)
    })
}

/// RFC 3986 §3.4, and what browsers leave as it is in a query: all that is printable but four.
pub(crate) fn is_query(query: &[u8]) -> bool {
    let is_sent = |octet: &u8| octet.is_ascii_graphic() && !b"\"#<>".contains(octet);
    query.iter().all(is_sent)
}

/// Whether `octets` are percent-encodings and octets that `may` stand for themselves.
fn are_encoded(octets: &[u8], may: impl Fn(u8) -> bool) -> bool {
    let mut rest = octets;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            [octet, after @ ..] if may(*octet) => after,
            _ => return false,
        };
    }
}

/// `chunk-size [ chunk-ext ]` (RFC 9112 §7.1), with the white space that §7.1.1 allows.
pub(crate) fn is_chunk_line(line: &[u8]) -> bool {
    let digits = hex_digits(line);
    digits > 0 && are_extensions(&line[digits..])
}

/// How many hexadecimal digits `line` begins with.
pub(crate) fn hex_digits(line: &[u8]) -> usize {
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit());
    digits.count()
}

fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(after) = skip_space(rest).strip_prefix(b";") else {
            return false;
        };
        let Some(after_name) = skip_token(skip_space(after)) else {
            return false;
        };
        rest = after_name;
        if let Some(value) = skip_space(rest).strip_prefix(b"=") {
            let Some(after_value) = skip_value(skip_space(value)) else {
                return false;
            };
            rest = after_value;
        }
    }
    true
}

fn skip_space(octets: &[u8]) -> &[u8] {
    let space = octets
        .iter()
        .take_while(|octet| matches!(octet, b' ' | b'\t'));
    &octets[space.count()..]
}

fn skip_token(octets: &[u8]) -> Option<&[u8]> {
    let token = octets
        .iter()
        .take_while(|octet| is_token(&[**octet]))
        .count();
    (token > 0).then_some(&octets[token..])
}

/// Skips a token or a quoted string (RFC 9110 §5.6.4).
fn skip_value(octets: &[u8]) -> Option<&[u8]> {
    let Some(mut rest) = octets.strip_prefix(b"\"") else {
        return skip_token(octets);
    };
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', octet, after @ ..] | [octet, after @ ..] if !is_control(octet) => after,
            _ => return None,
        };
    }
}
