//! What a core remembers of files is never old, and never a mixture.

use super::super::support::client::Broken;
use super::super::support::{PATIENCE, scrape};
use super::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Asks until the answer is `wanted`; until then it is one of `others`.
pub(super) fn until(client: &mut Client, target: &str, wanted: &str, others: &[&str]) {
    let begun = Instant::now();
    loop {
        let response = get(client, target);
        let text = match response.status {
            404 => "gone",
            _ => response.text(),
        };
        if text == wanted {
            return;
        }
        assert!(others.contains(&text), "{text}");
        assert!(begun.elapsed() < PATIENCE, "it never became {wanted}");
    }
}

/// The sum over the cores of a figure of their memory of files.
pub(super) fn figure(client: &mut Client, name: &str) -> u64 {
    let stats = scrape(client);
    let cores = stats["cores"].as_array().expect("cores");
    let figures = cores.iter().map(|core| &core["file_cache"][name]);
    figures
        .map(|figure| figure.as_u64().expect("a number"))
        .sum()
}

#[test]
fn what_changes_is_seen_in_time() {
    let tree = Tree::new();
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let path = tree.root().join("changes.txt");
    tree.write(OsStr::new("changes.txt"), b"one");
    until(&mut client, "/changes.txt", "one", &[]);
    // In place, with another length and with the same.
    fs::write(&path, "two and more").expect("written");
    until(&mut client, "/changes.txt", "two and more", &["one", ""]);
    fs::write(&path, "and two more").expect("written");
    until(
        &mut client,
        "/changes.txt",
        "and two more",
        &["two and more", ""],
    );
    fs::remove_file(&path).expect("removed");
    until(&mut client, "/changes.txt", "gone", &["and two more"]);
    fs::write(&path, "again").expect("written");
    until(&mut client, "/changes.txt", "again", &["gone", ""]);
    // Replaced by what is not served.
    fs::rename(tree.root().join("outside"), &path).expect("renamed");
    until(&mut client, "/changes.txt", "gone", &["again"]);
}

#[test]
fn what_is_remembered_is_answered_alike() {
    let tree = Tree::new();
    let length = INLINE_BODY_BYTES + 10;
    let content = pattern(length);
    tree.write(OsStr::new("kept.bin"), &content);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let begun = Instant::now();
    // The first moment of a version is not remembered.
    while figure(&mut client, "hits") == 0 {
        assert!(get(&mut client, "/kept.bin").body == content);
        assert!(begun.elapsed() < PATIENCE);
    }
    let tag = get(&mut client, "/kept.bin")
        .field("etag")
        .expect("a tag")
        .to_owned();
    let table = [
        (String::new(), 200, 0..length),
        ("Range: bytes=5-9\r\n".to_owned(), 206, 5..10),
        (format!("Range: bytes={length}-\r\n"), 416, 0..0),
        (format!("If-None-Match: {tag}\r\n"), 304, 0..0),
        ("If-Match: \"x\"\r\n".to_owned(), 412, 0..0),
    ];
    for (fields, status, range) in table {
        client.send(format!("GET /kept.bin HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        let response = client.response();
        assert_eq!(response.status, status, "{fields}");
        if !range.is_empty() {
            assert!(response.body == content[range], "{fields}");
        }
    }
    client.send("GET /kept.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0,500-501\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 206);
    assert!(
        response
            .body
            .windows(2)
            .any(|two| two == &content[500..502])
    );
    client.send("HEAD /kept.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.head_response();
    assert_eq!(head.field("content-length"), Some(&*length.to_string()));
}

#[test]
fn no_more_is_remembered_than_there_is_room_for() {
    let tree = Tree::new();
    for number in 0..20 {
        tree.write(OsStr::new(&format!("{number}.bin")), &[0; 1000]);
    }
    for (room, entries) in [(0, 0), (5000, 2)] {
        let served = tree.serve_by(Policy {
            cache_bytes: room,
            ..Policy::default()
        });
        let mut client = Client::connect(served.address);
        for number in (0..20).cycle().take(60) {
            assert_eq!(get(&mut client, &format!("/{number}.bin")).body, [0; 1000]);
        }
        assert!(figure(&mut client, "bytes") <= room);
        assert!(figure(&mut client, "entries") <= entries);
    }
}

/// Bytes of a version: its number, over and over.
fn version(number: u64) -> Vec<u8> {
    let words = 6_000 + number as usize % 7 * 4_001;
    number.to_be_bytes().repeat(words)
}

/// The version that all of these bytes are of, which begin at a multiple of 8.
fn version_of(bytes: &[u8]) -> Option<u64> {
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let mut words = bytes.chunks(8);
    words
        .all(|word| word == &first[..word.len()])
        .then(|| u64::from_be_bytes(first))
}

#[test]
fn a_thousand_clients_get_versions_that_were_while_the_tree_is_rewritten() {
    const CLIENTS: usize = 1_000;
    const AT_ONCE: usize = 50;
    let tree = Tree::new();
    let root = tree.root();
    let put = |name: &str, number| {
        let next = root.join(format!("{name}.next"));
        fs::write(&next, version(number)).expect("written");
        fs::rename(next, root.join(name)).expect("renamed");
    };
    put("renamed.bin", 1);
    fs::write(root.join("written.bin"), version(1)).expect("written");
    let served = tree.serve("/");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 2.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                put("renamed.bin", number);
                // Truncated first, as `cp` does.
                fs::write(root.join("written.bin"), version(number)).expect("written");
            }
        });
        let clients: Vec<_> = (0..CLIENTS / AT_ONCE)
            .map(|_| scope.spawn(|| (0..AT_ONCE).for_each(|_| download(served.address))))
            .collect();
        for client in clients {
            client.join().expect("a client");
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

/// A client: each of its downloads is of one version, or its connection ends.
fn download(address: std::net::SocketAddr) {
    let mut client = Client::connect(address);
    client.get("/renamed.bin");
    let response = client.response();
    assert_eq!(response.status, 200);
    let number = version_of(&response.body).expect("one version");
    assert_eq!(response.body.len(), version(number).len(), "all of it");

    client.send("GET /renamed.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=16-40015\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 206);
    let number = version_of(&response.body).expect("one version");
    let length = version(number).len();
    let place = format!("bytes 16-40015/{length}");
    assert_eq!(response.field("content-range"), Some(&*place));

    client.get("/written.bin");
    match client.try_response(false) {
        // What was written of it at the time; nothing, as it was truncated.
        Ok(response) if response.status == 200 => {
            if !response.body.is_empty() {
                let number = version_of(&response.body).expect("one version");
                assert!(response.body.len() <= version(number).len());
            }
        }
        // It is written to all the time.
        Ok(response) => assert_eq!(response.status, 503),
        Err(Broken::Closed(_) | Broken::Reset) => {}
    }
}
