//! The buffer pool under owners that are slow: bounds, exhaustion, and those who must not suffer.

use super::super::socket::QUEUE_CHUNKS;
use super::*;
use futures_lite::future::poll_once;

/// Chunks that the kernel may deliver in one turn: rounds of 33, one when the receive is armed and
/// a few from task work (two on Linux 6.18).
const ONE_TURN: usize = 4 * 33;

fn small_pool() -> RingOptions {
    RingOptions {
        buffers: 64,
        ..RingOptions::default()
    }
}

/// Writes what the sockets take without blocking.
fn flood(peer: &mut TcpStream) -> usize {
    peer.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(bytes) = peer.write(&[b'f'; 64 * 1024]) {
        written += bytes;
    }
    peer.set_nonblocking(false).unwrap();
    written
}

/// Chunks that wait for the reader of a stream.
fn queued(ring: &Ring, stream: &Stream) -> usize {
    ring.0
        .with(|state| state.sockets[stream.key.index as usize].queued())
}

fn is_receiving(ring: &Ring, stream: &Stream) -> bool {
    ring.0
        .with(|state| state.sockets[stream.key.index as usize].is_receiving())
}

/// Arms the receive of a stream and leaves it.
async fn arm(stream: &mut Stream) {
    assert!(poll_once(stream.receive()).await.is_none());
    for _ in 0..10 {
        yield_now().await;
    }
}

