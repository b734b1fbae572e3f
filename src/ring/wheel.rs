//! The deadline wheel: which waiter is due, as pure data. It reads no clock and wakes nobody.
//!
//! Time is cut into ticks of [`TICK_NS`]. A timer stands in one of [`SLOTS`] slots; moving its
//! deadline later only rewrites a number, because the slot it stands in is looked at again when
//! its tick comes and the timer is then moved on. That makes the common case, a connection that
//! pushes its idle deadline back after each request, cost one store.
//!
//! A timer that is removed leaves its entry, 8 bytes, in its slot until the tick comes: with 20,000
//! connections a second that live for one request each, some 8 MB.
//!
//! Deadlines are rounded up: to a tick, and beyond [`COARSE_AFTER_TICKS`] to a whole second, so
//! that thousands of idle connections share their wake-ups. A timer is never early.

use crate::limits::RESERVED_CONNECTIONS;
use slab::Slab;

/// Length of a tick in nanoseconds.
pub const TICK_NS: u64 = 100_000_000;

/// Deadlines further away than this many ticks are rounded up to a whole second.
pub(super) const COARSE_AFTER_TICKS: u64 = 50;

/// Number of slots; a deadline further away waits in the last one and is moved on from there.
const SLOTS: usize = 512;

/// Entries whose memory a slot keeps when it is emptied. More is given back, or a wheel that
/// thousands of connections move through ends with room for all of them in every slot.
const KEPT_ENTRIES: usize = 64;

const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK_NS;

const _: () = assert!(SLOTS.is_power_of_two() && SLOTS < NOWHERE as usize);
const _: () = assert!((SLOTS as u64) > COARSE_AFTER_TICKS + TICKS_PER_SECOND);

/// A timer of one [`Wheel`], valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerKey(u32);

/// Timers ordered by deadline, each with a waiter of type `W`.
#[derive(Debug)]
pub(super) struct Wheel<W> {
    /// The last tick that was looked at; every timer still queued stands at a later one.
    now: u64,
    slots: Vec<Vec<Entry>>,
    timers: Slab<Timer<W>>,
    /// Entries in all slots, the outdated ones included.
    queued: usize,
    stamp: u32,
}

/// Every connection has one, so it is packed.
#[derive(Debug)]
struct Timer<W> {
    /// The tick it is due at; [`DISARMED`] while it is not armed.
    deadline: u64,
    waiter: Option<W>,
    /// The stamp of its valid entry.
    stamp: u32,
    /// The slot in which that entry stands; [`NOWHERE`] while there is none.
    slot: u16,
    fired: bool,
}

const _: () = assert!(size_of::<Timer<std::task::Waker>>() <= 32);

/// The deadline of a timer that is not armed.
const DISARMED: u64 = u64::MAX;

/// The slot of a timer that stands in none.
const NOWHERE: u16 = u16::MAX;

/// A timer's place in a slot. It is outdated once the timer carries another stamp.
#[derive(Clone, Copy, Debug)]
struct Entry {
    timer: u32,
    stamp: u32,
}

impl<W> Wheel<W> {
    /// An empty wheel that starts at `now_ns` (any monotonic clock).
    pub(super) fn new(now_ns: u64) -> Self {
        Self {
            now: now_ns / TICK_NS,
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            timers: Slab::with_capacity(RESERVED_CONNECTIONS),
            queued: 0,
            stamp: 0,
        }
    }

    /// Adds a disarmed timer.
    pub(super) fn insert(&mut self) -> TimerKey {
        let timer = Timer {
            deadline: DISARMED,
            waiter: None,
            stamp: 0,
            slot: NOWHERE,
            fired: false,
        };
        TimerKey(self.timers.insert(timer) as u32)
    }

    /// Removes a timer and hands back its waiter, if one waits.
    pub(super) fn remove(&mut self, key: TimerKey) -> Option<W> {
        self.timers.remove(key.0 as usize).waiter
    }

    /// Arms a timer for `deadline_ns`, or moves it there. What `now_ns` says decides how coarse
    /// the deadline may be; it may be ahead of the last [`Wheel::advance`].
    pub(super) fn arm(&mut self, key: TimerKey, deadline_ns: u64, now_ns: u64) {
        let due = round_up(self.now.max(now_ns / TICK_NS), deadline_ns);
        let timer = &mut self.timers[key.0 as usize];
        timer.deadline = due;
        timer.fired = false;
        // An entry at or before the deadline will move the timer on when its tick comes.
        if timer.slot == NOWHERE || tick_of(timer.slot, self.now) > due {
            self.enqueue(key.0, due);
        }
    }

