//! Serves the regular files of a folder to GET and HEAD.
//!
//! A request path is decoded and checked first (`path.rs`), but what keeps a request inside the
//! folder is the kernel: every open is `openat2(RESOLVE_BENEATH)` relative to the folder as it was
//! when the server started. A folder without its last slash is redirected to, a folder with it is
//! its `index.html`. What may not be opened is not told apart from what is not there.
//!
//! What a request makes conditional is judged by the time at which the file was changed last; there
//! are no entity tags.
//!
//! A small file is read whole before the response begins. A larger one is read piece by piece
//! while it is sent; if it turns out shorter than it was, the connection is closed, so that nobody
//! takes a part for the whole.

use super::media::media_type;
use super::path::{Located, PathRefusal, directory_location, locate};
use crate::app::{
    Answer, Body, BodyError, BodySource, Error, Handler, IntoResponse, Request, Response,
};
use crate::http::{HttpDate, Validators, Verdict};
use crate::limits::{FILE_PIECE_BYTES, INLINE_BODY_BYTES, REQUEST_LINE_BYTES};
use crate::ring::{File, Ring};
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LAST_MODIFIED, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

/// What a folder serves when it is asked for itself.
const INDEX: &CStr = c"index.html";

/// What a request line has beside its target.
const AROUND_TARGET_BYTES: usize = "HEAD  HTTP/1.1\r\n".len();

/// A folder being served on one core.
#[derive(Clone, Debug)]
pub struct Files {
    ring: Ring,
    root: Arc<OwnedFd>,
    /// Longest request line that the server takes, in bytes.
    request_line_bytes: usize,
}

/// A file that was found, and what the file system says of it.
struct Found {
    file: File,
    stat: Stat,
}

/// What a path led to.
enum Target {
    File(Found),
    /// A folder, asked for without its last slash.
    Folder,
}

impl Files {
    /// Serves `folder`, below where it is mounted, on the core of `ring`.
    ///
    /// # Errors
    /// What `open(2)` answers: the folder is not there, is none, or may not be entered.
    pub fn open(ring: &Ring, folder: impl AsRef<Path>) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(folder.as_ref(), flags, Mode::empty())?;
        Ok(Self {
            ring: ring.clone(),
            root: Arc::new(root),
            request_line_bytes: REQUEST_LINE_BYTES,
        })
    }

    /// Redirects to nothing for which the server would not take the request line. Default:
    /// [`REQUEST_LINE_BYTES`].
    pub fn request_line_bytes(mut self, bytes: usize) -> Self {
        self.request_line_bytes = bytes;
        self
    }

    async fn respond(self, request: Request) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed(request.method());
        }
        let located = match locate(format!("/{}", request.rest()).as_bytes()) {
            Ok(located) => located,
            Err(PathRefusal::Malformed) => {
                return Response::error(StatusCode::BAD_REQUEST, "The path is malformed.");
            }
            Err(PathRefusal::NotFound) => return not_found(),
        };
        let (relative, is_folder) = match located {
            Located::File { relative } => (relative, false),
            Located::Directory { relative } => (index_of(&relative), true),
        };
        match self.find(relative.clone()).await {
            Ok(Target::File(found)) => self.send(found, &relative, &request).await,
            Ok(Target::Folder) if !is_folder => {
                let query = request.query_str().map(str::as_bytes);
                let location =
                    request.before_rest().to_owned() + &directory_location(&relative, query);
                // RFC 9110 §2.3: what is generated can be taken, too.
                if location.len() + AROUND_TARGET_BYTES > self.request_line_bytes {
                    return Response::error(StatusCode::URI_TOO_LONG, "");
                }
                match HeaderValue::try_from(location) {
                    Ok(location) => Response::error(StatusCode::MOVED_PERMANENTLY, "")
                        .with_header(LOCATION, location),
                    Err(_) => not_found(),
                }
            }
            Ok(Target::Folder) => not_found(),
            Err(error) => refused(error, &relative),
        }
    }

    async fn find(&self, relative: CString) -> io::Result<Target> {
        let file = File::open_beneath(&self.ring, &self.root, relative).await?;
        let stat = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Target::File(Found { file, stat })),
            FileType::Directory => Ok(Target::Folder),
            // Devices, FIFOs and sockets are nothing to serve; opening did not wait for them.
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The second that the response will be dated at the earliest. RFC 9110 §8.8.2.1: no file may
    /// claim to be younger than its response, whatever its time says.
    fn message_seconds(&self) -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let now_ns = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        // Responses are dated by the ring's clock, which stands still while its tasks run.
        let behind_ns = self.ring.clock_ns().saturating_sub(self.ring.now_ns());
        now_ns.saturating_sub(behind_ns) / 1_000_000_000
    }

    async fn send(&self, found: Found, relative: &CStr, request: &Request) -> Response {
        let Found { file, stat } = found;
        let length = u64::try_from(stat.st_size).unwrap_or(0);
        let media = HeaderValue::from_static(media_type(relative.to_bytes()));
        let mut response = Response::new(StatusCode::OK);
        let mut validators = Validators::default();
        if let Ok(seconds) = u64::try_from(stat.st_mtime) {
            let seconds = seconds.min(self.message_seconds());
            validators.modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            let date = HttpDate::from_unix_seconds(seconds);
            if let Ok(date) = HeaderValue::try_from(date.as_str()) {
                response = response.with_header(LAST_MODIFIED, date);
            }
        }
        match validators.judge(request.head()) {
            Verdict::Perform => response = response.with_header(CONTENT_TYPE, media),
            Verdict::NotModified => return response.with_status(StatusCode::NOT_MODIFIED),
            Verdict::Failed => return Response::error(StatusCode::PRECONDITION_FAILED, ""),
        }
        let is_small = length <= INLINE_BODY_BYTES as u64;
        if is_small && request.method() == Method::GET {
            return match read_whole(&file, length as usize).await {
                Ok(content) => response.with_body(content),
                Err(error) => refused(error, relative),
            };
        }
        let source = FileBody {
            file: Rc::new(file),
            offset: 0,
            left: length,
            reading: None,
        };
        response.with_body(Body::stream(source, Some(length)))
    }
}

