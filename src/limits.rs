//! Every bound of the server: its name, its unit, what it costs, and the relations between them.
//!
//! A limit lives here and nowhere else; the code that enforces it cites it by name, and a test
//! meets it at N and at N + 1. Relations that must hold between limits are `const` assertions at
//! the end, so that a change that breaks one does not compile. Those that a server can be given
//! otherwise are in [`Limits`]; the constants are its defaults.

mod configured;
mod table;

use std::time::Duration;

pub use self::configured::{HeadLimits, LimitError, Limits};
pub(crate) use self::table::{LIMITS, Limit, Unit};

/// Longest request line, CRLF included, in bytes. Beyond it: 414.
pub const REQUEST_LINE_BYTES: usize = 8 * 1024;

/// Longest field section of a request (all field lines and the empty line), in bytes. Beyond: 431.
pub const FIELD_SECTION_BYTES: usize = 32 * 1024;

/// Most field lines in one request. Beyond it: 431. Cost: 32 bytes of stack each while parsing.
pub const FIELD_LINES: usize = 100;

/// Largest request body, in bytes. Beyond it: 413.
pub const BODY_BYTES: u64 = 1024 * 1024;

/// Most parts of one form with files (`multipart/form-data`). Beyond it: 413.
pub const PARTS: usize = 1000;

/// Largest part of a form with files, in bytes, unless its handler says otherwise. Beyond it: 413.
pub const PART_BYTES: u64 = BODY_BYTES;

/// Bytes of a form with files in which the head of a part has to end, or begin behind what stands
/// before the first. Beyond it, as soon as more would have to be read: 400. Cost: so much memory,
/// and a delivery, while a form is read.
pub const PART_HEAD_BYTES: usize = 8 * 1024;

/// Longest chunk-size line of a chunked body, extensions and CRLF included, in bytes.
pub const CHUNK_LINE_BYTES: usize = 1024;

/// Most bytes that all chunk-size lines of one body may have beyond 16 digits and CRLF each, so that
/// extensions cannot make small chunks cost a thousand times what they carry.
pub const CHUNK_EXCESS_BYTES: usize = 16 * 1024;

/// Longest trailer section of a chunked body, in bytes.
pub const TRAILER_BYTES: usize = 8 * 1024;

/// Most parameters (`{name}`) in one route. Beyond it: the app does not build. Cost: whoever
/// asks for the last one's value looks past all others in the path.
pub const ROUTE_PARAMETERS: usize = 8;

/// Most routes in one app. Beyond it: the app does not build. Cost: none before a route exists.
pub const ROUTES: usize = u16::MAX as usize;

/// Longest time from the first byte of a request to the end of its head. Beyond it: 408, close.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time that a connection may stay open without a request. Beyond it: closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Longest time between two deliveries of a request body that is being read. Beyond it: the
/// reader gets an error, which becomes 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Least bytes a second of a request body, averaged since it began, once it has taken
/// [`BODY_TIMEOUT`]. Below it: 408. A body of one byte in each pause would hold its connection for
/// days otherwise.
pub const BODY_RATE_BYTES: u64 = 240;

/// Longest time in which the peer takes not one byte of a response. Beyond it: closed.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Least bytes a second of a response, averaged over the time for which its peer was waited for, once
/// that has come to [`WRITE_TIMEOUT`]. Below it: closed. A peer that takes a byte in each pause would
/// hold its response for days otherwise.
pub const WRITE_RATE_BYTES: u64 = 240;

/// Longest time that a handler is waited for. Default: no such limit, for an app may have answers that
/// are meant to take long; its peer's leaving ends the wait.
pub const HANDLER_TIMEOUT: Option<Duration> = None;

/// How long a peer says nothing before the kernel asks whether it is still there: it may be gone
/// without a word, with its machine or its network. Longer than any wait that has a deadline, so this
/// is for handlers and streams that have none.
pub const PEER_SILENCE: Duration = Duration::from_secs(120);

/// Between two questions of the kernel to a peer that does not answer.
pub const PEER_PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// Questions without an answer after which the peer is gone. Beyond it: the connection failed.
pub const PEER_PROBES: u32 = 4;

