//! Statistics as pure code: what each core counted, merged exactly and written as `/stats`; it
//! opens no socket, reads no clock and shares nothing between cores.
//!
//! ```text
//! each core                        supervisor                          each core
//! Recorder ──snapshot, by message──▶ Totals ──merge──▶ Arc<View>, by message──▶ json()
//! ```
//!
//! A [`Recorder`] has one owner and plain integers. Its owner sends a [`Snapshot`], an owned copy,
//! once a second; the supervisor keeps the newest of every core in [`Totals`], hands the one it
//! replaces back to be filled again, and merges them into an immutable [`View`].
//!
//! # What a latency is
//!
//! A latency is taken from the completion that delivered a request's last head byte to the
//! completion of the last byte's send. It is what the server can see: the time that a request
//! waited in the kernel before its bytes were delivered is not in it.
//!
//! Latencies are in nanoseconds, from 1 ns to 60 s ([`LATENCY_MAX_NS`]) with two significant
//! digits: within that range a percentile is never below the exact one and at most 0.78 % above
//! it. A longer latency is one of 60 s to the percentiles, and is counted as an overflow besides.
//! Count, sum, minimum and maximum are exact in every case.
//!
//! # Which requests count
//!
//! A request counts when the last byte of its response has been handed to the kernel. It is then
//! in the total, in the latencies and in its status at once, so that the three always agree. The
//! `/stats` request itself is counted when it has been answered, and so is not in its own answer.
//! A request whose connection ends before its response is complete is abandoned: it leaves
//! `in_flight` and is counted nowhere else.
//!
//! # What the JSON says
//!
//! The sections are `server`, `window` (always `total`: since the server started), `requests`,
//! `latency`, `status`, `connections`, `bytes` and `cores`. Every field that ends in `_ns` is an
//! integer. All counters are since the start and never go backwards. The sum over `cores` equals
//! the total exactly, because both come from the same snapshots.
//!
//! - `requests.per_second` is the sum of the cores' rates. The rate of a core is the requests
//!   between two of its snapshots over the time between them, which is at least
//!   [`RATE_INTERVAL_NS`]: snapshots that are asked for in between do not make it jump. A core that
//!   is late by more than that interval has its silence added to the time, so that the rate of a
//!   core that hangs falls towards 0. Until a core has run for one interval its rate is 0.
//! - `requests.in_flight` is the number of requests that have begun and not ended.
//! - `status` has five classes and, in `codes`, each code that was sent. A code outside 100 to 599
//!   is invalid, and a client takes it for a 5xx (RFC 9110 §15): it is counted in `5xx` alone.
//! - `connections.closed` has every reason a connection can end for, those that never happened
//!   included.
//! - `cores[].busy_ratio` is the share of the same interval in which the core ran instead of
//!   waiting, from 0 to 1. It is left out while nothing is known of it, as are `accept_queue`
//!   and `receive_buffers`; `file_cache` is left out on a core that serves no files.
//! - `cores[].receive_buffers` are those that held received bytes when the snapshot was taken, and the
//!   bytes of memory behind all that were ever needed at the same time.
//! - `cores[].snapshot_age_ms` says how old the core's figures are when the answer is written. A
//!   core that is late is served as it was, never left out.
//!
//! [`LATENCY_MAX_NS`]: crate::limits::LATENCY_MAX_NS
//! [`RATE_INTERVAL_NS`]: crate::limits::RATE_INTERVAL_NS

mod json;
mod latency;
mod rate;
mod recorder;
mod rfc3339;
mod snapshot;
mod status;
mod totals;
mod view;

pub use json::{ServerInfo, json};
pub use latency::LatencySummary;
pub use recorder::Recorder;
pub use snapshot::{FileCache, ReceiveBuffers, Snapshot};
pub use status::StatusCounts;
pub use totals::Totals;
pub use view::{Connections, CoreView, View};
