//! Messages on their way out: parts, short writes, peers that do not read.

use super::*;
use bytes::Bytes;

/// Sends `message` to a peer that reads slowly, and compares.
fn arrives_whole(head: usize, body: usize) {
    with_ring(RingOptions::default(), move |ring| async move {
        let (stream, mut peer) = pair(&ring);
        shrink(&stream, &peer);
        let (head, body) = (pattern(head, 1), pattern(body, 2));
        let expected = [head.as_slice(), &body].concat();
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            received
        });
        let mut message = Message::new(head, Bytes::from(body));
        let mut sends = 0;
        while message.remaining() > 0 {
            let (outcome, rest) = stream.send(message).await;
            assert!(outcome.unwrap() > 0);
            message = rest;
            sends += 1;
        }
        if expected.len() > 1 << 20 {
            assert!(sends > 1, "no write was short");
        }
        drop(stream);
        let received = on_thread(&ring, move || reader.join().unwrap()).await;
        assert!(received == expected);
    });
}

#[test]
fn parts_arrive_in_order_through_short_writes() {
    for (head, body) in [
        (1, 0),
        (0, 1),
        (1, 1),
        (100, 3 << 20),
        (3 << 20, 100),
        (2 << 20, 2 << 20),
        (3 << 20, 0),
        (0, 3 << 20),
    ] {
        arrives_whole(head, body);
    }
}

#[test]
fn an_empty_message_is_sent_at_once() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, _peer) = pair(&ring);
        let (outcome, _) = stream.send(Message::default()).await;
        assert_eq!(outcome.unwrap(), 0);
        stream.send_all(Message::default()).await.unwrap();
    });
}

#[test]
fn a_peer_that_does_not_read_is_not_buffered_for() {
    with_ring(RingOptions::default(), |ring| async move {
        let (stream, mut peer) = pair(&ring);
        shrink(&stream, &peer);
        let deadline = Deadline::new(&ring);
        deadline.arm(Duration::from_millis(300));
        let taken = Rc::new(std::cell::Cell::new(0));
        let count = Rc::clone(&taken);
        let ended = deadline
            .limit(async {
                loop {
                    let mut message = Message::from(vec![b'x'; 64 * 1024]);
                    while message.remaining() > 0 {
                        let (outcome, rest) = stream.send(message).await;
                        count.set(count.get() + outcome.unwrap());
                        message = rest;
                    }
                }
            })
            .await;
        assert_eq!(ended, Err::<(), _>(Elapsed));
        // What two small socket buffers take, and not the gigabytes that the time allows.
        assert!(taken.get() < 4 << 20, "{} bytes were taken", taken.get());
        drop(stream);
        settled(&ring, [0; 5]).await;
        let read = on_thread(&ring, move || {
            let mut received = Vec::new();
            let _ = peer.read_to_end(&mut received);
            received.len()
        });
        assert!(read.await >= taken.get());
    });
}
