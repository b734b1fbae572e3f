//! Looking at what lies below a root, and opening it: the I/O between two steps of a decision. Nothing
//! is opened for reading before it is known to be a regular file, so a device or a FIFO does not notice
//! that it was asked for.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, Mode, Stat, accessat, fstat};
use rustix::io::Errno;

use super::decision::{Absence, Seen};
use super::policy::Symlinks;
use super::root::Release;
use super::version::Version;
use crate::ring::{Access, File, Links, Opening, Ring};

/// A regular file, open for reading, and the version that it had then.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) version: Version,
}

/// What lies at `relative`.
///
/// # Errors
/// Those that say nothing of the file: descriptors or memory ran out, the disk failed.
pub(super) async fn look(
    ring: &Ring,
    release: &Release,
    relative: &CStr,
    symlinks: Symlinks,
) -> io::Result<Seen> {
    let opening = opening(Access::Look, symlinks);
    let file = match File::open_beneath(ring, &release.folder, relative, opening).await {
        Ok(file) => file,
        Err(error) => return absent(error).map(Seen::Absent),
    };
    let stat = fstat(&file)?;
    Ok(match seen(&stat) {
        // Nothing in it can be told from what is not there, and so it is not told itself.
        Seen::Folder if !may_be_entered(&file) => Seen::Absent(Absence::Unreadable),
        // Whether it is there does not depend on what lies beside it.
        Seen::File(_) if !may_be_read(release, relative, &stat) => {
            Seen::Absent(Absence::Unreadable)
        }
        seen => seen,
    })
}

/// Whether the file at `relative`, which was looked at just now, may be opened to read it. It costs a system
/// call where not everybody may.
fn may_be_read(release: &Release, relative: &CStr, stat: &Stat) -> bool {
    let everybody = Mode::RUSR | Mode::RGRP | Mode::ROTH;
    let read = rustix::fs::Access::READ_OK;
    Mode::from_raw_mode(stat.st_mode).contains(everybody)
        || accessat(&release.folder, relative, read, AtFlags::EACCESS).is_ok()
}

fn may_be_entered(folder: &File) -> bool {
    accessat(folder, c".", rustix::fs::Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Opens the regular file at `relative`, or tells what is there instead.
///
/// # Errors
/// Those of [`look`].
pub(super) async fn open(
    ring: &Ring,
    release: &Release,
    relative: &CStr,
    symlinks: Symlinks,
) -> io::Result<Result<Found, Absence>> {
    let opening = opening(Access::Read, symlinks);
    let file = match File::open_beneath(ring, &release.folder, relative, opening).await {
        Ok(file) => file,
        Err(error) => return absent(error).map(Err),
    };
    // It may have been replaced since it was looked at.
    Ok(match seen(&fstat(&file)?) {
        Seen::File(version) => Ok(Found { file, version }),
        Seen::Folder => Err(Absence::Missing),
        Seen::Absent(absence) => Err(absence),
    })
}

/// Opens the folder at `relative` to read what lies in it, or tells what is there instead.
///
/// # Errors
/// Those of [`look`].
pub(super) async fn open_folder(
    ring: &Ring,
    release: &Release,
    relative: &CStr,
    symlinks: Symlinks,
) -> io::Result<Result<File, Absence>> {
    let opening = opening(Access::Read, symlinks);
    let folder = match File::open_beneath(ring, &release.folder, relative, opening).await {
        Ok(folder) => folder,
        Err(error) => return absent(error).map(Err),
    };
    // It may have been replaced since it was looked at.
    Ok(match seen(&fstat(&folder)?) {
        Seen::Folder => Ok(folder),
        Seen::File(_) => Err(Absence::Missing),
        Seen::Absent(absence) => Err(absence),
    })
}

/// The device and inode of the folder at `relative`, if there is one.
///
/// # Errors
/// Those of [`look`].
pub(super) async fn folder_id(
    ring: &Ring,
    release: &Release,
    relative: &CStr,
    symlinks: Symlinks,
) -> io::Result<Option<(u64, u64)>> {
    let opening = opening(Access::Look, symlinks);
    match File::open_beneath(ring, &release.folder, relative, opening).await {
        Ok(folder) => {
            let stat = fstat(&folder)?;
            Ok(Some((stat.st_dev, stat.st_ino)))
        }
        Err(error) => absent(error).map(|_| None),
    }
}

/// The version of an open file now.
///
/// # Errors
/// What `fstat(2)` answers.
pub(super) fn version(file: impl AsFd) -> io::Result<Version> {
    Ok(Version::of(&fstat(file)?))
}

/// Whether an open file has lost its last name, and is kept by those alone who have it open.
pub(super) fn is_deleted(file: impl AsFd) -> bool {
    fstat(file).map_or(true, |stat| stat.st_nlink == 0)
}

pub(super) fn opening(access: Access, symlinks: Symlinks) -> Opening {
    let links = match symlinks {
        Symlinks::Never => Links::None,
        Symlinks::Beneath => Links::Beneath,
        Symlinks::Any => Links::Any,
    };
    Opening { access, links }
}

fn seen(stat: &Stat) -> Seen {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Seen::File(Version::of(stat)),
        FileType::Directory => Seen::Folder,
        _ => Seen::Absent(Absence::Special),
    }
}

/// What a failed open says of the file, if it does.
fn absent(error: io::Error) -> io::Result<Absence> {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::INVAL) => {
            Ok(Absence::Missing)
        }
        Some(Errno::LOOP) => Ok(Absence::Link),
        Some(Errno::XDEV) => Ok(Absence::Outside),
        Some(Errno::ACCESS | Errno::PERM) => Ok(Absence::Unreadable),
        Some(Errno::NXIO | Errno::NODEV) => Ok(Absence::Special),
        _ => Err(error),
    }
}
