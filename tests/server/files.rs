//! A folder served over sockets: what is in it, byte for byte, and nothing that is not.

mod advisories;
mod archive;
mod browser;
mod changed;
#[cfg(all(feature = "compression-br", feature = "compression-zstd"))]
mod compressed;
mod conditions;
mod contents;
mod error_pages;
mod left;
mod listing;
mod named;
mod pages;
mod parts;
mod paths;
mod policy;
mod precompressed;
mod redirects;
mod remembered;
mod rewritten;
mod sources;

use super::app::{Served, pattern};
use super::support::client::Response;
use super::support::{Client, wait_until};
use corelane::files::Policy;
use corelane::limits::{FILE_PIECE_BYTES, INLINE_BODY_BYTES, NAME_BYTES, REQUEST_LINE_BYTES};
use corelane::{App, Server};
use rustix::fs::{CWD, FileType, Mode};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// When every file of the tree was changed last: a time that RFC 9110 §5.6.7 shows.
const CHANGED: Duration = Duration::from_secs(784_111_777);
const CHANGED_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A folder, and the folder that it lies in, which nobody may see.
struct Tree {
    outer: TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self {
            outer: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(tree.root()).expect("a folder");
        fs::write(tree.outer.path().join("secret"), "secret").expect("a file");
        for folder in [
            "sub",
            "bare",
            "a b",
            ".hidden",
            ".well-known",
            "sub/.well-known",
        ] {
            fs::create_dir(tree.root().join(folder)).expect("a folder");
        }
        let files = [
            "index.html",
            "a.txt",
            "sub/index.html",
            "sub/b.css",
            "a b/c d.txt",
            "50%.txt",
            "p+q&r=s.txt",
            "h\u{f6}.html",
            "\u{65e5}\u{672c}.json",
            ".env",
            ".hidden/c.txt",
            ".well-known/x",
            "sub/.well-known/x",
            "noext",
            "UP.TXT",
            "a.tar.gz",
        ];
        for file in files {
            tree.write(OsStr::new(file), file.as_bytes());
        }
        tree.write(OsStr::from_bytes(b"octet\xff.txt"), b"an octet");
        tree.write(OsStr::new(&"n".repeat(NAME_BYTES)), b"long");
        symlink("a.txt", tree.root().join("inside")).expect("a link");
        symlink("../secret", tree.root().join("outside")).expect("a link");
        symlink("..", tree.root().join("up")).expect("a link");
        symlink(
            tree.outer.path().join("secret"),
            tree.root().join("absolute"),
        )
        .expect("a link");
        symlink("loop", tree.root().join("loop")).expect("a link");
        let (fifo, mode) = (tree.root().join("fifo"), Mode::RUSR | Mode::WUSR);
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, mode, 0).expect("a FIFO");
        tree
    }

    fn root(&self) -> std::path::PathBuf {
        self.outer.path().join("root")
    }

    fn write(&self, name: &OsStr, content: &[u8]) {
        let path = self.root().join(name);
        fs::write(&path, content).expect("a file");
        set_changed(&path);
    }

    fn serve(&self, prefix: &'static str) -> Served {
        let root = self.root();
        Served::with(move |_| App::new().files(prefix, &root))
    }

    /// Serves it as it is at each moment.
    fn serve_unremembered(&self) -> Served {
        self.serve_by(Policy {
            cache_bytes: 0,
            ..Policy::default()
        })
    }

    fn serve_by(&self, policy: Policy) -> Served {
        let root = self.root();
        let server = Server::bind("127.0.0.1:0").files(policy);
        Served::on(server, move |_| App::new().files("/", &root))
    }
}

fn set_changed(path: &Path) {
    let file = fs::File::options()
        .write(true)
        .open(path)
        .expect("the file");
    file.set_modified(SystemTime::UNIX_EPOCH + CHANGED)
        .expect("its time");
}

fn get(client: &mut Client, target: &str) -> Response {
    client.get(target);
    client.response()
}
