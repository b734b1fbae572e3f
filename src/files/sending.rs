//! Answering with one file: from what the core remembers of it (`cache.rs`), or by opening it, with what
//! of it is remembered from then on.
//!
//! ```text
//! Wanted ─ remembered and fresh ─────────────────▶ answer
//!        └ looked at ─ remembered, and the same ─▶ answer
//!                    └ variants ─open─▶ Representation ─▶ remembered ─▶ answer
//! ```

use std::ffi::CString;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use http::Method;
use http::header::ACCEPT_ENCODING;

use super::answer::{from_kept, from_memory, from_origin};
use super::cache::{Content, Entry, Kept};
use super::decision::Seen;
use super::facts::Fact;
use super::parts::Origin;
use super::refusal::Refusal;
use super::remembering::{Remembering, Sought};
use super::replica::Replica;
use super::representation::Representation;
use super::resolve::{self, Found};
use super::root::Release;
use super::service::Served;
use super::transfer::{Held, is_change};
use super::variants::{Variant, Variants};
use super::version::Version;
use crate::app::{Request, Response};
use crate::http::AcceptedCodings;
use crate::limits::FILE_ATTEMPTS;

/// A file that a request is to be answered with.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Whose method, conditions, ranges and preferences count.
    pub(super) request: &'a Request,
    /// What the file is remembered by: what leads to it, by whatever decisions, again and again.
    pub(super) name: &'a [u8],
}

impl<'a> Wanted<'a> {
    /// What `request` asks for below the mount that it came to. It is remembered by the normal form of the
    /// path, of which there is one for all ways to write it.
    pub(super) fn below_mount(request: &'a Request) -> Self {
        let name = request.rest().as_bytes();
        Self { request, name }
    }
}

impl Served {
    /// The response from what can be believed without a look, and is in memory.
    pub(super) fn at_once(
        &self,
        release: &Release,
        wanted: Wanted<'_>,
        now_ns: u64,
    ) -> Option<Response> {
        let file = self.recall(release, wanted, now_ns)?;
        let entry = self.selected(&file, wanted)?;
        let kept = entry.kept.as_ref()?;
        let Content::Whole(content) = &kept.content else {
            return None;
        };
        self.cache.hit();
        let representation = &kept.representation;
        Some(from_memory(
            representation,
            content,
            wanted.request,
            &self.answers,
        ))
    }

    /// The response from what can be believed without a look.
    pub(super) async fn remembered(
        &self,
        release: &Release,
        wanted: Wanted<'_>,
        now_ns: u64,
    ) -> Option<Response> {
        let file = self.recall(release, wanted, now_ns)?;
        self.answer(&file, wanted).await
    }

    /// The response with the file at `relative`, of which `version` was seen at `now_ns`.
    pub(super) async fn file(
        self: &Rc<Self>,
        release: &Release,
        wanted: Wanted<'_>,
        relative: CString,
        version: Version,
        now_ns: u64,
    ) -> Result<Response, Refusal> {
        let variants = self.variants(release, relative, version).await;
        let variants = variants.map_err(|error| Refusal::failed(error, wanted.name))?;
        let file = self.cache.get(self.key(wanted.name, None));
        let is_same =
            |file: &Rc<Entry>| file.release == release.number && file.variants == variants;
        if let Some(file) = file.filter(is_same) {
            file.looked_ns.set(now_ns);
            if let Some(response) = self.answer(&file, wanted).await {
                return Ok(response);
            }
        }
        self.cache.miss();
        self.serve(release, variants, now_ns, wanted).await
    }

    /// Forgets the file that is wanted, which is not there any more.
    pub(super) fn forget(&self, wanted: Wanted<'_>) {
        self.cache.remove(self.key(wanted.name, None));
    }

    /// What is remembered of the file that is wanted, if it can be believed.
    fn recall(&self, release: &Release, wanted: Wanted<'_>, now_ns: u64) -> Option<Rc<Entry>> {
        let file = self.cache.get(self.key(wanted.name, None))?;
        file.is_fresh(release.number, now_ns).then_some(file)
    }

    /// What is remembered of the variant of `file` that is wanted.
    fn selected(&self, file: &Rc<Entry>, wanted: Wanted<'_>) -> Option<Rc<Entry>> {
        let variant = file.variants.choose(wanted.request.head());
        if variant.coding.is_none() {
            return Some(Rc::clone(file));
        }
        let entry = self.cache.get(self.key(wanted.name, variant.coding))?;
        if !entry.is_variant_of(file.release, &file.variants, variant) {
            return None;
        }
        entry.looked_ns.set(file.looked_ns.get());
        // Nothing is kept of a variant that would be no smaller than its file, or too large to be kept.
        let is_futile = variant.is_made && entry.kept.is_none();
        Some(if is_futile { Rc::clone(file) } else { entry })
    }

