//! Files that handlers name: the same responses as below a mount, and no way to anything else.

use super::parts::strong_tag;
use super::remembered::{figure, until};
use super::*;
use corelane::app::{Folder, finish_after_disconnect};
use corelane::{Request, header};
use std::fmt::Write as _;
use std::path::PathBuf;

/// What a request names in its query, each octet in two digits.
fn name_of(request: &Request) -> PathBuf {
    let digits = request.query_str().unwrap_or_default();
    let octet = |place| u8::from_str_radix(&digits[place..place + 2], 16).expect("an octet");
    let octets: Vec<u8> = (0..digits.len()).step_by(2).map(octet).collect();
    OsStr::from_bytes(&octets).into()
}

/// The target below `route` at which the file called `name` is asked for.
fn naming(route: &str, name: impl AsRef<[u8]>) -> String {
    let mut target = format!("{route}?");
    for octet in name.as_ref() {
        write!(target, "{octet:02x}").expect("a string takes all");
    }
    target
}

/// An app that sends what it is asked for of the folder at `root`, to all methods.
fn sending(root: &Path) -> App {
    let folder = Folder::new(root);
    let app = App::new().folder(&folder).state(folder);
    app.any("/", async |request: Request| {
        let folder = request.state::<Folder>();
        folder.send(&request, name_of(&request)).await
    })
}

fn serve(tree: &Tree) -> Served {
    let root = tree.root();
    Served::with(move |_| {
        let app = App::new().nest("/named", sending(&root));
        app.files("/mount", &root)
    })
}

#[test]
fn names_lead_to_files() {
    let tree = Tree::new();
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    let longest = "n".repeat(NAME_BYTES);
    let table: [(&[u8], &str); 11] = [
        (b"index.html", "index.html"),
        (b"a.txt", "a.txt"),
        (b"sub/b.css", "sub/b.css"),
        (b"a b/c d.txt", "a b/c d.txt"),
        (b"50%.txt", "50%.txt"),
        (b"p+q&r=s.txt", "p+q&r=s.txt"),
        ("\u{65e5}\u{672c}.json".as_bytes(), "\u{65e5}\u{672c}.json"),
        (b"octet\xff.txt", "an octet"),
        (b".well-known/x", ".well-known/x"),
        (b"inside", "a.txt"),
        (longest.as_bytes(), "long"),
    ];
    // Twice: from the disk, and from memory.
    for (name, content) in table.iter().chain(&table) {
        let response = get(&mut client, &naming("/named", name));
        let told = (response.status, response.text());
        assert_eq!(told, (200, *content), "{}", name.escape_ascii());
    }
}

#[test]
fn names_lead_to_nothing_else() {
    let tree = Tree::new();
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    let too_long = "n".repeat(NAME_BYTES + 1);
    let absolute = tree.root().join("a.txt");
    let table: [&[u8]; 30] = [
        // Not there, or not files.
        b"",
        b"none",
        b"a.txt/b",
        b"fifo",
        b"loop",
        too_long.as_bytes(),
        // Folders, with an index and without.
        b"sub",
        b"sub/",
        b"bare",
        b".",
        b"./",
        // Hidden.
        b".env",
        b".hidden/c.txt",
        b"sub/.well-known/x",
        // Ways out, and to the same file by another name.
        b"..",
        b"../secret",
        b"sub/../a.txt",
        b"sub/../../secret",
        b"/",
        b"/etc/passwd",
        absolute.as_os_str().as_bytes(),
        b"outside",
        b"up/secret",
        b"absolute",
        b"./a.txt",
        b"sub//b.css",
        b"a.txt/",
        b"a.txt\0",
        b"../secret\0.txt",
        // Nothing is decoded.
        b"%61.txt",
    ];
    for name in table.iter().chain(&table) {
        let response = get(&mut client, &naming("/named", name));
        assert_eq!(response.status, 404, "{}", name.escape_ascii());
        assert!(!response.text().contains("secret"));
    }
    assert_eq!(get(&mut client, &naming("/named", "a.txt")).status, 200);
}

/// Status, fields and content, but for what two responses to the same never have in common.
fn compared(client: &mut Client, method: &str, target: &str, fields: &str) -> String {
    let mut response = client.ask(method, target, fields);
    response.fields.retain(|(name, _)| name != "date");
    let media = response.field("content-type").unwrap_or_default();
    let boundary = media.split_once("boundary=").map(|(_, boundary)| boundary);
    let told = format!(
        "{} {:?} {}",
        response.status,
        response.fields,
        response.body.escape_ascii()
    );
    match boundary {
        Some(boundary) => told.replace(boundary, "BOUNDARY"),
        None => told,
    }
}

