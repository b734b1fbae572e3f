//! What a core remembers of files is never old, and never a mixture.

use super::super::support::scrape;
use super::*;
use corelane::cores::CoreSelection;
use corelane::limits::CACHED_FILE_BYTES;
use std::num::NonZeroUsize;

/// Asks until the answer is `wanted`; until then it is one of `others`.
pub(super) fn until(client: &mut Client, target: &str, wanted: &str, others: &[&str]) {
    wait_until(&format!("{target} is {wanted}"), || {
        let response = get(client, target);
        let text = match response.status {
            404 => "gone",
            _ => response.text(),
        };
        assert!(text == wanted || others.contains(&text), "{text}");
        text == wanted
    });
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
    // The first moment of a version is not remembered.
    wait_until("it is remembered", || {
        assert!(get(&mut client, "/kept.bin").body == content);
        figure(&mut client, "hits") > 0
    });
    is_answered_alike(&mut client, &content);
}

#[test]
fn what_there_is_a_replica_of_is_answered_alike() {
    let tree = Tree::new();
    let content = pattern(3_000_000);
    tree.write(OsStr::new("kept.bin"), &content);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    until_replicated(&tree, &mut client, "/kept.bin", &content);
    is_answered_alike(&mut client, &content);
    // Not the file, which is closed.
    assert_eq!(open(&tree), 0);
}

#[test]
fn a_replica_is_forgotten_with_its_version() {
    let tree = Tree::new();
    let content = pattern(3_000_000);
    let (short, most) = (vec![b'b'; 1000], content.len() as u64);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    for (name, status) in [("replaced.bin", 200), ("deleted.bin", 404)] {
        let (target, path) = (format!("/{name}"), tree.root().join(name));
        tree.write(OsStr::new(name), &content);
        until_replicated(&tree, &mut client, &target, &content);
        tree.write(OsStr::new("other"), &short);
        let changed = match status {
            200 => fs::rename(tree.root().join("other"), &path),
            _ => fs::remove_file(&path),
        };
        changed.expect("changed");
        wait_until("it is another", || {
            let response = get(&mut client, &target);
            let is_other = match status {
                200 => response.body == short,
                _ => response.status == status,
            };
            assert!(is_other || response.body == content);
            is_other
        });
        assert!(figure(&mut client, "bytes") < most, "{name}");
    }
}

#[test]
fn a_file_is_remembered_once_however_its_path_is_written() {
    let tree = Tree::new();
    let spellings = |octet: u8| {
        [
            format!("%{octet:02x}"),
            format!("%{octet:02X}"),
            char::from(octet).to_string(),
        ]
    };
    let content = pattern(1000);
    tree.write(OsStr::new("jo:"), &content);
    tree.write(OsStr::new("5%"), &content);
    tree.write(OsStr::from_bytes(b"\xfe\xc3"), &content);
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let root = tree.root();
    let served = Served::on(server, move |_| App::new().files("/", &root));
    let mut client = Client::connect(served.address);
    let targets = |client: &mut Client| {
        for first in spellings(b'j') {
            for second in spellings(b'o') {
                for third in spellings(b':') {
                    let target = format!("/{first}{second}{third}?{first}");
                    assert!(get(client, &target).body == content, "{target}");
                }
            }
        }
        for target in ["/5%25", "/%35%25", "/%FE%C3", "/%fe%c3", "/%Fe%C3"] {
            assert!(get(client, target).body == content, "{target}");
        }
    };
    // The first moment of a version is not remembered.
    wait_until("they are remembered", || {
        let before = figure(&mut client, "misses");
        targets(&mut client);
        figure(&mut client, "misses") == before
    });
    assert_eq!(figure(&mut client, "entries"), 3);
}

