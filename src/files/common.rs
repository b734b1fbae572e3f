//! What all folders that a core serves have in common.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::{Rc, Weak};

use super::cache::Cache;
use super::compressed::Compressing;
use super::policy::Policy;
use super::resolve;
use super::root::Root;
use super::transfer::{Copied, Way};
use crate::limits::ARCHIVE_FOLDERS;
use crate::permits::Permits;

/// What a core has once for all its folders; clones are of the same core.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    /// What it remembers of files.
    pub(crate) cache: Rc<Cache>,
    /// How many folders are open for archives.
    pub(super) archive_folders: Permits,
    /// Where files are copied to that are sent.
    copied: Copied,
    /// What is compressed.
    pub(super) compressing: Rc<Compressing>,
    /// The folders that are served.
    roots: Rc<RefCell<Vec<Weak<Root>>>>,
}

impl Common {
    /// Of a core that remembers at most `cache_bytes` of files, and is to tell of [each second](Common::tick).
    pub(crate) fn new(cache_bytes: u64) -> Self {
        Self::keeping(cache_bytes, true)
    }

    /// Of folders that nobody tells of time, which keep no file open between two requests.
    pub(super) fn without_ticks(cache_bytes: u64) -> Self {
        Self::keeping(cache_bytes, false)
    }

    fn keeping(cache_bytes: u64, keeps_open: bool) -> Self {
        let capacity = usize::try_from(cache_bytes).unwrap_or(usize::MAX);
        Self {
            cache: Rc::new(Cache::new(capacity, keeps_open)),
            archive_folders: Permits::new(ARCHIVE_FOLDERS),
            copied: Copied::default(),
            compressing: Rc::default(),
            roots: Rc::default(),
        }
    }

    /// The folder at `path`, which is looked at from `now_ns` on.
    ///
    /// # Errors
    /// Those of [`Root::open`].
    pub(super) fn root(&self, path: &Path, now_ns: u64) -> io::Result<Rc<Root>> {
        let root = Rc::new(Root::open(path, now_ns)?);
        self.roots.borrow_mut().push(Rc::downgrade(&root));
        Ok(root)
    }

    /// A second or so has passed, at `now_ns` on the ring's clock: closes what was kept open for long enough, and
    /// the releases of folders that others have taken the place of, though nobody asks for them.
    pub(crate) fn tick(&self, now_ns: u64) {
        let roots = self.roots.borrow();
        for root in roots.iter().filter_map(Weak::upgrade) {
            root.release(now_ns);
        }
        self.cache.let_go(now_ns, |file| resolve::is_deleted(file));
    }

    /// How files go out of a folder with this policy.
    pub(super) fn way(&self, policy: &Policy) -> Way {
        match policy.sendfile {
            true => Way::Pages,
            false => Way::Copies(self.copied.clone()),
        }
    }

    /// The core drains: nothing is done any more that no request waits for.
    pub(crate) fn drain(&self) {
        self.compressing.drain();
    }

    /// Waits until the tasks that were begun for requests have come to their ends. No request comes from now
    /// on.
    pub(crate) async fn end(&self) {
        self.compressing.end().await;
    }
}
