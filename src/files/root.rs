//! The folder being served, and the switch from one release of it to the next.
//!
//! A deployment often makes a new folder beside the old one and swaps a symbolic link to it, or
//! renames it into place. So the path of the root is resolved again when a request comes
//! [`FILE_FRESHNESS`] after the last time, and what it leads to then is what is served. A request takes
//! one [`Release`] and looks at nothing else: it sees the old folder or the new one, and never a part of
//! each. While the path leads nowhere, the last release is served. Where nobody asks, the core does it with each
//! of its ticks (`common.rs`), so that a release which was replaced is not kept on the disk.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fstat, open};

use crate::limits::FILE_FRESHNESS;

/// A folder on one core.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    release: RefCell<Rc<Release>>,
    /// When it was resolved, on the ring's clock, in nanoseconds.
    resolved_ns: Cell<u64>,
}

/// What the root's path led to at one time.
#[derive(Debug)]
pub(super) struct Release {
    /// The folder itself, whatever it is called by now (O_PATH).
    pub(super) folder: Arc<OwnedFd>,
    /// Its device and inode.
    id: (u64, u64),
    /// Different for each release that a root has had.
    pub(super) number: u64,
}

impl Root {
    /// # Errors
    /// What `open(2)` answers.
    pub(super) fn open(path: &Path, now_ns: u64) -> io::Result<Self> {
        let release = Release::open(path, 0)?;
        Ok(Self {
            path: path.to_owned(),
            release: RefCell::new(Rc::new(release)),
            resolved_ns: Cell::new(now_ns),
        })
    }

    /// The release that a request is served from, which begins at `now_ns`.
    pub(super) fn release(&self, now_ns: u64) -> Rc<Release> {
        let age_ns = now_ns.saturating_sub(self.resolved_ns.get());
        let mut release = self.release.borrow_mut();
        if u128::from(age_ns) >= FILE_FRESHNESS.as_nanos() {
            self.resolved_ns.set(now_ns);
            if let Ok(next) = Release::open(&self.path, release.number + 1)
                && next.id != release.id
            {
                *release = Rc::new(next);
            }
        }
        Rc::clone(&release)
    }
}

impl Release {
    fn open(path: &Path, number: u64) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty())?;
        let stat = fstat(&folder)?;
        Ok(Self {
            folder: Arc::new(folder),
            id: (stat.st_dev, stat.st_ino),
            number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::common::Common;
    use std::fs;
    use std::os::unix::fs::symlink;

    const STEP_NS: u64 = FILE_FRESHNESS.as_nanos() as u64;

    /// Swaps the link `to` atomically.
    fn swap(folder: &Path, to: &str) {
        symlink(to, folder.join("next")).unwrap();
        fs::rename(folder.join("next"), folder.join("current")).unwrap();
    }

    #[test]
    fn a_swapped_link_is_followed_in_time_and_not_before() {
        let outer = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir(outer.path().join(name)).unwrap();
        }
        swap(outer.path(), "one");
        let root = Root::open(&outer.path().join("current"), 0).unwrap();
        let first = root.release(0);
        swap(outer.path(), "two");
        assert_eq!(root.release(STEP_NS - 1).number, first.number);
        let second = root.release(STEP_NS);
        assert_ne!(second.number, first.number);
        assert_ne!(second.id, first.id);
        // Nothing changed: it stays the same release.
        assert_eq!(root.release(3 * STEP_NS).number, second.number);
        // Who has begun with the first still has it.
        assert!(fstat(&first.folder).is_ok());
    }

    #[test]
    fn a_release_is_let_go_of_though_nobody_asks() {
        let outer = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir(outer.path().join(name)).unwrap();
        }
        swap(outer.path(), "one");
        let common = Common::new(0);
        let root = common.root(&outer.path().join("current"), 0).unwrap();
        let first = Rc::downgrade(&root.release(0));
        swap(outer.path(), "two");
        common.tick(STEP_NS - 1);
        assert!(first.upgrade().is_some());
        common.tick(STEP_NS);
        assert!(first.upgrade().is_none());
        // One that is not served any more is of no account.
        drop(root);
        common.tick(3 * STEP_NS);
    }

    #[test]
    fn a_path_that_leads_nowhere_leaves_the_last_release() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("root");
        fs::create_dir(&path).unwrap();
        let root = Root::open(&path, 0).unwrap();
        let first = root.release(0);
        fs::rename(&path, outer.path().join("gone")).unwrap();
        assert_eq!(root.release(STEP_NS).number, first.number);
        fs::create_dir(&path).unwrap();
        assert_ne!(root.release(2 * STEP_NS).id, first.id);
    }
}
