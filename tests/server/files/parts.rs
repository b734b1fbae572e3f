//! Parts of a file, and what proves that a peer's part is of the same version.

use super::*;
use corelane::limits::FILE_SETTLING;
use std::io::Write;
use std::time::Instant;

/// The strong entity tag of `target`: it is weak for the first moment of a version, so it is asked for
/// until it is not.
pub(super) fn strong_tag(client: &mut Client, target: &str) -> String {
    strong_tag_with(client, target, "")
}

/// The strong entity tag of what a request for `target` with these fields gets.
pub(super) fn strong_tag_with(client: &mut Client, target: &str, fields: &str) -> String {
    let mut tag = String::new();
    wait_until(&format!("the tag of {target} is strong"), || {
        let response = client.ask("GET", target, fields);
        tag = response.field("etag").expect("a tag").to_owned();
        !tag.starts_with("W/")
    });
    tag
}

/// A file of three pieces and a bit.
fn large(tree: &Tree) -> Vec<u8> {
    let content = pattern(3 * FILE_PIECE_BYTES + 7);
    tree.write(OsStr::new("large.bin"), &content);
    content
}

#[test]
fn one_part_of_a_file() {
    let tree = Tree::new();
    let content = large(&tree);
    let length = content.len();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let table = [
        ("0-0".to_owned(), 0..1),
        ("5-".to_owned(), 5..length),
        ("-7".to_owned(), length - 7..length),
        (format!("0-{}", length * 2), 0..length),
        ("0-99999999999999999999999".to_owned(), 0..length),
        (
            format!("{}-{}", FILE_PIECE_BYTES - 1, 2 * FILE_PIECE_BYTES),
            FILE_PIECE_BYTES - 1..2 * FILE_PIECE_BYTES + 1,
        ),
    ];
    for (range, expected) in table {
        let response = client.ask("GET", "/large.bin", &format!("Range: bytes={range}\r\n"));
        assert_eq!(response.status, 206, "{range}");
        let place = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
        assert_eq!(response.field("content-range"), Some(&*place));
        assert!(response.body == content[expected], "{range}");
    }
    let response = client.ask("GET", "/large.bin", &format!("Range: bytes={length}-\r\n"));
    assert_eq!(response.status, 416);
    let place = format!("bytes */{length}");
    assert_eq!(response.field("content-range"), Some(&*place));
    client.send("HEAD /large.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n");
    let head = client.head_response();
    let told = (head.status, head.field("content-length"));
    assert_eq!(told, (200, Some(&*length.to_string())));
}

#[test]
fn several_parts_of_a_file() {
    let tree = Tree::new();
    let content = large(&tree);
    let length = content.len();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let fields = "Range: bytes=1000-1001, -3, 0-1\r\n";
    let response = client.ask("GET", "/large.bin", fields);
    assert_eq!(response.status, 206);
    assert_eq!(response.field("content-range"), None);
    let media = response.field("content-type").expect("a type");
    let boundary = media
        .strip_prefix("multipart/byteranges; boundary=")
        .expect("parts");
    let mut expected = Vec::new();
    for (index, range) in [1000..1002, length - 3..length, 0..2]
        .into_iter()
        .enumerate()
    {
        let line_end = if index == 0 { "" } else { "\r\n" };
        let head = format!(
            "{line_end}--{boundary}\r\nContent-Type: application/octet-stream\r\n\
             Content-Range: bytes {}-{}/{length}\r\n\r\n",
            range.start,
            range.end - 1
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&content[range]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(response.body, expected);
    // No two have the same boundary.
    let again = client.ask("GET", "/large.bin", fields);
    assert_ne!(again.field("content-type"), Some(media));
}

#[test]
fn a_tag_proves_a_version() {
    let tree = Tree::new();
    large(&tree);
    let served = tree.serve_unremembered();
    let mut client = Client::connect(served.address);
    let tag = strong_tag(&mut client, "/large.bin");
    let table = [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-None-Match: W/{tag}\r\n"), 304),
        (format!("If-Match: {tag}\r\n"), 200),
        (format!("If-Match: W/{tag}\r\n"), 412),
        (format!("If-Range: {tag}\r\nRange: bytes=0-1\r\n"), 206),
        ("If-Range: \"x\"\r\nRange: bytes=0-1\r\n".to_owned(), 200),
        // It was set, and may be that of other content.
        (
            format!("If-Range: {CHANGED_TEXT}\r\nRange: bytes=0-1\r\n"),
            200,
        ),
    ];
    for (fields, status) in &table {
        let response = client.ask("GET", "/large.bin", fields);
        assert_eq!(response.status, *status, "{fields}");
        if *status == 304 {
            assert_eq!(response.field("etag"), Some(&*tag));
        }
    }
    // Another file of the same length and date is another version.
    tree.write(OsStr::new("next.bin"), &vec![0; 3 * FILE_PIECE_BYTES + 7]);
    fs::rename(tree.root().join("next.bin"), tree.root().join("large.bin")).expect("renamed");
    let fields = format!("If-None-Match: {tag}\r\n");
    let response = client.ask("GET", "/large.bin", &fields);
    let date = response.field("last-modified");
    assert_eq!((response.status, date), (200, Some(CHANGED_TEXT)));
}

#[test]
fn a_hash_is_the_same_for_the_same_content() {
    let tree = Tree::new();
    let content = large(&tree);
    tree.write(OsStr::new("same.bin"), &content);
    tree.write(OsStr::new("other.bin"), &content[1..]);
    let served = tree.serve_by(Policy {
        entity_tags: corelane::files::policy::EntityTags::Hash,
        cache_bytes: 0,
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    let mut tag = |target| get(&mut client, target).field("etag").map(str::to_owned);
    let first = tag("/large.bin").expect("a tag");
    assert!(first.starts_with('"'), "{first}");
    assert_eq!(tag("/large.bin"), Some(first.clone()));
    assert_eq!(tag("/same.bin"), Some(first.clone()));
    assert_ne!(tag("/other.bin"), Some(first.clone()));
    tree.write(OsStr::new("same.bin"), &content[..10]);
    assert_ne!(tag("/same.bin"), Some(first));
}

#[test]
fn a_log_that_grows_is_sent_as_it_was() {
    let tree = Tree::new();
    // More than the kernel holds for a peer that does not read.
    let length = 64 * 1024 * 1024;
    let content = pattern(length);
    tree.write(OsStr::new("growing.log"), &content);
    let served = tree.serve("/");
    let grow = || {
        let mut client = Client::connect(served.address);
        client.get("/growing.log");
        let begun = client.exactly(1000).expect("the beginning");
        let mut log = fs::OpenOptions::new()
            .append(true)
            .open(tree.root().join("growing.log"))
            .expect("the log");
        let began = Instant::now();
        log.write_all(b"more").expect("longer");
        (client, begun, began.elapsed())
    };
    // An append may take so long on a busy disk that the server gives the file up, and has to.
    let (mut client, begun) = loop {
        let (client, begun, took) = grow();
        if took < FILE_SETTLING {
            break (client, begun);
        }
        tree.write(OsStr::new("growing.log"), &content);
    };
    let head_bytes = begun
        .windows(4)
        .position(|at| at == b"\r\n\r\n")
        .expect("a head")
        + 4;
    let rest = client
        .exactly(head_bytes + length - 1000)
        .expect("the rest");
    assert!([&begun[head_bytes..], &rest].concat() == content);
    assert_eq!(get(&mut client, "/a.txt").text(), "a.txt");
}
