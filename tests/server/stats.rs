//! `/stats`: what it says is exact, and only those see it who may.

use super::app::{Served, app};
use super::support::client::Broken;
use super::support::outside::not_run;
use super::support::{Client, PATIENCE, assert_adds_up, fresh_stats, number, scrape, wait_until};
use corelane::app::{Upgraded, upgrade};
use corelane::config::{Config, StatsAccess, cidr};
use corelane::cores::CoreSelection;
use corelane::limits::STATS_FOLLOWERS;
use corelane::{App, Limits, Request, Server};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    let mut exact = 0;
    for round in 0..50 {
        let mut client = Client::connect(served.address);
        for path in ["/a", "/b", "/c", "/stats?fresh=1"] {
            client.get(path);
        }
        let responses: Vec<_> = (0..4).map(|_| client.response()).collect();
        let stats = serde_json::from_slice(&responses[3].body).expect("JSON");
        assert_adds_up(&stats);
        let (total, expected) = (number(&stats, "/requests/total"), 4 * round + 3);
        assert!(total <= expected, "{total} of {expected}");
        // A core that is too busy to answer in time is told of as it was.
        exact += u64::from(total == expected);
    }
    assert!(exact >= 10, "exact {exact} times");
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
    // More than the kernel takes between the two of them, and all of it behind something that was gathered.
    let mut deaf: Vec<_> = (0..4)
        .map(|number| {
            let mut client = Client::connect(served.address);
            let host = "HTTP/1.1\r\nHost: a\r\n\r\n";
            let pair =
                |round| format!("GET /plaintext {host}GET /stats?filter={number}.{round} {host}");
            client.send((0..1_000).map(pair).collect::<String>());
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
    let (one, other) = by_core(served.address, cores);
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
            "#[MaxValueDivisor",
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
        assert_eq!(response.field("vary"), Some("accept"), "{target}");
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
    client.get("/stats?fresh=1&filter=");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    for (route, method, class, count) in [
        ("/{name}", "GET", "2xx", 2),
        ("/plaintext", "GET", "2xx", 1),
        ("/plaintext", "HEAD", "2xx", 1),
        ("_unmatched", "GET", "4xx", 1),
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

/// A core held by `/hold`, for [`HELD`] at least and until the test lets go.
#[derive(Debug, Default)]
struct Hold {
    begun: AtomicUsize,
    is_over: AtomicBool,
}

/// Much longer than a busy machine keeps a core from running.
const HELD: Duration = Duration::from_secs(2);

impl Hold {
    fn hold(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        let is_over = || self.is_over.load(Ordering::Relaxed) || since.elapsed() > PATIENCE;
        while since.elapsed() < HELD || !is_over() {}
    }
}

/// Connections by the core that they came to: four to the first, and one to the second if there is one.
fn by_core(address: SocketAddr, cores: usize) -> (Vec<Client>, Option<Client>) {
    let mut by_core: BTreeMap<String, Vec<Client>> = BTreeMap::new();
    loop {
        let mut client = Client::connect(address);
        client.get("/core");
        let core = client.response().text().to_owned();
        by_core.entry(core).or_default().push(client);
        let most = by_core.iter().max_by_key(|(_, clients)| clients.len());
        let most = most.filter(|(_, clients)| clients.len() >= 4);
        if let Some(core) = most.map(|(core, _)| core.clone())
            && by_core.len() >= cores.min(2)
        {
            let held = by_core.remove(&core).unwrap_or_default();
            let other = by_core.into_values().flatten().next();
            return (held, other);
        }
    }
}

#[test]
fn a_handler_that_holds_its_core_is_found_there_and_nowhere_else() {
    let hold = Arc::new(Hold::default());
    let holding = Arc::clone(&hold);
    let served = Served::with(move |shard| {
        let (core, hold) = (shard.cpu().to_string(), Arc::clone(&holding));
        let app = app(shard).get("/core", move |_: Request| {
            let core = core.clone();
            async move { core }
        });
        app.get("/hold", move |_: Request| {
            let hold = Arc::clone(&hold);
            async move { hold.hold() }
        })
    });
    let cores = fresh_stats(served.address)["server"]["cores"].as_u64();
    let (mut held, other) = by_core(served.address, cores.expect("a number") as usize);
    let [first, before, second, after, ..] = &mut held[..] else {
        unreachable!("four were asked for");
    };
    first.get("/hold");
    wait_until("the core is held", || {
        hold.begun.load(Ordering::Relaxed) == 1
    });
    // These arrive together when it lets go: in whichever order, one is behind what holds it again.
    before.get("/plaintext");
    second.get("/hold");
    after.get("/plaintext");
    // Another core serves meanwhile.
    let mut other = other;
    if let Some(other) = &mut other {
        other.get("/json");
        assert_eq!(other.response().status, 200);
    }
    hold.is_over.store(true, Ordering::Relaxed);
    for client in [first, before, second, after] {
        assert!(matches!(client.response().status, 200 | 204));
    }

    let mut client = Client::connect(served.address);
    client.get("/stats?fresh=1&filter=");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    let held_ns = HELD.as_nanos() as u64;
    let stalls = stats["stalls"].as_array().expect("a list").iter();
    let stalls: Vec<_> = stalls.filter(|stall| stall["route"] == "/hold").collect();
    assert_eq!(stalls.len(), 2, "{stats}");
    let held_core = &stalls[0]["core"];
    for stall in stalls {
        assert_eq!(
            (&stall["method"], &stall["core"]),
            (&"GET".into(), held_core)
        );
        assert!(number(stall, "/held_ns") >= held_ns, "{stall}");
    }
    for core in stats["cores"].as_array().expect("a list") {
        let is_held = core["core"] == *held_core;
        // What holds the others is the machine, and not for so long.
        for path in ["/loop_lag/max_ns", "/max_ns"] {
            let ns = number(core, path);
            assert!(
                if is_held {
                    ns >= held_ns
                } else {
                    ns < held_ns / 2
                },
                "{path} of {core}"
            );
        }
        assert!(!is_held || number(core, "/stalls_total") >= 2, "{core}");
    }
    let routes = stats["routes"].as_array().expect("a list");
    let of = |name: &str, path: &str| {
        let route = routes.iter().find(|route| route["route"] == name);
        number(route.expect(name), path)
    };
    assert!(of("/hold", "/stages/handler/max_ns") >= held_ns, "{stats}");
    assert!(
        of("/plaintext", "/stages/queue/max_ns") >= held_ns,
        "{stats}"
    );
    assert!(
        of("/plaintext", "/stages/handler/max_ns") < held_ns / 2,
        "{stats}"
    );
    if other.is_some() {
        assert!(of("/json", "/max_ns") < held_ns / 2, "{stats}");
    }
}

#[test]
fn who_speaks_another_protocol_and_holds_its_core_is_found() {
    let served = Served::with(|shard| {
        app(shard).get("/line", async |req: Request| {
            upgrade(&req, "line", async move |mut stream: Upgraded| {
                let mut byte = [0];
                let _ = stream.read(&mut byte).await;
                let since = Instant::now();
                while since.elapsed() < HELD {}
                let _ = stream.write_all(&byte).await;
            })
        })
    });
    let mut client = Client::connect(served.address);
    let switch = "Connection: upgrade\r\nUpgrade: line\r\n\r\n";
    client.send(format!("GET /line HTTP/1.1\r\nHost: a\r\n{switch}x"));
    let Broken::Closed(received) = client.rest() else {
        panic!("a connection that ends in order");
    };
    assert!(received.starts_with(b"HTTP/1.1 101 ") && received.ends_with(b"x"));
    let stats = fresh_stats(served.address);
    let stalls = stats["stalls"].as_array().expect("a list");
    let stall = stalls.iter().find(|stall| stall["route"] == "/line");
    let stall = stall.unwrap_or_else(|| panic!("{stats}"));
    assert!(
        u128::from(number(stall, "/held_ns")) >= HELD.as_nanos(),
        "{stall}"
    );
}

/// The events of a response, as they come, each in some chunks; `None` when it has ended in order.
fn next_event(client: &mut Client) -> Option<(Option<String>, Value)> {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let chunk = client.chunk().expect("a chunk");
        if chunk.is_empty() {
            assert_eq!(text, "", "it ends between two events");
            return None;
        }
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
    let event = text.strip_suffix("\n\n").expect("an end");
    let (retry, data) = match event.split_once('\n') {
        Some((retry, data)) => (Some(retry.to_owned()), data),
        None => (None, event),
    };
    let data = data.strip_prefix("data: ").expect("data");
    let stats: Value = serde_json::from_str(data).expect("JSON");
    assert_adds_up(&stats);
    Some((retry, stats))
}

#[test]
fn who_follows_it_gets_every_view_as_an_event() {
    let served = Served::new();
    let mut follower = Client::connect(served.address);
    let asked = "GET /stats?window=10s&filter=plain HTTP/1.1\r\nHost: a\r\n";
    follower.send(format!("{asked}Accept: text/event-stream\r\n\r\n"));
    let head = follower.head_response();
    assert_eq!(head.status, 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("vary", "accept"),
    ] {
        assert_eq!(head.field(name), Some(value));
    }
    let (retry, first) = next_event(&mut follower).expect("an event");
    assert_eq!(retry.as_deref(), Some("retry: 1000"));
    assert_eq!(number(&first, "/requests/in_flight"), 0);
    Client::connect(served.address).assert_alive();
    let mut before = first["server"]["uptime_seconds"].as_f64();
    loop {
        let (retry, stats) = next_event(&mut follower).expect("an event");
        assert_eq!(retry, None);
        let uptime = stats["server"]["uptime_seconds"].as_f64();
        assert!(uptime > before, "{uptime:?} after {before:?}");
        before = uptime;
        assert_eq!(stats["window"]["name"], "10s");
        let routes = stats["routes"].as_array().expect("a list");
        if let [route] = &routes[..] {
            assert_eq!(route["route"], "/plaintext");
            assert_eq!(number(route, "/stages/handler/count"), 1);
            // The follower's own request is not over.
            assert_eq!(number(&stats, "/requests/in_flight"), 1);
            break;
        }
    }
}

#[test]
fn a_shutdown_ends_the_events_in_order() {
    let server = Server::bind("127.0.0.1:0");
    let running = server.start(app).expect("the server starts");
    let mut follower = Client::connect(running.addresses()[0]);
    follower.get("/stats?format=sse");
    follower.head_response();
    next_event(&mut follower).expect("an event");
    std::thread::scope(|scope| {
        scope.spawn(|| running.stop().expect("no shard failed"));
        while next_event(&mut follower).is_some() {}
        follower.assert_closed();
    });
}

#[test]
fn as_many_follow_it_as_a_core_lets() {
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let served = Served::on(server, app);
    let follow = || {
        let mut follower = Client::connect(served.address);
        follower.get("/stats?format=sse");
        let head = follower.head_response();
        (head.status == 200).then_some(follower).ok_or(head.status)
    };
    let mut followers: Vec<_> = (0..STATS_FOLLOWERS)
        .map(|_| follow().expect("a place"))
        .collect();
    assert_eq!(follow().err(), Some(503));
    // Who only asks what it would get takes no place, and who leaves makes one.
    let mut asking = Client::connect(served.address);
    asking.send("HEAD /stats?format=sse HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(asking.try_response(true).expect("a response").status, 503);
    followers.pop();
    wait_until("there is a place", || follow().is_ok());
}

#[test]
fn charts_have_each_second_once() {
    let served = Served::new();
    Client::connect(served.address).assert_alive();
    let mut follower = Client::connect(served.address);
    follower.get("/stats?format=sse&charts=1");
    follower.head_response();
    let (mut last, mut requests) = (0, 0);
    while requests == 0 {
        let (_, stats) = next_event(&mut follower).expect("an event");
        let windows = stats["charts"]["windows"].as_array().expect("a list");
        let names: Vec<_> = windows.iter().map(|window| &window["name"]).collect();
        assert_eq!(names, ["1s", "10s", "60s", "total"]);
        let seconds = stats["charts"]["seconds"].as_array().expect("a list");
        for second in seconds {
            assert_eq!(number(second, "/second"), last + 1, "{seconds:?}");
            last += 1;
            let counts = second["bands"]["counts"].as_array().expect("a list");
            let counted: u64 = counts.iter().filter_map(Value::as_u64).sum();
            assert_eq!(counted, number(second, "/requests"), "{second}");
            requests += counted;
        }
    }
    // Who asks without following gets all that are remembered.
    let mut client = Client::connect(served.address);
    client.get("/stats?charts=1");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    let seconds = stats["charts"]["seconds"].as_array().expect("a list");
    assert!(seconds.len() as u64 >= last, "{stats}");
    assert!(
        stats["charts"]["windows"][3]["curve_ns"][0].is_u64(),
        "{stats}"
    );
}
