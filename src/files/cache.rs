//! What a core remembers of the files it serves: a bounded number of bytes, those used last. Small files
//! are remembered whole, larger ones as open descriptors, for as long as they are asked for and have a name:
//! an open file that was deleted takes room on the disk. Of those that are asked for again there are replicas
//! (`replica.rs`), as far as there is room. It does no I/O and reads no clock.
//!
//! Nothing in it is believed for longer than [`FILE_FRESHNESS`]: after that the file is looked at, and
//! what is remembered serves on if it is still of the same version. What was remembered in one release
//! of a root is nothing to the next.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use slab::Slab;

use super::replica::{Leave, Replica};
use super::representation::Representation;
use super::variants::{Variant, Variants};
use crate::http::ContentCoding;
use crate::limits::{
    FILE_FRESHNESS, OPEN_FILE_IDLE, OPEN_FILES, REPLICA_IDLE, REPLICA_SHARE, REPLICAS_FILLING,
};
use crate::permits::{Permit, Permits};
use crate::ring::File;
use crate::stats::FileCache;

/// What an entry costs beside its content, in bytes, about.
const ENTRY_BYTES: usize = 1024;

/// What the entry of the file at `relative` costs beside its content, in bytes, about.
fn entry_bytes(relative: &CStr) -> usize {
    ENTRY_BYTES + 2 * relative.count_bytes()
}

/// The files that a core remembers.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: RefCell<Entries>,
    /// Most bytes of all entries.
    capacity: usize,
    /// Whether files are kept open, which [`Cache::let_go`] is then called for.
    keeps_open: bool,
    /// The bytes of all replicas, those that were forgotten and are still being sent among them.
    replica_bytes: Permits,
    filling: Permits,
    hits: Cell<u64>,
    misses: Cell<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Where the entry for a path and a coding is, by root.
    places: Vec<[HashMap<Rc<[u8]>, usize>; KINDS]>,
    list: Slab<Place>,
    /// The places used last and longest ago.
    newest: Option<usize>,
    oldest: Option<usize>,
    bytes: usize,
    /// How often any was used.
    uses: u64,
    /// The places of those that are kept open, at most [`OPEN_FILES`].
    open: Vec<usize>,
}

/// An entry among those used before and after it.
#[derive(Debug)]
struct Place {
    root: usize,
    kind: usize,
    path: Rc<[u8]>,
    entry: Rc<Entry>,
    /// Which use of all entries was the last of this one.
    used: u64,
    newer: Option<usize>,
    older: Option<usize>,
}

/// What an entry is for: the number of a folder of the core, what leads to the file there, and the
/// coding of the variant if it is not the file itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) root: usize,
    pub(super) path: &'a [u8],
    pub(super) coding: Option<ContentCoding>,
}

/// Entries for one path: the file itself, and a variant in each coding.
const KINDS: usize = 1 + ContentCoding::ALL.len();

impl Key<'_> {
    fn kind(self) -> usize {
        self.coding.map_or(0, |coding| 1 + coding as usize)
    }
}

/// A file as it is remembered, or a variant of it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The file with its neighbours; of a variant, as they were when it was read.
    pub(super) variants: Variants,
    /// Which of them this is.
    pub(super) variant: Variant,
    /// What is sent of it; `None` while nobody has asked for the file itself, and of a variant that would be
    /// no smaller than its file, or that there is no room for.
    pub(super) kept: Option<Kept>,
    /// The release of its root that it was found in.
    pub(super) release: u64,
    /// When it was looked at last, on the ring's clock, in nanoseconds. Nobody looks at a variant
    /// that is remembered: it is believed if it is the one that the fresh entry of its file tells of.
    pub(super) looked_ns: Cell<u64>,
}

/// What is remembered of a variant, to be sent.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) representation: Representation,
    pub(super) content: Content,
}

/// What is remembered of a file's content.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// All of it.
    Whole(Bytes),
    /// Where it can be read.
    Open(Rc<File>),
    /// A copy of it that nobody changes, or what there is of one and where the rest can be read.
    Replica(Rc<Replica>),
}

impl Entry {
    /// Whether it can be believed at `now_ns` without a look.
    pub(super) fn is_fresh(&self, release: u64, now_ns: u64) -> bool {
        self.release == release && self.idle(now_ns) < FILE_FRESHNESS
    }

    /// Whether this is the `variant` of the file that `variants` tells of, in `release`.
    pub(super) fn is_variant_of(
        &self,
        release: u64,
        variants: &Variants,
        variant: Variant,
    ) -> bool {
        self.release == release
            && self.variant == variant
            && self.variants.relative() == variants.relative()
    }

    fn bytes(&self) -> usize {
        let content = match self.content() {
            Some(Content::Whole(bytes)) => bytes.len(),
            Some(Content::Replica(replica)) => replica.bytes(),
            _ => 0,
        };
        entry_bytes(self.variants.relative()) + content
    }

