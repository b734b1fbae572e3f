//! How connections begin and end: connect, half-close, reset.

use super::*;
use std::io::ErrorKind;
use std::net::Shutdown;

fn reset(peer: TcpStream) {
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn connect_reaches_a_listener() {
    with_listener(|ring, listener, address| async move {
        let mut ours = Stream::connect(&ring, address).await.unwrap();
        let mut theirs = listener.accept().await.unwrap();
        assert_eq!(ours.peer_addr().unwrap(), address);
        assert_eq!(theirs.peer_addr().unwrap(), ours.local_addr().unwrap());
        assert!(ours.with_fd(|fd| socket2::SockRef::from(&fd).tcp_nodelay().unwrap()));
        ours.send_all(b"hello".to_vec().into()).await.unwrap();
        assert_eq!(receive_exact(&mut theirs, 5).await, b"hello");
        theirs.send_all(b"world".to_vec().into()).await.unwrap();
        assert_eq!(receive_exact(&mut ours, 5).await, b"world");
    });
}

#[test]
fn connect_says_that_it_was_refused() {
    with_ring(RingOptions::default(), |ring| async move {
        let (socket, address) = listening(1);
        drop(socket);
        let refused = Stream::connect(&ring, address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn connect_reaches_a_listener_by_its_path() {
    with_ring(RingOptions::default(), |ring| async move {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let mut ours = Stream::connect_unix(&ring, &path).await.unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        ours.send_all(b"hello".to_vec().into()).await.unwrap();
        let mut word = [0; 5];
        theirs.read_exact(&mut word).unwrap();
        theirs.write_all(&word).unwrap();
        assert_eq!(receive_exact(&mut ours, 5).await, b"hello");
        // It has a path, and no address of the Internet's.
        assert_eq!(ours.peer_addr().unwrap_err().kind(), ErrorKind::Unsupported);
        drop(ours);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn after_the_peers_half_close_answers_still_arrive() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        peer.write_all(b"question").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receive_exact(&mut stream, usize::MAX).await, b"question");
        for _ in 0..3 {
            assert!(stream.receive().await.unwrap().is_none(), "the end stays");
        }
        stream.send_all(b"answer".to_vec().into()).await.unwrap();
        drop(stream);
        let answer = on_thread(&ring, move || {
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).map(|_| answer)
        });
        assert_eq!(answer.await.unwrap(), b"answer");
    });
}

#[test]
fn after_our_half_close_the_peers_bytes_still_arrive() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        stream.send_all(b"all".to_vec().into()).await.unwrap();
        stream.shutdown(Shutdown::Write).await.unwrap();
        let peer = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            peer.write_all(b"late").unwrap();
            all
        });
        assert_eq!(receive_exact(&mut stream, usize::MAX).await, b"late");
        assert_eq!(peer.join().unwrap(), b"all");
        let (outcome, _) = stream.send(b"more".to_vec().into()).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_reset_is_told_to_the_receiver() {
    with_ring(RingOptions::default(), |ring| async move {
        for receiving_first in [true, false] {
            let (stream, peer) = pair(&ring);
            if receiving_first {
                assert!(
                    futures_lite::future::poll_once(stream.receive())
                        .await
                        .is_none()
                );
                for _ in 0..10 {
                    yield_now().await;
                }
            }
            reset(peer);
            for _ in 0..2 {
                let error = stream.receive().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                if !receiving_first {
                    break;
                }
            }
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn bytes_before_a_reset_are_received_if_the_ring_had_them() {
    with_ring(RingOptions::default(), |ring| async move {
        let (mut stream, mut peer) = pair(&ring);
        peer.write_all(b"first").unwrap();
        assert_eq!(receive_exact(&mut stream, 5).await, b"first");
        peer.write_all(b"second").unwrap();
        until(&ring, "second", || stream.has_received()).await;
        reset(peer);
        assert_eq!(receive_exact(&mut stream, 6).await, b"second");
        let error = stream.receive().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reset_ends_a_send_that_waits() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, peer) = pair(&ring);
        shrink(&stream, &peer);
        let sending = async { stream.send_all(vec![0; 8 << 20].into()).await };
        let resetting = async {
            for _ in 0..20 {
                yield_now().await;
            }
            reset(peer);
        };
        let (outcome, ()) = futures_lite::future::zip(sending, resetting).await;
        let kind = outcome.unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{kind:?}"
        );
        drop(stream);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_non_blocking_socket_is_waited_for_all_the_same() {
    with_ring(RingOptions::default(), |ring| async move {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let mut stream = Stream::new(&ring, accepted.into());
        let before = ring.waited_ns();
        let deadline = Deadline::new(&ring);
        deadline.arm(Duration::from_millis(200));
        assert!(deadline.limit(stream.receive()).await.is_err());
        assert!(ring.waited_ns() > before, "the ring span");
        peer.write_all(b"x").unwrap();
        assert_eq!(receive_exact(&mut stream, 1).await, b"x");
    });
}
