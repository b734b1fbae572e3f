//! Indexes by other names, pages without their extension, and the fallback of an application.

use super::*;

/// The status for `target` with these Accept fields, the content, and what the response varies by.
fn asked(client: &mut Client, target: &str, accept: &str) -> (u16, String, Option<String>) {
    client.send(format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
    ));
    let response = client.response();
    let varies = response.fields.iter().filter(|(name, _)| name == "vary");
    let varies: Vec<_> = varies.map(|(_, value)| value.as_str()).collect();
    let varies = (!varies.is_empty()).then(|| varies.join(", "));
    (response.status, response.text().to_owned(), varies)
}

#[test]
fn indexes_and_pages_have_other_names() {
    let tree = Tree::new();
    tree.write(OsStr::new("bare/default.htm"), b"bare");
    tree.write(OsStr::new("about.html"), b"about");
    let served = tree.serve_by(Policy {
        index: vec![c"index.html".to_owned(), c"default.htm".to_owned()],
        clean_urls: true,
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    // Twice: what is remembered is the same.
    for _ in 0..2 {
        for (target, content) in [
            ("/", "index.html"),
            ("/bare/", "bare"),
            ("/about", "about"),
            ("/about.html", "about"),
            ("/index", "index.html"),
            ("/sub/index", "sub/index.html"),
        ] {
            let response = get(&mut client, target);
            assert_eq!(
                (response.status, response.text()),
                (200, content),
                "{target}"
            );
            let html = Some("text/html; charset=utf-8");
            assert_eq!(response.field("content-type"), html, "{target}");
        }
        for target in ["/about/", "/abou", "/secret", "/a", "/.hidden/c"] {
            assert_eq!(get(&mut client, target).status, 404, "{target}");
        }
    }
}

/// Static exporters put the pages that belong to `blog.html` into `blog/`.
#[test]
fn a_page_goes_before_the_folder_of_its_name() {
    let tree = Tree::new();
    for folder in ["blog", "both", "docs"] {
        fs::create_dir(tree.root().join(folder)).expect("a folder");
    }
    for name in [
        "blog.html",
        "blog/post.html",
        "both.html",
        "both/index.html",
        "docs/index.html",
        "app.html",
    ] {
        tree.write(OsStr::new(name), name.as_bytes());
    }
    let browser = "text/html,*/*;q=0.8";
    for (listing, blog) in [(false, "app.html"), (true, "./post.html")] {
        let served = tree.serve_by(Policy {
            clean_urls: true,
            fallback: Some(c"app.html".to_owned()),
            listing,
            ..Policy::default()
        });
        let mut client = Client::connect(served.address);
        for _ in 0..2 {
            for (target, content) in [
                ("/blog", "blog.html"),
                ("/blog/post", "blog/post.html"),
                ("/blog/none", "app.html"),
                ("/both", "both.html"),
                ("/both/", "both/index.html"),
                ("/docs/", "docs/index.html"),
            ] {
                let (status, text, _) = asked(&mut client, target, browser);
                assert_eq!((status, &*text), (200, content), "{target}");
            }
            assert_eq!(asked(&mut client, "/docs", browser).0, 301);
            assert_eq!(asked(&mut client, "/bare", browser).0, 301);
            let (status, text, _) = asked(&mut client, "/blog/", browser);
            assert!(status == 200 && text.contains(blog), "{text}");
        }
    }
    let served = tree.serve_by(Policy {
        clean_urls: true,
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    assert_eq!(get(&mut client, "/both").text(), "both.html");
    fs::remove_file(tree.root().join("both.html")).expect("it was there");
    wait_until("the folder is sent to", || {
        get(&mut client, "/both").status == 301
    });
}

#[test]
fn navigations_get_the_fallback_and_assets_the_truth() {
    let tree = Tree::new();
    tree.write(OsStr::new("app.html"), b"app");
    let served = tree.serve_by(Policy {
        fallback: Some(c"app.html".to_owned()),
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for _ in 0..2 {
        for target in ["/user/7", "/none/", "/bare/", "/outside", "/fifo", "/.env"] {
            let (status, content, varies) = asked(&mut client, target, browser);
            assert_eq!((status, &*content), (200, "app"), "{target}");
            let varies = varies.unwrap_or_default();
            assert!(varies.ends_with("accept"), "{target}: {varies}");
            for accept in ["*/*", "application/json", "text/html;q=0"] {
                let (status, _, varies) = asked(&mut client, target, accept);
                assert_eq!(status, 404, "{target} {accept}");
                let varies = varies.unwrap_or_default();
                assert!(varies.eq_ignore_ascii_case("accept"), "{target}: {varies}");
            }
        }
        for target in ["/none.js", "/user/7.png", "/..", "//user"] {
            assert_eq!(asked(&mut client, target, browser).0, 404, "{target}");
        }
        for (target, content) in [("/", "index.html"), ("/a.txt", "a.txt")] {
            assert_eq!(asked(&mut client, target, browser).1, content);
        }
        assert_eq!(asked(&mut client, "/sub", browser).0, 301);
    }
    client.send(format!(
        "HEAD /user/7 HTTP/1.1\r\nHost: a\r\nAccept: {browser}\r\n\r\n"
    ));
    let head = client.head_response();
    assert_eq!(
        (head.status, head.field("content-length")),
        (200, Some("3"))
    );
    client.send("POST /user/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response().status, 405);
}
