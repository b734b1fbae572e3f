//! Entity tags made of content: a file is read once for each of its versions, and what came of it is
//! kept, on each core for itself.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::time::Duration;

use futures_lite::future::yield_now;
use http::HeaderValue;
use xxhash_rust::xxh3::Xxh3;

use super::transfer::Held;
use super::version::Version;
use crate::limits::{FILE_PIECE_BYTES, FILE_TAGS};

/// The tags that were made, by version.
#[derive(Debug, Default)]
pub(super) struct Tags(RefCell<HashMap<Version, u128>>);

impl Tags {
    /// The tag of the version that `held` holds: its hash (XXH3, 128 bits) and its length. Other tasks
    /// of the core run between two pieces of it.
    ///
    /// # Errors
    /// Those of [`Held::read`].
    pub(super) async fn make(
        &self,
        mut held: Held,
        now: Duration,
    ) -> (Held, io::Result<Option<HeaderValue>>) {
        let version = held.version();
        let known = self.0.borrow().get(&version).copied();
        let hash = match known {
            Some(hash) => hash,
            None => {
                let hash;
                (held, hash) = hash_of(held).await;
                match hash {
                    Ok(hash) => hash,
                    Err(error) => return (held, Err(error)),
                }
            }
        };
        // Two contents could have been written within one tick of the clock.
        if known.is_none() && !version.is_racy(now) {
            let mut tags = self.0.borrow_mut();
            if tags.len() >= FILE_TAGS {
                tags.clear();
            }
            tags.insert(version, hash);
        }
        let tag = HeaderValue::try_from(format!("\"{:x}-{hash:032x}\"", version.length()));
        (held, Ok(tag.ok()))
    }
}

async fn hash_of(mut held: Held) -> (Held, io::Result<u128>) {
    let length = held.version().length();
    let mut hasher = Xxh3::new();
    let mut offset = 0;
    while offset < length {
        let bytes = (length - offset).min(FILE_PIECE_BYTES as u64);
        let piece;
        (held, piece) = held.read(offset, bytes as usize).await;
        match piece {
            Ok(piece) => hasher.update(&piece),
            Err(error) => return (held, Err(error)),
        }
        offset += bytes;
        yield_now().await;
    }
    (held, Ok(hasher.digest128()))
}
