//! Reading what lies in a folder, a slice at a time. It happens on the core's thread for blocking calls:
//! `getdents64(2)` and `stat(2)` wait for the disk, and there are many of them.
//!
//! An entry is told of only if a request for it would be served: not if it is a device, a FIFO or a
//! socket, a link that is not followed, or unreadable. What a policy hides by name is left out by the
//! core, which has the policy.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, Dir, FileType, Stat, accessat, fstat, statat};

use super::decision::{Absence, below};
use super::entries::{Entries, Entry, Kind, Order};
use super::policy::Symlinks;
use super::resolve;
use super::root::Release;
use crate::limits::LISTING_SLICE_ENTRIES;
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
        Ok(Ok(Self(Box::new(Reading {
            entries: Dir::read_from(&folder)?,
            relative: relative.into(),
            root: Arc::clone(&release.folder),
            symlinks,
        }))))
    }

    /// Adds the next entries to `entries`, and tells whether there may be more.
    ///
    /// # Errors
    /// What `getdents64(2)` answers.
    pub(super) async fn read(self, mut entries: Entries) -> (Self, Entries, io::Result<bool>) {
        let mut reading = self.0;
        let read = move || {
            let more = reading.read(&mut entries);
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
    fn read(&mut self, entries: &mut Entries) -> io::Result<bool> {
        for _ in 0..LISTING_SLICE_ENTRIES {
            let Some(entry) = self.entries.read() else {
                return Ok(false);
            };
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if let Some((kind, stat)) = self.look(name, entry.file_type()) {
                entries.push(&Entry {
                    name: name.to_bytes(),
                    kind,
                    length: u64::try_from(stat.st_size).unwrap_or(0),
                    modified: stat.st_mtime,
                });
            }
        }
        Ok(true)
    }

    /// What `name` is, which is of the type `told` unless that is not known; `None` if it would not be
    /// served, or cannot be looked at.
    fn look(&self, name: &CStr, told: FileType) -> Option<(Kind, Stat)> {
        let folder = self.entries.fd().ok()?;
        let mut stat = match told {
            FileType::RegularFile | FileType::Directory | FileType::Symlink | FileType::Unknown => {
                statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?
            }
            _ => return None,
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            if self.symlinks == Symlinks::Never {
                return None;
            }
            let opening = resolve::opening(ring::Access::Look, self.symlinks);
            let found = opening.open_waiting(&self.root, &below(&self.relative, name));
            stat = fstat(found.ok()?).ok()?;
        }
        let (kind, access) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => (Kind::File, Access::READ_OK),
            FileType::Directory => (Kind::Folder, Access::EXEC_OK),
            _ => return None,
        };
        accessat(folder, name, access, AtFlags::EACCESS).ok()?;
        Some((kind, stat))
    }
}
