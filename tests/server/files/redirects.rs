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

/// Taking a slash away is no loop but where a folder is, which gets it back.
#[test]
fn a_rule_spares_the_folder_that_it_leads_back_to() {
    let tree = Tree::new();
    tree.write(OsStr::new("plain"), b"plain");
    tree.write(OsStr::new("page.html"), b"page");
    let policy = Policy {
        clean_urls: true,
        listing: true,
        tar: true,
        ..policy(&[
            "/plain/=/plain 301",
            "/page/=/page",
            "/none/=/none",
            "/sub/=/sub",
            "/bare/*=/bare",
            "/.hidden/=/.hidden",
        ])
    };
    let served = tree.serve_by(policy);
    let mut client = Client::connect(served.address);
    let table = [
        ("/plain/?q", 301, "/plain?q"),
        ("/plain", 200, ""),
        ("/page/", 302, "/page"),
        ("/page", 200, ""),
        ("/none/", 302, "/none"),
        ("/none", 404, ""),
        ("/sub/", 200, ""),
        ("/sub", 301, "/sub/"),
        ("/sub/b.css", 200, ""),
        ("/sub/?download=tar", 200, ""),
        ("/bare/", 200, ""),
        // What lies below it is sent to it.
        ("/bare/x", 302, "/bare"),
        ("/bare", 301, "/bare/"),
        // Nobody is told that there is one.
        ("/.hidden/", 302, "/.hidden"),
        ("/.hidden", 404, ""),
    ];
    for _ in 0..2 {
        for (target, status, location) in table {
            for method in ["GET", "HEAD"] {
                let response = client.ask(method, target, "");
                let what = format!("{method} {target}: {response:?}");
                assert_eq!(response.status, status, "{what}");
                assert_eq!(
                    response.field("location").unwrap_or_default(),
                    location,
                    "{what}"
                );
            }
        }
    }
    assert_eq!(get(&mut client, "/sub/").text(), "sub/index.html");

    // What lies there is asked for each time, within what is believed without a look.
    fs::remove_dir_all(tree.root().join("sub")).expect("it was there");
    wait_until("the folder is gone", || {
        get(&mut client, "/sub/").status == 302
    });
    fs::create_dir(tree.root().join("sub")).expect("a folder");
    assert_eq!(get(&mut client, "/sub/").status, 200);
}
