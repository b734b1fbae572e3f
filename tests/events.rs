//! The example `events` counts on from where its peer has been.

#[path = "examples/events.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod events;

use corelane::testing::{Conversation, TestClient};
use std::time::Duration;

#[test]
fn it_has_a_page() {
    let mut client = TestClient::new(events::app());
    let answer = client.get("/").send();
    assert!(answer.text().contains("new EventSource(\"/events\")"));
}

#[test]
fn it_counts_seconds_from_the_last_event_that_its_peer_had() {
    for (field, first) in [
        ("", 1),
        ("Last-Event-ID: 41\r\n", 42),
        ("Last-Event-ID: x\r\n", 1),
    ] {
        let mut peer = Conversation::new(events::app()).unwrap();
        let request = format!("GET /events HTTP/1.1\r\nHost: h\r\n{field}\r\n");
        peer.deliver(request.as_bytes());
        let head = String::from_utf8(peer.take_sent()).unwrap();
        assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"));
        for number in first..first + 20 {
            peer.pass(Duration::from_secs(1));
            let event = String::from_utf8(peer.take_sent()).unwrap();
            let expected = format!("data: {number}\nid: {number}\nevent: tick\n\n");
            assert!(event.contains(&expected), "{event}");
        }
        peer.close();
        assert_eq!(peer.in_flight(), 0);
    }
}
