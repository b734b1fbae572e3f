//! What a core remembers of the files that it sends (`cache.rs`): which of them, and what of each.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use http::Method;

use super::cache::{Content, Entry, Kept, Key};
use super::compressed::Made;
use super::representation::Representation;
use super::service::Served;
use super::variants::{Variant, Variants};
use super::version::Version;
use crate::http::ContentCoding;
use crate::limits::CACHED_FILE_BYTES;

/// A file that is about to be served, in one of its variants.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    /// The number of the release that it was found in.
    pub(super) release: u64,
    pub(super) variants: &'a Variants,
    /// When they were looked at.
    pub(super) looked_ns: u64,
    /// What it is remembered by.
    pub(super) name: &'a [u8],
}

/// How much of a file is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Remembering {
    /// All of it.
    Whole,
    /// Where it can be read.
    Open,
    /// That, and a replica of it as soon as it is asked for again.
    Replica,
}

impl Served {
    /// What is remembered for the file that `path` leads to, or a variant of it, is found by this.
    pub(super) fn key<'a>(&self, path: &'a [u8], coding: Option<ContentCoding>) -> Key<'a> {
        Key {
            root: self.number,
            path,
            coding,
        }
    }

    /// Why nothing of `version` is remembered at `now`, not even what is made of it, if so.
    pub(super) fn is_memorable(&self, version: Version, now: Duration) -> Result<(), &'static str> {
        if !self.cache.remembers_any() {
            Err("there is no memory for files")
        } else if version.is_racy(now) {
            Err("the file was changed just now")
        } else {
            Ok(())
        }
    }

    /// How much of a file as it is, of which `version` was seen, is remembered when `method` asks for it at
    /// `now`, or why nothing is. What is made of one is made for HEAD as well, which tells its length and its
    /// tag.
    pub(super) fn remembering(
        &self,
        method: &Method,
        version: Version,
        now: Duration,
    ) -> Result<Remembering, &'static str> {
        self.is_memorable(version, now)?;
        if method == Method::HEAD {
            Err("HEAD gets no content")
        } else if version.length() <= CACHED_FILE_BYTES as u64 {
            Ok(Remembering::Whole)
        } else if !self.policy.sendfile && version.length() <= self.cache.largest_replica() {
            Ok(Remembering::Replica)
        } else {
            Ok(Remembering::Open)
        }
    }

    /// Remembers what is made of `variant`, by the time that it is.
    pub(super) fn keeping(
        self: &Rc<Self>,
        sought: Sought<'_>,
        variant: Variant,
        now: Duration,
    ) -> impl FnOnce(&Made) + 'static {
        let served = Rc::clone(self);
        let Sought {
            release, looked_ns, ..
        } = sought;
        let (variants, name) = (sought.variants.clone(), sought.name.to_vec());
        move |made| {
            let sought = Sought {
                release,
                variants: &variants,
                looked_ns,
                name: &name,
            };
            served.remember_made(sought, variant, made, now);
        }
    }

    /// Remembers what was made of `variant`, unless the file has changed meanwhile.
    pub(super) fn remember_made(
        &self,
        sought: Sought<'_>,
        variant: Variant,
        made: &Made,
        now: Duration,
    ) {
        if made.is_settled {
            let kept = self.kept(sought.variants, variant, made, now);
            self.remember(sought, variant, kept);
        }
    }

    /// What is kept of `variant` as it was made; nothing of one that is not sent.
    pub(super) fn kept(
        &self,
        variants: &Variants,
        variant: Variant,
        made: &Made,
        now: Duration,
    ) -> Option<Kept> {
        let content = made.content.clone()?;
        let tag = made.tag.clone();
        let representation = Representation::new(&self.policy, variants, variant, tag, now);
        Some(Kept {
            representation: representation.of_length(content.len() as u64),
            content: Content::Whole(content),
        })
    }

    /// Remembers what is kept of `variant`, one of those that are sought, unless others are known that were
    /// looked at later.
    pub(super) fn remember(
        &self,
        sought: Sought<'_>,
        variant: Variant,
        kept: Option<Kept>,
    ) -> Rc<Entry> {
        let Sought {
            release,
            variants,
            looked_ns,
            name,
        } = sought;
        let entry = |variant, kept| Entry {
            variants: variants.clone(),
            variant,
            kept,
            release,
            looked_ns: Cell::new(looked_ns),
        };
        let key = self.key(name, None);
        let known = self.cache.get(key);
        let others = known
            .as_ref()
            .filter(|known| known.release != release || known.variants != *variants);
        if others.is_some_and(|others| others.looked_ns.get() > looked_ns) {
            return Rc::new(entry(variant, kept));
        }
        if variant.coding.is_some() && (known.is_none() || others.is_some()) {
            self.cache.insert(key, entry(variants.plain(), None));
        }
        self.cache
            .insert(self.key(name, variant.coding), entry(variant, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Files, Policy};
    use crate::ring::{RingOptions, run};

    #[test]
    fn nothing_is_remembered_in_place_of_what_was_looked_at_later() {
        run(None, RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            let files = Files::open(&ring, folder.path(), Policy::default()).unwrap();
            let served = &files.0;
            let [one, other] = [1, 2].map(|inode| {
                let version = Version::made(inode, 1, Duration::from_secs(1));
                Variants::new(c"a".to_owned(), version)
            });
            let remember = |variants: &Variants, coding, looked_ns| {
                let sought = Sought {
                    release: 0,
                    variants,
                    looked_ns,
                    name: b"a",
                };
                let variant = Variant {
                    coding,
                    is_made: coding.is_some(),
                    ..variants.plain()
                };
                served.remember(sought, variant, None);
            };
            let known = |coding| served.cache.get(served.key(b"a", coding));
            let gzip = Some(ContentCoding::Gzip);
            remember(&one, None, 2);
            // It was waited for, and is too late.
            remember(&other, None, 1);
            remember(&other, gzip, 1);
            assert_eq!(known(None).unwrap().variants, one);
            assert!(known(gzip).is_none());
            // What is made of what is known comes late as well, and makes it no older.
            remember(&one, gzip, 1);
            assert_eq!(known(gzip).unwrap().variants, one);
            assert_eq!(known(None).unwrap().looked_ns.get(), 2);
            remember(&other, gzip, 3);
            assert_eq!(known(None).unwrap().variants, other);
            assert_eq!(known(gzip).unwrap().variants, other);
        })
        .unwrap();
    }
}
