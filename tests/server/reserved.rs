//! What the server answers itself: at which address, to whom, and what an app has to say in it.

use super::app::{Served, app};
use super::support::client::Response;
use super::support::{Client, assert_adds_up, number};
use corelane::config::{Config, StatsAccess, cidr};
use corelane::{App, Request, Running, Server, Shard};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves `factory` with an address for the statistics alone.
fn with_stats_apart(factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Running {
    let server = Server::new(Config {
        listen: vec![LOOPBACK],
        stats: StatsAccess {
            listen: Some(LOOPBACK),
            ..StatsAccess::default()
        },
        ..Config::default()
    });
    server.start(factory).expect("the server starts")
}

fn get(address: SocketAddr, path: &str) -> Response {
    let mut client = Client::connect(address);
    client.get(path);
    client.response()
}

#[test]
fn statistics_with_an_address_of_their_own_are_nowhere_else() {
    let running = with_stats_apart(app);
    let service = running.addresses()[0];
    let stats = running.stats_address().expect("an address");
    assert_ne!(service, stats);
    for path in ["/stats", "/metrics"] {
        // The demo greets whoever is called so.
        let greeting = format!("Hello, {}", &path[1..]);
        assert_eq!(get(service, path).text(), greeting);
        assert_eq!(get(stats, path).status, 200, "{path}");
    }
    // There is nothing of the app there.
    for path in ["/", "/plaintext", "/stats/", "/none/such"] {
        assert_eq!(get(stats, path).status, 404, "{path}");
    }
    let mut client = Client::connect(stats);
    client.get("/stats?fresh=1&filter=");
    let told: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    assert_adds_up(&told);
    let routes = told["routes"].as_array().expect("a list");
    let count = |name: &str| {
        let of_name = routes.iter().filter(|route| route["route"] == name);
        of_name.map(|route| number(route, "/count")).sum::<u64>()
    };
    assert_eq!(
        (count("/{name}"), count("/stats"), count("_unmatched")),
        (2, 2, 4)
    );
    drop(client);

    // What follows it is told of the end like any other.
    let mut follower = Client::connect(stats);
    follower.get("/stats?format=sse");
    follower.head_response();
    std::thread::scope(|scope| {
        scope.spawn(|| running.stop().expect("no shard failed"));
        while !follower.chunk().expect("a chunk").is_empty() {}
        follower.assert_closed();
    });
}

#[test]
fn without_statistics_their_address_is_not_bound() {
    let server = Server::new(Config {
        listen: vec![LOOPBACK],
        stats: StatsAccess {
            enabled: false,
            listen: Some(LOOPBACK),
            ..StatsAccess::default()
        },
        ..Config::default()
    });
    let running = server.start(app).expect("the server starts");
    assert_eq!(running.stats_address(), None);
    running.stop().expect("no shard failed");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let held = std::net::TcpListener::bind(LOOPBACK).expect("a port");
    let taken = held.local_addr().expect("its address");
    let server = Server::new(Config {
        listen: vec![LOOPBACK],
        stats: StatsAccess {
            listen: Some(taken),
            ..StatsAccess::default()
        },
        ..Config::default()
    });
    let error = server.start(app).expect_err("it cannot start");
    let expected = format!("{taken} is in use");
    assert!(error.to_string().contains(&expected), "{error}");
}

#[test]
fn whether_it_serves_is_told_to_anyone() {
    let running = with_stats_apart(app);
    for address in [
        running.addresses()[0],
        running.stats_address().expect("an address"),
    ] {
        let response = get(address, "/healthz");
        assert_eq!((response.status, response.text()), (200, "serving\n"));
        assert_eq!(response.field("cache-control"), Some("no-store"));
        let mut client = Client::connect(address);
        for (method, status) in [("HEAD", 200), ("OPTIONS", 204), ("POST", 405)] {
            client.send(format!("{method} /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
            let response = client.try_response(method == "HEAD").expect("a response");
            assert_eq!(response.status, status, "{method}");
            assert_eq!(response.field("allow").is_some(), method != "HEAD");
        }
        assert_ne!(get(address, "/healthz/").text(), "serving\n");
    }
    running.stop().expect("no shard failed");
}

#[test]
fn who_may_not_see_statistics_sees_whether_it_serves() {
    let server = Server::new(Config {
        listen: vec![LOOPBACK],
        stats: StatsAccess {
            enabled: false,
            ..StatsAccess::default()
        },
        ..Config::default()
    });
    let served = Served::on(server, app);
    assert_eq!(get(served.address, "/healthz").text(), "serving\n");
    assert_eq!(get(served.address, "/stats").text(), "Hello, stats");
}

#[test]
fn a_route_of_the_app_tells_of_its_health_instead() {
    let served = Served::with(|shard| {
        app(shard).get("/healthz", async |_: Request| "the database is there")
    });
    assert_eq!(
        get(served.address, "/healthz").text(),
        "the database is there"
    );
    let stats = super::support::fresh_stats(served.address);
    let routes = stats["routes"].as_array().expect("a list");
    let told = routes.iter().find(|route| route["route"] == "/healthz");
    assert_eq!(number(told.expect("a route"), "/count"), 1);
}

#[test]
fn a_route_of_the_app_for_statistics_is_the_apps() {
    let own = |shard: &Shard| {
        app(shard)
            .get("/metrics", async |_: Request| "mine")
            .post("/in/stats", async |_: Request| "mine")
    };
    let served = Served::with(own);
    assert_eq!(get(served.address, "/metrics").text(), "mine");
    let told = get(served.address, "/stats?format=prometheus");
    assert!(told.text().starts_with("# TYPE "), "{}", told.text());
    drop(served);
    // Where they are apart there are both.
    let running = with_stats_apart(own);
    let stats = running.stats_address().expect("an address");
    assert_eq!(get(running.addresses()[0], "/metrics").text(), "mine");
    assert!(get(stats, "/metrics").text().starts_with("# TYPE "));
    running.stop().expect("no shard failed");
    let served = Served::with(|shard| app(shard).post("/stats", async |_: Request| "mine"));
    assert_eq!(get(served.address, "/stats").status, 405);
    assert_eq!(get(served.address, "/metrics").status, 200);
}

/// The status of `/stats` and of `/metrics` for a request with these fields.
fn asked_with(address: SocketAddr, fields: &str) -> [u16; 2] {
    ["/stats", "/metrics"].map(|path| {
        let mut client = Client::connect(address);
        client.ask("GET", path, fields).status
    })
}

#[test]
fn a_proxy_on_this_machine_has_statistics_where_it_is_named() {
    let served = |allow: &[&str], listen| {
        let server = Server::new(Config {
            listen: vec![LOOPBACK],
            stats: StatsAccess {
                allow: allow
                    .iter()
                    .map(|text| cidr::parse(text).expect("a network"))
                    .collect(),
                listen,
                ..StatsAccess::default()
            },
            ..Config::default()
        });
        server.start(|_| App::new()).expect("the server starts")
    };
    let forwarded = [
        "Forwarded: for=192.0.2.1\r\n",
        "x-forwarded-for: 192.0.2.1\r\n",
        // It says nothing of whom, but that there is somebody.
        "X-Forwarded-For:\r\n",
        "X-Forwarded-Host: example.org\r\n",
        "X-Forwarded-Proto: https\r\n",
        "X-Real-IP: 127.0.0.1\r\n",
        "Via: 1.1 proxy\r\n",
    ];
    let (closed, named) = (
        served(&["10.0.0.0/8"], None),
        served(&["127.0.0.0/8"], None),
    );
    let (closed_at, named_at) = (closed.addresses()[0], named.addresses()[0]);
    for address in [closed_at, named_at] {
        assert_eq!(asked_with(address, ""), [200; 2]);
        assert_eq!(asked_with(address, "X-Forward: 1\r\n"), [200; 2]);
    }
    for fields in forwarded {
        assert_eq!(asked_with(closed_at, fields), [404; 2], "{fields}");
        assert_eq!(asked_with(named_at, fields), [200; 2], "{fields}");
    }
    for name in StatsAccess::FORWARDED {
        let field = format!("{name}: 1\r\n");
        assert_eq!(asked_with(closed_at, &field), [404; 2], "{name}");
    }
    // It is no other at an address of its own.
    let apart = served(&[], Some(LOOPBACK));
    let stats = apart.stats_address().expect("an address");
    assert_eq!(asked_with(stats, ""), [200; 2]);
    assert_eq!(asked_with(stats, forwarded[0]), [404; 2]);
    for running in [closed, named, apart] {
        running.stop().expect("no shard failed");
    }
}

#[test]
fn an_app_learns_of_an_announced_shutdown() {
    let server = Server::bind(LOOPBACK).shutdown_delay(Duration::from_secs(2));
    let own = |shard: &Shard| {
        let leaving = shard.leaving();
        App::new().get("/healthz", move |_: Request| {
            let told = leaving.is_announced().to_string();
            async { told }
        })
    };
    let running = server.start(own).expect("the server starts");
    let address = running.addresses()[0];
    let mut idle = Client::connect(address);
    idle.get("/healthz");
    assert_eq!(idle.response().text(), "false");
    std::thread::scope(|scope| {
        scope.spawn(|| running.stop().expect("no shard failed"));
        // The delay is over some time, but not before it was announced.
        let mut told = false;
        while !told {
            idle.get("/healthz");
            told = idle.response().text() == "true";
        }
        idle.assert_closed();
    });
}

#[test]
fn a_shutdown_is_told_while_it_lasts() {
    let server = Server::bind(LOOPBACK);
    let running = server.start(app).expect("the server starts");
    let address = running.addresses()[0];
    let mut idle = Client::connect(address);
    idle.assert_alive();
    let mut asking = Client::connect(address);
    asking.send("GET /healthz HTTP/1.1\r\nHo");
    std::thread::scope(|scope| {
        scope.spawn(|| running.stop().expect("no shard failed"));
        // Those that wait for nothing are closed: by then it is under way.
        idle.assert_closed();
        asking.send("st: a\r\n\r\n");
        let response = asking.response();
        assert_eq!((response.status, response.text()), (503, "draining\n"));
        assert_eq!(response.field("cache-control"), Some("no-store"));
        assert!(response.closes());
        asking.assert_closed();
    });
}