    /// Disarms a timer: it will not fire until it is armed again.
    pub(super) fn disarm(&mut self, key: TimerKey) {
        let timer = &mut self.timers[key.0 as usize];
        timer.deadline = DISARMED;
        timer.fired = false;
    }

    /// Whether the timer's deadline has passed since it was armed.
    pub(super) fn has_fired(&self, key: TimerKey) -> bool {
        self.timers[key.0 as usize].fired
    }

    /// The place where the timer's waiter is kept until the timer fires.
    pub(super) fn waiter(&mut self, key: TimerKey) -> &mut Option<W> {
        &mut self.timers[key.0 as usize].waiter
    }

    /// Advances to `now_ns` and appends the waiters of all timers that became due to `due`.
    /// Returns how many timers fired, those without a waiter included.
    pub(super) fn advance(&mut self, now_ns: u64, due: &mut Vec<W>) -> usize {
        let target = now_ns / TICK_NS;
        let mut fired = 0;
        while self.now < target {
            if self.queued == 0 {
                self.now = target;
                break;
            }
            self.now += 1;
            let slot = (self.now as usize) % SLOTS;
            if self.slots[slot].is_empty() {
                continue;
            }
            let mut entries = std::mem::take(&mut self.slots[slot]);
            self.queued -= entries.len();
            for entry in entries.drain(..) {
                fired += self.visit(entry, due);
            }
            if self.slots[slot].is_empty() && entries.capacity() <= KEPT_ENTRIES {
                self.slots[slot] = entries;
            }
        }
        fired
    }

    /// When [`Wheel::advance`] next has something to do, in nanoseconds; never later than the
    /// first deadline, but it may be earlier.
    pub(super) fn next_ns(&self) -> Option<u64> {
        if self.queued == 0 {
            return None;
        }
        (1..=SLOTS as u64)
            .map(|ahead| self.now + ahead)
            .find(|tick| !self.slots[(*tick as usize) % SLOTS].is_empty())
            .map(|tick| tick * TICK_NS)
    }

    fn visit(&mut self, entry: Entry, due: &mut Vec<W>) -> usize {
        let Some(timer) = self.timers.get_mut(entry.timer as usize) else {
            return 0;
        };
        if timer.slot == NOWHERE || timer.stamp != entry.stamp {
            return 0;
        }
        timer.slot = NOWHERE;
        match timer.deadline {
            DISARMED => 0,
            deadline if deadline <= self.now => {
                timer.deadline = DISARMED;
                timer.fired = true;
                due.extend(timer.waiter.take());
                1
            }
            deadline => {
                self.enqueue(entry.timer, deadline);
                0
            }
        }
    }

    /// Gives the timer a fresh entry at `due`, or as far towards it as the wheel reaches.
    fn enqueue(&mut self, timer: u32, due: u64) {
        let tick = due.min(self.now + SLOTS as u64 - 1).max(self.now + 1);
        let slot = (tick as usize) % SLOTS;
        self.stamp = self.stamp.wrapping_add(1);
        let stamp = self.stamp;
        let queued = &mut self.timers[timer as usize];
        (queued.slot, queued.stamp) = (slot as u16, stamp);
        self.slots[slot].push(Entry { timer, stamp });
        self.queued += 1;
    }
}

/// The tick of a slot in which something stands at `now`: the next one that falls on it.
fn tick_of(slot: u16, now: u64) -> u64 {
    now + 1 + u64::from(slot).wrapping_sub(now + 1) % SLOTS as u64
}

