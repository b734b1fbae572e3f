//! What serving a request comes to know on its way, for whoever explains it (`explain.rs`, which has the words).
//! Serving leaves word where it decides: what is explained is what is done, and in that order. Where nobody
//! explains, that costs a look at one field each, where files are looked at anyway; what is remembered is answered
//! without.

use std::cell::RefCell;
use std::ffi::CString;

use super::decision::{Absence, Decision, Seen};
use super::remembering::Remembering;
use super::representation::Judged;
use super::variants::{Variant, Variants};
use crate::http::{ContentCoding, RequestHead};

/// One thing that serving came to know, or decided.
#[derive(Debug)]
pub(super) enum Fact {
    /// A rule sends the request to this location.
    Redirected { location: String, rule: String },
    /// A rule would send it there, and spares the folder that is asked for.
    Spared { location: String, rule: String },
    /// This was seen at a path below the root.
    Looked(CString, Seen),
    /// A symbolic link is on the way there.
    Linked(CString),
    /// The neighbour there is not served in place of its file: it is empty, or else older than that.
    LeftAlone { path: CString, is_empty: bool },
    /// What becomes of the path.
    Decided(Decision),
    /// What was seen there cannot be opened.
    Unopened(CString, Absence),
    /// This was to be made of the file, and is not sent.
    Unmade(Variant),
    /// Of these variants, this is sent.
    Chosen(Variants, Variant),
    /// A listing may be compressed, and in this coding for the request, if in any; whether it is.
    Coded {
        wanted: Option<ContentCoding>,
        is_coded: bool,
    },
    /// How much of it is remembered, or why nothing is.
    Remembered(Result<Remembering, &'static str>),
    /// What the conditions and ranges of the request come to.
    Judged(RequestHead, Judged),
    /// No file is sent, for a reason that was not told yet. What is told from now on is about the page of the
    /// error.
    Refused(Option<String>),
    /// The page of the error, and whether it could be read.
    ErrorPage(CString, bool),
}

/// The facts of one request, if somebody explains it.
#[derive(Debug, Default)]
pub(super) struct Facts(Option<RefCell<Vec<Fact>>>);

impl Facts {
    /// For somebody who explains.
    pub(super) fn noted() -> Self {
        Self(Some(RefCell::default()))
    }

    /// Whether somebody explains.
    pub(super) fn are_noted(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn note(&self, fact: impl FnOnce() -> Fact) {
        if let Some(noted) = &self.0 {
            noted.borrow_mut().push(fact());
        }
    }

    /// What was noted since the last time.
    pub(super) fn take(&self) -> Vec<Fact> {
        let noted = self.0.as_ref();
        noted.map(RefCell::take).unwrap_or_default()
    }
}
