//! Redirects by rules, over the wire.

use super::*;
use corelane::files::redirects::Redirects;

fn policy(rules: &[&str]) -> Policy {
    let rules = rules.iter().map(|rule| rule.parse().expect("a rule"));
    Policy {
        redirects: Redirects::new(rules.collect()).expect("rules"),
        ..Policy::default()
    }
}

#[test]
fn rules_go_before_files() {
    let tree = Tree::new();
    let served = tree.serve_by(policy(&[
        "/a.txt=/sub/b.css",
        "/gone/*=https://example.org/* 301",
        "/.env=/ 307",
        "/sub=/a.txt 308",
    ]));
    let mut client = Client::connect(served.address);
    let table = [
        ("GET", "/a.txt?x=1", 302, Some("/sub/b.css?x=1")),
        ("HEAD", "/a.txt", 302, Some("/sub/b.css")),
        ("GET", "/gone/a/?b", 301, Some("https://example.org/a/?b")),
        ("GET", "/gone//a", 404, None),
        ("GET", "/gone/../a", 404, None),
        ("GET", "/.env", 307, Some("/")),
        // In place of the slash behind a folder.
        ("GET", "/sub", 308, Some("/a.txt")),
        ("POST", "/a.txt", 405, None),
        ("GET", "/sub/b.css", 200, None),
    ];
    for (method, target, status, location) in table {
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.try_response(method == "HEAD").expect("a response");
        let what = format!("{method} {target}: {response:?}");
        assert_eq!(response.status, status, "{what}");
        assert_eq!(response.field("location"), location, "{what}");
        assert_eq!(response.field("cache-control"), None, "{what}");
        if response.closes() {
            client = Client::connect(served.address);
        }
    }
}

#[test]
fn a_rule_is_about_what_is_below_the_mount() {
    let tree = Tree::new();
    let root = tree.root();
    let rules = ["/old/*=/sub/*", "/out=https://example.org/out", "/=/a.txt"];
    let server = Server::bind("127.0.0.1:0").files(policy(&rules));
    let served = Served::on(server, move |_| App::new().files("/static", &root));
    let mut client = Client::connect(served.address);
    let table = [
        ("/static/old/b.css", "/static/sub/b.css"),
        ("/%73tatic/old/b.css", "/%73tatic/sub/b.css"),
        ("/static/out", "https://example.org/out"),
        ("/static/", "/static/a.txt"),
    ];
    for (target, location) in table {
        let response = get(&mut client, target);
        assert_eq!(response.status, 302, "{target}: {response:?}");
        assert_eq!(response.field("location"), Some(location), "{target}");
    }
    assert_eq!(get(&mut client, "/old/b.css").status, 404);
}

#[test]
fn no_location_is_longer_than_what_is_taken() {
    let tree = Tree::new();
    let served = tree.serve_by(policy(&["/o=/longer"]));
    let most = REQUEST_LINE_BYTES - "HEAD /longer? HTTP/1.1\r\n".len();
    for (bytes, status) in [(most, 302), (most + 1, 414)] {
        let target = format!("/o?{}", "q".repeat(bytes));
        let response = get(&mut Client::connect(served.address), &target);
        assert_eq!(response.status, status, "{bytes}");
    }
}
