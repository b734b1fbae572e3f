//! A file and its compressed neighbours, and which of them a request gets (RFC 9110 §12). It is pure:
//! whoever looks at the neighbours tells it what is there.
//!
//! | file | neighbour | coding |
//! |---|---|---|
//! | `a.css` | `a.css.zst` | zstd |
//! | `a.css` | `a.css.br` | br |
//! | `a.css` | `a.css.gz` | gzip |
//!
//! A neighbour is served in place of its file where the peer wants its coding, with the media type and
//! the rules of the file. It is left alone, as if it were not there, if
//! - it was changed before its file was: whoever changed that has not compressed it again;
//! - it is empty, which no coded content is;
//! - a glob hides it;
//! - the file is not there: what a path leads to would depend on what the peer can decode.
//!
//! Where a policy says so, the server makes a variant itself, in a coding in which there is no neighbour
//! (`compressed.rs`). It does so for files of [`COMPRESS_FROM_BYTES`] to [`COMPRESSED_FILE_BYTES`] whose media type
//! says that it is worth it, and whose Cache-Control does not forbid it (`no-transform`).
//!
//! Neighbours are not looked for where the media type says that the file is compressed as it is: an
//! image, a video, an archive. What is of no known type may have some.
//!
//! Looking for them costs a file that is not remembered a failed `openat2(2)` each, of a microsecond or
//! two, and a remembered one the same every [`FILE_FRESHNESS`](crate::limits::FILE_FRESHNESS).

use std::ffi::{CStr, CString};

use http::HeaderValue;
use http::header::ACCEPT_ENCODING;

use super::compressed::can_encode;
use super::decision::Seen;
use super::media;
use super::policy::Policy;
use super::version::Version;
use crate::http::{
    AcceptedCodings, CodingChoice, ContentCoding, RequestHead, is_compressible, members,
};
use crate::limits::{COMPRESS_FROM_BYTES, COMPRESSED_FILE_BYTES};

/// A file, and those of its neighbours that are served in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    relative: CString,
    version: Version,
    neighbours: Vec<(ContentCoding, Version)>,
    /// The codings in which a variant can be made, best first.
    made: Vec<ContentCoding>,
}

/// One variant of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The coding of its content; `None` for the file itself.
    pub coding: Option<ContentCoding>,
    /// What was seen of it; of one that is made, of the file itself.
    pub version: Version,
    /// Whether the server makes it.
    pub is_made: bool,
}

impl Variant {
    /// The coding of the neighbour that it is; `None` for the file itself, and for what is made of it.
    pub fn neighbour(&self) -> Option<ContentCoding> {
        self.coding.filter(|_| !self.is_made)
    }
}

/// The coding of neighbours that end in `suffix`, which has no dot.
pub fn coding_of(suffix: &str) -> Option<ContentCoding> {
    let mut codings = ContentCoding::ALL.into_iter();
    codings.find(|&coding| suffix_of(coding) == Some(suffix))
}

/// What the names of neighbours in `coding` end in, without the dot; none are in deflate.
fn suffix_of(coding: ContentCoding) -> Option<&'static str> {
    match coding {
        ContentCoding::Gzip => Some("gz"),
        ContentCoding::Brotli => Some("br"),
        ContentCoding::Zstd => Some("zst"),
        ContentCoding::Deflate => None,
    }
}

impl Policy {
    /// The codings in which the file at `relative` may have neighbours, best first.
    pub fn neighbours(&self, relative: &CStr) -> impl Iterator<Item = ContentCoding> {
        let is_known_for =
            |media_type: &str| media_type == media::UNKNOWN || is_compressible(media_type);
        let may_have_some = !self.precompressed.is_empty() && self.has_type(relative, is_known_for);
        let codings = self.precompressed.iter().copied();
        codings.filter(move |&coding| {
            may_have_some && {
                let neighbour = neighbour(relative, coding);
                neighbour.is_some_and(|path| self.hides(path.to_bytes()).is_none())
            }
        })
    }
}

impl Policy {
    /// The codings in which variants of the file at `relative` may be made, best first.
    pub fn compresses(&self, relative: &CStr) -> impl Iterator<Item = ContentCoding> {
        let is_worth_it = !self.compress.is_empty()
            && self.has_type(relative, is_compressible)
            && !self
                .cache_control(relative.to_bytes())
                .is_some_and(|(_, value)| forbids_transforming(value));
        self.made().filter(move |_| is_worth_it)
    }

    /// The codings in which the listing of the folder at `relative` may be made, best first.
    pub fn compresses_listing(&self, relative: &CStr) -> impl Iterator<Item = ContentCoding> {
        let is_forbidden = !self.compress.is_empty()
            && self
                .cache_control_of_folder(relative.to_bytes())
                .is_some_and(|(_, value)| forbids_transforming(value));
        self.made().filter(move |_| !is_forbidden)
    }

