//! What runs on glommio itself, timers and files and wakers, while the ring idles and is busy; and
//! what becomes of a panic.

use super::*;
use crate::ring::driver::PREEMPTION;
use futures_lite::StreamExt;
use futures_lite::future::yield_now;
use std::cell::Cell;

/// Runs `work` while `busy` connections echo as fast as they can.
fn loaded<F>(busy: usize, work: impl FnOnce(Ring) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    with_ring(RingOptions::default(), move |ring| async move {
        let done = Rc::new(Cell::new(false));
        let echoes = (0..busy).map(|_| {
            let (stream, mut peer) = pair(&ring);
            let client = std::thread::spawn(move || {
                let mut rounds = 0;
                let mut answer = [0; 64];
                while peer.write_all(&[7; 64]).is_ok() && peer.read_exact(&mut answer).is_ok() {
                    rounds += 1;
                }
                rounds
            });
            let done = Rc::clone(&done);
            glommio::spawn_local(async move {
                while let Some(lease) = stream.receive().await.unwrap() {
                    if done.get() {
                        break;
                    }
                    stream.send_all(lease.to_vec().into()).await.unwrap();
                }
                drop(stream);
                client
            })
            .detach()
        });
        let echoes: Vec<_> = echoes.collect();
        work(ring.clone()).await;
        done.set(true);
        for echo in echoes {
            let client = echo.await.unwrap();
            let rounds = on_thread(&ring, move || client.join().unwrap()).await;
            assert!(rounds > 0, "a busy connection got no answer");
        }
        settled(&ring, [0; 5]).await;
    });
}

/// Sleeps and reads of glommio, in turn with the ring's own operations.
async fn sleep_and_read(ring: Ring) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let bytes = pattern(100_000, 1);
    std::fs::write(&path, &bytes).unwrap();
    let (mut stream, mut peer) = pair(&ring);
    for round in 0..30_u64 {
        glommio::timer::sleep(Duration::from_millis(round % 12)).await;
        let file = glommio::io::BufferedFile::open(&path).await.unwrap();
        let read = file.read_at(0, bytes.len()).await.unwrap();
        assert!(*read == bytes[..]);
        file.close().await.unwrap();
        peer.write_all(b"x").unwrap();
        assert_eq!(receive_exact(&mut stream, 1).await, b"x");
    }
}

#[test]
fn timers_and_files_are_served_while_the_ring_idles() {
    loaded(0, sleep_and_read);
}

#[test]
fn timers_and_files_are_served_while_the_ring_is_busy() {
    loaded(4, sleep_and_read);
}

/// As for the length of a transfer that hands over one piece after the other: were the driver to take the run
/// queue for empty because glommio ended a pass before its turn, the ring would wait for the next such end.
#[test]
fn the_driver_does_not_step_aside_while_a_task_can_run() {
    with_ring(RingOptions::default(), |ring| async move {
        let asides = || ring.0.asides.load(std::sync::atomic::Ordering::Acquire);
        yield_now().await;
        let before = asides();
        let spin = |time: Duration| {
            let ring = ring.clone();
            let until_ns = ring.clock_ns() + time.as_nanos() as u64;
            std::iter::from_fn(move || (ring.clock_ns() < until_ns).then_some(()))
        };
        for () in spin(20 * PREEMPTION) {
            spin(PREEMPTION / 100).for_each(drop);
            yield_now().await;
        }
        assert_eq!(asides(), before);
    });
}

#[test]
fn the_ring_serves_a_task_that_glommio_woke_during_a_park() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        for _ in 0..20 {
            let began = std::time::Instant::now();
            while !ring.0.is_parked() {
                assert!(began.elapsed() < PATIENCE, "the ring does not park");
                glommio::timer::sleep(Duration::from_millis(30)).await;
            }
            // Submitted from outside of any turn: the parked driver has to be told.
            peer.write_all(b"x").unwrap();
            assert_eq!(receive_exact(&mut stream, 1).await, b"x");
        }
    });
}

#[test]
fn a_deadline_armed_during_a_park_is_not_early() {
    with_ring(RingOptions::default(), |ring| async move {
        let deadline = Deadline::new(&ring);
        glommio::timer::sleep(Duration::from_millis(700)).await;
        let armed_at = ring.clock_ns();
        deadline.arm(Duration::from_millis(300));
        deadline.passed().await;
        assert!(ring.clock_ns() - armed_at >= 300_000_000);
    });
}

#[test]
fn ticks_go_on_and_none_is_early() {
    with_ring(RingOptions::default(), |ring| async move {
        let began_ns = ring.clock_ns();
        let mut ticks = ring.ticks(Duration::from_millis(50));
        for count in 1..=3 {
            assert_eq!(ticks.next().await, Some(()));
            assert!(ring.clock_ns() - began_ns >= count * 50_000_000);
        }
    });
}

#[test]
fn a_deadline_beyond_all_time_never_passes() {
    with_ring(RingOptions::default(), |ring| async move {
        let (never, soon) = (Deadline::new(&ring), Deadline::new(&ring));
        // As many nanoseconds as a multiple of 2^64.
        never.arm(Duration::from_secs(1 << 55));
        soon.arm(Duration::from_millis(300));
        soon.passed().await;
        assert!(!never.has_passed());
    });
}

#[test]
fn a_panic_is_told_to_the_caller() {
    let told = run(None, RingOptions::default(), |_ring| async {
        yield_now().await;
        panic!("a test panics");
    });
    assert!(matches!(told, Err::<(), _>(StartError::Panicked)));
}

#[test]
fn a_panic_in_another_task_is_told_too() {
    let told = run(None, RingOptions::default(), |ring| async move {
        let (stream, _peer) = pair(&ring);
        glommio::spawn_local(async { panic!("a test panics") }).detach();
        let _ = stream.receive().await;
    });
    assert!(matches!(told, Err(StartError::Panicked)));
    // The thread can run another ring.
    with_ring(RingOptions::default(), |_ring| async {});
}
