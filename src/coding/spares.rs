//! Encoders of a core: at which levels they work, who has them on loan, and those that wait for the next
//! stream.

use std::cell::RefCell;
use std::io;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::{Encode, Step, encoder};
use crate::http::ContentCoding;
use crate::limits::SPARE_ENCODERS;
use crate::permits::Permit;

const CODINGS: usize = ContentCoding::ALL.len();

/// How hard each coding tries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Levels([u8; CODINGS]);

impl Levels {
    /// Those that there are of `coding`.
    pub(crate) fn range(coding: ContentCoding) -> RangeInclusive<u8> {
        match coding {
            ContentCoding::Gzip | ContentCoding::Deflate => 1..=9,
            ContentCoding::Brotli => 0..=11,
            // Beyond it a stream takes hundreds of MB.
            ContentCoding::Zstd => 1..=19,
        }
    }

    /// That of `coding`.
    pub(crate) fn of(&self, coding: ContentCoding) -> u8 {
        self.0[coding as usize]
    }

    /// Sets that of `coding`.
    pub(crate) fn set(&mut self, coding: ContentCoding, level: u8) {
        self.0[coding as usize] = level;
    }
}

impl Default for Levels {
    fn default() -> Levels {
        let mut levels = Levels([1; CODINGS]);
        levels.set(ContentCoding::Gzip, 5);
        levels.set(ContentCoding::Brotli, 4);
        levels.set(ContentCoding::Zstd, 3);
        levels
    }
}

/// Encoders without a stream, all of the same levels.
pub(crate) struct Spares {
    levels: Levels,
    waiting: [RefCell<Vec<Box<dyn Encode>>>; CODINGS],
}

impl Spares {
    /// None yet, for `levels`.
    pub(crate) fn new(levels: Levels) -> Spares {
        Spares {
            levels,
            waiting: Default::default(),
        }
    }

    /// Lends an encoder for `coding` to a stream that may last, by leave of `permit`.
    pub(crate) fn lend(self: &Rc<Self>, coding: ContentCoding, permit: Permit) -> Loan {
        Loan {
            spares: Rc::clone(self),
            coding,
            encoder: None,
            _permit: permit,
        }
    }

    /// An encoder for `coding`: one that waits, or a new one. It is not counted among those that are lent.
    ///
    /// # Errors
    /// There is no memory for it, or no such encoder.
    pub(crate) fn take(&self, coding: ContentCoding) -> io::Result<Box<dyn Encode>> {
        match self.waiting[coding as usize].borrow_mut().pop() {
            Some(encoder) => Ok(encoder),
            None => encoder(coding, self.levels.0[coding as usize]),
        }
    }

    /// Keeps `encoder`, which was taken for `coding`, if it can be used again and few wait.
    pub(crate) fn give_back(&self, coding: ContentCoding, mut encoder: Box<dyn Encode>) {
        let mut waiting = self.waiting[coding as usize].borrow_mut();
        if waiting.len() < SPARE_ENCODERS && encoder.reset() {
            waiting.push(encoder);
        }
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self, coding: ContentCoding) -> usize {
        self.waiting[coding as usize].borrow().len()
    }
}

impl Default for Spares {
    fn default() -> Spares {
        Spares::new(Levels::default())
    }
}

/// An encoder on loan for one stream. It is taken when there is something to encode, and given back when
/// this is dropped.
pub(crate) struct Loan {
    spares: Rc<Spares>,
    coding: ContentCoding,
    encoder: Option<Box<dyn Encode>>,
    _permit: Permit,
}

impl Loan {
    /// Does what [`Encode::encode`] does.
    ///
    /// # Errors
    /// Those of that, and of [`Spares::take`].
    pub(crate) fn encode(
        &mut self,
        input: &[u8],
        step: Step,
        output: &mut Vec<u8>,
    ) -> io::Result<()> {
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(self.spares.take(self.coding)?),
        };
        encoder.encode(input, step, output)
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(encoder) = self.encoder.take() {
            self.spares.give_back(self.coding, encoder);
        }
    }
}
