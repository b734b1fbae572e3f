//! Why no file is sent, and the response or the error that it becomes.

use std::borrow::Cow;
use std::io;

use http::StatusCode;
use rustix::io::Errno;

use super::decision::{Absence, Reason};
use crate::app::{Error, IntoResponse, Response};

/// What a peer is told of a file that is changed whenever it is read.
const CHANGING: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "The file is being changed.",
);

/// Why no file is sent.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nothing is served there.
    Nothing(Reason),
    /// It is changed whenever it is read.
    Changing,
    /// For a reason that its peer is told.
    Told(StatusCode, Cow<'static, str>),
    /// The server failed, and not the path.
    Failed(Error),
}

impl Refusal {
    pub(super) fn absent(absence: Absence) -> Self {
        Refusal::Nothing(Reason::Absent(absence))
    }

    /// What `error` comes to, which was met with what lies at `path`.
    pub(super) fn failed(error: io::Error, path: &[u8]) -> Self {
        let (status, error) = match Errno::from_io_error(&error) {
            // The server is out of descriptors or memory: the file may well be there.
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
                (StatusCode::SERVICE_UNAVAILABLE, error)
            }
            Some(Errno::IO) => {
                let what = format!("{} cannot be read: {error}", path.escape_ascii());
                (StatusCode::INTERNAL_SERVER_ERROR, io::Error::other(what))
            }
            // Of whatever else the file system has against it the peer learns no more.
            _ => return Refusal::absent(Absence::Unreadable),
        };
        Refusal::Failed(Error::new(status, "").with_source(error))
    }

    /// What there is to say of it that a decision has not said.
    pub(super) fn told(&self) -> Option<String> {
        match self {
            Refusal::Nothing(_) => None,
            Refusal::Changing => Some("the file is changed whenever it is read".to_owned()),
            Refusal::Told(_, detail) => Some(detail.clone().into_owned()),
            Refusal::Failed(error) => Some(error.to_string()),
        }
    }

    /// The error of a handler that meant to send a file.
    pub(super) fn into_error(self) -> Error {
        match self {
            Refusal::Nothing(reason) => {
                Error::new(reason.status(), "").with_source(reason.to_string())
            }
            Refusal::Changing => Error::new(CHANGING.0, CHANGING.1),
            Refusal::Told(status, detail) => Error::new(status, detail),
            Refusal::Failed(error) => error,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Nothing(reason) => {
                let detail = match reason {
                    Reason::Malformed => "The path is malformed.",
                    _ => "",
                };
                Response::error(reason.status(), detail)
            }
            Refusal::Changing => Response::error(CHANGING.0, CHANGING.1),
            Refusal::Told(status, detail) => Response::error(status, &detail),
            Refusal::Failed(error) => error.into_response(),
        }
    }
}
