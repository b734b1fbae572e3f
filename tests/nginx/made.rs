//! What the two make themselves: content that is compressed when it is asked for, errors with a page of
//! the folder, listings.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use corelane::files::Policy;
use corelane::http::ContentCoding;
use corelane::limits::COMPRESS_FROM_BYTES;
use serde_json::Value;

use super::classes::{CLASSES, CLASSES_OF_MADE};
use super::peers::{Corelane, Nginx, Peer};
use super::requests::Generator;
use super::support::{Client, PATIENCE, setting};
use super::tally::Tally;
use super::told::{PAGE, Told};
use super::tree::{CHANGED, Tree, set_changed};

/// Requests if `NGINX_REQUESTS` is not set: about a second in a debug build.
const REQUESTS: u64 = 2_000;

/// Text files, and how many bytes each has.
const TEXTS: &[(&str, usize)] = &[
    ("text.css", 20_000),
    ("text.json", 3_000),
    ("text.html", 5_000),
    ("least.css", COMPRESS_FROM_BYTES),
    ("short.css", COMPRESS_FROM_BYTES - 1),
    ("404.html", 2_000),
];

const PATHS: &[&str] = &[
    "/text.css",
    "/text.css?query",
    "/text.json",
    "/text.html",
    "/least.css",
    "/short.css",
    "/sub/a.css",
    "/photo.png",
    "/empty.txt",
    "/none",
    "/none?query",
    "/text.css/",
    "/404.html",
    "/sub",
    "/sub/",
    "/sub?a=b",
];

/// Errors, too.
const ODD_PATHS: &[&str] = &["/none.css", "/sub/none", "/sub/none/", "/%c3%a9"];

fn tree() -> Tree {
    let tree = Tree::new();
    for (name, bytes) in TEXTS {
        let lines = (0..*bytes).map(|line| format!("line {line} of a text\n"));
        let mut text: String = lines.take(bytes / 10).collect();
        text.truncate(*bytes);
        let path = tree.root().join(name);
        std::fs::write(&path, text).expect("a file");
        set_changed(&path, CHANGED);
    }
    tree
}

fn policy() -> Policy {
    let mut policy = Policy {
        precompressed: Vec::new(),
        compress: vec![(ContentCoding::Gzip, 6)],
        // However slow the machine is.
        compression_wait: PATIENCE,
        listing: true,
        ..Policy::default()
    };
    let rule = format!("404.html={PAGE}: 404");
    policy.response_headers.add(&rule).expect("a rule");
    policy.error_pages.add("404=/404.html").expect("a page");
    policy
}

fn nginx(tree: &Tree) -> Option<Nginx> {
    let directives = format!(
        "gzip on;\ngzip_min_length {COMPRESS_FROM_BYTES};\ngzip_types text/css application/json;\n\
         error_page 404 /404.html;\n\
         location = /404.html {{ add_header {PAGE} 404 always; }}\n\
         location /listed/ {{ autoindex on; autoindex_format json; }}\n"
    );
    Nginx::start_by(tree, &directives)
}

#[test]
fn nginx_compresses_and_refuses_alike() {
    let tree = tree();
    let corelane = Corelane::start_by(&tree, policy());
    let Some(nginx) = nginx(&tree) else {
        return;
    };
    let mut ours = Peer::new(corelane.address);
    let mut theirs = Peer::new(nginx.address).with_weak_tags();
    let count = setting("NGINX_REQUESTS").unwrap_or(REQUESTS);
    let seed = setting("NGINX_SEED").unwrap_or(1);
    let mut generator = Generator::with_paths(seed, PATHS, ODD_PATHS);
    // Neither looks for neighbours here.
    let classes = CLASSES_OF_MADE.iter().chain(CLASSES);
    let mut tally = Tally::new(classes.collect(), Told::decoded);
    let mut compressed = 0;
    for _ in 0..count {
        let told = tally.compare(&generator.next(), &mut ours, &mut theirs);
        if let (200, 200, Some(_), Some(_)) =
            (told.0.status, told.1.status, &told.0.coding, &told.1.coding)
        {
            // Ours is of these very octets, and nginx's of what they stand for.
            let is_weak =
                |told: &Told| told.tag.as_deref().is_some_and(|tag| tag.starts_with("W/"));
            assert!(is_weak(&told.1) && !is_weak(&told.0), "{told:?}");
            compressed += 1;
        }
    }
    assert!(compressed > 0, "nothing is compressed by both");
    tally.assert_explained(CLASSES_OF_MADE.len());
}

