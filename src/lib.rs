//! corelane: a thread-per-core HTTP server for Linux.

pub mod app;
pub mod cli;
pub mod config;
pub mod cores;
pub mod failure;
pub mod files;
pub mod http;
pub mod limits;
pub mod preflight;
pub mod ring;
pub mod server;
pub mod shard;
pub mod stats;

pub use app::{App, Body, Error, IntoResponse, Json, Request, Response, Result};
pub use server::{Running, Server};
pub use shard::Shard;