    /// The codings in which anything is made, best first.
    fn made(&self) -> impl Iterator<Item = ContentCoding> {
        let codings = self.compress.iter().map(|&(coding, _)| coding);
        codings.filter(|&coding| can_encode(coding))
    }

    fn has_type(&self, relative: &CStr, is_it: impl Fn(&str) -> bool) -> bool {
        let media_type = self.media_type(relative.to_bytes());
        let media_type = media_type.to_str().unwrap_or_default();
        is_it(media_type.split(';').next().unwrap_or_default().trim())
    }
}

/// Whether a Cache-Control of this value forbids to change the coding (RFC 9111 §5.2.2.6).
fn forbids_transforming(value: &HeaderValue) -> bool {
    let mut members = members(value.as_bytes());
    members.any(|member| member.eq_ignore_ascii_case(b"no-transform"))
}

/// Whether a file of so many bytes is compressed.
fn is_fit(length: u64) -> bool {
    (COMPRESS_FROM_BYTES as u64..=COMPRESSED_FILE_BYTES).contains(&length)
}

/// The path of the neighbour in `coding` of the file at `relative`.
fn neighbour(relative: &CStr, coding: ContentCoding) -> Option<CString> {
    let suffix = suffix_of(coding)?.as_bytes();
    CString::new([relative.to_bytes(), b".", suffix].concat()).ok()
}

impl Variants {
    /// The file at `relative` alone, of which `version` was seen.
    pub fn new(relative: CString, version: Version) -> Self {
        Self {
            relative,
            version,
            neighbours: Vec::new(),
            made: Vec::new(),
        }
    }

    /// The path of the file itself, below the root.
    pub fn relative(&self) -> &CStr {
        &self.relative
    }

    /// Where the variant in `coding` lies.
    pub fn path(&self, coding: Option<ContentCoding>) -> CString {
        let path = coding.and_then(|coding| neighbour(&self.relative, coding));
        path.unwrap_or_else(|| self.relative.clone())
    }

    /// Takes note of what lies where the variant in `coding` would. Whether the variant is served.
    /// Those of codings are told in the order of [`Policy::neighbours`].
    pub fn saw(&mut self, coding: Option<ContentCoding>, seen: Seen) -> bool {
        let Some(coding) = coding else {
            return match seen {
                Seen::File(version) => {
                    self.version = version;
                    let is_as_new = |(_, other): &(_, Version)| other.is_as_new_as(&version);
                    self.neighbours.retain(is_as_new);
                    self.made.retain(|_| is_fit(version.length()));
                    true
                }
                _ => false,
            };
        };
        let seen = match seen {
            Seen::File(version) if version.length() > 0 => Some(version),
            _ => None,
        };
        let seen = seen.filter(|version| version.is_as_new_as(&self.version));
        let place = self
            .neighbours
            .iter()
            .position(|(other, _)| *other == coding);
        match (seen, place) {
            (Some(version), Some(place)) => self.neighbours[place].1 = version,
            (Some(version), None) => self.neighbours.push((coding, version)),
            (None, Some(place)) => drop(self.neighbours.remove(place)),
            (None, None) => {}
        }
        seen.is_some()
    }

    /// Takes note that a variant in `coding` can be made, if the file is of a fit size.
    pub fn offer(&mut self, coding: ContentCoding) {
        if is_fit(self.version.length()) && !self.made.contains(&coding) {
            self.made.push(coding);
        }
    }

    /// Whether requests for the file get different variants.
    pub fn is_negotiated(&self) -> bool {
        !self.neighbours.is_empty() || !self.made.is_empty()
    }

    /// The file itself.
    pub fn plain(&self) -> Variant {
        Variant {
            coding: None,
            version: self.version,
            is_made: false,
        }
    }

    /// The variant that the request with `head` gets. A peer that accepts none of them, and not the
    /// file as it is either, gets that nevertheless (RFC 9110 §12.1).
    pub fn choose(&self, head: &RequestHead) -> Variant {
        let plain = self.plain();
        if !self.is_negotiated() {
            return plain;
        }
        let accepted = AcceptedCodings::of(head.field_values(ACCEPT_ENCODING.as_str()));
        let (offered, count) = self.offered();
        let CodingChoice::Coded(coding) = accepted.choose(&offered[..count]) else {
            return plain;
        };
        let mut neighbours = self.neighbours.iter();
        let chosen = neighbours.find(|(other, _)| *other == coding);
        match chosen {
            Some(&(_, version)) => Variant {
                coding: Some(coding),
                version,
                is_made: false,
            },
            None => Variant {
                coding: Some(coding),
                is_made: true,
                ..plain
            },
        }
    }

