//! Runs a ring inside a glommio executor pinned to one CPU.
//!
//! The driver is one task of the executor. It takes a turn of the ring, which wakes the tasks
//! whose operations completed, and yields so that they run; whatever they submit goes out with
//! its next turn, in one `io_uring_enter`.
//!
//! It blocks in the ring only when no other task can run. glommio does not tell how many tasks
//! are runnable, but it counts those it ran (`executor_stats`, whose counters the driver takes
//! for itself): a scheduler pass that ran nothing but the driver, after a turn that woke nobody,
//! leaves an empty run queue behind. That is not so once glommio has looked at its reactor, or ended a pass in
//! front of the driver because its preemption timer rang: then others stand behind the driver that are not
//! counted yet, so two more passes are waited for.
//!
//! glommio looks at its own timers and files when no task is runnable, so the driver steps aside
//! for that now and then, woken by a bell that it rang itself. While the driver can run or steps
//! aside, glommio must not sleep, and a [`Vigil`] keeps it from that; only a park lets it.
//!
//! Waiting has two levels. First the driver blocks in the socket ring's own enter, for
//! [`SHORT_WAIT`] at most, which costs no more than an `epoll_wait`; glommio's own timers, files
//! and channels are served between these waits. After [`SHORT_WAITS`] of them without traffic it
//! parks: it lets glommio block, which costs about eleven system calls, woken by an eventfd that
//! the kernel signals when the socket ring has a completion.

use super::core::Shared;
use super::enter::Wait;
use super::nudge::Nudge;
use super::probe::StartError;
use super::vigil::Vigil;
use super::{Ring, RingOptions};
use crate::limits::{GLOMMIO_MEMORY_BYTES, GLOMMIO_RING_DEPTH};
use futures_lite::future::poll_once;
use glommio::io::BufferedFile;
use glommio::{LocalExecutorBuilder, Placement};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Longest wait inside the socket ring, and so the longest that glommio's own timers and files
/// can be late while sockets are silent; while they are busy, [`PREEMPTION`] bounds it.
pub const SHORT_WAIT: Duration = Duration::from_millis(1);

/// Longest that busy sockets and tasks keep glommio from looking at its timers and files.
///
/// Not much shorter: a look is wasted if this timer rings before the first task could run, which
/// happens when the thread loses its CPU just there.
pub const PREEMPTION: Duration = Duration::from_millis(10);

/// Longest sleep of glommio. It ends one that should not have been, see `vigil.rs`: of tasks that
/// glommio woke while the driver was parked.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// Timers that end a sleep, in turn. Of a single one, glommio could sleep over the task that has to
/// set it again, and then for ever.
const GUARDS: u32 = 8;

/// Short waits without traffic before the driver parks.
const SHORT_WAITS: u32 = 4;

/// Runs `main` to its end in an executor of the calling thread, pinned to `cpu` if one is given,
/// with a ring of its own.
///
/// Tasks that `main` spawned and that have not ended when it returns run no further.
///
/// Until the first task runs, SIGURG may interrupt the thread, which ends a sleep that glommio may begin in
/// error. So a handler that does nothing is added for it, beside those of others.
///
/// # Errors
/// When the executor or the ring cannot be set up, or the ring fails for good;
/// [`StartError::Panicked`] when any task panics: no task of this core runs after that.
pub fn run<T, F>(
    cpu: Option<usize>,
    options: RingOptions,
    main: impl FnOnce(Ring) -> F,
) -> Result<T, StartError>
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
    let executor = LocalExecutorBuilder::new(placement)
        .io_memory(GLOMMIO_MEMORY_BYTES)
        .ring_depth(GLOMMIO_RING_DEPTH)
        .preempt_timer(PREEMPTION)
        .make()
        .map_err(|error| StartError::Executor(error.to_string()))?;
    let nudge = Nudge::new();
    let work = async move {
        // Before anything else stands in the run queue that glommio could sleep over.
        let began = Instant::now();
        let guards = (1..=GUARDS).map(|place| Box::pin(guard(began, place)));
        let mut guards: Vec<_> = guards.collect();
        for guard in &mut guards {
            let _ = poll_once(guard).await;
        }
        drop(nudge);
        let vigil = Vigil::new().await;
        let ring = Ring::new(options)?;
        let bell = ring.0.bell().map_err(StartError::Memory)?.into_raw_fd();
        // SAFETY: the descriptor was made for the sentinel alone.
        let bell = unsafe { BufferedFile::from_raw_fd(bell) };
        let sentinel = glommio::spawn_local(listen(bell, Rc::clone(&ring.0))).detach();
        let driver = glommio::spawn_local(drive(Rc::clone(&ring.0), options, vigil)).detach();
        for guard in guards {
            glommio::spawn_local(guard).detach();
        }
        let main = glommio::spawn_local(main(ring.clone())).detach();
        let output = futures_lite::future::or(async { Ok(main.await) }, async {
            match driver.await {
                Some(Err(error)) => Err(StartError::Failed(error)),
                _ => std::future::pending().await,
            }
        })
        .await?;
        ring.0.stop();
        sentinel.await;
        output.ok_or(StartError::Panicked)
    };
    // glommio lets the panic of a task unwind the executor, which is then good for nothing.
    catch_unwind(AssertUnwindSafe(|| executor.run(work))).unwrap_or(Err(StartError::Panicked))
}

