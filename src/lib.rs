//! corelane: a thread-per-core HTTP server for Linux.

pub mod cli;
pub mod config;
pub mod cores;
pub mod failure;
pub mod files;
pub mod http;
pub mod limits;
pub mod preflight;
pub mod ring;
pub mod stats;
