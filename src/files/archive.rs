//! A folder on its way as one tar archive, which is made while it is sent.
//!
//! ```text
//! Folder ─slices─▶ Entries ─▶ file   ─▶ header, content ─pieces─▶ peer
//!    ▲                     └▶ folder ─▶ header
//!    └───────── one within the other ──────┘
//! ```
//!
//! In it is what a request for it would be served if no rule redirected it: nothing that is hidden,
//! unreadable, or neither file nor folder. Redirects withhold nothing from an archive. A link to a file is
//! that file; one to a folder is left out, for it could lead in a circle. The order is the file system's:
//! nothing is sorted, so that what is in memory is a piece, and a slice of entries for each of at most
//! [`ARCHIVE_DEPTH`] folders within each other.
//!
//! Nobody knows its length before its end, and there is no telling a part of it from the whole but by how
//! it ends. So it breaks off where it would not be true: where a file is changed while it is sent, and
//! where a folder is not at its place any more once it was read. A file that is gone when its turn
//! comes was deleted before, and is left out. Files are changed and moved all the time, and so that is told
//! as WARN, with what it was; a peer that leaves is told as anywhere else, at DEBUG.
//!
//! Until something is sent nobody knows whether a peer that has closed its side still reads. So a piece is
//! made of no more than [`ARCHIVE_PIECE_SLICES`], however few of their entries are served. What GET is
//! refused, it is refused before the first piece, which is made for HEAD as well, and is not sent.
//!
//! Each folder that is being read takes a descriptor, and a peer decides how long. So all archives of a
//! core together have a most of them ([`ARCHIVE_FOLDERS`](crate::limits::ARCHIVE_FOLDERS)), for which
//! descriptors are kept.

mod broken;

use std::cmp::min;
use std::ffi::{CStr, CString};
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use rustix::fs::fstat;

use self::broken::{Broken, at, failed, too_many};
use super::decision::{Absence, below_bytes};
use super::entries::{Entries, Kind};
use super::folder::{Folder, Hides};
use super::path;
use super::pieces::{self, Maker};
use super::policy::Policy;
use super::refusal::Refusal;
use super::resolve;
use super::root::Release;
use super::tar::{self, Member};
use super::transfer::{Held, is_change};
use crate::app::{Request, Response};
use crate::limits::{
    ARCHIVE_DEPTH, ARCHIVE_PIECE_SLICES, ARCHIVE_SLICE_ENTRIES, FILE_ATTEMPTS, FILE_PIECE_BYTES,
};
use crate::permits::{Permit, Permits};
use crate::ring::Ring;

/// What an archive of the root is called where the root has no name.
const NAMELESS: &[u8] = b"files";

/// The Cache-Control of archives, unless a rule gives one.
pub(super) const ARCHIVE_CACHE_CONTROL: &str = "no-store";

/// Where an archive's content is from.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) ring: Ring,
    pub(super) release: Rc<Release>,
    pub(super) policy: Rc<Policy>,
    /// How many folders are open for the core's archives.
    pub(super) folders: Permits,
}

/// An archive that is being made.
struct Archive {
    source: Source,
    /// What all its paths begin with, without a slash at its end.
    stem: Vec<u8>,
    /// Bytes of a path below the root that `stem` and a slash stand for.
    base_bytes: usize,
    /// The folders that are being read, each in the one before it.
    levels: Vec<Level>,
    /// The file that is being sent.
    sending: Option<Sending>,
    is_over: bool,
    _permit: Permit,
}

/// A folder that is being read.
struct Level {
    hides: Hides,
    /// At hand while it is not read.
    folder: Option<Folder>,
    has_more: bool,
    entries: Entries,
    /// How many of `entries` are written.
    written: usize,
    _permit: Permit,
}

/// A file of which a part is written.
struct Sending {
    relative: CString,
    held: Held,
    /// As its header has it.
    length: u64,
    offset: u64,
}

/// The response with the folder at `relative`. As many are on their way at a time as there are `permits`.
///
/// # Errors
/// The folder cannot be opened, or the archive would break off before a part of it is sent.
pub(super) async fn respond(
    source: Source,
    permits: &Permits,
    relative: &CStr,
    request: &Request,
) -> Result<Response, Refusal> {
    let permit = permits.take().ok_or_else(too_many)?;
    let failed = |error| failed(error, relative);
    let stem = stem(request.before_rest(), relative);
    let name = [&*stem, b".tar"].concat();
    let mut archive = Archive {
        stem,
        base_bytes: match relative.to_bytes() {
            b"." => 0,
            path => path.len() + 1,
        },
        levels: Vec::new(),
        sending: None,
        is_over: false,
        source,
        _permit: permit,
    };
    let entered = archive.enter(relative.to_owned()).await;
    entered.map_err(failed)?.map_err(Refusal::absent)?;
    let first;
    (archive, first) = archive.begin(relative).await;
    let first = first.map_err(failed)?;
    let value = HeaderValue::from_static;
    let response = Response::new(StatusCode::OK)
        .with_header(CONTENT_TYPE, value("application/x-tar"))
        .with_header(CACHE_CONTROL, value(ARCHIVE_CACHE_CONTROL))
        .with_header(ACCEPT_RANGES, value("none"))
        .with_attachment(&String::from_utf8_lossy(&name));
    Ok(response.with_body(pieces::stream(Some(first), archive)))
}

