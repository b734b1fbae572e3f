//! A listing on its way: the folder is read, sorted if there is room for it, and written as it is sent.
//!
//! ```text
//! Folder ─slices─▶ Entries ─all of them?─▶ sorted ─────────▶ Writer ─pieces─▶ peer
//!                             └ too many: as they come, and the next slice when these are sent
//! ```
//!
//! What is sorted has to be in memory as a whole, and is bounded: to [`LISTING_ENTRIES`] for each listing,
//! and to [`LISTING_BYTES`] for all of them. Beyond either a listing is not sorted, says so, and takes the
//! memory of a slice, once those that were read have been sent.

use std::cell::Cell;
use std::ffi::CStr;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};

use super::entries::{Entries, Key, Order};
use super::folder::{self, Folder, Hides};
use super::listing::{Asked, Format, POLICY, Place, Writer};
use super::pieces::{self, Maker};
use super::policy::Policy;
use crate::app::{Body, Response};
use crate::limits::{LISTING_BYTES, LISTING_ENTRIES, LISTING_PIECE_BYTES, LISTING_SLICE_ENTRIES};

/// The Cache-Control of listings, unless a rule gives one.
pub(super) const LISTING_CACHE_CONTROL: &str = "no-cache";

/// The memory that the listings of a folder being served take on its core, in bytes.
#[derive(Debug, Default)]
pub(super) struct Memory(Rc<Cell<usize>>);

/// A listing's share of it.
#[derive(Debug)]
struct Share {
    all: Rc<Cell<usize>>,
    bytes: usize,
}

/// A listing that is being written.
struct Listing {
    hides: Hides,
    writer: Writer,
    entries: Entries,
    /// How many of `entries` are written.
    written: usize,
    share: Share,
    /// Where more entries come from, if there may be more.
    folder: Option<Folder>,
    is_over: bool,
}

impl Memory {
    fn share(&self) -> Share {
        Share {
            all: Rc::clone(&self.0),
            bytes: 0,
        }
    }
}

impl Share {
    /// Has this share be `bytes`, and tells whether there is room for it.
    fn set(&mut self, bytes: usize) -> bool {
        self.all.set(self.all.get() - self.bytes + bytes);
        self.bytes = bytes;
        self.all.get() <= LISTING_BYTES
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// The response with what lies in `folder`, at `relative`.
///
/// # Errors
/// The folder cannot be read.
pub(super) async fn respond(
    policy: &Rc<Policy>,
    memory: &Memory,
    mut folder: Folder,
    relative: &CStr,
    place: &Place,
    asked: Asked,
) -> io::Result<Response> {
    let hides = Hides::new(policy, relative);
    let mut share = memory.share();
    let mut entries = Entries::default();
    let (is_whole, has_more) = loop {
        let start = entries.len();
        let more;
        (folder, entries, more) = folder.read(entries, LISTING_SLICE_ENTRIES).await;
        let more = more?;
        hides.apply(&mut entries, start);
        let has_room = share.set(entries.bytes()) && entries.len() <= LISTING_ENTRIES;
        if !has_room || asked.order.key == Key::None {
            break (false, more);
        }
        if !more {
            break (true, false);
        }
    };
    let order = match is_whole {
        true => asked.order,
        false => Order {
            key: Key::None,
            is_descending: false,
        },
    };
    if is_whole {
        entries = folder::sort(entries, order).await;
    }
    let writer = Writer::new(asked, order, policy.tar);
    let mut begun = String::with_capacity(LISTING_PIECE_BYTES);
    writer.begin(place, is_whole.then_some(&entries), &mut begun);
    let listing = Listing {
        hides,
        writer,
        entries,
        written: 0,
        share,
        folder: has_more.then_some(folder),
        is_over: false,
    };
    let (listing, piece) = listing.write(begun).await;
    let first = piece?;
    let body = match listing.is_over {
        true => Body::from(first),
        false => pieces::stream(first, listing),
    };
    Ok(with_fields(asked.format).with_body(body))
}

fn with_fields(format: Format) -> Response {
    let value = HeaderValue::from_static;
    let mut response = Response::new(StatusCode::OK);
    let fields = &mut response.headers;
    fields.append(CONTENT_TYPE, value(format.media_type()));
    fields.append(CACHE_CONTROL, value(LISTING_CACHE_CONTROL));
    fields.append(VARY, value("accept"));
    if format == Format::Html {
        fields.append(CONTENT_SECURITY_POLICY, value(POLICY));
    }
    response
}

impl Listing {
    /// Writes the next piece behind `piece`.
    ///
    /// # Errors
    /// The folder cannot be read on.
    async fn write(mut self, mut piece: String) -> (Self, io::Result<Bytes>) {
        while piece.len() < LISTING_PIECE_BYTES {
            if let Some(entry) = self.entries.get(self.written) {
                self.writer.entry(&entry, &mut piece);
                self.written += 1;
                continue;
            }
            let Some(folder) = self.folder.take() else {
                self.writer.end(&mut piece);
                self.is_over = true;
                break;
            };
            if self.entries.len() > 2 * LISTING_SLICE_ENTRIES {
                self.entries = Entries::default();
            }
            self.entries.clear();
            self.written = 0;
            let (folder, entries, more) = folder.read(self.entries, LISTING_SLICE_ENTRIES).await;
            self.entries = entries;
            match more {
                Ok(more) => self.folder = more.then_some(folder),
                Err(error) => return (self, Err(error)),
            }
            self.hides.apply(&mut self.entries, 0);
            self.share.set(self.entries.bytes());
        }
        (self, Ok(piece.into()))
    }
}

impl Maker for Listing {
    fn is_over(&self) -> bool {
        self.is_over
    }

    async fn make(self) -> (Self, io::Result<Bytes>) {
        self.write(String::with_capacity(LISTING_PIECE_BYTES)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_listings_together_have_a_most_of_memory() {
        let memory = Memory::default();
        let mut first = memory.share();
        assert!(first.set(LISTING_BYTES - 1));
        let mut second = memory.share();
        assert!(second.set(1));
        assert!(!second.set(2));
        assert!(first.set(LISTING_BYTES - 2));
        drop(first);
        drop(second);
        assert_eq!(memory.0.get(), 0);
    }
}
