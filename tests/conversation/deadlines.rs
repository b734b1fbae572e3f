//! What may take too long: each deadline a nanosecond before it passes, and when it does.

use super::{get, request, sent, statuses, with};
use corelane::http::CloseReason;
use corelane::testing::Conversation;
use std::time::Duration;

const TICK: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

/// Waits until a moment before `deadline` and makes sure that nothing has happened; then lets it
/// pass.
fn outlive(peer: &mut Conversation, deadline: Duration) -> String {
    peer.pass(deadline - TICK);
    assert!(!peer.is_shut());
    assert_eq!(sent(peer), "");
    peer.pass(TICK);
    sent(peer)
}

#[test]
fn silence_before_and_between_requests_is_answered_with_silence() {
    for requests in [0, 1, 2] {
        let mut peer = with(|limits| limits.idle_timeout = 20 * SECOND);
        peer.pass(3 * SECOND);
        for _ in 0..requests {
            peer.pass(17 * SECOND - TICK);
            peer.deliver(&get());
            assert_eq!(statuses(&sent(&mut peer)), [200]);
        }
        let left = if requests == 0 { 17 } else { 20 };
        assert_eq!(outlive(&mut peer, left * SECOND), "");
        assert_eq!(peer.ended(), Some(CloseReason::IdleTimeout));
    }
}

#[test]
fn a_head_has_its_time_from_the_first_byte_however_it_trickles() {
    let mut peer = with(|limits| limits.head_timeout = 5 * SECOND);
    peer.pass(30 * SECOND);
    for byte in b"GET / HTTP" {
        peer.deliver(&[*byte]);
        peer.pass(SECOND / 2 - TICK);
    }
    assert_eq!(sent(&mut peer), "");
    peer.pass(10 * TICK);
    let answer = sent(&mut peer);
    assert_eq!(statuses(&answer), [408]);
    assert!(answer.contains("Connection: close"), "{answer}");
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::HeadTimeout));
}

#[test]
fn the_next_head_has_a_time_of_its_own() {
    let mut peer = with(|limits| limits.head_timeout = 5 * SECOND);
    let message = get();
    let (first, second) = message.split_at(5);
    peer.deliver(first);
    peer.pass(4 * SECOND);
    peer.deliver(&[second, first].concat());
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    peer.pass(4 * SECOND);
    peer.deliver(second);
    assert_eq!(statuses(&sent(&mut peer)), [200]);
}

#[test]
fn a_pause_in_a_body_that_is_read() {
    let mut peer = with(|limits| {
        limits.body_timeout = 7 * SECOND;
        limits.body_rate_bytes = 0;
    });
    peer.deliver(&request("POST", "/take", "Content-Length: 1000\r\n"));
    for _ in 0..500 {
        peer.pass(7 * SECOND - TICK);
        peer.deliver(b"x");
    }
    let answer = outlive(&mut peer, 7 * SECOND);
    assert_eq!(statuses(&answer), [408]);
    assert!(answer.contains("Connection: close"), "{answer}");
}

#[test]
fn a_body_below_the_least_rate() {
    // 10 bytes a second on average, after 7 seconds for nothing.
    let slow = |bytes_each_second: usize| {
        let mut peer = with(|limits| {
            limits.body_timeout = 7 * SECOND;
            limits.body_rate_bytes = 10;
        });
        peer.deliver(&request("POST", "/take", "Content-Length: 300\r\n"));
        let mut seconds = 0;
        loop {
            peer.deliver(&vec![b'x'; bytes_each_second]);
            let answer = sent(&mut peer);
            if !answer.is_empty() {
                return (seconds, statuses(&answer));
            }
            peer.pass(SECOND);
            seconds += 1;
        }
    };
    // 300 bytes.
    assert_eq!(slow(10), (29, vec![200]));
    assert_eq!(slow(9), (33, vec![200]));
    // 5n bytes came before second n, and 10(n - 7) are due in it: no more than that at n = 14.
    assert_eq!(slow(5), (14, vec![408]));
    assert_eq!(slow(1), (8, vec![408]));
}

#[test]
fn a_body_that_is_thrown_away_has_no_more_time_than_one_that_is_read() {
    let mut peer = with(|limits| limits.body_timeout = 7 * SECOND);
    peer.deliver(&request("POST", "/", "Content-Length: 10\r\n"));
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    peer.pass(7 * SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::BodyTimeout));
}

#[test]
fn a_response_that_is_not_taken() {
    let mut peer = with(|limits| limits.write_timeout = 9 * SECOND);
    peer.set_room(0);
    peer.deliver(&get());
    for _ in 0..20 {
        // Every byte renews it.
        peer.pass(9 * SECOND - TICK);
        peer.set_room(1);
    }
    assert_eq!(peer.take_sent().len(), 20);
    peer.pass(9 * SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::WriteTimeout));
}

#[test]
fn lingering() {
    let mut peer = with(|limits| limits.linger_timeout = 4 * SECOND);
    peer.deliver(b"BAD\r\n");
    assert_eq!(statuses(&sent(&mut peer)), [400]);
    for _ in 0..3 {
        peer.deliver(b"more");
        peer.pass(SECOND);
    }
    peer.pass(SECOND - TICK);
    assert_eq!(peer.ended(), None);
    peer.pass(TICK);
    assert_eq!(peer.ended(), Some(CloseReason::Refused));
}
