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

/// Most bytes that all chunk-size lines of one body may have beyond 16 digits and CRLF each, so that
/// extensions cannot make small chunks cost a thousand times what they carry.
pub const CHUNK_EXCESS_BYTES: usize = 16 * 1024;

/// Longest trailer section of a chunked body, in bytes.
pub const TRAILER_BYTES: usize = 8 * 1024;

/// Most parameters (`{name}`) in one route. Beyond it: the app does not build. Cost: 8 bytes of each
/// request apiece.
pub const ROUTE_PARAMETERS: usize = 8;

/// Most routes in one app. Beyond it: the app does not build. Cost: none before a route exists.
pub const ROUTES: usize = u16::MAX as usize;

const _: () = assert!(REQUEST_LINE_BYTES < FIELD_SECTION_BYTES);
const _: () = assert!(CHUNK_LINE_BYTES <= CHUNK_EXCESS_BYTES);
const _: () = assert!(TRAILER_BYTES <= FIELD_SECTION_BYTES);