    /// The response from what is remembered of `file`; `None` if nothing is, or it has changed.
    pub(super) async fn answer(&self, file: &Rc<Entry>, wanted: Wanted<'_>) -> Option<Response> {
        let entry = self.selected(file, wanted)?;
        let now_ns = self.ring.now_ns();
        let entry = self.replicating(&entry, wanted, now_ns).unwrap_or(entry);
        let kept = entry.kept.as_ref()?;
        let version = entry.variant.version;
        let answered = from_kept(kept, version, wanted.request, &self.answers).await;
        let Ok(response) = answered else {
            // Even if the file is the same still, there may be something else with what was opened of it.
            let key = self.key(wanted.name, entry.variant.coding);
            self.cache.remove_if(key, |known| Rc::ptr_eq(known, &entry));
            return None;
        };
        self.cache.hit();
        Some(response)
    }

    /// What is remembered in place of `entry`, which is wanted once more at `now_ns` from its beginning, if that is an
    /// open file whose pages are not handed over as they are, and there is leave for a replica of it. One that there is,
    /// and for which memory was short, is filled on.
    pub(super) fn replicating(
        &self,
        entry: &Entry,
        wanted: Wanted<'_>,
        now_ns: u64,
    ) -> Option<Rc<Entry>> {
        let kept = entry.kept.as_ref()?;
        let is_sent = || {
            let request = wanted.request;
            let judgement = || kept.representation.judge(request.head());
            request.method() == Method::GET && judgement().is_sent_from_start()
        };
        let file = match &kept.content {
            Content::Open(file) if !self.policy.sendfile && is_sent() => file,
            Content::Replica(replica) if replica.short(now_ns).is_some() && is_sent() => {
                self.cache.resume(replica, now_ns);
                return None;
            }
            _ => return None,
        };
        let version = entry.variant.version;
        let leave = self.cache.replica_leave(version.length(), now_ns)?;
        let replica = Replica::new(Rc::clone(file), version, leave).ok()?;
        let kept = Kept {
            representation: kept.representation.clone(),
            content: Content::Replica(Rc::new(replica)),
        };
        let entry = Entry {
            variants: entry.variants.clone(),
            variant: entry.variant,
            kept: Some(kept),
            release: entry.release,
            looked_ns: entry.looked_ns.clone(),
        };
        let key = self.key(wanted.name, entry.variant.coding);
        Some(self.cache.insert(key, entry))
    }

    /// The file at `relative`, of which `version` was seen, with its neighbours.
    async fn variants(
        &self,
        release: &Release,
        relative: CString,
        version: Version,
    ) -> io::Result<Variants> {
        let links = self.policy.symlinks;
        let mut variants = Variants::new(relative.clone(), version);
        for coding in self.policy.neighbours(&relative) {
            let path = variants.path(Some(coding));
            let seen = resolve::look(&self.ring, release, &path, links).await?;
            let is_served = variants.saw(Some(coding), seen);
            self.facts.note(|| Fact::Looked(path.clone(), seen));
            if let (Seen::File(neighbour), false) = (seen, is_served) {
                let is_empty = neighbour.length() == 0;
                self.facts.note(|| Fact::LeftAlone { path, is_empty });
            }
        }
        if self.cache.room(&relative) > 0 {
            for coding in self.policy.compresses(&relative) {
                variants.offer(coding);
            }
        }
        Ok(variants)
    }

