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
use crate::limits::{
    CODING_SLICE_BYTES, COMPRESSIONS, FILE_BROTLI_LEVEL, FILE_CODING_BYTES, FILE_PIECE_BYTES,
    FILE_ZSTD_LEVEL,
};

/// What a core compresses files with.
pub(super) struct Compressor {
    levels: Levels,
    spares: Rc<Spares>,
    making: Joint<(Version, ContentCoding), Outcome>,
}

type Outcome = Result<Made, Rc<io::Error>>;

/// What came of compressing a version of a file.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// The compressed content; `None` if it would be no smaller, or larger than there is room for.
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

/// The levels of `coding` at which files are compressed, and the one that it has unless another is asked
/// for; `None` if there is no encoder for it.
pub(crate) fn levels(coding: ContentCoding) -> Option<(RangeInclusive<u8>, u8)> {
    let levels = (range(coding), Levels::default().of(coding));
    can_encode(coding).then_some(levels)
}

/// The levels at which no part of a file holds the core for long: an encoder works on a whole block of
/// its own at once, which takes seconds at the highest levels of some.
fn range(coding: ContentCoding) -> RangeInclusive<u8> {
    let all = Levels::range(coding);
    let most = match coding {
        ContentCoding::Brotli => FILE_BROTLI_LEVEL,
        ContentCoding::Zstd => FILE_ZSTD_LEVEL,
        ContentCoding::Gzip | ContentCoding::Deflate => *all.end(),
    };
    *all.start()..=most.min(*all.end())
}

/// In how many parts of its usual size `coding` gets its input at `level`.
fn parts(coding: ContentCoding, level: u8) -> usize {
    match level > Levels::default().of(coding) {
        true => 2,
        false => 1,
    }
}

impl Compressor {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut levels = Levels::default();
        for &(coding, level) in &policy.compress {
            let range = range(coding);
            levels.set(coding, level.clamp(*range.start(), *range.end()));
        }
        Self {
            levels,
            spares: Rc::new(Spares::new(levels)),
            making: Joint::default(),
        }
    }

    /// Compresses the version that `held` holds in `coding`, if that makes it smaller and it then has no
    /// more than `room_bytes`, in turns with the other tasks of the core; `None` if it has as much to
    /// compress as it may have at a time.
    ///
    /// # Errors
    /// Those of [`Held::read`]; or there is no memory for an encoder.
    pub(super) async fn compress(
        &self,
        held: Held,
        coding: ContentCoding,
        room_bytes: usize,
    ) -> io::Result<Option<Made>> {
        let key = (held.version(), coding);
        if self.making.under_way() >= COMPRESSIONS && !self.making.has(&key) {
            return Ok(None);
        }
        let begin = || {
            let parts = parts(coding, self.levels.of(coding));
            compress(held, coding, parts, room_bytes, Rc::clone(&self.spares))
        };
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
async fn compress(
    mut held: Held,
    coding: ContentCoding,
    parts: usize,
    room_bytes: usize,
    spares: Rc<Spares>,
) -> Outcome {
    let version = held.version();
    let length = version.length();
    let is_worth_it = |bytes: usize| (bytes as u64) < length && bytes <= room_bytes;
    let mut encoder = spares.take(coding)?;
    let mut content = Vec::new();
    let mut offset = 0;
    while offset < length && is_worth_it(content.len()) {
        let bytes = (length - offset).min(FILE_PIECE_BYTES as u64);
        let piece;
        (held, piece) = held.read(offset, bytes as usize).await;
        for slice in piece?.chunks(FILE_CODING_BYTES / parts) {
            offset += slice.len() as u64;
            let step = match offset % (CODING_SLICE_BYTES / parts) as u64 {
                _ if offset == length => Step::Finish,
                0 => Step::Flush,
                _ => Step::More,
            };
            encoder.encode(slice, step, &mut content)?;
            yield_now().await;
        }
    }
    spares.give_back(coding, encoder);
    let is_worth_it = is_worth_it(content.len());
    content.shrink_to_fit();
    let hash = xxh3_128(&content);
    let tag = HeaderValue::try_from(format!("\"{:x}-{hash:032x}\"", content.len()));
    Ok(Made {
        content: is_worth_it.then(|| content.into()),
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
                let mut made = Box::pin(compressor.compress(held, Gzip, usize::MAX));
                assert!(poll_once(&mut made).await.is_none());
                making.push(made);
            }
            assert_eq!(compressor.making.under_way(), COMPRESSIONS);
            let one_more = held(&ring, &folder, COMPRESSIONS).await;
            let one_more = compressor.compress(one_more, Gzip, usize::MAX).await;
            assert!(one_more.unwrap().is_none());
            // For what is under way already there is room.
            let same = compressor.compress(held(&ring, &folder, 0).await, Gzip, usize::MAX);
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
    #[test]
    fn what_there_is_no_room_for_is_given_up() {
        run(None, RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("0"), vec![7; 3 * FILE_PIECE_BYTES]).unwrap();
            let compressor = Compressor::new(&Policy::default());
            let made = async |room_bytes| {
                let held = held(&ring, &folder, 0).await;
                let made = compressor.compress(held, Gzip, room_bytes).await;
                made.unwrap().unwrap().content
            };
            let content = made(usize::MAX).await.unwrap();
            assert_eq!(made(content.len()).await, Some(content.clone()));
            assert_eq!(made(content.len() - 1).await, None);
        })
        .unwrap();
    }

    #[test]
    fn no_level_is_higher_than_those_of_files() {
        let codings = [
            (ContentCoding::Brotli, 11),
            (ContentCoding::Zstd, 19),
            (Gzip, 9),
        ];
        let compressor = Compressor::new(&Policy {
            compress: codings.to_vec(),
            ..Policy::default()
        });
        let levels = codings.map(|(coding, _)| compressor.levels.of(coding));
        assert_eq!(levels, [FILE_BROTLI_LEVEL, FILE_ZSTD_LEVEL, 9]);
        assert_eq!(parts(Gzip, 5), 1);
        assert_eq!(parts(Gzip, 6), 2);
    }
}
