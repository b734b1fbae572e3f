//! A server that was kept from running: what it tells of that, and of who waited meanwhile.

use super::support::process::Process;
use super::support::{Client, number, wait_until};
use serde_json::Value;
use std::time::{Duration, Instant};

/// For how long it is kept from running at least.
const STOPPED: Duration = Duration::from_millis(500);

/// What is told of that at least: the kernel counts ticks of 10 ms at most, and a sleep is late only from when it
/// should have been over.
const TOLD_NS: u64 = 300_000_000;

#[test]
fn a_core_that_slept_and_was_not_let_run_tells_of_it() {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]);
    let address = process.listening();
    let mut client = Client::connect(address);
    client.assert_alive();
    process.signal("STOP");
    wait_until("it has stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id()));
        stat.is_ok_and(|stat| stat.contains(") T "))
    });
    let since = Instant::now();
    client.get("/waits");
    // By now it would have ticked twice.
    wait_until("it was stopped for long", || since.elapsed() > STOPPED);
    process.signal("CONT");
    assert_eq!(client.response().text(), "Hello, waits");
    // The kernel's ticks may be late themselves.
    let most_ns = (since.elapsed() + Duration::from_millis(50)).as_nanos() as u64;

    // With the stages of its routes.
    client.get("/stats?fresh=1&filter=");
    let stats: Value = serde_json::from_slice(&client.response().body).expect("JSON");
    let routes = stats["routes"].as_array().expect("a list").iter();
    let asked = |route: &&Value| route["route"] == "/{name}";
    let route = routes.clone().find(asked).expect("the route");
    for path in ["/max_ns", "/stages/queue/max_ns"] {
        assert!(
            (TOLD_NS..=most_ns).contains(&number(route, path)),
            "{path} of {route}"
        );
    }
    let core = &stats["cores"][0];
    assert!(number(core, "/loop_lag/max_ns") >= TOLD_NS, "{core}");
    // It is a stall that is nobody's, in which nobody computed.
    let stalls = stats["stalls"].as_array().expect("a list").iter();
    let mut stalls = stalls.filter(|stall| stall["route"].is_null());
    let stopped = stalls.find(|stall| number(stall, "/held_ns") >= TOLD_NS);
    let stopped = stopped.unwrap_or_else(|| panic!("no stall: {stats}"));
    assert!(
        number(stopped, "/cpu_ns") < number(stopped, "/held_ns") / 2,
        "{stopped}"
    );
}
