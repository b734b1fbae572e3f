//! Serves the regular files of a folder to GET and HEAD, below where it is mounted; `named.rs` sends
//! those that handlers name.
//!
//! ```text
//! path ─decision─▶ Look ─resolve─▶ Seen … ─▶ File ─sending─▶ whole, part, parts
//!                                          └▶ a redirect, a listing, or a refusal
//! ```
//!
//! A redirect that a rule makes (`redirects.rs`) is found before anything else, memory included.
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

use super::answer::Answers;
use super::archive;
use super::cache::Cache;
use super::common::Common;
use super::compressed::Compressor;
use super::decision::{self, Absence, Decision, Reason, Seen, Step};
use super::facts::{Fact, Facts};
use super::folder::Folder;
use super::listed;
use super::listing::{Asked, Place};
use super::pages;
use super::path::directory_location;
use super::policy::{Policy, Symlinks};
use super::redirects::Redirected;
use super::refusal::Refusal;
use super::representation::{Judged, VARIES, own_name, own_value};
use super::resolve;
use super::root::{Release, Root};
use super::sending::Wanted;
use super::tags::Tags;
use crate::app::{Answer, Body, Handler, Request, Response};
use crate::http::{AcceptedCodings, CodingChoice, Validators, Verdict, names_type};
use crate::limits::{ARCHIVES, REQUEST_LINE_BYTES};
use crate::permits::Permits;
use crate::ring::Ring;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING,
    CONTENT_TYPE, LOCATION, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::ffi::CStr;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// What a request line has beside its target.
const AROUND_TARGET_BYTES: usize = "HEAD  HTTP/1.1\r\n".len();

/// Fields of the listings and archives of folders that are not said where nothing is sent of them.
const SAID_OF_CONTENT: [HeaderName; 4] = [
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_TYPE,
];

/// A folder being served on one core.
#[derive(Clone, Debug)]
pub struct Files(pub(super) Rc<Served>);

#[derive(Debug)]
pub(super) struct Served {
    pub(super) ring: Ring,
    pub(super) root: Rc<Root>,
    pub(super) policy: Rc<Policy>,
    listings: listed::Memory,
    archives: Permits,
    /// Of the core, for all its folders.
    archive_folders: Permits,
    /// Longest request line that the server takes, in bytes.
    request_line_bytes: usize,
    pub(super) answers: Answers,
    pub(super) tags: Tags,
    pub(super) compressor: Compressor,
    pub(super) cache: Rc<Cache>,
    /// Which of the core's folders it is, for the cache.
    pub(super) number: usize,
    /// What is noted of requests, if somebody explains them.
    pub(super) facts: Facts,
    /// What the pages of errors are read for, if there are any.
    pub(super) plain_request: Option<Request>,
}

impl Files {
    /// Serves `folder`, below where it is mounted, on the core of `ring`. Unlike
    /// [`App::files`](crate::App::files) it keeps no larger file open between two requests.
    ///
    /// # Errors
    /// What `open(2)` answers: the folder is not there, is none, or may not be entered.
    pub fn open(ring: &Ring, folder: impl AsRef<Path>, policy: Policy) -> io::Result<Self> {
        let common = Common::without_ticks(policy.cache_bytes);
        Self::sharing(ring, folder, policy, &common)
    }