/// What is told of an entry: whether it is a folder, its size, and when it was changed.
type Listed = (bool, Option<u64>, String);

/// What nginx lists otherwise, and why.
const LISTED_OTHERWISE: &[(&str, &str)] = &[
    (
        "outside.txt",
        "a link out of the folder is not followed, so nothing is served there",
    ),
    ("dangling", "nothing is served there"),
    (
        "pipe",
        "it is neither a file nor a folder, so it is not served",
    ),
];

/// An HTTP-date as RFC 3339 has it.
fn rfc3339(date: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<_> = date.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        panic!("no HTTP-date: {date}");
    };
    let month = 1 + MONTHS.find(month).expect("a month") / 3;
    format!("{year}-{month:02}-{day}T{time}Z")
}

#[test]
fn nginx_lists_folders_alike() {
    let tree = tree();
    let folder = tree.root().join("listed");
    std::fs::create_dir_all(folder.join("folder")).expect("a folder");
    let names: [&[u8]; 7] = [
        b"a b.txt",
        b"quote\"s",
        b"<i>&amp;",
        b"back\\slash",
        "h\u{f6}he".as_bytes(),
        b"\xff\xfe",
        b".hidden",
    ];
    for (number, name) in names.into_iter().enumerate() {
        let path = folder.join(OsStr::from_bytes(name));
        std::fs::write(&path, vec![b'x'; number * 1000]).expect("a file");
        set_changed(&path, CHANGED);
    }
    let large = std::fs::File::create(folder.join("large")).expect("a file");
    large.set_len(9 << 30).expect("a length");
    symlink("a b.txt", folder.join("inside")).expect("a link");
    symlink("folder", folder.join("way")).expect("a link");
    symlink("../../secret.txt", folder.join("outside.txt")).expect("a link");
    symlink("nowhere", folder.join("dangling")).expect("a link");
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe"), 0o600.into()).expect("a FIFO");
    let corelane = Corelane::start_by(&tree, policy());
    let Some(nginx) = nginx(&tree) else {
        return;
    };
    let ask = |address, target: &str| -> Value {
        let mut client = Client::connect(address);
        client.get(target);
        let response = client.response();
        assert_eq!(response.status, 200, "{target}");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    let ours = ask(corelane.address, "/listed/?format=json");
    let theirs = ask(nginx.address, "/listed/");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let entries = |list: &Value, time: &dyn Fn(&Value) -> String| -> BTreeMap<String, Listed> {
        let entries = list.as_array().expect("a list").iter();
        let entry = |entry: &Value| {
            let is_folder = matches!(entry["type"].as_str(), Some("folder" | "directory"));
            let size = entry["size"].as_u64();
            (text(&entry["name"]), (is_folder, size, time(entry)))
        };
        entries.map(entry).collect()
    };
    let ours = entries(&ours["entries"], &|entry| text(&entry["modified"]));
    let mut theirs = entries(&theirs, &|entry| rfc3339(&text(&entry["mtime"])));
    for (name, why) in LISTED_OTHERWISE {
        assert!(!ours.contains_key(*name), "{name} is listed, but {why}");
        assert!(theirs.remove(*name).is_some(), "nginx does not list {name}");
    }
    assert_eq!(ours, theirs);
}
