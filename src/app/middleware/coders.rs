//! How many encoders and decoders a core has for what is coded while it is sent or read.

use std::rc::Rc;

use super::super::request::Request;
use crate::limits::{DECODERS, ENCODERS};
use crate::permits::Permits;

/// What all [`Compression`](super::Compression) and [`Decompression`](super::Decompression) of a core have
/// in common, as far as they are not told otherwise; among the state of its app.
#[derive(Debug)]
pub(in crate::app) struct Coders {
    pub(super) encoders: Permits,
    pub(super) decoders: Permits,
}

impl Default for Coders {
    fn default() -> Self {
        Self {
            encoders: Permits::new(ENCODERS),
            decoders: Permits::new(DECODERS),
        }
    }
}

impl Coders {
    /// Those of the core that `request` is answered on. An app that is not served has as many for each
    /// request.
    pub(super) fn of(request: &Request) -> Rc<Self> {
        request.try_state().unwrap_or_default()
    }
}
