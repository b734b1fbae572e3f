//! corelane: a thread-per-core HTTP server for Linux.

pub mod http;
pub mod limits;
pub mod ring;
pub mod stats;
