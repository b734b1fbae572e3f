//! What an app does beside answering requests: at its start, meanwhile, and at its end. The host
//! runs it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::builder::App;
use super::error::Result;

/// Something to be run on the app's core.
pub(crate) type Job<T> = Pin<Box<dyn Future<Output = T>>>;

/// What is to be run, and when.
#[derive(Default)]
pub(crate) struct Life {
    /// In this order, before requests are served.
    pub(crate) start: Vec<Job<Result<()>>>,
    /// From then on, side by side.
    pub(crate) tasks: Vec<Job<()>>,
    /// When the shutdown begins, side by side.
    pub(crate) drain: Vec<Job<()>>,
    /// When all of that is done, no connection is left and no message will come, from the last to the
    /// first.
    pub(crate) cleanup: Vec<Job<()>>,
    /// Behind that, one after the other.
    pub(crate) end: Vec<Job<()>>,
}

impl Life {
    /// Takes over what `other` has, behind its own.
    pub(crate) fn append(&mut self, other: &mut Life) {
        self.start.append(&mut other.start);
        self.tasks.append(&mut other.tasks);
        self.drain.append(&mut other.drain);
        self.cleanup.append(&mut other.cleanup);
        self.end.append(&mut other.end);
    }
}

impl App {
    /// Runs `work` on the core before it serves requests; several one after the other. The server
    /// listens when all cores are done.
    ///
    /// An error, or a panic, is told by [`Server::run`](crate::Server::run), and nothing is served.
    ///
    /// ```
    /// use corelane::{App, Request};
    /// use std::cell::OnceCell;
    /// use std::rc::Rc;
    ///
    /// let words = Rc::new(OnceCell::new());
    /// let reader = Rc::clone(&words);
    /// let app = App::new()
    ///     .on_start(async move {
    ///         let _ = reader.set(std::fs::read_to_string("/etc/hostname")?);
    ///         Ok(())
    ///     })
    ///     .get("/", move |_req: Request| {
    ///         let words = words.get().cloned().unwrap_or_default();
    ///         async { words }
    ///     });
    /// ```
    pub fn on_start(mut self, work: impl Future<Output = Result<()>> + 'static) -> App {
        self.life.start.push(Box::pin(work));
        self
    }

    /// Runs `task` on the core beside the requests, from when all of [`App::on_start`] is done; it is
    /// dropped when the core has ended. A panic in it stops the server, as a core's failure does.
    ///
    /// ```
    /// use corelane::App;
    ///
    /// let app = App::new().background(async {
    ///     // `Ring` and glommio have what can be waited for.
    /// });
    /// ```
    pub fn background(mut self, task: impl Future<Output = ()> + 'static) -> App {
        self.life.tasks.push(Box::pin(task));
        self
    }

    /// Runs `work` on the core when the shutdown begins, while requests are still answered: to end
    /// streams that would go on, or to hand things over. The core does not end before it is done,
    /// within the [shutdown timeout](crate::Server::shutdown_timeout).
    ///
    /// ```
    /// use corelane::App;
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// let is_ending = Rc::new(Cell::new(false));
    /// let told = Rc::clone(&is_ending);
    /// let app = App::new().on_drain(async move { told.set(true) });
    /// ```
    pub fn on_drain(mut self, work: impl Future<Output = ()> + 'static) -> App {
        self.life.drain.push(Box::pin(work));
        self
    }

    /// Runs `work` at the app's end on a core: no connection is left, what was sent to the core has been
    /// taken, and all of [`App::on_drain`] is done. Several run one after the other, the last first. The
    /// core does not end before, within the [shutdown timeout](crate::Server::shutdown_timeout).
    ///
    /// With [`App::on_start`] it makes a pair: what one opens the other closes. It does not run on a core
    /// that could not start, nor where a shutdown is cut short. Other cores can be told and
    /// [asked](crate::between) nothing any more. What the core keeps for the app, such as
    /// connections to other servers, is still there: that ends behind it, with
    /// [`Shard::on_end`](crate::Shard::on_end).
    ///
    /// ```
    /// use corelane::App;
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    ///
    /// let log = Rc::new(RefCell::new(Vec::new()));
    /// let (opened, closed) = (Rc::clone(&log), log);
    /// let app = App::new()
    ///     .on_start(async move { Ok(opened.borrow_mut().push("opened")) })
    ///     .on_cleanup(async move { closed.borrow_mut().push("closed") });
    /// ```
    pub fn on_cleanup(mut self, work: impl Future<Output = ()> + 'static) -> App {
        self.life.cleanup.push(Box::pin(work));
        self
    }

    /// What the host has to run, which is then no longer part of the app.
    pub(crate) fn take_life(&mut self) -> Life {
        std::mem::take(&mut self.life)
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life")
            .field("start", &self.start.len())
            .field("tasks", &self.tasks.len())
            .field("drain", &self.drain.len())
            .field("cleanup", &self.cleanup.len())
            .field("end", &self.end.len())
            .finish()
    }
}
