//! The life of the server and its shards, of which no peer is the cause, and so there is no budget for what is
//! told of it.

use super::{ACCEPT, SERVER, SHARD, text};
use crate::failure::Failure;
use std::ffi::CStr;
use std::io;
use std::time::Duration;
use tracing::{error, info, warn};

/// Accepting begins to fail for want of descriptors or memory.
pub(crate) fn accepting_pauses(shard: usize, error: &io::Error) {
    warn!(
        target: ACCEPT, shard, error = text(error),
        "accepting pauses: raise LimitNOFILE= or ulimit -n, or lower the limit of connections"
    );
}

/// Accepting goes on without failing, after this many pauses.
pub(crate) fn accepting_goes_on(shard: usize, pauses: u64) {
    warn!(target: ACCEPT, shard, pauses, "accepting goes on");
}

/// A file of the folder that is served lies at a path that the server answers itself.
pub(crate) fn file_is_covered(path: &str) {
    warn!(
        target: SERVER, path,
        "the server answers this path itself, and seldom or never with the file that lies there"
    );
}

/// A file that is to be served where nothing else is, or with an error, is not there.
pub(crate) fn page_is_missing(path: &CStr) {
    warn!(
        target: SERVER, path = text(path.to_string_lossy()),
        "the page of an error or the fallback is not there: without it errors are written as usual"
    );
}

/// A shard serves.
pub(crate) fn shard_serves(shard: usize, cpu: usize) {
    info!(target: SHARD, shard, cpu, "a shard serves");
}

/// The ring of a shard is smaller than usual, because the kernel had no memory for more.
pub(crate) fn ring_is_small(shard: usize) {
    warn!(
        target: SHARD, shard,
        "the kernel has no memory in one piece for a ring of the usual size: this one is smaller, \
         which costs speed with thousands of connections; start again when more memory is free"
    );
}

/// A shard ended.
pub(crate) fn shard_ended(shard: usize, cpu: usize) {
    info!(target: SHARD, shard, cpu, "a shard ended");
}

/// A shard ended with so many messages of other cores that its app had not taken.
pub(crate) fn messages_are_left(shard: usize, messages: usize) {
    warn!(
        target: SHARD, shard, messages,
        "a shard ended with messages of other cores that its app had not taken"
    );
}

/// A shard failed while the others served.
pub(crate) fn shard_failed(shard: usize, failure: &Failure) {
    error!(
        target: SHARD, shard, error = text(failure),
        "a shard failed, and the server shuts down"
    );
}

/// A shutdown begins after `delay`.
pub(crate) fn shutdown_is_announced(delay: Duration) {
    info!(target: SERVER, ?delay, "a shutdown is announced: it is served on until it begins");
}

/// A shutdown begins with this many shards.
pub(crate) fn shutdown_begins(shards: usize) {
    info!(target: SERVER, shards, "a shutdown begins");
}

/// A shutdown is over.
pub(crate) fn shutdown_is_over() {
    info!(target: SERVER, "the shutdown is over");
}

/// A shutdown took too long, and this many shards are cut off.
pub(crate) fn shutdown_is_cut_short(shards: usize) {
    warn!(
        target: SERVER, shards,
        "the shutdown took its whole time: what is left is cut off; raise --shutdown-timeout"
    );
}
