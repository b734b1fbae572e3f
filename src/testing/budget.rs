//! What a test's client receives and waits for before it gives up a response as one without an end.

use std::io;
use std::time::{Duration, Instant};

/// The most bytes of one response, or of one piece.
pub(super) const BYTES: usize = 64 << 20;

/// The longest time in memory. A wait that began within it may pass it.
pub(super) const TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The most waits in memory. The time that they take may be too short to come to anything.
pub(super) const WAITS: usize = 100_000;

/// The longest time over a socket, where a server may be silent for less of it.
const SOCKET_TIME: Duration = Duration::from_secs(5 * 60);

/// What is left of the bounds.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    waits: usize,
    ends: Ends,
}

#[derive(Debug)]
enum Ends {
    InMemory(Duration),
    OverASocket(Instant),
}

impl Budget {
    /// One that begins at `now` in the time of the conversation.
    pub(super) fn in_memory(now: Duration) -> Budget {
        Budget::until(Ends::InMemory(now.saturating_add(TIME)))
    }

    pub(super) fn over_a_socket() -> Budget {
        Budget::until(Ends::OverASocket(Instant::now() + SOCKET_TIME))
    }

    fn until(ends: Ends) -> Budget {
        Budget {
            bytes: BYTES,
            waits: WAITS,
            ends,
        }
    }

    /// So many bytes came.
    pub(super) fn received(&mut self, bytes: usize) -> io::Result<()> {
        if let Ends::OverASocket(end) = self.ends
            && end < Instant::now()
        {
            return Err(endless(io::ErrorKind::TimedOut, "5 minutes"));
        }
        match self.bytes.checked_sub(bytes) {
            Some(left) => self.bytes = left,
            None => return Err(endless(io::ErrorKind::QuotaExceeded, "64 MiB")),
        }
        Ok(())
    }

    /// A wait begins at `now` in the time of the conversation.
    pub(super) fn waits(&mut self, now: Duration) -> io::Result<()> {
        if matches!(self.ends, Ends::InMemory(end) if end < now) {
            return Err(endless(io::ErrorKind::TimedOut, "30 days of its time"));
        }
        match self.waits.checked_sub(1) {
            Some(left) => self.waits = left,
            None => return Err(endless(io::ErrorKind::TimedOut, "100,000 waits")),
        }
        Ok(())
    }
}

fn endless(kind: io::ErrorKind, bound: &str) -> io::Error {
    let what = format!(
        "it has not ended within {bound}: one that never does is read with `send_streaming`"
    );
    io::Error::new(kind, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_met_and_not_passed() {
        let begun = Duration::from_secs(7);
        let mut budget = Budget::in_memory(begun);
        budget.received(BYTES - 1).unwrap();
        budget.received(1).unwrap();
        let error = budget.received(1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
        assert!(error.to_string().contains("64 MiB"), "{error}");

        let mut budget = Budget::in_memory(begun);
        budget.waits(begun + TIME).unwrap();
        let late = begun + TIME + Duration::from_nanos(1);
        assert_eq!(
            budget.waits(late).unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );

        let mut budget = Budget::in_memory(begun);
        for _ in 0..WAITS {
            budget.waits(begun).unwrap();
        }
        assert!(budget.waits(begun).is_err());
        assert!(Budget::over_a_socket().received(BYTES).is_ok());
        assert!(Budget::over_a_socket().received(BYTES + 1).is_err());
    }
}
