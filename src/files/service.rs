//! Serves the regular files of a folder to GET and HEAD.
//!
//! ```text
//! path ─decision─▶ Look ─resolve─▶ Seen … ─▶ File ─open─▶ Representation ─answer─▶ whole, part, parts
//!                                          └▶ a redirect, or a refusal               └ transfer ─▶ peer
//! ```
//!
//! Where a file has compressed neighbours (`variants.rs`), all of them are looked at, and one is opened.
//!
//! A request path is decoded and judged by names first (`decision.rs`), but what keeps a request inside
//! the folder is the kernel: every open is `openat2(2)` relative to the folder (`resolve.rs`). What may
//! not be seen is not told apart from what is not there.
//!
//! A small file is read whole before the response begins, and remembered (`cache.rs`): what is
//! remembered and was looked at shortly before is answered at once, without a system call. A larger one
//! is sent from where it lies, or read piece by piece (`transfer.rs`). Either way it is of one version,
//! or not sent.

use super::answer::{Boundaries, from_kept, from_memory, from_open};
use super::archive;
use super::cache::{Cache, Content, Entry, Kept, Key};
use super::decision::{self, Absence, Decision, Reason, Seen, Step};
use super::folder::Folder;
use super::listed;
use super::listing::{Asked, Place};
use super::path::directory_location;
use super::policy::{EntityTags, Policy};
use super::representation::Representation;
use super::resolve::{self, Found};
use super::root::{Release, Root};
use super::tags::Tags;
use super::transfer::{Held, is_change};
use super::variants::Variants;
use super::version::Version;
use crate::app::{Answer, Error, Handler, IntoResponse, Request, Response};
use crate::http::{ContentCoding, names_type};
use crate::limits::{CACHED_FILE_BYTES, FILE_ATTEMPTS, HASHED_FILE_BYTES, REQUEST_LINE_BYTES};
use crate::ring::Ring;
use http::header::{ALLOW, LOCATION, VARY};
use http::{HeaderValue, Method, StatusCode};
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What a request line has beside its target.
const AROUND_TARGET_BYTES: usize = "HEAD  HTTP/1.1\r\n".len();

/// A folder being served on one core.
#[derive(Clone, Debug)]
pub struct Files(pub(super) Rc<Served>);

#[derive(Debug)]
pub(super) struct Served {
    pub(super) ring: Ring,
    pub(super) root: Root,
    pub(super) policy: Rc<Policy>,
    listings: listed::Memory,
    archives: archive::Running,
    /// Longest request line that the server takes, in bytes.
    request_line_bytes: usize,
    boundaries: Boundaries,
    tags: Tags,
    cache: Rc<Cache>,
    /// Which of the core's folders it is, for the cache.
    number: usize,
}

/// How much of a file is remembered.
pub(super) enum Remembering {
    /// All of it.
    Whole,
    /// Where it can be read.
    Open,
}

impl Files {
    /// Serves `folder`, below where it is mounted, on the core of `ring`.
    ///
    /// # Errors
    /// What `open(2)` answers: the folder is not there, is none, or may not be entered.
    pub fn open(ring: &Ring, folder: impl AsRef<Path>, policy: Policy) -> io::Result<Self> {
        let capacity = usize::try_from(policy.cache_bytes).unwrap_or(usize::MAX);
        Self::remembering(ring, folder, policy, &Rc::new(Cache::new(capacity)))
    }

    /// [`Files::open`] with the cache of a core, whose size is not the policy's any more.
    pub(crate) fn remembering(
        ring: &Ring,
        folder: impl AsRef<Path>,
        policy: Policy,
        cache: &Rc<Cache>,
    ) -> io::Result<Self> {
        Ok(Self(Rc::new(Served {
            ring: ring.clone(),
            root: Root::open(folder.as_ref(), ring.clock_ns())?,
            policy: Rc::new(policy),
            listings: listed::Memory::default(),
            archives: archive::Running::default(),
            request_line_bytes: REQUEST_LINE_BYTES,
            boundaries: Boundaries::default(),
            tags: Tags::default(),
            number: cache.number_root(),
            cache: Rc::clone(cache),
        })))
    }

    /// Redirects to nothing for which the server would not take the request line. Default:
    /// [`REQUEST_LINE_BYTES`].
    pub fn request_line_bytes(mut self, bytes: usize) -> Self {
        if let Some(served) = Rc::get_mut(&mut self.0) {
            served.request_line_bytes = bytes;
        }
        self
    }
}