/// What an archive of the folder at `relative` unpacks to, where the root is served below `before`.
fn stem(before: &str, relative: &CStr) -> Vec<u8> {
    let mount = path::decode_lossy(before);
    let whole = match relative.to_bytes() {
        b"." => &*mount,
        relative => relative,
    };
    let last = whole.rsplit(|&byte| byte == b'/').next();
    let name = last.filter(|name| path::is_name(name) && !name.contains(&0));
    name.unwrap_or(NAMELESS).to_vec()
}

impl Archive {
    /// Makes the first piece, which begins with the folder at `relative` itself.
    async fn begin(mut self, relative: &CStr) -> (Self, io::Result<Bytes>) {
        let mut piece = Vec::new();
        match self.levels.last().and_then(|level| level.folder.as_ref()) {
            Some(folder) => self.push_folder(relative.to_bytes(), folder.modified(), &mut piece),
            None => return (self, Ok(Bytes::new())),
        }
        let filled = self.fill(&mut piece).await;
        (self, filled.map(|()| piece.into()))
    }

    /// Begins to read the folder at `relative`, or tells what is there instead.
    async fn enter(&mut self, relative: CString) -> io::Result<Result<(), Absence>> {
        let Source {
            ring,
            release,
            policy,
            folders,
        } = &self.source;
        let permit = folders.take();
        let permit = permit.ok_or(Broken::TooMany)?;
        let folder = match Folder::open(ring, release, &relative, policy.symlinks).await? {
            Ok(folder) => folder,
            Err(absence) => return Ok(Err(absence)),
        };
        if self.levels.len() >= ARCHIVE_DEPTH {
            return Err(Broken::TooDeep.into());
        }
        self.levels.push(Level {
            hides: Hides::new(policy, &relative),
            folder: Some(folder),
            has_more: true,
            entries: Entries::default(),
            written: 0,
            _permit: permit,
        });
        Ok(Ok(()))
    }

    /// Writes until `piece` is one, or all is written, or enough was read for it.
    async fn fill(&mut self, piece: &mut Vec<u8>) -> io::Result<()> {
        let mut slices = 0;
        while piece.len() < FILE_PIECE_BYTES && slices < ARCHIVE_PIECE_SLICES && !self.is_over {
            if let Some(sending) = self.sending.take() {
                self.send(sending, piece).await?;
            } else if let Some(level) = self.levels.last_mut() {
                let Some(entry) = level.entries.get(level.written) else {
                    self.read_on().await?;
                    slices += 1;
                    continue;
                };
                level.written += 1;
                let path = below_bytes(level.hides.relative(), entry.name);
                let (kind, modified) = (entry.kind, entry.modified);
                if kind == Kind::Folder && entry.is_link {
                    continue;
                }
                let Ok(relative) = CString::new(path) else {
                    continue;
                };
                let path = relative.clone();
                let begun = match kind {
                    Kind::File => self.begin_file(relative, piece).await,
                    Kind::Folder => self.begin_folder(relative, modified, piece).await,
                };
                begun.map_err(|error| at(&path, error))?;
            } else {
                piece.extend_from_slice(&tar::END);
                self.is_over = true;
            }
        }
        Ok(())
    }

