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
    /// When the last connection of the core has ended, one after the other.
    pub(crate) end: Vec<Job<()>>,
}

impl Life {
    /// Takes over what `other` has, behind its own.
    pub(super) fn append(&mut self, other: &mut Life) {
        self.start.append(&mut other.start);
        self.tasks.append(&mut other.tasks);
        self.drain.append(&mut other.drain);
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
            .field("end", &self.end.len())
            .finish()
    }
}
