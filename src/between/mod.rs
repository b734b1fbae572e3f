//! Between cores: messages, the one way in which the cores of a server may have to do with each other.
//!
//! A core serves its connections alone, with state of its own (`Rc`, `Cell`, `RefCell`), and that is
//! what makes it fast and free of locks. An `Arc<Mutex<_>>` that all handlers share would compile, and
//! would have every core wait for every other. What has to be the same on all cores goes between
//! them as *messages*: owned values that are `Send`, put on a lane to the core that wants them.
//! Everything else on a core stays where it is.
//!
//! ```text
//! core 0: Lanes ──try_send──▶ [ lane 0→1: at most 1024 ] ──recv──▶ Mailbox :core 1
//!            ╰──▶ [ lane 0→0 ] ──▶ Mailbox            bell of core 1 ◀─rung once for many
//! ```
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
//! - **Failures**: in a handler, `?` answers 503 where a message was not sent. A core that
//!   failed takes the server down, as ever; until then who sends to it is told [`Undelivered::Gone`].
//! - **Shutdown**: while the last requests are served messages go on, on cores that have none left, too.
//!   When no core has any left, all stop sending ([`Undelivered::Draining`]), each takes what is on its
//!   way, [`Mailbox::recv`] returns `None`, and the cores end.
//!
//! Lanes are made by the function that makes the app, on every core alike: the first lanes for a type on
//! one core meet the first for that type on the others. So give each purpose a type of its own.
//!
//! [`MESSAGES_AT_ONCE`]: crate::limits::MESSAGES_AT_ONCE

mod bell;
mod core;
mod error;
mod exchange;
mod lane;
mod lanes;
mod mailbox;
mod turns;

#[cfg(test)]
mod tests;

pub use self::core::Core;
pub(crate) use self::core::Host;
pub use self::error::{BroadcastError, SendError, Undelivered};
pub(crate) use self::exchange::Exchange;
pub use self::lanes::Lanes;
pub use self::mailbox::Mailbox;