/// Longest time that a connection is read after its last response, so that the peer gets to
/// read that response before a reset destroys it (RFC 9112 §9.6).
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long whoever speaks another protocol on a connection that switched to it may go on once the peer
/// has left, the shutdown has begun, or it has said itself that this is the end. Beyond it: dropped.
pub const SWITCHED_GRACE: Duration = Duration::from_secs(10);

/// Largest message of a WebSocket, in bytes, unless its handler says otherwise. Beyond it: closed with
/// 1009. Cost: that much memory, while a peer sends one.
pub const WEBSOCKET_MESSAGE_BYTES: usize = 1024 * 1024;

/// Largest frame of a WebSocket, in bytes of its payload, unless its handler says otherwise. Beyond it:
/// closed with 1009.
pub const WEBSOCKET_FRAME_BYTES: usize = WEBSOCKET_MESSAGE_BYTES;

/// How often the peer of a WebSocket is asked whether it is still there, unless its handler says
/// otherwise. One that says nothing for so long after it was asked: closed.
pub const WEBSOCKET_HEARTBEAT: Duration = Duration::from_secs(30);

/// Longest wait for a WebSocket's peer to close it, too. Beyond it: the connection ends.
pub const WEBSOCKET_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes read and thrown away while lingering.
pub const LINGER_BYTES: usize = 256 * 1024;

/// Most bytes of a request body that its handler left unread which are read and thrown away to
/// reach the next request. Beyond it: the connection is closed after the response.
pub const UNREAD_BODY_BYTES: u64 = 64 * 1024;

/// Largest response body that goes out in one message with the responses before it and, where more
/// responses follow, is copied for that, in bytes. A larger one is sent by itself, from where it lies.
pub const INLINE_BODY_BYTES: usize = 16 * 1024;

/// Largest response body that is copied behind its head even if nothing follows it, in bytes: for one so
/// small that costs less than to have the kernel gather it from two places.
pub const COPIED_BODY_BYTES: usize = 4 * 1024;

/// Bytes of a file read at a time while it is sent. Cost: that much memory per transfer.
pub const FILE_PIECE_BYTES: usize = 128 * 1024;

/// Most bytes of a file that are copied at a time while it is sent, which hold a core for some 60 µs, and for twice
/// that where a replica is filled. Cost: that
/// much memory of a core, once; what lies in it is in the processor's second cache when it is sent.
pub const FILE_COPY_BYTES: usize = 256 * 1024;

/// Most bytes of a file whose pages are handed to a socket at once. The core is held for as long as that
/// takes: some 30 µs to queue them, 130 to send them over loopback.
pub const FILE_TURN_BYTES: usize = 1024 * 1024;

/// How long a core hands pieces of files to sockets that take them, of all its transfers together, before it
/// looks what else has come. The piece in hand is handed over.
pub const FILE_TURN: Duration = Duration::from_micros(50);

/// The same where a pass of the core took more than four times as long without it.
pub const FILE_TURN_MOST: Duration = Duration::from_micros(500);

/// Bytes of a file that are kept of what was sent of it last, to see that it has only grown.
pub const FILE_SAMPLE_BYTES: usize = 1024;

/// How often a file is read again that is changed while it is read, before its response begins. Beyond
/// it: 503.
pub const FILE_ATTEMPTS: usize = 5;

/// Bytes read at a time from a reader that is the content of a response. Cost: that much memory for
/// each such response, and each piece that the peer has not taken.
pub const READER_PIECE_BYTES: usize = 32 * 1024;

/// Content that is coded, or decoded, at a time, in bytes, before the other tasks of the core get their
/// turn. Cost: that many bytes take about 1 ms at the default levels.
pub const CODING_SLICE_BYTES: usize = 32 * 1024;

/// Least content of a response that is compressed, in bytes: less than that fits into one packet
/// anyway.
pub const COMPRESS_FROM_BYTES: usize = 1024;

