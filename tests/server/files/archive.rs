//! Folders as tar archives, unpacked by the tar of others.

mod most;

use super::super::support::outside;
use super::*;
use corelane::limits::ARCHIVE_SLICE_ENTRIES;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

/// More than sockets hold of what nobody reads.
const MUCH: u64 = 64 << 20;

fn archive_policy() -> Policy {
    Policy {
        tar: true,
        ..Policy::default()
    }
}

/// The content of a file, whether it may be run, and the second in which it was changed.
type Kept = (Vec<u8>, bool, i64);

/// What lies in a folder, by path: a folder, or what is kept of a file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contents(BTreeMap<Vec<u8>, Option<Kept>>);

impl Contents {
    fn of(root: &Path) -> Self {
        let mut contents = Self::default();
        contents.add(root, Path::new(""));
        contents
    }

    fn add(&mut self, root: &Path, below: &Path) {
        for entry in fs::read_dir(root.join(below)).expect("a folder") {
            let below = below.join(entry.expect("an entry").file_name());
            let path = root.join(&below);
            let Ok(about) = fs::metadata(&path) else {
                continue;
            };
            let is_link = path.is_symlink();
            let kept = if about.is_file() {
                let is_executable = about.mode() & 0o100 != 0;
                Some((fs::read(&path).expect("it"), is_executable, about.mtime()))
            } else if about.is_dir() && !is_link {
                self.add(root, &below);
                None
            } else {
                continue;
            };
            self.0.insert(below.as_os_str().as_bytes().to_vec(), kept);
        }
    }

    fn without(mut self, hidden: &[&str]) -> Self {
        let is_hidden = |path: &[u8]| {
            let mut hidden = hidden.iter();
            hidden.any(|name| Path::new(OsStr::from_bytes(path)).starts_with(name))
        };
        self.0.retain(|path, _| !is_hidden(path));
        self
    }
}

/// The archive at `target`, in a folder of its own.
fn download(client: &mut Client, target: &str) -> (TempDir, PathBuf) {
    let response = get(client, target);
    assert_eq!(response.status, 200, "{target}: {}", response.text());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive.tar");
    fs::write(&path, &response.body).expect("a file");
    (folder, path)
}

/// What tar unpacks of an archive.
fn unpacked(archive: &Path) -> Contents {
    let folder = archive.with_extension("");
    fs::create_dir(&folder).expect("a folder");
    outside::run(
        Command::new("tar")
            .arg("-xf")
            .arg(archive)
            .arg("-C")
            .arg(&folder),
    );
    Contents::of(&folder)
}

/// What is in `root`, as an archive that is called `stem` holds it.
fn expected(root: &Path, stem: &str) -> Contents {
    let contents = Contents::of(root).0.into_iter();
    let below = |(path, kept): (Vec<u8>, _)| ([stem.as_bytes(), b"/", &path].concat(), kept);
    let mut contents = Contents(contents.map(below).collect());
    contents.0.insert(stem.as_bytes().to_vec(), None);
    contents
}

/// Fails the test unless the connection ends before the response does.
fn assert_broken(client: &mut Client) {
    loop {
        match client.chunk() {
            Ok(chunk) => assert!(!chunk.is_empty(), "it ended as if it were whole"),
            Err(_) => return,
        }
    }
}

/// The rest of a response whose head, and perhaps a part, was read.
fn rest(client: &mut Client, mut content: Vec<u8>) -> Vec<u8> {
    loop {
        let chunk = client.chunk().expect("a chunk");
        if chunk.is_empty() {
            return content;
        }
        content.extend_from_slice(&chunk);
    }
}

/// Asks for the archive at `target`, and reads its head and what comes first.
fn begun(served: &Served, target: &str) -> (Client, Vec<u8>) {
    let mut client = Client::connect(served.address);
    client.get(target);
    let first = read_head(&mut client);
    assert!(first.starts_with("HTTP/1.1 200 "), "{first}");
    let chunk = client.chunk().expect("a chunk");
    (client, chunk)
}

fn read_head(client: &mut Client) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.exactly(1).expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

fn sparse(path: &Path, length: u64) -> fs::File {
    let file = fs::File::create(path).expect("a file");
    file.set_len(length).expect("a length");
    set_changed(path);
    file
}

