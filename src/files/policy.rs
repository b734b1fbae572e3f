//! What a folder's files are served by: options that were proved, and what they decide of a path.
//! It is pure: it knows no file, only names.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use http::HeaderValue;

use super::error_pages::ErrorPages;
use super::glob::Glob;
use super::header_rules::HeaderRules;
use super::media;
use super::redirects::Redirects;
use crate::http::ContentCoding;
use crate::limits::{COMPRESSION_WAIT, FILE_CACHE_BYTES, HASHED_FILE_BYTES};

/// The options of a folder being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which symbolic links are followed below the root. Default: [`Symlinks::Beneath`]. What lies behind one is
    /// hidden by the path that is asked for, and not by its own.
    pub symlinks: Symlinks,
    /// Whether names that begin with a dot are served. Default: no, but for `.well-known` at the
    /// root, which is served anyway.
    pub dot_files: bool,
    /// Files and folders that are not served. Default: none.
    pub hide: Vec<Glob>,
    /// What entity tags are made of. Default: [`EntityTags::Mtime`].
    pub entity_tags: EntityTags,
    /// Values of Cache-Control for the files that a glob matches, and for the listings and archives of
    /// folders; the first that does counts. Default: none, and so no such field of files, `no-cache` of
    /// listings, and `no-store` of archives.
    pub cache_control: Vec<(Glob, HeaderValue)>,
    /// Other fields of the responses of files, and of the listings and archives of folders. Default: none.
    pub response_headers: HeaderRules,
    /// Where requests are sent instead, before any file is looked at. Default: none.
    pub redirects: Redirects,
    /// Files that are the content of errors. Default: none.
    pub error_pages: ErrorPages,
    /// Media types by extension, in lower case and without its dot, before those of [`media`]; by the whole of a
    /// name without an extension, in lower case as well; and by `*` for what has no other. Default: none.
    pub media_types: BTreeMap<Box<str>, HeaderValue>,
    /// The codings whose [neighbours](super::variants) are served in place of a file, best first.
    /// Default: zstd, br, gzip.
    pub precompressed: Vec<ContentCoding>,
    /// The codings in which files are compressed for those who accept them, best first, each with a level,
    /// where there is no neighbour in the coding: see [`variants`](super::variants). What there is no encoder for
    /// (features `compression`, `compression-br`, `compression-zstd`) is left out, a level that
    /// would hold the core is lowered ([`FILE_BROTLI_LEVEL`](crate::limits::FILE_BROTLI_LEVEL)), and what finds no
    /// room in [`Policy::cache_bytes`] is sent as it is. Listings are compressed as well, while they are sent and
    /// at the default levels at most, but for short ones and more than
    /// [`LISTING_ENCODERS`](crate::limits::LISTING_ENCODERS). Default: none.
    pub compress: Vec<(ContentCoding, u8)>,
    /// How long a request waits for a file that is compressed for it, before it gets the file as it is; it
    /// waits up to 100 ms longer, the coarseness of the ring's deadlines, or not at all with 0. One that
    /// refuses the file as it is (`identity;q=0`) waits to the end. Default: [`COMPRESSION_WAIT`].
    pub compression_wait: Duration,
    /// Names of what a folder serves when it is asked for itself: the first that is there counts.
    /// Default: `index.html`.
    pub index: Vec<CString>,
    /// Whether `/about` serves `about.html`, where no file is called `about`. It goes before a folder of that
    /// name, as static exporters mean it. Default: no.
    pub clean_urls: bool,
    /// The path below the root of the file that is served to navigations where nothing is, with 200:
    /// to requests whose Accept fields name `text/html`, for paths whose last name has no extension.
    /// It is for applications that read the path themselves. Default: none.
    pub fallback: Option<CString>,
    /// Whether what lies in a folder without an index is listed. Default: no.
    pub listing: bool,
    /// Whether a folder may be downloaded as a tar archive, by `?download=tar`, whether or not it has an
    /// index or is listed. It tells all names in it that are not hidden, and redirects withhold nothing of
    /// it. Default: no.
    pub tar: bool,
    /// Whether files go out as they lie in memory, which takes a fraction of the CPU time for large ones, and
    /// is for folders whose files are replaced and not written to: what is changed in place, or cut off,
    /// while the network takes it may reach a peer as a mixture, and nobody notices. Otherwise they are
    /// copied, and what was copied is of one version. Default: no.
    pub sendfile: bool,
    /// Bytes of files that a core remembers; 0 for none. Half of them are for copies of larger files, of which
    /// each may take half of that ([`REPLICA_SHARE`](crate::limits::REPLICA_SHARE)). Default:
    /// [`FILE_CACHE_BYTES`].
    pub cache_bytes: u64,
}