    /// Reads the next slice of the innermost folder, or leaves it behind.
    async fn read_on(&mut self) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else {
            return Ok(());
        };
        if !level.has_more {
            self.make_sure_of_place().await?;
            self.levels.pop();
            return Ok(());
        }
        let Some(folder) = level.folder.take() else {
            return Ok(());
        };
        let mut entries = std::mem::take(&mut level.entries);
        entries.clear();
        let (folder, mut entries, more) = folder.read(entries, ARCHIVE_SLICE_ENTRIES).await;
        level.hides.apply(&mut entries, 0);
        (level.folder, level.entries, level.written) = (Some(folder), entries, 0);
        level.has_more = more.map_err(|error| at(level.hides.relative(), error))?;
        Ok(())
    }

    async fn begin_folder(
        &mut self,
        relative: CString,
        modified: i64,
        piece: &mut Vec<u8>,
    ) -> io::Result<()> {
        let path = relative.to_bytes().to_vec();
        match self.enter(relative).await? {
            Ok(()) => self.push_folder(&path, modified, piece),
            Err(_) => self.make_sure_of_place().await?,
        }
        Ok(())
    }

    /// Writes the header of the file at `relative` and its first part, which is of one version with what
    /// the header says.
    async fn begin_file(&mut self, relative: CString, piece: &mut Vec<u8>) -> io::Result<()> {
        let Source {
            ring,
            release,
            policy,
            ..
        } = &self.source;
        let mut attempts = 0;
        let (is_executable, version, held, content) = loop {
            attempts += 1;
            let Ok(found) = resolve::open(ring, release, &relative, policy.symlinks).await? else {
                return self.make_sure_of_place().await;
            };
            let is_executable = fstat(&found.file)?.st_mode & 0o100 != 0;
            let version = found.version;
            let held = Held::new(Rc::new(found.file), version);
            let bytes = min(version.length(), FILE_PIECE_BYTES as u64);
            match held.read(0, bytes as usize).await {
                (held, Ok(content)) => break (is_executable, version, held, content),
                (_, Err(error)) if is_change(&error) && attempts < FILE_ATTEMPTS => {}
                (_, Err(error)) => return Err(error),
            }
        };
        let member = Member {
            path: &self.member_path(relative.to_bytes()),
            is_folder: false,
            is_executable,
            length: version.length(),
            modified: version.modified_seconds(),
        };
        tar::push_head(&member, piece);
        let sending = Sending {
            relative,
            held,
            length: version.length(),
            offset: 0,
        };
        self.push_content(sending, content, piece);
        Ok(())
    }

    /// Writes the next part of a file.
    async fn send(&mut self, sending: Sending, piece: &mut Vec<u8>) -> io::Result<()> {
        let Sending {
            relative,
            held,
            length,
            offset,
        } = sending;
        let bytes = min(length - offset, FILE_PIECE_BYTES as u64);
        let (held, content) = held.read(offset, bytes as usize).await;
        let content = content.map_err(|error| at(&relative, error))?;
        let sending = Sending {
            relative,
            held,
            length,
            offset,
        };
        self.push_content(sending, content, piece);
        Ok(())
    }

    /// Writes `content`, the next part of a file, and what goes behind the last.
    fn push_content(&mut self, mut sending: Sending, content: Vec<u8>, piece: &mut Vec<u8>) {
        sending.offset += content.len() as u64;
        match piece.is_empty() {
            true => *piece = content,
            false => piece.extend_from_slice(&content),
        }
        if sending.offset < sending.length {
            self.sending = Some(sending);
        } else {
            piece.resize(piece.len() + tar::padding(sending.length), 0);
        }
    }

    fn push_folder(&self, path: &[u8], modified: i64, piece: &mut Vec<u8>) {
        let member = Member {
            path: &self.member_path(path),
            is_folder: true,
            is_executable: false,
            length: 0,
            modified,
        };
        tar::push_head(&member, piece);
    }

    /// What lies at `path` below the root is called in the archive.
    fn member_path(&self, path: &[u8]) -> Vec<u8> {
        match path.get(self.base_bytes..) {
            Some(below) if path != b"." => [&*self.stem, b"/", below].concat(),
            _ => self.stem.clone(),
        }
    }

    /// Breaks off where the innermost folder is not where it was opened: what it lacks may be
    /// somewhere else by now.
    async fn make_sure_of_place(&self) -> io::Result<()> {
        let Some(Level { folder, hides, .. }) = self.levels.last() else {
            return Ok(());
        };
        let Source {
            ring,
            release,
            policy,
            ..
        } = &self.source;
        let id = resolve::folder_id(ring, release, hides.relative(), policy.symlinks).await?;
        match folder.as_ref().map(Folder::id) == id {
            true => Ok(()),
            false => Err(at(hides.relative(), Broken::Moved.into())),
        }
    }
}

impl Maker for Archive {
    fn is_over(&self) -> bool {
        self.is_over
    }

    async fn make(mut self) -> (Self, io::Result<Bytes>) {
        let mut piece = Vec::new();
        let filled = self.fill(&mut piece).await;
        (self, filled.map(|()| piece.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_called_as_its_folder_is() {
        let table: &[(&str, &CStr, &[u8])] = &[
            ("", c"a", b"a"),
            ("/m", c"a/b c", b"b c"),
            ("/m", c"a/\xff", b"\xff"),
            ("", c".", NAMELESS),
            ("/m", c".", b"m"),
            ("/m/n%20o", c".", b"n o"),
            ("/%2e%2e", c".", NAMELESS),
            ("/a%2f..", c".", NAMELESS),
            ("/a%00", c".", NAMELESS),
        ];
        for (before, relative, expected) in table {
            assert_eq!(stem(before, relative), *expected, "{before} {relative:?}");
        }
    }
}