#[test]
fn what_is_unpacked_is_what_is_served() {
    if !outside::has("tar") {
        return;
    }
    let tree = Tree::new();
    let deep = ["n".repeat(NAME_BYTES), "m".repeat(90), "o".repeat(60)].join("/");
    let names: [&[u8]; 6] = [
        b"line\nbreak",
        b"with space",
        b"\xff\xfe",
        b"-rf",
        "\u{e9}".as_bytes(),
        &[b'\xe9'; NAME_BYTES],
    ];
    fs::create_dir_all(tree.root().join("deep").join(&deep)).expect("folders");
    let folders = [Path::new("deep").join(&deep), "".into(), "bare".into()];
    for folder in &folders {
        for name in names {
            let path = folder.join(OsStr::from_bytes(name));
            tree.write(path.as_os_str(), name);
        }
    }
    for number in 0..2 * ARCHIVE_SLICE_ENTRIES + 1 {
        fs::create_dir_all(tree.root().join("many")).expect("a folder");
        let path = format!("many/{number}");
        tree.write(OsStr::new(&path), path.as_bytes());
    }
    fs::create_dir(tree.root().join("empty")).expect("a folder");
    let large = pattern(3 * FILE_PIECE_BYTES + 17);
    tree.write(OsStr::new("large"), &large);
    let run = fs::Permissions::from_mode(0o755);
    fs::set_permissions(tree.root().join("large"), run).expect("permissions");
    let old = fs::File::options()
        .write(true)
        .open(tree.root().join("a.txt"));
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(3);
    old.expect("it").set_modified(before).expect("its time");
    symlink("sub", tree.root().join("folder")).expect("a link");
    symlink("../a.txt", tree.root().join("sub/above")).expect("a link");

    let hidden = [
        "files/.env",
        "files/.hidden",
        "files/sub/.well-known",
        "files/outside",
        "files/absolute",
    ];
    let served = tree.serve_by(archive_policy());
    let mut client = Client::connect(served.address);
    let (_folder, archive) = download(&mut client, "/?download=tar");
    let contents = expected(&tree.root(), "files").without(&hidden);
    for path in ["files/inside", "files/sub/above", "files/.well-known/x"] {
        assert!(contents.0.contains_key(path.as_bytes()), "{path}");
    }
    assert_eq!(unpacked(&archive), contents);
    let listed = outside::run(Command::new("tar").arg("-tvf").arg(&archive));
    assert_eq!(listed.lines().count(), contents.0.len());
    assert!(!listed.contains("fifo"));

    for (target, stem) in [("/deep/", "deep"), ("/empty/", "empty"), ("/a%20b/", "a b")] {
        let (_folder, archive) = download(&mut client, &format!("{target}?a&download=tar"));
        let contents = expected(&tree.root().join(stem), stem);
        assert_eq!(unpacked(&archive), contents, "{target}");
    }
    // The link to a folder, if it is what is asked for.
    let (_folder, archive) = download(&mut client, "/folder/?download=tar");
    let contents = expected(&tree.root().join("sub"), "folder");
    let contents = contents.without(&["folder/.well-known"]);
    assert_eq!(unpacked(&archive), contents);

    let served = tree.serve_by(Policy {
        symlinks: corelane::files::policy::Symlinks::Never,
        hide: vec!["many".parse().expect("a glob")],
        ..archive_policy()
    });
    let mut client = Client::connect(served.address);
    let (_folder, archive) = download(&mut client, "/?download=tar");
    let links = ["files/inside", "files/sub/above", "files/many"];
    let contents = expected(&tree.root(), "files");
    let contents = contents.without(&hidden).without(&links);
    assert_eq!(unpacked(&archive), contents);
}

#[test]
fn an_archive_is_asked_for_and_tells_what_it_is() {
    let tree = Tree::new();
    fs::create_dir(tree.root().join("\u{e9}\"")).expect("a folder");
    let served = tree.serve_by(archive_policy());
    let mut client = Client::connect(served.address);
    let named = "attachment; filename=\"__.tar\"; filename*=UTF-8''%C3%A9%22.tar";
    let table = [
        ("/?download=tar", "attachment; filename=\"files.tar\""),
        ("/sub/?download=tar&x", "attachment; filename=\"sub.tar\""),
        ("/%C3%A9%22/?download=tar", named),
    ];
    for (target, disposition) in table {
        let bytes = format!(" {target} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n");
        for method in ["GET", "HEAD"] {
            client.send(format!("{method}{bytes}"));
            let response = match method {
                "HEAD" => client.head_response(),
                _ => client.response(),
            };
            assert_eq!(response.status, 200, "{method} {target}");
            for (name, value) in [
                ("content-type", Some("application/x-tar")),
                ("content-disposition", Some(disposition)),
                ("transfer-encoding", Some("chunked")),
                ("content-length", None),
                ("accept-ranges", Some("none")),
                ("cache-control", Some("no-store")),
                ("etag", None),
            ] {
                assert_eq!(response.field(name), value, "{method} {target}");
            }
        }
    }
    // What is remembered of an index is no answer, and the index is one to other queries.
    for _ in 0..3 {
        let index = get(&mut client, "/sub/");
        assert_eq!(index.text(), "sub/index.html");
        let other = get(&mut client, "/sub/?download=zip");
        assert_eq!(other.text(), "sub/index.html");
        let archive = get(&mut client, "/sub/?download=tar");
        assert_eq!(archive.field("content-type"), Some("application/x-tar"));
    }
    assert_eq!(get(&mut client, "/a.txt?download=tar").text(), "a.txt");
    let redirect = get(&mut client, "/sub?download=tar");
    assert_eq!(redirect.field("location"), Some("/sub/?download=tar"));
    for target in ["/none/", "/.hidden/", "/a.txt/", "/up/", "/fifo/"] {
        let response = get(&mut client, &format!("{target}?download=tar"));
        assert_eq!(response.status, 404, "{target}");
    }
    // RFC 9112 §6.1: HTTP/1.0 has no chunks.
    let mut old = Client::connect(served.address);
    old.send("GET /sub/?download=tar HTTP/1.0\r\n\r\n");
    let response = old.response();
    assert_eq!(response.field("transfer-encoding"), None);
    assert_eq!(response.body, get(&mut client, "/sub/?download=tar").body);

    let served = tree.serve("/");
    let mut client = Client::connect(served.address);
    let index = get(&mut client, "/sub/?download=tar");
    assert_eq!(index.text(), "sub/index.html");
    assert_eq!(get(&mut client, "/bare/?download=tar").status, 404);
}