/// Responses, beyond those so short that they are compressed at once, for which the `Compression` of a core has
/// encoders at the same time, all of it together that is not told otherwise. Beyond it: sent without a coding.
/// Cost: 0.4 to 1.6 MB each at the default levels, as long as the peer takes to read.
pub const ENCODERS: usize = 128;

/// Requests for which the `Decompression` of a core has decoders at the same time, all of it together that is
/// not told otherwise. Beyond it: 503. Cost: up to 0.2 MB each, and what was decoded last, up to the window of its
/// coding, as long as the peer takes to send.
pub const DECODERS: usize = 128;

/// Encoders of each coding that a core keeps for the next response. Cost: up to 1.8 MB each.
pub const SPARE_ENCODERS: usize = 4;

/// Responses gathered for one send, in bytes, from which on they are sent.
pub const GATHER_BYTES: usize = 64 * 1024;

/// Pipelined requests of one connection that are answered before the other connections of its
/// core get their turn.
pub const PIPELINED_REQUESTS: usize = 64;

/// Most requests of one connection. Default: no such limit.
pub const REQUESTS_PER_CONNECTION: Option<u64> = None;

/// Connections that a shard has at once, if the limit of open files allows it.
pub const CONNECTIONS: usize = 1 << 20;

/// Descriptors of the process that are kept for files, rings and logs, and never taken by
/// connections: this many, and as many again per shard.
pub const RESERVED_DESCRIPTORS: usize = 80;

/// Most files whose close waits for the next turn of a core's ring. Beyond it: they are closed at once, by
/// a system call each. Cost: a descriptor each until then.
pub const QUEUED_CLOSES: usize = 16;

/// Connections that may wait to be accepted on each listening socket. The kernel caps it at
/// `net.core.somaxconn` (4096 since Linux 5.4).
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Pause after accepting failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Longest time to connect to a database, and as long again to be let in.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest wait for what a query brings. Beyond it: 503, and the query is cancelled.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Most statements that are kept prepared on one connection. Beyond it: prepared for each use. Cost:
/// some kilobytes each, there and here.
pub const STATEMENTS: usize = 256;

/// Longest wait for the answer to a command of Redis, with that for a connection. Beyond it: 503.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);

/// Most messages that were published and are not read yet, on a connection to Redis that has
/// subscriptions. Beyond it: the connection fails. Cost: the messages.
pub const PUBLISHED: usize = 4096;

/// First pause before a connection to Redis that could not be made is tried again. Each is twice as
/// long as the one before.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Longest such pause.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Pause before a Unix socket whose queue was full is connected to again.
pub const QUEUE_PAUSE: Duration = Duration::from_millis(100);

/// Most connections of a pool, on each core.
pub const POOL_CONNECTIONS: usize = 4;

/// Longest wait for a connection of a pool. Beyond it: 503.
pub const POOL_WAIT: Duration = Duration::from_secs(5);

/// How long a connection of a pool may be unused. Beyond it: closed.
pub const POOL_IDLE: Duration = Duration::from_secs(10 * 60);

/// How old a connection of a pool may become. Beyond it: closed when it comes back.
pub const POOL_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// How long a connection of a pool may be unused before it is checked with its server. Cost: a round
/// trip, for whoever comes after such a pause.
pub const POOL_CHECK: Duration = Duration::from_secs(30);

/// Connections for which a shard's tables have room from the start. Cost: 128 bytes of address space
/// each, which become memory as connections come. Beyond it the tables grow by moving, and leave to
/// the allocator as much as they had.
pub const RESERVED_CONNECTIONS: usize = 64 * 1024;

/// Tasks without a connection that a shard keeps for the next ones. Cost: 128 bytes each.
pub const SPARE_TASKS: usize = 1024;

/// Working sets without a request that a shard keeps for the next ones. Cost: what their three
/// buffers have grown to, at most twice [`GATHER_BYTES`] each.
pub const SPARE_WORK: usize = 64;

/// How often each shard sends its statistics to the supervisor.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait of `/stats?fresh=1` for the other cores; one that is later is served as it was. Who asks while others
/// wait has to wait for these first, no longer than that again. To add up what the cores have sent by then comes on top; a
/// request waits three times as long for it all, and is served what there is.
pub const FRESH_TIMEOUT: Duration = Duration::from_millis(50);