    /// [`Files::open`] with what all folders of a core have in common; the size of the cache is not the
    /// policy's any more.
    pub(crate) fn sharing(
        ring: &Ring,
        folder: impl AsRef<Path>,
        policy: Policy,
        common: &Common,
    ) -> io::Result<Self> {
        Ok(Self(Rc::new(Served {
            ring: ring.clone(),
            root: common.root(folder.as_ref(), ring.clock_ns())?,
            plain_request: match policy.error_pages.is_empty() {
                true => None,
                false => pages::plain_request(),
            },
            listings: listed::Memory::default(),
            archives: Permits::new(ARCHIVES),
            archive_folders: common.archive_folders.clone(),
            request_line_bytes: REQUEST_LINE_BYTES,
            facts: Facts::default(),
            answers: Answers::new(common.way(&policy)),
            tags: Tags::default(),
            compressor: Compressor::new(&policy, &common.compressing),
            policy: Rc::new(policy),
            number: common.cache.number_root(),
            cache: Rc::clone(&common.cache),
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

    /// Notes what it does in `facts`.
    pub(super) fn noting(mut self, facts: Facts) -> Self {
        if let Some(served) = Rc::get_mut(&mut self.0) {
            served.facts = facts;
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
        let found = self.0.rule(&request);
        // Whether a rule applies that may spare a folder depends on what is there.
        let may_be_spared = found.as_ref().is_some_and(|found| found.spared().is_some());
        if let Some(found) = found.filter(|_| !may_be_spared)
            && let Some(response) = self.0.redirected(&found, &request)
        {
            return Answer::ready(response);
        }
        let served = Rc::clone(&self.0);
        let now_ns = served.ring.now_ns();
        let release = served.root.release(now_ns);
        let wanted = Wanted::below_mount(&request);
        // What is remembered of the index of a folder that a rule spares, was served because it does.
        if !served.asks_for_archive(&request)
            && let Some(response) = served.at_once(&release, wanted, now_ns)
        {
            return Answer::ready(response);
        }
        Answer::pending(async move {
            match served.respond(&release, &request, may_be_spared).await {
                Ok(response) => response,
                Err(refusal) => served.refuse(&release, refusal, &request).await,
            }
        })
    }

    /// It waits for the disk, and where files are compressed for that, but not for long
    /// ([`COMPRESSION_WAIT`](crate::limits::COMPRESSION_WAIT)): a peer that closes its side behind its
    /// request still gets its file.
    fn finishes_after_disconnect(&self) -> bool {
        true
    }
}

impl Served {
    /// Whether `request` asks for what lies in a folder, if there is a folder.
    fn asks_for_archive(&self, request: &Request) -> bool {
        self.policy.tar && request.query_str().is_some_and(decision::asks_for_archive)
    }

    /// What a request to the mount gets that cannot be answered at once; `may_be_redirected` is whether there
    /// is a rule for it that depends on what is there.
    async fn respond(
        self: &Rc<Self>,
        release: &Rc<Release>,
        request: &Request,
        may_be_redirected: bool,
    ) -> Result<Response, Refusal> {
        if may_be_redirected
            && let Some(found) = self.rule(request)
            && !self.is_spared(release, &found, request).await?
            && let Some(response) = self.redirected(&found, request)
        {
            return Ok(response);
        }
        let wanted = Wanted::below_mount(request);
        let now_ns = self.ring.now_ns();
        if !self.asks_for_archive(request)
            && let Some(response) = self.remembered(release, wanted, now_ns).await
        {
            return Ok(response);
        }
        let path = format!("/{}", request.rest());
        let decided = self.decide(release, path.as_bytes(), request).await;
        let decision = decided.map_err(|error| Refusal::failed(error, path.as_bytes()))?;
        self.facts.note(|| Fact::Decided(decision.clone()));
        match decision {
            Decision::File { relative, version } => {
                self.file(release, wanted, relative, version, now_ns).await
            }
            Decision::Fallback { relative, version } => {
                self.forget(wanted);
                // No path can have a NUL, so it is remembered by no other's name.
                let name = [b"\0", relative.to_bytes()].concat();
                let fallback = Wanted {
                    name: &name,
                    ..wanted
                };
                let served = self.file(release, fallback, relative, version, now_ns);
                let mut response = served.await?;
                // Whoever wants no page gets a 404, which says so as well.
                let accept = HeaderValue::from_static("accept");
                response.headers.append(VARY, accept);
                Ok(response)
            }
            Decision::Folder { relative } => self.redirect(&relative, request),
            Decision::Listing { relative } => self.list(release, &relative, request).await,
            Decision::Archive { relative } => self.archive(release, &relative, request).await,
            Decision::Refuse(reason) => {
                self.forget(wanted);
                Err(Refusal::Nothing(reason))
            }
        }
    }

    /// What becomes of `path`, which `request` asks for.
    async fn decide(
        &self,
        release: &Release,
        path: &[u8],
        request: &Request,
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
                    let seen = self.look(release, course.relative()).await?;
                    step = course.saw(&self.policy, seen);
                }
            }
        }
    }

    /// What lies at `relative`.
    async fn look(&self, release: &Release, relative: &CStr) -> io::Result<Seen> {
        let links = self.policy.symlinks;
        let seen = resolve::look(&self.ring, release, relative, links).await?;
        self.facts.note(|| Fact::Looked(relative.to_owned(), seen));
        if self.facts.are_noted() && !matches!(seen, Seen::Absent(_)) {
            let straight = resolve::look(&self.ring, release, relative, Symlinks::Never).await?;
            if straight == Seen::Absent(Absence::Link) {
                self.facts.note(|| Fact::Linked(relative.to_owned()));
            }
        }
        Ok(seen)
    }

    /// Sends to the folder at `relative`, with a slash behind it.
    fn redirect(&self, relative: &CStr, request: &Request) -> Result<Response, Refusal> {
        let query = request.query_str().map(str::as_bytes);
        let location = request.before_rest().to_owned() + &directory_location(relative, query);
        let response = self.send_to(StatusCode::MOVED_PERMANENTLY, location);
        response.ok_or(Refusal::Nothing(Reason::NoName))
    }

    /// The rule that `request` meets.
    fn rule(&self, request: &Request) -> Option<Redirected<'_>> {
        let redirects = &self.policy.redirects;
        if redirects.is_empty() {
            return None;
        }
        redirects.find(request.rest())
    }

    /// Whether the rule that was `found` spares a folder, which is there.
    async fn is_spared(
        &self,
        release: &Release,
        found: &Redirected<'_>,
        request: &Request,
    ) -> Result<bool, Refusal> {
        let Some(folder) = found.spared() else {
            return Ok(false);
        };
        let path = format!("/{folder}");
        let decided = self.decide(release, path.as_bytes(), request).await;
        let decision = decided.map_err(|error| Refusal::failed(error, path.as_bytes()))?;
        let is_spared = matches!(decision, Decision::Folder { .. });
        if is_spared {
            self.facts.note(|| Fact::Spared {
                location: found.location(request.before_rest(), request.query_str()),
                rule: found.rule().as_str().to_owned(),
            });
        }
        Ok(is_spared)
    }

    /// The response of the rule that was `found` for `request`.
    fn redirected(&self, found: &Redirected<'_>, request: &Request) -> Option<Response> {
        let location = found.location(request.before_rest(), request.query_str());
        self.facts.note(|| Fact::Redirected {
            location: location.clone(),
            rule: found.rule().as_str().to_owned(),
        });
        self.send_to(found.rule().status(), location)
    }

    fn send_to(&self, status: StatusCode, location: String) -> Option<Response> {
        // RFC 9110 §2.3: what is generated can be taken, too.
        if location.len() + AROUND_TARGET_BYTES > self.request_line_bytes {
            return Some(Response::error(StatusCode::URI_TOO_LONG, ""));
        }
        let location = HeaderValue::try_from(location).ok()?;
        Some(Response::error(status, "").with_header(LOCATION, location))
    }

    /// Lists what lies in the folder at `relative`.
    async fn list(
        &self,
        release: &Release,
        relative: &CStr,
        request: &Request,
    ) -> Result<Response, Refusal> {
        let accept = request.head().field_values("accept");
        let asked = match Asked::parse(request.query_str().unwrap_or_default(), accept) {
            Ok(asked) => asked,
            Err(why) => return Err(Refusal::Told(StatusCode::BAD_REQUEST, why.into())),
        };
        let links = self.policy.symlinks;
        let failed = |error| Refusal::failed(error, relative.to_bytes());
        let folder = Folder::open(&self.ring, release, relative, links).await;
        let folder = folder.map_err(failed)?.map_err(Refusal::absent)?;
        let place = Place::new(request.before_rest(), relative);
        let (policy, memory) = (&self.policy, &self.listings);
        let codings: Vec<_> = policy.compresses_listing(relative).collect();
        let accepted = request.head().field_values(ACCEPT_ENCODING.as_str());
        let wanted = match AcceptedCodings::of(accepted).choose(&codings) {
            CodingChoice::Coded(coding) => Some(coding),
            CodingChoice::Identity | CodingChoice::Refused => None,
        };
        let encoder = wanted.and_then(|coding| self.compressor.lend(&self.ring, coding));
        let listed = listed::respond(policy, memory, folder, relative, place, asked, encoder);
        let mut response = listed.await.map_err(failed)?;
        if !codings.is_empty() {
            let is_coded = response.headers.get(&CONTENT_ENCODING).is_some();
            self.facts.note(|| Fact::Coded { wanted, is_coded });
            response.headers.append(VARY, VARIES);
        }
        Ok(self.of_folder(relative, request, response))
    }

    /// Sends what lies in the folder at `relative` as an archive.
    async fn archive(
        &self,
        release: &Rc<Release>,
        relative: &CStr,
        request: &Request,
    ) -> Result<Response, Refusal> {
        let source = archive::Source {
            ring: self.ring.clone(),
            release: Rc::clone(release),
            policy: Rc::clone(&self.policy),
            folders: self.archive_folders.clone(),
        };
        let archive = archive::respond(source, &self.archives, relative, request).await;
        Ok(self.of_folder(relative, request, archive?))
    }

    /// What `request` gets of `response`, which is made of the folder at `relative`: with the fields that
    /// rules give to that, in place of its own, and by its conditions. It has no validator, so of these
    /// `*` alone can be met (RFC 9110 §13.1.1, §13.1.2), and a date is ignored.
    fn of_folder(&self, relative: &CStr, request: &Request, mut response: Response) -> Response {
        let relative = relative.to_bytes();
        let headers = &mut response.headers;
        if let Some((_, value)) = self.policy.cache_control_of_folder(relative) {
            headers.insert(CACHE_CONTROL, own_value(value));
        }
        for rule in self.policy.response_headers.of_folder(relative) {
            headers.insert(own_name(rule.name()), own_value(rule.value()));
        }
        let head = request.head();
        let note = |judged| self.facts.note(|| Fact::Judged(head.clone(), judged));
        match Validators::default().judge(head) {
            Verdict::Perform => response,
            Verdict::NotModified => {
                note(Judged::NotModified);
                for said_of_content in SAID_OF_CONTENT {
                    response.headers.remove(&said_of_content);
                }
                response.status = StatusCode::NOT_MODIFIED;
                response.with_body(Body::Empty)
            }
            Verdict::Failed => {
                note(Judged::Failed);
                Response::error(StatusCode::PRECONDITION_FAILED, "")
            }
        }
    }
}

fn not_allowed(method: &Method) -> Response {
    let response = match *method {
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::error(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    response.with_header(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"))
}
