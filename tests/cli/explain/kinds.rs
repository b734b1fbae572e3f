//! Each kind of path, under several policies: which file is told to be sent is the one that comes, whatever else is
//! asked.

use super::*;
use corelane::limits::NAME_BYTES;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A target, the status that it gets with no fields, and the file that is told to be sent of.
type Kind<'a> = (&'a str, u16, Option<&'a str>);

/// What each target is asked for with, some of it each.
const FIELDS: &[&[&str]] = &[
    &["Accept: text/html"],
    &["Accept-Encoding: br;q=0.5, gzip"],
    &["Range: bytes=1-2"],
    &["If-None-Match: *"],
    &["If-Match: \"x\""],
    &[
        "Accept: text/html",
        "Accept-Encoding: gzip",
        "Range: bytes=-2",
    ],
    &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
];

/// How many of [`FIELDS`] each target is asked for with.
const EACH: usize = 3;

const FILES: &[&str] = &[
    "a.css",
    "a.css.gz",
    "a.css.br",
    "c.key",
    "pct%41.txt",
    "sp ace.txt",
    "h\u{f6}he.txt",
    "noext",
    ".env",
    ".well-known/x",
    "about.html",
    "about.html.gz",
    "blog.html",
    "blog/post.html",
    "both/index.htm",
    "both/index.html",
    "sub/index.html",
    "bare/x.txt",
    "app.html",
    "404.html",
    "priv/x.txt",
];

struct Kinds {
    outer: TempDir,
}

impl Kinds {
    fn new() -> Self {
        let outer = tempfile::tempdir().expect("a folder");
        let root = outer.path().join("root");
        let octets = OsStr::from_bytes(b"oct\xff.txt");
        let longest = "n".repeat(NAME_BYTES);
        let names = FILES.iter().map(|name| OsStr::new(*name));
        for name in names.chain([octets, OsStr::new(&longest)]) {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, name.as_bytes()).expect("a file");
            let file = fs::File::options().write(true).open(&path).expect("a file");
            let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
            file.set_modified(changed).expect("its time");
        }
        fs::write(outer.path().join("outside"), "outside").expect("a file");
        fs::create_dir(root.join("void")).expect("a folder");
        for (target, name) in [
            ("a.css", "link.css"),
            ("sub", "linked"),
            ("../outside", "out"),
            ("loop", "loop"),
            ("nowhere", "dangling"),
            ("c.key", "linked-key"),
        ] {
            symlink(target, root.join(name)).expect("a link");
        }
        mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        Self { outer }
    }

    /// Asks both for each of `table` where the folder is served with `options`.
    fn assert_alike(options: &[&str], table: &[Kind<'_>]) {
        let kinds = Self::new();
        let root = kinds.outer.path().join("root");
        let mut both = Both::start(&root, options);
        for (number, (target, status, file)) in table.iter().enumerate() {
            let (told, response) = both.ask("GET", target, &[]);
            let what = format!("{target}: {told} {response:?}");
            assert_eq!(response.status, *status, "{what}");
            assert_eq!(point(&told, "file"), *file, "{what}");
            is_what_is_told(&root, &told, &response);
            let turn = FIELDS.iter().cycle().skip(number * EACH).take(EACH);
            for fields in turn {
                let (told, response) = both.ask("GET", target, fields);
                is_what_is_told(&root, &told, &response);
            }
            both.ask("HEAD", target, FIELDS[number % FIELDS.len()]);
        }
    }
}

/// What is told of this, if anything is.
fn point<'a>(told: &'a Value, about: &str) -> Option<&'a str> {
    let points = told["points"].as_array().expect("a list");
    let point = points.iter().find(|point| point["about"] == about)?;
    point["what"].as_str()
}

/// That the whole content is that of the file that is told of, or of the page of the error.
fn is_what_is_told(root: &Path, told: &Value, response: &Response) {
    let file = match response.status {
        200 => point(told, "file"),
        _ => point(told, "error page"),
    };
    if let Some(file) = file {
        let name = PathBuf::from(OsStr::from_bytes(match file {
            "oct\\xff.txt" => b"oct\xff.txt",
            "h\\xc3\\xb6he.txt" => "h\u{f6}he.txt".as_bytes(),
            _ => file.as_bytes(),
        }));
        let content = fs::read(root.join(name)).expect("a file");
        assert!(response.body == content, "{told} {response:?}");
    }
    let is_sent = point(told, "listing").is_some() || file.is_some();
    assert!(response.status != 200 || is_sent, "{told} {response:?}");
}

#[test]
fn paths_are_written_in_many_ways() {
    let longest = format!("/{}", "n".repeat(NAME_BYTES));
    let longer = format!("{longest}n");
    Kinds::assert_alike(
        &[],
        &[
            ("/", 200, None),
            ("/a.css", 200, Some("a.css")),
            ("/a.css?x=y", 200, Some("a.css")),
            ("/%61.c%73s", 200, Some("a.css")),
            ("/pct%2541.txt", 200, Some("pct%41.txt")),
            ("/pct%41.txt", 404, None),
            ("/sp%20ace.txt", 200, Some("sp ace.txt")),
            ("/sp+ace.txt", 404, None),
            ("/h%C3%B6he.txt", 200, Some("h\\xc3\\xb6he.txt")),
            ("/h%F6he.txt", 404, None),
            ("/oct%ff.txt", 200, Some("oct\\xff.txt")),
            (&longest, 200, Some(&longest[1..])),
            (&longer, 404, None),
            ("/A.CSS", 404, None),
            ("//a.css", 404, None),
            ("/sub//index.html", 404, None),
            ("/./a.css", 404, None),
            ("/../root/a.css", 404, None),
            ("/%2e%2e/outside", 404, None),
            ("/sub%2Findex.html", 404, None),
            ("/sub%5Cindex.html", 404, None),
            ("/a.css%00", 400, None),
            ("/a.css%0", 400, None),
            ("/a.css/", 404, None),
            ("/a.css/x", 404, None),
            ("http://localhost/a.css", 200, Some("a.css")),
        ],
    );
}

