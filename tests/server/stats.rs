//! `/stats`: what it says is exact, and only those see it who may.

mod followers;
mod held;
mod rows;

use super::app::{Served, app};
use super::support::outside::not_run;
use super::support::{Client, PATIENCE, assert_adds_up, fresh_stats, number, scrape, wait_until};
use corelane::config::{Config, StatsAccess, cidr};
use corelane::cores::CoreSelection;
use corelane::{App, Limits, Request, Server};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;

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
fn many_may_ask_at_once() {
    const SCRAPERS: u64 = 16;
    const SCRAPES: u64 = 40;
    let served = Served::new();
    std::thread::scope(|scope| {
        for _ in 0..SCRAPERS {
            scope.spawn(|| {
                let mut client = Client::connect(served.address);
                let mut before = 0;
                for _ in 0..SCRAPES {
                    client.get("/stats?fresh=1");
                    let stats = serde_json::from_slice(&client.response().body).expect("JSON");
                    assert_adds_up(&stats);
                    // However late a core is, time does not run backwards.
                    let total = number(&stats, "/requests/total");
                    assert!(total >= before, "{total} after {before}");
                    before = total;
                }
            });
        }
    });
    let mut scraper = Client::connect(served.address);
    let total = number(&scrape(&mut scraper), "/requests/total");
    assert_eq!(total, SCRAPERS * SCRAPES + scraper.asked);
}

#[test]
fn who_reads_nothing_keeps_nobody_waiting() {
    let mut limits = Limits::default();
    // Whoever waits for one of them to be cut off gives up before.
    limits.write_timeout = 4 * PATIENCE;
    let server = Server::bind("127.0.0.1:0")
        .cores(CoreSelection::Count(NonZeroUsize::MIN))
        .limits(limits);
    let served = Served::on(server, app);
    // More than the kernel takes between the two of them, and most of it gathered in front of an answer.
    let mut deaf: Vec<_> = (0..4)
        .map(|number| {
            let mut client = Client::connect(served.address);
            let host = "HTTP/1.1\r\nHost: a\r\n\r\n";
            let gathered = format!("GET /bytes/15000 {host}").repeat(3);
            let part = |round| format!("{gathered}GET /stats?filter={number}.{round} {host}");
            client.send((0..250).map(part).collect::<String>());
            client
        })
        .collect();
    let mut client = Client::connect(served.address);
    let mut totals = [0; 20];
    wait_until("no more is sent to those who read nothing", || {
        let stats = scrape(&mut client);
        totals.rotate_left(1);
        totals[19] = number(&stats, "/requests/total") - client.asked;
        client.asked += 1;
        totals[0] > 0 && totals[0] == totals[19]
    });
    for filter in 0..3 {
        client.get(&format!("/stats?window=1s&filter={filter}"));
        assert_eq!(client.response().status, 200);
    }
    for client in &mut deaf {
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn queries_and_methods() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    let table = [
        ("GET /stats", 200, "application/json"),
        ("HEAD /stats?fresh=1", 200, "application/json"),
        (
            "GET /stats?format=json&window=total",
            200,
            "application/json",
        ),
        ("GET /stats?fresh=2", 400, "text/plain; charset=utf-8"),
        ("GET /stats?format=xml", 400, "text/plain; charset=utf-8"),
        ("HEAD /stats?format=sse", 200, "text/event-stream"),
        (
            "GET /stats?format=sse&fresh=1",
            400,
            "text/plain; charset=utf-8",
        ),
        ("POST /stats", 405, "text/plain; charset=utf-8"),
        ("GET /stats/", 404, "text/plain; charset=utf-8"),
    ];
    for (request, status, media) in table {
        client.send(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client
            .try_response(request.starts_with("HEAD"))
            .expect("a response");
        assert_eq!(response.status, status, "{request}");
        assert_eq!(response.field("content-type"), Some(media), "{request}");
        assert_eq!(
            response.field("allow").is_some(),
            status == 405,
            "{request}"
        );
        let not_stored = response.field("cache-control") == Some("no-store");
        assert_eq!(not_stored, status == 200, "{request}");
    }
}

/// An address of this machine that is not loopback.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // No packet is sent: it only chooses the way (192.0.2.0/24 is for documentation).
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn who_may_not_see_it_finds_an_unknown_path() {
    let Some(outer) = outer_address() else {
        not_run("the machine has no address beside loopback");
        return;
    };
    let serve = |enabled, allow: &[String]| {
        let allow = allow
            .iter()
            .map(|text| cidr::parse(text).expect("a network"))
            .collect();
        let listen = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))];
        let stats = StatsAccess {
            enabled,
            allow,
            listen: None,
        };
        Served::on(
            Server::new(Config {
                listen,
                stats,
                ..Config::default()
            }),
            // It has no `/{name}`, which would be the unknown path's answer.
            |_| App::new().get("/plaintext", async |_: Request| "Hello, World!"),
        )
    };
    let asked = |served: &Served, ip: IpAddr| {
        let mut client = Client::connect(SocketAddr::new(ip, served.address.port()));
        client.get("/stats?fresh=1");
        let response = client.response();
        client.assert_alive();
        (
            response.status,
            response.field("content-type") == Some("application/json"),
        )
    };
    let (seen, hidden) = ((200, true), (404, false));
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    let IpAddr::V4(own) = outer else {
        unreachable!("asked for as IPv4")
    };
    let stranger = Ipv4Addr::from_bits(own.to_bits() ^ 1);
    let table = [
        (serve(true, &[]), seen, hidden),
        (serve(true, &[format!("{outer}/32")]), seen, seen),
        (serve(true, &[format!("{stranger}/32")]), seen, hidden),
        (serve(false, &["0.0.0.0/0".to_owned()]), hidden, hidden),
    ];
    for (row, (served, from_loopback, from_outside)) in table.iter().enumerate() {
        assert_eq!(asked(served, loopback), *from_loopback, "row {row}");
        assert_eq!(asked(served, outer), *from_outside, "row {row}");
    }
}

