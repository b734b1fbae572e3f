//! The field lines of a head: where each name and value lies, and the syntax of one line.
//!
//! It does not know what any field means; that is `framing.rs`.

use std::ops::Range;
use std::slice;

use super::chars;
use super::refusal::Refusal;

/// The fields of a request in the order received: the name as it was written, and the value
/// without the white space around it.
///
/// A value is octets: it may hold tabs and obs-text (RFC 9110 §5.5), never other controls.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    section: &'a [u8],
    places: slice::Iter<'a, Place>,
}

/// Where one field lies in its section.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: Span,
    pub(super) value: Span,
}

/// A range of bytes in 32-bit offsets; heads are bounded far below 4 GiB.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl<'a> Fields<'a> {
    /// The fields of `section` that lie at `places`.
    #[inline]
    pub(super) fn new(section: &'a [u8], places: &'a [Place]) -> Self {
        Self {
            section,
            places: places.iter(),
        }
    }

    /// The values of the fields named `name`, in order, without building any name.
    #[inline]
    pub(super) fn values_of(self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let section = self.section;
        // Most names differ in length, which is told without touching the text.
        let is_named = move |place: &&Place| {
            place.name.len() == name.len() && place.name.of(section).eq_ignore_ascii_case(name)
        };
        let places = self.places.filter(is_named);
        places.map(move |place| place.value.of(section))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let place = self.places.next()?;
        // Names are tokens and so ASCII; the default is never taken.
        let name = std::str::from_utf8(place.name.of(self.section)).unwrap_or_default();
        Some((name, place.value.of(self.section)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_> {}

impl Span {
    /// The part of `bytes` that it is.
    #[inline]
    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        let part = bytes.get(self.start as usize..self.end as usize);
        part.unwrap_or_default()
    }

    #[inline]
    fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

impl From<Range<usize>> for Span {
    #[inline]
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }
}

/// The names and values in `section`, complete lines whose syntax was checked; an empty line among
/// them is none.
pub(super) fn of_section(section: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    section.split(|&octet| octet == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let colon = memchr::memchr(b':', line)?;
        Some((&line[..colon], chars::trim_ows(&line[colon + 1..])))
    })
}

/// Checks one complete field line, without its CR LF.
///
/// httparse makes the same decisions on a complete head; this names the fault, and finds it while
/// the head is still arriving. A property test holds the two together.
pub(crate) fn check_line(line: &[u8]) -> Result<(), Refusal> {
    if let [b' ' | b'\t', ..] = line {
        return Err(Refusal::OBS_FOLD);
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err(Refusal::FIELD_NAME);
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if let [.., b' ' | b'\t'] = name {
        return Err(Refusal::SPACE_BEFORE_COLON);
    }
    if name.is_empty() || !chars::all(name, chars::TCHAR) {
        return Err(Refusal::FIELD_NAME);
    }
    if !chars::all(value, chars::VALUE) {
        return Err(Refusal::FIELD_VALUE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_at_a_time() {
        let cases: &[(&[u8], Result<(), Refusal>)] = &[
            (b"a:", Ok(())),
            (b"a:b", Ok(())),
            (b"A-b!: \t c d \t", Ok(())),
            (b"a: \xff\x80", Ok(())),
            (b"a::", Ok(())),
            (b":a", Err(Refusal::FIELD_NAME)),
            (b"a", Err(Refusal::FIELD_NAME)),
            (b"a b: c", Err(Refusal::FIELD_NAME)),
            (b"\xe9: c", Err(Refusal::FIELD_NAME)),
            (b"a\0: c", Err(Refusal::FIELD_NAME)),
            (b"(a): c", Err(Refusal::FIELD_NAME)),
            (b"a : c", Err(Refusal::SPACE_BEFORE_COLON)),
            (b"a\t: c", Err(Refusal::SPACE_BEFORE_COLON)),
            (b" a: c", Err(Refusal::OBS_FOLD)),
            (b"\ta: c", Err(Refusal::OBS_FOLD)),
            (b"a: b\0", Err(Refusal::FIELD_VALUE)),
            (b"a: b\rc", Err(Refusal::FIELD_VALUE)),
            (b"a: b\x0bc", Err(Refusal::FIELD_VALUE)),
            (b"a: b\x7f", Err(Refusal::FIELD_VALUE)),
            (b"a: b\r", Err(Refusal::FIELD_VALUE)),
        ];
        for (line, expected) in cases {
            assert_eq!(
                check_line(line),
                *expected,
                "{:?}",
                line.escape_ascii().to_string()
            );
        }
    }
}
