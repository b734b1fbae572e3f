//! Entity tags made of content: a file is read once for each of its versions, however many ask for it
//! meanwhile, and what came of it is kept, on each core for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future::yield_now;
use http::HeaderValue;
use xxhash_rust::xxh3::Xxh3;

use super::joint::Joint;
use super::transfer::{Held, copy_of};
use super::version::Version;
use crate::limits::{FILE_PIECE_BYTES, FILE_TAGS};

/// The tags that were made, by version, and those that are being made.
#[derive(Debug, Default)]
pub(super) struct Tags {
    made: RefCell<HashMap<Version, u128>>,
    making: Joint<Version, Hashed>,
}

/// The hash of a version, which is held as it was when it had been read; or why there is none.
type Hashed = Result<(Held, u128), Rc<io::Error>>;

impl Tags {
    /// The tag of the version that `held` holds: its hash (XXH3, 128 bits) and its length. Other tasks
    /// of the core run between two pieces of it.
    ///
    /// # Errors
    /// Those of [`Held::read`].
    pub(super) async fn make(
        &self,
        held: Held,
        now: Duration,
    ) -> io::Result<(Held, Option<HeaderValue>)> {
        let version = held.version();
        let known = self.made.borrow().get(&version).copied();
        let (held, hash) = match known {
            Some(hash) => (held, hash),
            None => {
                let made = self.making.join(version, || hash_of(held)).await;
                made.map_err(|error| copy_of(&error))?
            }
        };
        // Two contents could have been written within one tick of the clock.
        if known.is_none() && !version.is_racy(now) {
            let mut made = self.made.borrow_mut();
            if made.len() >= FILE_TAGS {
                let mut is_kept = false;
                made.retain(|_, _| {
                    is_kept = !is_kept;
                    is_kept
                });
            }
            made.insert(version, hash);
        }
        let tag = HeaderValue::try_from(format!("\"{:x}-{hash:032x}\"", version.length()));
        Ok((held, tag.ok()))
    }
}

async fn hash_of(mut held: Held) -> Hashed {
    let length = held.version().length();
    let mut hasher = Xxh3::new();
    let mut offset = 0;
    while offset < length {
        let bytes = (length - offset).min(FILE_PIECE_BYTES as u64);
        let piece;
        (held, piece) = held.read(offset, bytes as usize).await;
        hasher.update(&piece.map_err(Rc::new)?);
        offset += bytes;
        yield_now().await;
    }
    Ok((held, hasher.digest128()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::resolve;
    use crate::ring::{Access, File, Links, Opening, Ring, RingOptions, run};
    use futures_lite::future::{poll_once, zip};
    use std::fs;
    use std::sync::Arc;

    async fn held(ring: &Ring, folder: &tempfile::TempDir) -> Held {
        let opening = Opening {
            access: Access::Read,
            links: Links::None,
        };
        let folder = Arc::new(fs::File::open(folder.path()).unwrap().into());
        let file = File::open_beneath(ring, &folder, c"file", opening).await;
        let file = Rc::new(file.unwrap());
        let version = resolve::version(&*file).unwrap();
        Held::new(file, version)
    }

    #[test]
    fn half_of_the_tags_make_room_for_more() {
        run(None, RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("file"), "a").unwrap();
            let tags = Tags::default();
            let version = |inode| Version::made(u64::MAX - inode, 1, Duration::ZERO);
            let later = Duration::from_secs(1 << 40);
            for (known, kept) in [(FILE_TAGS - 1, FILE_TAGS), (FILE_TAGS, FILE_TAGS / 2 + 1)] {
                *tags.made.borrow_mut() = (0..known).map(|n| (version(n as u64), 0)).collect();
                tags.make(held(&ring, &folder).await, later).await.unwrap();
                assert_eq!(tags.made.borrow().len(), kept);
            }
        })
        .unwrap();
    }

    #[test]
    fn a_version_is_read_once_for_all_who_ask_for_its_tag() {
        run(None, RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            fs::write(&path, vec![7; 3 * FILE_PIECE_BYTES + 1]).unwrap();
            let tags = Tags::default();
            let later = Duration::from_secs(1 << 40);
            let both = [held(&ring, &folder).await, held(&ring, &folder).await];
            let [mut first, mut second] = both.map(|held| Box::pin(tags.make(held, later)));
            assert!(poll_once(&mut first).await.is_none());
            assert!(poll_once(&mut second).await.is_none());
            assert_eq!(tags.making.under_way(), 1);
            // The one that reads leaves.
            drop(first);
            let third = tags.make(held(&ring, &folder).await, later);
            let (second, third) = zip(second, third).await;
            let tag = second.unwrap().1.unwrap();
            assert_eq!(Some(&tag), third.unwrap().1.as_ref());
            assert_eq!((tags.making.under_way(), tags.made.borrow().len()), (0, 1));

            // Whoever waits for what is changed meanwhile learns of it, too.
            fs::write(&path, vec![8; 3 * FILE_PIECE_BYTES]).unwrap();
            let both = [held(&ring, &folder).await, held(&ring, &folder).await];
            let [mut first, second] = both.map(|held| Box::pin(tags.make(held, later)));
            assert!(poll_once(&mut first).await.is_none());
            fs::write(&path, "short").unwrap();
            let (first, second) = zip(first, second).await;
            for made in [first, second] {
                assert!(crate::files::transfer::is_change(&made.unwrap_err()));
            }
            let tag = tags.make(held(&ring, &folder).await, later).await;
            assert!(
                tag.unwrap()
                    .1
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with("\"5-")
            );
        })
        .unwrap();
    }
}
