//! Every bound of the server: its name, its unit, what it costs, and the relations between them.
//!
//! A limit lives here and nowhere else; the code that enforces it cites it by name, and a test
//! meets it at N and at N + 1. Relations that must hold between limits are `const` assertions at
//! the end, so that a change that breaks one does not compile.

use std::time::Duration;

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

/// CPU numbers understood, from 0 to this less one: what an affinity mask of the C library holds
/// (`CPU_SETSIZE`). Beyond it: `--cores` is refused.
pub const CPUS: usize = 1024;

/// Longest `--shutdown-timeout`. A longer one is a slip of the unit: refused.
pub const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest decoded path below the root, in bytes. Beyond it: 404. The kernel takes `PATH_MAX`
/// (4096) bytes with the final NUL.
pub const PATH_BYTES: usize = 4095;

/// Longest name in a path, in bytes. Beyond it: 404. Linux file systems hold `NAME_MAX` (255).
pub const NAME_BYTES: usize = 255;

/// Submission entries of a shard's socket ring. Cost: 68 bytes each, locked.
pub const RING_ENTRIES: u32 = 2048;

/// Completion entries of a shard's socket ring. Cost: 16 bytes each, locked.
pub const RING_COMPLETIONS: u32 = 8192;

/// Entries of a shard's provided-buffer ring. Cost: 16 bytes each, locked, and the buffers.
pub const RING_BUFFERS: u32 = 1024;

/// Depth of each of glommio's three rings per core: they carry wake-ups and files, never sockets.
pub const GLOMMIO_RING_DEPTH: usize = 128;

/// glommio's registered memory per core, in bytes: the least that it takes. Cost: thrice that,
/// locked.
pub const GLOMMIO_MEMORY_BYTES: usize = 64 * 1024;

const _: () = assert!(REQUEST_LINE_BYTES < FIELD_SECTION_BYTES);
const _: () = assert!(TRAILER_BYTES <= FIELD_SECTION_BYTES);
const _: () = assert!(NAME_BYTES < PATH_BYTES);
