//! Files that the server compresses when they are asked for, unpacked by the programs of others.

use super::super::support::PATIENCE;
use super::super::support::outside::has;
use super::precompressed::accepting;
use super::remembered::figure;
use super::*;
use corelane::files::variants::coding_of;
use corelane::limits::{COMPRESS_FROM_BYTES, COMPRESSED_FILE_BYTES, FILE_CODING_BYTES};
use std::process::{Command, Stdio};

/// A suffix, what undoes its coding, and the name of that.
pub(super) const CODINGS: [(&str, &str, &str); 3] = [
    ("zst", "zstd", "zstd"),
    ("br", "brotli", "br"),
    ("gz", "gzip", "gzip"),
];

pub(super) fn compressing(levels: [u8; 3]) -> Policy {
    let coding = |(suffix, ..): (&str, _, _)| coding_of(suffix).expect("a coding");
    let codings = CODINGS.map(coding).into_iter();
    Policy {
        compress: codings.zip(levels).collect(),
        // However slow the machine is.
        compression_wait: PATIENCE,
        ..Policy::default()
    }
}

/// Text of so many bytes, which is worth to be compressed and not merely the same again and again.
fn text(bytes: usize) -> Vec<u8> {
    let words = ["lorem", "ipsum", "dolor", "sit", "amet"];
    let lines = (0_u64..).map(|line| {
        let word = words[(line.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 61) as usize % words.len()];
        format!("{word} {:x}\n", line.wrapping_mul(line))
    });
    let mut text = String::new();
    for line in lines {
        if text.len() >= bytes {
            break;
        }
        text += &line;
    }
    text.truncate(bytes);
    text.into_bytes()
}

pub(super) fn decoded(program: &str, content: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("coded");
    fs::write(&path, content).expect("a file");
    let coded = fs::File::open(&path).expect("the file");
    let mut command = Command::new(program);
    command.arg("-dc").stdin(Stdio::from(coded));
    let output = command.output().expect("it can be run");
    assert!(output.status.success(), "{program}: {output:?}");
    output.stdout
}

/// Asks until the server remembers what it answers with.
fn until_remembered(client: &mut Client, target: &str, codings: &str) -> Response {
    let mut told = None;
    wait_until(&format!("{target} is remembered"), || {
        let before = figure(client, "hits");
        told = Some(accepting(client, target, codings));
        figure(client, "hits") > before
    });
    told.expect("an answer")
}

#[test]
fn all_codings_decode_to_the_file() {
    if !CODINGS.iter().all(|(_, program, _)| has(program)) {
        return;
    }
    let tree = Tree::new();
    let lengths = [
        COMPRESS_FROM_BYTES,
        FILE_CODING_BYTES,
        FILE_CODING_BYTES + 1,
        2 * FILE_PIECE_BYTES,
        2 * FILE_PIECE_BYTES + 7,
    ];
    for length in lengths {
        tree.write(OsStr::new(&format!("{length}.css")), &text(length));
    }
    // The lowest levels, what they are by default, and higher ones.
    for levels in [[1, 0, 1], [3, 4, 5], [9, 6, 9]] {
        let served = tree.serve_by(compressing(levels));
        let mut client = Client::connect(served.address);
        for length in lengths {
            let target = format!("/{length}.css");
            for (_, program, coding) in CODINGS {
                let response = accepting(&mut client, &target, coding);
                let what = format!("{target} {coding} {levels:?}");
                assert_eq!(response.status, 200, "{what}");
                assert_eq!(response.field("content-encoding"), Some(coding), "{what}");
                assert_eq!(response.field("vary"), Some("Accept-Encoding"), "{what}");
                assert!(response.body.len() < length, "{what}");
                assert!(decoded(program, &response.body) == text(length), "{what}");
                // The same octets under the same tag, from memory and made again.
                let again = until_remembered(&mut client, &target, coding);
                assert!(again.body == response.body, "{what}");
                let tag = response.field("etag").expect("a tag");
                assert!(tag.starts_with('"'), "{what}");
                assert_eq!(again.field("etag"), Some(tag), "{what}");
                let fields = format!("Accept-Encoding: {coding}\r\n");
                let head = client.ask("HEAD", &target, &fields);
                for name in ["content-length", "content-encoding", "vary", "etag"] {
                    assert_eq!(head.field(name), response.field(name), "{what} {name}");
                }
            }
        }
    }
}

