//! What the statistics tell of a core that is held.

use crate::app::{Served, app};
use crate::support::client::Broken;
use crate::support::{Client, PATIENCE, fresh_stats, number, wait_until};
use corelane::Request;
use corelane::app::{Upgraded, upgrade};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A core held by `/hold` until the test lets go.
#[derive(Debug, Default)]
struct Hold {
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

/// For how long a core is held at least.
const HELD: Duration = Duration::from_millis(300);

/// What a wait for so long is told to be at least: the kernel counts ticks of 10 ms at most, and may take a while to
/// deliver what was sent.
const TOLD: Duration = Duration::from_millis(200);

/// What more may be told than a peer has seen: the kernel's ticks may be late themselves.
const TICKS: Duration = Duration::from_millis(50);

impl Hold {
    fn hold(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
        let since = Instant::now();
        while !self.is_over.load(Ordering::Relaxed) && since.elapsed() < PATIENCE {
            std::hint::spin_loop();
        }
    }
}

fn ns(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// The longest of what `core` has told of, by its path.
fn longest<'a>(cores: impl IntoIterator<Item = &'a Value>, path: &str) -> u64 {
    cores
        .into_iter()
        .map(|core| number(core, path))
        .max()
        .unwrap_or(0)
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
        let app = ["/early", "/late", "/queued"]
            .into_iter()
            .fold(app, |app, path| app.get(path, async |_: Request| "here"));
        app.get("/hold", move |_: Request| {
            let hold = Arc::clone(&hold);
            async move { hold.hold() }
        })
    });
    let cores = fresh_stats(served.address)["server"]["cores"].as_u64();
    let (mut held, mut other) = by_core(served.address, cores.expect("a number") as usize);
    let [first, early, late, ..] = &mut held[..] else {
        unreachable!("four were asked for");
    };
    first.get("/core");
    let held_core: u64 = first.response().text().parse().expect("a number");
    let is_held = |core: &&Value| core["core"] == held_core;

    let before = Instant::now();
    first.get("/hold");
    wait_until("the core is held", || {
        hold.has_begun.load(Ordering::Relaxed)
    });
    // Sent while it is held, by a peer that waits for all of it.
    let early_sent = Instant::now();
    early.get("/early");
    // Connections of which some wait for the held core to accept them, and what they ask for with them.
    let mut queued = Vec::new();
    let mut longest_of_others = Duration::ZERO;
    if let Some(other) = &mut other {
        wait_until(
            "some wait to be accepted, and others serve meanwhile",
            || {
                let mut client = Client::connect(served.address);
                client.get("/queued");
                queued.push(client);
                let asked = Instant::now();
                other.get("/json");
                assert_eq!(other.response().status, 200);
                longest_of_others = longest_of_others.max(asked.elapsed());
                other.get("/stats?fresh=1");
                let stats: Value = serde_json::from_slice(&other.response().body).expect("JSON");
                let cores = stats["cores"].as_array().expect("a list");
                let held = cores.iter().find(is_held).expect("the held core");
                let others = cores.iter().filter(|core| !is_held(core));
                // However long the machine held the others, this one is held for longer.
                let lag_ns = longest(others, "/loop_lag/max_ns");
                number(held, "/accept_queue") > 0
                    && held["accept_queue_ratio"].as_f64() > Some(0.0)
                    && ns(early_sent.elapsed()) > 3 * lag_ns
            },
        );
    }
    let queued_sent = Instant::now();
    wait_until("it was held for long", || queued_sent.elapsed() > HELD);
    let late_sent = Instant::now();
    late.get("/late");
    let early_waited = early_sent.elapsed();
    hold.is_over.store(true, Ordering::Relaxed);
    for client in [first, early, late].into_iter().chain(&mut queued) {
        assert!(matches!(client.response().status, 200 | 204));
    }
    let (early_answered, late_answered) = (early_sent.elapsed(), late_sent.elapsed());
    let all = before.elapsed();

    // Of all cores; and with the stages of their routes.
    let _ = fresh_stats(served.address);
    let mut client = Client::connect(served.address);
    client.get("/stats?fresh=1&filter=");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    let cores = stats["cores"].as_array().expect("a list");
    let held = cores.iter().find(is_held).expect("the held core");
    let stalls = stats["stalls"].as_array().expect("a list").iter();
    let stalls: Vec<_> = stalls.filter(|stall| stall["route"] == "/hold").collect();
    let [stall] = stalls[..] else {
        panic!("one stall: {stats}");
    };
    assert_eq!(
        (&stall["method"], &stall["core"]),
        (&"GET".into(), &held["core"])
    );
    let held_ns = number(stall, "/held_ns");
    assert!((ns(early_waited)..=ns(all)).contains(&held_ns), "{stall}");
    // Its handler computed for as long as it was let.
    let had_ns = number(stall, "/cpu_ns") + number(stall, "/run_delay_ns");
    assert!(had_ns > held_ns / 2, "{stall}");
    assert!(number(held, "/stalls_total") >= 1, "{held}");
    assert!(number(held, "/loop_lag/max_ns") >= held_ns, "{held}");
    let routes = stats["routes"].as_array().expect("a list");
    let of = |name: &str, path: &str| {
        let route = routes.iter().find(|route| route["route"] == name);
        number(route.expect(name), path)
    };
    assert!(
        of("/hold", "/stages/handler/max_ns") >= ns(early_waited),
        "{stats}"
    );
    // Who came early in it has waited for almost all of it, and who came late has not.
    let told = ns(early_waited) - ns(HELD) + ns(TOLD)..=ns(early_answered + TICKS);
    for path in ["/stages/queue/max_ns", "/max_ns"] {
        assert!(
            told.contains(&of("/early", path)),
            "{told:?}, {path} of {stats}"
        );
        assert!(
            of("/late", path) <= ns(late_answered + TICKS),
            "{path} of {stats}"
        );
    }
    assert!(
        of("/early", "/stages/handler/max_ns") < held_ns / 2,
        "{stats}"
    );
    if other.is_none() {
        return;
    }
    // So it is of who waited to be accepted.
    assert!(of("/queued", "/stages/queue/max_ns") >= ns(TOLD), "{stats}");
    assert!(of("/queued", "/max_ns") <= ns(all + TICKS), "{stats}");
    // The others have nothing of it.
    let others = cores.iter().filter(|core| !is_held(core));
    assert!(longest(others, "/loop_lag/max_ns") < held_ns, "{stats}");
    assert!(
        of("/json", "/max_ns") <= ns(longest_of_others + TICKS),
        "{stats}"
    );
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
    assert!(number(stall, "/held_ns") >= ns(HELD), "{stall}");
}
