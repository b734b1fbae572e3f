//! Accepting: credit, errors, drain, and very many.

use super::alone::{alone, without_descriptors};
use super::*;
use futures_lite::future::poll_once;

/// Connections that wait in the kernel's queue, each with its number sent.
fn queue(address: SocketAddr, count: u32) -> Vec<TcpStream> {
    (0..count)
        .map(|number| {
            let mut peer = TcpStream::connect(address).unwrap();
            peer.write_all(&number.to_be_bytes()).unwrap();
            peer
        })
        .collect()
}

async fn number(stream: &mut Stream) -> u32 {
    let bytes = receive_exact(stream, 4).await;
    u32::from_be_bytes(bytes.try_into().unwrap())
}

/// Yields so often that whatever could happen would have.
async fn pause() {
    for _ in 0..200 {
        yield_now().await;
    }
}

#[test]
fn no_more_is_accepted_than_the_credit_covers() {
    with_ring(RingOptions::default(), |ring| async move {
        for credit in [0, 1, 3] {
            let (socket, address) = listening(64);
            let listener = Listener::new(&ring, socket, credit);
            let peers = queue(address, 5);
            let mut streams = Vec::new();
            for _ in 0..credit {
                streams.push(listener.accept().await.unwrap());
            }
            {
                let mut beyond = std::pin::pin!(listener.accept());
                assert!(poll_once(beyond.as_mut()).await.is_none());
                pause().await;
                assert!(poll_once(beyond.as_mut()).await.is_none());
                // One that ended lets one more in.
                listener.add_credit(1);
                streams.push(beyond.await.unwrap());
            }
            for (expected, stream) in streams.iter_mut().enumerate() {
                assert_eq!(number(stream).await, expected as u32);
            }
            drop((peers, streams, listener));
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn a_multishot_accept_that_took_too_many_is_paid_back() {
    with_ring(RingOptions::default(), |ring| async move {
        let (socket, address) = listening(64);
        let listener = Listener::new(&ring, socket, MULTISHOT_CREDIT);
        assert!(poll_once(listener.accept()).await.is_none());
        // As if the kernel had delivered a long queue before the cancellation came.
        let beyond = 3;
        ring.0.with(|state| {
            for _ in 0..MULTISHOT_CREDIT + beyond {
                let (ours, _) = std::os::unix::net::UnixStream::pair().unwrap();
                let fd = std::os::fd::IntoRawFd::into_raw_fd(ours);
                state.accepted(listener.key, fd, true);
            }
        });
        let mut taken = 0;
        while let Some(stream) = poll_once(listener.accept()).await {
            drop(stream.unwrap());
            taken += 1;
        }
        assert_eq!(taken, MULTISHOT_CREDIT + beyond);
        pause().await;
        let _peers = queue(address, 2);
        pause().await;
        // The listener still owes three, so three that end let nobody in, and a fourth does.
        listener.add_credit(beyond);
        pause().await;
        assert!(poll_once(listener.accept()).await.is_none());
        listener.add_credit(1);
        assert_eq!(number(&mut listener.accept().await.unwrap()).await, 0);
        pause().await;
        assert!(poll_once(listener.accept()).await.is_none());
    });
}

#[test]
fn drain_takes_every_queued_connection() {
    with_ring(RingOptions::default(), |ring| async move {
        for (credit, accepted_before) in [(MULTISHOT_CREDIT, 3), (2, 2), (0, 0)] {
            let (socket, address) = listening(512);
            let listener = Listener::new(&ring, Arc::clone(&socket), credit);
            let peers = queue(address, 300);
            let mut streams = Vec::new();
            for _ in 0..accepted_before {
                streams.push(listener.accept().await.unwrap());
            }
            let (drained, outcome) = listener.drain().await;
            outcome.unwrap();
            drop(listener);
            streams.extend(drained);
            assert_eq!(streams.len(), 300);
            let mut seen = vec![false; 300];
            for stream in &mut streams {
                let number = number(stream).await as usize;
                assert!(!std::mem::replace(&mut seen[number], true));
            }
            // The socket is as it was, and another listener may serve it.
            let flags = rustix::fs::fcntl_getfl(&socket).unwrap();
            assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));
            let again = Listener::new(&ring, Arc::clone(&socket), 1);
            let late = queue(address, 1);
            assert_eq!(number(&mut again.accept().await.unwrap()).await, 0);
            drop((peers, streams, late, again, socket));
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn out_of_descriptors_no_connection_is_lost() {
    alone("accept::out_of_descriptors_no_connection_is_lost", || {
        for credit in [MULTISHOT_CREDIT, 100] {
            with_ring(RingOptions::default(), move |ring| async move {
                let (socket, address) = listening(64);
                let listener = Listener::new(&ring, socket, credit);
                let peers = queue(address, 10);
                let limited = without_descriptors();
                for _ in 0..3 {
                    let error = listener.accept().await.unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                    // Nothing is tried again before the caller says so.
                    pause().await;
                    assert_eq!(held(&ring)[3], 0);
                }
                drop(limited);
                let mut seen = Vec::new();
                let mut streams = Vec::new();
                for _ in 0..peers.len() {
                    let mut stream = listener.accept().await.unwrap();
                    seen.push(number(&mut stream).await);
                    streams.push(stream);
                }
                seen.sort_unstable();
                assert_eq!(seen, (0..10).collect::<Vec<_>>());
            });
        }
    });
}

/// Tells the child of `ten_thousand_connections` whom to connect to.
const SERVER: &str = "CORELANE_TEST_SERVER";

#[test]
fn ten_thousand_connections() {
    // Both ends in one process would need more descriptors than many machines allow.
    if let Ok(address) = std::env::var(SERVER) {
        return connect_many(address.parse().unwrap());
    }
    let count = many();
    let (socket, address) = listening(4096);
    let mut clients = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ring::tests::accept::ten_thousand_connections"])
        .env(SERVER, address.to_string())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    with_ring(RingOptions::default(), move |ring| async move {
        let listener = Listener::new(&ring, socket, 20_000);
        let mut tasks = Vec::new();
        for _ in 0..count {
            let stream = listener.accept().await.unwrap();
            let echo = glommio::spawn_local(async move {
                while let Some(lease) = stream.receive().await.unwrap() {
                    stream.send_all(lease.to_vec().into()).await.unwrap();
                }
            });
            tasks.push(echo.detach());
        }
        for task in tasks {
            task.await.unwrap();
        }
        drop(listener);
        settled(&ring, [0; 5]).await;
    });
    assert!(clients.wait().unwrap().success());
}

/// Ten thousand, or what the hard limit of descriptors leaves room for.
fn many() -> usize {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let room = limit.maximum.unwrap_or(u64::MAX).saturating_sub(500);
    room.min(10_000) as usize
}

fn connect_many(address: SocketAddr) {
    let mut peers: Vec<_> = (0..many() as u64)
        .map(|number| (number, TcpStream::connect(address).unwrap()))
        .collect();
    for _ in 0..2 {
        for (number, peer) in &mut peers {
            peer.write_all(&number.to_be_bytes()).unwrap();
        }
        for (number, peer) in &mut peers {
            let mut answer = [0; 8];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!(answer, number.to_be_bytes());
        }
    }
}