    fn content(&self) -> Option<&Content> {
        self.kept.as_ref().map(|kept| &kept.content)
    }

    /// Whether a descriptor is kept for it.
    fn is_open(&self) -> bool {
        matches!(self.content(), Some(Content::Open(_) | Content::Replica(_)))
    }

    /// Whether there is a replica of it, whole or not.
    pub(super) fn is_replica(&self) -> bool {
        matches!(self.content(), Some(Content::Replica(_)))
    }

    fn idle(&self, now_ns: u64) -> Duration {
        Duration::from_nanos(now_ns.saturating_sub(self.looked_ns.get()))
    }
}

impl Cache {
    /// A cache of at most `capacity` bytes; of none, if that is 0. It keeps files open if it `keeps_open`.
    pub(crate) fn new(capacity: usize, keeps_open: bool) -> Self {
        Self {
            entries: RefCell::default(),
            capacity,
            keeps_open,
            replica_bytes: Permits::new(capacity / REPLICA_SHARE),
            filling: Permits::new(REPLICAS_FILLING),
            hits: Cell::new(0),
            misses: Cell::new(0),
        }
    }

    /// A number for another root.
    pub(super) fn number_root(&self) -> usize {
        let places = &mut self.entries.borrow_mut().places;
        places.push(Default::default());
        places.len() - 1
    }

    /// Whether there is room for anything.
    pub(super) fn remembers_any(&self) -> bool {
        self.capacity > 0
    }

    /// Bytes that what is made of the file at `relative` may have to be remembered beside the file.
    pub(super) fn room(&self, relative: &CStr) -> usize {
        let entries = 2 * entry_bytes(relative);
        self.capacity.saturating_sub(entries)
    }

    /// What is remembered for `key`, which then was used last.
    pub(super) fn get(&self, key: Key<'_>) -> Option<Rc<Entry>> {
        let entries = &mut *self.entries.borrow_mut();
        let place = entries.place_of(key)?;
        entries.renew(place);
        Some(Rc::clone(&entries.list[place].entry))
    }

    /// Remembers `entry`, in place of what was remembered for `key`, and forgets what was used longest
    /// ago to make room for it.
    pub(super) fn insert(&self, key: Key<'_>, entry: Entry) -> Rc<Entry> {
        let entry = Rc::new(entry);
        self.remove(key);
        let bytes = entry.bytes();
        if bytes > self.capacity || (entry.is_open() && !self.keeps_open) {
            return entry;
        }
        let entries = &mut *self.entries.borrow_mut();
        while entries.bytes + bytes > self.capacity {
            let Some(oldest) = entries.oldest else { break };
            entries.remove(oldest);
        }
        if entry.is_open() && entries.open.len() >= OPEN_FILES {
            let oldest = entries.oldest_open(|_| true);
            oldest.into_iter().for_each(|place| entries.remove(place));
        }
        entries.insert(key, Rc::clone(&entry));
        entry
    }

    /// Forgets what is remembered for `key`.
    pub(super) fn remove(&self, key: Key<'_>) {
        self.remove_if(key, |_| true);
    }

    /// Forgets what is remembered for `key`, if `is_it`.
    pub(super) fn remove_if(&self, key: Key<'_>, is_it: impl FnOnce(&Rc<Entry>) -> bool) {
        let entries = &mut *self.entries.borrow_mut();
        let place = entries.place_of(key);
        if let Some(place) = place.filter(|&place| is_it(&entries.list[place].entry)) {
            entries.remove(place);
        }
    }

    /// Largest file of which there may be a replica, in bytes.
    pub(super) fn largest_replica(&self) -> u64 {
        (self.capacity / REPLICA_SHARE / REPLICA_SHARE) as u64
    }

    /// Leave for a replica of so many bytes, at `now_ns`, for which those make room that nobody has asked for, or has
    /// filled, in [`REPLICA_IDLE`]. Others do not: more files than there is room for would be copied in vain, in
    /// turns.
    pub(super) fn replica_leave(&self, bytes: u64, now_ns: u64) -> Option<Leave> {
        if bytes > self.largest_replica() {
            return None;
        }
        let filling = self.filling_leave(now_ns)?;
        // What is being sent would win no room.
        let bytes = self.leave(&self.replica_bytes, bytes as usize, |entry, replica| {
            entry.idle(now_ns) >= REPLICA_IDLE && Rc::strong_count(replica) == 1
        })?;
        Some(Leave { bytes, filling })
    }

    /// Has a replica filled on for which there was no memory [`REPLICA_IDLE`] before `now_ns` or earlier, if there is
    /// leave for it.
    pub(super) fn resume(&self, replica: &Replica, now_ns: u64) {
        let short = replica.short(now_ns);
        if short.is_some_and(|short| short >= REPLICA_IDLE)
            && let Some(filling) = self.filling_leave(now_ns)
        {
            replica.resume(filling, now_ns);
        }
    }

