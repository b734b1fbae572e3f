//! Every operation dropped mid-flight, at several points of its life, and nothing is held after.

use super::alone::{alone, open_descriptors};
use super::files::READ;
use super::*;
use bytes::Bytes;
use futures_lite::future::poll_once;
use std::net::Shutdown;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Passes of the executor between the first poll and the drop: before anything was submitted,
/// when it was just submitted, when it surely was, and when the driver may be blocked.
const PASSES: [usize; 5] = [0, 1, 2, 5, 40];

/// Polls `work` once, lets the ring turn `passes` times, and drops it. Whether it had to wait.
async fn drop_after<T>(passes: usize, work: impl Future<Output = T>) -> bool {
    let mut work = pin!(work);
    let waits = poll_once(work.as_mut()).await.is_none();
    for _ in 0..if waits { passes } else { 0 } {
        yield_now().await;
    }
    waits
}

#[test]
fn an_accept() {
    with_listener(|ring, listener, address| async move {
        for passes in PASSES {
            drop_after(passes, listener.accept()).await;
            // The next accept finds the connection whichever of the two accepted it.
            let mut peer = TcpStream::connect(address).unwrap();
            drop_after(passes, listener.accept()).await;
            peer.write_all(b"here").unwrap();
            let mut stream = match poll_once(listener.accept()).await {
                Some(stream) => stream.unwrap(),
                None => {
                    let mut again = TcpStream::connect(address).unwrap();
                    again.write_all(b"here").unwrap();
                    listener.accept().await.unwrap()
                }
            };
            assert_eq!(receive_exact(&mut stream, 4).await, b"here");
        }
        drop(listener);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_listener_with_an_accept_in_flight() {
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            for credit in [1, MULTISHOT_CREDIT] {
                let (socket, address) = listening(16);
                let listener = Listener::new(&ring, Arc::clone(&socket), credit);
                drop_after(passes, listener.accept()).await;
                let peer = TcpStream::connect(address).unwrap();
                drop(listener);
                settled(&ring, [0; 5]).await;
                assert_eq!(Arc::strong_count(&socket), 1);
                drop(peer);
            }
        }
    });
}

#[test]
fn a_receive() {
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            let (mut stream, mut peer) = pair(&ring);
            drop_after(passes, stream.receive()).await;
            peer.write_all(b"first").unwrap();
            drop_after(passes, stream.receive()).await;
            // What a dropped receive had been handed is gone with it; nothing else may be.
            peer.write_all(b"second").unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let rest = receive_exact(&mut stream, usize::MAX).await;
            assert!(rest.ends_with(b"second"), "{rest:?}");
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn a_stream_with_unread_bytes() {
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            let (stream, mut peer) = pair(&ring);
            assert!(poll_once(stream.receive()).await.is_none());
            peer.write_all(&pattern(20_000, 1)).unwrap();
            drop_after(passes, yield_now()).await;
            drop(stream);
            settled(&ring, [0; 5]).await;
            let mut end = Vec::new();
            let _ = peer.read_to_end(&mut end);
            assert!(end.is_empty());
        }
    });
}

/// Counts how often the memory of a message is freed.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_send_larger_than_the_socket_buffers() {
    const BYTES: usize = 8 << 20;
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            for head in [Vec::new(), b"head".to_vec()] {
                let (stream, mut peer) = pair(&ring);
                shrink(&stream, &peer);
                let freed = Arc::new(AtomicUsize::new(0));
                let bytes = pattern(BYTES, 2);
                let expected = [head.as_slice(), &bytes].concat();
                let body = Bytes::from_owner(Counted(bytes, Arc::clone(&freed)));
                drop_after(passes, stream.send_all(Message::new(head, body))).await;
                let (outcome, _) = stream.send(b"more".to_vec().into()).await;
                assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
                drop(stream);
                settled(&ring, [0; 5]).await;
                assert_eq!(freed.load(Ordering::Relaxed), 1);
                let received = on_thread(&ring, move || {
                    let mut received = Vec::new();
                    let _ = peer.read_to_end(&mut received);
                    received
                })
                .await;
                assert!(received.len() < BYTES && expected.starts_with(&received));
            }
        }
    });
}

#[test]
fn a_shutdown_behind_a_write_in_flight() {
    use futures_lite::AsyncWriteExt;
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            let (mut stream, peer) = pair(&ring);
            shrink(&stream, &peer);
            while let Some(written) = poll_once(stream.write(&[7; 60_000])).await {
                written.unwrap();
                yield_now().await;
            }
            drop_after(passes, stream.shutdown(Shutdown::Write)).await;
            drop(stream);
            settled(&ring, [0; 5]).await;
            drop(peer);
        }
    });
}

