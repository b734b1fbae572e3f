//! A clock for what happens within a turn: as true as CLOCK_MONOTONIC, and a third of its cost where
//! the processor's time stamp counter is what the kernel itself tells the time by.
//!
//! Reading CLOCK_MONOTONIC through the vDSO costs some 28 ns, the counter 10 ns. A request is timed
//! three times, and 1 % of what it costs is less than three readings of the former.
//!
//! Each turn reads both; in between the counter tells how far it has come. What a tick lasts is found
//! out over at least [`CALIBRATION_NS`], until which CLOCK_MONOTONIC is read.

use super::core::monotonic_ns;
use std::cell::Cell;

/// How long the counter is compared with CLOCK_MONOTONIC before it is trusted. Each is read within
/// some 100 ns of the other, so the length of a tick is known to 1 in 100,000: of a turn of 1 ms,
/// 10 ns.
const CALIBRATION_NS: u64 = 20_000_000;

/// How many bits of a nanosecond's fraction a tick is known to.
const FRACTION_BITS: u32 = 32;

/// The clock of one core.
#[derive(Debug)]
pub(super) struct Clock {
    /// When the core last looked at both.
    looked: Cell<Reading>,
    /// Where calibration began; `None` if the counter is of no use.
    began: Option<Reading>,
    /// Nanoseconds of a tick, with [`FRACTION_BITS`] of fraction; 0 until that is known.
    tick: Cell<u64>,
}

/// Both at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    ns: u64,
    ticks: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        let now = Reading {
            ns: monotonic_ns(),
            ticks: ticks(),
        };
        Self {
            looked: Cell::new(now),
            began: counter_is_the_clock().then_some(now),
            tick: Cell::new(0),
        }
    }

    /// Looks at both: the time, in nanoseconds of CLOCK_MONOTONIC.
    pub(super) fn look(&self) -> u64 {
        let now = Reading {
            ns: monotonic_ns(),
            ticks: ticks(),
        };
        self.looked.set(now);
        if let Some(began) = self.began {
            let (ns, passed) = (now.ns - began.ns, now.ticks.saturating_sub(began.ticks));
            if ns >= CALIBRATION_NS && passed > 0 {
                let tick = (u128::from(ns) << FRACTION_BITS) / u128::from(passed);
                self.tick.set(u64::try_from(tick).unwrap_or(0));
            }
        }
        now.ns
    }

    /// The time at the last look.
    pub(super) fn looked_ns(&self) -> u64 {
        self.looked.get().ns
    }

    /// The time, in nanoseconds of CLOCK_MONOTONIC.
    #[inline]
    pub(super) fn now_ns(&self) -> u64 {
        let (looked, tick) = (self.looked.get(), self.tick.get());
        if tick == 0 {
            return monotonic_ns();
        }
        let passed = ticks().saturating_sub(looked.ticks);
        looked.ns + ((u128::from(passed) * u128::from(tick)) >> FRACTION_BITS) as u64
    }
}

/// Whether the kernel tells the time by the counter: it does so only where that ticks evenly, and alike
/// on all cores.
fn counter_is_the_clock() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(target_arch = "x86_64")
        && std::fs::read_to_string(SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it unless they
    // forbade it to themselves by prctl(PR_SET_TSC); it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn ticks() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_the_time_between_looks() {
        let clock = Clock::new();
        // Until enough is known, and when it is.
        for is_calibrated in [false, true] {
            if is_calibrated && clock.began.is_some() {
                while clock.tick.get() == 0 {
                    clock.look();
                }
            }
            for _ in 0..10_000 {
                let before = clock.look();
                let told = clock.now_ns();
                let after = monotonic_ns();
                assert!(before <= told, "{before} {told}");
                // Another program may have had the core in between, but neither clock stood still. The
                // last term is what the readings of a look lie apart.
                let slack = (after - before) / 1_000 + 10_000;
                assert!(told <= after + slack, "{told} {after}");
            }
        }
    }

    #[test]
    fn without_the_counter_it_is_the_kernels() {
        let clock = Clock {
            began: None,
            ..Clock::new()
        };
        let until = monotonic_ns() + CALIBRATION_NS + 1;
        while clock.look() < until {}
        assert_eq!(clock.tick.get(), 0);
        let (before, told, after) = (monotonic_ns(), clock.now_ns(), monotonic_ns());
        assert!(before <= told && told <= after);
    }
}
