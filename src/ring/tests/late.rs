//! Requests that come while the core is held: when they are told to have come.

use super::*;
use crate::ring::tcp_info::silence_ms;
use std::cell::RefCell;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

const MS: u64 = 1_000_000;

/// For how long something waits at least, by the kernel's own account.
const WAITED_MS: u32 = 100;

/// Holds the core until `socket` says that its last data came so long ago.
fn hold_until_silent(socket: RawFd) {
    let since = Instant::now();
    while silence_ms(socket).unwrap() < WAITED_MS {
        assert!(since.elapsed() < PATIENCE, "the kernel counts no time");
    }
}

/// What a wait of [`WAITED_MS`] is told to be at least: the kernel tells ticks of 10 ms at most.
const TOLD_NS: u64 = (WAITED_MS as u64 - 11) * MS;

#[test]
fn bytes_that_came_while_the_core_was_held_are_as_old_as_they_are() {
    with_ring(RingOptions::default(), |ring| async move {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let observed = Rc::clone(&turns);
        ring.observe_turns(move |ns| observed.borrow_mut().push(ns));
        // More than the kernel hands over at once.
        let mut pairs: Vec<_> = (0..150).map(|_| pair(&ring)).collect();
        for (stream, _) in &mut pairs {
            assert!(
                futures_lite::future::poll_once(stream.receive())
                    .await
                    .is_none()
            );
        }
        yield_now().await;
        let (idle, mut late_peer) = pair(&ring);
        assert!(
            futures_lite::future::poll_once(idle.receive())
                .await
                .is_none()
        );
        yield_now().await;
        turns.borrow_mut().clear();
        let before_ns = monotonic_ns();
        for (_, peer) in &mut pairs {
            peer.write_all(b"early").unwrap();
        }
        let sent_ns = monotonic_ns();
        let last = pairs.last().unwrap().0.with_fd(|fd| fd.as_raw_fd());
        hold_until_silent(last);
        let held_until_ns = monotonic_ns();
        late_peer.write_all(b"late").unwrap();
        for (stream, _) in &mut pairs {
            let lease = stream.receive().await.unwrap().unwrap();
            // Never older than it is, and as old as the kernel tells.
            assert!(lease.arrived_ns() >= before_ns);
            assert!(lease.arrived_ns() <= held_until_ns - TOLD_NS);
        }
        let late = idle.receive().await.unwrap().unwrap();
        assert!(late.arrived_ns() >= held_until_ns);
        // It is one turn that was so long.
        let turns = turns.borrow();
        let long = turns
            .iter()
            .filter(|ns| **ns >= u64::from(WAITED_MS - 20) * MS);
        assert_eq!(long.count(), 1, "{turns:?}");
        assert!(sent_ns <= held_until_ns);
    });
}

#[test]
fn so_are_those_of_connections_that_were_accepted_behind_it() {
    // With credit for all, and for one after the other.
    for credit in [MULTISHOT_CREDIT, 100] {
        let (socket, address) = listening(1024);
        with_ring(RingOptions::default(), move |ring| async move {
            let listener = Listener::new(&ring, socket, credit);
            // It waits.
            assert!(
                futures_lite::future::poll_once(listener.accept())
                    .await
                    .is_none()
            );
            yield_now().await;
            let before_ns = monotonic_ns();
            let peers: Vec<_> = (0..50)
                .map(|_| {
                    let mut peer = TcpStream::connect(address).unwrap();
                    peer.write_all(b"early").unwrap();
                    peer
                })
                .collect();
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(WAITED_MS.into()) {}
            let held_until_ns = monotonic_ns();
            for _ in &peers {
                let stream = listener.accept().await.unwrap();
                let lease = stream.receive().await.unwrap().unwrap();
                assert!(lease.arrived_ns() >= before_ns);
                assert!(lease.arrived_ns() <= held_until_ns - TOLD_NS);
            }
            // Who comes when the queue is empty is new.
            assert!(
                futures_lite::future::poll_once(listener.accept())
                    .await
                    .is_none()
            );
            yield_now().await;
            let before_ns = monotonic_ns();
            let mut peer = TcpStream::connect(address).unwrap();
            peer.write_all(b"late").unwrap();
            let stream = listener.accept().await.unwrap();
            let lease = stream.receive().await.unwrap().unwrap();
            assert!(lease.arrived_ns() >= before_ns);
        });
    }
}

#[test]
fn what_came_by_no_network_is_new() {
    with_ring(RingOptions::default(), |ring| async move {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let stream = Stream::new(&ring, ours.into());
        assert!(
            futures_lite::future::poll_once(stream.receive())
                .await
                .is_none()
        );
        yield_now().await;
        theirs.write_all(b"early").unwrap();
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(WAITED_MS.into()) {}
        let held_until_ns = monotonic_ns();
        let lease = stream.receive().await.unwrap().unwrap();
        assert!(lease.arrived_ns() >= held_until_ns);
    });
}
