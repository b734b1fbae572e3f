//! Which file a path names, and what names none.

use super::*;

#[test]
fn files_are_found_by_their_paths() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let (html, text) = ("text/html; charset=utf-8", "text/plain; charset=utf-8");
    let unknown = "application/octet-stream";
    let longest = "/".to_owned() + &"n".repeat(NAME_BYTES);
    let table = [
        ("/", "index.html", html),
        ("/?query", "index.html", html),
        ("/index.html", "index.html", html),
        ("/a.txt", "a.txt", text),
        ("/a.txt?x=../..", "a.txt", text),
        ("/%61.txt", "a.txt", text),
        ("/sub/", "sub/index.html", html),
        ("/sub/b.css", "sub/b.css", "text/css; charset=utf-8"),
        ("/a%20b/c%20d.txt", "a b/c d.txt", text),
        ("/50%25.txt", "50%.txt", text),
        ("/p+q&r=s.txt", "p+q&r=s.txt", text),
        ("/h%C3%B6.html", "h\u{f6}.html", html),
        (
            "/%e6%97%a5%E6%9C%AC.json",
            "\u{65e5}\u{672c}.json",
            "application/json",
        ),
        ("/octet%FF.txt", "an octet", text),
        ("/.well-known/x", ".well-known/x", unknown),
        ("/noext", "noext", unknown),
        ("/UP.TXT", "UP.TXT", text),
        ("/a.tar.gz", "a.tar.gz", "application/gzip"),
        ("/inside", "a.txt", unknown),
        (&longest, "long", unknown),
    ];
    for (target, content, media) in table {
        let response = get(&mut client, target);
        assert_eq!(
            (response.status, response.text()),
            (200, content),
            "{target}"
        );
        assert_eq!(response.field("content-type"), Some(media), "{target}");
        assert_eq!(
            response.field("last-modified"),
            Some(CHANGED_TEXT),
            "{target}"
        );

        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.head_response();
        let without_date = |response: &Response| {
            let mut fields = response.fields.clone();
            fields.retain(|(name, _)| name != "date");
            for (_, value) in fields.iter_mut().filter(|(name, _)| name == "etag") {
                // It is weak at first, for a moment.
                *value = value.trim_start_matches("W/").to_owned();
            }
            fields
        };
        assert_eq!(
            without_date(&head),
            without_date(&response),
            "HEAD {target}"
        );
    }
}

#[test]
fn nothing_else_is_found() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let too_long = "/".to_owned() + &"n".repeat(NAME_BYTES + 1);
    let table = [
        // Not there, or not files.
        ("/none", 404),
        ("/a.txt/", 404),
        ("/a.txt/b", 404),
        ("/bare/", 404),
        ("/fifo", 404),
        ("/loop", 404),
        (&too_long, 404),
        ("/index.html/", 404),
        // Hidden.
        ("/.env", 404),
        ("/.hidden/c.txt", 404),
        ("/%2eenv", 404),
        ("/sub/.well-known/x", 404),
        // Ways out.
        ("/../secret", 404),
        ("/sub/../a.txt", 404),
        ("/%2e%2e/secret", 404),
        ("/..%2Fsecret", 404),
        ("/sub/..%2f..%2fsecret", 404),
        ("/%2e%2e%2fsecret", 404),
        ("/outside", 404),
        ("/up/secret", 404),
        ("/up/", 404),
        ("/absolute", 404),
        ("//a.txt", 404),
        ("/./a.txt", 404),
        ("/sub//b.css", 404),
        ("/%2Fa.txt", 404),
        ("//etc/passwd", 404),
        ("/%252e%252e/secret", 404),
        ("/..\\secret", 400),
        // Malformed.
        ("/a%00.txt", 400),
        ("/a%0", 400),
        ("/%zz", 400),
    ];
    for (target, status) in table {
        let mut client = Client::connect(served.address);
        let response = get(&mut client, target);
        assert_eq!(response.status, status, "{target}: {response:?}");
        assert!(!response.text().contains("secret"), "{target}");
    }
    assert_eq!(get(&mut client, "/a.txt").status, 200);
}

#[test]
fn a_folder_without_its_slash_is_redirected_to() {
    let tree = Tree::new();
    let table = [
        ("/", "/sub", "/sub/"),
        ("/", "/sub?a=b&c", "/sub/?a=b&c"),
        ("/", "/sub?", "/sub/?"),
        ("/", "/a%20b", "/a%20b/"),
        ("/", "/%73ub", "/sub/"),
        ("/static", "/static/sub?q", "/static/sub/?q"),
    ];
    for (prefix, target, location) in table {
        let served = tree.serve(prefix);
        let response = get(&mut Client::connect(served.address), target);
        assert_eq!(response.status, 301, "{target}");
        assert_eq!(response.field("location"), Some(location), "{target}");
    }
}

