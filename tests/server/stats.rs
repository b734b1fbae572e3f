//! `/stats`: what it says is exact.

mod access;
mod answers;
mod followers;
mod held;
mod rows;

use super::app::Served;
use super::support::{Client, assert_adds_up, fresh_stats, number, scrape, wait_until};
use serde_json::Value;

#[test]
fn totals_are_exact() {
    let served = Served::new();
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(served.address)).collect();
    let paths = [
        "/plaintext",
        "/none/such",
        "/panic",
        "/stream/50000",
        "/bytes/50000",
        "/empty",
    ];
    let mut answered = 0;
    for round in 0..10 {
        for (turn, client) in clients.iter_mut().enumerate() {
            client.get(paths[(round + turn) % paths.len()]);
            client.response();
            answered += 1;
        }
    }
    let (mut sent, mut received) = (0, 0);
    for client in &clients {
        sent += client.sent;
        received += client.received;
    }

    let mut scraper = Client::connect(served.address);
    let stats = scrape(&mut scraper);
    let asked = scraper.asked;
    assert_eq!(number(&stats, "/requests/total"), answered + asked);
    // The one that asks: it is counted when it is answered.
    assert_eq!(number(&stats, "/requests/in_flight"), 1);
    let statuses = ["200", "204", "404", "500"]
        .map(|code| number(&stats["status"]["codes"], &format!("/{code}")));
    assert_eq!(statuses.iter().sum::<u64>(), answered + asked, "{stats}");
    assert!(statuses.iter().all(|count| *count >= 12), "{stats}");
    assert_eq!(number(&stats, "/bytes/received_total"), sent + scraper.sent);
    let last = scraper.last_received;
    assert_eq!(
        number(&stats, "/bytes/sent_total"),
        received + scraper.received - last
    );
    assert_eq!(number(&stats, "/connections/accepted_total"), 9);
    assert_eq!(number(&stats, "/connections/active"), 9);
    assert_eq!(number(&stats, "/connections/idle"), 8);

    // The next one tells of the one before.
    let stats = scrape(&mut scraper);
    assert_eq!(
        number(&stats, "/requests/total"),
        answered + 1 + scraper.asked
    );
    assert_eq!(number(&stats, "/bytes/received_total"), sent + scraper.sent);
    let last = scraper.last_received;
    assert_eq!(
        number(&stats, "/bytes/sent_total"),
        received + scraper.received - last
    );
}

#[test]
fn requests_ahead_in_the_pipeline_count() {
    let served = Served::new();
    let (mut rounds, mut exact) = (0, 0);
    // A core that is too busy to answer in time is told of as it was.
    wait_until("enough were exact", || {
        let mut client = Client::connect(served.address);
        for path in ["/a", "/b", "/c", "/stats?fresh=1"] {
            client.get(path);
        }
        let responses: Vec<_> = (0..4).map(|_| client.response()).collect();
        let stats = serde_json::from_slice(&responses[3].body).expect("JSON");
        assert_adds_up(&stats);
        let (total, expected) = (number(&stats, "/requests/total"), 4 * rounds + 3);
        assert!(total <= expected, "{total} of {expected}");
        exact += u64::from(total == expected);
        rounds += 1;
        rounds >= 50 && exact >= 10
    });
}

#[test]
fn the_end_of_a_connection_is_counted_by_its_reason() {
    let served = Served::new();
    let send = |bytes: &str| {
        let mut client = Client::connect(served.address);
        client.send(bytes);
        client
    };
    let host = "HTTP/1.1\r\nHost: a\r\n";
    send(&format!("GET / {host}Connection: close\r\n\r\n")).rest();
    send("nonsense\r\n\r\n").rest();
    send(&format!("GET /fails/10 {host}\r\n")).rest();
    let unread = send(&format!(
        "POST /ignore {host}Content-Length: 100000\r\n\r\n"
    ))
    .rest();
    drop(unread);
    let aborted = send("GET / HT");
    aborted.finish_sending();
    Client::on(aborted.stream).assert_closed();
    drop(send(&format!("GET /never {host}\r\n")));
    let idle = send(&format!("GET / {host}\r\n"));
    idle.finish_sending();
    Client::on(idle.stream).rest();

    let expected = [
        ("refused", 1),
        ("truncated", 1),
        ("peer_aborted", 2),
        ("peer_closed", 1),
        ("completed", 1),
        ("body_unread", 1),
        ("failed", 0),
        ("idle_timeout", 0),
        ("stopped", 0),
    ];
    // A connection counts as closed a little after its peer saw the end.
    wait_until("every connection is closed", || {
        number(&fresh_stats(served.address), "/connections/active") == 1
    });
    let stats = fresh_stats(served.address);
    assert_adds_up(&stats);
    // The response that broke off, and the one that nobody waited for.
    assert_eq!(number(&stats, "/requests/abandoned_total"), 2, "{stats}");
    for (reason, count) in expected {
        let counted = number(&stats["connections"]["closed"], &format!("/{reason}"));
        // Each look above was a connection that its peer closed.
        if reason == "peer_closed" {
            assert!(counted > count, "{stats}");
        } else {
            assert_eq!(counted, count, "{reason}: {stats}");
        }
    }
}

#[test]
fn bytes_behind_a_request_whose_handler_waits_hold_no_buffer() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut stats = fresh_stats(served.address);
    wait_until("the handler waits", || {
        stats = fresh_stats(served.address);
        // That one and the one that asks.
        number(&stats, "/requests/in_flight") == 2
    });
    for core in stats["cores"].as_array().expect("cores is a list") {
        assert_eq!(number(core, "/receive_buffers/held"), 0, "{stats}");
    }
}

#[test]
fn routes_are_told_apart_with_their_stages() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    for path in ["/Ann", "/Bob", "/plaintext", "/none/such"] {
        client.get(path);
        client.response();
    }
    client.send("HEAD /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
    client.head_response();
    // What the router answers itself is of the route whose path it is.
    for method in ["OPTIONS", "DELETE"] {
        client.send(format!("{method} /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response();
    }
    client.get("/stats?fresh=1&filter=");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    for (route, method, class, count) in [
        ("/{name}", "GET", "2xx", 2),
        ("/plaintext", "GET", "2xx", 1),
        ("/plaintext", "HEAD", "2xx", 1),
        ("/plaintext", "OPTIONS", "2xx", 1),
        ("/plaintext", "DELETE", "4xx", 1),
        ("_unmatched", "_OTHER", "4xx", 1),
    ] {
        let routes = stats["routes"].as_array().expect("a list");
        let told = routes
            .iter()
            .find(|told| told["route"] == route && told["method"] == method);
        let told = told.unwrap_or_else(|| panic!("{method} {route}: {stats}"));
        assert_eq!(number(told, "/count"), count, "{told}");
        assert_eq!(number(told, &format!("/status/{class}")), count, "{told}");
        let stages = ["queue", "head", "handler", "write"];
        for stage in stages {
            assert_eq!(
                number(told, &format!("/stages/{stage}/count")),
                count,
                "{told}"
            );
        }
        // They add up to the whole; each mean is rounded down.
        let mean = |path: &str| number(told, &format!("{path}/mean_ns"));
        let sum: u64 = stages
            .iter()
            .map(|stage| mean(&format!("/stages/{stage}")))
            .sum();
        assert!((sum..=sum + 4).contains(&mean("")), "{told}");
    }
}
