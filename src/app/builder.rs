//! Putting an app together: routes are collected here. `plan.rs` proves them.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::rc::Rc;

use http::Method;

use super::handler::Handler;
use super::layers::Layers;
use super::life::Life;
use super::plan::{Added, AppError, Plan};
use super::router::Router;

/// An application: which handler answers which method on which path.
///
/// ```
/// use corelane::app::{App, Request};
///
/// let app = App::new()
///     .get("/", |_req: Request| async { "Hello, Anonymous" })
///     .get("/{name}", |req: Request| async move { format!("Hello, {}", req.param("name")) });
/// assert!(app.build().is_ok());
/// ```
///
/// A path template is text with parameters: `{name}` stands for one segment or a part of it,
/// `{*rest}` for everything to the end of the path. Neither is ever empty. Literal text goes
/// before parameters. Templates are written as people read them (`/café`) or percent-encoded;
/// `{{` and `}}` stand for braces. A trailing slash makes another path.
///
/// HEAD is answered by the handler for GET, and OPTIONS with the methods that a path has, unless
/// they have routes of their own.
#[derive(Default)]
#[must_use = "an app does nothing before it is served"]
pub struct App {
    pub(super) added: Vec<Added>,
    pub(super) fallback: Option<Added>,
    folders: Vec<Folder>,
    pub(super) problems: Vec<String>,
    pub(super) layers: Layers,
    pub(super) life: Life,
}

/// A folder of files to be mounted. Only a core can open it, so it becomes a route there.
pub(crate) struct Folder {
    pub(crate) prefix: String,
    pub(crate) path: PathBuf,
}

/// Defines the methods that add a route for one HTTP method.
macro_rules! method_routes {
    ($($name:ident = $method:ident;)*) => {$(
        #[doc = concat!("Answers ", stringify!($method), " on `path` with `handler`.")]
        #[track_caller]
        pub fn $name(self, path: &str, handler: impl Handler) -> App {
            self.route(Method::$method, path, handler)
        }
    )*};
}

impl App {
    /// An app without routes: it answers everything with 404.
    pub fn new() -> App {
        App::default()
    }

    method_routes! {
        get = GET;
        post = POST;
        put = PUT;
        delete = DELETE;
        patch = PATCH;
        head = HEAD;
        options = OPTIONS;
    }

    /// Answers `method` on `path` with `handler`.
    #[track_caller]
    pub fn route(self, method: Method, path: &str, handler: impl Handler) -> App {
        self.add(Some(method), path, vec![path.to_owned()], handler)
    }

    /// Answers all methods on `path` with `handler`, except those that have a route of their own.
    #[track_caller]
    pub fn any(self, path: &str, handler: impl Handler) -> App {
        self.add(None, path, vec![path.to_owned()], handler)
    }

    /// Answers all methods on `prefix` and every path below it with `handler`, which finds what
    /// follows the prefix in [`Request::rest`](super::Request::rest).
    ///
    /// Unlike other handlers it gets paths that are not UTF-8, too.
    #[track_caller]
    pub fn mount(self, prefix: &str, handler: impl Handler) -> App {
        let prefix = prefix.trim_end_matches('/');
        let below = format!("{prefix}/{{*rest}}");
        let mut places = vec![format!("{prefix}/"), below.clone()];
        if !prefix.is_empty() {
            places.push(prefix.to_owned());
        }
        self.add(None, &below, places, handler)
    }

    /// Serves the files of `folder` below `prefix` to GET and HEAD; `/` for everything that has
    /// no other route.
    ///
    /// A server that cannot open the folder does not start.
    pub fn files(mut self, prefix: &str, folder: impl Into<PathBuf>) -> App {
        self.folders.push(Folder {
            prefix: prefix.to_owned(),
            path: folder.into(),
        });
        self
    }

    /// The folders, which are then no longer part of the app.
    pub(crate) fn take_folders(&mut self) -> Vec<Folder> {
        std::mem::take(&mut self.folders)
    }

    /// Answers every request whose path has no route with `handler`, instead of 404.
    ///
    /// A path that has routes, but none for the method, is still answered with 405.
    #[track_caller]
    pub fn fallback(mut self, handler: impl Handler) -> App {
        let at = Location::caller();
        if let Some(first) = &self.fallback {
            self.problems.push(format!(
                "the fallback at {at} follows another at {}",
                first.at
            ));
        }
        self.fallback.get_or_insert(Added {
            method: None,
            template: "(fallback)".to_owned(),
            places: Vec::new(),
            takes_octets: true,
            handler: Rc::new(handler),
            layers: Rc::default(),
            at,
        });
        self
    }

    /// The router of this app.
    ///
    /// # Errors
    /// Two routes that take the same requests, templates that are malformed, more routes than
    /// [`ROUTES`](crate::limits::ROUTES): all problems at once.
    pub fn build(mut self) -> Result<Router, AppError> {
        let layers = self.seal();
        Plan::new(self.problems).build(&self.added, self.fallback.as_ref(), layers)
    }

    #[track_caller]
    fn add(
        mut self,
        method: Option<Method>,
        template: &str,
        places: Vec<String>,
        handler: impl Handler,
    ) -> App {
        self.added.push(Added {
            method,
            template: template.to_owned(),
            takes_octets: places.len() > 1,
            places,
            handler: Rc::new(handler),
            layers: Rc::default(),
            at: Location::caller(),
        });
        self
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.added.iter().chain(&self.fallback);
        f.debug_list().entries(all.map(Added::to_string)).finish()
    }
}
