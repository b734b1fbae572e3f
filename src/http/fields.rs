//! The field lines of a head: where each name and value lies, and the syntax of one line.
//!
//! It does not know what any field means; that is `framing.rs`.

use std::ops::Range;
use std::slice::ChunksExact;

use super::chars;
use super::refusal::Refusal;

/// What one field costs beside its text: four offsets of four bytes.
pub(crate) const RECORD_BYTES: usize = 16;

/// The fields of a request in the order received: the name as it was written, and the value
/// without the white space around it.
///
/// A value is octets: it may hold tabs and obs-text (RFC 9110 §5.5), never other controls.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    head: &'a [u8],
    records: ChunksExact<'a, u8>,
}

impl<'a> Fields<'a> {
    /// The fields of `head`, as the records that [`record`] made of them say.
    #[inline]
    pub(crate) fn new(head: &'a [u8], records: &'a [u8]) -> Self {
        Self {
            head,
            records: records.chunks_exact(RECORD_BYTES),
        }
    }

    /// The values of the fields named `name`, in order, without building any name.
    #[inline]
    pub(crate) fn values_of(self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let head = self.head;
        self.records.filter_map(move |record| {
            // Most names differ in length, which is told without touching the text.
            let range = name_range(record);
            (range.len() == name.len() && slice(head, range).eq_ignore_ascii_case(name))
                .then(|| slice(head, value_range(record)))
        })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        let name = slice(self.head, name_range(record));
        // Names are tokens and so ASCII; the default is never taken.
        let name = std::str::from_utf8(name).unwrap_or_default();
        Some((name, slice(self.head, value_range(record))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// Notes where in the head a name and a value lie; heads are bounded far below 4 GiB.
#[inline]
pub(crate) fn record(name: Range<usize>, value: Range<usize>) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    let offsets = [name.start, name.end, value.start, value.end];
    for (place, offset) in record.chunks_exact_mut(4).zip(offsets) {
        place.copy_from_slice(&(offset as u32).to_ne_bytes());
    }
    record
}

#[inline]
fn name_range(record: &[u8]) -> Range<usize> {
    offset(record, 0)..offset(record, 1)
}

#[inline]
fn value_range(record: &[u8]) -> Range<usize> {
    offset(record, 2)..offset(record, 3)
}

#[inline]
fn offset(record: &[u8], index: usize) -> usize {
    record
        .as_chunks::<4>()
        .0
        .get(index)
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes) as usize)
}

#[inline]
fn slice(head: &[u8], range: Range<usize>) -> &[u8] {
    head.get(range).unwrap_or_default()
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
