//! What a parameter of a path may be: the word after its name, as in `{id:u64}`.

use std::borrow::Cow;

use super::path;

/// Which values a parameter takes, in the normal form of [`path::normal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything but nothing.
    Any,
    /// Decimal digits whose number fits.
    U32,
    U64,
    /// The same, perhaps after a `-`.
    I64,
    /// ASCII letters.
    Alpha,
    /// ASCII letters and digits.
    Alnum,
    /// ASCII letters, digits, `-` and `_`.
    Slug,
    /// Hexadecimal digits.
    Hex,
    /// RFC 9562 §4: 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// One of these.
    OneOf(Box<[Box<str>]>),
}

impl Kind {
    /// The kind that is `written` after a parameter's name; the error is a sentence for its author.
    pub(crate) fn parse(written: &str) -> Result<Kind, Cow<'static, str>> {
        Ok(match written {
            "u32" => Kind::U32,
            "u64" => Kind::U64,
            "i64" => Kind::I64,
            "alpha" => Kind::Alpha,
            "alnum" => Kind::Alnum,
            "slug" => Kind::Slug,
            "hex" => Kind::Hex,
            "uuid" => Kind::Uuid,
            _ if written.contains('|') => {
                let words = || written.split('|');
                if words().any(|word| word.is_empty() || word.contains(['/', '{'])) {
                    return Err("the words of a parameter are as in `{size:small|large}`".into());
                }
                Kind::OneOf(words().map(|word| path::normal(word).into()).collect())
            }
            _ => {
                return Err(format!(
                    "there is no kind `{written}`; the kinds are u32, u64, i64, alpha, alnum, \
                     slug, hex, uuid, and words as in `{{size:small|large}}`"
                )
                .into());
            }
        })
    }

    /// Whether `value`, in normal form, is of this kind. No parameter is empty.
    pub(crate) fn accepts(&self, value: &str) -> bool {
        let octets = value.as_bytes();
        let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        match self {
            Kind::Any => true,
            // `str::parse` alone would take a `+`, too.
            Kind::U32 => digits(value) && value.parse::<u32>().is_ok(),
            Kind::U64 => digits(value) && value.parse::<u64>().is_ok(),
            Kind::I64 => {
                digits(value.strip_prefix('-').unwrap_or(value)) && value.parse::<i64>().is_ok()
            }
            Kind::Alpha => octets.iter().all(u8::is_ascii_alphabetic),
            Kind::Alnum => octets.iter().all(u8::is_ascii_alphanumeric),
            Kind::Slug => {
                let in_slug = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_".contains(octet);
                octets.iter().all(in_slug)
            }
            Kind::Hex => octets.iter().all(u8::is_ascii_hexdigit),
            Kind::Uuid => {
                let fits = |(index, octet): (usize, &u8)| match index {
                    8 | 13 | 18 | 23 => *octet == b'-',
                    _ => octet.is_ascii_hexdigit(),
                };
                octets.len() == 36 && octets.iter().enumerate().all(fits)
            }
            Kind::OneOf(words) => words.iter().any(|word| **word == *value),
        }
    }
}

/// Whether all `values` are of their `kinds`; there are no kinds where any value will do.
#[inline]
pub(super) fn all_accept<'a>(kinds: &[Kind], values: impl Iterator<Item = &'a str>) -> bool {
    kinds
        .iter()
        .zip(values)
        .all(|(kind, value)| kind.accepts(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_what_they_take() {
        const ID: &str = "00112233-4455-6677-8899-aAbBcCdDeEfF";
        let cases: [(&str, &[&str], &[&str]); 9] = [
            (
                "u32",
                &["0", "007", "4294967295"],
                &["4294967296", "+1", "-1", "1.0", "１", "x"],
            ),
            (
                "u64",
                &["18446744073709551615"],
                &["18446744073709551616", "+1", "1 "],
            ),
            (
                "i64",
                &["5", "-5", "-9223372036854775808"],
                &["9223372036854775808", "+5", "--5", "-"],
            ),
            ("alpha", &["a", "Zz"], &["a1", "é", "a-b"]),
            ("alnum", &["a1", "1"], &["a_", "a b"]),
            ("slug", &["a-b_1"], &["a.b", "a%2Fb", "é"]),
            ("hex", &["09afAF"], &["g", "0x1"]),
            (
                "uuid",
                &[ID],
                &["", "00112233445566778899aabbccddeeff", &ID[1..]],
            ),
            (
                "en|caf%C3%A9|a b",
                &["en", "café", "a b"],
                &["EN", "e", "|"],
            ),
        ];
        for (written, accepted, refused) in cases {
            let kind = Kind::parse(written).unwrap();
            for value in accepted {
                assert!(kind.accepts(value), "{written}: {value}");
            }
            for value in refused {
                assert!(!kind.accepts(value), "{written}: {value}");
            }
        }
    }

    #[test]
    fn kinds_that_there_are_not() {
        for written in ["", "u16", "[0-9]+", "a|", "|", "a|b/c", "a|{b", "U64"] {
            assert!(Kind::parse(written).is_err(), "{written}");
        }
    }
}