#[test]
fn at_the_bound_the_receive_stops_and_not_before() {
    with_ring(RingOptions::default(), |ring| async move {
        for (chunks, stops) in [(QUEUE_CHUNKS - 1, false), (QUEUE_CHUNKS, true)] {
            let (mut stream, mut peer) = pair(&ring);
            arm(&mut stream).await;
            for chunk in 1..=chunks {
                peer.write_all(b"x").unwrap();
                until(&ring, "a chunk", || queued(&ring, &stream) == chunk).await;
            }
            if stops {
                until(&ring, "the stop", || !is_receiving(&ring, &stream)).await;
                // One more than the bound stays in the socket until the reader comes.
                peer.write_all(b"y").unwrap();
                for _ in 0..100 {
                    yield_now().await;
                }
            }
            assert_eq!(queued(&ring, &stream), chunks);
            assert_eq!(ring.buffers_held(), chunks);
            let all = receive_exact(&mut stream, chunks + usize::from(stops)).await;
            assert_eq!(all.len(), chunks + usize::from(stops));
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn a_flood_stays_within_the_bound_and_one_turn() {
    with_ring(RingOptions::default(), |ring| async move {
        for round in 0..20 {
            let (mut stream, mut peer) = pair(&ring);
            if round % 2 == 0 {
                arm(&mut stream).await;
            }
            let mut written = flood(&mut peer);
            assert!(round % 2 == 0 || poll_once(stream.receive()).await.is_none());
            until(&ring, "bytes", || queued(&ring, &stream) >= QUEUE_CHUNKS).await;
            until(&ring, "the stop", || !is_receiving(&ring, &stream)).await;
            written += flood(&mut peer);
            assert!(written > (QUEUE_CHUNKS + ONE_TURN) * 4096);
            for _ in 0..50 {
                yield_now().await;
            }
            let chunks = queued(&ring, &stream);
            assert!(chunks < QUEUE_CHUNKS + ONE_TURN, "{round}: {chunks}");
            assert_eq!(receive_exact(&mut stream, written).await.len(), written);
            drop(stream);
            settled(&ring, [0; 5]).await;
        }
    });
}

#[test]
fn one_slow_owner_does_not_hurt_others() {
    slow_owners(1);
}

#[test]
fn many_slow_owners_do_not_hurt_others() {
    slow_owners(40);
}

/// With owners that never read what floods them, four others exchange bytes all the same.
fn slow_owners(count: usize) {
    with_ring(small_pool(), move |ring| async move {
        let mut slow = Vec::new();
        for _ in 0..count {
            let (stream, mut peer) = pair(&ring);
            assert!(poll_once(stream.receive()).await.is_none());
            flood(&mut peer);
            slow.push((stream, peer));
        }
        let good = (0..4).map(|index| {
            let (stream, mut peer) = pair(&ring);
            let client = std::thread::spawn(move || {
                for round in 0..200 {
                    let bytes = pattern(10_000, index * 1000 + round);
                    peer.write_all(&bytes).unwrap();
                    let mut answer = vec![0; bytes.len()];
                    peer.read_exact(&mut answer).unwrap();
                    assert!(answer == bytes);
                }
            });
            glommio::spawn_local(async move {
                while let Some(mut lease) = stream.receive().await.unwrap() {
                    lease.settle();
                    stream.send_all(lease.to_vec().into()).await.unwrap();
                }
                client.join().unwrap();
            })
            .detach()
        });
        for good in good.collect::<Vec<_>>() {
            good.await.unwrap();
        }
        for (stream, _) in &slow {
            let chunks = queued(&ring, stream);
            assert!(chunks < QUEUE_CHUNKS + ONE_TURN, "{chunks}");
        }
        drop(slow);
        settled(&ring, [0; 5]).await;
    });
}

#[test]
fn a_pool_emptied_by_leases_delays_receivers_until_they_return() {
    with_ring(small_pool(), |ring| async move {
        let (greedy, mut peer) = pair(&ring);
        let mut leases = Vec::new();
        // Leases of one byte each hold a buffer each; the scarce pool copies only what queues.
        while ring.buffers_held() < 64 {
            peer.write_all(b"x").unwrap();
            let lease = greedy.receive().await.unwrap().unwrap();
            leases.push(lease);
            if leases.len() > 500 {
                break;
            }
        }
        let taken = leases.len();
        let mut waiting = Vec::new();
        for index in 0..10_u8 {
            let (mut stream, mut peer) = pair(&ring);
            peer.write_all(&[index; 6000]).unwrap();
            let arrived = glommio::spawn_local(async move {
                let all = receive_exact(&mut stream, 6000).await;
                assert_eq!(all, [index; 6000]);
            });
            waiting.push((arrived.detach(), peer));
        }
        for _ in 0..50 {
            yield_now().await;
        }
        drop(leases);
        for (arrived, _) in waiting {
            arrived.await.unwrap();
        }
        assert!(taken > 0);
        drop(greedy);
        settled(&ring, [0; 5]).await;
    });
}

/// Streams that found the pool empty.
fn starved(ring: &Ring) -> usize {
    ring.0.with(|state| state.starved.len())
}

#[test]
fn starved_receivers_are_served_oldest_first_and_once() {
    let options = RingOptions {
        buffers: 2,
        ..RingOptions::default()
    };
    with_ring(options, |ring| async move {
        let (holder, mut peer) = pair(&ring);
        let mut leases = Vec::new();
        for _ in 0..2 {
            peer.write_all(b"x").unwrap();
            leases.push(holder.receive().await.unwrap().unwrap());
        }
        assert_eq!(ring.buffers_held(), 2);
        let mut others: Vec<_> = (0..5).map(|_| pair(&ring)).collect();
        for (count, (stream, peer)) in others.iter_mut().enumerate() {
            peer.write_all(b"y").unwrap();
            assert!(poll_once(stream.receive()).await.is_none());
            until(&ring, "starvation", || starved(&ring) == count + 1).await;
            // Polling again neither arms nor queues it twice.
            assert!(poll_once(stream.receive()).await.is_none());
            assert_eq!(starved(&ring), count + 1);
        }
        // One that leaves while it starves is forgotten.
        drop(others.remove(1));
        // One buffer is enough for all of them, one after the other.
        leases.pop();
        for (stream, _) in &mut others {
            assert_eq!(receive_exact(stream, 1).await, b"y");
        }
        assert_eq!(ring.buffers_held(), 1);
        drop((leases, others, holder));
        settled(&ring, [0; 5]).await;
    });
}