/// Connects until the queue is full, so that the next connect has to wait.
fn fill(address: SocketAddr) -> Vec<socket2::Socket> {
    let mut queued = Vec::new();
    loop {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let waits = socket
            .connect_timeout(&address.into(), Duration::from_millis(200))
            .is_err();
        queued.push(socket);
        if waits {
            return queued;
        }
    }
}

#[test]
fn a_connect_to_a_full_queue() {
    with_ring(RingOptions::default(), |ring| async move {
        let (socket, address) = listening(1);
        let queued = fill(address);
        for passes in PASSES {
            assert!(drop_after(passes, Stream::connect(&ring, address)).await);
        }
        let deadline = Deadline::new(&ring);
        deadline.arm(Duration::from_millis(1));
        let waited = deadline.limit(Stream::connect(&ring, address)).await;
        assert_eq!(waited.unwrap_err(), Elapsed);
        settled(&ring, [0; 5]).await;
        drop((socket, queued));
    });
}

#[test]
fn a_connect_to_a_full_queue_of_a_path() {
    with_ring(RingOptions::default(), |ring| async move {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let queued = Stream::connect_unix(&ring, &path).await.unwrap();
        for passes in PASSES {
            assert!(drop_after(passes, Stream::connect_unix(&ring, &path)).await);
        }
        let mut waiting = pin!(Stream::connect_unix(&ring, &path));
        assert!(poll_once(waiting.as_mut()).await.is_none());
        drop(listener.accept().unwrap());
        drop((waiting.await.unwrap(), queued));
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_wait_for_a_notification() {
    with_ring(RingOptions::default(), |ring| async move {
        let (notifier, mut notified) = Notified::new(&ring).unwrap();
        for passes in PASSES {
            drop_after(passes, notified.wait()).await;
            notifier.notify();
            drop_after(passes, async {
                // Polled before the notification is seen, dropped when it may have been.
                if poll_once(notified.wait()).await.is_some() {
                    notifier.notify();
                }
                std::future::pending::<()>().await;
            })
            .await;
            notified.wait().await.unwrap();
        }
        drop(notified);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_deadline() {
    with_ring(RingOptions::default(), |ring| async move {
        for passes in PASSES {
            let deadline = Deadline::new(&ring);
            deadline.arm(Duration::from_millis(1));
            drop_after(passes, deadline.passed()).await;
            deadline.passed().await;
            let (stream, _peer) = pair(&ring);
            deadline.arm(Duration::from_millis(1));
            drop_after(passes, deadline.limit(stream.receive())).await;
            deadline.arm(Duration::from_millis(1));
            assert!(deadline.limit(stream.receive()).await.is_err());
        }
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn no_descriptor_is_left() {
    alone("drops::no_descriptor_is_left", || {
        with_ring(RingOptions::default(), |ring| async move {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("file"), pattern(100_000, 3)).unwrap();
            let folder: Arc<std::os::fd::OwnedFd> =
                Arc::new(std::fs::File::open(folder.path()).unwrap().into());
            let before = open_descriptors();
            for passes in PASSES.into_iter().cycle().take(200) {
                let (socket, address) = listening(16);
                let listener = Listener::new(&ring, socket, MULTISHOT_CREDIT);
                let mut connecting = pin!(Stream::connect(&ring, address));
                drop_after(passes, connecting.as_mut()).await;
                drop_after(passes, listener.accept()).await;
                let (stream, peer) = pair(&ring);
                drop_after(passes, stream.receive()).await;
                drop_after(passes, stream.send(vec![0; 1 << 20].into())).await;
                drop((stream, peer));
                let path = c"file";
                drop_after(passes, File::open_beneath(&ring, &folder, path, READ)).await;
                if let Ok(file) = File::open_beneath(&ring, &folder, path, READ).await {
                    drop_after(passes, file.read_at(vec![0; 100_000], 0)).await;
                }
            }
            settled(&ring, [0; 5]).await;
            until(&ring, "descriptors closed", || open_descriptors() == before).await;
        });
    });
}

#[test]
fn no_descriptor_is_left_of_a_ring() {
    alone("drops::no_descriptor_is_left_of_a_ring", || {
        let once = || {
            with_listener(|ring, listener, address| async move {
                let _peer = TcpStream::connect(address).unwrap();
                let stream = listener.accept().await.unwrap();
                drop_after(3, stream.receive()).await;
                drop_after(3, listener.accept()).await;
                // All of it in flight, or not even submitted, when the ring goes.
                drop((ring, stream, listener));
            });
        };
        once();
        let before = open_descriptors();
        (0..20).for_each(|_| once());
        // glommio 0.9 leaves an eventfd of each executor, of its own.
        assert_eq!(open_descriptors(), before + 20);
    });
}