#[test]
fn what_is_mounted_is_called_as_its_mount() {
    let tree = Tree::new();
    let root = tree.root();
    let server = Server::bind("127.0.0.1:0").files(archive_policy());
    let served = Served::on(server, move |_| App::new().files("/a/b", &root));
    let mut client = Client::connect(served.address);
    let response = get(&mut client, "/a/b/?download=tar");
    let disposition = response.field("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"b.tar\""));
    assert!(response.body.starts_with(b"b/\0"));
}

#[test]
fn a_file_may_have_more_than_eight_gibibytes() {
    if !outside::has("tar") {
        return;
    }
    let tree = Tree::new();
    fs::create_dir(tree.root().join("big")).expect("a folder");
    sparse(&tree.root().join("big/file"), 9 << 30);
    let served = tree.serve_by(archive_policy());
    let (_client, first) = begun(&served, "/big/?download=tar");
    let path = tree.outer.path().join("part.tar");
    fs::write(&path, first).expect("a file");
    let listed = Command::new("tar").arg("-tvf").arg(&path).output();
    let listed = listed.expect("it can be run").stdout;
    let listed = String::from_utf8_lossy(&listed);
    assert!(listed.contains(" 9663676416 "), "{listed}");
    assert!(listed.ends_with(" big/file\n"), "{listed}");
}

#[test]
fn what_is_changed_meanwhile_breaks_off_or_is_left_out() {
    if !outside::has("tar") {
        return;
    }
    let tree = Tree::new();
    let folder = tree.root().join("big");
    let fresh = || {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("inner")).expect("a folder");
        for name in ["a", "b"] {
            sparse(&folder.join("inner").join(name), MUCH);
        }
    };
    let served = tree.serve_by(archive_policy());
    // Which file comes first, and which second, is the file system's to say.
    let begun = || {
        fresh();
        let (client, first) = begun(&served, "/big/?download=tar");
        let at = 2 * 512 + "big/inner/".len();
        assert_eq!(&first[2 * 512..at], b"big/inner/");
        let order = if first[at] == b'a' {
            ["a", "b"]
        } else {
            ["b", "a"]
        };
        (
            client,
            first,
            order.map(|name| folder.join("inner").join(name)),
        )
    };

    // The file that is being sent.
    let (mut client, _, [now, _]) = begun();
    fs::File::options()
        .write(true)
        .open(&now)
        .and_then(|file| file.set_len(MUCH / 2))
        .expect("it is cut");
    assert_broken(&mut client);

    // One that grows is sent as long as it was; one that is deleted before its turn is not in it.
    let (mut client, first, [now, next]) = begun();
    fs::File::options()
        .write(true)
        .open(&now)
        .and_then(|file| file.set_len(MUCH + 1))
        .expect("it grows");
    fs::remove_file(&next).expect("it was there");
    let path = tree.outer.path().join("left.tar");
    fs::write(&path, rest(&mut client, first)).expect("a file");
    let listed = outside::run(Command::new("tar").arg("-tvf").arg(&path));
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains(&format!(" {MUCH} ")), "{listed}");

    // A folder that is moved, and one that is deleted with all that is in it.
    let (mut client, ..) = begun();
    fs::rename(&folder, tree.root().join("elsewhere")).expect("a new name");
    assert_broken(&mut client);
    let (mut client, ..) = begun();
    fs::remove_dir_all(folder.join("inner")).expect("it was there");
    assert_broken(&mut client);
}
