//! Files that are compressed for those who want them so: once for each version and coding, however many
//! ask for it meanwhile. What comes of it is the cache's to keep. What is made for one request, as a listing is,
//! is compressed for that alone (`streamed`).
//!
//! ```text
//! request ─▶ under way? ─no─▶ a task of the core: read ─▶ slice, in turn with others … ─▶ remembered
//!                └─────────────▶ waits, not for long ◀──────────────── done ────────────────┘
//!                                  └▶ the file as it is
//! ```
//!
//! A task of its own does it, and not the requests that wait, for what comes of it is for those who ask
//! later: it goes on where all of them have left or have waited for too long. Given up with the last of
//! them it would be begun again by the next, for nothing. Where nobody could be served with it later, because
//! the file was changed too recently to be remembered or the core drains, what no request waits for ends with
//! its next slice.
//!
//! What a peer can make the core do that way is bounded: each version is compressed once as long as it is
//! remembered, a few at a time ([`COMPRESSIONS`]), one slice of one of them between two turns of the core's ring,
//! behind all that the first of these woke. In a folder of more text than the cache has room for, it can have the encoders work all the time,
//! and only at that pace.
//!
//! The result is served like any file: with a length, ranges, and a strong tag, which is made of its
//! octets. So a peer that goes on with a part of it has a part of the same, whichever program, level or
//! node made either.

mod output;
mod streamed;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::io;
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use http::HeaderValue;
use xxhash_rust::xxh3::Xxh3;

pub(super) use self::streamed::Encoder;

use self::output::Output;
use super::policy::Policy;
use super::transfer::Held;
use super::version::Version;
use crate::coding::{self, Levels, Spares, Step};
use crate::flag::Flag;
use crate::http::ContentCoding;
use crate::limits::{
    CODING_SLICE_BYTES, COMPRESSIONS, FILE_BROTLI_LEVEL, FILE_CODING_BYTES, FILE_PIECE_BYTES,
    FILE_ZSTD_LEVEL, LISTING_ENCODERS,
};
use crate::log;
use crate::permits::{Permit, Permits};
use crate::ring::{Deadline, Ring};
use crate::turns::{Turn, Turns};

/// What all folders of a core have in common that compress files.
#[derive(Debug)]
pub(crate) struct Compressing {
    permits: Permits,
    /// Leave to compress what is made for one request.
    streams: Permits,
    turns: Turns,
    /// The turn of the ring, by its clock in nanoseconds, behind which the last slice was done.
    sliced_ns: Cell<u64>,
    #[cfg(test)]
    slices: Cell<u64>,
    is_draining: Cell<bool>,
    /// Whether nothing is begun any more.
    is_ending: Cell<bool>,
    /// Raised by the last that was under way then.
    has_ended: Flag,
}

/// What a core compresses the files of a folder with.
pub(super) struct Compressor {
    levels: Levels,
    spares: Rc<Spares>,
    spares_of_streams: Rc<Spares>,
    common: Rc<Compressing>,
    making: Rc<RefCell<HashMap<Key, Rc<Making>>>>,
}

type Key = (Version, ContentCoding);

/// A version of a file that is being compressed.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// `None` inside where nothing came of it.
    outcome: OnceCell<Option<Made>>,
    is_over: Flag,
    /// How many requests wait for it.
    waiting: Cell<usize>,
}

/// One request that waits.
struct Waiting<'a>(&'a Making);

/// What is done of it between others.
struct Work {
    held: Held,
    coding: ContentCoding,
    /// In how many parts of the usual size the encoder gets its input.
    parts: usize,
    room_bytes: usize,
    /// Whether somebody keeps what comes of it for those who ask later.
    is_kept: bool,
    spares: Rc<Spares>,
    common: Rc<Compressing>,
    making: Rc<Making>,
}

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

/// In how many parts of its usual size `coding` gets its input at `level`: in as many as it takes for the
/// longest step, which ends with a flush, to stay below 1 ms.
///
/// Measured over 4 MiB of source text in release, on a machine with other work, a flush takes on average and
/// a long one: br:4 0.5 and 0.75 ms, br:6 0.5 and 0.7 ms, zstd:3 0.3 and 0.3 ms, zstd:9 0.6 and 0.8 ms. gzip
/// works on what it gets at once: at 5 a step takes 0.1 and 0.5 ms, at 9 0.15 and 0.3 ms. Noise takes gzip:5
/// 0.25 and 0.55 ms, and the others less. With twice as much at a time brotli took 0.9 to 1 ms and 1.2 to
/// 1.6 ms, for 1 % of the size.
fn parts(coding: ContentCoding, level: u8) -> usize {
    let is_slow = coding == ContentCoding::Brotli;
    let is_high = level > Levels::default().of(coding);
    (1 + usize::from(is_slow)) * (1 + usize::from(is_high))
}