/// Which symbolic links are followed below the root. The root itself may always be one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Symlinks {
    /// None: what lies behind one is not there.
    Never,
    /// Those that lead to something below the root, by a relative path that does not leave it on the
    /// way (RESOLVE_BENEATH of `openat2(2)`).
    #[default]
    Beneath,
    /// All, wherever they lead.
    Any,
}

/// What entity tags are made of. They are strong (RFC 9110 §8.8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntityTags {
    /// Length, inode, and the time in nanoseconds at which content or properties were changed last (ctime),
    /// which nobody can set. Costs nothing. It is another after `chmod`, for a copy, and on every node.
    #[default]
    Mtime,
    /// The content, which is read once for each version of a file, before its first response. Two
    /// nodes with the same content have the same tags. A file of more than
    /// [`HASHED_FILE_BYTES`] has the other kind.
    Hash,
}

/// Why a policy does not serve a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// It, or a folder on the way, begins with a dot.
    Dot,
    /// A glob says so.
    By(Glob),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            symlinks: Symlinks::default(),
            dot_files: false,
            hide: Vec::new(),
            entity_tags: EntityTags::default(),
            cache_control: Vec::new(),
            response_headers: HeaderRules::default(),
            redirects: Redirects::default(),
            error_pages: ErrorPages::default(),
            media_types: BTreeMap::new(),
            precompressed: vec![
                ContentCoding::Zstd,
                ContentCoding::Brotli,
                ContentCoding::Gzip,
            ],
            compress: Vec::new(),
            compression_wait: COMPRESSION_WAIT,
            index: vec![c"index.html".to_owned()],
            clean_urls: false,
            fallback: None,
            listing: false,
            tar: false,
            sendfile: false,
            cache_bytes: FILE_CACHE_BYTES,
        }
    }
}

impl Policy {
    /// Why `relative`, a decoded path below the root, is hidden; `None` if it is not.
    ///
    /// RFC 8615 §3 puts `.well-known` at the top of the hierarchy, and only there it is served.
    pub fn hides(&self, relative: &[u8]) -> Option<Hidden> {
        let is_hidden = |(place, name): (usize, &[u8])| {
            name.starts_with(b".") && name != b"." && !(place == 0 && name == b".well-known")
        };
        let mut names = relative.split(|&byte| byte == b'/').enumerate();
        if !self.dot_files && names.any(is_hidden) {
            return Some(Hidden::Dot);
        }
        let by = self.hide.iter().find(|glob| glob.covers(relative));
        by.map(|glob| Hidden::By(glob.clone()))
    }

    /// The media type of the file at `relative`.
    pub fn media_type(&self, relative: &[u8]) -> HeaderValue {
        match self.own_media_type(relative) {
            Some(value) => value.clone(),
            None => HeaderValue::from_static(media::media_type(relative)),
        }
    }

    /// The media type that [`Policy::media_types`] has for the file at `relative`: for its extension, or for the
    /// whole of a name without one; or else for all that the table of the program does not have.
    pub fn own_media_type(&self, relative: &[u8]) -> Option<&HeaderValue> {
        if self.media_types.is_empty() {
            return None;
        }
        let name = relative.rsplit(|&byte| byte == b'/').next()?;
        let named = str::from_utf8(media::extension(name).unwrap_or(name)).ok();
        let own = named.and_then(|named| self.media_types.get(&*named.to_ascii_lowercase()));
        let is_unknown = media::media_type(relative) == media::UNKNOWN;
        own.or_else(|| self.media_types.get("*").filter(|_| is_unknown))
    }

    /// Whether the entity tag of a file of `length` bytes is made of its content.
    pub(super) fn hashes(&self, length: u64) -> bool {
        self.entity_tags == EntityTags::Hash && length <= HASHED_FILE_BYTES
    }

