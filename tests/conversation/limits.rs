//! What may be too long or too many.

use super::{get, request, sent, statuses, with};
use corelane::http::CloseReason;
use corelane::testing::Conversation;

/// Delivers `bytes` and says how the one response went: its status, and whether the connection is
/// open behind it.
fn outcome(peer: &mut Conversation, bytes: &[u8]) -> (u16, bool) {
    peer.deliver(bytes);
    let sent = sent(peer);
    let statuses = statuses(&sent);
    assert_eq!(statuses.len(), 1, "{sent}");
    assert_eq!(sent.contains("Connection: close"), peer.is_shut(), "{sent}");
    (statuses[0], !peer.is_shut())
}

#[test]
fn request_lines() {
    // `GET /` and ` HTTP/1.1` CR LF.
    let line = |bytes: usize| {
        let target = format!("/?{}", "q".repeat(bytes - "GET /? HTTP/1.1\r\n".len()));
        request("GET", &target, "")
    };
    for (limit, bytes, expected) in [
        (100, 100, (200, true)),
        (100, 101, (414, false)),
        (8192, 8192, (200, true)),
        (8192, 8193, (414, false)),
    ] {
        let mut peer = with(|limits| limits.head.request_line_bytes = limit);
        assert_eq!(outcome(&mut peer, &line(bytes)), expected, "{bytes}");
    }
}

#[test]
fn field_sections() {
    let section = |bytes: usize| {
        let filler = bytes - "Host: h\r\nF: \r\n\r\n".len();
        request("GET", "/", &format!("F: {}\r\n", "f".repeat(filler)))
    };
    for (limit, bytes, expected) in [
        (10_000, 10_000, (200, true)),
        (10_000, 10_001, (431, false)),
        (32_768, 32_768, (200, true)),
        (32_768, 32_769, (431, false)),
    ] {
        let mut peer = with(|limits| limits.head.field_section_bytes = limit);
        assert_eq!(outcome(&mut peer, &section(bytes)), expected, "{bytes}");
    }
}

#[test]
fn field_lines() {
    for (limit, lines, expected) in [
        (3, 3, (200, true)),
        (3, 4, (431, false)),
        (100, 100, (200, true)),
        (100, 101, (431, false)),
    ] {
        let mut peer = with(|limits| limits.head.field_lines = limit);
        let fields = "F: f\r\n".repeat(lines - 1);
        assert_eq!(
            outcome(&mut peer, &request("GET", "/", &fields)),
            expected,
            "{lines}"
        );
    }
}

