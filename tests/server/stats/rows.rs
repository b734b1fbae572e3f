//! What the statistics tell apart, whoever asks for what and how many at a time.

use crate::app::Served;
use crate::support::{Client, fresh_stats, number, scrape};
use corelane::limits::STATS_ROWS;
use corelane::{App, Request};
use serde_json::Value;

/// As many routes as are told apart.
fn app() -> App {
    let route = |app: App, number| app.get(&format!("/{number}"), async |_: Request| "here");
    (0..STATS_ROWS).fold(App::new(), route)
}

/// How many requests of `route` were answered by `method`, and None if it has no row.
fn count(stats: &Value, route: &str, method: &str) -> Option<u64> {
    let mut routes = stats["routes"].as_array().expect("a list").iter();
    let row = routes.find(|told| told["route"] == route && told["method"] == method);
    row.map(|row| number(row, "/count"))
}

#[test]
fn no_peer_takes_the_row_of_a_route() {
    let served = Served::with(|_| app());
    let own = ["/stats", "/metrics", "/healthz"].map(str::to_owned);
    let unknown = (0..20).map(|number| format!("/none/{number}"));
    let routes = || (0..STATS_ROWS).map(|number| format!("/{number}"));
    let mut client = Client::connect(served.address);
    let (mut unmatched, mut others) = (0, 0);
    for method in [
        "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW",
    ] {
        for path in unknown.clone().chain(own.clone()).chain(routes()) {
            client.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            ));
            match method {
                "HEAD" => client.head_response(),
                _ => client.response(),
            };
            let is_own = own.contains(&path);
            let is_route = !path.starts_with("/none") && !is_own;
            unmatched += u64::from(!is_own && !is_route);
            others += u64::from(is_route);
        }
    }
    for path in routes() {
        client.get(&path);
        client.response();
    }
    let stats = fresh_stats(served.address);
    for path in routes() {
        assert_eq!(count(&stats, &path, "GET"), Some(1), "{path}: {stats}");
    }
    assert_eq!(count(&stats, "_unmatched", "_OTHER"), Some(unmatched));
    // The routes by other methods, HEAD and those that they refuse, which had no room.
    assert_eq!(count(&stats, "_other", "_OTHER"), Some(others), "{stats}");
    let rows = stats["routes"].as_array().expect("a list").len();
    // The server's own by GET, HEAD and others, what no route is for, and the rest.
    assert!(rows <= STATS_ROWS + 2 * 3 + 2, "{rows}: {stats}");
}

#[test]
fn whoever_asks_for_fresh_figures_has_what_was_answered_before() {
    let served = Served::with(|_| app());
    std::thread::scope(|scope| {
        for route in 0..8 {
            let address = served.address;
            scope.spawn(move || {
                let path = format!("/{route}");
                let mut client = Client::connect(address);
                let mut scraper = Client::connect(address);
                for answered in 1..=25 {
                    client.get(&path);
                    client.response();
                    let stats = scrape(&mut scraper);
                    assert_eq!(count(&stats, &path, "GET"), Some(answered), "{stats}");
                }
            });
        }
    });
}
