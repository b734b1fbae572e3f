//! Files as the content of errors.

use super::*;

/// Serves a tree with a page for 404 and one for 400 that is `bad`.
fn serve(tree: &Tree, bad: &str) -> Served {
    fs::create_dir_all(tree.root().join("errors")).expect("a folder");
    tree.write(OsStr::new("errors/404.html"), b"<p>Nothing.");
    tree.write(OsStr::new("errors/404.html.gz"), b"compressed");
    let mut policy = Policy {
        hide: vec!["/errors".parse().expect("a glob")],
        cache_control: vec![(
            "/**".parse().expect("a glob"),
            http::HeaderValue::from_static("max-age=60"),
        )],
        ..Policy::default()
    };
    let rule = "*.html=Content-Security-Policy: default-src 'none'";
    policy.response_headers.add(rule).expect("a rule");
    let pages = ["404=/errors/404.html".to_owned(), format!("400={bad}")];
    for page in pages {
        policy.error_pages.add(&page).expect("a page");
    }
    tree.serve_by(policy)
}

fn asked(served: &Served, method: &str, target: &str, fields: &str) -> Response {
    Client::connect(served.address).ask(method, target, fields)
}

#[test]
fn an_error_has_its_page_and_nothing_else_of_the_file() {
    let tree = Tree::new();
    let served = serve(&tree, "/a.txt");
    let requests = [
        "",
        // Again, from what is remembered.
        "",
        "Range: bytes=0-0\r\n",
        "If-None-Match: *\r\n",
        "If-Match: \"x\"\r\n",
        "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n",
        "Accept-Encoding: gzip\r\n",
        "Accept: text/html, */*;q=0.8\r\n",
    ];
    for fields in requests {
        for target in ["/none", "/.env", "/outside", "/a.txt/x", "/errors/404.html"] {
            for method in ["GET", "HEAD"] {
                let response = asked(&served, method, target, fields);
                let what = format!("{method} {target} {fields}: {response:?}");
                assert_eq!(response.status, 404, "{what}");
                let body = if method == "HEAD" { "" } else { "<p>Nothing." };
                assert_eq!(response.text(), body, "{what}");
                let expected = [
                    ("content-length", Some("11")),
                    ("content-type", Some("text/html; charset=utf-8")),
                    ("content-security-policy", Some("default-src 'none'")),
                    ("vary", Some("Accept")),
                    ("cache-control", None),
                    ("content-encoding", None),
                    ("content-range", None),
                    ("accept-ranges", None),
                    ("etag", None),
                    ("last-modified", None),
                ];
                for (name, value) in expected {
                    assert_eq!(response.field(name), value, "{name} of {what}");
                }
                assert!(!response.closes(), "{what}");
            }
        }
    }
    let malformed = asked(&served, "GET", "/%00", "");
    assert_eq!((malformed.status, malformed.text()), (400, "a.txt"));
}

#[test]
fn programs_get_the_problem() {
    let tree = Tree::new();
    let served = serve(&tree, "/a.txt");
    let response = asked(&served, "GET", "/none", "Accept: application/json\r\n");
    assert_eq!(response.status, 404);
    let media_type = response.field("content-type");
    assert_eq!(media_type, Some("application/problem+json"));
    assert_eq!(response.field("vary"), Some("Accept"));
    assert!(response.text().contains("\"status\":404"), "{response:?}");
}

#[test]
fn a_page_that_cannot_be_read_leaves_the_error_as_it_is() {
    let tree = Tree::new();
    // Nothing, a folder, a link out of the root, a FIFO, a file as a folder.
    for bad in ["/none", "/sub", "/outside", "/fifo", "/a.txt/x"] {
        let served = serve(&tree, bad);
        let response = asked(&served, "GET", "/%00", "");
        assert_eq!(response.status, 400, "{bad}: {response:?}");
        let expected = "400 Bad Request: The path is malformed.\n";
        assert_eq!(response.text(), expected, "{bad}");
    }
}

#[test]
fn a_page_is_followed_as_any_file_is() {
    let tree = Tree::new();
    let served = serve(&tree, "/a.txt");
    assert_eq!(asked(&served, "GET", "/none", "").text(), "<p>Nothing.");
    let page = tree.root().join("errors/404.html");
    let large = vec![b'x'; 1 << 20];
    let steps: [(Option<&[u8]>, &[u8]); 4] = [
        (Some(b"other"), b"other"),
        (Some(b""), b""),
        (Some(&large), &large),
        (None, b"404 Not Found\n"),
    ];
    for (content, expected) in steps {
        match content {
            Some(content) => {
                fs::write(tree.root().join("next"), content).expect("a file");
                fs::rename(tree.root().join("next"), &page).expect("replaced");
            }
            None => fs::remove_file(&page).expect("removed"),
        }
        wait_until("the new page", || {
            let response = asked(&served, "GET", "/none", "");
            assert_eq!(response.status, 404);
            response.body == expected
        });
    }
}

#[test]
fn what_a_listing_cannot_be_asked_for_has_a_page() {
    let tree = Tree::new();
    let mut policy = Policy {
        listing: true,
        ..Policy::default()
    };
    policy.error_pages.add("400=/a.txt").expect("a page");
    let served = tree.serve_by(policy);
    let response = asked(&served, "GET", "/bare/?sort=x", "");
    assert_eq!((response.status, response.text()), (400, "a.txt"));
}
