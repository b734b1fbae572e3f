//! A folder of which handlers send files. Who reads them is the core, which opens the folder when its
//! app is built: this is what handlers and the app know of it until then, and how they ask.

use std::cell::OnceCell;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;

use http::StatusCode;

use super::error::{Error, Result};
use super::request::Request;
use super::response::Response;

/// A folder of which handlers send files that they pick themselves: with conditions, ranges, entity
/// tags, media types, compressed neighbours, and remembered as those of [`App::files`] are.
///
/// It is made where the app is and given to it by [`App::folder`]. Clones of it are the same folder, for
/// the app's state or for handlers. The path of the folder is the operator's; the name of a file may
/// be a peer's.
///
/// ```
/// use corelane::app::{App, Folder, Request};
/// use corelane::{Response, Result};
///
/// fn app() -> App {
///     let reports = Folder::new("/var/reports");
///     App::new()
///         .folder(&reports)
///         .state(reports)
///         .get("/reports/{year:u32}", report)
/// }
///
/// async fn report(req: Request) -> Result<Response> {
///     let name = format!("{}/summary.pdf", req.param("year"));
///     let response = req.state::<Folder>().send(&req, &name).await?;
///     Ok(response.with_attachment("summary.pdf"))
/// }
/// # assert!(app().build().is_ok());
/// ```
///
/// [`App::files`]: super::App::files
/// [`App::folder`]: super::App::folder
#[derive(Clone)]
pub struct Folder(Rc<Inner>);

struct Inner {
    path: PathBuf,
    opened: OnceCell<Box<dyn SendNamed>>,
}

/// Sends files of one folder by their names.
pub(crate) trait SendNamed {
    /// Answers `request` with the file that lies at `name` below the folder.
    fn send_named<'a>(&'a self, request: &'a Request, name: &'a [u8]) -> Sending<'a>;
}

/// A file on its way: known at once, or waited for.
pub(crate) enum Sending<'a> {
    /// It is in memory.
    Ready(Response),
    /// It is looked at, and read.
    Waiting(Pin<Box<dyn Future<Output = Result<Response>> + 'a>>),
}

/// Nobody opened the folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "the folder {} is not open: it is not given to App::folder, or its app is served in memory",
    .0.display()
)]
struct NotOpen(PathBuf);

impl Folder {
    /// The folder at `path`, relative to where the program was started if it is not absolute.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder(Rc::new(Inner {
            path: path.into(),
            opened: OnceCell::new(),
        }))
    }

    /// Answers `request` with the file called `name`, a path below the folder as it is on the disk:
    /// `2026/summary.pdf`. It is not percent-encoded, and need not be UTF-8.
    ///
    /// What is sent is what [`App::files`](super::App::files) would send of this file, by the same
    /// [`Policy`](crate::files::Policy), that of the server: 200, 206 or 304, and 412 or 416 where the
    /// request's conditions or ranges do not fit it. The handler may change fields of it and add some; one
    /// that is to hold for the file (Cache-Control, say) is right for 304 as well. GET and HEAD alone have
    /// conditions and ranges (RFC 9110 §13.2.1, §14.2). Other methods get the whole file, without
    /// validators: those would tell of what the request has changed (§8.8).
    ///
    /// Names lead to files of the folder and nowhere else, whoever made them. There is nothing at a
    /// name with a `..`, `.` or empty segment, one that begins or ends with a slash or contains NUL, and
    /// where the kernel finds that links lead out of the folder. There is nothing either where the policy
    /// hides a name, one that begins with a dot for example: names are often a peer's, and hiding is
    /// the operator's word. Whoever means files that are hidden in a folder makes a `Folder` of the one
    /// in which they are: it is itself not hidden by its own name. A folder is not sent, and no index for
    /// it.
    ///
    /// A file that is not in memory is waited for. So the handler is one of those that are dropped when
    /// their peer leaves, and so is a large file on its way:
    /// [`finish_after_disconnect`](super::finish_after_disconnect) says what that means, and is for
    /// routes whose peers close their side behind the request and read on.
    ///
    /// # Errors
    /// - 404 where there is nothing to be sent, with a cause that the log alone is told (at DEBUG).
    /// - 503 where the file is changed all the time or descriptors or memory have run out, and 500 where
    ///   the disk fails.
    /// - 500 if the folder was not given to [`App::folder`](super::App::folder), and in an app that is
    ///   served in memory ([`crate::testing`]), which has no disk to read from.
    pub async fn send(&self, request: &Request, name: impl AsRef<Path>) -> Result<Response> {
        let Some(opened) = self.0.opened.get() else {
            let why = NotOpen(self.0.path.clone());
            return Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "").with_source(why));
        };
        match opened.send_named(request, name.as_ref().as_os_str().as_bytes()) {
            Sending::Ready(response) => Ok(response),
            Sending::Waiting(response) => response.await,
        }
    }

    /// Has `open` open it, unless it is open.
    pub(super) fn open<S: SendNamed + 'static, E>(
        &self,
        open: impl Fn(&Path) -> Result<S, E>,
    ) -> Result<(), E> {
        if self.0.opened.get().is_none() {
            let opened = open(&self.0.path)?;
            self.0.opened.get_or_init(|| Box::new(opened));
        }
        Ok(())
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Folder").field(&self.0.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::testing::TestClient;

    #[test]
    fn a_folder_that_nobody_opened_sends_nothing() {
        let folder = Folder::new("/");
        let app = App::new().state(folder).get("/", async |request: Request| {
            let folder = request.state::<Folder>();
            folder.send(&request, "etc/passwd").await
        });
        let response = TestClient::new(app).get("/").send();
        assert_eq!(response.status(), 500);
        // The log is told why, and the peer is not.
        assert!(!response.text().contains("open"));
    }
}