/// Shortest time between two rounds of fresh statistics, however many ask for some: those who ask in between wait for
/// the next together. Cost of a round: a snapshot of each core, and a merge.
pub const FRESH_INTERVAL: Duration = Duration::from_millis(10);

/// How long the supervisor works on statistics at most before it lets a shard run whose CPU it has.
pub const SUPERVISOR_SLICE: Duration = Duration::from_micros(100);

/// How long a piece of its work takes, between which it looks at the time: one that may take longer than what is left of
/// the slice is begun in the next.
pub const SUPERVISOR_PIECE: Duration = Duration::from_micros(25);

/// Messages that may be on their way from one core to another, on lanes for one type, unless their app
/// asks for another number. Beyond it: sending waits, or says so. Cost: none before they are sent.
pub const LANE_MESSAGES: usize = 1024;

/// Longest wait for room on a lane between cores. Beyond it: the message is given back as not sent.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions that a core may have asked another, of those that one handler answers, and not have its
/// answers to. Beyond it: they wait to be asked, as long as they have. Cost: none before they are asked.
pub const QUESTIONS: usize = 1024;

/// How long an answer of another core is waited for, unless who asks says otherwise. Beyond it: 504.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// Most messages of other cores that a task takes before the others of its core get their turn.
pub const MESSAGES_AT_ONCE: usize = 64;

/// How long idle connections are still served once a shutdown began, so that a request already
/// on its way is answered.
pub const DRAIN_GRACE: Duration = Duration::from_millis(200);

/// How long a core that has answered its last request may take to say good-bye to other servers.
pub const END_GRACE: Duration = Duration::from_secs(1);

/// Most events of one kind that a shard tells its log in a second. Beyond it they are counted, and
/// one more event tells how many were left out. Cost: eight kinds of so many lines a second.
pub const LOG_EVENTS: u32 = 10;

/// Longest text of others in an event of the log, in bytes. Beyond it: cut off.
pub const LOG_TEXT_BYTES: usize = 1024;

/// Bytes of lines that wait to be written, by a log of its own each: the program's, an access log.
/// Beyond it: left out and counted. Cost: so much, while whoever takes them is slow.
pub const LOG_BYTES: usize = 4 * 1024 * 1024;

/// Longest wait at the program's end for the lines of a log to be written.
pub const LOG_FLUSH: Duration = Duration::from_millis(500);

/// How long accepting has to go well, after it failed for want of descriptors or memory, before
/// that is over.
pub const ACCEPT_CALM: Duration = Duration::from_secs(1);

/// Longest latency that the histograms tell apart, in nanoseconds (60 s). A longer one is counted
/// as this long in percentiles, and once more as an overflow; minimum, mean and maximum stay exact.
pub const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Significant decimal digits that the latency histograms keep: a value is at most 1/128 (0.78 %)
/// above the one recorded. Cost: 3,840 counters of 8 bytes, 30 KiB, for each histogram.
pub const LATENCY_DIGITS: u8 = 2;

/// Shortest time between two snapshots of a core that a rate is computed from, in nanoseconds
/// (0.9 s): those of its ticks are 1 s apart, and one of them may be late. A shorter one would make a rate of a
/// handful of requests.
pub const RATE_INTERVAL_NS: u64 = 900_000_000;

/// Most routes, each with one method, whose latencies a core tells apart. Beyond it: they are counted
/// together, as `_other`; a route has a row before other methods of any have one. What is no route has eight rows
/// besides. Cost: see [`Recorder`](crate::stats::Recorder), at most 190 KiB each, and 95 more for each
/// snapshot that is under way besides.
pub const STATS_ROWS: usize = 64;

/// Most connections to the statistics' own address on each core. Beyond it: they wait to be accepted. Cost: a
/// descriptor each.
pub const STATS_CONNECTIONS: usize = 64;

