//! Why a response broke off, and whose fault that is.

use super::{panic, text};
use crate::app::BodyError;
use std::any::Any;
use std::io;

/// Why a response broke off.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Its source failed.
    Source(BodyError),
    /// Its source panicked.
    Panic(Box<dyn Any + Send>),
    /// It had more content than was declared.
    TooLong,
    /// It had less content than was declared.
    TooShort,
    /// Its source took too long.
    Silent,
}

impl Cause {
    pub(super) fn is_of_peer(&self) -> bool {
        use BodyError::{Disconnected, Refused, TimedOut};
        matches!(self, Cause::Source(Refused(_) | Disconnected | TimedOut))
    }

    /// Whether it is the work of others on what the response is made of, such as a file that is
    /// written to, and nothing that failed.
    pub(super) fn is_of_others(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ResourceBusy};
        match self {
            Cause::Source(BodyError::Io(error)) => {
                matches!(error.kind(), ResourceBusy | QuotaExceeded)
            }
            _ => false,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Cause::Source(BodyError::Io(error)) => text(error),
            Cause::Source(error) => text(error),
            Cause::Panic(payload) => panic::message(&**payload),
            Cause::TooLong => "it has more content than was declared".to_owned(),
            Cause::TooShort => "it has less content than was declared".to_owned(),
            Cause::Silent => "its source took longer than handler_timeout".to_owned(),
        }
    }
}
