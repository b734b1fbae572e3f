//! Sockets whose end is waited for while nobody reads.

use super::super::socket::QUEUE_CHUNKS;
use super::*;
use crate::limits::RING_BUFFER_BYTES;
use futures_lite::future::{poll_once, zip};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::task::Poll;

async fn left(stream: &Stream) -> std::io::Result<()> {
    poll_fn(|cx| stream.poll_left(cx)).await
}

fn reset(peer: TcpStream) {
    let socket = socket2::SockRef::from(&peer);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Has the peer send so much that the receive is stopped, and nothing of it taken.
async fn overfill(ring: &Ring, stream: &Stream, peer: &mut TcpStream) -> usize {
    let bytes = 2 * QUEUE_CHUNKS * RING_BUFFER_BYTES;
    assert!(poll_once(stream.receive()).await.is_none());
    peer.write_all(&vec![b'x'; bytes]).unwrap();
    until(ring, "the receive stops", || {
        ring.0.with(|state| {
            let socket = &state.sockets[stream.key.index as usize];
            socket.queued() > 0 && !socket.is_receiving()
        })
    })
    .await;
    bytes
}

#[test]
fn the_end_is_told_and_what_came_before_it_is_still_there() {
    with_ring(RingOptions::default(), |ring| async move {
        for bytes in [0, 5] {
            let (mut stream, mut peer) = pair(&ring);
            assert!(poll_once(left(&stream)).await.is_none());
            peer.write_all(&vec![b'x'; bytes]).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            left(&stream).await.unwrap();
            left(&stream).await.unwrap();
            assert_eq!(receive_exact(&mut stream, usize::MAX).await.len(), bytes);
            stream.send_all(b"answer".to_vec().into()).await.unwrap();
        }
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_reset_is_told() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, peer) = pair(&ring);
        assert!(poll_once(left(&stream)).await.is_none());
        reset(peer);
        let error = left(&stream).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        drop(stream);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn an_interrupt_has_who_waits_for_the_end_look_round_and_still_be_told() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, peer) = pair(&ring);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            assert!(stream.poll_left(cx).is_pending());
            match polls {
                1 => stream.interrupt(),
                _ => return Poll::Ready(()),
            }
            Poll::Pending
        })
        .await;
        drop(peer);
        left(&stream).await.unwrap();
        drop(stream);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn bytes_wake_the_reader_and_the_end_wakes_both() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, mut peer) = pair(&ring);
        let reading = async {
            peer.write_all(b"abc").unwrap();
            let lease = stream.receive().await.unwrap().unwrap();
            assert_eq!(&lease[..], b"abc");
            drop(peer);
            assert!(stream.receive().await.unwrap().is_none());
        };
        let (watched, ()) = zip(left(&stream), reading).await;
        watched.unwrap();
    });
}

#[test]
fn the_end_is_told_though_the_receive_has_stopped() {
    with_ring(RingOptions::default(), |ring| async move {
        for is_reset in [false, true] {
            let (mut stream, mut peer) = pair(&ring);
            let bytes = overfill(&ring, &stream, &mut peer).await;
            assert!(poll_once(left(&stream)).await.is_none());
            if is_reset {
                reset(peer);
                let error = left(&stream).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            } else {
                drop(peer);
                left(&stream).await.unwrap();
                assert_eq!(receive_exact(&mut stream, usize::MAX).await.len(), bytes);
            }
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn a_receive_that_stops_while_it_is_watched_is_replaced() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, mut peer) = pair(&ring);
        assert!(poll_once(left(&stream)).await.is_none());
        overfill(&ring, &stream, &mut peer).await;
        drop(peer);
        // The waker from before is the one that is woken: nothing is polled in between.
        left(&stream).await.unwrap();
        drop(stream);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_stream_that_is_dropped_while_it_is_watched_leaves_nothing() {
    with_ring(RingOptions::default(), |ring| async move {
        for fills in [false, true] {
            let (stream, mut peer) = pair(&ring);
            if fills {
                overfill(&ring, &stream, &mut peer).await;
            }
            assert!(poll_once(left(&stream)).await.is_none());
            yield_now().await;
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn a_watch_that_is_given_up_takes_no_memory() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, mut peer) = pair(&ring);
        assert!(poll_once(left(&stream)).await.is_none());
        let has_rare = || {
            ring.0
                .with(|state| state.sockets[stream.key.index as usize].has_rare())
        };
        assert!(has_rare());
        stream.unwatch();
        assert!(!has_rare());
        peer.write_all(b"x").unwrap();
        assert_eq!(&stream.receive().await.unwrap().unwrap()[..], b"x");
    });
}