impl Default for Compressing {
    fn default() -> Self {
        Self {
            permits: Permits::new(COMPRESSIONS),
            streams: Permits::new(LISTING_ENCODERS),
            turns: Turns::default(),
            sliced_ns: Cell::new(0),
            #[cfg(test)]
            slices: Cell::new(0),
            is_draining: Cell::new(false),
            is_ending: Cell::new(false),
            has_ended: Flag::default(),
        }
    }
}

impl Compressing {
    /// Compresses nothing any more that no request waits for.
    pub(super) fn drain(&self) {
        self.is_draining.set(true);
    }

    /// Waits until nothing is under way any more. No request comes from now on.
    pub(super) async fn end(&self) {
        self.is_ending.set(true);
        if self.permits.are_taken() {
            self.has_ended.wait().await;
        }
    }

    /// Waits for the turn to do a slice, and until one may be done.
    async fn turn(&self, ring: &Ring) -> Turn<'_> {
        let turn = self.turns.take().await;
        self.slot(ring).await;
        turn
    }

    /// Waits until a slice may be done: until the ring has turned since the last one, and all that this woke
    /// has run. It is to be done at once.
    async fn slot(&self, ring: &Ring) {
        loop {
            while ring.now_ns() == self.sliced_ns.get() {
                yield_now().await;
            }
            yield_now().await;
            // Another that had no turn may have done one meanwhile.
            if ring.now_ns() != self.sliced_ns.get() {
                break;
            }
        }
        self.sliced_ns.set(ring.now_ns());
        #[cfg(test)]
        self.slices.set(self.slices.get() + 1);
    }

    /// Gives back the leave of one that is over.
    fn is_over(&self, permit: Permit) {
        drop(permit);
        if self.is_ending.get() && !self.permits.are_taken() {
            self.has_ended.raise();
        }
    }
}

impl Compressor {
    pub(super) fn new(policy: &Policy, common: &Rc<Compressing>) -> Self {
        let mut levels = Levels::default();
        for &(coding, level) in &policy.compress {
            let range = range(coding);
            levels.set(coding, level.clamp(*range.start(), *range.end()));
        }
        Self {
            levels,
            spares: Rc::new(Spares::new(levels)),
            spares_of_streams: Rc::new(Spares::new(streamed::of_streams(&levels))),
            common: Rc::clone(common),
            making: Rc::default(),
        }
    }

    /// Has a task of the core compress the version that `held` holds in `coding`, if that makes it smaller
    /// and it then has no more than `room_bytes`, and tell what `keep` returns what came of it; or else what is
    /// under way already. If `keep` returns nothing, it goes on for as long as a request waits. `None` if the core
    /// has as much to compress as it may have at a time.
    pub(super) fn compress<K: FnOnce(&Made) + 'static>(
        &self,
        held: Held,
        coding: ContentCoding,
        room_bytes: usize,
        keep: impl FnOnce() -> Option<K>,
    ) -> Option<Rc<Making>> {
        let key = (held.version(), coding);
        if let Some(making) = self.making.borrow().get(&key) {
            return Some(Rc::clone(making));
        }
        let permit = self.common.permits.take()?;
        let making = Rc::<Making>::default();
        self.making.borrow_mut().insert(key, Rc::clone(&making));
        let keep = keep();
        let work = Work {
            held,
            coding,
            parts: parts(coding, self.levels.of(coding)),
            room_bytes,
            is_kept: keep.is_some(),
            spares: Rc::clone(&self.spares),
            common: Rc::clone(&self.common),
            making: Rc::clone(&making),
        };
        let (all, this) = (Rc::clone(&self.making), Rc::clone(&making));
        let common = Rc::clone(&self.common);
        let task = async move {
            // It is run at once, and who has it begun is about to wait.
            yield_now().await;
            let outcome = outcome(work.run()).await;
            if let (Some(made), Some(keep)) = (&outcome, keep) {
                keep(made);
            }
            all.borrow_mut().remove(&key);
            this.end(outcome);
            common.is_over(permit);
        };
        glommio::spawn_local(task).detach();
        Some(making)
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

/// What comes of `work`. Whoever waits sends the file as it is where it failed, and learns why where that
/// cannot be read either. A panic of an encoder would be the end of the core: what caused it is as good as
/// no smaller, so that it is not compressed again.
async fn outcome(work: impl Future<Output = io::Result<Option<Made>>>) -> Option<Made> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(made) => made.ok().flatten(),
        Err(payload) => {
            log::compressing_panicked(&*payload);
            Some(Made {
                content: None,
                tag: None,
                is_settled: true,
            })
        }
    }
}

