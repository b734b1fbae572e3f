//! How statistics are answered: in which form, and to how many at once.

use super::held;
use crate::app::{Served, app};
use crate::support::{Client, PATIENCE, assert_adds_up, fresh_stats, number, scrape, wait_until};
use corelane::cores::CoreSelection;
use corelane::limits::{STATS_HELD_BYTES, STATS_ROWS};
use corelane::{App, Limits, Request, Server};
use http::StatusCode;
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::num::NonZeroUsize;

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
fn those_who_read_nothing_are_sent_no_more_than_a_core_may_hold() {
    let mut limits = Limits::default();
    limits.write_timeout = 4 * PATIENCE;
    let server = Server::bind("127.0.0.1:0")
        .cores(CoreSelection::Count(NonZeroUsize::MIN))
        .limits(limits);
    // Of so many routes and statuses there is more to tell than the kernel takes for a peer.
    let served = Served::on(server, |_| {
        (0..STATS_ROWS).fold(App::new(), |app, route| {
            let path = format!("/{route}/{{status}}");
            app.get(&path, async |request: Request| {
                request.param("status").parse::<StatusCode>().ok()
            })
        })
    });
    let mut client = Client::connect(served.address);
    for route in 0..STATS_ROWS {
        for status in [200, 300, 400, 500] {
            client.get(&format!("/{route}/{status}"));
            assert_eq!(client.response().status, status);
        }
    }
    // Each is told of its own view.
    let ask = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(1).expect("SO_RCVBUF");
        let address = served.address.into();
        socket.connect(&address).expect("a connection");
        let mut deaf = Client::on(socket.into());
        deaf.get("/stats?format=prometheus&fresh=1");
        let head = deaf.head_response();
        (deaf, head)
    };
    let (mut deaf, mut held) = (Vec::new(), 0);
    let refused = loop {
        let (client, head) = ask();
        if head.status != 200 {
            break head;
        }
        deaf.push(client);
        let length = head.field("content-length").expect("a length");
        held += length.parse::<usize>().expect("a number");
        assert!(held <= STATS_HELD_BYTES, "{} answers", deaf.len());
    };
    assert_eq!(refused.status, 503);
    assert_eq!(refused.field("retry-after"), Some("1"));
    // Others are served, and who leaves makes room.
    client.get("/0/200");
    assert_eq!(client.response().status, 200);
    deaf.pop();
    wait_until("there is room", || ask().1.status == 200);
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
