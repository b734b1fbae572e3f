//! What a policy makes of a folder, and the switch from one release of it to the next.

use super::*;
use corelane::files::policy::Symlinks;
use std::os::unix::net::UnixListener;
use std::time::Instant;

#[test]
fn links_are_followed_as_the_policy_says() {
    let tree = Tree::new();
    symlink("sub", tree.root().join("folder")).expect("a link");
    let table = [
        (Symlinks::Never, [404, 404, 404, 404, 404]),
        (Symlinks::Beneath, [200, 404, 404, 200, 404]),
        (Symlinks::Any, [200, 200, 200, 200, 404]),
    ];
    for (symlinks, statuses) in table {
        let served = tree.serve_by(Policy {
            symlinks,
            ..Policy::default()
        });
        let mut client = Client::connect(served.address);
        let targets = [
            "/inside",
            "/outside",
            "/up/secret",
            "/folder/b.css",
            "/loop",
        ];
        for (target, status) in targets.into_iter().zip(statuses) {
            assert_eq!(
                get(&mut client, target).status,
                status,
                "{symlinks:?} {target}"
            );
        }
    }
}

#[test]
fn what_is_hidden_is_as_what_is_not_there() {
    let tree = Tree::new();
    tree.write(OsStr::new("sub/a.bak"), b"old");
    let served = tree.serve_by(Policy {
        hide: vec!["*.bak".parse().expect("a glob")],
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    let missing = get(&mut client, "/none");
    assert_eq!(missing.status, 404);
    for target in ["/.env", "/sub/a.bak", "/outside", "/fifo", "/sub/../a.txt"] {
        let mut hidden = get(&mut Client::connect(served.address), target);
        let date = |(name, _): &(String, String)| name == "date";
        for field in hidden.fields.iter_mut().filter(|field| date(field)) {
            field.1 = missing.field("date").expect("a date").to_owned();
        }
        assert_eq!(hidden, missing, "{target}");
    }
    let served = tree.serve_by(Policy {
        dot_files: true,
        ..Policy::default()
    });
    assert_eq!(
        get(&mut Client::connect(served.address), "/.env").text(),
        ".env"
    );
}

/// The policy with rules that give fields to responses.
fn with_fields(mut policy: Policy, rules: &[&str]) -> Policy {
    for rule in rules {
        policy.response_headers.add(rule).expect("a rule");
    }
    policy
}

#[test]
fn rules_give_fields() {
    let tree = Tree::new();
    let value = http::HeaderValue::from_static;
    let served = tree.serve_by(Policy {
        cache_control: vec![("sub/*.css".parse().expect("a glob"), value("max-age=60"))],
        media_types: [("txt".into(), value("text/x-plain"))].into(),
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    let css = get(&mut client, "/sub/b.css");
    assert_eq!(css.field("cache-control"), Some("max-age=60"));
    let text = get(&mut client, "/a.txt");
    assert_eq!(text.field("cache-control"), None);
    assert_eq!(text.field("content-type"), Some("text/x-plain"));
}

#[test]
fn rules_give_fields_to_what_is_sent_of_files() {
    let tree = Tree::new();
    let policy = Policy {
        listing: true,
        ..Policy::default()
    };
    let rules = [
        "sub/*.css=X-Rule: first",
        "*.css=x-rule: second",
        "/**=X-All: all",
    ];
    let served = tree.serve_by(with_fields(policy, &rules));
    let mut client = Client::connect(served.address);
    let table: &[(&str, &str, u16, Option<&str>, bool)] = &[
        ("/sub/b.css", "", 200, Some("first"), true),
        // Again, from what is remembered.
        ("/sub/b.css", "", 200, Some("first"), true),
        (
            "/sub/b.css",
            "Range: bytes=0-0\r\n",
            206,
            Some("first"),
            true,
        ),
        (
            "/sub/b.css",
            "If-None-Match: *\r\n",
            304,
            Some("first"),
            true,
        ),
        ("/sub/b.css", "If-Match: \"x\"\r\n", 412, None, false),
        ("/sub/b.css", "Range: bytes=9999-\r\n", 416, None, false),
        ("/a.txt", "", 200, None, true),
        ("/sub", "", 301, None, false),
        ("/none.css", "", 404, None, false),
    ];
    for &(target, fields, status, rule, is_of_file) in table {
        let response = client.ask("GET", target, fields);
        let what = format!("{target} {fields}: {response:?}");
        assert_eq!(response.status, status, "{what}");
        assert_eq!(response.field("x-rule"), rule, "{what}");
        assert_eq!(
            response.field("x-all"),
            is_of_file.then_some("all"),
            "{what}"
        );
    }
}

#[test]
fn rules_give_fields_to_listings_and_archives() {
    let tree = Tree::new();
    let value = http::HeaderValue::from_static;
    let rule = |glob: &str, text| (glob.parse().expect("a glob"), value(text));
    let policy = Policy {
        listing: true,
        tar: true,
        index: Vec::new(),
        cache_control: vec![rule("/sub/*", "max-age=1"), rule("*.css", "max-age=2")],
        ..Policy::default()
    };
    let rules = [
        "/sub=X-Rule: of the folder",
        "/sub/**=X-Rule: of what is in it",
        "/**=X-All: all",
        "/sub=Content-Security-Policy: sandbox",
        "/sub=Content-Disposition: attachment",
    ];
    let served = tree.serve_by(with_fields(policy, &rules));
    let mut client = Client::connect(served.address);
    // Of each: its Cache-Control, X-Rule, and whether it has the policy of listings.
    let table = [
        ("/sub/", Some("max-age=1"), Some("of the folder"), false),
        (
            "/sub/?format=json",
            Some("max-age=1"),
            Some("of the folder"),
            false,
        ),
        (
            "/sub/?download=tar",
            Some("max-age=1"),
            Some("of the folder"),
            false,
        ),
        (
            "/sub/b.css",
            Some("max-age=1"),
            Some("of what is in it"),
            false,
        ),
        ("/", Some("no-cache"), None, true),
        ("/?download=tar", Some("no-store"), None, false),
    ];
    for (target, cache_control, rule, has_policy) in table {
        let response = get(&mut client, target);
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(response.field("cache-control"), cache_control, "{target}");
        assert_eq!(response.field("x-rule"), rule, "{target}");
        assert_eq!(response.field("x-all"), Some("all"), "{target}");
        let policy = response.field("content-security-policy");
        let is_listings = policy.is_some_and(|policy| policy.contains("default-src"));
        assert_eq!(is_listings, has_policy, "{target}: {policy:?}");
        if target.starts_with("/sub/?") || target == "/sub/" {
            assert_eq!(policy, Some("sandbox"), "{target}");
            let disposition = response.field("content-disposition");
            assert_eq!(disposition, Some("attachment"), "{target}");
        }
    }
    // Errors have none of it.
    let refused = get(&mut client, "/sub/?format=none");
    assert_eq!((refused.status, refused.field("x-all")), (400, None));
}

#[test]
fn sockets_and_pipes_do_not_notice() {
    let tree = Tree::new();
    let _socket = UnixListener::bind(tree.root().join("socket")).expect("a socket");
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    for target in ["/socket", "/fifo"] {
        assert_eq!(get(&mut client, target).status, 404);
    }
    // A pipe without a reader takes no writer that will not wait: nobody has opened it.
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
    let writer = rustix::fs::open(tree.root().join("fifo"), flags, Mode::empty());
    assert_eq!(writer.err(), Some(rustix::io::Errno::NXIO));
}

/// A deployment of several files that go together is seen as a whole, by each request and from then on, within
/// a second of the clock: whoever asks later than that gets the new ones.
#[test]
fn a_swapped_release_is_followed() {
    const FILES: [&str; 4] = ["index.html", "app.js", "sub/large.bin", "sub/page.html"];
    let outer = tempfile::tempdir().expect("a folder");
    let swap = |to: &str| {
        symlink(to, outer.path().join("next")).expect("a link");
        fs::rename(outer.path().join("next"), outer.path().join("current")).expect("swapped");
    };
    for release in ["one", "two"] {
        let release_path = outer.path().join(release);
        fs::create_dir_all(release_path.join("sub")).expect("folders");
        for file in FILES {
            // One is too large to be remembered whole.
            let times = if file == "sub/large.bin" { 50_000 } else { 1 };
            fs::write(release_path.join(file), release.repeat(times)).expect("a file");
        }
    }
    swap("one");
    let root = outer.path().join("current");
    let server = Server::bind("127.0.0.1:0").cores("1".parse().expect("a number"));
    let served = Served::on(server, move |_| App::new().files("/", &root));
    let mut client = Client::connect(served.address);
    let requests: String = FILES
        .iter()
        .map(|file| format!("GET /{file} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    let mut releases = || {
        client.send(&requests);
        FILES.map(|file| {
            let response = client.response();
            let text = response.text();
            let release = ["one", "two"].into_iter().find(|release| {
                text.starts_with(release) && text == release.repeat(text.len() / release.len())
            });
            release.unwrap_or_else(|| panic!("{file}: {} bytes of no release", text.len()))
        })
    };
    assert_eq!(releases(), ["one"; FILES.len()]);
    for (to, from) in [("two", "one"), ("one", "two")] {
        swap(to);
        let swapped = Instant::now();
        let mut is_followed = false;
        loop {
            let is_due = swapped.elapsed() >= Duration::from_secs(1);
            for release in releases() {
                assert!(release == to || !is_followed, "{from} again");
                is_followed |= release == to;
                assert!(is_followed || !is_due, "{from} after a second");
            }
            if is_due {
                break;
            }
        }
    }
}
