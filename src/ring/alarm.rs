//! The alarm: the one kernel timeout of a ring, which ends a park when a deadline is near. Which
//! deadline that is, the wheel says; while the driver does not park there is no need for it.

use super::State;
use super::key::Target;
use io_uring::{opcode, types};
use std::time::Duration;

/// The timeout that ends a park when a deadline is near.
#[derive(Debug)]
pub(super) struct Alarm {
    /// What it is set to, in nanoseconds; read by the kernel when submitted, hence on the heap.
    spec: Vec<types::Timespec>,
    set_ns: Option<u64>,
}

impl Alarm {
    /// An alarm that is not set.
    pub(super) fn new() -> Self {
        Self {
            spec: vec![types::Timespec::new()],
            set_ns: None,
        }
    }

    /// When it rings, if it is set.
    pub(super) fn due_ns(&self) -> Option<u64> {
        self.set_ns
    }

    /// The kernel says that it rang.
    pub(super) fn rang(&mut self) {
        self.set_ns = None;
    }
}

impl State {
    /// Whether the alarm rings by the next deadline, or there is none.
    pub(super) fn is_alarm_set(&self) -> bool {
        self.wheel
            .next_ns()
            .is_none_or(|next_ns| self.alarm.set_ns.is_some_and(|set_ns| set_ns <= next_ns))
    }

    /// Sets the alarm to the next deadline unless it already rings by then.
    pub(super) fn set_alarm(&mut self) {
        let Some(next_ns) = self.wheel.next_ns().filter(|_| !self.is_alarm_set()) else {
            return;
        };
        let spec = &mut self.alarm.spec[0];
        *spec = types::Timespec::from(Duration::from_nanos(next_ns));
        let target = Target::Alarm.pack();
        let flags = types::TimeoutFlags::ABS;
        let submission = if self.alarm.set_ns.is_some() {
            opcode::TimeoutUpdate::new(target, spec)
                .flags(flags)
                .build()
        } else {
            opcode::Timeout::new(spec)
                .flags(flags)
                .build()
                .user_data(target)
        };
        self.alarm.set_ns = Some(next_ns);
        self.queue.push_back(submission);
    }
}
