//! Conditions, of files and of what is made of folders.

use super::*;

#[test]
fn conditions_are_met() {
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let table = [
        ("/a.txt", format!("If-Modified-Since: {CHANGED_TEXT}"), 304),
        ("/a.txt", format!("If-Modified-Since: {AFTER}"), 304),
        ("/a.txt", format!("If-Modified-Since: {BEFORE}"), 200),
        ("/a.txt", "If-Modified-Since: today".to_owned(), 200),
        (
            "/a.txt",
            format!("If-Unmodified-Since: {CHANGED_TEXT}"),
            200,
        ),
        ("/a.txt", format!("If-Unmodified-Since: {BEFORE}"), 412),
        ("/a.txt", "If-Match: *".to_owned(), 200),
        ("/a.txt", "If-Match: \"x\"".to_owned(), 412),
        ("/a.txt", "If-None-Match: *".to_owned(), 304),
        ("/a.txt", "If-None-Match: \"x\"".to_owned(), 200),
        (
            "/a.txt",
            format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {AFTER}"),
            200,
        ),
        // Conditions are met after everything else.
        ("/none", "If-Match: \"x\"".to_owned(), 404),
        ("/sub", "If-None-Match: *".to_owned(), 301),
    ];
    for (target, condition, status) in table {
        for method in ["GET", "HEAD"] {
            client.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: a\r\n{condition}\r\n\r\n"
            ));
            let response = client.try_response(method == "HEAD").expect("a response");
            assert_eq!(response.status, status, "{method} {target} {condition}");
            let has_date = matches!(status, 200 | 304);
            assert_eq!(
                response.field("last-modified"),
                has_date.then_some(CHANGED_TEXT),
                "{method} {target} {condition}"
            );
        }
    }
    client.send(format!(
        "POST /a.txt HTTP/1.1\r\nHost: a\r\nIf-Unmodified-Since: {BEFORE}\r\n\r\n"
    ));
    assert_eq!(client.response().status, 405);
    assert_eq!(get(&mut client, "/a.txt").text(), "a.txt");
}

/// What is made of a folder has no validator: `*` is met by whatever there is, and nothing else.
#[test]
fn conditions_about_folders_are_met() {
    let tree = Tree::new();
    let mut policy = Policy {
        listing: true,
        tar: true,
        ..Policy::default()
    };
    let added = policy.response_headers.add("/bare=X-Bare: yes");
    added.expect("a rule");
    let served = tree.serve_by(policy);
    let mut client = Client::connect(served.address);
    let (listing, archive, none) = ("/bare/", "/bare/?download=tar", "/none/?download=tar");
    let since = format!("If-Modified-Since: {CHANGED_TEXT}");
    let unmodified = "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT";
    let table = [
        (listing, "If-Match: *", 200),
        (listing, "If-Match: \"x\"", 412),
        (listing, "If-None-Match: *", 304),
        (listing, "If-None-Match: \"x\"", 200),
        (listing, "If-None-Match: W/\"x\", \"\"", 200),
        (listing, "If-Match: *\r\nIf-None-Match: *", 304),
        (listing, "If-Match: \"x\"\r\nIf-None-Match: *", 412),
        (listing, &since, 200),
        (listing, unmodified, 200),
        (archive, "If-Match: *", 200),
        (archive, "If-Match: \"x\"", 412),
        (archive, "If-None-Match: *", 304),
        (archive, "If-None-Match: \"x\"", 200),
        (archive, &since, 200),
        (archive, unmodified, 200),
        // Conditions are met after everything else.
        ("/bare/?sort=x", "If-Match: \"x\"", 400),
        ("/bare", "If-None-Match: *", 301),
        (none, "If-Match: \"x\"", 404),
    ];
    for (target, condition, status) in table {
        for method in ["GET", "HEAD"] {
            let response = client.ask(method, target, &format!("{condition}\r\n"));
            let what = format!("{method} {target} {condition}: {response:?}");
            assert_eq!(response.status, status, "{what}");
            // RFC 9110 §15.4.5: what a 200 says of how it may be kept, and nothing of its content.
            let is_of_folder = matches!(status, 200 | 304);
            let cache_control = if target == archive {
                "no-store"
            } else {
                "no-cache"
            };
            let field = |name| response.field(name);
            assert_eq!(field("x-bare"), is_of_folder.then_some("yes"), "{what}");
            let expected = is_of_folder.then_some(cache_control);
            assert_eq!(field("cache-control"), expected, "{what}");
            // What is listed is so by Accept, and what is written of any error or redirect.
            let varies = match is_of_folder {
                true => (target == listing).then_some("accept"),
                false => Some("Accept"),
            };
            assert_eq!(field("vary"), varies, "{what}");
            if status == 304 {
                for name in [
                    "content-type",
                    "content-disposition",
                    "content-length",
                    "accept-ranges",
                ] {
                    assert_eq!(field(name), None, "{what}");
                }
            }
        }
    }
}
