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
//!
//! Nobody knows whether a peer that has closed its side still reads until something is sent. So the beginning
//! of a listing goes out when the first slice is read, and white space with each of the others that are read
//! to be sorted, or have nothing that is listed: a listing that nobody reads ends there, and whoever waits for
//! one from a slow disk, or passes it on, sees that it comes.

use std::cell::Cell;
use std::ffi::CStr;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};

use super::compressed::Encoder;
use super::entries::{Entries, Key, Order};
use super::folder::{self, Folder, Hides};
use super::listing::{Asked, Format, POLICY, Place, Writer};
use super::pieces::{self, Coded, Maker};
use super::policy::Policy;
use crate::app::{Body, Response};
use crate::limits::{
    COMPRESS_FROM_BYTES, LISTING_BYTES, LISTING_ENTRIES, LISTING_PIECE_BYTES, LISTING_SLICE_ENTRIES,
};

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

/// A listing on its way.
enum Listing {
    /// Entries are read that are to be sorted.
    Reading(Reading),
    /// What was read is written.
    Writing(Writing),
}

/// A listing of which no more than the beginning is written.
struct Reading {
    hides: Hides,
    place: Place,
    asked: Asked,
    writer: Writer,
    folder: Folder,
    entries: Entries,
    share: Share,
    /// Whether there may be more entries.
    has_more: bool,
    /// Whether they are to be sorted, for which there is room as far as they are read.
    is_sorted: bool,
}

/// A listing that is being written.
struct Writing {
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

/// The response with what lies in `folder`, at `relative`; in the coding of `encoder`, if there is one and it
/// is not short.
///
/// # Errors
/// The folder cannot be read.
pub(super) async fn respond(
    policy: &Rc<Policy>,
    memory: &Memory,
    folder: Folder,
    relative: &CStr,
    place: Place,
    asked: Asked,
    encoder: Option<Encoder>,
) -> io::Result<Response> {
    let reading = Reading {
        hides: Hides::new(policy, relative),
        place,
        asked,
        writer: Writer::new(asked, policy.tar),
        folder,
        entries: Entries::default(),
        share: memory.share(),
        has_more: true,
        is_sorted: asked.order.key != Key::None,
    };
    let mut begun = String::with_capacity(LISTING_PIECE_BYTES);
    reading.writer.begin(&reading.place, &mut begun);
    let (listing, first) = Listing::Reading(reading).go_on(begun).await;
    let (first, is_over) = (first?, listing.is_over());
    let response = with_fields(asked.format);
    let is_short = is_over && first.len() < COMPRESS_FROM_BYTES;
    let Some(mut encoder) = encoder.filter(|_| !is_short) else {
        return Ok(response.with_body(match is_over {
            true => Body::from(first),
            false => pieces::stream(Some(first), listing),
        }));
    };
    let coding = HeaderValue::from_static(encoder.coding().name());
    let first = encoder.encode(first, is_over).await?;
    let maker = Coded {
        maker: listing,
        encoder,
    };
    let body = match is_over {
        true => Body::from(first),
        false => pieces::stream(Some(first), maker),
    };
    let response = response.with_header(CONTENT_ENCODING, coding);
    Ok(response.with_body(body))
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

impl Reading {
    /// Whether all is read that is needed to begin to write.
    fn is_done(&self) -> bool {
        !(self.has_more && self.is_sorted)
    }

    /// Reads the next slice.
    ///
    /// # Errors
    /// The folder cannot be read on.
    async fn slice(mut self) -> (Self, io::Result<()>) {
        let start = self.entries.len();
        let read = self.folder.read(self.entries, LISTING_SLICE_ENTRIES);
        let more;
        (self.folder, self.entries, more) = read.await;
        self.has_more = match more {
            Ok(more) => more,
            Err(error) => return (self, Err(error)),
        };
        self.hides.apply(&mut self.entries, start);
        let has_room =
            self.share.set(self.entries.bytes()) && self.entries.len() <= LISTING_ENTRIES;
        self.is_sorted &= has_room;
        (self, Ok(()))
    }

    /// Writes the head of the entries that were read.
    async fn head(mut self, piece: &mut String) -> Writing {
        let order = match self.is_sorted {
            true => self.asked.order,
            false => Order {
                key: Key::None,
                is_descending: false,
            },
        };
        if self.is_sorted {
            self.entries = folder::sort(self.entries, order).await;
        }
        let all = self.is_sorted.then_some(&self.entries);
        self.writer.head(&self.place, order, all, piece);
        Writing {
            hides: self.hides,
            writer: self.writer,
            entries: self.entries,
            written: 0,
            share: self.share,
            folder: self.has_more.then_some(self.folder),
            is_over: false,
        }
    }
}

impl Writing {
    /// Writes the next piece behind `piece`, of what was read and of a slice at most.
    ///
    /// # Errors
    /// The folder cannot be read on.
    async fn write(mut self, mut piece: String) -> (Self, io::Result<Bytes>) {
        let mut has_read = false;
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
            if has_read {
                // Few of its entries are listed, or none.
                self.folder = Some(folder);
                self.writer.wait(&mut piece);
                break;
            }
            has_read = true;
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

impl Listing {
    /// Makes the next piece behind `piece`.
    async fn go_on(self, mut piece: String) -> (Self, io::Result<Bytes>) {
        let writing = match self {
            Listing::Writing(writing) => writing,
            Listing::Reading(reading) => {
                let (reading, read) = reading.slice().await;
                if let Err(error) = read {
                    return (Listing::Reading(reading), Err(error));
                }
                if !reading.is_done() {
                    reading.writer.wait(&mut piece);
                    return (Listing::Reading(reading), Ok(piece.into()));
                }
                reading.head(&mut piece).await
            }
        };
        let (writing, piece) = writing.write(piece).await;
        (Listing::Writing(writing), piece)
    }
}

impl Maker for Listing {
    fn is_over(&self) -> bool {
        matches!(self, Listing::Writing(writing) if writing.is_over)
    }

    async fn make(self) -> (Self, io::Result<Bytes>) {
        let room = match &self {
            Listing::Reading(_) => 0,
            Listing::Writing(_) => LISTING_PIECE_BYTES,
        };
        self.go_on(String::with_capacity(room)).await
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
