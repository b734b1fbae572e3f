//! Files that are the content of errors. It is pure: which there are, and for whom.
//!
//! An error keeps its status, and gets the file's content and media type, and the fields that rules give
//! the file. What is said of the file as a file it does not have: no entity tag, no date, no ranges and no
//! Cache-Control. It is neither 304 nor 206, and has no content coding.

use std::ffi::{CStr, CString};

use http::StatusCode;

use super::path::{self, Located};
use crate::http::ErrorForm;

/// Statuses with which a folder refuses a file: the path is malformed, nothing is there, the file cannot be
/// read, or not now.
const STATUSES: [StatusCode; 4] = [
    StatusCode::BAD_REQUEST,
    StatusCode::NOT_FOUND,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// The pages of errors, at most one for each status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorPages(Vec<(StatusCode, CString)>);

/// Why a text names no page, or none that may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorPageError {
    /// It is not of the form `STATUS=/PATH`.
    #[error("is not of the form STATUS=/PATH")]
    Form,
    /// No file is refused with this status.
    #[error("has a status that no file is refused with")]
    Status,
    /// It names no file below the folder.
    #[error("does not name a file below the folder")]
    Path,
    /// The status has a page already.
    #[error("is about a status that has a page")]
    Twice,
}

impl ErrorPages {
    /// Adds a page. Its text is `STATUS=/PATH`, such as `404=/404.html`, with the path as it is requested.
    /// It may be one that is hidden, and so is not served by itself.
    ///
    /// # Errors
    /// The text names none, or there is one for the status.
    pub fn add(&mut self, text: &str) -> Result<(), ErrorPageError> {
        let (status, path) = text.split_once('=').ok_or(ErrorPageError::Form)?;
        let is_meant = |known: &&StatusCode| known.as_str() == status;
        let status = STATUSES.iter().find(is_meant);
        let status = *status.ok_or(ErrorPageError::Status)?;
        let Ok(Located::File { relative }) = path::locate(path.as_bytes()) else {
            return Err(ErrorPageError::Path);
        };
        if self.0.iter().any(|(known, _)| *known == status) {
            return Err(ErrorPageError::Twice);
        }
        self.0.push((status, relative));
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths of all below the root.
    pub fn paths(&self) -> impl Iterator<Item = &CStr> {
        self.0.iter().map(|(_, path)| &**path)
    }

    /// The path below the root of the page for `status`.
    pub fn get(&self, status: StatusCode) -> Option<&CStr> {
        let page = self.0.iter().find(|(known, _)| *known == status);
        page.map(|(_, relative)| relative.as_c_str())
    }
}

/// Whether a request with these values of Accept fields gets a page: programs that would rather have JSON
/// get the problem (RFC 9457) that they would get without a page.
pub(super) fn wants_page<'a>(accept: impl IntoIterator<Item = &'a [u8]>) -> bool {
    ErrorForm::preferred(accept) != ErrorForm::Json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_one_status() {
        let mut pages = ErrorPages::default();
        assert!(pages.is_empty());
        assert_eq!(pages.add("404=/404.html"), Ok(()));
        assert_eq!(pages.add("503=/errors/a%20b=c.html"), Ok(()));
        assert_eq!(pages.get(StatusCode::NOT_FOUND), Some(c"404.html"));
        let busy = pages.get(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy, Some(c"errors/a b=c.html"));
        assert_eq!(pages.get(StatusCode::BAD_REQUEST), None);
        assert_eq!(pages.add("404=/x"), Err(ErrorPageError::Twice));
        for status in STATUSES {
            let page = format!("{}=/x", status.as_str());
            assert_eq!(ErrorPages::default().add(&page), Ok(()));
        }
    }

    #[test]
    fn what_is_no_page() {
        use ErrorPageError::{Form, Path, Status};
        let table = [
            ("", Form),
            ("404", Form),
            ("/404.html", Form),
            ("=/404.html", Status),
            ("200=/x", Status),
            ("301=/x", Status),
            ("304=/x", Status),
            ("403=/x", Status),
            ("410=/x", Status),
            ("416=/x", Status),
            ("502=/x", Status),
            ("0404=/x", Status),
            ("404 =/x", Status),
            ("4xx=/x", Status),
            ("404=", Path),
            ("404=x", Path),
            ("404=/", Path),
            ("404=/x/", Path),
            ("404=//x", Path),
            ("404=/../x", Path),
            ("404=/%2e%2e/x", Path),
            ("404=/a%2Fb", Path),
            ("404=/%00", Path),
            ("404=/%zz", Path),
            ("404=https://example.org/x", Path),
        ];
        for (text, error) in table {
            assert_eq!(ErrorPages::default().add(text), Err(error), "{text}");
        }
    }

    #[test]
    fn programs_get_no_page() {
        let table: &[(&[&[u8]], bool)] = &[
            (&[], true),
            (&[b"*/*"], true),
            (&[b"text/html,*/*;q=0.8"], true),
            (&[b"image/webp,*/*"], true),
            (&[b"text/plain"], true),
            (&[b"application/json"], false),
            (&[b"application/problem+json, text/html;q=0.5"], false),
            (&[b"application/json;q=0.5, text/html"], true),
        ];
        for (accept, expected) in table {
            assert_eq!(wants_page(accept.iter().copied()), *expected, "{accept:?}");
        }
    }
}