#[test]
fn what_lies_at_a_path_is_of_many_kinds() {
    Kinds::assert_alike(
        &["--precompressed", "gz"],
        &[
            ("/noext", 200, Some("noext")),
            ("/sub", 301, None),
            ("/sub?a=b", 301, None),
            ("/sub/", 200, Some("sub/index.html")),
            ("/both/", 200, Some("both/index.html")),
            ("/bare/", 200, None),
            ("/void/", 200, None),
            ("/pipe", 404, None),
            ("/loop", 404, None),
            ("/dangling", 404, None),
            ("/out", 404, None),
            ("/link.css", 200, Some("link.css")),
            ("/linked", 301, None),
            ("/linked/", 200, Some("linked/index.html")),
            ("/.env", 404, None),
            ("/.well-known/x", 200, Some(".well-known/x")),
            ("/.well-known/", 200, None),
        ],
    );
}

#[test]
fn pages_go_without_their_extensions_and_others_fall_back() {
    let options = ["--clean-urls", "--index", "index.htm,index.html"];
    let pages = ["--fallback", "/app.html", "--error-page", "404=/404.html"];
    Kinds::assert_alike(
        &[&options[..], &pages[..]].concat(),
        &[
            ("/about", 200, Some("about.html")),
            ("/about.html", 200, Some("about.html")),
            ("/about/", 404, None),
            ("/blog", 200, Some("blog.html")),
            ("/blog/", 200, None),
            ("/blog/post", 200, Some("blog/post.html")),
            ("/both/", 200, Some("both/index.htm")),
            ("/both/index", 200, Some("both/index.html")),
            ("/sub", 301, None),
            ("/of/the/client", 404, None),
            ("/of/the/client/", 404, None),
            ("/none.css", 404, None),
            ("/%00", 400, None),
            ("/.env", 404, None),
        ],
    );
}

#[test]
fn less_is_served_and_remembered() {
    let options = ["--listing", "off", "--symlinks", "never", "--etag", "hash"];
    Kinds::assert_alike(
        &[
            &options[..],
            &["--precompressed", "off", "--file-cache", "0"],
        ]
        .concat(),
        &[
            ("/a.css", 200, Some("a.css")),
            ("/about.html", 200, Some("about.html")),
            ("/sub/", 200, Some("sub/index.html")),
            ("/bare", 301, None),
            ("/bare/", 404, None),
            ("/bare/x.txt", 200, Some("bare/x.txt")),
            ("/link.css", 404, None),
            ("/linked", 404, None),
            ("/linked/", 404, None),
            ("/out", 404, None),
        ],
    );
}

#[test]
fn more_is_served_by_rules() {
    let options = [
        "--symlinks",
        "any",
        "--dot-files",
        "serve",
        "--hide",
        "*.key",
    ];
    let rules = [
        "--hide",
        "/priv",
        "--cache-control",
        "*.css=max-age=60",
        "--cache-control",
        "*=no-store",
        "--response-header",
        "*.css=X-All: no",
        "--response-header",
        "*=X-All: yes",
        "--media-type",
        "*=text/x-any",
        "--listing",
        "on",
    ];
    Kinds::assert_alike(
        &[&options[..], &rules[..]].concat(),
        &[
            ("/a.css", 200, Some("a.css")),
            ("/noext", 200, Some("noext")),
            ("/out", 200, Some("out")),
            ("/.env", 200, Some(".env")),
            ("/c.key", 404, None),
            ("/linked-key", 200, Some("linked-key")),
            ("/priv", 404, None),
            ("/priv/", 404, None),
            ("/priv/x.txt", 404, None),
            ("/bare/", 200, None),
            ("/none", 404, None),
        ],
    );
}

#[test]
fn rules_redirect_in_many_ways() {
    let rules = [
        "--redirect",
        "/old=/a.css 301",
        "--redirect",
        "/old/*=/sub/* 308",
        "--redirect",
        "/old/kept=/noext",
        "--redirect",
        "/once=/a.css?own=1#part 307",
        "--redirect",
        "/away/*=https://example.org/*",
        "--redirect",
        "/bare/=/bare",
        "--limit",
        "request_line_bytes=512",
    ];
    // With GET, the host and CRLF, the line for where they lead has 512 bytes and 514.
    let [long, longer] = [238, 239].map(|names| format!("/away/{}", "n/".repeat(names)));
    Kinds::assert_alike(
        &rules,
        &[
            ("/old", 301, None),
            ("/old?a=b", 301, None),
            ("/old/", 308, None),
            ("/old/a%20b?c=d", 308, None),
            ("/old/kept", 302, None),
            ("/%6Fld/kept", 302, None),
            ("/old//x", 404, None),
            ("/once?a=b", 307, None),
            ("/away/x", 302, None),
            (&long, 302, None),
            (&longer, 414, None),
            ("/bare", 301, None),
            ("/bare/", 200, None),
            ("/a.css", 200, Some("a.css")),
        ],
    );
}