/// The tick at which a deadline is due: rounded up, and coarse when it is far away.
fn round_up(now: u64, deadline_ns: u64) -> u64 {
    let tick = deadline_ns.div_ceil(TICK_NS).max(now + 1);
    if tick - now > COARSE_AFTER_TICKS {
        tick.next_multiple_of(TICKS_PER_SECOND)
    } else {
        tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn fired(wheel: &mut Wheel<u32>, now_ms: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.advance(now_ms * MS, &mut due);
        due
    }

    fn armed(wheel: &mut Wheel<u32>, name: u32, at_ms: u64) -> TimerKey {
        let key = wheel.insert();
        *wheel.waiter(key) = Some(name);
        let now_ns = wheel.now * TICK_NS;
        wheel.arm(key, at_ms * MS, now_ns);
        key
    }

    #[test]
    fn fires_once_and_not_before_its_tick() {
        let mut wheel = Wheel::new(0);
        let key = armed(&mut wheel, 7, 250);
        assert!(fired(&mut wheel, 299).is_empty());
        assert!(!wheel.has_fired(key));
        assert_eq!(fired(&mut wheel, 300), [7]);
        assert!(wheel.has_fired(key));
        assert!(fired(&mut wheel, 10_000).is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_the_next_tick() {
        let mut wheel = Wheel::new(5_000 * MS);
        armed(&mut wheel, 1, 10);
        assert_eq!(fired(&mut wheel, 5_100), [1]);
    }

    #[test]
    fn moved_later_it_does_not_fire_at_its_old_place() {
        let mut wheel = Wheel::new(0);
        let key = armed(&mut wheel, 1, 200);
        wheel.arm(key, 900 * MS, 0);
        assert!(fired(&mut wheel, 800).is_empty());
        assert_eq!(fired(&mut wheel, 900), [1]);
    }

    #[test]
    fn moved_earlier_it_fires_once() {
        let mut wheel = Wheel::new(0);
        let key = armed(&mut wheel, 1, 900);
        wheel.arm(key, 200 * MS, 0);
        assert_eq!(fired(&mut wheel, 200), [1]);
        assert!(fired(&mut wheel, 2_000).is_empty());
    }

    #[test]
    fn disarmed_or_removed_it_is_silent() {
        let mut wheel = Wheel::new(0);
        let key = armed(&mut wheel, 1, 200);
        wheel.disarm(key);
        let gone = armed(&mut wheel, 2, 200);
        assert_eq!(wheel.remove(gone), Some(2));
        let reused = armed(&mut wheel, 3, 400);
        assert_eq!(reused, gone);
        assert!(fired(&mut wheel, 300).is_empty());
        assert_eq!(fired(&mut wheel, 400), [3]);
    }

    #[test]
    fn far_deadlines_pass_through_the_last_slot() {
        let mut wheel = Wheel::new(0);
        armed(&mut wheel, 1, 300_000);
        assert!(fired(&mut wheel, 299_900).is_empty());
        assert_eq!(fired(&mut wheel, 300_000), [1]);
    }

    #[test]
    fn far_deadlines_share_whole_seconds() {
        let mut wheel = Wheel::new(0);
        armed(&mut wheel, 1, 75_100);
        armed(&mut wheel, 2, 75_900);
        assert!(fired(&mut wheel, 75_999).is_empty());
        assert_eq!(fired(&mut wheel, 76_000), [1, 2]);
    }

    #[test]
    fn a_near_deadline_is_not_coarse_after_a_long_sleep() {
        let mut wheel = Wheel::new(0);
        let key = wheel.insert();
        *wheel.waiter(key) = Some(1);
        wheel.arm(key, 20_250 * MS, 20_000 * MS);
        assert!(fired(&mut wheel, 20_299).is_empty());
        assert_eq!(fired(&mut wheel, 20_300), [1]);
    }

    #[test]
    fn a_slot_keeps_no_more_memory_than_it_often_needs() {
        let mut wheel = Wheel::new(0);
        for name in 0..10_000 {
            armed(&mut wheel, name, 200);
        }
        assert_eq!(fired(&mut wheel, 200).len(), 10_000);
        assert!(
            wheel
                .slots
                .iter()
                .all(|slot| slot.capacity() <= KEPT_ENTRIES)
        );
    }

    #[test]
    fn next_is_never_later_than_the_first_deadline() {
        let mut wheel = Wheel::new(0);
        assert_eq!(wheel.next_ns(), None);
        armed(&mut wheel, 1, 1_000);
        armed(&mut wheel, 2, 300);
        assert_eq!(wheel.next_ns(), Some(300 * MS));
        fired(&mut wheel, 300);
        assert_eq!(wheel.next_ns(), Some(1_000 * MS));
        fired(&mut wheel, 1_000);
        assert_eq!(wheel.next_ns(), None);
    }

    proptest! {
        #[test]
        fn every_timer_fires_within_its_precision(
            deadlines in prop::collection::vec(0_u64..120_000, 1..40),
            step in 1_u64..2_000,
        ) {
            let mut wheel = Wheel::new(0);
            for (name, at) in deadlines.iter().enumerate() {
                armed(&mut wheel, name as u32, *at);
            }
            let mut seen = vec![false; deadlines.len()];
            let mut now = 0;
            while now < 122_000 {
                now += step;
                for name in fired(&mut wheel, now) {
                    let name = name as usize;
                    prop_assert!(!seen[name] && now >= deadlines[name]);
                    prop_assert!(now < deadlines[name] + 1_100 + step);
                    seen[name] = true;
                }
            }
            prop_assert!(seen.iter().all(|seen| *seen));
        }
    }
}
