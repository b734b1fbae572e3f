//! Putting an app together: routes are collected here. `plan.rs` proves them.

use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use http::Method;

use super::access::AccessHook;
use super::added::{Added, Named, Reach, Source, TrailingSlash};
use super::folder::{Folder, SendNamed};
use super::handler::Handler;
use super::layers::Layers;
use super::life::Life;
use super::plan::{self, AppError};
use super::router::Router;
use super::template::Template;

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
/// `{*rest}` for everything to the end of the path. Neither is ever empty. Templates are written as
/// people read them (`/café`) or percent-encoded; `{{` and `}}` stand for braces. A trailing slash
/// makes another path, unless [`App::trailing_slash`] says otherwise.
///
/// A parameter may have a kind, as in `/users/{id:u64}`. A value that is not of the kind does not
/// match. The kinds are `u32`, `u64`, `i64` (decimal numbers that fit), `alpha`, `alnum`, `slug`
/// (ASCII letters; with digits; with `-` and `_`), `hex`, `uuid`, and words, as in
/// `{size:small|large}`. Routes may differ in their kinds alone: one without kinds comes last, others
/// in the order in which they were added.
///
/// A path goes to the most specific template that takes it, in whatever order they were added. Segment
/// by segment, from the left, literal text goes before a parameter, and `{name}` before `{*rest}`;
/// so does a template before a [mount](App::mount), and the longer prefix of two mounts. Where a value is
/// not of its parameter's kind, the next template is tried. The methods do not matter for that: where the
/// template has no route for the request's, the answer is 405, whatever less specific ones have.
///
/// ```
/// # use corelane::app::{App, Request};
/// # async fn by_number(_: Request) {}
/// # async fn by_name(_: Request) {}
/// # async fn page(_: Request) {}
/// let app = App::new()
///     .get("/users/{id:u64}", by_number)
///     .get("/users/{name:slug}", by_name)
///     .get("/{*page}", page); // for /users/x.html, too
/// # assert!(app.build().is_ok());
/// ```
///
/// HEAD is answered by the handler for GET, and OPTIONS with the methods that a path has, unless
/// they have routes of their own.
#[derive(Default)]
#[must_use = "an app does nothing before it is served"]
pub struct App {
    pub(super) added: Vec<Added>,
    pub(super) fallbacks: Vec<Added>,
    pub(super) hosts: Vec<HostApp>,
    /// Those of apps within this one, too.
    folders: Vec<Folder>,
    pub(super) trailing_slash: Option<TrailingSlash>,
    pub(super) problems: Vec<String>,
    pub(super) layers: Layers,
    pub(super) life: Life,
    /// Those of apps within this one, too.
    pub(super) access_hooks: Vec<AccessHook>,
    last: Last,
}

/// The app of a host.
pub(super) struct HostApp {
    pub(super) host: String,
    /// What is around its own answers.
    pub(super) layers: Rc<Layers>,
    pub(super) app: App,
    pub(super) at: &'static Location<'static>,
}