#[test]
fn whoever_would_wait_for_long_gets_the_file_as_it_is() {
    let tree = Tree::new();
    let served = tree.serve_by(Policy {
        compression_wait: Duration::ZERO,
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    for method in ["GET", "HEAD"] {
        for (suffix, _, coding) in CODINGS {
            let target = format!("/{method}.{suffix}.css");
            tree.write(OsStr::new(&target[1..]), &text(50_000));
            let plain = client.ask("GET", &target, "");
            let fields = format!("Accept-Encoding: {coding}\r\n");
            let first = client.ask(method, &target, &fields);
            assert_eq!(first.status, 200, "{target}");
            assert_eq!(first.field("content-encoding"), None, "{target}");
            assert_eq!(first.field("vary"), Some("Accept-Encoding"), "{target}");
            assert_eq!(first.field("content-length"), Some("50000"), "{target}");
            let tag = |response: &Response| {
                // A file that was changed just now has a weak one.
                let tag = response.field("etag").expect("a tag");
                tag.trim_start_matches("W/").to_owned()
            };
            assert_eq!(tag(&first), tag(&plain), "{target}");
            // It was made all the same, for those who come later.
            let later = until_remembered(&mut client, &target, coding);
            assert_eq!(later.field("content-encoding"), Some(coding), "{target}");
            assert_ne!(tag(&later), tag(&plain), "{target}");
        }
    }
    // Who refuses it so gets what is worth the wait.
    tree.write(OsStr::new("a.css"), &text(50_000));
    let response = accepting(&mut client, "/a.css", "gzip, identity;q=0");
    assert_eq!(response.field("content-encoding"), Some("gzip"));
}

#[test]
fn curl_understands_it() {
    if !has("curl") {
        return;
    }
    let tree = Tree::new();
    tree.write(OsStr::new("a.js"), &text(100_000));
    let served = tree.serve_by(compressing([3, 4, 5]));
    let url = format!("http://{}/a.js", served.address);
    let output = Command::new("curl")
        .args(["-s", "--compressed", &url])
        .output();
    assert!(output.expect("it can be run").stdout == text(100_000));
}

#[test]
fn peers_get_what_they_want_and_neighbours_go_first() {
    let tree = Tree::new();
    tree.write(OsStr::new("a.css"), &text(5000));
    tree.write(OsStr::new("b.css"), &text(5000));
    tree.write(OsStr::new("b.css.br"), b"br");
    let served = tree.serve_by(compressing([3, 4, 5]));
    let mut client = Client::connect(served.address);
    let table = [
        ("/a.css", "gzip, deflate, br, zstd", Some("zstd")),
        ("/a.css", "gzip, br", Some("br")),
        ("/a.css", "gzip, br;q=0.5", Some("gzip")),
        ("/a.css", "x-gzip", Some("gzip")),
        ("/a.css", "*", Some("zstd")),
        ("/a.css", "*, zstd;q=0, br;q=0", Some("gzip")),
        ("/a.css", "gzip;q=0.2, identity;q=0.5", None),
        ("/a.css", "identity;q=0, gzip;q=0.1", Some("gzip")),
        ("/a.css", "identity;q=0", None),
        ("/a.css", "deflate", None),
        ("/a.css", "", None),
        ("/b.css", "gzip, br, zstd", Some("br")),
        ("/b.css", "gzip, br;q=0.5", Some("gzip")),
    ];
    for (target, codings, coding) in table.iter().chain(&table) {
        let response = accepting(&mut client, target, codings);
        let what = format!("{target} {codings}");
        assert_eq!(response.status, 200, "{what}");
        assert_eq!(response.field("content-encoding"), *coding, "{what}");
        assert_eq!(response.field("vary"), Some("Accept-Encoding"), "{what}");
        let is_neighbour = response.body == b"br";
        assert_eq!(
            is_neighbour,
            *target == "/b.css" && *coding == Some("br"),
            "{what}"
        );
        if coding.is_none() {
            assert!(response.body == text(5000), "{what}");
        }
    }
}

#[test]
fn what_is_not_compressed_is_sent_as_it_is() {
    let tree = Tree::new();
    let most = COMPRESSED_FILE_BYTES as usize;
    let mut noise = Vec::new();
    let mut state = 7_u64;
    while noise.len() < 5000 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        noise.push((state >> 56) as u8);
    }
    tree.write(OsStr::new("small.css"), &text(COMPRESS_FROM_BYTES - 1));
    tree.write(OsStr::new("most.css"), &vec![b'a'; most]);
    tree.write(OsStr::new("more.css"), &vec![b'a'; most + 1]);
    tree.write(OsStr::new("a.png"), &text(5000));
    tree.write(OsStr::new("noext"), &text(5000));
    tree.write(OsStr::new("kept.css"), &text(5000));
    tree.write(OsStr::new("noise.css"), &noise);
    let value = http::HeaderValue::from_static;
    let served = tree.serve_by(Policy {
        cache_control: vec![(
            "kept.css".parse().expect("a glob"),
            value("public, No-Transform"),
        )],
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    // What turns out to be no smaller was negotiated, though.
    let table = [
        ("/small.css", None, None),
        ("/more.css", None, None),
        ("/a.png", None, None),
        ("/noext", None, None),
        ("/kept.css", None, None),
        ("/noise.css", None, Some("Accept-Encoding")),
        ("/most.css", Some("gzip"), Some("Accept-Encoding")),
    ];
    for (target, coding, vary) in table.iter().chain(&table) {
        let response = accepting(&mut client, target, "gzip");
        assert_eq!(response.status, 200, "{target}");
        assert_eq!(response.field("content-encoding"), *coding, "{target}");
        assert_eq!(response.field("vary"), *vary, "{target}");
    }
    let response = until_remembered(&mut client, "/noise.css", "gzip");
    assert!(response.body == noise);
    // Unless it is asked for, nothing is.
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let response = accepting(&mut client, "/most.css", "gzip");
    assert_eq!((response.body.len(), response.field("vary")), (most, None));
}

#[test]
fn conditions_and_ranges_are_those_of_what_was_made() {
    let tree = Tree::new();
    tree.write(OsStr::new("a.css"), &text(50_000));
    let gzip = "Accept-Encoding: gzip\r\n";
    let served = tree.serve_by(compressing([3, 4, 5]));
    let mut client = Client::connect(served.address);
    let whole = client.ask("GET", "/a.css", gzip);
    let tag = whole.field("etag").expect("a tag").to_owned();
    let length = whole.body.len();
    let plain = client.ask("GET", "/a.css", "");
    let other = plain.field("etag").expect("a tag").to_owned();
    assert_ne!(tag, other);
    let table = [
        (format!("If-None-Match: {tag}\r\n"), 304, None),
        (format!("If-None-Match: {other}\r\n"), 200, Some(0..length)),
        (format!("If-Match: {tag}\r\n"), 200, Some(0..length)),
        ("If-Match: \"x\"\r\n".to_owned(), 412, None),
        ("Range: bytes=10-19\r\n".to_owned(), 206, Some(10..20)),
        (
            "Range: bytes=-3\r\n".to_owned(),
            206,
            Some(length - 3..length),
        ),
        (format!("Range: bytes={length}-\r\n"), 416, None),
        (
            format!("Range: bytes=100-\r\nIf-Range: {tag}\r\n"),
            206,
            Some(100..length),
        ),
        (
            format!("Range: bytes=100-\r\nIf-Range: {other}\r\n"),
            200,
            Some(0..length),
        ),
        (
            format!("Range: bytes=100-\r\nIf-Range: {CHANGED_TEXT}\r\n"),
            200,
            Some(0..length),
        ),
        (format!("If-Modified-Since: {CHANGED_TEXT}\r\n"), 304, None),
    ];
    for (fields, status, part) in table {
        let response = client.ask("GET", "/a.css", &format!("{gzip}{fields}"));
        assert_eq!(response.status, status, "{fields}");
        if let Some(part) = part {
            assert!(response.body == whole.body[part.clone()], "{fields}");
            assert_eq!(response.field("content-encoding"), Some("gzip"), "{fields}");
            assert_eq!(response.field("etag"), Some(&*tag), "{fields}");
            let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            let told = response.field("content-range");
            assert_eq!(told, (status == 206).then_some(&*range), "{fields}");
        }
    }
}

#[test]
fn what_was_made_of_another_version_is_not_served_for_long() {
    if !has("gzip") {
        return;
    }
    let tree = Tree::new();
    let served = tree.serve_by(compressing([3, 4, 5]));
    let mut client = Client::connect(served.address);
    let versions = [
        text(20_000),
        text(30_000),
        vec![b'b'; 30_000],
        b"short".to_vec(),
    ];
    let mut before: Option<&Vec<u8>> = None;
    for content in &versions {
        tree.write(OsStr::new("next.css"), content);
        fs::rename(tree.root().join("next.css"), tree.root().join("a.css")).expect("it is there");
        wait_until("the next version is served", || {
            let response = accepting(&mut client, "/a.css", "gzip");
            let got = match response.field("content-encoding") {
                Some(_) => decoded("gzip", &response.body),
                None => response.body,
            };
            let is_next = got == *content;
            assert!(is_next || before.is_some_and(|before| got == *before));
            is_next
        });
        until_remembered(&mut client, "/a.css", "gzip");
        before = Some(content);
    }
}

#[test]
fn what_was_made_counts_as_what_is_remembered() {
    let tree = Tree::new();
    tree.write(OsStr::new("a.css"), &text(1 << 20));
    let served = tree.serve_by(compressing([3, 4, 5]));
    let mut client = Client::connect(served.address);
    let made = until_remembered(&mut client, "/a.css", "gzip").body.len() as u64;
    let bytes = figure(&mut client, "bytes");
    assert!((made..made + 10_000).contains(&bytes), "{made} {bytes}");
    // What there is no room for is not made again and again: the file is sent as it is.
    let served = tree.serve_by(Policy {
        cache_bytes: made,
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    for _ in 0..3 {
        let response = until_remembered(&mut client, "/a.css", "gzip");
        assert_eq!(response.field("content-encoding"), None);
        assert_eq!(response.field("vary"), Some("Accept-Encoding"));
        assert_eq!(response.body.len(), 1 << 20);
    }
    assert!(figure(&mut client, "bytes") <= made);
    // Without any memory it is not even tried.
    let served = tree.serve_by(Policy {
        cache_bytes: 0,
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    let response = accepting(&mut client, "/a.css", "gzip");
    assert_eq!(response.field("content-encoding"), None);
    assert_eq!(response.field("vary"), None);
}

#[test]
fn the_fallback_is_compressed_and_remembered_and_no_file_is_missed_for_it() {
    let tree = Tree::new();
    tree.write(OsStr::new("app.html"), &text(5000));
    let served = tree.serve_by(Policy {
        fallback: Some(c"app.html".to_owned()),
        ..compressing([3, 4, 5])
    });
    let mut client = Client::connect(served.address);
    let fields = "Accept: text/html\r\nAccept-Encoding: gzip\r\n";
    wait_until("it is remembered", || {
        let response = client.ask("GET", "/some/page", fields);
        assert_eq!(response.field("content-encoding"), Some("gzip"));
        figure(&mut client, "hits") > 0
    });
    let hits = figure(&mut client, "hits");
    assert_eq!(client.ask("GET", "/other", fields).status, 200);
    assert_eq!(figure(&mut client, "hits"), hits + 1);
    tree.write(OsStr::new("other"), b"a file");
    let response = client.ask("GET", "/other", fields);
    assert_eq!(response.text(), "a file");
    let missing = client.ask("GET", "/none", "Accept-Encoding: gzip\r\n");
    assert_eq!(missing.status, 404);
}
