//! Compressed neighbours of files, in place of them.

use super::super::support::outside::{has, not_run, run};
use super::parts::{strong_tag, strong_tag_with};
use super::remembered::figure;
use super::*;
use corelane::files::policy::EntityTags;
use corelane::http::ContentCoding;
use std::process::Command;

const PLAIN: &[u8] = b"the file itself";

impl Tree {
    /// Writes `name` and these neighbours, whose content is their suffix, all of one time.
    fn write_with(&self, name: &str, suffixes: &[&str]) {
        self.write(OsStr::new(name), PLAIN);
        for suffix in suffixes {
            let neighbour = format!("{name}.{suffix}");
            self.write(OsStr::new(&neighbour), suffix.as_bytes());
        }
    }
}

/// Asks for `target` in one of these codings.
pub(super) fn accepting(client: &mut Client, target: &str, codings: &str) -> Response {
    client.ask("GET", target, &format!("Accept-Encoding: {codings}\r\n"))
}

#[test]
fn a_peer_gets_the_neighbour_that_it_wants_most() {
    let tree = Tree::new();
    tree.write_with("all.css", &["zst", "br", "gz"]);
    tree.write_with("some.css", &["gz"]);
    let table = [
        ("/all.css", "gzip, deflate, br, zstd", "zst", Some("zstd")),
        ("/all.css", "gzip, br", "br", Some("br")),
        ("/all.css", "gzip, br;q=0.5", "gz", Some("gzip")),
        ("/all.css", "gzip;q=0.2, identity;q=0.5", "", None),
        ("/all.css", "*", "zst", Some("zstd")),
        ("/all.css", "gzip;q=0", "", None),
        ("/all.css", "", "", None),
        ("/some.css", "br, gzip;q=0.1", "gz", Some("gzip")),
        ("/some.css", "br", "", None),
        ("/some.css", "identity;q=0", "", None),
    ];
    // Twice: from the disk, and from memory. Or never from memory.
    for cache_bytes in [Policy::default().cache_bytes, 0] {
        let served = tree.serve_by(Policy {
            cache_bytes,
            ..Policy::default()
        });
        let mut client = Client::connect(served.address);
        for (target, codings, suffix, coding) in table.iter().chain(&table) {
            let response = accepting(&mut client, target, codings);
            let content = match *suffix {
                "" => str::from_utf8(PLAIN).expect("text"),
                suffix => suffix,
            };
            let what = format!("{target} {codings}: {response:?}");
            assert_eq!((response.status, response.text()), (200, content), "{what}");
            assert_eq!(response.field("content-encoding"), *coding, "{what}");
            assert_eq!(response.field("vary"), Some("Accept-Encoding"), "{what}");
            let media_type = response.field("content-type");
            assert_eq!(media_type, Some("text/css; charset=utf-8"), "{what}");
            let fields = format!("Accept-Encoding: {codings}\r\n");
            let head = client.ask("HEAD", target, &fields);
            for name in ["content-length", "content-encoding", "vary", "etag"] {
                let tag = |field: Option<&str>| field.map(|tag| tag.replace("W/", ""));
                assert_eq!(tag(head.field(name)), tag(response.field(name)), "{what}");
            }
        }
    }
}

