//! The folder that both serve.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// When every file was changed last, but for neighbours that are older.
pub(crate) const CHANGED: Duration = Duration::from_secs(784_111_777);

/// Names, and how many bytes each file has.
const FILES: &[(&str, usize)] = &[
    ("index.html", 300),
    ("empty.txt", 0),
    ("one.txt", 1),
    ("small.txt", 1000),
    ("large.bin", 200_000),
    ("data.json", 5000),
    ("noext", 10),
    ("UP.TXT", 20),
    ("a b.txt", 30),
    ("50%.txt", 40),
    ("p+q&r=s.txt", 50),
    ("h\u{f6}he.html", 60),
    (".env", 70),
    (".well-known/x.txt", 80),
    ("sub/index.html", 90),
    ("sub/a.css", 2000),
    ("sub dir/x.txt", 100),
    ("bare/x.txt", 110),
    ("a.tar.gz", 3000),
    ("coded.css", 4000),
    ("coded.css.gz", 900),
    ("stale.css", 500),
    ("stale.css.gz", 120),
    ("hollow.css", 510),
    ("hollow.css.gz", 0),
    ("alone.css.gz", 130),
    ("photo.png", 2500),
    ("photo.png.gz", 140),
    ("404.html", 600),
    ("404.html.gz", 150),
];

pub(crate) struct Tree {
    outer: TempDir,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let outer = tempfile::tempdir().expect("a folder");
        let root = outer.path().join("root");
        for (seed, (name, bytes)) in FILES.iter().enumerate() {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let content: Vec<u8> = (0..*bytes).map(|_| random.u8(..)).collect();
            fs::write(&path, content).expect("a file");
            let age = Duration::from_secs(u64::from(*name == "stale.css.gz"));
            set_changed(&path, CHANGED - age);
        }
        fs::write(outer.path().join("secret.txt"), "secret").expect("a file");
        symlink("small.txt", root.join("inside.txt")).expect("a link");
        symlink("../secret.txt", root.join("outside.txt")).expect("a link");
        symlink("sub", root.join("linked")).expect("a link");
        symlink("..", root.join("up")).expect("a link");
        let octets = root.join(OsStr::from_bytes(b"octet\xff.txt"));
        fs::write(&octets, "a name that is no text").expect("a file");
        set_changed(&octets, CHANGED);
        Self { outer }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.outer.path().join("root")
    }

    /// Where nginx may keep what it needs.
    pub(crate) fn beside(&self) -> &Path {
        self.outer.path()
    }
}

pub(crate) fn set_changed(path: &Path, changed: Duration) {
    let file = fs::File::options().write(true).open(path);
    let file = file.expect("the file");
    let time = SystemTime::UNIX_EPOCH + changed;
    file.set_modified(time).expect("its time");
}
