//! Only those see the statistics who may.

use crate::app::Served;
use crate::support::Client;
use crate::support::outside::not_run;
use corelane::config::{Config, StatsAccess, cidr};
use corelane::{App, Request, Server};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

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
    // What it says is not all that tells.
    let line = |address, version: &str, host: &str| {
        let mut client = Client::connect(address);
        client.send(format!("GET /stats HTTP/{version}\r\n{host}\r\n"));
        client.response().status
    };
    for (version, host, status) in [
        ("1.0", "Host: 127.0.0.1\r\n", 404),
        ("1.0", "", 404),
        ("1.1", "Host: www.example.org\r\n", 404),
        ("1.1", "Host: 192.0.2.1:80\r\n", 404),
        ("1.1", "Host: localhost:80\r\n", 200),
        ("1.1", "Host: [::1]\r\n", 200),
    ] {
        assert_eq!(line(closed_at, version, host), status, "{version} {host}");
        assert_eq!(line(named_at, version, host), 200, "{version} {host}");
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
