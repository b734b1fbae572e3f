//! The cores of a server in memory, which have to do with each other.

use super::client::TestClient;
use super::conversation::Conversation;
use super::cores::{Bench, Cores};
use crate::app::{App, AppError};
use crate::between::Core;
use crate::limits::Limits;
use std::fmt;
use std::rc::Rc;

/// An app on several cores, for tests of what goes on [between](crate::between) them, without sockets,
/// threads or clocks.
///
/// ```
/// use corelane::between::Core;
/// use corelane::testing::Cluster;
/// use corelane::{App, Error, Request, Server};
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// /// Tells on every core what was said on any.
/// fn app(core: &Core) -> App {
///     let (lanes, mut mailbox) = core.lanes::<String>();
///     let heard = Rc::new(RefCell::new(String::new()));
///     let hears = Rc::clone(&heard);
///     App::new()
///         .background(async move {
///             while let Some(words) = mailbox.recv().await {
///                 hears.borrow_mut().push_str(&words);
///             }
///         })
///         .post("/{words}", move |req: Request| {
///             let lanes = lanes.clone();
///             async move { Ok::<_, Error>(lanes.broadcast(req.param("words").into_owned()).await?) }
///         })
///         .get("/", move |_: Request| {
///             let heard = heard.borrow().clone();
///             async { heard }
///         })
/// }
///
/// let cluster = Cluster::new(3, app);
/// cluster.client(0).post("/Hello").send();
/// for core in 0..3 {
///     assert_eq!(cluster.client(core).get("/").send().text(), "Hello");
/// }
/// // The same on a server:
/// let server = Server::bind("127.0.0.1:0").start(|shard| app(shard.core())).unwrap();
/// server.stop().unwrap();
/// ```
///
/// Whatever one of its connections does has all cores go on until they wait; but what another connection
/// waits for it takes notice of when it is used next.
pub struct Cluster {
    cores: Rc<Cores>,
}

impl Cluster {
    /// So many cores with the app that `factory` makes for each.
    ///
    /// # Panics
    /// If an app does not fit together or cannot start; [`Cluster::try_new`] does not.
    #[track_caller]
    pub fn new(cores: usize, factory: impl Fn(&Core) -> App) -> Cluster {
        match Cluster::try_new(cores, Limits::default(), factory) {
            Ok(cluster) => cluster,
            Err(error) => panic!("{error}"),
        }
    }

    /// So many cores that keep `limits`, with the app that `factory` makes for each.
    ///
    /// # Errors
    /// The problems of an app, or why its [start](App::on_start) failed.
    pub fn try_new(
        cores: usize,
        limits: Limits,
        factory: impl Fn(&Core) -> App,
    ) -> Result<Cluster, AppError> {
        let cores = Rc::new(Cores::start(cores, limits, factory)?);
        Ok(Cluster { cores })
    }

    /// A connection to this core, over which nothing was sent yet.
    ///
    /// # Panics
    /// If there is no such core.
    #[track_caller]
    pub fn connect(&self, core: usize) -> Conversation {
        let bench: Rc<Bench> = Rc::clone(self.cores.bench(core));
        Conversation::on(Rc::clone(&self.cores), bench)
    }

    /// What counts on this core.
    #[cfg(test)]
    pub(super) fn recorder(&self, core: usize) -> std::cell::RefMut<'_, crate::stats::Recorder> {
        self.cores.bench(core).service().recorder()
    }

    /// A client that is connected to this core.
    ///
    /// # Panics
    /// If there is no such core.
    #[track_caller]
    pub fn client(&self, core: usize) -> TestClient {
        TestClient::of(self.connect(core))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("cores", &self.cores)
            .finish()
    }
}