    /// Serves one of `variants`, which were looked at at `looked_ns`: again from the start if it is changed
    /// before anything is sent, and another if it is not there any more.
    async fn serve(
        self: &Rc<Self>,
        release: &Release,
        mut variants: Variants,
        looked_ns: u64,
        wanted: Wanted<'_>,
    ) -> Result<Response, Refusal> {
        let mut wait = self.policy.compression_wait;
        for _ in 0..FILE_ATTEMPTS {
            let links = self.policy.symlinks;
            let coding = variants.choose(wanted.request.head()).neighbour();
            let path = variants.path(coding);
            let failed = |error| Refusal::failed(error, path.to_bytes());
            let found = resolve::open(&self.ring, release, &path, links).await;
            let found = found.map_err(failed)?;
            let seen = match &found {
                Ok(found) => Seen::File(found.version),
                Err(absence) => Seen::Absent(*absence),
            };
            let is_served = variants.saw(coding, seen);
            if let Err(absence) = found {
                self.facts.note(|| Fact::Unopened(path.clone(), absence));
            }
            let found = match found {
                Ok(found) if is_served => found,
                Err(absence) if coding.is_none() => return Err(Refusal::absent(absence)),
                _ => continue,
            };
            let sought = Sought {
                release: release.number,
                variants: &variants,
                looked_ns,
                name: wanted.name,
            };
            // What is changed all the time is not waited for again.
            let wait = std::mem::take(&mut wait);
            match self.send(found, sought, wanted.request, wait).await {
                Ok(response) => return Ok(response),
                Err(error) if is_change(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(Refusal::Changing)
    }

    /// Sends what was `found`, the one of the variants that `request` gets; what is made of it, if that takes
    /// no longer than about `wait`.
    async fn send(
        self: &Rc<Self>,
        found: Found,
        sought: Sought<'_>,
        request: &Request,
        wait: Duration,
    ) -> io::Result<Response> {
        let variants = sought.variants;
        let Found { file, version } = found;
        let now = self.message_time();
        let file = Rc::new(file);
        let mut held = Held::new(Rc::clone(&file), version);
        let mut variant = variants.choose(request.head());
        if variant.is_made {
            // It may be replaced by then, and is what it was for who has a sample of it.
            held = held.sampled(0).await?;
            let made = self.compressed(held.clone(), variant, sought, request, wait, now);
            if let Some(response) = made.await {
                return Ok(response);
            }
            self.facts.note(|| Fact::Unmade(variant));
            // It was waited for: what was replaced or deleted meanwhile is another version, for its inode is
            // changed by that, and is not remembered.
            held = held.sampled(0).await?;
            variant = variants.plain();
        }
        self.facts.note(|| Fact::Chosen(variants.clone(), variant));
        let (held, tag) = if self.policy.hashes(version.length()) {
            self.tags.make(held, now).await?
        } else {
            (held, version.entity_tag(now))
        };
        let representation = Representation::new(&self.policy, variants, variant, tag, now);
        let remembering = self.remembering(request.method(), version, now);
        self.facts.note(|| Fact::Remembered(remembering));
        self.note_judgement(&representation, request);
        let (Ok(remembering), true) = (remembering, held.version() == version) else {
            let origin = Origin::Held(held, None);
            return from_origin(origin, &representation, request, &self.answers).await;
        };
        let (held, content) = match remembering {
            Remembering::Whole => {
                let (held, content) = held.read(0, version.length() as usize).await;
                (held, Content::Whole(content?.into()))
            }
            Remembering::Open | Remembering::Replica => (held, Content::Open(file)),
        };
        if held.version() != version {
            let origin = Origin::Held(held, None);
            return from_origin(origin, &representation, request, &self.answers).await;
        }
        let kept = Kept {
            representation,
            content,
        };
        let entry = self.remember(sought, variant, Some(kept));
        let kept = entry.kept.as_ref().ok_or(io::ErrorKind::NotFound)?;
        from_kept(kept, version, request, &self.answers).await
    }

    /// The response with `variant`, which is made of the file that is held; `None` if the file itself is
    /// sent in its place: it would be no smaller, is not made within about `wait`, or cannot be made at all.
    async fn compressed(
        self: &Rc<Self>,
        held: Held,
        variant: Variant,
        sought: Sought<'_>,
        request: &Request,
        wait: Duration,
        now: Duration,
    ) -> Option<Response> {
        let coding = variant.coding?;
        let known = self.cache.get(self.key(sought.name, Some(coding)));
        let is_futile = |known: &Rc<Entry>| {
            let is_it = known.is_variant_of(sought.release, sought.variants, variant);
            known.kept.is_none() && is_it
        };
        if known.as_ref().is_some_and(is_futile) {
            return None;
        }
        let room_bytes = self.cache.room(sought.variants.relative());
        let is_memorable = self.is_memorable(variant.version, now).is_ok();
        let keep = || is_memorable.then(|| self.keeping(sought, variant, now));
        let making = self.compressor.compress(held, coding, room_bytes, keep)?;
        let accepted = request.head().field_values(ACCEPT_ENCODING.as_str());
        let is_needed = AcceptedCodings::of(accepted).refuses_identity();
        let wait = (!is_needed).then_some(wait);
        let made = making.wait(&self.ring, wait).await?;
        // It may have been begun by a request for the same file by another name.
        let known = self.cache.get(self.key(sought.name, Some(coding)));
        let is_kept =
            |known: &Rc<Entry>| known.is_variant_of(sought.release, sought.variants, variant);
        if is_memorable && !known.as_ref().is_some_and(is_kept) {
            self.remember_made(sought, variant, &made, now);
        }
        let kept = self.kept(sought.variants, variant, &made, now)?;
        let Content::Whole(content) = &kept.content else {
            return None;
        };
        self.facts
            .note(|| Fact::Chosen(sought.variants.clone(), variant));
        let memorable = self.is_memorable(variant.version, now);
        let remembering = memorable.map(|()| Remembering::Whole);
        self.facts.note(|| Fact::Remembered(remembering));
        self.note_judgement(&kept.representation, request);
        Some(from_memory(
            &kept.representation,
            content,
            request,
            &self.answers,
        ))
    }

    fn note_judgement(&self, representation: &Representation, request: &Request) {
        let head = request.head();
        self.facts
            .note(|| Fact::Judged(head.clone(), representation.judge(head)));
    }

    /// The time since 1970 at which the response will be dated at the earliest. RFC 9110 §8.8.2.1: no
    /// file may claim to be younger than its response, whatever its time says.
    pub(super) fn message_time(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        // Responses are dated by the ring's clock, which stands still while its tasks run.
        let behind_ns = self.ring.clock_ns().saturating_sub(self.ring.now_ns());
        now.saturating_sub(Duration::from_nanos(behind_ns))
    }
}
