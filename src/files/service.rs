//! Serves the regular files of a folder to GET and HEAD.
//!
//! ```text
//! path ─decision─▶ Look ─resolve─▶ Seen … ─▶ File ─open─▶ Representation ─answer─▶ whole, part, parts
//!                                          └▶ a redirect, or a refusal               └ transfer ─▶ peer
//! ```
//!
//! A request path is decoded and judged by names first (`decision.rs`), but what keeps a request inside
//! the folder is the kernel: every open is `openat2(2)` relative to the folder (`resolve.rs`). What may
//! not be seen is not told apart from what is not there.
//!
//! A small file is read whole before the response begins, and remembered (`cache.rs`): what is
//! remembered and was looked at shortly before is answered at once, without a system call. A larger one
//! is sent from where it lies, or read piece by piece (`transfer.rs`). Either way it is of one version,
//! or not sent.

use super::cache::{Cache, Content, Entry, Key};
use super::decision::{self, Absence, Decision, Reason, Step};
use super::folder::Folder;
use super::listed;
use super::listing::{Asked, Place};
use super::path::directory_location;
use super::policy::{EntityTags, Policy};
use super::representation::{Outcome, Representation};
use super::resolve::{self, Found};
use super::root::{Release, Root};
use super::tags::Tags;
use super::transfer::{FileBody, Held, is_change};
use crate::app::{Answer, Body, Error, Handler, IntoResponse, Request, Response};
use crate::limits::{
    CACHED_FILE_BYTES, FILE_ATTEMPTS, HASHED_FILE_BYTES, INLINE_BODY_BYTES, REQUEST_LINE_BYTES,
};
use crate::ring::Ring;
use bytes::Bytes;
use http::header::{ALLOW, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::ffi::CStr;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What a request line has beside its target.
const AROUND_TARGET_BYTES: usize = "HEAD  HTTP/1.1\r\n".len();

/// A folder being served on one core.
#[derive(Clone, Debug)]
pub struct Files(Rc<Served>);

#[derive(Debug)]
struct Served {
    ring: Ring,
    root: Root,
    policy: Rc<Policy>,
    listings: listed::Memory,
    /// Longest request line that the server takes, in bytes.
    request_line_bytes: usize,
    boundaries: Boundaries,
    tags: Tags,
    cache: Rc<Cache>,
    /// Which of the core's folders it is, for the cache.
    number: usize,
}

/// Makes the boundaries of multipart responses, which nobody can foresee.
#[derive(Debug, Default)]
struct Boundaries {
    keys: RandomState,
    made: Cell<u64>,
}

impl Boundaries {
    fn make(&self) -> String {
        let number = self.made.get();
        self.made.set(number.wrapping_add(1));
        let half = |half: u64| {
            let mut hasher = self.keys.build_hasher();
            hasher.write_u64(number);
            hasher.write_u64(half);
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }
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
        if let Some(entry) = served.recall(&release, &request, now_ns)
            && let Content::Whole(content) = &entry.content
        {
            served.cache.hit();
            return Answer::ready(served.answer_remembered(&entry, content, &request));
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
    /// What is remembered for `request`, if it can be believed.
    fn recall(&self, release: &Release, request: &Request, now_ns: u64) -> Option<Rc<Entry>> {
        let entry = self.cache.get(self.key(request))?;
        entry.is_fresh(release.number, now_ns).then_some(entry)
    }

    fn key<'a>(&self, request: &'a Request) -> Key<'a> {
        Key {
            root: self.number,
            path: request.rest(),
        }
    }

    async fn respond(&self, release: &Release, request: &Request) -> Response {
        let now_ns = self.ring.now_ns();
        if let Some(entry) = self.recall(release, request, now_ns)
            && let Ok(response) = self.answer(&entry, request).await
        {
            self.cache.hit();
            return response;
        }
        let path = format!("/{}", request.rest());
        match self.decide(release, path.as_bytes()).await {
            Ok(Decision::File { relative, version }) => {
                let entry = self.cache.get(self.key(request));
                let is_same = |entry: &Rc<Entry>| {
                    entry.release == release.number
                        && entry.version == version
                        && entry.relative == relative
                };
                if let Some(entry) = entry.filter(is_same)
                    && let Ok(response) = self.answer(&entry, request).await
                {
                    entry.looked_ns.set(now_ns);
                    self.cache.hit();
                    return response;
                }
                self.cache.miss();
                self.serve(release, &relative, request).await
            }
            Ok(Decision::Folder { relative }) => self.redirect(&relative, request),
            Ok(Decision::Listing { relative }) => self.list(release, &relative, request).await,
            Ok(Decision::Refuse(reason)) => {
                self.cache.remove(self.key(request));
                refuse(&reason)
            }
            Err(error) => failed(error, &path),
        }
    }

    /// The response from what is remembered.
    ///
    /// # Errors
    /// The file has changed, or cannot be read.
    async fn answer(&self, entry: &Entry, request: &Request) -> io::Result<Response> {
        match &entry.content {
            Content::Whole(content) => Ok(self.answer_remembered(entry, content, request)),
            Content::Open(file) => {
                let held = Held::new(Rc::clone(file), entry.version);
                self.answer_opened(held, &entry.representation, request)
                    .await
            }
        }
    }

    fn answer_remembered(&self, entry: &Entry, content: &Bytes, request: &Request) -> Response {
        let part = |range: &Range<u64>| content.slice(range.start as usize..range.end as usize);
        let boundary = || self.boundaries.make();
        match entry.representation.answer(request.head(), boundary) {
            Outcome::Bare(response) => response,
            Outcome::Whole(response) => response.with_body(content.clone()),
            Outcome::Part(response, range) => response.with_body(part(&range)),
            Outcome::Parts(response, multipart) => {
                let mut body = Vec::new();
                for (head, range) in &multipart.parts {
                    body.extend_from_slice(head.as_bytes());
                    body.extend_from_slice(&part(range));
                }
                body.extend_from_slice(multipart.end.as_bytes());
                response.with_body(body)
            }
        }
    }

    async fn decide(&self, release: &Release, path: &[u8]) -> io::Result<Decision> {
        let mut step = decision::begin(&self.policy, path);
        loop {
            match step {
                Step::Done(decision) => return Ok(decision),
                Step::Look(course) => {
                    let links = self.policy.symlinks;
                    let look = resolve::look(&self.ring, release, course.relative(), links);
                    let seen = look.await?;
                    step = course.saw(&self.policy, seen);
                }
            }
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

    /// Serves the file at `relative`: again from the start if it is changed before anything is sent.
    async fn serve(&self, release: &Release, relative: &CStr, request: &Request) -> Response {
        for _ in 0..FILE_ATTEMPTS {
            let links = self.policy.symlinks;
            let found = match resolve::open(&self.ring, release, relative, links).await {
                Ok(Ok(found)) => found,
                Ok(Err(absence)) => return refuse(&Reason::Absent(absence)),
                Err(error) => return failed(error, &relative.to_string_lossy()),
            };
            match self.send(release, found, relative, request).await {
                Ok(response) => return response,
                Err(error) if is_change(&error) => {}
                Err(error) => return failed(error, &relative.to_string_lossy()),
            }
        }
        Response::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "The file is being changed.",
        )
    }

    async fn send(
        &self,
        release: &Release,
        found: Found,
        relative: &CStr,
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
        let name = relative.to_bytes();
        let representation = Representation::new(&self.policy, name, &version, tag?, now);
        let is_remembered = request.method() == Method::GET
            && self.cache.remembers_any()
            && held.version() == version
            && !version.is_racy(now);
        if !is_remembered {
            return self.answer_opened(held, &representation, request).await;
        }
        let length = version.length();
        let (held, content) = if length <= CACHED_FILE_BYTES as u64 {
            let (held, content) = held.read(0, length as usize).await;
            (held, Content::Whole(content?.into()))
        } else {
            (held, Content::Open(file))
        };
        if held.version() != version {
            return self.answer_opened(held, &representation, request).await;
        }
        let entry = Entry {
            relative: relative.to_owned(),
            version,
            representation,
            content,
            release: release.number,
            looked_ns: Cell::new(self.ring.now_ns()),
        };
        let entry = self.cache.insert(self.key(request), entry);
        self.answer(&entry, request).await
    }

    /// The response from an open file.
    ///
    /// # Errors
    /// The file has changed, or cannot be read.
    async fn answer_opened(
        &self,
        held: Held,
        representation: &Representation,
        request: &Request,
    ) -> io::Result<Response> {
        let is_head = request.method() == Method::HEAD;
        match representation.answer(request.head(), || self.boundaries.make()) {
            Outcome::Bare(response) => Ok(response),
            Outcome::Whole(response) => {
                let whole = 0..representation.length();
                part_of(held, whole, response, is_head).await
            }
            Outcome::Part(response, range) => part_of(held, range, response, is_head).await,
            Outcome::Parts(response, multipart) => {
                let first = multipart.parts.first().map_or(0, |(_, range)| range.start);
                let held = held.sampled(first).await?;
                let body = FileBody::parts(held, multipart);
                let length = body.length();
                Ok(response.with_body(Body::stream(body, Some(length))))
            }
        }
    }

    /// The time since 1970 at which the response will be dated at the earliest. RFC 9110 §8.8.2.1: no
    /// file may claim to be younger than its response, whatever its time says.
    fn message_time(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let now = Duration::new(now.tv_sec as u64, now.tv_nsec as u32);
        // Responses are dated by the ring's clock, which stands still while its tasks run.
        let behind_ns = self.ring.clock_ns().saturating_sub(self.ring.now_ns());
        now.saturating_sub(Duration::from_nanos(behind_ns))
    }
}

/// `response` with a part of a file: read already if it is small, and only told of for HEAD.
async fn part_of(
    held: Held,
    range: Range<u64>,
    response: Response,
    is_head: bool,
) -> io::Result<Response> {
    let length = range.end - range.start;
    let body = if is_head {
        Body::stream(FileBody::part(held, range), Some(length))
    } else if length <= INLINE_BODY_BYTES as u64 {
        let (_, content) = held.read(range.start, length as usize).await;
        content?.into()
    } else {
        let held = held.sampled(range.start).await?;
        Body::stream(FileBody::part(held, range), Some(length))
    };
    Ok(response.with_body(body))
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
