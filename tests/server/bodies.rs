//! Request bodies: echoed, too large, and left unread.

use super::app::{Served, pattern};
use super::support::client::Response;
use super::support::{Client, fresh_stats, number};
use corelane::limits::{BODY_BYTES, UNREAD_BODY_BYTES};

/// A request for `path` with this content, in chunks of `size` bytes.
fn chunked(path: &str, content: &[u8], size: usize) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut request = head.into_bytes();
    for chunk in content.chunks(size) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend_from_slice(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

/// A request for `path` with this content, its length declared.
fn declared(path: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), content].concat()
}

/// Sends while it reads, because an echo is not read ahead of without bound.
fn exchange(client: &mut Client, request: &[u8]) -> Response {
    let mut sender = Client::on(client.stream.try_clone().expect("a second handle"));
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(request));
        client.response()
    })
}

#[test]
fn bodies_of_every_size_come_back() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    let sizes = [
        1,
        4095,
        4096,
        4097,
        16_384,
        16_385,
        65_536,
        300_000,
        BODY_BYTES as usize,
    ];
    for size in sizes {
        let content = pattern(size);
        for path in ["/echo", "/collect"] {
            let response = exchange(&mut client, &declared(path, &content));
            assert_eq!(response.status, 200);
            assert!(response.body == content, "{path} {size} declared");
            for chunk in [7_777, 100_000]
                .into_iter()
                .chain((size < 20_000).then_some(1))
            {
                let response = exchange(&mut client, &chunked(path, &content, chunk));
                assert_eq!(response.status, 200);
                assert!(
                    response.body == content,
                    "{path} {size} in chunks of {chunk}"
                );
            }
        }
    }
    client.assert_alive();
}

#[test]
fn a_body_is_taken_to_the_limit_and_not_beyond() {
    let served = Served::new();
    let content = pattern(BODY_BYTES as usize + 1);
    let (most, more) = (&content[..BODY_BYTES as usize], &content[..]);

    // At the limit: bodies_of_every_size_come_back. One byte beyond it:
    let mut client = Client::connect(served.address);
    client.send(&declared("/collect", more)[..100]);
    let response = client.response();
    assert_eq!(
        (response.status, response.closes()),
        (413, true),
        "declared: at once"
    );
    client.assert_closed();

    let mut client = Client::connect(served.address);
    let response = exchange(&mut client, &chunked("/collect", more, 100_000));
    assert_eq!(
        (response.status, response.closes()),
        (413, true),
        "in chunks"
    );
    client.assert_closed();

    // An answer that had begun cannot say so: it ends without its end.
    let mut client = Client::connect(served.address);
    let mut sender = Client::on(client.stream.try_clone().expect("a second handle"));
    let request = chunked("/echo", more, 100_000);
    std::thread::scope(|scope| {
        scope.spawn(move || drop(sender.try_send(request)));
        client
            .try_response(false)
            .expect_err("a complete response of a part");
    });
    let mut client = Client::connect(served.address);
    assert_eq!(
        exchange(&mut client, &chunked("/echo", most, 100_000))
            .body
            .len(),
        most.len()
    );
}

/// What becomes of a connection behind a body that was not read.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Stays,
    /// The response says that it ends.
    SaysClose,
    /// It ends although the response could not know.
    Closes,
}

#[test]
fn an_unread_body_is_skipped_or_ends_the_connection() {
    use Fate::*;
    let served = Served::new();
    let most = pattern(UNREAD_BODY_BYTES as usize);
    let more = pattern(UNREAD_BODY_BYTES as usize + 1);
    let large = pattern(BODY_BYTES as usize);
    // The connection's fate after a body that the handler did not read (to its end).
    let table = [
        ("/ignore", declared("/ignore", &most), Stays),
        ("/ignore", declared("/ignore", &more), SaysClose),
        ("/ignore", declared("/ignore", &large), SaysClose),
        // How much is left in chunks shows when they come: framing counts, 7 bytes for one chunk
        // of this size and 5 for the last.
        ("/ignore", chunked("/ignore", b"abc", 3), Stays),
        ("/ignore", chunked("/ignore", &most[13..], 1 << 20), Stays),
        ("/ignore", chunked("/ignore", &most[12..], 1 << 20), Closes),
        ("/ignore", chunked("/ignore", &large, 1_000), Closes),
        ("/first", declared("/first", &most), Stays),
        ("/first", declared("/first", &large), SaysClose),
        ("/first", chunked("/first", &large, 1_000), Closes),
        ("/none/such", declared("/none/such", &most), Stays),
        ("/none/such", declared("/none/such", &more), SaysClose),
        ("/none/such", chunked("/none/such", b"abc", 3), Stays),
    ];
    for (row, (path, request, fate)) in table.into_iter().enumerate() {
        let mut client = Client::connect(served.address);
        // A peer that sends all of it before it reads must still get the answer.
        client.send(&request);
        let response = client.response();
        assert_eq!(response.status == 200, path != "/none/such");
        assert_eq!(
            response.closes(),
            fate == SaysClose,
            "row {row}: {path} {}",
            request.len()
        );
        match fate {
            Stays => client.assert_alive(),
            SaysClose | Closes => client.assert_closed(),
        }
    }
    assert_eq!(
        number(&fresh_stats(served.address), "/connections/closed/failed"),
        0
    );
}

#[test]
fn a_body_kept_beyond_its_answer_reads_nothing_of_the_next_request() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    // The first handler keeps its body without reading it; the second reads on in that one.
    client.send(declared("/keep", b"0123456789"));
    assert_eq!(client.response().text(), "kept");
    client.send(declared("/take", b"secret"));
    assert_eq!(client.response().text(), "nothing");
    client.assert_alive();
}

#[test]
fn an_unread_body_may_come_after_its_answer() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    let request = declared("/ignore", &pattern(50_000));
    let (head, rest) = request.split_at(request.len() - 49_000);
    client.send(head);
    assert_eq!(client.response().text(), "ignored");
    client.send(rest);
    client.assert_alive();
}

#[test]
fn a_body_that_ends_early_is_not_taken_for_whole() {
    let served = Served::new();
    let whole = [
        declared("/echo", b"0123456789"),
        chunked("/echo", b"0123456789", 5),
    ];
    for request in whole {
        let mut client = Client::connect(served.address);
        client.send(&request[..request.len() - 3]);
        client.finish_sending();
        client
            .try_response(false)
            .expect_err("a complete echo of a part");
    }
    // A handler that wants all of it answers for what it could not have.
    let mut client = Client::connect(served.address);
    let request = declared("/collect", b"0123456789");
    client.send(&request[..request.len() - 3]);
    client.finish_sending();
    if let Ok(response) = client.try_response(false) {
        assert_eq!(
            (response.status, response.closes()),
            (400, true),
            "{response:?}"
        );
    }
    client.assert_closed();
}
