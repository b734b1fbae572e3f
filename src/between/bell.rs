//! A core's bell: how other cores wake it for what they put on its lanes.
//!
//! A wake-up is a system call, so one serves many messages: the bell stays rung, and ringing it again
//! costs one atomic exchange, until its core has found its lanes empty.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// Rung by any core, answered by its own.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Bell {
    /// Wakes the core, unless it was woken already and has not gone back to sleep. To be called
    /// behind what it is to find.
    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake_by_ref();
        }
    }

    /// Lets the next ring wake the core again; whether it was rung. What the core is to find was there
    /// before, or rings anew: so it has to look once more after this.
    pub(super) fn still(&self) -> bool {
        self.is_rung.swap(false, Ordering::SeqCst)
    }

    /// What wakes the core. It has to look for itself what came before this.
    pub(super) fn connect(&self, waker: Waker) {
        // A core has one way to be woken, from its start on.
        let _ = self.waker.set(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn one_wake_up_serves_until_the_bell_is_still() {
        let (bell, count) = (Bell::default(), Arc::<Count>::default());
        bell.ring();
        assert!(bell.still());
        bell.connect(Arc::clone(&count).into());
        for wakes in 1..=3 {
            (0..5).for_each(|_| bell.ring());
            assert_eq!(count.0.load(Ordering::Relaxed), wakes);
            assert!(bell.still());
            assert!(!bell.still());
        }
    }
}
