//! The content of files, of every size and in every version.

use super::*;

#[test]
fn files_of_every_size() {
    let tree = Tree::new();
    let served = tree.serve_unremembered();
    let mut client = Client::connect(served.address);
    let (inline, piece) = (INLINE_BODY_BYTES, FILE_PIECE_BYTES);
    let large = 10 * 1024 * 1024;
    for size in [
        0,
        1,
        inline - 1,
        inline,
        inline + 1,
        piece - 1,
        piece,
        piece + 1,
        large,
    ] {
        let content = pattern(size);
        tree.write(OsStr::new("sized.bin"), &content);
        let response = get(&mut client, "/sized.bin");
        assert_eq!(response.field("content-length"), Some(&*size.to_string()));
        assert!(response.body == content, "{size}");
        // Two at once, the second not read before the first.
        client.get("/sized.bin");
        client.get("/a.txt");
        assert!(client.response().body == content, "{size}");
        assert_eq!(client.response().text(), "a.txt");
    }
}

#[test]
fn files_that_change_are_served_as_they_are() {
    let tree = Tree::new();
    let served = tree.serve_unremembered();
    let mut client = Client::connect(served.address);
    for content in ["one", "two and more", "", "four"] {
        tree.write(OsStr::new("changes.txt"), content.as_bytes());
        assert_eq!(get(&mut client, "/changes.txt").text(), content);
    }
    fs::remove_file(tree.root().join("changes.txt")).expect("removed");
    assert_eq!(get(&mut client, "/changes.txt").status, 404);
}

#[test]
fn a_file_from_the_future_is_no_younger_than_its_response() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let file = fs::File::options()
        .write(true)
        .open(tree.root().join("a.txt"))
        .expect("the file");
    file.set_modified(tomorrow).expect("its time");
    let response = get(&mut Client::connect(served.address), "/a.txt");
    let date = |name| {
        let text = response.field(name).expect("a date");
        httpdate::parse_http_date(text).expect("an HTTP-date")
    };
    assert!(date("last-modified") <= date("date"), "{response:?}");
}
