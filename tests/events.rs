//! The example `events` counts on from where its peer has been.

#[path = "examples/events.rs"]
#[expect(dead_code, reason = "main waits for a signal")]
mod events;

mod support;

use corelane::Server;
use corelane::http::CloseReason;
use corelane::testing::{Conversation, TestClient};
use std::time::Duration;
use support::Client;

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

#[test]
fn it_ends_in_order_at_a_shutdown() {
    let mut peer = Conversation::new(events::app()).unwrap();
    peer.deliver(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    peer.pass(Duration::from_secs(1));
    let sent = String::from_utf8(peer.take_sent()).unwrap();
    assert!(sent.contains("data: 1\n") && !sent.ends_with("0\r\n\r\n"));
    peer.drain();
    assert_eq!(peer.take_sent(), b"0\r\n\r\n");
    assert_eq!(peer.ended(), Some(CloseReason::Stopped));
}

#[test]
fn a_server_does_not_wait_for_its_listeners() {
    // Who waited for it to end by itself would wait for an hour.
    let hour = Duration::from_secs(3600);
    let server = Server::bind("127.0.0.1:0").shutdown_timeout(hour);
    let server = server.start(|_| events::app()).unwrap();
    let mut client = Client::connect(server.addresses()[0]);
    client.get("/events");
    assert_eq!(client.head_response().status, 200);
    let first = client.chunk().expect("an event");
    assert!(first.starts_with(b"data: 1\n"));
    server.stop().unwrap();
    // Whole events, and then the last chunk.
    while !client.chunk().expect("a chunk").is_empty() {}
    client.assert_closed();
}