/// Compares what `/named` and `/mount` answer, by conditions, ranges and codings.
fn compare(tree: &Tree, served: &Served) {
    tree.write(OsStr::new("large.bin"), &pattern(3 * FILE_PIECE_BYTES + 7));
    tree.write(OsStr::new("page.html"), &[b' '; 4096]);
    for name in ["coded.css", "coded.css.gz"] {
        tree.write(OsStr::new(name), name.as_bytes());
    }
    let mut client = Client::connect(served.address);
    for name in ["a.txt", "page.html", "large.bin", "coded.css"] {
        let (named, mounted) = (naming("/named", name), format!("/mount/{name}"));
        let tag = strong_tag(&mut client, &mounted);
        assert_eq!(strong_tag(&mut client, &named), tag);
        let table = [
            (String::new(), "200"),
            ("Range: bytes=1-3\r\n".to_owned(), "206"),
            ("Range: bytes=0-0,-1\r\n".to_owned(), "206"),
            ("Range: bytes=99999999-\r\n".to_owned(), "416"),
            (format!("If-None-Match: {tag}\r\n"), "304"),
            (format!("If-None-Match: W/{tag}\r\n"), "304"),
            ("If-Match: \"x\"\r\n".to_owned(), "412"),
            (format!("If-Modified-Since: {CHANGED_TEXT}\r\n"), "304"),
            (format!("If-Range: {tag}\r\nRange: bytes=0-1\r\n"), "206"),
            ("If-Range: \"x\"\r\nRange: bytes=0-1\r\n".to_owned(), "200"),
        ];
        for (fields, status) in &table {
            let answer = compared(&mut client, "GET", &named, fields);
            assert!(answer.starts_with(status), "{name} {fields}: {answer:.300}");
        }
        for (fields, _) in &table {
            for coding in ["", "Accept-Encoding: gzip\r\n"] {
                for method in ["GET", "HEAD"] {
                    let fields = format!("{coding}{fields}");
                    let expected = compared(&mut client, method, &mounted, &fields);
                    let answer = compared(&mut client, method, &named, &fields);
                    assert!(
                        answer == expected,
                        "{method} {name} {fields}: {answer:.300}\n{expected:.300}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_handler_answers_as_a_mount_does() {
    let tree = Tree::new();
    compare(&tree, &serve(&tree));
}

#[cfg(feature = "compression")]
#[test]
fn a_handler_answers_as_a_mount_does_within_compression() {
    use corelane::app::middleware::Compression;
    let tree = Tree::new();
    let root = tree.root();
    let served = Served::with(move |_| {
        let app = App::new().nest("/named", sending(&root));
        app.files("/mount", &root).wrap(Compression::new())
    });
    compare(&tree, &served);
    let mut client = Client::connect(served.address);
    let coded = "Accept-Encoding: gzip\r\n";
    let answer = compared(&mut client, "GET", &naming("/named", "page.html"), coded);
    assert!(
        answer.contains("\"content-encoding\", \"gzip\""),
        "{answer}"
    );
}

#[test]
fn other_methods_get_the_whole_file() {
    let tree = Tree::new();
    let content = pattern(3 * FILE_PIECE_BYTES + 7);
    tree.write(OsStr::new("large.bin"), &content);
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    for (name, content) in [("a.txt", b"a.txt".to_vec()), ("large.bin", content)] {
        let target = naming("/named", name);
        // Twice: from the disk, and from memory.
        for fields in ["Range: bytes=0-1\r\n", "If-None-Match: *\r\n"] {
            client.send(format!(
                "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{fields}\r\n"
            ));
            let response = client.response();
            assert_eq!(response.status, 200, "{fields}");
            assert!(response.body == content, "{fields}");
            for field in ["etag", "last-modified", "accept-ranges", "content-range"] {
                assert_eq!(response.field(field), None, "{fields}");
            }
        }
        // What was remembered for them has validators for others.
        strong_tag(&mut client, &target);
    }
}

#[test]
fn folders_with_the_same_names_are_not_mixed_up() {
    let folders = ["one", "two", "three"].map(|text| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.txt"), text).expect("a file");
        set_changed(&folder.path().join("a.txt"));
        (folder, text)
    });
    let roots = folders
        .each_ref()
        .map(|(folder, _)| folder.path().to_owned());
    let served = Served::with(move |_| {
        let [one, two, three] = &roots;
        App::new()
            .nest("/one", sending(one))
            .files("/three", three)
            .host("two.example", App::new().nest("/two", sending(two)))
    });
    let mut client = Client::connect(served.address);
    let round = |client: &mut Client| {
        assert_eq!(get(client, &naming("/one", "a.txt")).text(), "one");
        assert_eq!(get(client, "/three/a.txt").text(), "three");
        let target = naming("/two", "a.txt");
        client.send(format!(
            "GET {target} HTTP/1.1\r\nHost: two.example\r\n\r\n"
        ));
        assert_eq!(client.response().text(), "two");
    };
    // What was changed just now is not remembered.
    wait_until("all are remembered", || {
        round(&mut client);
        figure(&mut client, "entries") == 3
    });
    let misses = figure(&mut client, "misses");
    let hits = figure(&mut client, "hits");
    round(&mut client);
    round(&mut client);
    assert_eq!(figure(&mut client, "misses"), misses);
    assert_eq!(figure(&mut client, "hits"), hits + 6);
    assert_eq!(figure(&mut client, "entries"), 3);
}

#[test]
fn a_changed_file_is_seen_in_time() {
    let tree = Tree::new();
    let served = serve(&tree);
    let mut client = Client::connect(served.address);
    let path = tree.root().join("changes.txt");
    let target = naming("/named", "changes.txt");
    tree.write(OsStr::new("changes.txt"), b"one");
    until(&mut client, &target, "one", &[]);
    fs::write(&path, "two and more").expect("written");
    until(&mut client, &target, "two and more", &["one", ""]);
    fs::remove_file(&path).expect("removed");
    until(&mut client, &target, "gone", &["two and more"]);
    fs::create_dir(&path).expect("a folder");
    fs::write(path.join("index.html"), "an index").expect("a file");
    assert_eq!(get(&mut client, &target).status, 404);
}

#[test]
fn a_handler_adds_to_the_response_and_replaces_what_it_says() {
    let tree = Tree::new();
    let root = tree.root();
    let served = Served::with(move |_| {
        let folder = Folder::new(&root);
        App::new()
            .folder(&folder)
            .state(folder)
            .get("/", async |request: Request| {
                let folder = request.state::<Folder>();
                let response = folder.send(&request, "a.txt").await?;
                let private = corelane::HeaderValue::from_static("private");
                let response = response.with_header(header::CACHE_CONTROL, private);
                Ok::<_, corelane::Error>(response.with_attachment("report.txt"))
            })
    });
    let mut client = Client::connect(served.address);
    let tag = strong_tag(&mut client, "/");
    let unchanged = format!("If-None-Match: {tag}\r\n");
    for (fields, status) in [("", 200), ("Range: bytes=0-1\r\n", 206), (&unchanged, 304)] {
        let response = client.ask("GET", "/", fields);
        assert_eq!(response.status, status);
        let told = response.field("content-disposition");
        assert_eq!(told, Some("attachment; filename=\"report.txt\""));
        assert_eq!(response.field("cache-control"), Some("private"));
        assert_eq!(response.field("etag"), Some(&*tag));
    }
}

#[test]
fn a_route_that_finishes_sends_to_peers_that_closed_their_side() {
    let tree = Tree::new();
    let content = pattern(64 * FILE_PIECE_BYTES);
    tree.write(OsStr::new("large.bin"), &content);
    let root = tree.root();
    let served = Served::with(move |_| {
        let folder = Folder::new(&root);
        let app = App::new().folder(&folder);
        let handler = finish_after_disconnect(move |request: Request| {
            let folder = folder.clone();
            async move { folder.send(&request, name_of(&request)).await }
        });
        app.get("/", handler)
    });
    let mut client = Client::connect(served.address);
    client.get(&naming("/", "large.bin"));
    client.finish_sending();
    assert!(client.response().body == content);
}

#[test]
fn an_app_whose_folder_for_handlers_is_missing_does_not_start() {
    let outer = tempfile::tempdir().expect("a folder");
    let path = outer.path().join("none");
    let apps: [fn(App) -> App; 3] = [
        |app| app,
        |app| App::new().nest("/nested", app),
        |app| App::new().host("a.example", app),
    ];
    for within in apps {
        let path = path.clone();
        let server = Server::bind("127.0.0.1:0");
        let error = server
            .start(move |_| within(sending(&path)))
            .expect_err("no folder");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }
}