#[test]
fn a_redirect_leads_to_no_longer_target_than_is_taken() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let longest = REQUEST_LINE_BYTES - "HEAD  HTTP/1.1\r\n".len();
    for (query, status) in [
        ("q".repeat(longest - "/sub/?".len()), 301),
        ("q".repeat(longest - "/sub?".len()), 414),
        // Written in three bytes each where it is sent back.
        ("{".repeat((longest - "/sub/?".len()) / 3), 301),
        ("{".repeat(longest / 3), 414),
    ] {
        let response = get(&mut client, &format!("/sub?{query}"));
        assert_eq!(response.status, status, "{} bytes", query.len());
        if let Some(location) = response.field("location") {
            let location = location.to_owned();
            client.send(format!("HEAD {location} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert_eq!(client.head_response().status, 200);
        }
    }
}

#[test]
fn below_a_prefix() {
    let tree = Tree::new();
    let served = tree.serve("/static");
    let mut client = Client::connect(served.address);
    let table = [
        ("/static/", 200),
        ("/static/a.txt", 200),
        ("/static/sub/b.css", 200),
        ("/static/a%20b/c%20d.txt", 200),
        ("/static/octet%FF.txt", 200),
        ("/static/50%25.txt", 200),
        ("/a.txt", 404),
        ("/staticx", 404),
        ("/static/../a.txt", 404),
        ("/static/%2e%2e/secret", 404),
        ("/static/%2e%2e%2Fsecret", 404),
    ];
    for (target, status) in table {
        assert_eq!(get(&mut client, target).status, status, "{target}");
    }
    // The mount itself without its slash is a folder too.
    let response = get(&mut client, "/static?q");
    let told = (response.status, response.field("location"));
    assert!(
        told == (301, Some("/static/?q")) || told.0 == 200,
        "{response:?}"
    );
}

#[test]
fn only_get_and_head() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let table = [
        ("POST", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("BREW", 405),
        ("OPTIONS", 204),
    ];
    for (method, status) in table {
        for target in ["/a.txt", "/none", "/sub"] {
            let length = if method == "POST" {
                "Content-Length: 3\r\n\r\nabc"
            } else {
                "\r\n"
            };
            client.send(format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{length}"));
            let response = client.response();
            assert_eq!(response.status, status, "{method} {target}");
            assert_eq!(
                response.field("allow"),
                Some("GET, HEAD, OPTIONS"),
                "{method} {target}"
            );
        }
    }
}

#[test]
fn folders_of_nested_apps_and_hosts_redirect_to_where_they_are() {
    let tree = Tree::new();
    let root = tree.root();
    let served = Served::with(move |_| {
        let files = || App::new().files("/caf\u{e9}", &root);
        App::new()
            .nest("/of/{user}", files())
            .host("example.org", App::new().files("/", &root))
            .host("*.example.org", files())
    });
    let cases = [
        ("h", "/of/a%20b/caf%c3%a9/sub", "/of/a%20b/caf%c3%a9/sub/"),
        (
            "h",
            "/of/%2f/caf%C3%A9/a%20b?q",
            "/of/%2f/caf%C3%A9/a%20b/?q",
        ),
        ("example.org", "/sub", "/sub/"),
        ("example.org", "http://Example.Org/sub", "/sub/"),
        ("www.example.org", "/caf%C3%A9/sub", "/caf%C3%A9/sub/"),
    ];
    let mut client = Client::connect(served.address);
    for (host, target, location) in cases {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.response();
        assert_eq!(response.status, 301, "{target}");
        assert_eq!(response.field("location"), Some(location), "{target}");
    }
    client.send("GET /sub/index.html HTTP/1.1\r\nHost: example.org\r\n\r\n");
    assert_eq!(client.response().text(), "sub/index.html");
    client.send("GET /sub/index.html HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(client.response().status, 404);
}

#[test]
fn an_app_whose_folder_is_missing_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "").expect("a file");
    for (name, what) in [("none", "does not exist"), ("file", "is not a folder")] {
        let path = folder.path().join(name);
        let server = Server::bind("127.0.0.1:0");
        let error = server
            .start(move |_| App::new().files("/", &path))
            .expect_err("no folder");
        assert!(error.to_string().contains(what), "{error}");
    }
}
