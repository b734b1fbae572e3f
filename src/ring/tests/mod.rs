//! The ring against real sockets on loopback: what every test needs, and the plainest exchange.

mod accept;
mod adapters;
mod alone;
mod drops;
mod ends;
mod files;
mod glommio_side;
mod late;
mod memory;
mod messages;
mod parking;
mod pool;
mod reuse;
mod wake;
mod watch;

use super::*;
use futures_lite::future::yield_now;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// After this long a test that waits for the ring says what it waits for. Nothing is asserted
/// about time: a correct ring never comes near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `test` in an executor of its own.
fn with_ring<F>(options: RingOptions, test: impl FnOnce(Ring) -> F)
where
    F: Future<Output = ()> + 'static,
{
    run(None, options, test).unwrap();
}

/// Runs `test` in an executor of its own with a listener on a free port.
fn with_listener<F>(test: impl FnOnce(Ring, Listener, SocketAddr) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let (socket, address) = listening(1024);
    with_ring(RingOptions::default(), |ring| {
        let listener = Listener::new(&ring, socket, MULTISHOT_CREDIT);
        test(ring, listener, address)
    });
}

/// A listening socket on a free port.
fn listening(backlog: i32) -> (Arc<std::os::fd::OwnedFd>, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&any.into()).unwrap();
    socket.listen(backlog).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (Arc::new(socket.into()), address)
}

/// A stream of the ring and its peer, which blocks.
fn pair(ring: &Ring) -> (Stream, TcpStream) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    peer.set_nodelay(true).unwrap();
    let (accepted, _) = socket.accept().unwrap();
    (Stream::new(ring, accepted.into()), peer)
}

/// Makes the buffers of both ends small, so that a peer that does not read is soon felt.
fn shrink(stream: &Stream, peer: &TcpStream) {
    stream.with_fd(|fd| {
        socket2::SockRef::from(&fd)
            .set_send_buffer_size(16 * 1024)
            .unwrap()
    });
    socket2::SockRef::from(peer)
        .set_recv_buffer_size(128 * 1024)
        .unwrap();
}

/// Runs `work`, which may block, on a thread, and waits for it on the ring.
async fn on_thread<T: Send + 'static>(ring: &Ring, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (notifier, mut notified) = Notified::new(ring).unwrap();
    let thread = std::thread::spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        notifier.notify();
        result
    });
    notified.wait().await.unwrap();
    match thread.join().unwrap() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Yields to the ring until `done`.
async fn until(ring: &Ring, what: &str, done: impl Fn() -> bool) {
    let limit = Deadline::new(ring);
    limit.arm(PATIENCE);
    while !done() {
        assert!(!limit.has_passed(), "never came: {what}");
        yield_now().await;
    }
}

/// What a ring still holds: operations, sockets, listeners, submissions, buffers.
fn held(ring: &Ring) -> [usize; 5] {
    let [ops, sockets, listeners, queue] = ring.0.with(|state| {
        [
            state.ops.len(),
            state.sockets.len(),
            state.listeners.len(),
            state.queue.len(),
        ]
    });
    [ops, sockets, listeners, queue, ring.buffers_held()]
}

/// Waits until the ring holds what it held before.
async fn settled(ring: &Ring, before: [usize; 5]) {
    let limit = Deadline::new(ring);
    limit.arm(PATIENCE);
    while held(ring) != before {
        assert!(!limit.has_passed(), "{:?} is not {before:?}", held(ring));
        yield_now().await;
    }
}

/// Receives until `bytes` have come, or the end.
async fn receive_exact(stream: &mut Stream, bytes: usize) -> Vec<u8> {
    let mut received = Vec::new();
    while received.len() < bytes {
        match stream.receive().await.unwrap() {
            Some(lease) => received.extend_from_slice(&lease),
            None => break,
        }
    }
    received
}

/// Bytes that differ from their neighbours, from pair to pair as well.
fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

#[test]
fn echoes() {
    with_listener(|_ring, listener, address| async move {
        let client = std::thread::spawn(move || {
            let mut socket = TcpStream::connect(address).unwrap();
            for round in 0..1000_u32 {
                socket.write_all(&round.to_be_bytes()).unwrap();
                let mut answer = [0; 4];
                socket.read_exact(&mut answer).unwrap();
                assert_eq!(answer, round.to_be_bytes());
            }
        });
        let stream = listener.accept().await.unwrap();
        while let Some(lease) = stream.receive().await.unwrap() {
            stream.send_all(lease.to_vec().into()).await.unwrap();
        }
        client.join().unwrap();
    });
}

#[test]
fn busy_polling_echoes() {
    let options = RingOptions {
        busy_poll: true,
        ..RingOptions::default()
    };
    with_ring(options, |ring| async move {
        let (stream, mut peer) = pair(&ring);
        let client = std::thread::spawn(move || {
            for round in 0..1000_u32 {
                peer.write_all(&round.to_be_bytes()).unwrap();
                let mut answer = [0; 4];
                peer.read_exact(&mut answer).unwrap();
                assert_eq!(answer, round.to_be_bytes());
            }
        });
        while let Some(lease) = stream.receive().await.unwrap() {
            stream.send_all(lease.to_vec().into()).await.unwrap();
        }
        client.join().unwrap();
        let deadline = Deadline::new(&ring);
        deadline.arm(Duration::from_millis(150));
        deadline.passed().await;
        assert_eq!(ring.waited_ns(), 0, "busy polling never sleeps");
    });
}

#[test]
fn spinning_in_vain_is_idleness_and_what_a_task_takes_is_not() {
    let options = RingOptions {
        busy_poll: true,
        ..RingOptions::default()
    };
    with_ring(options, |ring| async move {
        let deadline = Deadline::new(&ring);
        let (began, idle) = (monotonic_ns(), ring.idle_ns());
        deadline.arm(Duration::from_millis(150));
        deadline.passed().await;
        let (passed, idle) = (monotonic_ns() - began, ring.idle_ns() - idle);
        assert!((passed / 2..=passed).contains(&idle), "{idle} of {passed}");

        let (began, idle) = (monotonic_ns(), ring.idle_ns());
        let mut held = 0;
        while held < 50_000_000 {
            held = monotonic_ns() - began;
        }
        deadline.arm(Duration::from_millis(1));
        deadline.passed().await;
        let (passed, idle) = (monotonic_ns() - began, ring.idle_ns() - idle);
        assert!(
            idle > 0 && idle + held <= passed,
            "{idle}, {held} of {passed}"
        );
    });
}
