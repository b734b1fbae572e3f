//! Who follows the statistics, and what the last minutes were like.

use crate::app::{Served, app};
use crate::support::{Client, assert_adds_up, number, wait_until};
use corelane::Server;
use corelane::cores::CoreSelection;
use corelane::limits::STATS_FOLLOWERS;
use serde_json::Value;
use std::num::NonZeroUsize;

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
    let refused = asking.try_response(true).expect("a response");
    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("1"))
    );
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
