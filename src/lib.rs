//! corelane: a thread-per-core HTTP server for Linux.

pub mod app;
pub mod http;
pub mod limits;