/// Most peers that follow a core's statistics as events. Beyond it: 503. Cost: an event each, written
/// once a second for all who ask for the same: some 10 KiB, and 200 where there are many routes and cores.
pub const STATS_FOLLOWERS: usize = 64;

/// Most answers to requests for statistics that a core keeps for a moment, to give them again. Beyond it: the
/// oldest goes. Cost: see [`STATS_KEPT_BYTES`].
pub const STATS_KEPT: usize = 64;

/// Most bytes of all of these. Beyond it: the oldest go, and one that is longer is not kept. Cost: so much memory
/// for each core that is asked.
pub const STATS_KEPT_BYTES: usize = 8 << 20;

/// Most bytes of all answers to requests for statistics that a core holds: those that it keeps, and those that their peers
/// have not taken yet, each once however many it is sent to. Beyond it: 503, and followers skip a view; one that
/// is longer by itself is sent while there is no other. Cost: so much memory for each core whose peers are slow, and up to
/// as much again of it that is allocated and not filled.
pub const STATS_HELD_BYTES: usize = 32 << 20;

/// Shortest time for which tasks hold a core that counts as a stall, unless another is set.
pub const STALL_THRESHOLD: Duration = Duration::from_millis(100);

/// Shortest that can be set for it. A shorter one would take turns in which much was to be done for stalls.
pub const LEAST_STALL_THRESHOLD: Duration = Duration::from_millis(1);

/// Longest that can be set for it: beyond it there is no telling how long a core was held in percentiles of
/// `loop_lag`.
pub const MOST_STALL_THRESHOLD: Duration = Duration::from_nanos(LATENCY_MAX_NS);

const _: () = assert!(
    LEAST_STALL_THRESHOLD.as_nanos() < STALL_THRESHOLD.as_nanos()
        && STALL_THRESHOLD.as_nanos() < MOST_STALL_THRESHOLD.as_nanos()
);

/// Most stalls that are remembered. Beyond it: the oldest are forgotten.
pub const STALLS: usize = 64;

/// Seconds that are remembered one by one, for charts over time. Beyond it: the oldest are forgotten.
/// Cost: some 2 KB each under load, most of it latencies, of which an interval log has the last 60; at most 31 KiB each.
pub const STATS_SECONDS: usize = 120;

/// Most bytes of the dashboard's page. Beyond it: rows are left out of its tables, which says so; its script has
/// them all.
pub const DASHBOARD_BYTES: usize = 64 * 1024;

/// Most bytes of a node's statistics that a command asks it for. Beyond it: the answer is refused. A core
/// is some KiB of it.
pub const NODE_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Most requests that a node may tell to have answered for `corelane merge` to believe it: as many as JSON's
/// numbers count exactly (RFC 8259 §6), and so few that a thousand nodes' sum is a `u64`.
pub const TOLD_REQUESTS: u64 = 1 << 53;

/// Columns that `corelane top --once` prints.
pub const TOP_COLUMNS: u16 = 100;

/// Longest that a command can be told to wait for a node's statistics.
pub const NODE_PATIENCE: Duration = Duration::from_secs(3600);

/// CPU numbers understood, from 0 to this less one: what an affinity mask of the C library holds
/// (`CPU_SETSIZE`). Beyond it: `--cores` is refused.
pub const CPUS: usize = 1024;

/// Longest `--shutdown-timeout`, and longest `--shutdown-delay`. A longer one is a slip of the unit: refused.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest decoded path below the root, in bytes. Beyond it: 404. The kernel takes `PATH_MAX`
/// (4096) bytes with the final NUL.
pub const PATH_BYTES: usize = 4095;

/// Longest name in a path, in bytes. Beyond it: 404. Linux file systems hold `NAME_MAX` (255).
pub const NAME_BYTES: usize = 255;

/// How long a file that was written to while it is sent, but is no longer than it was, has to become
/// longer: an append that is under way. Linux sets the time first; what lies in between takes it
/// microseconds, or as long as a writer without a CPU waits for one.
pub const FILE_SETTLING: Duration = Duration::from_secs(1);

