//! No file is compressed: the crate was built without an encoder (feature `compression`).

use std::convert::Infallible;
use std::io;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use super::policy::Policy;
use super::transfer::Held;
use crate::http::ContentCoding;
use crate::ring::Ring;

/// What the folders of a core would have in common.
#[derive(Debug, Default)]
pub(crate) struct Compressing;

/// What a core would compress files with.
#[derive(Debug)]
pub(super) struct Compressor;

/// A version that would be being compressed.
#[derive(Debug)]
pub(super) struct Making(Infallible);

/// What would compress a stream of pieces.
#[derive(Debug)]
pub(super) struct Encoder(Infallible);

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

impl Compressing {
    /// Nothing is to be given up.
    pub(super) fn drain(&self) {}

    /// Nothing is under way.
    pub(super) async fn end(&self) {}
}

impl Compressor {
    pub(super) fn new(_: &Policy, _: &Rc<Compressing>) -> Self {
        Self
    }

    /// Nothing.
    pub(super) fn compress<K: FnOnce(&Made) + 'static>(
        &self,
        _: Held,
        _: ContentCoding,
        _: usize,
        _: impl FnOnce() -> Option<K>,
    ) -> Option<Rc<Making>> {
        None
    }

    /// None.
    pub(super) fn lend(&self, _: &Ring, _: ContentCoding) -> Option<Encoder> {
        None
    }
}

impl Encoder {
    /// There is none.
    pub(super) fn coding(&self) -> ContentCoding {
        match self.0 {}
    }

    /// There is none.
    pub(super) async fn encode(&mut self, _: Bytes, _: bool) -> io::Result<Bytes> {
        match self.0 {}
    }
}

impl Making {
    /// There is none.
    pub(super) async fn wait(&self, _: &Ring, _: Option<Duration>) -> Option<Made> {
        match self.0 {}
    }
}
