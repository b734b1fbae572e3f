//! A server that has answered requests of every kind, and what it says of them as JSON.

use super::support::process::Process;
use super::support::{Client, PATIENCE, number};
use serde_json::Value;
use std::net::SocketAddr;

/// The demo as a process. Its own statistics are asked for by the route `/stats`, and no other
/// request comes unless the test sends it.
pub(crate) struct Asked {
    pub(crate) address: SocketAddr,
    _process: Process,
}

/// How many plain requests it answers besides one of each other kind.
const PLAIN: usize = 2_000;

impl Asked {
    pub(crate) fn new() -> Self {
        let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
        let address = process.listening();
        let mut others = Client::connect(address);
        for (method, path, status) in [
            ("GET", "/", 200),
            ("GET", "/json", 200),
            ("GET", "/Ann", 200),
            ("GET", "/a%22b", 200),
            ("POST", "/echo", 200),
            ("GET", "/none/such", 404),
            ("POST", "/plaintext", 405),
        ] {
            others.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            ));
            assert_eq!(others.response().status, status, "{method} {path}");
        }
        for _ in 0..PLAIN / 100 {
            let mut client = Client::connect(address);
            for _ in 0..100 {
                client.get("/plaintext");
            }
            for _ in 0..100 {
                assert_eq!(client.response().status, 200);
            }
        }
        Self {
            address,
            _process: process,
        }
    }

    /// The answer to `target`, as text.
    pub(crate) fn get(&self, target: &str) -> String {
        let mut client = Client::connect(self.address);
        client.get(target);
        let response = client.response();
        assert_eq!(response.status, 200, "{target}: {response:?}");
        response.text().to_owned()
    }

    /// The routes in what `/stats` says when all that was asked for has been counted, but for the one
    /// that statistics are asked for by.
    pub(crate) fn routes(&self) -> Vec<Value> {
        let stats = super::support::fresh_stats(self.address);
        let routes = stats["routes"].as_array().expect("a list").iter();
        let routes: Vec<_> = routes
            .filter(|route| route["route"] != "_stats")
            .cloned()
            .collect();
        let count = |route: &Value| number(route, "/count");
        assert_eq!(routes.iter().map(count).sum::<u64>(), PLAIN as u64 + 7);
        routes
    }
}

/// The percentiles of the JSON, each as so many of 10,000.
pub(crate) const PERCENTILES: [(&str, u64); 5] = [
    ("/p50_ns", 5_000),
    ("/p90_ns", 9_000),
    ("/p99_ns", 9_900),
    ("/p99_9_ns", 9_990),
    ("/p99_99_ns", 9_999),
];

/// The answer of an HTTP API of another program, which has to be JSON.
pub(crate) fn api(url: &str, query: &[(&str, &str)]) -> Value {
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = config.proxy(None).build().into();
    let request = agent.get(url).query_pairs(query.iter().copied());
    let mut response = request
        .call()
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = response.body_mut().read_to_string().expect("text");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
}