/// How long after a file was changed another change may still get the same time: two ticks of a kernel
/// with the fewest of them (100 a second). Since Linux 6.13 most file systems tell such changes apart.
pub const RACY_CHANGE: Duration = Duration::from_millis(20);

/// Largest file whose entity tag is made of its content, in bytes, where that is asked for. Cost: it is
/// read once more, before the first response of each version.
pub const HASHED_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Entity tags made of content that a core keeps for each folder. Beyond it: every other one is forgotten, and
/// made anew when it is asked for. Cost: about 160 bytes each.
pub const FILE_TAGS: usize = 128 * 1024;

/// Largest file that is compressed when it is asked for, in bytes, where that is on. Cost: as much memory
/// for what comes of it, and an encoder, while it is made.
pub const COMPRESSED_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of a file that are compressed at a time, before the core's other tasks get their turn. Every
/// [`CODING_SLICE_BYTES`] what an encoder has held back comes on top. Both are half as much above the default
/// levels, and for brotli half of that. Cost: some hundred microseconds, and less than 1 ms.
pub const FILE_CODING_BYTES: usize = 8 * 1024;

/// Highest level of brotli at which files are compressed when they are asked for. Beyond it: refused. A
/// block of the encoder takes so long then that the core's other requests wait for it.
pub const FILE_BROTLI_LEVEL: u8 = 6;

/// Highest level of zstd, as [`FILE_BROTLI_LEVEL`] is of brotli.
pub const FILE_ZSTD_LEVEL: u8 = 9;

/// Most files that a core compresses at the same time, of all folders it serves. Beyond it: they are sent
/// as they are. Cost: what [`COMPRESSED_FILE_BYTES`] says, and a descriptor, each.
pub const COMPRESSIONS: usize = 8;

/// Longest that a request waits for a file that is compressed for it, unless its policy says otherwise or
/// its peer refuses the file as it is. Beyond it: the file is sent as it is, and what is made of it is for
/// those who ask later. Most of 4 MiB are done by then where the core does nothing else; over 100 Mbit/s the
/// wait for them costs no more than it saves.
pub const COMPRESSION_WAIT: Duration = Duration::from_millis(250);

/// Bytes of files that a core remembers. Default: 64 MiB. Cost: that much memory, as files are asked for; up to
/// half of it is shared memory (`memfd_create(2)`), which is not in the resident size of the process.
pub const FILE_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Largest file that is remembered in the memory of the process, in bytes. Larger ones are sent from the
/// kernel's memory.
pub const CACHED_FILE_BYTES: usize = 64 * 1024;

/// Of the bytes that a core remembers of files, one in so many may be in replicas of larger files; and of those
/// one in as many in a single one. With 64 MiB in all: 32 MiB in replicas, of files of up to 16 MiB. Cost: those
/// that are still being sent when they are forgotten take as much again at most, beside what sockets hold of them.
pub const REPLICA_SHARE: usize = 2;

/// Most replicas of a core that are not whole. Beyond it: files are sent without. Cost: a descriptor each.
pub const REPLICAS_FILLING: usize = 4;

/// How long a replica keeps its place from others if nobody asks for it, or fills it where it is not whole; and for
/// how long it is left as it is when there was no memory for more of it.
pub const REPLICA_IDLE: Duration = Duration::from_secs(10);

/// Most larger files that a core keeps open to send them again. Cost: a descriptor each.
pub const OPEN_FILES: usize = 32;

/// How long a core keeps a larger file open that nobody asks for; one without a name is closed within about
/// a second. Until then its file system cannot be unmounted.
pub const OPEN_FILE_IDLE: Duration = Duration::from_secs(60);

/// Entries of a folder that are read at a time to list them, on the core's thread for blocking calls.
pub const LISTING_SLICE_ENTRIES: usize = 512;

/// Most entries of a folder that are sorted to list them. Beyond it: they are listed in the order in which
/// the file system has them, and read as they are sent. Cost: 24 bytes each, and their names.
pub const LISTING_ENTRIES: usize = 100_000;

