//! A redirect by itself: what its text says.

use std::str::FromStr;

use http::StatusCode;

use crate::app::normal_path;
use crate::files::path;
use crate::limits::REDIRECT_BYTES;

/// A redirect. Its text is `FROM=TO`, or `FROM=TO STATUS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectRule {
    text: Box<str>,
    /// In [normal form](normal_path), without the slash at its beginning; of all that lies below a path,
    /// that path with its last slash.
    pub(super) from: Box<str>,
    pub(super) is_of_all_below: bool,
    pub(super) to: Target,
    status: StatusCode,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// A path below the mount, or a URL; where the rest of the path goes behind it, without a last slash.
    pub(super) base: Box<str>,
    pub(super) is_below_mount: bool,
    pub(super) takes_rest: bool,
    pub(super) query: Option<Box<str>>,
    pub(super) fragment: Option<Box<str>>,
}

/// Why a text is no redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// It has no `=`.
    #[error("has no =")]
    Form,
    /// What stands before the `=` is no path of a file or a folder.
    #[error("does not begin with a path that can be asked for")]
    From,
    /// What stands behind it is neither a path nor the URL of another server.
    #[error("does not lead to a path or to an http or https URL")]
    To,
    /// A `*` that is not the end of a path, behind a slash, or is one of TO alone.
    #[error("has a * where none can be")]
    Star,
    /// It is none of 301, 302, 307 and 308.
    #[error("has no status of a redirect")]
    Status,
    /// There are more than [`REDIRECT_BYTES`].
    #[error("has more than {REDIRECT_BYTES} bytes")]
    TooLong,
}

impl RedirectRule {
    /// The rule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The response's status: 301, 302, 307 or 308.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl FromStr for RedirectRule {
    type Err = RedirectError;

    /// An `=` in FROM is written `%3D`.
    fn from_str(text: &str) -> Result<Self, RedirectError> {
        if text.len() > REDIRECT_BYTES {
            return Err(RedirectError::TooLong);
        }
        let (from, to) = text.split_once('=').ok_or(RedirectError::Form)?;
        let (to, status) = match to.rsplit_once(' ') {
            Some((to, status)) => (to.trim_end_matches(' '), parse_status(status)?),
            None => (to, StatusCode::FOUND),
        };
        let is_of_all_below = from.ends_with("/*");
        let from = if is_of_all_below {
            &from[..from.len() - 1]
        } else {
            from
        };
        if from.contains('*') {
            return Err(RedirectError::Star);
        }
        if from.contains(['?', '#']) || path::locate(from.as_bytes()).is_err() {
            return Err(RedirectError::From);
        }
        let to: Target = to.parse()?;
        if to.takes_rest && !is_of_all_below {
            return Err(RedirectError::Star);
        }
        Ok(Self {
            text: text.into(),
            from: normal_path(from)[1..].into(),
            is_of_all_below,
            to,
            status,
        })
    }
}

fn parse_status(text: &str) -> Result<StatusCode, RedirectError> {
    match text {
        "301" => Ok(StatusCode::MOVED_PERMANENTLY),
        "302" => Ok(StatusCode::FOUND),
        "307" => Ok(StatusCode::TEMPORARY_REDIRECT),
        "308" => Ok(StatusCode::PERMANENT_REDIRECT),
        _ => Err(RedirectError::Status),
    }
}

impl FromStr for Target {
    type Err = RedirectError;

    fn from_str(text: &str) -> Result<Self, RedirectError> {
        let (text, fragment) = split(text, '#');
        let (path, query) = split(text, '?');
        let mut parts = query.iter().chain(&fragment);
        if !parts.all(|part| path::is_encoded(part.as_bytes())) {
            return Err(RedirectError::To);
        }
        let takes_rest = path.ends_with("/*");
        let base = if takes_rest {
            &path[..path.len() - 2]
        } else {
            path
        };
        if base.contains('*') {
            return Err(RedirectError::Star);
        }
        let is_below_mount = path.starts_with('/');
        let path = match is_below_mount {
            true => Some(path),
            false => path_of_url(base),
        };
        let path = path.ok_or(RedirectError::To)?;
        if !path.is_empty() && !is_encoded_path(path) {
            return Err(RedirectError::To);
        }
        Ok(Self {
            base: base.into(),
            is_below_mount,
            takes_rest,
            query: query.map(Into::into),
            fragment: fragment.map(Into::into),
        })
    }
}

pub(super) fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

/// The path of an `http` or `https` URL without query and fragment, which may be empty.
///
/// RFC 9110 §4.2.4: nobody is to be told a user and a password with it.
fn path_of_url(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let is_known = ["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let authority: http::uri::Authority = authority.parse().ok()?;
    let host = authority.host();
    let is_port = |port: &str| port.is_empty() || authority.port_u16().is_some();
    // What stands before the host is the user.
    let is_host = !host.is_empty() && authority.as_str().strip_prefix(host).is_some_and(is_port);
    (is_known && is_host).then_some(path)
}

/// Whether `path` can be asked for as it is written.
fn is_encoded_path(path: &str) -> bool {
    path::is_encoded(path.as_bytes()) && path::locate(path.as_bytes()).is_ok()
}