/// Turns the ring until it is stopped.
async fn drive(shared: Rc<Shared>, options: RingOptions, vigil: Vigil) -> io::Result<()> {
    let mut quiet_waits = 0;
    let mut woke = true;
    // What was spawned with the driver stands behind it too; and its first turn is a part of the spawning task's, so
    // its first pass is that task's.
    let mut unsettled = 3_u32;
    let mut looked_at = 0;
    while !shared.is_stopped() {
        vigil.keep_awake();
        let stats = glommio::executor().executor_stats();
        // A pass ended in front of the driver, or glommio has looked at its reactor: that is when it adds to this.
        if stats.scheduler_runs() > 1 || !stats.total_runtime().is_zero() {
            unsettled = unsettled.max(2);
        }
        let quiet = stats.tasks_executed() <= 1 && !woke && unsettled == 0;
        // A look of glommio's costs some 20 µs, so it waits for the sockets to fall silent; but
        // not longer than it would if tasks ran without a pause.
        let look_after = if quiet_waits > 0 {
            SHORT_WAIT
        } else {
            PREEMPTION
        };
        let turn = if !quiet {
            shared.turn(Wait::No)?
        } else if options.busy_poll {
            shared.turn(Wait::Spin)?
        } else if shared.now_ns() - looked_at > look_after.as_nanos() as u64 {
            step_aside(&shared).await;
            looked_at = shared.now_ns();
            shared.turn(Wait::No)?
        } else if quiet_waits < SHORT_WAITS {
            quiet_waits += 1;
            shared.turn(Wait::AtMost(SHORT_WAIT))?
        } else {
            park(&shared, &vigil).await?;
            shared.turn(Wait::No)?
        };
        woke = turn.woke;
        if turn.traffic {
            quiet_waits = 0;
        }
        unsettled = unsettled.saturating_sub(1);
        glommio::executor().yield_task_queue_now().await;
    }
    Ok(())
}

/// Lets glommio block until the ring has a completion, a deadline is due, or a task of this core
/// queued something.
async fn park(shared: &Shared, vigil: &Vigil) -> io::Result<()> {
    shared.arm_bell();
    // What came between the last turn and the bell being armed has rung nothing.
    let turn = shared.turn(Wait::Look)?;
    if !turn.woke && !turn.traffic && shared.may_park() {
        #[cfg(test)]
        shared
            .parks
            .fetch_add(1, std::sync::atomic::Ordering::Release);
        let parked_at = super::core::monotonic_ns();
        vigil.let_sleep();
        kicked(shared).await;
        vigil.keep_awake();
        shared.parked_since(parked_at);
    }
    shared.disarm_bell();
    Ok(())
}

/// Lets glommio look at its timers and files, and run what that wakes.
async fn step_aside(shared: &Shared) {
    #[cfg(test)]
    shared
        .asides
        .fetch_add(1, std::sync::atomic::Ordering::Release);
    shared.ring_bell();
    kicked(shared).await;
}

/// Waits until the driver is told to look again.
async fn kicked(shared: &Shared) {
    poll_fn(|cx| {
        if shared.poll_kicked(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Wakes glommio from a sleep that lasts too long, in turn with the other guards. Its turns are counted
/// from `began`, so that guards that were late together do not stay together.
async fn guard(began: Instant, place: u32) {
    let (first, turn) = (LONGEST_SLEEP * place, LONGEST_SLEEP * GUARDS);
    let mut due = first;
    loop {
        glommio::timer::sleep(due.saturating_sub(began.elapsed())).await;
        while due <= began.elapsed() {
            due += turn;
        }
    }
}

/// Waits for the bell in glommio's ring, for as long as the ring lives.
async fn listen(bell: BufferedFile, shared: Rc<Shared>) {
    while !shared.is_stopped() {
        if bell.read_at(0, size_of::<u64>()).await.is_err() {
            break;
        }
        shared.kick();
    }
    // Dropped, it would be closed by a submission that the ending executor never makes.
    let _ = bell.close().await;
}
