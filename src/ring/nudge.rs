//! Ends the one sleep of glommio's that no timer of its own ends.
//!
//! glommio 0.9 may sleep over tasks that can run (see `vigil.rs`). From its first task on there are timers
//! that end such a sleep; before that there is nothing. So where the thread loses its CPU between the moment
//! at which glommio arms its preemption timer and that at which it asks for its first task, for longer than
//! that timer takes, a core would never start, and the server would wait for it. What ends a sleep from
//! outside is a signal: `io_uring_enter(2)` returns EINTR, and glommio looks at its tasks again.

use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::time::Duration;

/// How often the thread is interrupted: much longer than it takes to the first task.
const EVERY: Duration = Duration::from_millis(100);

/// What interrupts it. Nothing is done about this signal where it is not asked for, and whoever does keeps
/// its handler.
const SIGNAL: libc::c_int = libc::SIGURG;

/// Interrupts the thread that made it, again and again while it lives.
#[derive(Debug)]
pub(super) struct Nudge {
    timer: libc::timer_t,
}

impl Nudge {
    /// One for the calling thread; `None` where the process has no timer left, and the thread has to keep its
    /// CPU.
    pub(super) fn new() -> Option<Self> {
        if !is_interrupting() {
            return None;
        }
        // SAFETY: zeroed, a `sigevent` and an `itimerspec` are valid; the timer's number is written before
        // it is read. None of the calls keeps what it is given.
        unsafe {
            let mut event: libc::sigevent = MaybeUninit::zeroed().assume_init();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer = MaybeUninit::uninit();
            if libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, timer.as_mut_ptr()) != 0 {
                return None;
            }
            let nudge = Self {
                timer: timer.assume_init(),
            };
            let mut times: libc::itimerspec = MaybeUninit::zeroed().assume_init();
            times.it_value.tv_nsec = EVERY.as_nanos() as libc::c_long;
            times.it_interval = times.it_value;
            let is_set = libc::timer_settime(nudge.timer, 0, &times, std::ptr::null_mut()) == 0;
            is_set.then_some(nudge)
        }
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        // SAFETY: the timer is this one's alone, and is deleted once.
        unsafe { libc::timer_delete(self.timer) };
    }
}

/// Whether the signal interrupts a thread, and does nothing else.
fn is_interrupting() -> bool {
    static IS_HANDLED: OnceLock<bool> = OnceLock::new();
    *IS_HANDLED.get_or_init(|| {
        // SAFETY: what is called does nothing, which a handler may.
        unsafe { signal_hook::low_level::register(SIGNAL, || ()) }.is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::thread::{NanosleepRelativeResult, nanosleep};

    #[test]
    fn a_sleep_is_interrupted_while_it_lives() {
        let sleep = |time: Duration| nanosleep(&time.try_into().unwrap());
        let nudge = Nudge::new().unwrap();
        for _ in 0..2 {
            let slept = sleep(Duration::from_secs(60));
            assert!(matches!(slept, NanosleepRelativeResult::Interrupted(_)));
        }
        drop(nudge);
        let slept = sleep(2 * EVERY);
        assert!(matches!(slept, NanosleepRelativeResult::Ok));
    }
}
