//! In which of several forms a peer would read an answer: what its Accept fields prefer.

use super::chars::trim_ows;
use super::framing::members;

/// A form in which errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorForm {
    /// `text/plain`: a line for whoever reads the raw answer.
    #[default]
    Text,
    /// `text/html`: a page for a browser.
    Html,
    /// `application/problem+json` (RFC 9457): for programs.
    Json,
}

/// A weight in thousandths.
pub(super) type Weight = u16;

/// How much each form is wanted: by the most precise media range that covers it.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    precision: u8,
    weight: Weight,
}

impl ErrorForm {
    const ALL: [ErrorForm; 3] = [ErrorForm::Text, ErrorForm::Html, ErrorForm::Json];

    /// The media types that ask for each.
    const OFFERS: [&[&str]; 3] = [
        &["text/plain"],
        &["text/html"],
        &["application/json", "application/problem+json"],
    ];

    /// The form that `values`, the values of all Accept fields, prefer. Text where they say nothing, or
    /// want two of them alike, or none: a peer that wants nothing we have gets an error that it can at
    /// least see.
    pub fn preferred<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> ErrorForm {
        preferred_type(values, &Self::OFFERS).map_or(ErrorForm::Text, |place| Self::ALL[place])
    }
}

/// Which of `offers` the `values` of all Accept fields prefer (RFC 9110 §12.5.1): the first of those that
/// are wanted most; `None` if none is wanted. An offer is the media types that name it, all of one type;
/// one without any is never wanted.
pub fn preferred_type<'a, const N: usize>(
    values: impl IntoIterator<Item = &'a [u8]>,
    offers: &[&[&str]; N],
) -> Option<usize> {
    let mut wanted = [Wanted::default(); N];
    for range in values.into_iter().flat_map(members) {
        let (range, weight) = weighted(range);
        for (offer, wanted) in offers.iter().zip(&mut wanted) {
            let precision = precision(offer, range);
            if precision > wanted.precision {
                *wanted = Wanted { precision, weight };
            } else if precision > 0 && precision == wanted.precision {
                wanted.weight = wanted.weight.max(weight);
            }
        }
    }
    let mut best = (None, 0);
    for (place, wanted) in wanted.iter().enumerate() {
        if wanted.weight > best.1 {
            best = (Some(place), wanted.weight);
        }
    }
    best.0
}

/// Whether the `values` of all Accept fields want this media type by its name, and not merely any of its
/// kind.
pub fn names_type<'a>(values: impl IntoIterator<Item = &'a [u8]>, media_type: &str) -> bool {
    values.into_iter().flat_map(members).any(|member| {
        let (range, weight) = weighted(member);
        weight > 0 && range.eq_ignore_ascii_case(media_type.as_bytes())
    })
}

/// How precisely `range` names this offer: not at all, by `*/*`, by its type, or whole.
fn precision(offer: &[&str], range: &[u8]) -> u8 {
    let is_named = |name: &&str| range.eq_ignore_ascii_case(name.as_bytes());
    let is_of_type = |name: &&str| match (range.strip_suffix(b"/*"), name.split_once('/')) {
        (Some(any_of), Some((kind, _))) => any_of.eq_ignore_ascii_case(kind.as_bytes()),
        _ => false,
    };
    if offer.iter().any(is_named) {
        3
    } else if offer.iter().any(is_of_type) {
        2
    } else {
        u8::from(range == b"*/*" && !offer.is_empty())
    }
}

/// What a member of a list names and its weight; parameters other than `q` are not ours to tell
/// apart. One with a malformed weight counts as not wanted.
pub(super) fn weighted(member: &[u8]) -> (&[u8], Weight) {
    let mut parts = member.split(|&octet| octet == b';');
    let range = trim_ows(parts.next().unwrap_or_default());
    let weight = parts.map(trim_ows).find_map(|parameter| match parameter {
        [b'q' | b'Q', b'=', value @ ..] => Some(weight(value).unwrap_or(0)),
        _ => None,
    });
    (range, weight.unwrap_or(1000))
}

/// RFC 9110 §12.4.2: `0` or `1` with up to three decimals, at most 1.
fn weight(value: &[u8]) -> Option<Weight> {
    let (whole, decimals) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let whole = match whole {
        b'0' => 0,
        b'1' => 1000,
        _ => return None,
    };
    let mut scale = 100;
    let mut weight = whole;
    for digit in decimals {
        if !digit.is_ascii_digit() {
            return None;
        }
        weight += scale * Weight::from(digit - b'0');
        scale /= 10;
    }
    (weight <= 1000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_form() {
        use ErrorForm::*;
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
            image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7";
        let cases: &[(&[&str], ErrorForm)] = &[
            (&[], Text),
            (&[""], Text),
            (&["*/*"], Text),
            (&[firefox], Html),
            (&[chromium], Html),
            (&["application/json"], Json),
            (&["Application/JSON"], Json),
            (&["application/problem+json"], Json),
            (&["application/*"], Json),
            (&["application/json, text/plain, */*"], Text),
            (&["application/json, */*;q=0.5"], Json),
            (&["text/*"], Text),
            (&["text/*, text/plain;q=0.1"], Html),
            (&["text/html;q=0.2, application/json;q=0.3"], Json),
            (&["text/html;q=0.2", "application/json;q=0.1"], Html),
            (&["text/html ; level=1 ; q=0.4 , text/plain;q=0.399"], Html),
            (&["text/html;q=0"], Text),
            (&["*/*, text/plain;q=0"], Html),
            (&["image/png"], Text),
            (&["text/html;q=2, application/json;q=0.001"], Json),
            (&["text/html;q=1.001"], Text),
            (&["text/html;q=0.1234"], Text),
            (&["text/html;q="], Text),
            (&[",,, application/json ,"], Json),
        ];
        for (values, form) in cases {
            let values = values.iter().map(|value| value.as_bytes());
            assert_eq!(ErrorForm::preferred(values.clone()), *form, "{values:?}");
        }
    }
}
