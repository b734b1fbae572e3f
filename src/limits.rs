//! Every bound of the server: its name, its unit, what it costs, and the relations between them.
//!
//! A limit lives here and nowhere else; the code that enforces it cites it by name, and a test
//! meets it at N and at N + 1. Relations that must hold between limits are `const` assertions at
//! the end, so that a change that breaks one does not compile.

/// Longest request line, CRLF included, in bytes. Beyond it: 414.
pub const REQUEST_LINE_BYTES: usize = 8 * 1024;

/// Longest field section of a request (all field lines and the empty line), in bytes. Beyond: 431.
pub const FIELD_SECTION_BYTES: usize = 32 * 1024;

/// Most field lines in one request. Beyond it: 431. Cost: 32 bytes of stack each while parsing.
pub const FIELD_LINES: usize = 100;

/// Largest request body unless a route says otherwise, in bytes. Beyond it: 413.
pub const BODY_BYTES: u64 = 1024 * 1024;

/// Longest chunk-size line of a chunked body, extensions and CRLF included, in bytes.
pub const CHUNK_LINE_BYTES: usize = 1024;

/// Longest trailer section of a chunked body, in bytes.
pub const TRAILER_BYTES: usize = 8 * 1024;

/// Longest latency that the histograms tell apart, in nanoseconds (60 s). A longer one is counted
/// as this long in percentiles, and once more as an overflow; minimum, mean and maximum stay exact.
pub const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// Significant decimal digits that the latency histograms keep: a value is at most 1/128 (0.78 %)
/// above the one recorded. Cost: 3,840 counters of 8 bytes, 30 KiB, for each histogram.
pub const LATENCY_DIGITS: u8 = 2;

/// Shortest time between two snapshots of a core that a rate is computed from, in nanoseconds
/// (1 s). A shorter one would make a rate of a handful of requests.
pub const RATE_INTERVAL_NS: u64 = 1_000_000_000;

const _: () = assert!(REQUEST_LINE_BYTES < FIELD_SECTION_BYTES);
const _: () = assert!(TRAILER_BYTES <= FIELD_SECTION_BYTES);
// What an HDR histogram that begins at 1 ns can be made of.
const _: () = assert!(LATENCY_MAX_NS >= 2 && LATENCY_DIGITS <= 5);
