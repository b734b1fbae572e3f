//! Content codings (RFC 9110 §8.4.1), and which of them a peer would have its content in. Nothing
//! is encoded here.

use super::accept::{Weight, weighted};
use super::framing::members;

/// A content coding that this server knows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// `gzip`, RFC 1952.
    Gzip,
    /// `deflate`: the zlib format of RFC 1950, which some peers take for bare RFC 1951.
    Deflate,
    /// `br`, RFC 7932.
    Brotli,
    /// `zstd`, RFC 8878, with windows of up to 8 MiB (RFC 9659).
    Zstd,
}

impl ContentCoding {
    /// All of them.
    pub const ALL: [ContentCoding; 4] = [
        ContentCoding::Gzip,
        ContentCoding::Deflate,
        ContentCoding::Brotli,
        ContentCoding::Zstd,
    ];

    /// The name that fields have for it.
    pub const fn name(self) -> &'static str {
        match self {
            ContentCoding::Gzip => "gzip",
            ContentCoding::Deflate => "deflate",
            ContentCoding::Brotli => "br",
            ContentCoding::Zstd => "zstd",
        }
    }

    /// The coding called `name`, in any case.
    pub fn from_name(name: &[u8]) -> Option<ContentCoding> {
        // RFC 9110 §8.4.1.3: x-gzip is the same as gzip.
        if name.eq_ignore_ascii_case(b"x-gzip") {
            return Some(ContentCoding::Gzip);
        }
        let is_named = |coding: &ContentCoding| name.eq_ignore_ascii_case(coding.name().as_bytes());
        ContentCoding::ALL.into_iter().find(is_named)
    }
}

/// What a peer's Accept-Encoding fields say of each coding (RFC 9110 §12.5.3).
///
/// ```
/// use corelane::http::{AcceptedCodings, CodingChoice, ContentCoding};
///
/// let accepted = AcceptedCodings::of([&b"gzip;q=0.5, br"[..]]);
/// let offered = [ContentCoding::Gzip, ContentCoding::Brotli];
/// assert_eq!(accepted.choose(&offered), CodingChoice::Coded(ContentCoding::Brotli));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptedCodings {
    /// In the order of [`ContentCoding::ALL`]; `None` for what is not listed.
    codings: [Option<Weight>; ContentCoding::ALL.len()],
    identity: Option<Weight>,
    /// Of `*`.
    any: Option<Weight>,
}

/// In what the content goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodingChoice {
    /// In this coding.
    Coded(ContentCoding),
    /// In none.
    Identity,
    /// In none that is offered, and none is refused as well.
    Refused,
}