    /// The codings that there are, best first, and how many: neighbours cost nothing, so they go first.
    fn offered(&self) -> ([ContentCoding; ContentCoding::ALL.len()], usize) {
        let mut offered = ContentCoding::ALL;
        let mut count = 0;
        let neighbours = self.neighbours.iter().map(|&(coding, _)| coding);
        for coding in neighbours.chain(self.made.iter().copied()) {
            if !offered[..count].contains(&coding) {
                offered[count] = coding;
                count += 1;
            }
        }
        (offered, count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::decision::Absence;
    use super::*;
    use crate::http::{HeadLimits, HeadParser};
    use ContentCoding::{Brotli, Gzip, Zstd};
    use std::time::Duration;

    const CHANGED: Duration = Duration::from_secs(100);

    fn version(inode: u64) -> Version {
        Version::made(inode, 10, CHANGED)
    }

    fn chosen(variants: &Variants, fields: &str) -> Option<ContentCoding> {
        let bytes = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let parsed = HeadParser::default().parse(bytes.as_bytes(), &HeadLimits::default());
        let (head, _) = parsed.unwrap().unwrap();
        variants.choose(&head).coding
    }

    #[test]
    fn neighbours_are_looked_for_where_there_may_be_some() {
        let policy = Policy {
            hide: vec!["/hidden.css.gz".parse().unwrap()],
            media_types: [("raw".into(), HeaderValue::from_static("Text/X; a=b"))].into(),
            ..Policy::default()
        };
        let all: &[ContentCoding] = &[Zstd, Brotli, Gzip];
        let table: &[(&CStr, &[ContentCoding])] = &[
            (c"a.css", all),
            (c"a/b.html", all),
            (c"a.wasm", all),
            (c"noext", all),
            (c"a.raw", all),
            (c"a.png", &[]),
            (c"a.css.gz", &[]),
            (c"a.zip", &[]),
            (c"hidden.css", &[Zstd, Brotli]),
        ];
        for (path, expected) in table {
            let neighbours: Vec<_> = policy.neighbours(path).collect();
            assert_eq!(neighbours, *expected, "{path:?}");
        }
        let off = Policy {
            precompressed: Vec::new(),
            ..policy
        };
        assert_eq!(off.neighbours(c"a.css").count(), 0);
    }

    #[test]
    fn the_variant_that_a_peer_wants_most() {
        let mut variants = Variants::new(c"a.css".to_owned(), version(1));
        assert!(!variants.is_negotiated());
        for (inode, coding) in [(2, Brotli), (3, Gzip)] {
            assert!(variants.saw(Some(coding), Seen::File(version(inode))));
        }
        assert!(variants.is_negotiated());
        let table = [
            ("", None),
            ("Accept-Encoding: gzip\r\n", Some(Gzip)),
            ("Accept-Encoding: gzip, br\r\n", Some(Brotli)),
            ("Accept-Encoding: gzip, br;q=0.9\r\n", Some(Gzip)),
            ("Accept-Encoding: zstd\r\n", None),
            ("Accept-Encoding: zstd, *;q=0.1\r\n", Some(Brotli)),
            ("Accept-Encoding: gzip;q=0.5, identity\r\n", None),
            ("Accept-Encoding: identity;q=0, zstd\r\n", None),
            (
                "Accept-Encoding: gzip;q=0\r\nAccept-Encoding: br;q=0\r\n",
                None,
            ),
        ];
        for (fields, expected) in table {
            assert_eq!(chosen(&variants, fields), expected, "{fields}");
        }
        assert_eq!(variants.path(Some(Gzip)), *c"a.css.gz");
        assert_eq!(variants.path(None), *c"a.css");
    }

    #[test]
    fn what_is_no_variant_of_its_file_is_left_alone() {
        let older = Version::made(2, 10, CHANGED - Duration::from_nanos(1));
        let table = [
            (Seen::File(version(2)), true),
            (Seen::File(Version::made(2, 10, 2 * CHANGED)), true),
            (Seen::File(older), false),
            (Seen::File(Version::made(2, 0, CHANGED)), false),
            (Seen::Folder, false),
            (Seen::Absent(Absence::Missing), false),
            (Seen::Absent(Absence::Outside), false),
        ];
        for (seen, is_served) in table {
            let mut variants = Variants::new(c"a".to_owned(), version(1));
            assert_eq!(variants.saw(Some(Gzip), seen), is_served, "{seen:?}");
            assert_eq!(variants.is_negotiated(), is_served, "{seen:?}");
        }
        // One that was there and is not any more.
        let mut variants = Variants::new(c"a".to_owned(), version(1));
        variants.saw(Some(Gzip), Seen::File(version(2)));
        assert!(!variants.saw(Some(Gzip), Seen::Absent(Absence::Missing)));
        assert!(!variants.is_negotiated());
        assert!(!variants.saw(None, Seen::Folder));
        // The file itself is written to behind its neighbour.
        variants.saw(Some(Gzip), Seen::File(version(2)));
        assert!(variants.saw(None, Seen::File(version(4))));
        assert!(variants.is_negotiated());
        let later = Version::made(4, 10, 2 * CHANGED);
        assert!(variants.saw(None, Seen::File(later)));
        assert_eq!(variants, Variants::new(c"a".to_owned(), later));
    }
}
