//! How many archives and folders there are at a time, and how deep.

use super::*;
use corelane::limits::{ARCHIVE_DEPTH, ARCHIVE_FOLDERS, ARCHIVES};

#[test]
fn folders_lie_within_each_other_up_to_a_most() {
    let tree = Tree::new();
    let inner = |folders: usize| "d/".repeat(folders);
    // The first of them is the one that is asked for.
    fs::create_dir_all(tree.root().join(inner(ARCHIVE_DEPTH))).expect("folders");
    tree.write(OsStr::new(&(inner(ARCHIVE_DEPTH) + "file")), b"deep");
    let served = tree.serve_by(archive_policy());
    let mut client = Client::connect(served.address);
    let whole = get(&mut client, "/d/?download=tar");
    assert_eq!(whole.status, 200);
    let is_deep = |part: &[u8]| part == b"\0deep\0";
    assert!(whole.body.windows(6).any(is_deep));
    fs::create_dir(tree.root().join(inner(ARCHIVE_DEPTH + 1))).expect("a folder");
    let refused = get(&mut client, "/d/?download=tar");
    assert_eq!(refused.status, 404);
    assert!(
        refused.text().contains("within each other"),
        "{}",
        refused.text()
    );
    assert_eq!(get(&mut client, "/d/d/?download=tar").status, 200);
}

#[test]
fn archives_are_on_their_way_up_to_a_most() {
    let tree = Tree::new();
    fs::create_dir(tree.root().join("big")).expect("a folder");
    sparse(&tree.root().join("big/file"), MUCH);
    let root = tree.root();
    let server = Server::bind("127.0.0.1:0").cores("1".parse().expect("one core"));
    let mut policy = archive_policy();
    policy.error_pages.add("503=/busy.html").expect("a page");
    tree.write(OsStr::new("busy.html"), b"<p>busy</p>");
    let server = server.files(policy);
    let served = Served::on(server, move |_| App::new().files("/", &root));
    let mut clients: Vec<_> = (0..ARCHIVES)
        .map(|_| begun(&served, "/big/?download=tar"))
        .collect();
    let mut client = Client::connect(served.address);
    let refused = get(&mut client, "/sub/?download=tar");
    assert_eq!((refused.status, refused.text()), (503, "<p>busy</p>"));
    client.send("HEAD /sub/?download=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head_response();
    assert_eq!(
        (head.status, head.field("content-length")),
        (503, Some("11"))
    );
    // One that is read to its end makes room for another.
    let (mut last, first) = clients.pop().expect("there are some");
    rest(&mut last, first);
    assert_eq!(get(&mut client, "/sub/?download=tar").status, 200);
}

#[test]
fn folders_are_open_for_all_archives_of_a_core_up_to_a_most() {
    let tree = Tree::new();
    // An archive of one of them holds as many folders as it names while the file is not read.
    let folders =
        |target: usize| format!("/{}?download=tar", "d/".repeat(ARCHIVE_DEPTH - target + 1));
    let deep = tree.root().join("d/".repeat(ARCHIVE_DEPTH));
    fs::create_dir_all(&deep).expect("folders");
    sparse(&deep.join("file"), MUCH);
    let page = "<p>busy</p>";
    tree.write(OsStr::new("busy.html"), page.as_bytes());
    let root = tree.root();
    let mut policy = archive_policy();
    let added = policy.error_pages.add("503=/busy.html");
    added.expect("a page");
    let server = Server::bind("127.0.0.1:0").cores("1".parse().expect("one core"));
    let served = Served::on(server.files(policy), move |_| {
        App::new().files("/", &root).files("/other", &root)
    });
    let mut clients = Vec::new();
    let mut left = ARCHIVE_FOLDERS - 1;
    while left > 0 {
        let taken = left.min(ARCHIVE_DEPTH);
        clients.push(begun(&served, &folders(taken)));
        left -= taken;
    }
    // There is one left, so what needs two is refused; the last is taken, in another folder of the core.
    let mut client = Client::connect(served.address);
    let two = get(&mut client, &folders(2));
    assert_eq!((two.status, two.text()), (503, page));
    let last = begun(&served, &format!("/other{}", folders(1)));
    assert_eq!(get(&mut client, &folders(1)).status, 503);
    drop(last);
    let (mut first, content) = clients.swap_remove(0);
    rest(&mut first, content);
    assert_eq!(get(&mut client, "/sub/?download=tar").status, 200);
}