// Nobody means a folder where a handler is no `async fn`.
#[diagnostic::do_not_recommend]
impl Handler for Files {
    fn call(&self, request: Request) -> Answer {
        let files = self.clone();
        Answer::pending(files.respond(request))
    }

    /// It waits for the disk alone, and not for long: a peer that closes its side behind its request
    /// still gets its file.
    fn finishes_after_disconnect(&self) -> bool {
        true
    }
}

/// The path of a folder's index.
fn index_of(folder: &CStr) -> CString {
    let mut path = folder.to_bytes().to_vec();
    path.push(b'/');
    path.extend_from_slice(INDEX.to_bytes());
    CString::new(path).unwrap_or_else(|_| INDEX.to_owned())
}

/// Reads a file of `length` bytes; fewer if it has become shorter meanwhile.
async fn read_whole(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(length);
    while content.len() < length {
        let room = vec![0; length - content.len()];
        let (read, bytes) = file.read_at(room, content.len() as u64).await;
        match read? {
            0 => break,
            all if all == length => return Ok(bytes),
            some => content.extend_from_slice(&bytes[..some]),
        }
    }
    Ok(content)
}

fn not_found() -> Response {
    Response::error(StatusCode::NOT_FOUND, "")
}

fn not_allowed(method: &Method) -> Response {
    let response = match *method {
        Method::OPTIONS => Response::new(StatusCode::NO_CONTENT),
        _ => Response::error(StatusCode::METHOD_NOT_ALLOWED, ""),
    };
    response.with_header(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"))
}

/// The response to a path that could not be opened or read.
fn refused(error: io::Error, relative: &CStr) -> Response {
    use rustix::io::Errno;
    match Errno::from_io_error(&error) {
        // The server is out of descriptors or memory: the file may well be there.
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => {
            Error::new(StatusCode::SERVICE_UNAVAILABLE, "").with_source(error)
        }
        Some(Errno::IO) => {
            let file = relative.to_string_lossy();
            Error::new(StatusCode::INTERNAL_SERVER_ERROR, "")
                .with_source(format!("{file} cannot be read: {error}"))
        }
        // Missing, hidden by permissions, or a way out of the folder: the peer learns no more.
        _ => return not_found(),
    }
    .into_response()
}

/// A file's content, read as it is sent.
struct FileBody {
    file: Rc<File>,
    offset: u64,
    left: u64,
    reading: Option<Reading>,
}

type Reading = Pin<Box<dyn Future<Output = (io::Result<usize>, Vec<u8>)>>>;

impl BodySource for FileBody {
    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let body = self.get_mut();
        if body.left == 0 {
            return Poll::Ready(None);
        }
        let reading = body.reading.get_or_insert_with(|| {
            let (file, offset) = (Rc::clone(&body.file), body.offset);
            let room = vec![0; body.left.min(FILE_PIECE_BYTES as u64) as usize];
            Box::pin(async move { file.read_at(room, offset).await })
        });
        let (read, mut bytes) = ready!(reading.as_mut().poll(cx));
        body.reading = None;
        Poll::Ready(Some(match read {
            Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(read) => {
                bytes.truncate(read);
                body.offset += read as u64;
                body.left -= read as u64;
                Ok(bytes.into())
            }
            Err(error) => Err(error.into()),
        }))
    }
}