impl AcceptedCodings {
    /// Reads the `values` of all Accept-Encoding fields. Names that are not known say nothing; a
    /// malformed weight counts as 0; of a name that is listed twice the greater weight counts.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> AcceptedCodings {
        let mut accepted = AcceptedCodings::default();
        for member in values.into_iter().flat_map(members) {
            let (name, weight) = weighted(member);
            let entry = if name == b"*" {
                &mut accepted.any
            } else if name.eq_ignore_ascii_case(b"identity") {
                &mut accepted.identity
            } else if let Some(coding) = ContentCoding::from_name(name) {
                &mut accepted.codings[coding as usize]
            } else {
                continue;
            };
            *entry = (*entry).max(Some(weight));
        }
        accepted
    }

    /// Chooses among the codings that are `offered`, best first, and none.
    ///
    /// The coding that the peer gives the greatest weight, and of several the first that is offered;
    /// none where the peer gives that more weight, or accepts no coding. A peer without the field
    /// accepts every coding (RFC 9110 §12.5.3), but need not know any: it gets none.
    pub fn choose(&self, offered: &[ContentCoding]) -> CodingChoice {
        let mut best: Option<(Weight, ContentCoding)> = None;
        for &coding in offered {
            let weight = self.weight(coding);
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, coding));
            }
        }
        match (best, self.identity.or(self.any)) {
            (Some((weight, _)), Some(identity)) if identity > weight => CodingChoice::Identity,
            (Some((_, coding)), _) => CodingChoice::Coded(coding),
            (None, Some(0)) => CodingChoice::Refused,
            (None, _) => CodingChoice::Identity,
        }
    }

    /// Whether content without a coding is not acceptable: `identity;q=0`, or `*;q=0` without a word
    /// on it.
    pub fn refuses_identity(&self) -> bool {
        self.identity.or(self.any) == Some(0)
    }

    /// In thousandths; 0 for what is not acceptable or not spoken of.
    fn weight(&self, coding: ContentCoding) -> Weight {
        self.codings[coding as usize].or(self.any).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::ContentCoding::*;
    use super::*;

    /// What the server offers in these tests.
    const OFFERED: [ContentCoding; 3] = [Zstd, Gzip, Brotli];

    #[test]
    fn the_coding_that_is_chosen() {
        use CodingChoice::*;
        let cases: &[(&[&str], CodingChoice)] = &[
            (&[], Identity),
            (&[""], Identity),
            (&["gzip"], Coded(Gzip)),
            (&["GZip"], Coded(Gzip)),
            (&["x-gzip"], Coded(Gzip)),
            (&["gzip, deflate, br, zstd"], Coded(Zstd)),
            (&["gzip, deflate, br"], Coded(Gzip)),
            (&["gzip;q=0.9, br"], Coded(Brotli)),
            (&["gzip;q=0.001", "br;q=0.002"], Coded(Brotli)),
            (&["deflate, compress"], Identity),
            (&["gzip;q=0"], Identity),
            (&["gzip;q=0, br;q=0.1"], Coded(Brotli)),
            (&["*"], Coded(Zstd)),
            (&["*;q=0.5, zstd;q=0"], Coded(Gzip)),
            (&["*;q=0.5, br"], Coded(Brotli)),
            (&["identity"], Identity),
            (&["identity, gzip"], Coded(Gzip)),
            (&["identity, gzip;q=0.5"], Identity),
            (&["identity;q=0.5, gzip"], Coded(Gzip)),
            (&["identity;q=1, *;q=0"], Identity),
            (&["identity;q=0"], Refused),
            (&["*;q=0"], Refused),
            (&["*;q=0, deflate"], Refused),
            (&["*;q=0, gzip"], Coded(Gzip)),
            (&["identity;q=0, gzip;q=0.1"], Coded(Gzip)),
            (&["*;q=0, identity;q=0.1"], Identity),
            (&["identity;q=0, *"], Coded(Zstd)),
            // Of two weights the greater, and a malformed one is none.
            (&["gzip;q=0, gzip;q=1"], Coded(Gzip)),
            (&["gzip;q=1.1, br;q=0.001"], Coded(Brotli)),
            (&["gzip;q=0.1234"], Identity),
            (&[" , ,gzip ; q=0.5 ,"], Coded(Gzip)),
            (&["gzip;Q=0"], Identity),
            (&["gzi p", "gzip/br"], Identity),
        ];
        for (values, expected) in cases {
            let values = values.iter().map(|value| value.as_bytes());
            let accepted = AcceptedCodings::of(values.clone());
            assert_eq!(accepted.choose(&OFFERED), *expected, "{values:?}");
        }
    }

    #[test]
    fn the_order_of_the_offer_decides_between_equals() {
        let accepted = AcceptedCodings::of([&b"br, gzip"[..]]);
        for (offered, choice) in [
            (&[Gzip, Brotli][..], CodingChoice::Coded(Gzip)),
            (&[Brotli, Gzip], CodingChoice::Coded(Brotli)),
            (&[Zstd, Deflate], CodingChoice::Identity),
            (&[], CodingChoice::Identity),
        ] {
            assert_eq!(accepted.choose(offered), choice);
        }
    }

    #[test]
    fn codings_and_their_names() {
        for coding in ContentCoding::ALL {
            let name = coding.name().as_bytes();
            assert_eq!(ContentCoding::from_name(name), Some(coding));
            assert_eq!(
                ContentCoding::from_name(&name.to_ascii_uppercase()),
                Some(coding)
            );
        }
        for name in ["", "identity", "*", "gzip ", "compress", "x-br"] {
            assert_eq!(ContentCoding::from_name(name.as_bytes()), None, "{name}");
        }
    }

    /// A member of the list: a name and a weight in thousandths.
    fn entry() -> impl Strategy<Value = (&'static str, u16)> {
        let names = vec!["gzip", "deflate", "br", "zstd", "identity", "*", "other"];
        (select(names), select(vec![0, 1, 500, 999, 1000]))
    }

    /// RFC 9110 §12.5.3, rule by rule, of a list without names that occur twice: the weight of
    /// `name`, or that nothing was said of it.
    fn by_the_rules(list: &[(&str, u16)], name: &str) -> Option<u16> {
        let of = |name| list.iter().find(|(other, _)| *other == name);
        of(name).or(of("*")).map(|(_, weight)| *weight)
    }

    proptest! {
        #[test]
        fn a_choice_is_acceptable_and_none_is_better(list in vec(entry(), 0..6), in_lines: bool) {
            let mut list: Vec<(&str, u16)> = list;
            list.sort_unstable();
            list.dedup_by_key(|(name, _)| *name);
            let written: Vec<String> = list
                .iter()
                .map(|(name, weight)| format!("{name};q={}.{:03}", weight / 1000, weight % 1000))
                .collect();
            let lines = match in_lines {
                true => written,
                false => vec![written.join(", ")],
            };
            let accepted = AcceptedCodings::of(lines.iter().map(String::as_bytes));
            let weight = |coding: ContentCoding| by_the_rules(&list, coding.name()).unwrap_or(0);
            let identity = by_the_rules(&list, "identity");
            let heaviest = OFFERED.map(weight).into_iter().max().unwrap_or(0);
            prop_assert_eq!(accepted.refuses_identity(), identity == Some(0));
            match accepted.choose(&OFFERED) {
                CodingChoice::Coded(coding) => {
                    prop_assert!(weight(coding) > 0 && weight(coding) == heaviest);
                    prop_assert!(identity.is_none_or(|identity| identity <= heaviest));
                    let mut before = OFFERED.into_iter().take_while(|other| *other != coding);
                    prop_assert!(before.all(|other| weight(other) < heaviest));
                }
                CodingChoice::Identity => {
                    prop_assert!(identity != Some(0));
                    prop_assert!(heaviest == 0 || identity > Some(heaviest));
                }
                CodingChoice::Refused => prop_assert!(identity == Some(0) && heaviest == 0),
            }
        }

        #[test]
        fn no_value_makes_it_panic(values in vec(vec(any::<u8>(), 0..40), 0..3)) {
            let accepted = AcceptedCodings::of(values.iter().map(Vec::as_slice));
            if accepted.choose(&OFFERED) == CodingChoice::Refused {
                prop_assert!(accepted.refuses_identity());
            }
        }
    }
}
