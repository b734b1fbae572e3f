//! Why an archive breaks off, and what its peer is told where nothing of it is sent.

use std::ffi::{CStr, CString};
use std::io;

use http::StatusCode;

use crate::files::refusal::Refusal;
use crate::files::transfer::is_change;
use crate::limits::ARCHIVE_DEPTH;

/// What could not be read of an archive, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.to_bytes().escape_ascii())]
struct At {
    /// Below the root.
    path: CString,
    error: io::Error,
}

/// Why an archive breaks off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the folder was moved or deleted while it was read")]
    Moved,
    #[error("there are more than {ARCHIVE_DEPTH} folders within each other")]
    TooDeep,
    #[error("too many folders are open for archives")]
    TooMany,
}

impl From<Broken> for io::Error {
    /// Nothing of it is a failure of the server's: see [`BodyError::Io`](crate::app::BodyError::Io).
    fn from(broken: Broken) -> Self {
        let kind = match broken {
            Broken::Moved | Broken::TooMany => io::ErrorKind::ResourceBusy,
            Broken::TooDeep => io::ErrorKind::QuotaExceeded,
        };
        io::Error::new(kind, broken)
    }
}

/// `error` with what it was met at, unless it says that already.
pub(super) fn at(path: &CStr, error: io::Error) -> io::Error {
    if error.get_ref().is_some_and(|inner| inner.is::<At>()) {
        return error;
    }
    let path = path.to_owned();
    io::Error::new(error.kind(), At { path, error })
}

pub(super) fn too_many() -> Refusal {
    let detail = "Too many folders are being downloaded.";
    Refusal::Told(StatusCode::SERVICE_UNAVAILABLE, detail.into())
}

/// The refusal where nothing is sent of the archive of the folder at `relative`, for it breaks off at once.
pub(super) fn failed(error: io::Error, relative: &CStr) -> Refusal {
    let (path, error) = match error.downcast::<At>() {
        Ok(At { path, error }) => (path, error),
        Err(error) => (relative.to_owned(), error),
    };
    let broken = error.get_ref().and_then(|inner| inner.downcast_ref());
    match broken {
        Some(Broken::Moved) => Refusal::Changing,
        Some(Broken::TooMany) => too_many(),
        // Whoever put the folders there is not told by every request of it.
        Some(Broken::TooDeep) => {
            let detail = format!("It has more than {ARCHIVE_DEPTH} folders within each other.");
            Refusal::Told(StatusCode::NOT_FOUND, detail.into())
        }
        None if is_change(&error) => Refusal::Changing,
        None => Refusal::failed(error, path.to_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::IntoResponse;
    use rustix::io::Errno;

    #[test]
    fn only_a_failing_disk_is_a_failure() {
        let table = [
            (Errno::MFILE.into(), 503, true),
            (Errno::NFILE.into(), 503, true),
            (Errno::NOMEM.into(), 503, true),
            (Errno::IO.into(), 500, true),
            (Errno::ACCESS.into(), 404, false),
            (Broken::Moved.into(), 503, false),
            (Broken::TooMany.into(), 503, false),
            (Broken::TooDeep.into(), 404, false),
        ];
        for (error, status, is_failure) in table {
            let what = format!("{error}");
            let response = failed(at(c"a/b", error), c"a").into_response();
            assert_eq!(response.status.as_u16(), status, "{what}");
            assert_eq!(response.failure().is_some(), is_failure, "{what}");
        }
    }

    #[test]
    fn what_broke_an_archive_off_is_told_by_where_it_was_met_first() {
        let moved = at(c"a/b", Broken::Moved.into());
        let kind = moved.kind();
        let told = at(c"a", moved);
        assert_eq!(
            told.to_string(),
            "a/b: the folder was moved or deleted while it was read"
        );
        assert_eq!(told.kind(), kind);
    }
}
