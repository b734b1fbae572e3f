//! The example `omission`: requests that come at their own times tell of a stall, and so does the server.

#[path = "examples/omission.rs"]
#[expect(dead_code, reason = "its main is not called")]
mod example;
mod support;

use corelane::Server;
use corelane::cores::CoreSelection;
use serde_json::Value;
use std::num::NonZeroUsize;
use std::time::Duration;
use support::{fresh_stats, number};

#[test]
fn who_asks_at_their_own_times_finds_what_the_server_tells() {
    const PER_SECOND: u32 = 500;
    let core = CoreSelection::Count(NonZeroUsize::MIN);
    let server = Server::bind("127.0.0.1:0").cores(core);
    let every = Duration::from_millis(400);
    let server = server.start(move |_| example::app(every));
    let server = server.expect("the server starts");
    let address = server.addresses()[0];
    // So many connections that none has a request before the last was answered.
    let latencies = example::ask(&address.to_string(), 200, PER_SECOND, PER_SECOND);
    let latencies = latencies.expect("answers");
    assert_eq!(latencies.len(), PER_SECOND as usize);
    let half = example::HELD / 2;
    let slow = latencies.iter().filter(|latency| **latency >= half).count();
    // Whatever was due in the first half of a stall.
    let due = PER_SECOND * half.as_millis() as u32 / 1_000;
    assert!(slow >= due as usize, "{slow} of {due}");
    let stats = fresh_stats(address);
    let held_ns = example::HELD.as_nanos() as u64;
    assert!(
        number(&stats, "/cores/0/loop_lag/max_ns") >= held_ns,
        "{stats}"
    );
    // What else runs on this machine may have held the core before.
    let mut stalls = stats["stalls"].as_array().expect("a list").iter();
    let is_it = |stall: &Value| stall["route"] == "/" && number(stall, "/held_ns") >= held_ns;
    assert!(stalls.any(is_it), "{stats}");
    // More than a tenth of the requests came so early in a stall. The server tells of that in ticks of the kernel.
    assert!(due * 10 > PER_SECOND);
    assert!(number(&stats, "/latency/p90_ns") >= held_ns / 3, "{stats}");
    server.stop().expect("no shard failed");
}
