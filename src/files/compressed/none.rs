//! No file is compressed: the crate was built without an encoder (feature `compression`).

use std::io;
use std::ops::RangeInclusive;

use bytes::Bytes;
use http::HeaderValue;

use super::policy::Policy;
use super::transfer::Held;
use crate::http::ContentCoding;

/// What a core would compress files with.
#[derive(Debug)]
pub(super) struct Compressor;

/// What would come of compressing a version of a file.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) content: Option<Bytes>,
    pub(super) tag: Option<HeaderValue>,
    pub(super) is_settled: bool,
}

/// In none.
pub(super) fn can_encode(_: ContentCoding) -> bool {
    false
}

/// There are none.
pub(crate) fn levels(_: ContentCoding) -> Option<(RangeInclusive<u8>, u8)> {
    None
}

impl Compressor {
    pub(super) fn new(_: &Policy) -> Self {
        Self
    }

    /// Nothing.
    pub(super) async fn compress(
        &self,
        _: Held,
        _: ContentCoding,
        _: usize,
    ) -> io::Result<Option<Made>> {
        Ok(None)
    }
}
