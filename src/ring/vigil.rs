//! Keeps glommio from sleeping over tasks that can run.
//!
//! glommio 0.9 arms its preemption timer and then asks before the first task whether it has rung. If
//! it has, because the thread lost its CPU in between, glommio runs nothing, takes its run queue for
//! empty and sleeps until one of its own timers or files ends that: for ever, if they have just been
//! looked at and whoever would ask for them again stands in the queue. It does look once more before
//! it sleeps, and does not if that look woke anybody. So there is somebody to wake in each look: a
//! receiver of a channel that always holds something, which glommio serves one waker at a time.

use futures_lite::future::zip;
use glommio::channels::shared_channel::{ConnectedReceiver, ConnectedSender, new_bounded};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

/// Wakers that wait in the channel. Each look takes one, and there are two looks in a row that ran no
/// task: for glommio to sleep in error, the thread has to lose its CPU at the same place half as
/// many times as this, one after the other.
const WATCHERS: usize = 256;

/// What keeps glommio awake, or lets it sleep.
pub(super) struct Vigil {
    sender: ConnectedSender<()>,
    receiver: ConnectedReceiver<()>,
    awake: Cell<bool>,
    waker: Waker,
    woken: Arc<Woken>,
}

/// Counts the watchers that were woken.
struct Woken(AtomicUsize);

impl Woken {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Vigil {
    /// A vigil that lets glommio sleep.
    pub(super) async fn new() -> Self {
        let (sender, receiver) = new_bounded(1);
        let (sender, receiver) = zip(sender.connect(), receiver.connect()).await;
        let woken = Arc::new(Woken(AtomicUsize::new(WATCHERS)));
        Self {
            sender,
            receiver,
            awake: Cell::new(false),
            waker: Arc::clone(&woken).into(),
            woken,
        }
    }

    /// From now on glommio does not sleep, unless it has looked [`WATCHERS`] times before this is
    /// called again.
    pub(super) fn keep_awake(&self) {
        let missing = self.woken.count();
        if self.awake.get() && missing == 0 {
            return;
        }
        // A watcher can be added only while the channel is empty.
        self.let_sleep();
        self.woken.0.store(0, Ordering::Relaxed);
        for _ in 0..missing {
            self.ask(&self.waker);
        }
        // There is room for it, and both ends are here.
        let _ = self.sender.try_send(());
        self.awake.set(true);
    }

    /// From now on glommio may sleep.
    pub(super) fn let_sleep(&self) {
        if self.awake.replace(false) {
            self.ask(&self.waker);
        }
    }

    /// Takes what the channel holds, or adds `watcher`.
    fn ask(&self, watcher: &Waker) {
        let _ = pin!(self.receiver.recv()).poll(&mut Context::from_waker(watcher));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::or;
    use glommio::timer::sleep;
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    /// Runs `test` where nothing else runs.
    fn with_vigil<F: Future<Output = ()>>(test: impl FnOnce(Vigil) -> F) {
        let executor = glommio::LocalExecutorBuilder::default().make().unwrap();
        executor.run(async { test(Vigil::new().await).await });
    }

    /// Waits until each of the watchers, and behind them this task, was woken by a look of glommio's.
    /// No task can run meanwhile, which is what glommio takes its run queue for in error.
    async fn looked_at(vigil: &Vigil) {
        let mut asked = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            vigil.let_sleep();
            vigil.ask(cx.waker());
            vigil.keep_awake();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn glommio_does_not_sleep_while_there_are_watchers() {
        with_vigil(|vigil| async move {
            for _ in 0..3 {
                vigil.keep_awake();
                // From a sleep nothing else would wake it.
                let slept = async {
                    sleep(Duration::from_secs(60)).await;
                    panic!("glommio slept with {} woken", vigil.woken.count());
                };
                or(looked_at(&vigil), slept).await;
                assert_eq!(vigil.woken.count(), WATCHERS);
            }
        });
    }

    #[test]
    fn glommio_may_sleep_when_it_is_let() {
        with_vigil(|vigil| async move {
            vigil.keep_awake();
            vigil.let_sleep();
            sleep(Duration::from_millis(10)).await;
            assert_eq!(vigil.woken.count(), 0);
        });
    }
}
