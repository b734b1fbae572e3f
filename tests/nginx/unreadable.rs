//! What permissions forbid, to both alike: they run without the privileges to which permissions do not apply.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use super::classes::{CLASSES, Class, is_at};
use super::peers::{Nginx, Peer};
use super::requests::Generator;
use super::support::process::{CORELANE, Process, unprivileged};
use super::support::setting;
use super::tally::Tally;
use super::tree::{CHANGED, Tree, set_changed};

/// Requests if `NGINX_REQUESTS` is not set: about a second in a debug build.
const REQUESTS: u64 = 1_000;

/// Files, and what may be done with them.
const FILES: &[(&str, u32)] = &[
    ("closed.txt", 0),
    ("open.css", 0o600),
    ("open.css.gz", 0),
    ("closed.css", 0),
    ("closed.css.gz", 0o600),
    ("shut/index.html", 0o600),
    ("shut/x.txt", 0o600),
    ("entered/index.html", 0o600),
    ("entered/x.txt", 0o600),
    ("unlisted/x.txt", 0o600),
    ("unindexed/index.html", 0),
];

/// The same of folders; files lie in them by then.
const FOLDERS: &[(&str, u32)] = &[("shut", 0), ("entered", 0o311), ("unlisted", 0o311)];

const PATHS: &[&str] = &[
    "/small.txt",
    "/closed.txt",
    "/linked.txt",
    "/open.css",
    "/closed.css",
    "/shut",
    "/shut/",
    "/shut/x.txt",
    "/shut/none",
    "/entered",
    "/entered/",
    "/entered/x.txt",
    "/entered/none",
    "/unlisted/",
    "/unlisted/x.txt",
    "/unindexed/",
];

const CLASSES_OF_PERMISSIONS: &[Class] = &[
    Class {
        name: "what may not be opened",
        why: "what is not served is not told apart from what is not there",
        is: |request, ours, theirs| {
            let closed = [
                "/closed.txt",
                "/linked.txt",
                "/closed.css",
                "/shut",
                "/shut/",
                "/shut/x.txt",
                "/shut/none",
                "/unlisted/",
                "/unindexed/",
            ];
            (ours.status, theirs.status) == (404, 403) && is_at(request, &closed)
        },
        chosen: None,
    },
    Class {
        name: "a folder that may be entered, and not be read",
        why: "what is in it is served to who knows its name, and so the folder has its own address",
        is: |request, ours, theirs| {
            (ours.status, theirs.status) == (301, 403) && is_at(request, &["/entered"])
        },
        chosen: None,
    },
    Class {
        name: "a neighbour of what may not be opened",
        why: "whether a file is there does not depend on what a peer can decode",
        is: |request, ours, theirs| {
            ours.status == 404 && theirs.status != 404 && is_at(request, &["/closed.css"])
        },
        chosen: None,
    },
];

/// A folder whose permissions forbid some of it, until it is to be removed.
struct Forbidden {
    tree: Tree,
}

impl Forbidden {
    fn new() -> Self {
        let tree = Tree::new();
        for (name, mode) in FILES {
            let path = tree.root().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, format!("what lies at {name}")).expect("a file");
            set_changed(&path, CHANGED);
            allow(path, *mode);
        }
        symlink("closed.txt", tree.root().join("linked.txt")).expect("a link");
        for (name, mode) in FOLDERS {
            allow(tree.root().join(name), *mode);
        }
        Self { tree }
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        for (name, _) in FOLDERS {
            allow(self.tree.root().join(name), 0o700);
        }
    }
}

fn allow(path: PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

#[test]
fn nginx_is_forbidden_alike() {
    let forbidden = Forbidden::new();
    let tree = &forbidden.tree;
    let Some(nginx) = Nginx::start_unprivileged(tree, "gzip_static on;\n") else {
        return;
    };
    let mut command = unprivileged(CORELANE);
    command.arg("serve").arg(tree.root());
    command.args(["--listen", "127.0.0.1:0", "--cores", "1"]);
    command.args(["--precompressed", "gz", "--listing", "off"]);
    let mut corelane = Process::spawn(&mut command);
    let line = corelane.line("listening on http://");
    let address = line.rsplit("http://").next().expect("an address");
    let mut ours = Peer::new(address.parse().expect("an address"));
    let mut theirs = Peer::new(nginx.address);
    let mut generator = Generator::with_paths(setting("NGINX_SEED").unwrap_or(1), PATHS, PATHS);
    let classes = CLASSES_OF_PERMISSIONS.iter().chain(CLASSES).collect();
    let mut tally = Tally::new(classes, |told| told);
    for _ in 0..setting("NGINX_REQUESTS").unwrap_or(REQUESTS) {
        tally.compare(&generator.next(), &mut ours, &mut theirs);
    }
    tally.assert_explained(CLASSES_OF_PERMISSIONS.len());
}
