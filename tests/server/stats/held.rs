//! What the statistics tell of a core that is held.

use crate::app::{Served, app};
use crate::support::client::Broken;
use crate::support::{Client, PATIENCE, fresh_stats, number, wait_until};
use corelane::app::{Upgraded, upgrade};
use corelane::config::Config;
use corelane::limits::{LEAST_STALL_THRESHOLD, MOST_STALL_THRESHOLD};
use corelane::{Request, Server};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
pub(super) fn by_core(address: SocketAddr, cores: usize) -> (Vec<Client>, Option<Client>) {
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
fn how_long_makes_a_stall_is_as_configured() {
    // It is held for a time between the two.
    const HELD_FOR: Duration = Duration::from_millis(2);
    assert!((LEAST_STALL_THRESHOLD..MOST_STALL_THRESHOLD).contains(&HELD_FOR));
    for (stall_threshold, is_stall) in
        [(LEAST_STALL_THRESHOLD, true), (MOST_STALL_THRESHOLD, false)]
    {
        let server = Server::new(Config {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            stall_threshold,
            ..Config::default()
        });
        let served = Served::on(server, |shard| {
            app(shard).get("/hold", async |_: Request| {
                let since = Instant::now();
                while since.elapsed() < HELD_FOR {}
            })
        });
        let mut client = Client::connect(served.address);
        client.get("/hold");
        assert_eq!(client.response().status, 204);
        let stats = fresh_stats(served.address);
        assert_eq!(
            u128::from(number(&stats, "/server/stall_threshold_ns")),
            stall_threshold.as_nanos()
        );
        let stalls = stats["stalls"].as_array().expect("a list");
        // Whose it is depends on what else the machine did to the core.
        assert_eq!(!stalls.is_empty(), is_stall, "{stats}");
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
