//! A thread-per-core HTTP server for Linux: one io_uring executor pinned to each core, connections
//! that stay on the core that accepted them, and nothing shared between cores on the way of a
//! request.
//!
//! The crate is a library for services with routes and async handlers, and the program `corelane`,
//! which serves a folder. It needs Linux 6.1 or newer; [`preflight`] says why a machine is refused.
//!
//! ```no_run
//! use corelane::{App, Request, Server};
//!
//! fn main() -> corelane::Result<()> {
//!     Server::bind("127.0.0.1:8080").run(|_shard| {
//!         // Called once on each core.
//!         App::new()
//!             .get("/", |_req: Request| async { "Hello, Anonymous" })
//!             .get("/{name}", |req: Request| async move {
//!                 format!("Hello, {}", req.param("name"))
//!             })
//!             .files("/static", "public")
//!     })
//! }
//! ```
//!
//! Handlers are `async fn(Request) -> impl IntoResponse`. They need no `Send`: each core has an
//! [`App`] of its own, made by the function given to [`Server::run`], and runs its handlers on its
//! own thread. So their state is `Rc`, `Cell` and `RefCell`. A handler may return
//! `Result<_, corelane::Error>`; `?` then makes an [`Error`] of any other: a 500 of which the
//! peer reads nothing, but for errors of this library that know better. A handler that computes for long, or blocks, holds up every connection of its core.
//!
//! Apps are made of others, by prefix ([`App::nest`]) and by host ([`App::host`]); parameters have
//! kinds (`/users/{id:u64}`), and routes names, from which links are written ([`Request::url_for`]).
//!
//! Methods, status codes and header names are those of the [`http`](https://docs.rs/http) crate. Timers,
//! files and channels for handlers come from [`glommio`] and the [`ring`].
//!
//! # Where things are
//!
//! | module | for |
//! |---|---|
//! | [`guide`] | a service in ten minutes; for those who know aiohttp or axum |
//! | [`app`] | routes, handlers, requests, responses, errors |
//! | [`between`] | messages between cores, the one way in which they may have to do with each other |
//! | [`server`] | configuring, starting and stopping a server |
//! | [`shard`] | what a core owns, and lends to the function that makes its app |
//! | [`ring`] | sockets, files, deadlines and wake-ups for handlers that need their own |
//! | [`files`] | serving a folder; its files from handlers: [`app::Folder`] |
//! | [`net`] | connecting to other servers |
//! | [`pool`] | a core's connections to another server |
//! | `postgres`, `redis` | these servers, with the features of their names |
//! | [`http`] | HTTP/1.1 as pure code |
//! | [`stats`] | what `/stats` says, and what a latency is |
//! | [`log`] | which events there are for a [`tracing`](https://docs.rs/tracing) subscriber |
//! | [`testing`] | an app served in memory |
//! | `ws` | WebSockets, with the feature `websocket` |
//! | [`config`], [`cores`], [`limits`], [`preflight`], [`failure`] | running it on a node |
//! | [`cli`] | the program |
//! | [`architecture`] | how it is built, and what must stay true |

pub mod app;
pub mod between;
pub mod cli;
#[cfg(feature = "compression")]
mod coding;
pub mod config;
mod connection;
pub mod cores;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod environment;
pub mod failure;
pub mod files;
mod flag;
pub mod http;
mod latest;
pub mod limits;
pub mod log;
pub mod net;
mod permits;
pub mod pool;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod preflight;
mod printable;
#[cfg(feature = "redis")]
pub mod redis;
pub mod ring;
pub mod server;
pub mod shard;
pub mod stats;
pub mod testing;
mod turns;
#[cfg(feature = "websocket")]
pub mod ws;

#[doc = include_str!("guide/ten_minutes.md")]
pub mod guide {
    // Its table names what comes with features, too.
    #[cfg(all(feature = "multipart", feature = "compression", feature = "websocket"))]
    #[doc = include_str!("guide/aiohttp.md")]
    pub mod aiohttp {}

    #[doc = include_str!("guide/axum.md")]
    pub mod axum {}
}

#[doc = include_str!("ARCHITECTURE.md")]
pub mod architecture {}

// The types of `http` in signatures of ours, and glommio in the version whose executors run here,
// so that users need depend on neither.
pub use ::http::{HeaderName, HeaderValue, Method, StatusCode, header};
pub use app::{
    App, Body, Error, Html, IntoResponse, Json, Next, Redirect, Request, Response, Result,
};
pub use glommio;
pub use limits::Limits;
pub use server::{Running, Server};
pub use shard::{Leaving, Shard};

// What `request_span!` is made of.
#[doc(hidden)]
pub use tracing as __tracing;
