//! Static files: which file a request path names, and what it is. The pure part does no I/O.

pub mod media;
pub mod path;
