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

mod body;
mod builder;
mod cookies;
pub mod demo;
mod error;
mod explanation;
mod extract;
mod handler;
mod headers;
mod into_response;
#[cfg(feature = "multipart")]
mod multipart;
mod params;
mod path;
mod paths;
mod plan;
mod redirect;
mod request;
mod response;
mod router;
mod sse;
mod streams;
mod template;

pub use body::{Body, BodyError, BodySource};
pub use builder::App;
pub(crate) use builder::Folder;
pub use cookies::{Cookie, CookieError, SameSite};
pub use error::{Blame, Error, Result};
pub use handler::{Answer, Handler, with_body_limit};
pub use headers::Headers;
pub use into_response::{Html, IntoResponse, Json};
#[cfg(feature = "multipart")]
pub use multipart::{Multipart, Part};
pub use plan::AppError;
pub use redirect::Redirect;
pub use request::Request;
pub use response::Response;
pub use router::{Dispatch, RouteId, RouteInfo, Router};
pub use sse::{Sse, SseEvent};
pub use streams::BodyReader;
