//! The limits that a server can be given: one struct, and what must hold between its values. The range
//! of each is `table.rs`'s. It enforces none of them and reads no text.

use super::*;

/// How long a request's head may be.
///
/// Values above 1 GiB count as 1 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Longest request line with its CR LF, in bytes. Beyond: 414, or 501 if the method is what
    /// is long. Default: [`REQUEST_LINE_BYTES`].
    pub request_line_bytes: usize,
    /// Longest field section with the empty line that ends it, in bytes. Beyond: 431. Default:
    /// [`FIELD_SECTION_BYTES`].
    pub field_section_bytes: usize,
    /// Most field lines. Beyond: 431. Default: [`FIELD_LINES`].
    pub field_lines: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            request_line_bytes: REQUEST_LINE_BYTES,
            field_section_bytes: FIELD_SECTION_BYTES,
            field_lines: FIELD_LINES,
        }
    }
}

/// The limits of a server, for [`Server::limits`](crate::Server::limits).
///
/// ```
/// let mut limits = corelane::Limits::default();
/// limits.head_timeout = std::time::Duration::from_secs(5);
/// limits.body_bytes = 10 * 1024 * 1024;
/// assert!(limits.prove().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a request's head may be: its line, its field section, its field lines.
    pub head: HeadLimits,
    /// Largest request body, in bytes, where a route says nothing else. Beyond: 413. Default:
    /// [`BODY_BYTES`].
    pub body_bytes: u64,
    /// Longest chunk-size line with its CR LF, in bytes. Beyond: 400. Default:
    /// [`CHUNK_LINE_BYTES`].
    pub chunk_line_bytes: usize,
    /// Most bytes that all chunk-size lines of one body may have beyond 16 digits and CR LF each.
    /// Beyond: 400. Default: [`CHUNK_EXCESS_BYTES`].
    pub chunk_excess_bytes: usize,
    /// Longest trailer section, in bytes. Beyond: 431. Default: [`TRAILER_BYTES`].
    pub trailer_bytes: usize,
    /// Longest time from the first byte of a request to the end of its head. Beyond: 408. Default:
    /// [`HEAD_TIMEOUT`].
    pub head_timeout: Duration,
    /// Longest time that a connection stays open without a request. Beyond: closed. Default:
    /// [`IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// Longest pause in a request body that is being read. Beyond: 408. Default:
    /// [`BODY_TIMEOUT`].
    pub body_timeout: Duration,
    /// Least bytes a second of a request body, averaged since it began, once it has taken
    /// `body_timeout`. Below: 408. 0 asks for none. Default: [`BODY_RATE_BYTES`].
    pub body_rate_bytes: u64,
    /// Longest time in which the peer takes not one byte of a response. Beyond: closed. Default:
    /// [`WRITE_TIMEOUT`].
    pub write_timeout: Duration,
    /// Least bytes a second of a response, averaged over the time for which its peer was waited for,
    /// once that has come to `write_timeout`. Below: closed. 0 asks for none. Default:
    /// [`WRITE_RATE_BYTES`].
    pub write_rate_bytes: u64,
    /// Longest time that a handler is waited for: until it has its response, and for each piece of
    /// one that is streamed. The time that its peer takes to send the request's content does not
    /// count. Beyond: 503, or the response breaks off. Middleware around the handler is given up with it
    /// and does not see the 503: [`Timeout`](crate::app::middleware::Timeout) is a limit whose answer it
    /// does. It passes as late as [`Time`](crate::app::Time) may. Default: `None`, no such limit.
    pub handler_timeout: Option<Duration>,
    /// Longest time that a connection is read after its last response. Beyond: closed. Default:
    /// [`LINGER_TIMEOUT`].
    pub linger_timeout: Duration,
    /// Most bytes read and dropped in that time. Beyond: closed. Default: [`LINGER_BYTES`].
    pub linger_bytes: usize,
    /// Most bytes of a body that its handler left unread which are read and dropped to reach the
    /// next request. Beyond: closed after the response. Default: [`UNREAD_BODY_BYTES`].
    pub unread_body_bytes: u64,
    /// Most requests of one connection. The last is answered with `Connection: close`. Default:
    /// `None`, no such limit.
    pub requests_per_connection: Option<u64>,
    /// Most connections that a shard has at once, over all of its listening sockets, if the limit
    /// of open files allows it. Beyond: they wait in the accept queue. Default: [`CONNECTIONS`].
    pub connections: usize,
    /// Pipelined requests of one connection that are answered in one turn. Beyond: others get
    /// their turn first. Default: [`PIPELINED_REQUESTS`].
    pub pipelined_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            body_bytes: BODY_BYTES,
            chunk_line_bytes: CHUNK_LINE_BYTES,
            chunk_excess_bytes: CHUNK_EXCESS_BYTES,
            trailer_bytes: TRAILER_BYTES,
            head_timeout: HEAD_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            body_rate_bytes: BODY_RATE_BYTES,
            write_timeout: WRITE_TIMEOUT,
            write_rate_bytes: WRITE_RATE_BYTES,
            handler_timeout: HANDLER_TIMEOUT,
            linger_timeout: LINGER_TIMEOUT,
            linger_bytes: LINGER_BYTES,
            unread_body_bytes: UNREAD_BODY_BYTES,
            requests_per_connection: REQUESTS_PER_CONNECTION,
            connections: CONNECTIONS,
            pipelined_requests: PIPELINED_REQUESTS,
        }
    }
}

