//! Listings over sockets: what is in them, and that it is what is served.

#[cfg(all(feature = "compression-br", feature = "compression-zstd"))]
mod compressed;

use super::*;
use corelane::files::policy::Symlinks;
use corelane::limits::{LISTING_ENTRIES, LISTING_SLICE_ENTRIES};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;

fn listing_policy() -> Policy {
    Policy {
        listing: true,
        hide: vec!["*.gz".parse().expect("a glob")],
        ..Policy::default()
    }
}

/// The listing at `target`, as JSON.
fn json(client: &mut Client, target: &str) -> Value {
    let sign = if target.contains('?') { '&' } else { '?' };
    let response = get(client, &format!("{target}{sign}format=json"));
    assert_eq!(response.status, 200, "{target}");
    assert_eq!(response.field("content-type"), Some("application/json"));
    serde_json::from_str(response.text()).expect("JSON")
}

/// This member of all entries, in their order.
fn all<'a>(listing: &'a Value, member: &str) -> Vec<&'a str> {
    let entries = listing["entries"].as_array().expect("a list").iter();
    entries
        .map(|entry| entry[member].as_str().expect("text"))
        .collect()
}

#[test]
fn what_is_listed_is_what_is_served() {
    let tree = Tree::new();
    fs::remove_file(tree.root().join("index.html")).expect("it is there");
    for name in ["a:b", "<i>&\"'.txt", "?x=1#y", "line\nbreak", "\\back"] {
        tree.write(OsStr::new(name), b"x");
    }
    symlink("sub", tree.root().join("folder")).expect("a link");
    symlink("nowhere", tree.root().join("dangling")).expect("a link");
    let _socket = UnixListener::bind(tree.root().join("socket")).expect("a socket");
    let present: Vec<_> = fs::read_dir(tree.root())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    for symlinks in [Symlinks::Never, Symlinks::Beneath, Symlinks::Any] {
        let served = tree.serve_by(Policy {
            symlinks,
            ..listing_policy()
        });
        let mut client = Client::connect(served.address);
        let listing = json(&mut client, "/");
        let listed: BTreeSet<String> = all(&listing, "href")
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut expected = BTreeSet::new();
        for name in &present {
            let encoded: String = name
                .as_bytes()
                .iter()
                .map(|byte| format!("%{byte:02x}"))
                .collect();
            // A folder answers with its slash and without, a file only without.
            match get(&mut client, &format!("/{encoded}")).status {
                200 => assert!(expected.insert(name.as_bytes().to_vec())),
                301 => assert!(expected.insert([name.as_bytes(), b"/"].concat())),
                404 => {}
                status => panic!("{name:?}: {status}"),
            }
        }
        let decoded: BTreeSet<Vec<u8>> = listed
            .iter()
            .map(|href| {
                let href = href.strip_prefix("./").expect("relative");
                percent_encoding::percent_decode_str(href).collect()
            })
            .collect();
        assert_eq!(decoded, expected, "{symlinks:?}");
        for href in &listed {
            let target = href.strip_prefix('.').expect("relative");
            assert_eq!(get(&mut client, target).status, 200, "{symlinks:?} {href}");
        }
    }
}

#[test]
fn the_form_is_negotiated_and_the_order_asked_for() {
    let tree = Tree::new();
    for (name, content) in [("bare/b", "12"), ("bare/A", "123"), ("bare/c", "")] {
        tree.write(OsStr::new(name), content.as_bytes());
    }
    fs::create_dir(tree.root().join("bare/z")).expect("a folder");
    let served = tree.serve_by(listing_policy());
    let mut client = Client::connect(served.address);
    let html = "text/html; charset=utf-8";
    for (accept, media) in [
        ("*/*", html),
        ("text/html,application/xhtml+xml,*/*;q=0.8", html),
        ("application/json", "application/json"),
        ("image/png", html),
    ] {
        for method in ["GET", "HEAD"] {
            client.send(format!(
                "{method} /bare/ HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
            ));
            let response = match method {
                "HEAD" => client.head_response(),
                _ => client.response(),
            };
            assert_eq!(response.status, 200, "{method} {accept}");
            assert_eq!(response.field("content-type"), Some(media), "{accept}");
            assert_eq!(response.field("vary"), Some("accept"));
            assert_eq!(response.field("cache-control"), Some("no-cache"));
            let policy = response.field("content-security-policy");
            assert_eq!(policy.is_some(), media == html);
            assert!(response.field("content-length").is_some());
        }
    }
    for (query, names) in [
        ("?x=y", ["z", "A", "b", "c"]),
        ("?sort=name&order=desc", ["z", "c", "b", "A"]),
        ("?sort=size", ["z", "c", "b", "A"]),
        ("?sort=size&order=desc", ["z", "A", "b", "c"]),
    ] {
        let listing = json(&mut client, &format!("/bare/{query}"));
        assert_eq!(all(&listing, "name"), names, "{query}");
        assert_eq!(listing["path"], "/bare/");
    }
    assert_eq!(
        json(&mut client, "/bare/")["entries"][1],
        serde_json::json!({
            "name": "A",
            "href": "./A",
            "type": "file",
            "size": 3,
            "modified": "1994-11-06T08:49:37Z",
        })
    );
    for query in ["sort=x", "order=x", "format=xml"] {
        assert_eq!(get(&mut client, &format!("/bare/?{query}")).status, 400);
        assert_eq!(get(&mut client, &format!("/a.txt?{query}")).status, 200);
    }
    for (target, status) in [("/bare", 301), ("/none/", 404), ("/a.txt/", 404)] {
        assert_eq!(get(&mut client, target).status, status, "{target}");
    }
}

