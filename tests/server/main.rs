//! The server in this process, over real sockets: what peers of every kind get from it.
//!
//! Every test has a server of its own on a port of its own, so all may run at once.

#[path = "../support/mod.rs"]
mod support;

mod app;
mod asking;
mod between;
mod bodies;
mod cases;
#[cfg(feature = "compression")]
mod codings;
mod counterparts;
mod deadlines;
mod departures;
mod failures;
mod files;
mod limits;
mod log;
mod mutated;
mod reserved;
mod robustness;
mod smuggling;
mod stats;
mod streams;
#[cfg(feature = "tower")]
mod tower;
mod wire;