/// Most memory that the entries of a folder being served and of those below it may take on a core, for all
/// listings on their way together, in bytes. Beyond it: a listing is not sorted, as with
/// [`LISTING_ENTRIES`].
pub const LISTING_BYTES: usize = 64 * 1024 * 1024;

/// Most listings that a core compresses at the same time, of all folders it serves. Beyond it: they are sent
/// as they are. Cost: 0.4 to 1.6 MB each, as long as the peer takes to read.
pub const LISTING_ENCODERS: usize = 32;

/// Bytes of a listing that are written at a time, before the core's other tasks get their turn.
pub const LISTING_PIECE_BYTES: usize = 32 * 1024;

/// Entries of a folder that are read at a time to send it as an archive, on the core's thread for blocking
/// calls. Cost: 24 bytes each and their names, for each of the folders within each other.
pub const ARCHIVE_SLICE_ENTRIES: usize = 64;

/// Most slices that are read for a piece of an archive, and folders that are left behind for it. Beyond it:
/// what is made of them is a piece, and the core learns whether its peer is still there.
pub const ARCHIVE_PIECE_SLICES: usize = 2 * ARCHIVE_DEPTH;

/// Most folders within each other in an archive. Beyond it: 404, or the archive breaks off where a part of
/// it was sent. Cost: a descriptor and about 50 KiB each while it is read.
pub const ARCHIVE_DEPTH: usize = 64;

/// Most archives of a folder being served that are on their way on a core. Beyond it: 503.
pub const ARCHIVES: usize = 16;

/// Most folders that are open at the same time for all archives on a core. Beyond it: 503, or the archive
/// breaks off where a part of it was sent. Cost: a descriptor each, and one for the file that its archive
/// is at.
pub const ARCHIVE_FOLDERS: usize = 128;

/// Descriptors per shard that connections never take where folders may be sent as archives. Every archive
/// that sends a file has a folder open.
pub const ARCHIVE_DESCRIPTORS: usize = 2 * ARCHIVE_FOLDERS;

/// How old what is known of a file or of a folder being served may get before it is looked at again.
/// With the time of a look it stays below a second.
pub const FILE_FRESHNESS: Duration = Duration::from_millis(500);

/// Most ranges of one request. Beyond it: the whole representation.
pub const RANGES: usize = 100;

/// Ranges of one request that are less than this apart are sent as one, in bytes: about what stands
/// between two parts of a `multipart/byteranges`.
pub const RANGE_GAP_BYTES: u64 = 128;

/// Longest glob of the files' rules, in bytes. Beyond it: refused. Cost: matching a path takes at
/// most the product of both lengths.
pub const GLOB_BYTES: usize = 256;

/// Longest field that a rule gives to responses of files, name and value, in bytes. Beyond it: refused.
/// Many clients take 8 KiB of a field.
pub const FILE_FIELD_BYTES: usize = 8 * 1024;

/// Most rules that give fields to responses of files. Beyond it: refused. Cost: for each file that is opened,
/// each takes as long as its glob does.
pub const FILE_FIELD_RULES: usize = 256;

/// Longest redirect of the files' rules, as it is written, in bytes. Beyond it: refused.
pub const REDIRECT_BYTES: usize = 4 * 1024;

/// Most redirects of the files' rules. Beyond it: refused. Cost: a request takes as long with one as with
/// all, but proving them takes up to the square.
pub const REDIRECTS: usize = 1024;

/// Submission entries of a shard's socket ring. Cost: 68 bytes each, locked.
pub const RING_ENTRIES: u32 = 1024;

/// Completion entries of a shard's socket ring. Cost: 16 bytes each, locked.
pub const RING_COMPLETIONS: u32 = 8192;

/// Most receive buffers of a shard. Cost: 16 bytes each, locked, and [`RING_BUFFER_BYTES`] for
/// those that were needed at the same time.
pub const RING_BUFFERS: u16 = 4096;

/// Bytes in one receive buffer.
pub const RING_BUFFER_BYTES: usize = 4096;

/// Depth of each of glommio's three rings per core: they carry wake-ups and files, never sockets.
pub const GLOMMIO_RING_DEPTH: usize = 128;

