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
    /// looked at later, or there is a replica of it.
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
        let key = self.key(name, variant.coding);
        let copied = self
            .cache
            .get(key)
            .filter(|known| known.is_replica() && known.is_variant_of(release, variants, variant));
        let Some(copied) = copied.filter(|_| variant.coding.is_some() || others.is_none()) else {
            return self.cache.insert(key, entry(variant, kept));
        };
        // Whoever opened the file meanwhile has no more of it than its replica, which would be thrown away.
        copied.looked_ns.set(copied.looked_ns.get().max(looked_ns));
        Rc::new(entry(variant, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::common::Common;
    use crate::files::pages;
    use crate::files::policy::Symlinks;
    use crate::files::replica::Replica;
    use crate::files::resolve::{self, Found};
    use crate::files::sending::Wanted;
    use crate::files::{Files, Policy};
    use crate::limits::REPLICA_IDLE;
    use crate::ring::{File, Ring, RingOptions, run};
    use rustix::fs::{SealFlags, fcntl_add_seals};
    use tempfile::TempDir;

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

    /// A folder with the file `a`, served; the file opened, and the one version that there is of it.
    async fn opened(ring: &Ring) -> (TempDir, Files, Rc<File>, Variants) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), vec![b'a'; CACHED_FILE_BYTES + 1]).unwrap();
        let common = Common::new(100_000_000);
        let files = Files::sharing(ring, folder.path(), Policy::default(), &common).unwrap();
        let release = files.0.root.release(0);
        let found = resolve::open(ring, &release, c"a", Symlinks::Never).await;
        let Found { file, version } = found.unwrap().unwrap();
        let variants = Variants::new(c"a".to_owned(), version);
        (folder, files, Rc::new(file), variants)
    }

    /// Remembers `content` of the file itself, of which `variants` tells, as looked at at `looked_ns`.
    fn remember(
        served: &Served,
        variants: &Variants,
        content: Content,
        looked_ns: u64,
    ) -> Rc<Entry> {
        let sought = Sought {
            release: 0,
            variants,
            looked_ns,
            name: b"a",
        };
        let now = served.message_time();
        let representation =
            Representation::new(&served.policy, variants, variants.plain(), None, now);
        let kept = Kept {
            representation,
            content,
        };
        served.remember(sought, variants.plain(), Some(kept))
    }

    fn replica_of(file: &Rc<File>, version: Version, served: &Served) -> Rc<Replica> {
        let leave = served.cache.replica_leave(version.length(), 0).unwrap();
        Rc::new(Replica::new(Rc::clone(file), version, leave).unwrap())
    }

    #[test]
    fn an_open_file_takes_no_place_of_its_replica() {
        run(None, RingOptions::default(), |ring| async move {
            let (_folder, files, file, variants) = opened(&ring).await;
            let served = &files.0;
            let version = variants.plain().version;
            let replica = replica_of(&file, version, served);
            let is_remembered = || {
                let known = served.cache.get(served.key(b"a", None)).unwrap();
                let content = known.kept.as_ref().map(|kept| &kept.content);
                matches!(content, Some(Content::Replica(known)) if Rc::ptr_eq(known, &replica))
            };
            remember(served, &variants, Content::Replica(Rc::clone(&replica)), 2);
            // It was opened before there was a replica, or after.
            for (looked_ns, known_ns) in [(1, 2), (3, 3)] {
                let late = remember(
                    served,
                    &variants,
                    Content::Open(Rc::clone(&file)),
                    looked_ns,
                );
                assert!(!late.is_replica() && is_remembered());
                let known = served.cache.get(served.key(b"a", None)).unwrap();
                assert_eq!(known.looked_ns.get(), known_ns);
            }
            replica.fill(version, 0, b"aaa");
            assert_eq!(replica.filled_from(0), 3);
            // Of other variants of the file nothing else is known, and of another version there is no replica.
            let longer = Version::made(1, version.length(), Duration::from_secs(1));
            let other = Variants::new(c"a".to_owned(), longer);
            remember(served, &other, Content::Open(Rc::clone(&file)), 4);
            assert!(!is_remembered() && replica.source().is_none());
        })
        .unwrap();
    }

    #[test]
    fn a_replica_is_filled_on_some_time_after_memory_was_short() {
        run(None, RingOptions::default(), |ring| async move {
            let (_folder, files, file, variants) = opened(&ring).await;
            let served = &files.0;
            let version = variants.plain().version;
            let replica = replica_of(&file, version, served);
            let known = remember(served, &variants, Content::Replica(Rc::clone(&replica)), 1);
            replica.fill(version, 0, b"aaa");
            // There is as good as no memory: nothing can be written to it.
            fcntl_add_seals(replica.pages(), SealFlags::FUTURE_WRITE).unwrap();
            replica.fill(version, 3, b"aaa");
            let seen_ns = ring.now_ns();
            let short = replica.short(seen_ns).unwrap().as_nanos() as u64;
            let due_ns = seen_ns - short + REPLICA_IDLE.as_nanos() as u64;
            let request = pages::plain_request().unwrap();
            let wanted = Wanted {
                request: &request,
                name: b"a",
            };
            for (now_ns, is_filled) in [(due_ns - 1, false), (due_ns, true)] {
                assert!(served.replicating(&known, wanted, now_ns).is_none());
                assert_eq!(replica.unfilled(now_ns).is_some(), is_filled);
            }
            assert_eq!(replica.filled_from(0), 3);
        })
        .unwrap();
    }

    #[test]
    fn what_cannot_be_sent_is_not_remembered() {
        run(None, RingOptions::default(), |ring| async move {
            let (folder, files, _, variants) = opened(&ring).await;
            let served = &files.0;
            std::fs::write(folder.path().join("b"), "b").unwrap();
            let release = served.root.release(0);
            let other = resolve::open(&ring, &release, c"b", Symlinks::Never).await;
            let other = Rc::new(other.unwrap().unwrap().file);
            let replica = replica_of(&other, variants.plain().version, served);
            let known = remember(served, &variants, Content::Replica(replica), 1);
            let request = pages::plain_request().unwrap();
            let wanted = Wanted {
                request: &request,
                name: b"a",
            };
            assert!(served.answer(&known, wanted).await.is_none());
            assert!(served.cache.get(served.key(b"a", None)).is_none());
        })
        .unwrap();
    }
}
