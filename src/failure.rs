//! Why the program stops, in one line for whoever runs it. It is about operators alone: what goes
//! wrong with a peer or a handler never becomes a [`Failure`].

use crate::limits::LOG_FLUSH;
use crate::printable::Printable;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::io::{self, Write as _};

/// Whose it is to mend a [`Failure`]; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The arguments or the configuration are wrong: exit code 2.
    Operator,
    /// The machine or its state does not allow it, now: exit code 1.
    Run,
}

/// A refusal to start or to go on: what is wrong, and how to mend it.
///
/// It is displayed as `WHAT; MEND`, always on one line: control characters, which a file name or a
/// configuration may hold, are shown escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    blame: Blame,
    what: String,
    mend: String,
}

impl Failure {
    /// A failure for which the arguments or the configuration are to blame.
    pub fn operator(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            blame: Blame::Operator,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// A failure for which the machine, or the state it is in, is to blame.
    pub fn run(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            blame: Blame::Run,
            what: what.into(),
            mend: mend.into(),
        }
    }

    /// The failure for a thread that could not be started.
    pub(crate) fn no_thread(error: &io::Error) -> Self {
        let what = format!("a thread could not be started: {error}");
        Self::run(what, "raise TasksMax= in the systemd unit, or ulimit -u")
    }

    /// Whose it is to mend.
    pub fn blame(&self) -> Blame {
        self.blame
    }

    /// What is wrong, without the mend.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// How to mend it.
    pub fn mend(&self) -> &str {
        &self.mend
    }

    /// The exit code of a program that ends for this reason: 2 or 1.
    pub fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::Operator => 2,
            Blame::Run => 1,
        }
    }

    /// Writes `corelane: WHAT; MEND` to standard error.
    pub fn report(&self) {
        let mut stderr = io::stderr();
        // A pipe that is full, and that nobody reads, does not keep the program from its end.
        let patience = Timespec::try_from(LOG_FLUSH).ok();
        let poll = poll(
            &mut [PollFd::new(&stderr, PollFlags::OUT)],
            patience.as_ref(),
        );
        if poll == Ok(0) {
            return;
        }
        // One write, so that lines of several processes on one log do not mix. If standard error
        // is closed there is nobody left to tell, and the exit code still tells.
        let line = format!("corelane: {self}\n");
        let _ = stderr.write_all(line.as_bytes());
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, mend) = (Printable::new(&self.what), Printable::new(&self.mend));
        write!(f, "{what}; {mend}")
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blame_decides_the_exit_code() {
        assert_eq!(Failure::operator("a", "b").exit_code(), 2);
        assert_eq!(Failure::run("a", "b").exit_code(), 1);
    }

    #[test]
    fn a_failure_is_one_line_whatever_it_names() {
        let table = [
            ("no folder", "make it", "no folder; make it"),
            (
                "no\nfolder \u{1b}[2J",
                "make\r it",
                r"no\nfolder \u{1b}[2J; make\r it",
            ),
            ("père \"x\"", "ok", "père \"x\"; ok"),
        ];
        for (what, mend, shown) in table {
            assert_eq!(Failure::run(what, mend).to_string(), shown);
        }
    }
}
