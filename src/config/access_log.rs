//! Where the program's access log goes, and how its lines are written.

use std::path::PathBuf;

use super::Mistake;
use crate::app::AccessFormat;

/// The program's access log: a line for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Where lines go.
    pub to: AccessLogTo,
    /// How they are written. Default: [`AccessFormat::Combined`].
    pub format: AccessFormat,
}

/// Where the lines of an access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTo {
    /// Standard output.
    Stdout,
    /// The end of this file, which is made if it is not there.
    File(PathBuf),
}

/// What a path or `-` stands for.
pub(super) fn to(path: PathBuf) -> AccessLogTo {
    match path.as_os_str() == "-" {
        true => AccessLogTo::Stdout,
        false => AccessLogTo::File(path),
    }
}

/// The format called `text`.
pub(super) fn parse_format(text: &str) -> Result<AccessFormat, Mistake> {
    match text {
        "common" => Ok(AccessFormat::Common),
        "combined" => Ok(AccessFormat::Combined),
        "json" => Ok(AccessFormat::Json),
        _ => Err(Mistake::new(
            format!("'{text}' is not a format of the access log"),
            "write common, combined or json",
        )),
    }
}