/// glommio's registered memory per core, in bytes: the least that it takes. Cost: thrice that,
/// locked.
pub const GLOMMIO_MEMORY_BYTES: usize = 64 * 1024;

const _: () = assert!(REQUEST_LINE_BYTES < FIELD_SECTION_BYTES);
const _: () = assert!(CHUNK_LINE_BYTES <= CHUNK_EXCESS_BYTES);
const _: () = assert!(TRAILER_BYTES <= FIELD_SECTION_BYTES);
// What an HDR histogram that begins at 1 ns can be made of.
const _: () = assert!(LATENCY_MAX_NS >= 2 && LATENCY_DIGITS <= 5);
const _: () = assert!(FRESH_INTERVAL.as_nanos() <= FRESH_TIMEOUT.as_nanos());
const _: () = assert!(PEER_SILENCE.as_nanos() > IDLE_TIMEOUT.as_nanos());
const _: () = assert!(WEBSOCKET_CLOSE_TIMEOUT.as_nanos() < SWITCHED_GRACE.as_nanos());
const _: () = assert!(POOL_CHECK.as_nanos() < POOL_IDLE.as_nanos());
const _: () = assert!(POOL_IDLE.as_nanos() < POOL_LIFETIME.as_nanos());
const _: () = assert!(2 * CONNECT_TIMEOUT.as_nanos() < POOL_WAIT.as_nanos());
const _: () = assert!(RECONNECT_PAUSE.as_nanos() < RECONNECT_PAUSE_MAX.as_nanos());
const _: () = assert!(NAME_BYTES < PATH_BYTES);
const _: () = assert!(REDIRECT_BYTES < REQUEST_LINE_BYTES);
const _: () = assert!(2 * SUPERVISOR_PIECE.as_nanos() <= SUPERVISOR_SLICE.as_nanos());
const _: () = assert!(LISTING_SLICE_ENTRIES < LISTING_ENTRIES);
const _: () = assert!(FILE_FRESHNESS.as_nanos() < OPEN_FILE_IDLE.as_nanos());
// A core's rings, clocks and notifiers have their room beside them.
const _: () = assert!(
    OPEN_FILES + REPLICAS_FILLING + QUEUED_CLOSES + COMPRESSIONS + 16 <= RESERVED_DESCRIPTORS
);
// Folders that are too deep are met before a part of them is sent.
const _: () = assert!(ARCHIVE_DEPTH < ARCHIVE_PIECE_SLICES);
const _: () = assert!(ARCHIVE_DEPTH <= ARCHIVE_FOLDERS && ARCHIVES <= ARCHIVE_FOLDERS);
const _: () =
    assert!(INLINE_BODY_BYTES <= CACHED_FILE_BYTES && FILE_SAMPLE_BYTES < INLINE_BODY_BYTES);
const _: () = assert!(PART_BYTES <= BODY_BYTES && PART_HEAD_BYTES as u64 <= PART_BYTES);
const _: () = assert!(RING_BUFFERS.is_power_of_two() && RING_BUFFERS <= 1 << 15);
const _: () = assert!(SPARE_ENCODERS <= ENCODERS);
const _: () = assert!(STATS_KEPT_BYTES <= STATS_HELD_BYTES);
const _: () = assert!(RING_ENTRIES <= RING_COMPLETIONS);
const _: () = assert!(FILE_PIECE_BYTES > INLINE_BODY_BYTES);
const _: () = assert!(
    CODING_SLICE_BYTES.is_multiple_of(FILE_CODING_BYTES)
        && FILE_CODING_BYTES.is_multiple_of(4)
        && FILE_PIECE_BYTES.is_multiple_of(CODING_SLICE_BYTES)
);
const _: () = assert!(READER_PIECE_BYTES > INLINE_BODY_BYTES);
const _: () = assert!(COPIED_BODY_BYTES < INLINE_BODY_BYTES && INLINE_BODY_BYTES < GATHER_BYTES);
const _: () = assert!(ACCEPT_CALM.as_nanos() > ACCEPT_PAUSE.as_nanos());