#[test]
fn below_a_prefix_the_page_says_where_it_is() {
    let tree = Tree::new();
    fs::create_dir_all(tree.root().join("bare/x y")).expect("folders");
    let root = tree.root();
    let server = Server::bind("127.0.0.1:0").files(listing_policy());
    let served = Served::on(server, move |_| App::new().files("/static", &root));
    let mut client = Client::connect(served.address);
    let page = get(&mut client, "/static/bare/x%20y/");
    for part in [
        "<title>/static/bare/x y/</title>",
        "<a href=\"../../\"><bdi>/static/</bdi></a>",
        "<a href=\"../\"><bdi>bare</bdi>/</a>",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    assert_eq!(json(&mut client, "/static/bare/")["path"], "/static/bare/");
}

#[test]
fn many_entries_are_sorted_and_more_are_streamed_as_they_lie() {
    let outer = tempfile::tempdir().expect("a folder");
    let root = outer.path().to_owned();
    for number in 0..LISTING_ENTRIES {
        fs::File::create(root.join(format!("{number:06}"))).expect("a file");
    }
    let server = Server::bind("127.0.0.1:0").files(listing_policy());
    let served = Served::on(server, move |_| App::new().files("/", &root));
    let mut client = Client::connect(served.address);
    let numbers = |names: Vec<&str>| -> Vec<usize> {
        let number = |name: &str| name.parse().expect("a number");
        names.into_iter().map(number).collect()
    };

    let listing = json(&mut client, "/?order=desc");
    assert_eq!(listing["sort"], "name");
    let expected: Vec<_> = (0..LISTING_ENTRIES).rev().collect();
    assert_eq!(numbers(all(&listing, "name")), expected);

    let more = format!("{LISTING_ENTRIES:06}");
    fs::File::create(outer.path().join(more)).expect("a file");
    let listing = json(&mut client, "/?order=desc");
    assert_eq!(
        (&listing["sort"], &listing["order"]),
        (&"none".into(), &"asc".into())
    );
    let mut found = numbers(all(&listing, "name"));
    found.sort_unstable();
    let expected: Vec<_> = (0..=LISTING_ENTRIES).collect();
    assert_eq!(found, expected);
    let page = get(&mut client, "/");
    assert!(page.text().contains("<p>Not sorted: "));
    assert_eq!(
        page.text().matches("<tr><th scope=\"row\"").count(),
        LISTING_ENTRIES + 1
    );
    assert_eq!(page.field("content-length"), None);
    assert!(page.text().ends_with("</html>\n"));

    // Who goes away in the midst of it leaves the others alone.
    let mut leaver = Client::connect(served.address);
    leaver.get("/?sort=none");
    assert_eq!(leaver.head_response().status, 200);
    drop(leaver);
    assert_eq!(get(&mut client, "/000000").status, 200);
}

#[test]
fn slices_end_where_entries_do() {
    for count in [
        LISTING_SLICE_ENTRIES - 3,
        LISTING_SLICE_ENTRIES - 2,
        LISTING_SLICE_ENTRIES - 1,
        2 * LISTING_SLICE_ENTRIES,
    ] {
        let outer = tempfile::tempdir().expect("a folder");
        let root = outer.path().to_owned();
        for number in 0..count {
            fs::File::create(root.join(number.to_string())).expect("a file");
        }
        let server = Server::bind("127.0.0.1:0").files(listing_policy());
        let served = Served::on(server, move |_| App::new().files("/", &root));
        let mut client = Client::connect(served.address);
        for query in ["?sort=name", "?sort=none"] {
            let listing = json(&mut client, &format!("/{query}"));
            assert_eq!(all(&listing, "name").len(), count, "{query}");
        }
    }
}

#[test]
fn an_index_goes_before_the_listing() {
    let tree = Tree::new();
    let served = tree.serve_by(listing_policy());
    let mut client = Client::connect(served.address);
    assert_eq!(get(&mut client, "/").text(), "index.html");
    fs::remove_file(tree.root().join("index.html")).expect("it is there");
    // What is remembered of it may be served for a while.
    wait_until("the index is gone", || {
        get(&mut client, "/").text() != "index.html"
    });
    assert!(get(&mut client, "/").text().starts_with("<!doctype html>"));
}
