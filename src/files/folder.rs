//! Reading what lies in a folder, a slice at a time. It happens on the core's thread for blocking calls:
//! `getdents64(2)` and `stat(2)` wait for the disk, and there are many of them.
//!
//! An entry is told of only if a request for it would be served: not if it is a device, a FIFO or a
//! socket, a link that is not followed, or unreadable; nor is a folder of which the names may not be read,
//! though what is in it may be served to whom knows them. What a policy hides by name is left out by the
//! core, which has the policy.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, Dir, FileType, Stat, accessat, fstat, statat};

use super::decision::{Absence, below, below_bytes};
use super::entries::{Entries, Entry, Kind, Order};
use super::policy::{Policy, Symlinks};
use super::resolve;
use super::root::Release;
use crate::limits::{LISTING_SLICE_ENTRIES, PATH_BYTES};
use crate::ring::{self, Ring};

/// A folder that is being read.
#[derive(Debug)]
pub(super) struct Folder(Box<Reading>);

#[derive(Debug)]
struct Reading {
    entries: Dir,
    /// The folder's path below `root`.
    relative: Box<CStr>,
    root: Arc<OwnedFd>,
    symlinks: Symlinks,
    /// Its device and inode.
    id: (u64, u64),
    /// When it was changed last, in seconds since 1970.
    modified: i64,
}

/// Whether a policy serves what lies in a folder, by names.
#[derive(Debug)]
pub(super) struct Hides {
    policy: Rc<Policy>,
    relative: Box<CStr>,
}

impl Hides {
    /// Of what lies in the folder at `relative`.
    pub(super) fn new(policy: &Rc<Policy>, relative: &CStr) -> Self {
        Self {
            policy: Rc::clone(policy),
            relative: relative.into(),
        }
    }

    /// The folder's path.
    pub(super) fn relative(&self) -> &CStr {
        &self.relative
    }

    /// Takes out of `entries` what is not served, from the one at `start` on.
    pub(super) fn apply(&self, entries: &mut Entries, start: usize) {
        entries.retain_from(start, |name| {
            let path = below_bytes(&self.relative, name);
            path.len() <= PATH_BYTES && self.policy.hides(&path).is_none()
        });
    }
}

impl Folder {
    /// Opens the folder at `relative`, or tells what is there instead.
    ///
    /// # Errors
    /// Those of [`resolve::look`].
    pub(super) async fn open(
        ring: &Ring,
        release: &Release,
        relative: &CStr,
        symlinks: Symlinks,
    ) -> io::Result<Result<Self, Absence>> {
        let folder = match resolve::open_folder(ring, release, relative, symlinks).await? {
            Ok(folder) => folder,
            Err(absence) => return Ok(Err(absence)),
        };
        let stat = fstat(&folder)?;
        Ok(Ok(Self(Box::new(Reading {
            id: (stat.st_dev, stat.st_ino),
            modified: stat.st_mtime,
            entries: Dir::read_from(&folder)?,
            relative: relative.into(),
            root: Arc::clone(&release.folder),
            symlinks,
        }))))
    }

    /// Its device and inode.
    pub(super) fn id(&self) -> (u64, u64) {
        self.0.id
    }

    /// When it was changed last, in seconds since 1970.
    pub(super) fn modified(&self) -> i64 {
        self.0.modified
    }

    /// Adds up to `most` entries, the next, to `entries`, and tells whether there may be more.
    ///
    /// # Errors
    /// What `getdents64(2)` answers.
    pub(super) async fn read(
        self,
        mut entries: Entries,
        most: usize,
    ) -> (Self, Entries, io::Result<bool>) {
        let mut reading = self.0;
        let read = move || {
            let more = reading.read(&mut entries, most);
            (reading, entries, more)
        };
        let (reading, entries, more) = glommio::executor().spawn_blocking(read).await;
        (Self(reading), entries, more)
    }
}

/// Sorts entries where that holds nobody up.
pub(super) async fn sort(mut entries: Entries, order: Order) -> Entries {
    if entries.len() <= LISTING_SLICE_ENTRIES {
        entries.sort(order);
        return entries;
    }
    let sort = move || {
        entries.sort(order);
        entries
    };
    glommio::executor().spawn_blocking(sort).await
}

impl Reading {
    fn read(&mut self, entries: &mut Entries, most: usize) -> io::Result<bool> {
        for _ in 0..most {
            let Some(entry) = self.entries.read() else {
                return Ok(false);
            };
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if let Some((kind, is_link, stat)) = self.look(name, entry.file_type()) {
                entries.push(&Entry {
                    name: name.to_bytes(),
                    kind,
                    is_link,
                    length: u64::try_from(stat.st_size).unwrap_or(0),
                    modified: stat.st_mtime,
                });
            }
        }
        Ok(true)
    }

    /// What `name` is, which is of the type `told` unless that is not known, and whether a link leads to
    /// it; `None` if it would not be served, or cannot be looked at.
    fn look(&self, name: &CStr, told: FileType) -> Option<(Kind, bool, Stat)> {
        let folder = self.entries.fd().ok()?;
        let mut stat = match told {
            FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown => {
                statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?
            }
            _ => return None,
        };
        let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
        if is_link {
            if self.symlinks == Symlinks::Never {
                return None;
            }
            let opening = resolve::opening(ring::Access::Look, self.symlinks);
            let found = opening.open_waiting(&self.root, &below(&self.relative, name));
            stat = fstat(found.ok()?).ok()?;
        }
        let (kind, access) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => (Kind::File, Access::READ_OK),
            FileType::Directory => (Kind::Folder, Access::READ_OK | Access::EXEC_OK),
            _ => return None,
        };
        accessat(folder, name, access, AtFlags::EACCESS).ok()?;
        Some((kind, is_link, stat))
    }
}