#[test]
fn nothing_is_copied_for_who_gets_no_beginning_of_it() {
    let tree = Tree::new();
    let content = pattern(CACHED_FILE_BYTES + 1000);
    tree.write(OsStr::new("kept.bin"), &content);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    wait_until("it is kept open", || {
        let response = client.ask("GET", "/kept.bin", "Range: bytes=1-10\r\n");
        assert!(response.body == content[1..11]);
        open(&tree) == 1
    });
    for fields in [
        "If-None-Match: *\r\n",
        "If-Match: \"x\"\r\n",
        "Range: bytes=1-\r\n",
        "Range: bytes=1000000-\r\n",
        "Range: bytes=0-1,1000-2000\r\n",
    ] {
        for _ in 0..3 {
            client.ask("GET", "/kept.bin", fields);
        }
    }
    assert!(figure(&mut client, "bytes") < content.len() as u64);
    // A part from the beginning on is copied, and the rest as it is sent.
    client.ask("GET", "/kept.bin", "Range: bytes=0-\r\n");
    assert!(figure(&mut client, "bytes") > content.len() as u64);
    until_replicated(&tree, &mut client, "/kept.bin", &content);
}

/// Asks for `target` until there is a replica of it, and the file is closed.
pub(super) fn until_replicated(tree: &Tree, client: &mut Client, target: &str, content: &[u8]) {
    wait_until("there is a replica", || {
        assert!(get(client, target).body == content);
        figure(client, "bytes") > content.len() as u64 && open(tree) == 0
    });
}

/// Asks for `/kept.bin` in all ways that a part of it, or nothing of it, is sent for.
fn is_answered_alike(client: &mut Client, content: &[u8]) {
    let length = content.len();
    let tag = get(client, "/kept.bin")
        .field("etag")
        .expect("a tag")
        .to_owned();
    let table = [
        (String::new(), 200, 0..length),
        ("Range: bytes=5-9\r\n".to_owned(), 206, 5..10),
        ("Range: bytes=100-15100\r\n".to_owned(), 206, 100..15_101),
        (
            "Range: bytes=-16390\r\n".to_owned(),
            206,
            length - 16_390..length,
        ),
        (format!("Range: bytes={length}-\r\n"), 416, 0..0),
        (format!("If-None-Match: {tag}\r\n"), 304, 0..0),
        ("If-Match: \"x\"\r\n".to_owned(), 412, 0..0),
    ];
    for (fields, status, range) in table {
        let response = client.ask("GET", "/kept.bin", &fields);
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

/// How often the files of `tree` are open in this process.
fn open(tree: &Tree) -> usize {
    let root = tree.root();
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors");
    let links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok());
    links
        .filter(|link| link.starts_with(&root) && *link != root)
        .count()
}

#[test]
fn a_file_that_is_gone_is_not_kept_open() {
    let tree = Tree::new();
    // There is no room for replicas of them.
    let content = pattern(CACHED_FILE_BYTES + 1);
    let policy = Policy {
        cache_bytes: 4 * CACHED_FILE_BYTES as u64,
        ..Policy::default()
    };
    for name in ["deleted.bin", "replaced.bin", "deleted.txt.gz"] {
        tree.write(OsStr::new(name), &content);
    }
    tree.write(OsStr::new("deleted.txt"), b"to be deleted");
    let served = tree.serve_by(policy);
    let mut client = Client::connect(served.address);
    // The first moment of a version is not remembered.
    wait_until("they are kept open", || {
        for target in ["/deleted.bin", "/replaced.bin", "/deleted.txt"] {
            let response = client.ask("GET", target, "Accept-Encoding: gzip\r\n");
            assert!(response.body == content, "{target}");
        }
        open(&tree) == 3
    });
    fs::remove_file(tree.root().join("deleted.bin")).expect("it was there");
    fs::remove_file(tree.root().join("deleted.txt.gz")).expect("it was there");
    fs::rename(tree.root().join("a.txt"), tree.root().join("replaced.bin")).expect("renamed");
    // Nobody asks for them any more.
    wait_until("they are closed", || open(&tree) == 0);
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
