//! The one system call of a turn: it submits what is queued, runs the kernel's deferred work, and
//! waits if asked to.

use io_uring::{IoUring, squeue, types};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// What a turn does when nothing is ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// Returns at once, without an enter when there is nothing to submit or to run.
    No,
    /// The same, of a driver that does nothing else meanwhile: since the last turn no task has run.
    Spin,
    /// Returns at once, but has the kernel look in any case.
    Look,
    /// Blocks until a completion comes, this long at most.
    AtMost(Duration),
}

/// Submits the queue, in as many enters as its length asks for, and waits in the last one.
pub(super) fn enter(
    ring: &mut IoUring,
    queue: &mut VecDeque<squeue::Entry>,
    wait: Wait,
) -> io::Result<()> {
    loop {
        let mut submission = ring.submission();
        while let Some(entry) = queue.front() {
            // SAFETY: entries are queued by `State` alone, which keeps what they point at in the
            // operation's slot (or in the alarm) until the operation's completion is reaped.
            if unsafe { submission.push(entry) }.is_err() {
                break;
            }
            queue.pop_front();
        }
        submission.sync();
        let unsubmitted = submission.len();
        let work = submission.taskrun() || submission.cq_overflow();
        drop(submission);
        let ready = !ring.completion().is_empty();
        let entered = match wait {
            Wait::AtMost(limit) if queue.is_empty() && !ready => {
                let spec = types::Timespec::from(limit);
                let arguments = types::SubmitArgs::new().timespec(&spec);
                ring.submitter().submit_with_args(1, &arguments)
            }
            _ if unsubmitted > 0 || work || matches!(wait, Wait::Look) => {
                const GETEVENTS: u32 = 1;
                // SAFETY: no argument is passed; the flag asks for deferred task work to be run.
                unsafe {
                    ring.submitter()
                        .enter::<libc::sigset_t>(unsubmitted as u32, 0, GETEVENTS, None)
                }
            }
            _ => Ok(0),
        };
        match entered {
            Ok(_) => {}
            // Nothing came in time; or a signal; or the kernel wants its completions reaped, or
            // memory, first. What was not submitted stays in the queue for the next turn.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if queue.is_empty() || !ring.completion().is_empty() {
            return Ok(());
        }
    }
}
