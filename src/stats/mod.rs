//! Statistics as pure code: what each core counted, merged exactly and written as `/stats`; it
//! opens no socket and reads no clock, and nothing that is written to is shared between cores.
//!
//! ```text
//! each core                        supervisor                              each core
//! Recorder ──snapshot, by message──▶ Totals, windows ──▶ the newest Arc<View> ──▶ Writing
//! ```
//!
//! A [`Recorder`] has one owner and plain integers. Its owner sends a [`Snapshot`] once a second: an owned
//! copy of the counters, and the latencies since the one before, which leave the core with it. The
//! supervisor adds them up in [`Totals`], since the start and over the last 1, 10 and 60 seconds, hands the
//! memory back to be filled again, and puts an immutable [`View`] where all cores read it. The view is written
//! ([`Writing`]) on the core where it is asked for.
//!
//! # What a latency is
//!
//! A latency is taken from the completion that delivered a request's last head byte to the
//! completion of the last byte's send. It is made of four stages, one behind the other, which add up to it
//! exactly:
//!
//! | stage | from | to |
//! |---|---|---|
//! | `queue` | the completion that delivered the last head byte was reaped, or ought to have been | its head began to be parsed |
//! | `head` | | the head was parsed |
//! | `handler` | | the handler had a response; where it reads the request's content, that is in it |
//! | `write` | | the completion of the last byte's send; where content is made while it is sent, that is in it |
//!
//! A head that came with the one before it begins to be parsed when that request has been handled: the clock is not
//! read once more for putting a response that is there into the output, which is in `head`.
//!
//! A completion is reaped late when something held the core: a handler that computed, or a machine that gave the CPU to
//! others. If the core has not looked for 10 ms or longer, the sockets of what it then finds are asked when their
//! last bytes came, and the latency begins there: also that of a connection that waited meanwhile to be
//! accepted. Linux tells that in ticks of 1 to 10 ms, of which one is taken off: a latency may lack up to two
//! ticks of such a wait, and never has more than there was.
//!
//! Latencies are in nanoseconds, from 1 ns to 60 s ([`LATENCY_MAX_NS`]) with two significant
//! digits: within that range a percentile is never below the exact one and at most 0.78 % above
//! it. A longer latency is one of 60 s to the percentiles, and is counted in `overflow` besides.
//! Count, sum, minimum and maximum are exact in every case.
//!
//! # What a latency does not tell
//!
//! It is what the server can see of requests that it has answered. These are not in it:
//!
//! - The time in the network, and in the kernel of the peer.
//! - Of a wait for a core that was held, what is shorter than 10 ms, or two ticks of the kernel.
//! - Of a core that has more to do than it can while no request holds it for long, the time in which connections wait to be
//!   accepted and the kernel keeps what is ready: since Linux 6.13 it hands over a few dozen completions at a time, and each
//!   turn deals with these alone. It is looked behind, as above, only after the core was held, and for as long again: to ask
//!   all the time would make it slower still.
//! - The time of connections that were dropped because the accept queue was full, whose peers wait a second and try again.
//! - Requests whose peers gave up. Were a handler to take a minute, and all clients to leave after ten seconds, there
//!   would be no latency of it at all. `requests.abandoned_total` counts them, and with them responses without an end,
//!   such as events, that a peer has had enough of.
//!
//! | what happens | shows in |
//! |---|---|
//! | a handler holds a core | `loop_lag`, `stalls` with its route; the latencies of all that waited |
//! | the machine takes a core's CPU | `run_delay_ns`, `loop_lag`, `stalls` with more `run_delay_ns` than `cpu_ns`; the latencies of all that waited |
//! | a core is held at this moment | `accept_queue`, `run_delay_ns`, `snapshot_age_ms`: it tells nothing itself until that is over |
//! | a core has more to do than it can | `busy_ratio` near 1, and `accept_queue` that is rarely empty; `accept_queue_ratio` grows |
//! | a core has as many connections as it may | `accept_queue` that is not empty, while `busy_ratio` is low |
//! | connections are dropped | `accept_queue_ratio` of 1, `kernel.listen_overflows_total` |
//! | peers give up | `requests.abandoned_total` |
//!
//! - `loop_lag` of a core: for how long what the kernel completed, a new request or the end of a send, may have waited for
//!   each turn of the core's loop: while tasks ran, as a sleep ended later than it was to, and for as long as any
//!   bytes are found to have waited in the sockets that are asked. A core that is woken late by less than 1 ms counts as in
//!   time.
//! - `stalls`: the turns that were late by the stall threshold or more, with the route whose handler held the core for at
//!   least half of that, if one did. `cpu_ns` is for how long the core's thread ran meanwhile at least, and `run_delay_ns`
//!   for how long at most it could have run and was not let: so a handler that computes is told from a machine that took
//!   the CPU away, and where both are small, from a handler that waits in a system call. They are found out by a look back
//!   over at most a second.
//! - `run_delay_ns` of a core: the same since the start, whether anyone waited for it or not. It grows where the machine
//!   has more to run than CPUs, or a control group's quota is used up. What a hypervisor takes is in none of it.
//! - `accept_queue`: connections that wait for the core; `accept_queue_limit` is where the kernel begins to
//!   drop new ones, and `accept_queue_ratio` how near to that the fullest of the core's addresses is. Like
//!   `run_delay_ns` it is looked at from outside the core, once a second and for `fresh=1`, and so is right while the core is
//!   held. A core that keeps up and has room for connections empties it each turn.
//!
//! ## Coordinated omission
//!
//! A load generator that sends its next request when the last was answered waits out a stall with one request
//! for each of its connections, and so its own percentiles leave out all that it would have sent
//! meanwhile. The server's leave out the same, for it never got them.
//!
//! The example `omission` shows it. Its handler holds the only core for 300 ms once in 10 s, which was asked in
//! two ways, for 20 s each:
//!
//! | | p50 | p99 | p99.9 | longest |
//! |---|---|---|---|---|
//! | 2,000 requests a second at their own times on 640 connections, measured from these | 0.12 ms | 203 ms | 291 ms | 300 ms |
//! | of the same requests, what the server recorded | 0.02 ms | 201 ms | 285 ms | 300 ms |
//! | `wrk -t 1 -c 64 --latency`, 133,000 requests a second: what wrk prints | 0.33 ms | 196 ms | | 301 ms |
//! | of the same requests, what the server recorded | 0.05 ms | 0.33 ms | 0.81 ms | 300 ms |
//!
//! Of those that come at their own times 3 % find the core held, so their p99 is what a service has to answer for, and
//! the server tells it: but for the way through the network, and some milliseconds of the longest waits. (Where several
//! requests lie in one socket, as on fewer connections, all of them came with the last.)
//! wrk sent 64 requests into a stall and no more until they were answered. Each of these 128 of 2,660,000 was recorded
//! with what it waited, and no percentile up to p99.99 knows of them. wrk adds what it guesses that it left out, and
//! comes near; most generators do not. The server adds no guesses to what happened, but the stall is no secret:
//! `loop_lag` and `queue` have a maximum of 300 ms, and `stalls` names the route, of which the core computed for 290 ms
//! at least.
//!
//! Such a generator does not see a core that is overloaded either, since it asks for no more than is answered: there is no
//! stall, and each request is short. The table above has what does.
//!
//! # Which requests count
//!
//! A request counts when the last byte of its response has been handed to the kernel. It is then
//! in the total, in the latencies and in its status at once, so that the three always agree. The
//! `/stats` request itself is counted when it has been answered, and so is not in its own answer.
//! A request whose connection ends before its response is complete is abandoned: it leaves
//! `in_flight`, is one of `abandoned_total`, and has no latency and no status.
//!
//! # Asking
//!
//! A peer on loopback may, and those in networks that are named: see
//! [`StatsAccess`](crate::config::StatsAccess), also for proxies. A route of the app for `/stats` or
//! `/metrics` itself takes its place at the service's addresses.
//!
//! `/stats` takes these in its query, each once; `/metrics` is the same for scrapers:
//!
//! | parameter | |
//! |---|---|
//! | `format=` | one of [`Format::ALL`]; without it the Accept fields decide: JSON unless a scraper's are preferred, and on `/metrics` Prometheus's text |
//! | `window=` | `total`, `1s`, `10s` or `60s`: what happened in the last seconds that ended; not for scrapers' formats |
//! | `filter=` | routes of which the name contains this, in JSON and events with their stages; not for `hdr` and `hlog`, which are of all |
//! | `per_core=1` | latencies of each core for scrapers; the other formats have them anyway |
//! | `charts=1` | what charts are drawn of besides, in JSON and events: see below. The page has charts anyway, and the other formats none |
//! | `fresh=1` | snapshots are taken now, instead of in the last second; the windows are those of the last second; not for `sse`. Who asks while others wait has what the next snapshots say, which are taken 10 ms ([`FRESH_INTERVAL`]) later at the earliest |
//!
//! Anything else is answered with 400, which says what is wrong and what is allowed: another name or value, a parameter that
//! is there twice, or one that the format has nothing for. Were it ignored, it would be taken for an answer. A name that begins
//! with `_` is ignored, for those who have to get past a cache.
//!
//! `sse` is the JSON of each view as an event ([HTML](https://html.spec.whatwg.org/multipage/server-sent-events.html)),
//! once a second, until the server drains. A peer that reads slowly skips views: one event at most waits for
//! it. It is one request in flight as long as it lasts.
//!
//! `html` is the dashboard: a page of its own that asks for nothing but `sse`, and has the figures of the
//! request in tables where scripts do not run. Browsers get it by what they accept.
//!
//! An answer may be given again until the next view comes, for 1 s at most. One is written at a time on each
//! core, in slices of some 50 µs. Scrapers' formats count since the start alone, since that is what they take
//! differences of.
//!
//! A counter that appears with its first event has not grown by it for who takes differences. So these are there from the
//! start: classes of status and usual codes, all that is not by route, and `corelane_responses_by_route`, of each route by
//! the method that it is for (GET, where it is for any), in each class. Histograms by route are there from the first
//! request on, since each is more than twenty samples and most classes of most routes stay empty; OpenMetrics and protocol
//! buffers tell when they were still empty (`_created`).
//!
//! # What the JSON says
//!
//! Every field that ends in `_ns` is an integer.
//!
//! | figures | are of |
//! |---|---|
//! | counters and latencies | the window |
//! | `cores[].stalls_total`, `cores[].run_delay_ns`, `file_cache`, `process`, `kernel`, `log.lines_left_out_total` | all since the start, in each window |
//! | gauges: `in_flight`, `active`, `idle` | the cores' snapshots |
//! | `accept_queue` | the merge |
//! | `snapshot_age_ms`, `server.uptime_seconds` | when the answer was written, which may be 1 s ago |
//!
//! Since the start, counters never go backwards, whichever core answers. The sum over
//! `cores` equals the total exactly, because both come from the same snapshots.
//!
//! ## Requests and their rates
//!
//! - `requests.per_second` of a moving window is its requests over its seconds; since the start it is the sum
//!   of the cores' rates. The rate of a core is the requests between two of its snapshots over the time
//!   between them, which is at least [`RATE_INTERVAL_NS`]: snapshots that are asked for in between do not
//!   make it jump. A core that is late by more than that interval has its silence added to the time, so that
//!   the rate of a core that hangs falls towards 0. Until a core has run for one interval its rate is 0.
//!   `mean_per_second` is the window's requests over its seconds, whichever window it is.
//! - `requests.in_flight` is the number of requests that have begun and not ended. What has begun is `total`,
//!   `in_flight` and `abandoned_total` together.
//!
//! ## Routes and statuses
//!
//! - `status` has five classes and, in `codes`, each code that was sent. A code outside 100 to 599
//!   is invalid, and a client takes it for a 5xx (RFC 9110 §15): it is counted in `5xx` alone.
//! - `routes` are by template and method. Each route has a row for the method that it is for, up to [`STATS_ROWS`]
//!   routes, and others, such as HEAD of one for GET, as long as those leave room; what is beyond is in `_other`. What no
//!   route matched, or was refused before one could, is `_unmatched`, whatever its method (`_OTHER`); 405, 308 and
//!   answers to OPTIONS are of the route whose path it is; of the server's own,
//!   `_stats` (with `/metrics` and all that comes to an address of theirs) and `_healthz`, GET and HEAD are told
//!   apart from `_OTHER`. These take no room of routes, so that no peer can bring one into `_other`.
//!
//! ## Connections
//!
//! - `connections.closed` has every reason a connection can end for, those that never happened
//!   included. `peer_aborted` is the peer's doing, a reset at any time and an end in the middle of a request; `failed`
//!   is ours, and stays 0.
//!
//! ## Cores
//!
//! - `imbalance` is the most of any core over the mean of all.
//! - `stalls` are the last [`STALLS`] turns that came `server.stall_threshold_ns` late or later (`--stall-threshold`;
//!   [`STALL_THRESHOLD`] unless it is set), in any window. Those that are nobody's have half of the room where there are
//!   others.
//! - `cores[].busy_ratio` is the share of the window in which the core did not wait for something to do, from 0 to 1. It is
//!   left out while nothing is known of it, as are `accept_queue`, `run_delay_ns` and `receive_buffers`; `file_cache` is left
//!   out on a core that serves no files, and the one of all cores where none does.
//! - `cores[].receive_buffers` are those that held received bytes when the snapshot was taken, and the
//!   bytes of memory behind all that were ever needed at the same time.
//! - `cores[].snapshot_age_ms` says how old the core's figures are when the answer is written. A
//!   core that is late is served as it was, never left out.
//!
//! ## The server and its machine
//!
//! - `server.started_at` and the times of stalls, of charts and of an interval log are those of the calendar as it
//!   was set then; nothing else is measured by it.
//! - `server.build` tells how the program was built; `revision` is what the environment variable
//!   `CORELANE_REVISION` said then, or else, where it was built for release, the commit that git had checked out,
//!   whatever was changed in it since.
//! - `process`, `kernel` and `log` are as of the last merge; what is not known of them is left out. The counters in
//!   `kernel` are those of the network namespace since it was made, other programs in it included, and
//!   `segments` are TCP's: a server alone in its namespace reads loss and full accept queues off them, any other only
//!   that there were some. `log.events_left_out_total` are those beyond [`LOG_EVENTS`], of the window;
//!   `log.lines_left_out_total` of all logs of the process, its access log included.
//! - `ring` is how the cores' rings were set up.
//!
//! ## Charts
//!
//! With `charts=1` there is one more member, `charts`, of all requests whatever the filter:
//!
//! - `windows`: requests, rates (as in `requests`) and latency of each window, and `curve_ns`, its percentiles on an axis of nines:
//!   the `n`th, from 0, is what a share of 1 - 10^(-n/16) of the requests were not above; the last is the
//!   longest latency, from which on the curve is flat.
//! - `seconds`: the last [`STATS_SECONDS`] that ended, one by one, each with its number since the start
//!   (`second`), when it ended (`at_ms`, milliseconds since 1970), responses by class of status from 1xx
//!   on (`classes`), and the counts of latencies in `bands` of a quarter of a power of two. The first count
//!   is of the band with the number `first`; band `b` begins with bucket `32 b` of the histograms, at
//!   (32 b − 128 s) 2^s ns where s is ⌊b / 4⌋ − 1, or 0 if that is negative. Of events the first has all of
//!   them, and each other those that ended since the one before.
//!
//! # What hdr and hlog say
//!
//! `hdr` has the latencies of all requests and of each core in HdrHistogram's encoding, which has counts
//! and no more; `summary` beside each has what is exact. `corelane merge` makes one of those of several servers, which
//! `instance` tells apart: a UUID of each run of the process, as in `server` in the JSON. An answer without these two
//! is merged as well, its ends within 0.78 % of the exact ones. Whoever reads percentiles out of these histograms
//! finds the figures of the JSON at the rank ⌈p n⌉ of n; libraries of HdrHistogram that are asked for a percentile
//! round p n, and so may say the latency before it.
//!
//! `hlog` is an interval log, to be kept as a file. Intervals without a tag are the last 60 seconds of the window, one by
//! one, and since the start, as the first of them, all that was before, and as the last what came in the second that has
//! not ended, if something did; they add up to the latencies of all requests. Those of each core, over all of the window,
//! have the tag `core-N`.
//!
//! # Names in scrapers' formats
//!
//! They are OpenTelemetry's where it has some, and its `http.request.method` and `http.route`. In place of
//! `http.response.status_code` the histograms of latencies have the class alone, `http_response_status_class`: a handler
//! chooses codes, of which there are 500, and each would be some hundred series for each route, where memory and scrapes
//! have a bound. Codes are counted in `corelane_responses_total`, which has them as `http_response_status_code`.
//!
//! # What it costs
//!
//! On a virtual machine on an Intel Xeon at 2.5 GHz (`benches/README.md` has how it was measured, [`Recorder`] the memory):
//!
//! | what | takes |
//! |---|---|
//! | a request: three readings of the clock and five counters | 60.7 ns at most, of which the readings are 28.7; without latencies 1.6 |
//! | a snapshot, once a second | 5.5 to 10.5 µs behind 60 routes, 14.4 to 25.6 where everything has been asked for that is told apart |
//! | writing an answer | others run after 80 µs at the latest |
//! | compressing it with gzip (feature `compression`), for who accepts it | 1.7 ms for each MiB, and leaves a twentieth of it |
//! | the supervisor, in a second without requests | 0.3 ms |
//! | the supervisor, in one in which two cores answered 100,000 requests each | 0.3 ms more behind one route, 1.7 behind 13, 7.4 behind 60 |
//!
//! The supervisor's thread shares the CPUs of cores: it works in slices of at most 100 µs ([`SUPERVISOR_SLICE`]) with a
//! pause after each. Without `/stats` (`--no-stats`) there is none of this but for requests, statuses, connections and bytes, which
//! are counted for the server's own use.
//!
//! [`FRESH_INTERVAL`]: crate::limits::FRESH_INTERVAL
//! [`LATENCY_MAX_NS`]: crate::limits::LATENCY_MAX_NS
//! [`LOG_EVENTS`]: crate::limits::LOG_EVENTS
//! [`RATE_INTERVAL_NS`]: crate::limits::RATE_INTERVAL_NS
//! [`STATS_ROWS`]: crate::limits::STATS_ROWS
//! [`STATS_SECONDS`]: crate::limits::STATS_SECONDS
//! [`STALL_THRESHOLD`]: crate::limits::STALL_THRESHOLD
//! [`SUPERVISOR_SLICE`]: crate::limits::SUPERVISOR_SLICE
//! [`STALLS`]: crate::limits::STALLS

mod board;
mod calendar;
mod charts;
mod dashboard;
mod distribution;
mod families;
mod format;
mod hdr;
pub(crate) mod human;
mod interval_log;
mod json;
mod merged;
mod names;
mod outside;
mod protobuf;
mod rate;
mod recent;
mod recorder;
pub(crate) mod rfc3339;
mod rows;
#[cfg(test)]
mod samples;
mod scale;
mod seconds;
mod series;
mod snapshot;
mod sparse;
mod status;
mod surroundings;
mod text;
mod totals;
mod view;
mod windows;

pub use distribution::{Distribution, LatencySummary};
pub use format::{Format, Writing};
pub use json::{Build, Selection, ServerInfo};
pub use merged::{NodeLatencies, Unreadable, merge};
pub use names::{RouteName, SeriesName};
pub use outside::{AcceptQueue, Outside};
pub use recorder::Recorder;
pub use series::{Answered, MethodIndex, Times, Whose};
pub use snapshot::{FileCache, Ran, ReceiveBuffers, Snapshot, Stall};
pub use status::StatusCounts;
pub use surroundings::Surroundings;
pub use totals::Totals;
pub use view::{Connections, CoreView, StallView, View, Window};