#[test]
fn counters_never_go_backwards_whichever_core_is_asked_and_how() {
    let served = Served::with(|shard| {
        let core = shard.cpu().to_string();
        app(shard).get("/core", move |_: Request| {
            let core = core.clone();
            async move { core }
        })
    });
    let cores = number(&fresh_stats(served.address), "/server/cores") as usize;
    let (one, other) = held::by_core(served.address, cores);
    let mut clients: Vec<_> = one.into_iter().take(1).chain(other).collect();
    let mut before = 0;
    for round in 0..60 {
        for client in &mut clients {
            client.get("/plaintext");
            client.response();
        }
        // Fresh ones on one core, and then what there is on the next.
        let target = ["/stats?fresh=1", "/stats"][round % 2];
        let place = round / 2 % clients.len();
        let asked = &mut clients[(place + round % 2) % cores.min(2)];
        asked.get(target);
        let stats: Value = serde_json::from_slice(&asked.response().body).expect("JSON");
        let total = number(&stats, "/requests/total");
        assert!(total >= before, "{total} after {before}, in round {round}");
        before = total;
    }
}

#[test]
fn without_a_fresh_look_it_waits_for_nobody() {
    let served = Served::new();
    Client::connect(served.address).assert_alive();
    let mut client = Client::connect(served.address);
    wait_until("the merged statistics reach the shard", || {
        client.get("/stats");
        let stats = serde_json::from_slice(&client.response().body).expect("JSON");
        assert_adds_up(&stats);
        number(&stats, "/requests/total") > 0
    });
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
fn every_format_has_its_media_type() {
    let served = Served::new();
    let mut client = Client::connect(served.address);
    for (target, accept, media, start) in [
        ("/stats", "*/*", "application/json", "{\"server\":"),
        (
            "/metrics",
            "*/*",
            "text/plain; version=0.0.4; charset=utf-8",
            "# TYPE ",
        ),
        (
            "/stats?format=prometheus",
            "*/*",
            "text/plain; version=0.0.4; charset=utf-8",
            "# TYPE ",
        ),
        (
            "/metrics",
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# TYPE ",
        ),
        (
            "/stats?format=hdr&window=1s",
            "*/*",
            "application/json",
            "{\"unit\":\"ns\",\"window\":\"1s\",",
        ),
        (
            "/stats?format=hlog",
            "*/*",
            "text/plain; charset=utf-8",
            "#[Histogram log format",
        ),
        (
            "/stats",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
        (
            "/stats?format=html&window=10s&filter=/",
            "*/*",
            "text/html; charset=utf-8",
            "<!doctype html>",
        ),
    ] {
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(response.field("content-type"), Some(media), "{target}");
        assert_eq!(
            response.field("vary"),
            Some("accept, accept-encoding"),
            "{target}"
        );
        let is_page = media.starts_with("text/html");
        let policy = response.field("content-security-policy");
        assert_eq!(
            policy.is_some_and(|policy| policy.starts_with("default-src 'none'; ")),
            is_page,
            "{target}: {policy:?}"
        );
        assert!(
            response.text().starts_with(start),
            "{target}: {}",
            response.text()
        );
    }
}

#[cfg(feature = "compression")]
#[test]
fn answers_are_compressed_for_who_accepts_it() {
    use std::io::Read as _;

    let served = Served::new();
    let mut client = Client::connect(served.address);
    let mut ask = |format: &str, accepted: &str| {
        client.send(format!(
            "GET /stats?format={format}&per_core=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accepted}\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.status, 200, "{format}");
        response
    };
    for format in ["json", "prometheus", "openmetrics", "protobuf", "html"] {
        let plain = ask(format, "gzip;q=0");
        assert_eq!(plain.field("content-encoding"), None, "{format}");
        // What is kept of the one is not given for the other.
        for _ in 0..2 {
            let coded = ask(format, "gzip");
            assert_eq!(coded.field("content-encoding"), Some("gzip"), "{format}");
            let mut content = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&coded.body[..]);
            decoder.read_to_end(&mut content).expect("it is gzip");
            assert!(coded.body.len() < content.len(), "{format}");
            // They differ in what has changed in between.
            assert!(content.starts_with(&plain.body[..10]), "{format}");
            assert!(content.len().abs_diff(plain.body.len()) < plain.body.len() / 2);
        }
    }
    for format in ["hdr", "hlog"] {
        assert_eq!(ask(format, "gzip").field("content-encoding"), None);
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