impl Limits {
    /// Makes sure that a server can keep these limits.
    ///
    /// # Errors
    /// The first that is out of its range, or does not go with another.
    pub fn prove(&self) -> Result<(), LimitError> {
        for limit in &LIMITS {
            limit.prove(self)?;
        }
        let relations = [
            ("field_section_bytes", "request_line_bytes", true),
            ("chunk_excess_bytes", "chunk_line_bytes", false),
            ("field_section_bytes", "trailer_bytes", false),
        ];
        for (larger, smaller, is_strict) in relations {
            let (large, small) = (self.value(larger), self.value(smaller));
            if large < small || is_strict && large == small {
                let (large, small) = (Unit::Bytes.shown(large), Unit::Bytes.shown(small));
                let than = if is_strict { "more" } else { "less" };
                let not = if is_strict { "not " } else { "" };
                return Err(LimitError {
                    name: larger,
                    other: Some(smaller),
                    what: format!("{large} is {not}{than} than {smaller}, {small}"),
                    mend: format!("raise it, or lower {smaller}"),
                });
            }
        }
        Ok(())
    }

    fn value(&self, name: &str) -> u64 {
        Limit::named(name).map_or(0, |limit| limit.value(self))
    }
}

/// Why a server cannot have a limit as it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {what}; {mend}")]
pub struct LimitError {
    pub(crate) name: &'static str,
    /// The limit that it does not go with.
    pub(crate) other: Option<&'static str>,
    pub(crate) what: String,
    pub(crate) mend: String,
}

#[cfg(test)]
mod tests {
    use super::super::table::{DAY_NS, GIB, MILLISECOND_NS};
    use super::*;

    /// The default limits with one of them changed.
    fn with(name: &str, value: u64) -> Limits {
        let mut limits = Limits::default();
        Limit::named(name).unwrap().set(&mut limits, value);
        limits
    }

    #[test]
    fn the_defaults_are_proved_and_the_names_differ() {
        assert_eq!(Limits::default().prove(), Ok(()));
        for limit in &LIMITS {
            assert_eq!(Limit::named(limit.name).unwrap().name, limit.name);
            let value = limit.value(&Limits::default());
            assert_eq!(with(limit.name, value), Limits::default(), "{}", limit.name);
            let least = with(limit.name, limit.least);
            assert_ne!(least, Limits::default(), "{} is set", limit.name);
            assert_eq!(limit.value(&least), limit.least, "{}", limit.name);
        }
    }

    #[test]
    fn each_is_taken_up_to_its_bounds_and_no_further() {
        for limit in &LIMITS {
            for within in [limit.least, limit.most] {
                assert_eq!(limit.prove(&with(limit.name, within)), Ok(()));
            }
            let below = limit.least.checked_sub(1).map(|below| (below, "less"));
            let above = limit.most.checked_add(1).map(|above| (above, "more"));
            for (beyond, than) in below.into_iter().chain(above) {
                let error = with(limit.name, beyond).prove().unwrap_err();
                assert_eq!(error.name, limit.name);
                assert!(error.what.contains(than), "{error}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_value_and_the_range() {
        let table = [
            (
                "head_timeout",
                0,
                "head_timeout: 0ms is less than 1ms; give it a value from 1ms to 24h",
            ),
            (
                "idle_timeout",
                DAY_NS + 1_000 * MILLISECOND_NS,
                "idle_timeout: 86401s is more than 24h; give it a value from 1ms to 24h",
            ),
            (
                "request_line_bytes",
                2 * GIB,
                "request_line_bytes: 2GiB is more than 1GiB; give it a value from 16 to 1GiB",
            ),
            (
                "handler_timeout",
                0,
                "handler_timeout: 0ms is less than 1ms; give it a value from 1ms to none",
            ),
            (
                "requests_per_connection",
                0,
                "requests_per_connection: 0 is less than 1; give it a value from 1 to none",
            ),
        ];
        for (name, value, expected) in table {
            assert_eq!(with(name, value).prove().unwrap_err().to_string(), expected);
        }
        let forever = Limits {
            write_timeout: Duration::MAX,
            ..Limits::default()
        };
        assert_eq!(forever.prove().unwrap_err().name, "write_timeout");
    }

    #[test]
    fn limits_that_belong_together_are_held_against_each_other() {
        let section = FIELD_SECTION_BYTES as u64;
        let excess = CHUNK_EXCESS_BYTES as u64;
        let table = [
            ("request_line_bytes", section - 1, None),
            (
                "request_line_bytes",
                section,
                Some(
                    "field_section_bytes: 32KiB is not more than request_line_bytes, 32KiB; \
                     raise it, or lower request_line_bytes",
                ),
            ),
            ("chunk_line_bytes", excess, None),
            (
                "chunk_line_bytes",
                excess + 1,
                Some(
                    "chunk_excess_bytes: 16KiB is less than chunk_line_bytes, 16385; \
                     raise it, or lower chunk_line_bytes",
                ),
            ),
            ("trailer_bytes", section, None),
            (
                "trailer_bytes",
                section + 1,
                Some(
                    "field_section_bytes: 32KiB is less than trailer_bytes, 32769; \
                     raise it, or lower trailer_bytes",
                ),
            ),
        ];
        for (name, value, expected) in table {
            let error = with(name, value).prove().err().map(|e| e.to_string());
            assert_eq!(error.as_deref(), expected, "{name} {value}");
        }
    }
}
