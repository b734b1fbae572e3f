//! Between cores: messages, the one way in which the cores of a server may have to do with each other.
//!
//! A core serves its connections alone, with state of its own (`Rc`, `Cell`, `RefCell`), and that is
//! what makes it fast and free of locks. An `Arc<Mutex<_>>` that all handlers share would compile, and
//! would have every core wait for every other. What has to be the same on all cores goes between
//! them as *messages*: owned values that are `Send`, put on a lane to the core that wants them.
//! Everything else on a core stays where it is. Questions and their answers are messages, too.
//!
//! ```text
//! core 0: Lanes ──try_send──▶ [ lane 0→1: at most 1024 ] ──recv──▶ Mailbox :core 1
//!            ╰──▶ [ lane 0→0 ] ──▶ Mailbox            bell of core 1 ◀─rung once for many
//! ```
//!
//! A message costs its two cores 0.3 to 0.75 µs of CPU time together. A question to a core that sleeps takes some
//! 37 µs, for two wake-ups through the kernel; with 256 open at a time it is 0.4 µs (`benches/between`).
//!
//! # News for every core
//! A chat: who says something may be connected to one core and who listens to any. Each core has a
//! mailbox, which a background task empties into what its own connections listen to.
//!
//! ```no_run
//! use corelane::{App, Request, Server};
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! fn main() -> corelane::Result<()> {
//!     Server::bind("127.0.0.1:8080").run(|shard| {
//!         let (lanes, mut mailbox) = shard.lanes::<String>();
//!         let said = Rc::new(RefCell::new(Vec::new()));
//!         let heard = Rc::clone(&said);
//!         App::new()
//!             .background(async move {
//!                 while let Some(words) = mailbox.recv().await {
//!                     heard.borrow_mut().push(words);
//!                 }
//!             })
//!             .post("/", move |mut req: Request| {
//!                 let lanes = lanes.clone();
//!                 async move {
//!                     lanes.broadcast(req.text().await?).await?;
//!                     Ok::<_, corelane::Error>("said")
//!                 }
//!             })
//!             .get("/", move |_: Request| {
//!                 let all = said.borrow().join("\n");
//!                 async move { all }
//!             })
//!     })
//! }
//! ```
//!
//! # A counter for each key
//! What is to be right for the whole server, and not for each core, has one place: the core that its key
//! belongs to ([`home`]). A [`Sharded`] keeps it there, and asks that core from any other; what is asked at
//! home costs no message. A function that takes a [`Core`] makes the app for a server
//! (`|shard| app(shard.core())`) and for a [`Cluster`] in a test.
//!
//! ```
//! use corelane::between::Core;
//! use corelane::testing::Cluster;
//! use corelane::{App, Request};
//! use std::cell::RefCell;
//! use std::collections::HashMap;
//! use std::future::ready;
//!
//! fn app(core: &Core) -> App {
//!     let counts = RefCell::new(HashMap::<String, u64>::new());
//!     let counter = core.sharded(move |page: String| {
//!         let mut counts = counts.borrow_mut();
//!         let count = counts.entry(page).or_default();
//!         *count += 1;
//!         ready(*count)
//!     });
//!     App::new().get("/pages/{page}", move |req: Request| {
//!         let counter = counter.clone();
//!         async move {
//!             let page = req.param("page").into_owned();
//!             let count = counter.ask(&page, page.clone()).await?;
//!             Ok::<_, corelane::Error>(format!("read {count} times"))
//!         }
//!     })
//! }
//!
//! let cluster = Cluster::new(4, app);
//! for core in 0..4 {
//!     let page = cluster.client(core).get("/pages/news").send();
//!     assert_eq!(page.text(), format!("read {} times", core + 1));
//! }
//! ```
//!
//! # A cache for each key
//! A handler of questions may wait, as one of requests may, and others are answered meanwhile. Here each
//! value is made once for the server and not once for each core, and is kept once; who asks is given a copy.
//! Text that is long and seldom changes is copied for nothing but a count as `Bytes` or `Arc<str>`.
//!
//! ```
//! use corelane::between::Core;
//! use corelane::testing::Cluster;
//! use corelane::{App, Request};
//! use std::cell::RefCell;
//! use std::collections::HashMap;
//! use std::rc::Rc;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! /// Most values that a core keeps.
//! const KEPT: usize = 10_000;
//!
//! /// Stands for what takes time.
//! async fn make(name: &str) -> Arc<str> {
//!     format!("Hello, {name}").into()
//! }
//!
//! fn app(core: &Core) -> App {
//!     let kept = Rc::new(RefCell::new(HashMap::<String, Arc<str>>::new()));
//!     let here = core.index();
//!     let cache = core.sharded(move |name: String| {
//!         let kept = Rc::clone(&kept);
//!         async move {
//!             let known = kept.borrow().get(&name).cloned();
//!             if let Some(value) = known {
//!                 return (here, value);
//!             }
//!             let value = make(&name).await;
//!             let mut kept = kept.borrow_mut();
//!             if kept.len() >= KEPT {
//!                 kept.clear();
//!             }
//!             kept.insert(name, Arc::clone(&value));
//!             (here, value)
//!         }
//!     });
//!     let cache = cache.within(Duration::from_secs(1));
//!     App::new().get("/{name}", move |req: Request| {
//!         let cache = cache.clone();
//!         async move {
//!             let name = req.param("name").into_owned();
//!             let (core, value) = cache.ask(&name, name.clone()).await?;
//!             Ok::<_, corelane::Error>(format!("{value}, from core {core}"))
//!         }
//!     })
//! }
//!
//! let cluster = Cluster::new(4, app);
//! let home = corelane::between::home("Ada", 4);
//! for core in 0..4 {
//!     let hello = cluster.client(core).get("/Ada").send();
//!     assert_eq!(hello.text(), format!("Hello, Ada, from core {home}"));
//! }
//! ```
//!
//! # What holds
//! - **Order**: what one task sends to one core arrives as it was sent. Nothing is said about messages
//!   of different tasks or cores.
//! - **Bounds**: a lane holds so many messages and no more. Beyond that [`Lanes::try_send`] says
//!   [`Undelivered::Full`], and [`Lanes::send`] waits for room, but not for ever. Memory is taken only
//!   for what is on its way.
//! - **Nothing is lost silently**: what was sent is received, or its sender is told why not. What remains
//!   is what a mailbox's owner leaves in it: whoever drops a mailbox drops that, and a core that is cut
//!   off with unread messages tells its log how many.
//! - **Waking**: a core that sleeps is woken once for many messages, and takes those that come meanwhile
//!   without being woken again. A core under load takes [`MESSAGES_AT_ONCE`] at a time, with its
//!   connections in between.
//! - **Questions**: each is answered once, or its asker told why not: no later than its time is over,
//!   which is [`ASK_TIMEOUT`] unless [`Sharded::within`] says otherwise. Of each core [`QUESTIONS`] at most
//!   are open at another. Questions arrive in order, but those whose handlers wait are answered
//!   as they are done. An asker that has gone is waited for no more; what it asked for is done all the same.
//! - **Failures**: in a handler, `?` answers 503 where a message was not sent, 504 where an answer is late,
//!   and 500 where the handler of a question panicked, which fails that question alone. A core that
//!   failed takes the server down, as ever; until then who sends to it is told [`Undelivered::Gone`].
//! - **Shutdown**: while the last requests are served messages go on, on cores that have none left, too.
//!   When no core has any left, all stop sending ([`Undelivered::Draining`]), each takes what is on its
//!   way and answers what it was asked, [`Mailbox::recv`] returns `None`, apps [clean up], and the cores end.
//!
//! Lanes are made by the function that makes the app, on every core alike: the first lanes for a type on
//! one core meet the first for that type on the others. So give each purpose a type of its own. The same
//! goes for what is sharded, by the types of question and answer.
//!
//! [`ASK_TIMEOUT`]: crate::limits::ASK_TIMEOUT
//! [`Cluster`]: crate::testing::Cluster
//! [`MESSAGES_AT_ONCE`]: crate::limits::MESSAGES_AT_ONCE
//! [`QUESTIONS`]: crate::limits::QUESTIONS
//! [clean up]: crate::App::on_cleanup

mod answering;
mod bell;
mod core;
mod error;
mod exchange;
mod key;
mod lane;
mod lanes;
mod mailbox;
mod sharded;

#[cfg(test)]
mod tests;

pub use self::core::Core;
pub(crate) use self::core::{Host, Job};
pub use self::error::{BroadcastError, CallError, SendError, Undelivered};
pub(crate) use self::exchange::Exchange;
pub use self::key::{Keyed, hash, home};
pub use self::lanes::Lanes;
pub use self::mailbox::Mailbox;
pub use self::sharded::Sharded;