impl Making {
    /// Waits for what comes of it, for about `wait` if that is given. `None` if nothing does, or not by
    /// then.
    pub(super) async fn wait(&self, ring: &Ring, wait: Option<Duration>) -> Option<Made> {
        let _waiting = Waiting::new(self);
        match wait {
            None => self.is_over.wait().await,
            Some(Duration::ZERO) => {}
            Some(wait) => {
                let deadline = Deadline::new(ring);
                deadline.arm(wait);
                deadline.limit(self.is_over.wait()).await.ok()?;
            }
        }
        self.outcome.get()?.clone()
    }

    fn end(&self, outcome: Option<Made>) {
        // It ends once.
        let _ = self.outcome.set(outcome);
        self.is_over.raise();
    }
}

impl<'a> Waiting<'a> {
    fn new(making: &'a Making) -> Self {
        making.waiting.set(making.waiting.get() + 1);
        Self(making)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.set(self.0.waiting.get() - 1);
    }
}

impl Work {
    /// Whether nobody gets what comes of it, neither now nor later.
    fn is_for_nobody(&self) -> bool {
        let is_asked_later = self.is_kept && !self.common.is_draining.get();
        !is_asked_later && self.making.waiting.get() == 0
    }

    /// Compresses all of it; `None` if nobody waits for it any more, and nobody will.
    ///
    /// It ends a slice with a flush where the middleware does, for the same reason: some encoders hold
    /// back several slices otherwise, to work on them at once.
    async fn run(self) -> io::Result<Option<Made>> {
        let mut held = self.held.clone();
        let version = held.version();
        let length = version.length();
        let is_worth_it = |bytes: usize| (bytes as u64) < length && bytes <= self.room_bytes;
        let mut encoder = self.spares.take(self.coding)?;
        let mut output = Output::new(length as usize);
        let mut hash = Xxh3::new();
        let mut offset = 0;
        while offset < length && is_worth_it(output.bytes()) {
            let bytes = (length - offset).min(FILE_PIECE_BYTES as u64);
            let piece;
            (held, piece) = held.read(offset, bytes as usize).await;
            for slice in piece?.chunks(FILE_CODING_BYTES / self.parts) {
                if self.is_for_nobody() {
                    return Ok(None);
                }
                let turn = self.common.turn(held.ring()).await;
                if self.is_for_nobody() {
                    return Ok(None);
                }
                offset += slice.len() as u64;
                let step = match offset % (CODING_SLICE_BYTES / self.parts) as u64 {
                    _ if offset == length => Step::Finish,
                    0 => Step::Flush,
                    _ => Step::More,
                };
                output.push(|piece| {
                    let hashed = piece.len();
                    encoder.encode(slice, step, piece)?;
                    hash.update(&piece[hashed..]);
                    Ok(())
                })?;
                drop(turn);
            }
        }
        self.spares.give_back(self.coding, encoder);
        let bytes = output.bytes();
        let content = match is_worth_it(bytes) {
            true => Some(self.joined(held.ring(), output).await),
            false => None,
        };
        // All of it took its time: what was replaced or deleted meanwhile is another version, for its
        // inode is changed by that.
        held = held.sampled(0).await?;
        let is_settled = held.version() == version;
        let hash = hash.digest128();
        let tag = || HeaderValue::try_from(format!("\"{bytes:x}-{hash:032x}\"")).ok();
        Ok(Some(Made {
            tag: content.as_ref().and_then(|_| tag()),
            content,
            is_settled,
        }))
    }

    /// All of `output`, in turn with others.
    async fn joined(&self, ring: &Ring, output: Output) -> Bytes {
        let mut whole = Vec::with_capacity(output.bytes());
        for piece in output.into_pieces() {
            let turn = self.common.turn(ring).await;
            whole.extend_from_slice(&piece);
            drop(turn);
        }
        whole.into()
    }
}

#[cfg(test)]
mod tests;