#[test]
fn what_has_no_neighbours_does_not_vary() {
    let tree = Tree::new();
    tree.write_with("old.css", &[]);
    tree.write_with("empty.css", &[]);
    tree.write(OsStr::new("empty.css.gz"), b"");
    tree.write(OsStr::new("old.css.gz"), b"gz");
    let before = SystemTime::UNIX_EPOCH + CHANGED - Duration::from_nanos(1);
    let old = fs::File::options()
        .write(true)
        .open(tree.root().join("old.css.gz"))
        .expect("the neighbour");
    old.set_modified(before).expect("its time");
    // Neighbours without their file, of what is compressed as it is, outside, special, and hidden.
    tree.write(OsStr::new("alone.css.gz"), b"gz");
    tree.write_with("a.png", &["gz"]);
    tree.write_with("out.css", &[]);
    symlink("../secret", tree.root().join("out.css.gz")).expect("a link");
    tree.write_with("pipe.css", &[]);
    fs::rename(tree.root().join("fifo"), tree.root().join("pipe.css.gz")).expect("renamed");
    tree.write_with("hidden.css", &["gz"]);
    let served = tree.serve_by(Policy {
        hide: vec!["/hidden.css.*".parse().expect("a glob")],
        ..Policy::default()
    });
    let mut client = Client::connect(served.address);
    for target in [
        "/old.css",
        "/empty.css",
        "/a.png",
        "/out.css",
        "/pipe.css",
        "/hidden.css",
    ] {
        let response = accepting(&mut client, target, "gzip");
        assert_eq!((response.status, &*response.body), (200, PLAIN), "{target}");
        assert_eq!(response.field("content-encoding"), None, "{target}");
        assert_eq!(response.field("vary"), None, "{target}");
    }
    assert_eq!(accepting(&mut client, "/alone.css", "gzip").status, 404);
    // Under its own name a neighbour is a file like others.
    let response = accepting(&mut client, "/alone.css.gz", "gzip");
    assert_eq!(response.field("content-type"), Some("application/gzip"));
    assert_eq!(response.field("content-encoding"), None);

    let off = tree.serve_by(Policy {
        precompressed: Vec::new(),
        ..Policy::default()
    });
    tree.write_with("new.css", &["gz"]);
    let response = accepting(&mut Client::connect(off.address), "/new.css", "gzip");
    assert_eq!((&*response.body, response.field("vary")), (PLAIN, None));
    let brotli_alone = tree.serve_by(Policy {
        precompressed: vec![ContentCoding::Brotli],
        ..Policy::default()
    });
    let response = accepting(&mut Client::connect(brotli_alone.address), "/new.css", "*");
    assert_eq!((&*response.body, response.field("vary")), (PLAIN, None));
}

#[test]
fn conditions_and_ranges_are_those_of_the_neighbour() {
    let tree = Tree::new();
    tree.write(OsStr::new("a.css"), PLAIN);
    tree.write(OsStr::new("a.css.gz"), b"0123456789");
    let gzip = "Accept-Encoding: gzip\r\n";
    for entity_tags in [EntityTags::Mtime, EntityTags::Hash] {
        let served = tree.serve_by(Policy {
            entity_tags,
            ..Policy::default()
        });
        let mut client = Client::connect(served.address);
        let coded = strong_tag_with(&mut client, "/a.css", gzip);
        let plain = strong_tag(&mut client, "/a.css");
        assert_ne!(coded, plain);
        let table = [
            (format!("If-None-Match: {coded}\r\n"), 304, None),
            (
                format!("If-None-Match: {plain}\r\n"),
                200,
                Some("0123456789"),
            ),
            (format!("If-Match: {coded}\r\n"), 200, Some("0123456789")),
            (format!("If-Match: {plain}\r\n"), 412, None),
            ("Range: bytes=-3\r\n".to_owned(), 206, Some("789")),
            ("Range: bytes=10-\r\n".to_owned(), 416, None),
            (
                format!("Range: bytes=1-2\r\nIf-Range: {coded}\r\n"),
                206,
                Some("12"),
            ),
            (
                format!("Range: bytes=1-2\r\nIf-Range: {plain}\r\n"),
                200,
                Some("0123456789"),
            ),
            (
                format!("Range: bytes=1-2\r\nIf-Range: {CHANGED_TEXT}\r\n"),
                200,
                Some("0123456789"),
            ),
            (format!("If-Modified-Since: {CHANGED_TEXT}\r\n"), 304, None),
        ];
        for (fields, status, content) in table {
            let response = client.ask("GET", "/a.css", &format!("{gzip}{fields}"));
            assert_eq!(response.status, status, "{fields}");
            // An error varies by its form as well.
            let varies = ("vary".to_owned(), "Accept-Encoding".to_owned());
            assert!(response.fields.contains(&varies), "{fields}: {response:?}");
            if let Some(content) = content {
                assert_eq!(response.text(), content, "{fields}");
                assert_eq!(response.field("content-encoding"), Some("gzip"), "{fields}");
                assert_eq!(response.field("etag"), Some(&*coded), "{fields}");
            }
        }
    }
}