// Nobody means a folder where a handler is no `async fn`.
#[diagnostic::do_not_recommend]
impl Handler for Files {
    fn call(&self, request: Request) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answer::ready(not_allowed(request.method()));
        }
        let served = Rc::clone(&self.0);
        let now_ns = served.ring.now_ns();
        let release = served.root.release(now_ns);
        if let Some(file) = served.recall(&release, &request, now_ns)
            && let Some(entry) = served.selected(&file, &request)
            && let Some(kept) = &entry.kept
            && let Content::Whole(content) = &kept.content
        {
            served.cache.hit();
            let representation = &kept.representation;
            let response = from_memory(representation, content, &request, &served.boundaries);
            return Answer::ready(response);
        }
        Answer::pending(async move { served.respond(&release, &request).await })
    }

    /// It waits for the disk alone, and not for long: a peer that closes its side behind its request
    /// still gets its file.
    fn finishes_after_disconnect(&self) -> bool {
        true
    }
}

impl Served {
    /// What is remembered of the file that `request` asks for, if it can be believed.
    fn recall(&self, release: &Release, request: &Request, now_ns: u64) -> Option<Rc<Entry>> {
        if self.asks_for_archive(request) {
            return None;
        }
        let file = self.cache.get(self.key(request, None))?;
        file.is_fresh(release.number, now_ns).then_some(file)
    }

    /// What is remembered of the variant of `file` that `request` gets.
    fn selected(&self, file: &Rc<Entry>, request: &Request) -> Option<Rc<Entry>> {
        let variant = file.variants.choose(request.head());
        if variant.coding.is_none() {
            return Some(Rc::clone(file));
        }
        let entry = self.cache.get(self.key(request, variant.coding))?;
        entry.is_variant_of(file, variant).then_some(entry)
    }

    /// The response from what is remembered of `file`; `None` if nothing is, or it has changed.
    async fn answer(&self, file: &Rc<Entry>, request: &Request) -> Option<Response> {
        let entry = self.selected(file, request)?;
        let kept = entry.kept.as_ref()?;
        let version = entry.variant.version;
        let answered = from_kept(kept, version, request, &self.boundaries).await;
        answered.ok()
    }

