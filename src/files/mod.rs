//! Static files: which file a request path names (`path`), what it is (`media`), and serving it
//! (`service`). Only the last does I/O.

pub mod media;
pub mod path;
mod service;

pub use self::service::Files;