    /// Leave to fill one more at `now_ns`, for which one makes room that nobody has filled in [`REPLICA_IDLE`].
    fn filling_leave(&self, now_ns: u64) -> Option<Permit> {
        self.leave(&self.filling, 1, |_, replica| {
            let unfilled = replica.unfilled(now_ns);
            unfilled.is_some_and(|unfilled| unfilled >= REPLICA_IDLE)
        })
    }

    /// Leave of `permits` for `count`, for which those replicas make room that are idle.
    fn leave(
        &self,
        permits: &Permits,
        count: usize,
        is_idle: impl Fn(&Entry, &Rc<Replica>) -> bool,
    ) -> Option<Permit> {
        let entries = &mut *self.entries.borrow_mut();
        loop {
            if let Some(leave) = permits.take_some(count) {
                return Some(leave);
            }
            let place = entries.oldest_open(|entry| match entry.content() {
                Some(Content::Replica(replica)) => is_idle(entry, replica),
                _ => false,
            })?;
            entries.remove(place);
        }
    }

    /// Lets go of the open files that nobody has looked at for [`OPEN_FILE_IDLE`] at `now_ns`, and of those
    /// that `is_deleted`; and likewise of replicas.
    pub(super) fn let_go(&self, now_ns: u64, is_deleted: impl Fn(&File) -> bool) {
        let entries = &mut *self.entries.borrow_mut();
        let is_over = |&place: &usize| {
            let entry = &entries.list[place].entry;
            let is_gone = match entry.content() {
                Some(Content::Open(file)) => is_deleted(file),
                Some(Content::Replica(replica)) => {
                    replica.source().is_some_and(|file| is_deleted(&file))
                }
                _ => false,
            };
            entry.idle(now_ns) >= OPEN_FILE_IDLE || is_gone
        };
        let over: Vec<_> = entries.open.iter().copied().filter(is_over).collect();
        for place in over {
            entries.remove(place);
        }
    }

    /// Counts a request that was answered from what is remembered.
    pub(super) fn hit(&self) {
        self.hits.set(self.hits.get() + 1);
    }

    /// Counts a request for which a file had to be opened.
    pub(super) fn miss(&self) {
        self.misses.set(self.misses.get() + 1);
    }

    /// What `/stats` tells of it.
    pub(crate) fn figures(&self) -> FileCache {
        let entries = self.entries.borrow();
        FileCache {
            hits: self.hits.get(),
            misses: self.misses.get(),
            entries: entries.list.len() as u64,
            bytes: entries.bytes as u64,
        }
    }
}

impl Entries {
    fn place_of(&self, key: Key<'_>) -> Option<usize> {
        self.places.get(key.root)?[key.kind()]
            .get(key.path)
            .copied()
    }

    fn insert(&mut self, key: Key<'_>, entry: Rc<Entry>) {
        self.bytes += entry.bytes();
        let is_open = entry.is_open();
        let path: Rc<[u8]> = key.path.into();
        let place = self.list.insert(Place {
            root: key.root,
            kind: key.kind(),
            path: Rc::clone(&path),
            entry,
            used: 0,
            newer: None,
            older: None,
        });
        self.places[key.root][key.kind()].insert(path, place);
        self.open.extend(is_open.then_some(place));
        self.push(place);
    }

    fn remove(&mut self, place: usize) {
        self.unlink(place);
        let removed = self.list.remove(place);
        self.places[removed.root][removed.kind].remove(&removed.path);
        let entry = removed.entry;
        if let Some(Content::Replica(replica)) = entry.content() {
            replica.stop();
        }
        self.bytes -= entry.bytes();
        self.open.retain(|&other| other != place);
    }

    /// Of those that are kept open and that `is_sought`, the one used longest ago.
    fn oldest_open(&self, is_sought: impl Fn(&Entry) -> bool) -> Option<usize> {
        let open = self.open.iter().copied();
        let sought = open.filter(|&place| is_sought(&self.list[place].entry));
        sought.min_by_key(|&place| self.list[place].used)
    }

    fn renew(&mut self, place: usize) {
        if self.newest != Some(place) {
            self.unlink(place);
            self.push(place);
        }
    }

    /// Puts a place that is in no order in front of all others.
    fn push(&mut self, place: usize) {
        self.uses += 1;
        self.list[place].used = self.uses;
        let older = self.newest.replace(place);
        self.list[place].older = older;
        self.list[place].newer = None;
        match older {
            Some(older) => self.list[older].newer = Some(place),
            None => self.oldest = Some(place),
        }
    }

    /// Takes a place out of the order.
    fn unlink(&mut self, place: usize) {
        let Place { newer, older, .. } = self.list[place];
        match newer {
            Some(newer) => self.list[newer].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.list[older].newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests;