    /// The value of Cache-Control for the file at `relative`, and the glob that gives it.
    pub fn cache_control(&self, relative: &[u8]) -> Option<&(Glob, HeaderValue)> {
        let mut rules = self.cache_control.iter();
        rules.find(|(glob, _)| glob.matches(relative))
    }

    /// [`Policy::cache_control`] for the folder at `relative`.
    pub fn cache_control_of_folder(&self, relative: &[u8]) -> Option<&(Glob, HeaderValue)> {
        let mut rules = self.cache_control.iter();
        rules.find(|(glob, _)| glob.matches_folder(relative))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Vec<Glob> {
        patterns.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_are_hidden_by_their_dot_or_by_a_glob() {
        let policy = Policy {
            hide: globs(&["*.key", "/private"]),
            ..Policy::default()
        };
        let by = |pattern| Some(Hidden::By(globs(&[pattern]).remove(0)));
        let table: &[(&[u8], Option<Hidden>)] = &[
            (b".", None),
            (b"a", None),
            (b"a.b/c", None),
            (b".env", Some(Hidden::Dot)),
            (b"...", Some(Hidden::Dot)),
            (b"a/.git/config", Some(Hidden::Dot)),
            (b".well-known", None),
            (b".well-known/acme-challenge/x", None),
            (b".well-known/.git", Some(Hidden::Dot)),
            (b".well-knownx", Some(Hidden::Dot)),
            (b"a/.well-known/b", Some(Hidden::Dot)),
            (b"a/b.key", by("*.key")),
            (b"b.key/c", by("*.key")),
            (b"private", by("/private")),
            (b"private/a", by("/private")),
            (b"a/private", None),
        ];
        for (path, expected) in table {
            assert_eq!(&policy.hides(path), expected, "{}", path.escape_ascii());
        }
        let open = Policy {
            dot_files: true,
            ..policy
        };
        assert_eq!(open.hides(b"a/.git/config"), None);
        assert_eq!(open.hides(b".a.key"), by("*.key"));
    }

    #[test]
    fn the_first_rule_counts() {
        let value = HeaderValue::from_static;
        let rule = |glob: &str, text| (glob.parse().unwrap(), value(text));
        let policy = Policy {
            cache_control: vec![
                rule("/assets/**", "immutable"),
                rule("*.html", "no-cache"),
                rule("/**", "max-age=60"),
            ],
            ..Policy::default()
        };
        let table: &[(&[u8], &str)] = &[
            (b"assets/a.html", "immutable"),
            (b"a/b.html", "no-cache"),
            (b"a", "max-age=60"),
        ];
        for (path, expected) in table {
            let rule = policy.cache_control(path);
            assert_eq!(rule.unwrap().1, value(expected));
        }
        assert_eq!(Policy::default().cache_control(b"a"), None);
    }

    #[test]
    fn types_of_ones_own_go_first() {
        let own = [("md", "text/plain"), ("x", "text/x")];
        let own = own.map(|(extension, media)| (extension.into(), HeaderValue::from_static(media)));
        let policy = Policy {
            media_types: own.into(),
            ..Policy::default()
        };
        let table: &[(&[u8], &str)] = &[
            (b"a.md", "text/plain"),
            (b"a.MD", "text/plain"),
            (b"a.b/c.x", "text/x"),
            (b"a.css", "text/css; charset=utf-8"),
            (b"x", "text/x"),
            (b"a/X", "text/x"),
            (b".x", media::UNKNOWN),
            (b"y", media::UNKNOWN),
            (b"x.y", media::UNKNOWN),
        ];
        for (path, expected) in table {
            assert_eq!(policy.media_type(path), expected);
        }
        let mut policy = policy;
        policy
            .media_types
            .insert("*".into(), HeaderValue::from_static("text/else"));
        let table: &[(&[u8], &str)] = &[
            (b"a.md", "text/plain"),
            (b"a.css", "text/css; charset=utf-8"),
            (b"y", "text/else"),
            (b"x.y", "text/else"),
            (b"\xff", "text/else"),
        ];
        for (path, expected) in table {
            assert_eq!(policy.media_type(path), expected);
        }
    }
}
