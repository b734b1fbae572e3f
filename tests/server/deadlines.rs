//! Peers that keep the server waiting are let go of, each for its own reason.

use super::app::Served;
use super::support::client::Broken;
use super::support::{Client, fresh_stats, number, wait_until};

#[test]
fn peers_that_are_late() {
    let served = Served::new();
    let host = "HTTP/1.1\r\nHost: a\r\n";

    // A head, a body and a reader that do not come, all waited for at the same time.
    let mut head = Client::connect(served.address);
    head.send("GET / HTTP/1.1\r\nHost: ");
    let mut behind = Client::connect(served.address);
    behind.send(format!("GET /a {host}\r\nGET /b HTT"));
    let mut body = Client::connect(served.address);
    body.send(format!("POST /collect {host}Content-Length: 3\r\n\r\nab"));
    let mut unread = Client::connect(served.address);
    unread.send(format!("POST /ignore {host}Content-Length: 3\r\n\r\nab"));
    let mut echo = Client::connect(served.address);
    echo.send(format!(
        "POST /echo {host}Transfer-Encoding: chunked\r\n\r\n3\r\nab"
    ));
    let mut reader = Client::connect(served.address);
    // More than the kernel takes between the two of them.
    reader.send(format!("GET /bytes/50000000 {host}\r\n"));

    let response = head.response();
    assert_eq!((response.status, response.closes()), (408, true));
    head.assert_closed();
    assert_eq!(behind.response().text(), "Hello, a");
    assert_eq!(behind.response().status, 408);
    behind.assert_closed();
    let response = body.response();
    assert_eq!((response.status, response.closes()), (408, true));
    body.assert_closed();
    assert_eq!(unread.response().text(), "ignored");
    assert!(matches!(unread.rest(), Broken::Closed(rest) if rest.is_empty()));
    echo.try_response(false)
        .expect_err("a complete echo of a part");
    wait_until("the reader is let go of", || {
        number(
            &fresh_stats(served.address),
            "/connections/closed/write_timeout",
        ) == 1
    });
    reader
        .try_response(false)
        .expect_err("all of what was not sent");
    let stats = fresh_stats(served.address);
    for (reason, count) in [
        ("head_timeout", 2),
        ("body_timeout", 1),
        ("write_timeout", 1),
    ] {
        assert_eq!(
            number(&stats["connections"]["closed"], &format!("/{reason}")),
            count,
            "{stats}"
        );
    }
    assert_eq!(number(&stats, "/connections/closed/failed"), 0, "{stats}");
}
