//! Wake-ups from another thread: none is ever lost, however they race with the shard's sleep.

use super::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What both threads see.
#[derive(Default)]
struct Table {
    asked: AtomicU64,
    answered: AtomicU64,
}

/// How often whoever asks looks for the answer before it leaves its CPU to whoever else can run there, the
/// shard for one: several times longer than a round takes where each has its own.
const AT_ONCE: u32 = 2_000;

/// Runs `rounds` in which another thread asks, after waiting as `pace` says, and the shard
/// answers. It parks at once in one of `park_every` rounds. A lost wake-up would leave a round without its answer for ever.
fn ping_pong(
    options: RingOptions,
    rounds: u64,
    park_every: u64,
    pace: impl Fn(u64, &AtomicU64) + Send + 'static,
) {
    with_ring(options, move |ring| async move {
        let table = Arc::new(Table::default());
        let parks = Arc::clone(&ring.0.parks);
        let (notifier, mut notified) = Notified::new(&ring).unwrap();
        let asking = Arc::clone(&table);
        let thread = std::thread::spawn(move || {
            for round in 1..=rounds {
                pace(round, &parks);
                asking.asked.store(round, Ordering::Release);
                notifier.notify();
                let asked_at = std::time::Instant::now();
                let mut looks = 0;
                while asking.answered.load(Ordering::Acquire) != round {
                    looks += 1;
                    if looks < AT_ONCE {
                        std::hint::spin_loop();
                    } else {
                        std::thread::yield_now();
                    }
                    if asked_at.elapsed() > PATIENCE {
                        std::process::abort();
                    }
                }
            }
        });
        while table.answered.load(Ordering::Relaxed) != rounds {
            notified.wait().await.unwrap();
            let asked = table.asked.load(Ordering::Acquire);
            // Traffic keeps the shard from parking; every so many rounds it has none.
            ring.0.with(|state| state.traffic = asked % park_every != 0);
            table.answered.store(asked, Ordering::Release);
        }
        thread.join().unwrap();
    });
}

/// Keeps the CPUs from halting while it lives, at the lowest priority there is: a virtual one takes
/// several times longer to wake than the rest of a round.
struct Awake(Arc<AtomicBool>);

impl Awake {
    fn new() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        std::thread::spawn(move || {
            let priority = libc::sched_param { sched_priority: 0 };
            // SAFETY: changes how the calling thread is scheduled and nothing else.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &priority) };
            while !until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        Self(over)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A busy wait of up to about `most` steps, another one each round.
fn dither(round: u64, most: u64) {
    let steps = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    for _ in 0..steps % most {
        std::hint::spin_loop();
    }
}

#[test]
fn a_million_wake_ups_and_none_is_lost() {
    let _awake = Awake::new();
    ping_pong(RingOptions::default(), 1_000_000, 32, |round, _| {
        // Mostly at once, which meets the shard on its way to sleep; at times later.
        dither(round, if round % 64 == 0 { 2000 } else { 60 });
    });
}

#[test]
fn two_thousand_wake_ups_from_a_park() {
    let seen = AtomicU64::new(0);
    ping_pong(RingOptions::default(), 2_000, 1, move |round, parks| {
        while parks.load(Ordering::Acquire) == seen.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        seen.store(parks.load(Ordering::Acquire), Ordering::Relaxed);
        // The count rises just before glommio is asked to block, which takes it a while.
        dither(round, 20_000);
    });
}

#[test]
fn a_busy_polling_ring_is_woken() {
    let options = RingOptions {
        busy_poll: true,
        ..RingOptions::default()
    };
    // It never sleeps, so there is no race to be lost; on a single CPU each round takes it two time slices.
    ping_pong(options, 2_000, 1, |round, _| dither(round, 60));
}

#[test]
fn two_rings_wake_each_other() {
    let (address, there) = std::sync::mpsc::channel();
    let (answer, here) = std::sync::mpsc::channel();
    const ROUNDS: u32 = 20_000;
    let other = std::thread::spawn(move || {
        with_ring(RingOptions::default(), |ring| async move {
            let (notifier, mut notified) = Notified::new(&ring).unwrap();
            answer.send(notifier).unwrap();
            let back: Notifier = there.recv().unwrap();
            for _ in 0..ROUNDS {
                notified.wait().await.unwrap();
                back.notify();
            }
        });
    });
    with_ring(RingOptions::default(), |ring| async move {
        let (notifier, mut notified) = Notified::new(&ring).unwrap();
        address.send(notifier).unwrap();
        let there = here.recv().unwrap();
        for _ in 0..ROUNDS {
            there.notify();
            notified.wait().await.unwrap();
        }
    });
    other.join().unwrap();
}
