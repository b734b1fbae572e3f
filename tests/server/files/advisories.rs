//! What other servers were once led to do by a path, one by one, as their advisories tell. None of it
//! shows anything here but what the path names by its letters.

use super::*;

/// Asks for each target on a connection of its own. None may show what lies outside of the folder, nor
/// redirect to another host.
fn shows_nothing(tree: &Tree, served: &Served, targets: &[&str]) {
    let secret = tree.outer.path().join("secret");
    for target in targets {
        let target = target.replace("{secret}", secret.to_str().expect("text"));
        let response = get(&mut Client::connect(served.address), &target);
        assert!(
            matches!(response.status, 400 | 404),
            "{target}: {response:?}"
        );
        assert!(!response.text().contains("secret"), "{target}");
        assert_eq!(response.field("location"), None, "{target}");
    }
}

/// Apache HTTP Server 2.4.49: `%2e` was decoded after dot segments had been looked for. 2.4.50 decoded
/// `%%32%65` twice.
#[test]
fn cve_2021_41773_and_cve_2021_42013() {
    let tree = Tree::new();
    let served = tree.serve("/");
    shows_nothing(
        &tree,
        &served,
        &[
            "/.%2e/secret",
            "/sub/.%2e/.%2e/secret",
            "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd",
            "/sub/%2e%2e/%2e%2e/secret",
            "/.%%32%65/secret",
            "/sub/.%%32%65/.%%32%65/secret",
            "/sub/%%32%65%%32%65/%%32%65%%32%65/secret",
            "/sub/%252e%252e/%252e%252e/secret",
        ],
    );
}

/// aiohttp before 3.9.2: with `follow_symlinks`, `..` led out of the folder.
#[test]
fn cve_2024_23334() {
    let tree = Tree::new();
    for symlinks in [
        corelane::files::policy::Symlinks::Beneath,
        corelane::files::policy::Symlinks::Any,
    ] {
        let served = tree.serve_by(Policy {
            symlinks,
            ..Policy::default()
        });
        shows_nothing(
            &tree,
            &served,
            &[
                "/../secret",
                "/sub/../../secret",
                "/sub/../../../../../../etc/passwd",
                "/..%2Fsecret",
                "/{secret}",
                "/%2F{secret}",
            ],
        );
    }
}

/// The page of the listing at `target`, which has a name that is HTML as text alone.
fn lists_text(client: &mut Client, target: &str) {
    let response = client.ask("GET", target, "Accept: text/html\r\n");
    assert_eq!(response.status, 200, "{target}: {response:?}");
    let html = Some("text/html; charset=utf-8");
    assert_eq!(response.field("content-type"), html);
    let page = response.text();
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;"),
        "{page}"
    );
    for part in ["<img", "<script"] {
        assert!(!page.contains(part), "{part}: {page}");
    }
}

/// aiohttp before 3.9.4: names were written into the page of a listing as they are. Whatever is made of
/// a path here, errors above all, is not taken for HTML, or holds nothing of the path.
#[test]
fn cve_2024_27306() {
    let tree = Tree::new();
    let folder = "list/<img src=x onerror=alert(1)>";
    fs::create_dir_all(tree.root().join(folder)).expect("a folder");
    let listed = tree.serve_by(Policy {
        listing: true,
        ..Policy::default()
    });
    let mut client = Client::connect(listed.address);
    lists_text(&mut client, "/list/");
    // It is the heading of its own listing.
    lists_text(&mut client, "/list/%3Cimg%20src=x%20onerror=alert(1)%3E/");
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    for target in [
        "/%3Cimg%20src=x%20onerror=alert(1)%3E",
        "/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/sub/%3Cimg%3E/",
    ] {
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.status, 404, "{target}");
        for part in ["<img", "<script", "onerror"] {
            assert!(!response.text().contains(part), "{target}: {response:?}");
        }
    }
    // A folder of that name is redirected to without a way out of the field.
    fs::create_dir(tree.root().join("<img src=x>\r\nX: y")).expect("a folder");
    let response = get(&mut client, "/%3Cimg%20src=x%3E%0D%0AX:%20y");
    let location = "/%3Cimg%20src=x%3E%0D%0AX:%20y/";
    assert_eq!(response.field("location"), Some(location));
    assert_eq!(response.field("x"), None);
}

/// CPython's http.server before 3.11: `//host/..` was redirected to, which leads to another host.
#[test]
fn cve_2021_28861() {
    let tree = Tree::new();
    let served = tree.serve("/");
    shows_nothing(
        &tree,
        &served,
        &[
            "//evil.example/%2e%2e",
            "//evil.example/%2f..",
            "//evil.example/..",
            "//evil.example//sub",
            "//sub",
            "/%2Fsub",
            "/%5C%5Cevil.example",
            "///evil.example",
        ],
    );
}

/// static-web-server before 2.40: a link to what lies outside was followed.
#[test]
fn cve_2025_67487() {
    let tree = Tree::new();
    let served = tree.serve("/");
    shows_nothing(
        &tree,
        &served,
        &["/outside", "/absolute", "/up/secret", "/up/root/../secret"],
    );
}

/// static-web-server before 2.30: names of files were written into a listing as they are.
#[test]
fn cve_2024_32966() {
    let tree = Tree::new();
    fs::create_dir(tree.root().join("list")).expect("a folder");
    tree.write(OsStr::new("list/<img src=x onerror=alert(1)>.txt"), b"x");
    let served = tree.serve_by(Policy {
        listing: true,
        ..Policy::default()
    });
    lists_text(&mut Client::connect(served.address), "/list/");
}

/// tower-http before 0.2.1, RUSTSEC-2021-0135 and RUSTSEC-2022-0043, and hyper-staticfile,
/// RUSTSEC-2022-0069: on Windows a segment such as `c:` began a path anew. Here it is a name.
#[test]
fn rustsec_2022_0043_and_rustsec_2022_0069() {
    let tree = Tree::new();
    let served = tree.serve("/");
    shows_nothing(
        &tree,
        &served,
        &[
            "/c:/windows/web/screen/img101.png",
            "/sub/c:/secret",
            "/%63%3A/secret",
            "/sub/C:%5Csecret",
        ],
    );
    fs::create_dir(tree.root().join("c:")).expect("a folder");
    tree.write(OsStr::new("c:/a.txt"), b"a name");
    let response = get(&mut Client::connect(served.address), "/c:/a.txt");
    assert_eq!(response.text(), "a name");
}
