//! Files that are compressed for those who want them so: once for each version and coding, however many
//! ask for it meanwhile. What comes of it is the cache's to keep.
//!
//! The result is served like any file: with a length, ranges, and a strong tag, which is made of its
//! octets. So a peer that goes on with a part of it has a part of the same, whichever program, level or
//! node made either.

use std::io;
use std::ops::RangeInclusive;
use std::rc::Rc;

use bytes::Bytes;
use futures_lite::future::yield_now;
use http::HeaderValue;
use xxhash_rust::xxh3::xxh3_128;

use super::joint::Joint;
use super::policy::Policy;
use super::transfer::{Held, copy_of};
use super::version::Version;
use crate::coding::{self, Levels, Spares, Step};
use crate::http::ContentCoding;
use crate::limits::{CODING_SLICE_BYTES, COMPRESSIONS, FILE_CODING_BYTES, FILE_PIECE_BYTES};

/// What a core compresses files with.
pub(super) struct Compressor {
    spares: Rc<Spares>,
    making: Joint<(Version, ContentCoding), Outcome>,
}

type Outcome = Result<Made, Rc<io::Error>>;

/// What came of compressing a version of a file.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// The compressed content; `None` if it would be no smaller.
    pub(super) content: Option<Bytes>,
    /// The entity tag of `content`.
    pub(super) tag: Option<HeaderValue>,
    /// Whether the file was still of that version when all of it had been read, and not longer by then.
    pub(super) is_settled: bool,
}

/// Whether files can be compressed in `coding`.
pub(super) fn can_encode(coding: ContentCoding) -> bool {
    coding::can_encode(coding)
}

/// The levels of `coding`, and the one that it has unless another is asked for; `None` if there is no
/// encoder for it.
pub(crate) fn levels(coding: ContentCoding) -> Option<(RangeInclusive<u8>, u8)> {
    let levels = (Levels::range(coding), Levels::default().of(coding));
    can_encode(coding).then_some(levels)
}

impl Compressor {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut levels = Levels::default();
        for &(coding, level) in &policy.compress {
            let range = Levels::range(coding);
            levels.set(coding, level.clamp(*range.start(), *range.end()));
        }
        Self {
            spares: Rc::new(Spares::new(levels)),
            making: Joint::default(),
        }
    }

    /// Compresses the version that `held` holds in `coding`, in turns with the other tasks of the core;
    /// `None` if it has as much to compress as it may have at a time.
    ///
    /// # Errors
    /// Those of [`Held::read`]; or there is no memory for an encoder.
    pub(super) async fn compress(
        &self,
        held: Held,
        coding: ContentCoding,
    ) -> io::Result<Option<Made>> {
        let key = (held.version(), coding);
        if self.making.under_way() >= COMPRESSIONS && !self.making.has(&key) {
            return Ok(None);
        }
        let begin = || compress(held, coding, Rc::clone(&self.spares));
        let made = self.making.join(key, begin).await;
        made.map(Some).map_err(|error| copy_of(&error))
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// It ends a slice with a flush where the middleware does, for the same reason: some encoders hold
/// back several slices otherwise, to work on them at once.
async fn compress(mut held: Held, coding: ContentCoding, spares: Rc<Spares>) -> Outcome {
    let version = held.version();
    let length = version.length();
    let mut encoder = spares.take(coding)?;
    let mut content = Vec::new();
    let mut offset = 0;
    while offset < length && (content.len() as u64) < length {
        let bytes = (length - offset).min(FILE_PIECE_BYTES as u64);
        let piece;
        (held, piece) = held.read(offset, bytes as usize).await;
        for slice in piece?.chunks(FILE_CODING_BYTES) {
            offset += slice.len() as u64;
            let step = match offset % CODING_SLICE_BYTES as u64 {
                _ if offset == length => Step::Finish,
                0 => Step::Flush,
                _ => Step::More,
            };
            encoder.encode(slice, step, &mut content)?;
            yield_now().await;
        }
    }
    spares.give_back(coding, encoder);
    let is_smaller = (content.len() as u64) < length;
    content.shrink_to_fit();
    let hash = xxh3_128(&content);
    let tag = HeaderValue::try_from(format!("\"{:x}-{hash:032x}\"", content.len()));
    Ok(Made {
        content: is_smaller.then(|| content.into()),
        tag: tag.ok(),
        is_settled: held.version() == version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::resolve;
    use crate::ring::{Access, File, Links, Opening, Ring, RingOptions, run};
    use ContentCoding::Gzip;
    use futures_lite::future::{poll_once, zip};
    use std::ffi::CString;
    use std::fs;
    use std::sync::Arc;

    async fn held(ring: &Ring, folder: &tempfile::TempDir, name: usize) -> Held {
        let opening = Opening {
            access: Access::Read,
            links: Links::None,
        };
        let folder = Arc::new(fs::File::open(folder.path()).unwrap().into());
        let name = CString::new(name.to_string()).unwrap();
        let file = File::open_beneath(ring, &folder, &name, opening).await;
        let file = Rc::new(file.unwrap());
        let version = resolve::version(&*file).unwrap();
        Held::new(file, version)
    }

    #[test]
    fn a_version_is_compressed_once_for_all_who_ask_and_so_many_at_a_time() {
        run(None, RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            for name in 0..=COMPRESSIONS {
                let path = folder.path().join(name.to_string());
                fs::write(path, vec![7; 3 * FILE_PIECE_BYTES]).unwrap();
            }
            let compressor = Compressor::new(&Policy::default());
            let mut making = Vec::new();
            for name in 0..COMPRESSIONS {
                let held = held(&ring, &folder, name).await;
                let mut made = Box::pin(compressor.compress(held, Gzip));
                assert!(poll_once(&mut made).await.is_none());
                making.push(made);
            }
            assert_eq!(compressor.making.under_way(), COMPRESSIONS);
            let one_more = held(&ring, &folder, COMPRESSIONS).await;
            let one_more = compressor.compress(one_more, Gzip).await;
            assert!(one_more.unwrap().is_none());
            // For what is under way already there is room.
            let same = compressor.compress(held(&ring, &folder, 0).await, Gzip);
            let (first, same) = zip(making.swap_remove(0), same).await;
            let [first, same] = [first, same].map(|made| made.unwrap().unwrap());
            assert_eq!(
                first.content.as_ref().map(|content| content.as_ptr()),
                same.content.as_ref().map(|content| content.as_ptr())
            );
            assert!(first.is_settled && first.tag == same.tag);
            assert_eq!(compressor.making.under_way(), COMPRESSIONS - 1);
            drop(making);
            assert_eq!(compressor.making.under_way(), 0);
        })
        .unwrap();
    }
}