#[test]
fn neighbours_that_come_and_go_are_seen_in_time() {
    let tree = Tree::new();
    tree.write_with("a.css", &[]);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let mut until = |wanted: Option<&str>, content: &[u8]| {
        wait_until(&format!("it comes in {wanted:?}"), || {
            let response = accepting(&mut client, "/a.css", "gzip, br");
            let coding = response.field("content-encoding");
            // What is coded is said to be, and nothing else.
            let is_coded = response.body != PLAIN && response.body != b"newer";
            assert_eq!(coding.is_some(), is_coded, "{response:?}");
            coding == wanted && response.body == content
        });
    };
    until(None, PLAIN);
    tree.write(OsStr::new("a.css.gz"), b"gz");
    until(Some("gzip"), b"gz");
    tree.write(OsStr::new("a.css.br"), b"br");
    until(Some("br"), b"br");
    tree.write(OsStr::new("a.css.br"), b"another");
    until(Some("br"), b"another");
    fs::remove_file(tree.root().join("a.css.br")).expect("removed");
    until(Some("gzip"), b"gz");
    // Written to, and not compressed again.
    fs::write(tree.root().join("a.css"), "newer").expect("written");
    until(None, b"newer");
    fs::write(tree.root().join("a.css.gz"), "compressed again").expect("written");
    until(Some("gzip"), b"compressed again");
}

#[test]
fn a_neighbour_is_remembered_as_files_are() {
    let tree = Tree::new();
    tree.write_with("a.css", &["gz"]);
    // Not remembered whole.
    tree.write_with("large.css", &[]);
    let large = pattern(corelane::limits::CACHED_FILE_BYTES + 1);
    tree.write(OsStr::new("large.css.br"), &large);
    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    for (target, coding) in [("/a.css", "gzip"), ("/large.css", "br"), ("/a.css", "none")] {
        let hits = figure(&mut client, "hits");
        wait_until(&format!("{target} is remembered"), || {
            let response = accepting(&mut client, target, coding);
            match response.field("content-encoding") {
                Some("br") => assert!(response.body == large),
                Some(_) => assert_eq!(response.text(), "gz"),
                None => assert_eq!(response.body, PLAIN),
            }
            figure(&mut client, "hits") > hits
        });
    }
}

#[test]
fn programs_decode_what_programs_compressed() {
    let tree = Tree::new();
    let text = "Words, and words again.\n".repeat(1000);
    tree.write(OsStr::new("words.html"), text.as_bytes());
    let path = tree.root().join("words.html");
    let path = path.to_str().expect("text");
    // Each keeps the time of the file, to the second or finer.
    let programs: [(&str, &str, &[&str]); 3] = [
        ("gzip", "gzip", &["-9", "--keep"]),
        ("brotli", "br", &["--best", "--keep"]),
        ("zstd", "zstd", &["-19", "--quiet", "--keep"]),
    ];
    if !has("curl") {
        return;
    }
    let able = run(Command::new("curl").arg("--version"));
    let served = tree.serve("/");
    for (program, coding, arguments) in programs {
        let library = match program {
            "gzip" => "libz",
            other => other,
        };
        if !has(program) {
            continue;
        }
        if !able.contains(library) {
            not_run(&format!("curl was built without {library}"));
            continue;
        }
        run(Command::new(program).args(arguments).arg(path));
        let url = format!("http://{}/words.html", served.address);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "30"]);
        curl.args(["--noproxy", "*", "--dump-header", "-", &url]);
        let accept = format!("Accept-Encoding: {coding}");
        curl.args(["--compressed", "--header", &accept]);
        wait_until(&format!("it comes in {coding}"), || {
            let told = run(&mut curl);
            let (head, body) = told.split_once("\r\n\r\n").expect("a head");
            assert!(body == text, "{program}: {head}");
            head.contains(&format!("Content-Encoding: {coding}"))
        });
    }
}
