//! Applications: which handler answers which request, and what both sides of it look like.
//!
//! Nothing here reads or writes a socket, and nothing needs `Send`: each core builds its own
//! [`App`] and runs its own handlers. The path of a request:
//!
//! ```text
//! RequestHead + Body ─→ Request ─Router::dispatch→ Answer (a future) ─→ Response: status, Headers, Body
//! ```
//!
//! Whoever calls [`Router::dispatch`] catches the panics of handlers, enforces deadlines, leaves
//! the content out of answers to HEAD, and writes the response down.

mod access;
mod added;
mod body;
mod builder;
mod charset;
mod containment;
mod cookies;
pub mod demo;
mod error;
mod explanation;
mod extensions;
mod extract;
mod facts;
mod folder;
mod handler;
mod headers;
mod hosts;
mod into_response;
mod kind;
mod layers;
mod life;
mod methods;
pub mod middleware;
#[cfg(feature = "multipart")]
mod multipart;
mod params;
mod path;
mod paths;
mod plan;
mod precedence;
mod redirect;
mod representation;
mod request;
mod response;
mod router;
mod site;
mod sse;
mod streams;
mod template;
mod time;
#[cfg(feature = "tower")]
pub mod tower;
mod unrouted;
mod upgrade;
mod urls;
mod waiters;
mod whole;

pub(crate) use access::AccessFacts;
pub(crate) use access::RequestIds;
pub use access::{Access, AccessFormat, Ended};
pub use added::TrailingSlash;
pub use body::{Body, BodyEnd, BodyError, BodySource, FilePiece, SendFile};
pub use builder::App;
pub(crate) use containment::{Asked, Witness};
pub use cookies::{Cookie, CookieError, SameSite};
pub use error::{Blame, Error, Result};
pub use extensions::Extensions;
pub use folder::Folder;
pub(crate) use folder::{SendNamed, Sending};
pub use handler::{Answer, Handler, finish_after_disconnect, with_body_limit};
pub use headers::Headers;
pub use into_response::{Html, IntoResponse, Json};
pub(crate) use life::Life;
pub use middleware::{Middleware, Next};
#[cfg(feature = "multipart")]
pub use multipart::{Multipart, Part};
pub(crate) use path::normal as normal_path;
pub use plan::AppError;
pub use redirect::Redirect;
pub use request::Request;
pub use response::Response;
pub use router::{Dispatch, RouteId, RouteInfo, Router};
pub use sse::{Sse, SseEvent};
pub use streams::BodyReader;
pub(crate) use time::Timer;
pub use time::{Elapsed, Time};
pub(crate) use upgrade::{Link, Switch, Work};
pub use upgrade::{Upgraded, upgrade};
pub use urls::UrlError;
pub(crate) use waiters::Waiters;
