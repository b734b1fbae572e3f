//! Slots that are used again while completions of their last owner are still on their way.

use super::*;
use crate::ring::socket::Received;
use futures_lite::future::poll_once;

#[test]
fn bytes_of_two_owners_of_a_slot_never_mix() {
    with_ring(RingOptions::default(), |ring| async move {
        let mut reused = 0;
        for round in 0..500_u64 {
            let (old, mut old_peer) = pair(&ring);
            shrink(&old, &old_peer);
            assert!(poll_once(old.receive()).await.is_none());
            assert!(
                poll_once(old.send(vec![b'o'; 1 << 20].into()))
                    .await
                    .is_none()
            );
            for _ in 0..round % 5 {
                yield_now().await;
            }
            old_peer.write_all(&[b'o'; 9000]).unwrap();
            let slot = old.key;
            drop(old);
            let mut others = Vec::new();
            for _ in 0..4 {
                let (stream, peer) = pair(&ring);
                assert!(poll_once(stream.receive()).await.is_none());
                reused += usize::from(stream.key.index == slot.index);
                assert_ne!(stream.key, slot);
                others.push((stream, peer));
                yield_now().await;
            }
            for (index, (stream, peer)) in others.iter_mut().enumerate() {
                let name = [b'a' + index as u8; 3000];
                peer.write_all(&name).unwrap();
                assert_eq!(receive_exact(stream, name.len()).await, name);
                stream.send_all(name.to_vec().into()).await.unwrap();
                let mut answer = [0; 3000];
                peer.read_exact(&mut answer).unwrap();
                assert_eq!(answer, name);
            }
            drop(others);
            settled(&ring, [0; 5]).await;
        }
        assert!(reused > 100, "slots were used again {reused} times only");
    });
}

#[test]
fn a_late_completion_reaches_nobody() {
    let shared = Shared::new(256).unwrap();
    let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
    shared.with(|state| {
        let old = state.adopt(a.into(), false);
        state.abandon(old, &shared.pool);
        let new = state.adopt(b.into(), false);
        assert_eq!(old.index, new.index);
        let live_before = shared.pool.held();
        state.received(old, completion(5, Some(0), true), &shared.pool);
        state.received(
            old,
            completion(-libc::ECONNRESET, None, false),
            &shared.pool,
        );
        assert!(!state.has_received(new));
        assert_eq!(shared.pool.held(), live_before);
    });
}

#[test]
fn a_late_accept_closes_its_socket() {
    let shared = Shared::new(256).unwrap();
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let fd = std::os::fd::IntoRawFd::into_raw_fd(ours);
    let nobody = Key {
        index: 7,
        generation: 7,
    };
    shared.with(|state| state.accepted(nobody, fd, false));
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_failed_receive_gives_its_buffer_back_and_ends_nothing() {
    for (result, ends) in [
        (-libc::ECANCELED, false),
        (-libc::ECONNRESET, true),
        (0, true),
    ] {
        let shared = Shared::new(256).unwrap();
        let (a, _b) = std::os::unix::net::UnixStream::pair().unwrap();
        shared.with(|state| {
            let key = state.adopt(a.into(), false);
            state.received(key, completion(result, Some(0), false), &shared.pool);
            assert_eq!(state.has_received(key), ends, "{result}");
        });
        assert_eq!(shared.pool.held(), 0);
    }
}

/// A completion of a receive, reaped at the ring's beginning.
fn completion(result: i32, buffer: Option<u16>, more: bool) -> Received {
    Received {
        result,
        buffer,
        more,
        now_ns: 0,
    }
}
