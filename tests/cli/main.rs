//! The program as a process: how it starts and refuses to, what it looks like while it runs, and
//! how it ends.

#[path = "../support/mod.rs"]
mod support;

mod access_log;
mod error_pages;
mod explain;
mod footprint;
mod growth;
mod http_server;
mod log;
mod refusals;
mod shape;
mod shutdown;
mod starting;
mod stopped;
#[cfg(feature = "top")]
mod top;