/// What was added last, for [`App::name`].
#[derive(Default)]
enum Last {
    /// Nothing that can have a name.
    #[default]
    Nameless,
    Route,
    /// An app, whose routes are those from this one on.
    Nested(usize),
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
        self.add(Some(method), path, Reach::Template, Source::of(handler))
    }

    /// Answers all methods on `path` with `handler`, except those that have a route of their own.
    #[track_caller]
    pub fn any(self, path: &str, handler: impl Handler) -> App {
        self.add(None, path, Reach::Template, Source::of(handler))
    }

    /// Answers all methods on `prefix` and every path below it with `handler`, which finds what
    /// follows the prefix in [`Request::rest`](super::Request::rest).
    ///
    /// It gets what no more specific template takes: beside `/{name}`, a mount at `/` has the paths of
    /// more than one segment, and `/` itself unless that has a route.
    ///
    /// Unlike other handlers it gets paths that are not UTF-8, too.
    #[track_caller]
    pub fn mount(self, prefix: &str, handler: impl Handler) -> App {
        self.add(None, prefix, Reach::Mount, Source::of(handler))
    }

    /// Does what [`App::mount`] does, for the methods that [`App::files`] takes.
    #[track_caller]
    pub(crate) fn mount_to_read(self, prefix: &str, handler: impl Handler) -> App {
        let source = Source::of(handler);
        self.add(Some(Method::GET), prefix, Reach::Mount, source)
    }

    /// Serves the files of `folder` below `prefix` to GET and HEAD; `/` for everything that has
    /// no other route. It is a [mount](App::mount): a route such as `/{name}` has the paths of files that
    /// lie in the folder itself.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// async fn hello(req: Request) -> String {
    ///     format!("Hello, {}", req.param("name"))
    /// }
    ///
    /// // GET /Ada is answered by `hello`, GET /css/site.css by the file public/css/site.css.
    /// let app = App::new().get("/{name}", hello).files("/", "public");
    /// # assert!(app.build().is_ok());
    /// ```
    ///
    /// A server that cannot open the folder does not start.
    #[track_caller]
    pub fn files(self, prefix: &str, folder: impl Into<PathBuf>) -> App {
        self.add(
            Some(Method::GET),
            prefix,
            Reach::Mount,
            Source::Folder(folder.into()),
        )
    }

    /// Has the server open `folder`, of which handlers send files, before it serves anything.
    ///
    /// A server that cannot open the folder does not start.
    pub fn folder(mut self, folder: &Folder) -> App {
        self.folders.push(folder.clone());
        self
    }

    /// Adds all routes of `app` below `prefix`, which may have parameters: handlers find them beside
    /// those of their own templates.
    ///
    /// The path `/` of `app` becomes the prefix as it is written here, `/api` or `/api/`. Its fallback
    /// answers what has no route below the prefix; without one, the fallback of this app does. Nothing
    /// else changes: what HEAD, OPTIONS and other methods get is what the whole path has routes for,
    /// within the middleware that these routes share ([`App::wrap`]).
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// async fn note(req: Request) -> String {
    ///     format!("note {} of {}", req.param("id"), req.param("user"))
    /// }
    ///
    /// let notes = App::new().get("/{id:u64}", note);
    /// let app = App::new().nest("/users/{user}/notes", notes);
    /// # assert!(app.build().is_ok());
    /// ```
    #[track_caller]
    pub fn nest(mut self, prefix: &str, mut app: App) -> App {
        let at = Location::caller();
        app.seal();
        self.life.append(&mut app.life);
        self.access_hooks.append(&mut app.access_hooks);
        self.folders.append(&mut app.folders);
        self.problems.extend(app.problems);
        let misplaced = app.hosts.iter().map(|host| {
            let HostApp {
                host, at: first, ..
            } = host;
            format!("the host {host} ({first}) is part of an app that is nested at {at}")
        });
        self.problems.extend(misplaced);
        if !prefix.is_empty() {
            let problem = match Template::parse(prefix) {
                Ok(template) if template.has_rest() => Some("a prefix has no `{*rest}`".into()),
                Ok(_) => None,
                Err(problem) => Some(problem),
            };
            if let Some(problem) = problem {
                self.problems
                    .push(format!("the nested app {prefix} ({at}): {problem}"));
                return self;
            }
        }
        self.last = Last::Nested(self.added.len());
        let nested = |mut added: Added| {
            added.nest(prefix, app.trailing_slash, at);
            added
        };
        self.added.extend(app.added.into_iter().map(nested));
        self.fallbacks.extend(app.fallbacks.into_iter().map(nested));
        self
    }

    /// Gives requests for `host` to `app` instead of this app, which keeps those for all other hosts.
    ///
    /// `host` is a name, or an address as URLs have it; `*.example.org` stands for every name below
    /// `example.org`. It is compared in any case and without the port. A name goes before a `*`, and
    /// the longer of two domains before the shorter. What `app` has no route for, it answers itself.
    ///
    /// ```
    /// # use corelane::app::{App, Request};
    /// let app = App::new()
    ///     .fallback(|_req: Request| async { "nobody's" })
    ///     .host("example.org", App::new().get("/", |_req: Request| async { "the site's" }))
    ///     .host("*.example.org", App::new().get("/", |_req: Request| async { "a customer's" }));
    /// # assert!(app.build().is_ok());
    /// ```
    #[track_caller]
    pub fn host(mut self, host: &str, mut app: App) -> App {
        let at = Location::caller();
        let layers = app.seal();
        self.life.append(&mut app.life);
        self.access_hooks.append(&mut app.access_hooks);
        self.folders.append(&mut app.folders);
        self.problems.append(&mut app.problems);
        let misplaced = app.hosts.iter().map(|inner| {
            format!(
                "the host {} ({}) is part of the app of the host {host} ({at})",
                inner.host, inner.at
            )
        });
        self.problems.extend(misplaced);
        self.hosts.push(HostApp {
            host: host.to_owned(),
            layers,
            app,
            at,
        });
        self.last = Last::Nameless;
        self
    }

    /// Names the route added last, for [`Router::url_for`] and [`Request::url_for`].
    ///
    /// After [`App::nest`] it goes, with a `.`, before the names that routes of the nested app have,
    /// so that the same app can be nested twice. Names are unique across nested apps and hosts.
    ///
    /// ```
    /// use corelane::app::{App, Request};
    ///
    /// let notes = App::new().get("/{id:u64}", async |_: Request| ()).name("note");
    /// let app = App::new().nest("/notes", notes).name("v1");
    /// let router = app.build()?;
    /// assert_eq!(router.url_for("v1.note", &[("id", &7)])?, "/notes/7");
    /// # Ok::<_, corelane::Error>(())
    /// ```
    ///
    /// [`Request::url_for`]: super::Request::url_for
    #[track_caller]
    pub fn name(mut self, name: &str) -> App {
        let at = Location::caller();
        let problem = match self.last {
            Last::Nameless => Some("follows nothing that can have a name"),
            Last::Nested(first) => {
                for named in self.added[first..]
                    .iter_mut()
                    .filter_map(|added| added.name.as_mut())
                {
                    named.name = format!("{name}.{}", named.name);
                    named.at = at;
                }
                None
            }
            Last::Route => {
                let added = self.added.last_mut();
                let known = added.and_then(|added| {
                    added.name.replace(Named {
                        name: name.to_owned(),
                        at,
                    })
                });
                known.map(|_| "follows another name of the same route")
            }
        };
        if let Some(problem) = problem {
            self.problems
                .push(format!("the name {name} ({at}) {problem}"));
        }
        self
    }

    /// Says what becomes of a path that has a route only with a slash more, or less, at its end.
    ///
    /// It holds for the whole app wherever it is called, and for nested apps and those of hosts that
    /// do not say otherwise.
    pub fn trailing_slash(mut self, policy: TrailingSlash) -> App {
        self.trailing_slash = Some(policy);
        self
    }

    /// This app with its folders as routes, for each of which `open` gives the handler, and with those
    /// of its handlers open.
    pub(crate) fn open_folders<H: Handler + SendNamed, E>(
        mut self,
        open: &impl Fn(&Path) -> Result<H, E>,
    ) -> Result<App, E> {
        for added in &mut self.added {
            if let Source::Folder(folder) = &added.source {
                added.source = Source::Handler(Rc::new(open(folder)?));
            }
        }
        for folder in &self.folders {
            folder.open(open)?;
        }
        let opened = |host: HostApp| {
            let app = host.app.open_folders(open)?;
            Ok(HostApp { app, ..host })
        };
        let hosts = std::mem::take(&mut self.hosts);
        self.hosts = hosts.into_iter().map(opened).collect::<Result<_, E>>()?;
        Ok(self)
    }

    /// Answers every request whose path has no route with `handler`, instead of 404.
    ///
    /// A path that has routes, but none for the method, is still answered with 405. With
    /// [`App::catch_all`] it is not.
    #[track_caller]
    pub fn fallback(self, handler: impl Handler) -> App {
        self.fall_back(Reach::Fallback, handler)
    }

    /// Answers every request that no route takes with `handler`, instead of 404 and 405: an
    /// [`App::fallback`] that also has the methods that the routes of a path do not take, OPTIONS among
    /// them.
    ///
    /// So the methods of one path may be answered by different handlers, as when routes move here one by
    /// one from a [service](super::tower). What else the path takes is then the handler's to know, and no
    /// Allow is made. HEAD goes to the route for GET, if there is one. An app nested in this one that has
    /// a fallback decides for its paths itself.
    ///
    /// ```
    /// use corelane::testing::TestClient;
    /// use corelane::{App, Request};
    ///
    /// let app = App::new()
    ///     .get("/notes", async |_: Request| "the notes")
    ///     .catch_all(async |req: Request| format!("{} to all others", req.method()));
    /// let mut client = TestClient::new(app);
    /// assert_eq!(client.get("/notes").send().text(), "the notes");
    /// assert_eq!(client.post("/notes").send().text(), "POST to all others");
    /// ```
    #[track_caller]
    pub fn catch_all(self, handler: impl Handler) -> App {
        self.fall_back(Reach::CatchAll, handler)
    }

    /// The router of this app.
    ///
    /// # Errors
    /// Two routes that take the same requests, two with one name, templates and hosts that are
    /// malformed, apps with hosts within others, more routes than
    /// [`ROUTES`](crate::limits::ROUTES): all problems at once.
    pub fn build(mut self) -> Result<Router, AppError> {
        let layers = self.seal();
        plan::prove(&self, layers)
    }

    #[track_caller]
    fn fall_back(mut self, reach: Reach, handler: impl Handler) -> App {
        let source = Source::of(handler);
        let fallback = Added::new(None, "", reach, source, Location::caller());
        self.fallbacks.push(fallback);
        self.last = Last::Nameless;
        self
    }

    #[track_caller]
    fn add(mut self, method: Option<Method>, path: &str, reach: Reach, source: Source) -> App {
        let at = Location::caller();
        self.added.push(Added::new(method, path, reach, source, at));
        self.last = Last::Route;
        self
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.added.iter().chain(&self.fallbacks);
        f.debug_list().entries(all.map(Added::to_string)).finish()
    }
}