    fn key<'a>(&self, request: &'a Request, coding: Option<ContentCoding>) -> Key<'a> {
        Key {
            root: self.number,
            path: request.rest(),
            coding,
        }
    }

    fn asks_for_archive(&self, request: &Request) -> bool {
        self.policy.tar && request.query_str().is_some_and(decision::asks_for_archive)
    }

    async fn respond(&self, release: &Rc<Release>, request: &Request) -> Response {
        let now_ns = self.ring.now_ns();
        if let Some(file) = self.recall(release, request, now_ns)
            && let Some(response) = self.answer(&file, request).await
        {
            self.cache.hit();
            return response;
        }
        let path = format!("/{}", request.rest());
        match self
            .decide(release, path.as_bytes(), request, |_, _| ())
            .await
        {
            Ok(Decision::File { relative, version }) => {
                let variants = match self.variants(release, relative, version, |_, _| ()).await {
                    Ok(variants) => variants,
                    Err(error) => return failed(error, &path),
                };
                let file = self.cache.get(self.key(request, None));
                let is_same =
                    |file: &Rc<Entry>| file.release == release.number && file.variants == variants;
                if let Some(file) = file.filter(is_same) {
                    file.looked_ns.set(now_ns);
                    if let Some(response) = self.answer(&file, request).await {
                        self.cache.hit();
                        return response;
                    }
                }
                self.cache.miss();
                self.serve(release, variants, Some(now_ns), request).await
            }
            Ok(Decision::Fallback { relative, version }) => {
                self.cache.remove(self.key(request, None));
                let variants = self.variants(release, relative, version, |_, _| ()).await;
                let mut response = match variants {
                    Ok(variants) => self.serve(release, variants, None, request).await,
                    Err(error) => return failed(error, &path),
                };
                // Whoever wants no page gets a 404, which says so as well.
                let accept = HeaderValue::from_static("accept");
                response.headers.append(VARY, accept);
                response
            }
            Ok(Decision::Folder { relative }) => self.redirect(&relative, request),
            Ok(Decision::Listing { relative }) => self.list(release, &relative, request).await,
            Ok(Decision::Archive { relative }) => self.archive(release, &relative, request).await,
            Ok(Decision::Refuse(reason)) => {
                self.cache.remove(self.key(request, None));
                refuse(&reason)
            }
            Err(error) => failed(error, &path),
        }
    }

    /// What becomes of `path`, which `request` asks for; `told` is told what is looked at.
    pub(super) async fn decide(
        &self,
        release: &Release,
        path: &[u8],
        request: &Request,
        mut told: impl FnMut(&CStr, Seen),
    ) -> io::Result<Decision> {
        let accept = request.head().field_values("accept");
        let is_navigation = self.policy.fallback.is_some() && names_type(accept, "text/html");
        let mut step = match self.asks_for_archive(request) {
            true => decision::begin_archive(&self.policy, path, is_navigation),
            false => decision::begin(&self.policy, path, is_navigation),
        };
        loop {
            match step {
                Step::Done(decision) => return Ok(decision),
                Step::Look(course) => {
                    let links = self.policy.symlinks;
                    let look = resolve::look(&self.ring, release, course.relative(), links);
                    let seen = look.await?;
                    told(course.relative(), seen);
                    step = course.saw(&self.policy, seen);
                }
            }
        }
    }

    /// The file at `relative`, of which `version` was seen, with its neighbours; `told` is told what is
    /// looked at.
    pub(super) async fn variants(
        &self,
        release: &Release,
        relative: CString,
        version: Version,
        mut told: impl FnMut(&CStr, Seen),
    ) -> io::Result<Variants> {
        let links = self.policy.symlinks;
        let mut variants = Variants::new(relative.clone(), version);
        for coding in self.policy.neighbours(&relative) {
            let path = variants.path(Some(coding));
            let seen = resolve::look(&self.ring, release, &path, links).await?;
            told(&path, seen);
            variants.saw(Some(coding), seen);
        }
        Ok(variants)
    }

    /// How much of `version` is remembered when `method` asks for it at `now`, or why nothing is.
    pub(super) fn remembering(
        &self,
        method: &Method,
        version: &Version,
        now: Duration,
    ) -> Result<Remembering, &'static str> {
        if method != Method::GET {
            Err("HEAD reads no file")
        } else if !self.cache.remembers_any() {
            Err("there is no memory for files")
        } else if version.is_racy(now) {
            Err("the file was changed just now")
        } else if version.length() <= CACHED_FILE_BYTES as u64 {
            Ok(Remembering::Whole)
        } else {
            Ok(Remembering::Open)
        }
    }

    fn redirect(&self, relative: &CStr, request: &Request) -> Response {
        let query = request.query_str().map(str::as_bytes);
        let location = request.before_rest().to_owned() + &directory_location(relative, query);
        // RFC 9110 §2.3: what is generated can be taken, too.
        if location.len() + AROUND_TARGET_BYTES > self.request_line_bytes {
            return Response::error(StatusCode::URI_TOO_LONG, "");
        }
        match HeaderValue::try_from(location) {
            Ok(location) => {
                Response::error(StatusCode::MOVED_PERMANENTLY, "").with_header(LOCATION, location)
            }
            Err(_) => refuse(&Reason::NoName),
        }
    }

    /// Lists what lies in the folder at `relative`.
    async fn list(&self, release: &Release, relative: &CStr, request: &Request) -> Response {
        let accept = request.head().field_values("accept");
        let asked = match Asked::parse(request.query_str().unwrap_or_default(), accept) {
            Ok(asked) => asked,
            Err(why) => return Response::error(StatusCode::BAD_REQUEST, &why),
        };
        let links = self.policy.symlinks;
        let response = match Folder::open(&self.ring, release, relative, links).await {
            Ok(Ok(folder)) => {
                let place = Place::new(request.before_rest(), relative);
                let memory = &self.listings;
                listed::respond(&self.policy, memory, folder, relative, &place, asked).await
            }
            Ok(Err(absence)) => return refuse(&Reason::Absent(absence)),
            Err(error) => Err(error),
        };
        response.unwrap_or_else(|error| failed(error, &relative.to_string_lossy()))
    }

    /// Sends what lies in the folder at `relative` as an archive.
    async fn archive(&self, release: &Rc<Release>, relative: &CStr, request: &Request) -> Response {
        let source = archive::Source {
            ring: self.ring.clone(),
            release: Rc::clone(release),
            policy: Rc::clone(&self.policy),
        };
        match archive::respond(source, &self.archives, relative, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(absence)) => refuse(&Reason::Absent(absence)),
            Err(error) => failed(error, &relative.to_string_lossy()),
        }
    }

    /// Serves one of `variants`, which were looked at at `looked_ns` if they are to be remembered: again
    /// from the start if it is changed before anything is sent, and another if it is not there any more.
    async fn serve(
        &self,
        release: &Release,
        mut variants: Variants,
        looked_ns: Option<u64>,
        request: &Request,
    ) -> Response {
        for _ in 0..FILE_ATTEMPTS {
            let links = self.policy.symlinks;
            let coding = variants.choose(request.head()).coding;
            let path = variants.path(coding);
            let found = match resolve::open(&self.ring, release, &path, links).await {
                Ok(found) => found,
                Err(error) => return failed(error, &path.to_string_lossy()),
            };
            let seen = match &found {
                Ok(found) => Seen::File(found.version),
                Err(absence) => Seen::Absent(*absence),
            };
            let is_served = variants.saw(coding, seen);
            let found = match found {
                Ok(found) if is_served => found,
                Err(absence) if coding.is_none() => return refuse(&Reason::Absent(absence)),
                _ => continue,
            };
            match self
                .send(release, found, &variants, looked_ns, request)
                .await
            {
                Ok(response) => return response,
                Err(error) if is_change(&error) => {}
                Err(error) => return failed(error, &path.to_string_lossy()),
            }
        }
        Response::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "The file is being changed.",
        )
    }

    /// Sends what was `found`, the one of `variants` that `request` gets.
    async fn send(
        &self,
        release: &Release,
        found: Found,
        variants: &Variants,
        looked_ns: Option<u64>,
        request: &Request,
    ) -> io::Result<Response> {
        let Found { file, version } = found;
        let now = self.message_time();
        let file = Rc::new(file);
        let held = Held::new(Rc::clone(&file), version);
        let is_hashed = self.policy.entity_tags == EntityTags::Hash;
        let (held, tag) = if is_hashed && version.length() <= HASHED_FILE_BYTES {
            self.tags.make(held, now).await
        } else {
            (held, Ok(version.entity_tag(now)))
        };
        let variant = variants.choose(request.head());
        let representation = Representation::new(&self.policy, variants, variant, tag?, now);
        let remembering = self.remembering(request.method(), &version, now).ok();
        let (Some(remembering), Some(looked_ns), true) =
            (remembering, looked_ns, held.version() == version)
        else {
            return from_open(held, &representation, request, &self.boundaries).await;
        };
        let (held, content) = match remembering {
            Remembering::Whole => {
                let (held, content) = held.read(0, version.length() as usize).await;
                (held, Content::Whole(content?.into()))
            }
            Remembering::Open => (held, Content::Open(file)),
        };
        if held.version() != version {
            return from_open(held, &representation, request, &self.boundaries).await;
        }
        let entry = |variant, kept| Entry {
            variants: variants.clone(),
            variant,
            kept,
            release: release.number,
            looked_ns: Cell::new(looked_ns),
        };
        if variant.coding.is_some() {
            let key = self.key(request, None);
            let known = self.cache.get(key);
            let is_known =
                |known: &Rc<Entry>| known.release == release.number && known.variants == *variants;
            if !known.as_ref().is_some_and(is_known) {
                self.cache.insert(key, entry(variants.plain(), None));
            }
        }
        let kept = Kept {
            representation,
            content,
        };
        let key = self.key(request, variant.coding);
        let entry = self.cache.insert(key, entry(variant, Some(kept)));
        let kept = entry.kept.as_ref().ok_or(io::ErrorKind::NotFound)?;
        from_kept(kept, version, request, &self.boundaries).await
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

fn refuse(reason: &Reason) -> Response {
    let detail = match reason {
        Reason::Malformed => "The path is malformed.",
        _ => "",
    };
    Response::error(reason.status(), detail)
}

fn not_allowed(method: &Method) -> Response {
    let response = match *method {
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::error(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    response.with_header(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"))
}

/// The response where the server failed, and not the path.
fn failed(error: io::Error, path: &str) -> Response {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        // The server is out of descriptors or memory: the file may well be there.
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
            Error::new(StatusCode::SERVICE_UNAVAILABLE, "").with_source(error)
        }
        Some(Errno::IO) => Error::new(StatusCode::INTERNAL_SERVER_ERROR, "")
            .with_source(format!("{path} cannot be read: {error}")),
        // Of whatever else the file system has against it the peer learns no more.
        _ => return refuse(&Reason::Absent(Absence::Unreadable)),
    }
    .into_response()
}
