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
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderValue, StatusCode};

use super::decision::below_bytes;
use super::entries::{Entries, Key, Order};
use super::folder::{self, Folder};
use super::listing::{Asked, Format, POLICY, Place, Writer};
use super::policy::Policy;
use crate::app::{Body, BodyError, BodySource, Response};
use crate::limits::{
    LISTING_BYTES, LISTING_ENTRIES, LISTING_PIECE_BYTES, LISTING_SLICE_ENTRIES, PATH_BYTES,
};

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

/// Whether a policy serves what lies in a folder, by names.
struct Hides {
    policy: Rc<Policy>,
    relative: Box<CStr>,
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

impl Hides {
    /// Takes out of `entries` what is not served, from the one at `start` on.
    fn apply(&self, entries: &mut Entries, start: usize) {
        entries.retain_from(start, |name| {
            let path = below_bytes(&self.relative, name);
            path.len() <= PATH_BYTES && self.policy.hides(&path).is_none()
        });
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
    let hides = Hides {
        policy: Rc::clone(policy),
        relative: relative.into(),
    };
    let mut share = memory.share();
    let mut entries = Entries::default();
    let (is_whole, has_more) = loop {
        let start = entries.len();
        let more;
        (folder, entries, more) = folder.read(entries).await;
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
    let writer = Writer::new(asked, order);
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
        false => Body::stream(
            Pieces {
                first: Some(first),
                listing: Some(listing),
                writing: None,
            },
            None,
        ),
    };
    Ok(with_fields(asked.format).with_body(body))
}

fn with_fields(format: Format) -> Response {
    let value = HeaderValue::from_static;
    let mut response = Response::new(StatusCode::OK);
    let fields = &mut response.headers;
    fields.append(CONTENT_TYPE, value(format.media_type()));
    fields.append(CACHE_CONTROL, value("no-cache"));
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
            let (folder, entries, more) = folder.read(self.entries).await;
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

type Writing = Pin<Box<dyn Future<Output = (Listing, io::Result<Bytes>)>>>;

/// A listing as the content of a response.
struct Pieces {
    first: Option<Bytes>,
    /// At hand while nothing is written.
    listing: Option<Listing>,
    writing: Option<Writing>,
}

impl BodySource for Pieces {
    fn poll_data(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let pieces = self.get_mut();
        if let Some(first) = pieces.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(listing) = pieces.listing.take() {
            if listing.is_over {
                return Poll::Ready(None);
            }
            let piece = String::with_capacity(LISTING_PIECE_BYTES);
            pieces.writing = Some(Box::pin(listing.write(piece)));
        }
        let Some(writing) = &mut pieces.writing else {
            return Poll::Ready(None);
        };
        let (listing, piece) = ready!(writing.as_mut().poll(cx));
        pieces.writing = None;
        pieces.listing = Some(listing);
        Poll::Ready(Some(piece.map_err(BodyError::from)))
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
