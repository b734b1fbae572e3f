//! Which octets the grammars of RFC 3986, 9110 and 9112 allow where: one table, one bit a class.

/// RFC 9110 §5.6.2, `tchar`: methods, field names, chunk extension names.
pub(crate) const TCHAR: u8 = 1;
/// Octets of a target's path that need no further look; `%` and `?` are met separately.
///
/// `pchar` and `/` of RFC 3986 §3.3, and what browsers send unencoded although the RFC would have
/// it encoded (`[`, `]`, `^`, `|`: not in the path percent-encode set that browsers use).
pub(crate) const PATH: u8 = 2;
/// Octets of a target's query.
///
/// RFC 3986 §3.4, and what browsers leave unencoded in a query (``[ ] ^ | \ ` { }``, a lone `%`).
pub(crate) const QUERY: u8 = 4;
/// `reg-name` of RFC 3986 §3.2.2, without the percent-encodings.
pub(crate) const HOST: u8 = 8;
/// RFC 5234 `HEXDIG`, in both cases.
pub(crate) const HEX: u8 = 16;
/// RFC 9110 §5.5: `field-vchar`, SP and HTAB.
pub(crate) const VALUE: u8 = 32;
/// RFC 9110 §5.6.4, `qdtext`.
pub(crate) const QDTEXT: u8 = 64;

/// Whether `octet` belongs to any class in `classes`.
#[inline(always)]
pub(crate) fn is(octet: u8, classes: u8) -> bool {
    CLASSES[octet as usize] & classes != 0
}

/// Whether every octet of `octets` belongs to a class in `classes`; true of none.
#[inline(always)]
pub(crate) fn all(octets: &[u8], classes: u8) -> bool {
    octets.iter().all(|&octet| is(octet, classes))
}

/// Removes the optional white space of RFC 9110 §5.6.3 from both ends.
pub(crate) fn trim_ows(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = classes_of(octet as u8);
        octet += 1;
    }
    table
}

const fn classes_of(octet: u8) -> u8 {
    let unreserved = matches!(octet, b'-' | b'.' | b'_' | b'~') || octet.is_ascii_alphanumeric();
    let sub_delim = matches!(
        octet,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    );
    let mut classes = 0;
    if unreserved
        || matches!(
            octet,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|'
        )
    {
        classes |= TCHAR;
    }
    if unreserved || sub_delim || matches!(octet, b':' | b'@' | b'/' | b'[' | b']' | b'^' | b'|') {
        classes |= PATH;
    }
    if octet.is_ascii_graphic() && !matches!(octet, b'"' | b'#' | b'<' | b'>') {
        classes |= QUERY;
    }
    if unreserved || sub_delim {
        classes |= HOST;
    }
    if octet.is_ascii_hexdigit() {
        classes |= HEX;
    }
    if octet == b'\t' || (octet >= b' ' && octet != 0x7f) {
        classes |= VALUE;
        if !matches!(octet, b'"' | b'\\') {
            classes |= QDTEXT;
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_those_of_the_grammars() {
        let members = |class| (0..=255u8).filter(|&octet| is(octet, class)).count();
        let cases: &[(&str, u8, &[u8], usize)] = &[
            ("token", TCHAR, b"!#$%&'*+-.^_`|~09azAZ", 62 + 15),
            (
                "path",
                PATH,
                b"-._~!$&'()*+,;=:@/[]^|09azAZ",
                62 + 4 + 11 + 7,
            ),
            ("query", QUERY, b"?/%{}`\\|^[]'", 94 - 4),
            ("host", HOST, b"-._~!$&'()*+,;=09azAZ", 62 + 4 + 11),
            ("hexadecimal", HEX, b"0123456789abcdefABCDEF", 22),
            ("value", VALUE, b"\t ~\x80\xff", 1 + 95 + 128),
            ("quoted text", QDTEXT, b"\t !#[]~\x80\xff", 1 + 93 + 128),
        ];
        for &(name, class, sample, count) in cases {
            assert!(all(sample, class), "{name}: sample");
            assert_eq!(members(class), count, "{name}: count");
        }
    }

    #[test]
    fn white_space_goes_from_both_ends_only() {
        for (value, trimmed) in [
            (&b""[..], &b""[..]),
            (b" \t ", b""),
            (b"\t a b \t", b"a b"),
            (b"\x0ba", b"\x0ba"),
        ] {
            assert_eq!(trim_ows(value), trimmed);
        }
    }
}
