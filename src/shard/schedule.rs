//! What the kernel's scheduler gives a shard's thread, and what it keeps from it: so that who looks at a core that was
//! held can tell a handler that computes from a machine that took the CPU.

use crate::stats::Ran;
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What a thread can be asked for by any other: `schedstat` in proc(5), if the kernel counts that.
#[derive(Debug)]
pub(crate) struct Schedule(File);

impl Schedule {
    /// That of the calling thread.
    ///
    /// # Errors
    /// There is no such file, or no descriptor left for it.
    pub(super) fn of_this_thread() -> io::Result<Schedule> {
        File::open("/proc/thread-self/schedstat").map(Schedule)
    }

    /// For how long the thread could have run since it began and had no CPU, in nanoseconds.
    pub(crate) fn run_delay_ns(&self) -> Option<u64> {
        let mut text = [0; 64];
        let bytes = self.0.read_at(&mut text, 0).ok()?;
        run_delay_ns(std::str::from_utf8(&text[..bytes]).ok()?)
    }
}

/// The second of three numbers: time on a CPU, time without one, and turns. Where the kernel does not count them all
/// are 0, which they cannot be.
fn run_delay_ns(schedstat: &str) -> Option<u64> {
    let mut numbers = schedstat.split_ascii_whitespace();
    let ran_ns: u64 = numbers.next()?.parse().ok()?;
    let run_delay_ns = numbers.next()?.parse().ok()?;
    (ran_ns > 0).then_some(run_delay_ns)
}

/// What a shard's thread had of its CPU, looked up now and then.
#[derive(Debug, Default)]
pub(super) struct Account {
    schedule: Option<Schedule>,
    had: Cell<Had>,
}

impl Account {
    /// Of the calling thread, which alone may look.
    pub(super) fn new(schedule: Option<Schedule>) -> Account {
        Account {
            schedule,
            had: Cell::default(),
        }
    }

    /// Looks at `at_ns`, when the thread's ring has waited for `waited_ns`. It takes some 2 µs.
    pub(super) fn look(&self, at_ns: u64, waited_ns: u64) {
        self.had
            .set(Had::now(at_ns, waited_ns, self.schedule.as_ref()));
    }

    /// The same; and what it had in the last `held_ns`, in which it was not to wait. It is the truer, the shorter ago
    /// the last look was.
    pub(super) fn look_behind(&self, at_ns: u64, waited_ns: u64, held_ns: u64) -> Ran {
        let earlier = self.had.get();
        self.look(at_ns, waited_ns);
        self.had.get().since(&earlier, held_ns)
    }
}

/// What a shard's thread has had of its CPU until some moment, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Had {
    /// That moment.
    at_ns: u64,
    /// For how long its ring waited.
    waited_ns: u64,
    cpu_ns: u64,
    run_delay_ns: Option<u64>,
}

impl Had {
    /// What the calling thread has had until now, which is `at_ns`, when its ring has waited for `waited_ns`.
    fn now(at_ns: u64, waited_ns: u64, schedule: Option<&Schedule>) -> Had {
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        Had {
            at_ns,
            waited_ns,
            cpu_ns: cpu.tv_sec as u64 * 1_000_000_000 + cpu.tv_nsec as u64,
            run_delay_ns: schedule.and_then(Schedule::run_delay_ns),
        }
    }

    /// How much of the last `held_ns`, in which it did not wait, the thread ran at least, and was kept from running at
    /// most, when `earlier` is what it had had some time before. Neither can be more than was asked about.
    fn since(&self, earlier: &Had, held_ns: u64) -> Ran {
        let passed_ns = self.at_ns.saturating_sub(earlier.at_ns);
        let waited_ns = self.waited_ns.saturating_sub(earlier.waited_ns);
        // Before it was held it may have run for all the time that it did not wait.
        let before_ns = passed_ns.saturating_sub(waited_ns).saturating_sub(held_ns);
        let cpu_ns = self.cpu_ns.saturating_sub(earlier.cpu_ns);
        let delays = self.run_delay_ns.zip(earlier.run_delay_ns);
        Ran {
            cpu_ns: cpu_ns.saturating_sub(before_ns).min(held_ns),
            run_delay_ns: delays.map(|(now, then)| now.saturating_sub(then).min(held_ns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ran(cpu_ns: u64, run_delay_ns: Option<u64>) -> Ran {
        Ran {
            cpu_ns,
            run_delay_ns,
        }
    }

    #[test]
    fn the_second_number_is_the_delay() {
        for (text, delay_ns) in [
            ("564662 104244 1\n", Some(104_244)),
            ("5 0 1\n", Some(0)),
            ("0 0 0\n", None),
            ("", None),
            ("5\n", None),
            ("5 x 1\n", None),
        ] {
            assert_eq!(run_delay_ns(text), delay_ns, "{text:?}");
        }
    }

    #[test]
    fn this_thread_is_known_to_others() {
        let schedule = Schedule::of_this_thread().expect("a file");
        let theirs = std::thread::spawn(move || schedule.run_delay_ns());
        assert!(theirs.join().expect("no panic").is_some());
        let (before, held_ns) = (Had::now(0, 0, None), 5 * MS);
        let mut now = before;
        while now.cpu_ns < before.cpu_ns + held_ns {
            now = Had::now(held_ns, 0, None);
        }
        assert_eq!(now.since(&before, held_ns), ran(held_ns, None));
    }

    #[test]
    fn what_ran_before_is_not_taken_for_what_ran_then() {
        let earlier = Had {
            at_ns: 1_000 * MS,
            waited_ns: 500 * MS,
            cpu_ns: 400 * MS,
            run_delay_ns: Some(10 * MS),
        };
        // Of a second it waited for 500 ms, ran for 200 and was held for 300: in which it
        for (cpu_ms, delay_ms, ran_ms) in [
            // computed,
            (500, 0, 300),
            // was preempted,
            (210, 290, 10),
            // slept in a system call;
            (200, 0, 0),
            // or computed, and had run less before than it could have.
            (450, 50, 250),
        ] {
            let now = Had {
                at_ns: 2_000 * MS,
                waited_ns: 1_000 * MS,
                cpu_ns: earlier.cpu_ns + cpu_ms * MS,
                run_delay_ns: Some((10 + delay_ms) * MS),
            };
            let told = now.since(&earlier, 300 * MS);
            assert_eq!(told, ran(ran_ms * MS, Some(delay_ms * MS)), "{cpu_ms}");
        }
        let now = Had {
            cpu_ns: u64::MAX,
            run_delay_ns: Some(u64::MAX),
            ..earlier
        };
        assert_eq!(now.since(&earlier, 7), ran(7, Some(7)));
        assert_eq!(earlier.since(&now, 7), ran(0, Some(0)));
    }
}