#[test]
fn bodies() {
    let declared = |bytes: usize| {
        let head = request("POST", "/take", &format!("Content-Length: {bytes}\r\n"));
        [head, vec![b'x'; bytes]].concat()
    };
    let chunked = |bytes: usize| {
        let head = request("POST", "/take", "Transfer-Encoding: chunked\r\n");
        let body = format!("{bytes:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(bytes));
        [head, body.into_bytes()].concat()
    };
    for (bytes, expected) in [(1000, (200, true)), (1001, (413, false))] {
        for message in [declared(bytes), chunked(bytes)] {
            let mut peer = with(|limits| limits.body_bytes = 1000);
            assert_eq!(outcome(&mut peer, &message), expected, "{bytes}");
        }
        // A declared length is refused before any of the body has come.
        let mut peer = with(|limits| limits.body_bytes = 1000);
        peer.deliver(&declared(bytes)[..100]);
        assert_eq!(sent(&mut peer).is_empty(), bytes == 1000);
    }
}

#[test]
fn chunk_lines_and_trailers() {
    let message = |line: &str, trailers: &str| {
        let head = request("POST", "/take", "Transfer-Encoding: chunked\r\n");
        let body = format!("{line}\r\nx\r\n0\r\n{trailers}\r\n");
        [head, body.into_bytes()].concat()
    };
    for (bytes, expected) in [(60, (200, true)), (61, (400, false))] {
        let line = format!("1;{}", "e".repeat(bytes - "1;\r\n".len()));
        let mut peer = with(|limits| limits.chunk_line_bytes = 60);
        assert_eq!(outcome(&mut peer, &message(&line, "")), expected, "{bytes}");
        // Beyond 18 bytes each, all lines have this much together.
        let mut peer = with(|limits| {
            limits.chunk_line_bytes = 42;
            limits.chunk_excess_bytes = 42;
        });
        let lines =
            [18 + 21, 18 + bytes - 60 + 21].map(|bytes| format!("1;{}", "e".repeat(bytes - 4)));
        let line = lines.join("\r\nx\r\n");
        assert_eq!(outcome(&mut peer, &message(&line, "")), expected, "{line}");
    }
    for (bytes, expected) in [(50, (200, true)), (51, (431, false))] {
        let trailers = format!("T: {}\r\n", "t".repeat(bytes - "T: \r\n\r\n".len()));
        let mut peer = with(|limits| limits.trailer_bytes = 50);
        assert_eq!(
            outcome(&mut peer, &message("1", &trailers)),
            expected,
            "{bytes}"
        );
    }
}

#[test]
fn unread_bodies() {
    for (bytes, says_close) in [(500, false), (501, true)] {
        let mut peer = with(|limits| limits.unread_body_bytes = 500);
        let head = request("POST", "/", &format!("Content-Length: {bytes}\r\n"));
        peer.deliver(&head);
        let answer = sent(&mut peer);
        assert_eq!(answer.contains("Connection: close"), says_close);
        peer.deliver(&[&vec![b'x'; bytes][..], &get()].concat());
        assert_eq!(statuses(&sent(&mut peer)).len(), usize::from(!says_close));
    }
}

#[test]
fn requests_per_connection() {
    let mut peer = with(|limits| limits.requests_per_connection = Some(3));
    peer.deliver(&get().repeat(2));
    let first = sent(&mut peer);
    assert_eq!(statuses(&first), [200, 200]);
    assert!(!first.contains("Connection"), "{first}");
    peer.deliver(&get().repeat(2));
    let last = sent(&mut peer);
    assert_eq!(statuses(&last), [200]);
    assert!(last.contains("Connection: close"), "{last}");
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Completed));
}

#[test]
fn lingering() {
    // What was refused counts.
    let refused = b"BAD\r\n";
    for (bytes, is_open) in [(700, true), (701, false)] {
        let mut peer = with(|limits| limits.linger_bytes = 700 + refused.len());
        peer.deliver(refused);
        assert_eq!(statuses(&sent(&mut peer)), [400]);
        peer.deliver(&vec![b'x'; bytes]);
        assert_eq!(peer.ended().is_none(), is_open, "{bytes}");
    }
}

#[test]
fn pipelined_requests_of_a_turn() {
    // A peer that has room for so much and no more shows how many responses were gathered before
    // the first was sent.
    for requests in [3, 4] {
        let mut peer = with(|limits| limits.pipelined_requests = 3);
        peer.set_room(0);
        peer.deliver(&get().repeat(requests));
        assert_eq!(peer.in_flight(), 3, "of {requests}");
        peer.set_room(usize::MAX);
        assert_eq!(statuses(&sent(&mut peer)).len(), requests);
    }
}

#[test]
fn what_comes_behind_the_last_request_costs_it_nothing() {
    let last = request("GET", "/", "Connection: close\r\n");
    let mut peer = with(|_| {});
    peer.deliver(&last);
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    assert_eq!(peer.ended(), Some(CloseReason::Completed));
    // Closing over bytes that nobody read would reset the connection before it is read.
    let mut peer = with(|_| {});
    peer.deliver(&[last, get()].concat());
    assert_eq!(statuses(&sent(&mut peer)), [200]);
    assert!(peer.is_shut() && peer.ended().is_none());
    peer.close();
    assert_eq!(peer.ended(), Some(CloseReason::Completed));
}
