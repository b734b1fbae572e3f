//! The content of a request as services read it. They ask for a body that could go to another
//! thread, and a connection's cannot, so there are two ends: a [`RequestBody`] that is asked, and a
//! [`Pump`] that fetches a piece whenever that has been asked for one, no sooner.
//!
//! ```text
//! connection ── Body ──▶ Pump ── one piece ──▶ RequestBody ──▶ service
//!               polled with the service      lock between them
//! ```
//!
//! The pump is polled together with whatever may read, by the task of the connection. So reading in
//! that task, as services do, wakes nobody. Reading elsewhere, in a task that the service
//! started, wakes the connection's task to fetch.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use crate::app::{Body, BodyError, Headers};

/// The content of a request for a service: what axum and others make their own bodies of.
///
/// It fetches from the connection what it is asked for, and no more. It ends with the trailer fields
/// if there were any, and breaks off with a [`BodyError`].
#[derive(Debug)]
pub struct RequestBody {
    origin: Origin,
    /// How much is still to come, if that is known.
    left: Option<u64>,
}

#[derive(Debug)]
enum Origin {
    /// What was there already.
    Memory {
        content: Bytes,
        trailers: Option<Box<HeaderMap>>,
    },
    Feed(Arc<Mutex<Feed>>),
}

/// What the two ends share.
#[derive(Debug, Default)]
struct Feed {
    /// What was fetched and not taken yet; `None` in it for the end.
    fetched: Option<Option<Result<Frame<Bytes>, BodyError>>>,
    /// The reader has found nothing.
    is_wanted: bool,
    /// The pump looks whether anything is wanted before it waits, so it need not be woken.
    is_attended: bool,
    /// The pump is gone.
    is_over: bool,
    reader: Option<Waker>,
    pump: Option<Waker>,
}

/// The end that fetches.
#[derive(Debug)]
pub(super) struct Pump {
    feed: Arc<Mutex<Feed>>,
    body: Body,
    /// What the reader was told when it broke off.
    failure: Option<BodyError>,
    has_ended: bool,
}

impl Default for RequestBody {
    /// No content.
    fn default() -> RequestBody {
        RequestBody {
            origin: Origin::Memory {
                content: Bytes::new(),
                trailers: None,
            },
            left: Some(0),
        }
    }
}

impl RequestBody {
    /// The two ends of `body`; there is nothing to fetch of one that is in memory, behind which
    /// `trailers` came.
    pub(super) fn new(body: Body, trailers: Option<&Headers>) -> (RequestBody, Option<Pump>) {
        let left = body.length();
        let memory = |content, trailers: Option<&Headers>| RequestBody {
            origin: Origin::Memory {
                content,
                trailers: trailers.map(|trailers| Box::new(map(trailers))),
            },
            left,
        };
        match body {
            Body::Empty => (memory(Bytes::new(), trailers), None),
            Body::Bytes(content) => (memory(content, trailers), None),
            Body::Ended(ended) => {
                let trailers = ended.into_trailers();
                (memory(Bytes::new(), trailers.as_deref()), None)
            }
            body @ Body::Stream { .. } => {
                let feed = Arc::new(Mutex::new(Feed::default()));
                let reader = RequestBody {
                    origin: Origin::Feed(Arc::clone(&feed)),
                    left,
                };
                let pump = Pump {
                    feed,
                    body,
                    failure: None,
                    has_ended: false,
                };
                (reader, Some(pump))
            }
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match &mut this.origin {
            Origin::Memory { content, trailers } => {
                let content = std::mem::take(content);
                match content.is_empty() {
                    false => Some(Ok(Frame::data(content))),
                    true => trailers
                        .take()
                        .map(|trailers| Ok(Frame::trailers(*trailers))),
                }
            }
            Origin::Feed(feed) => match take(feed, cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return Poll::Pending,
            },
        };
        let frame_ref = frame.as_ref().and_then(|frame| frame.as_ref().ok());
        match frame_ref.and_then(Frame::data_ref) {
            Some(data) => {
                this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
            }
            // Nothing follows trailers, the end or an error.
            None => *this = RequestBody::default(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.origin {
            Origin::Memory { content, trailers } => content.is_empty() && trailers.is_none(),
            // Trailers follow content of a length that is not known before.
            Origin::Feed(_) => self.left == Some(0),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// What was fetched; if nothing was, it is wanted from now on.
fn take(feed: &Mutex<Feed>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    let mut feed = lock(feed);
    if let Some(fetched) = feed.fetched.take() {
        return Poll::Ready(fetched);
    }
    if feed.is_over {
        return Poll::Ready(Some(Err(BodyError::Disconnected)));
    }
    feed.is_wanted = true;
    keep(&mut feed.reader, cx);
    let pump = match feed.is_attended {
        true => None,
        false => feed.pump.take(),
    };
    drop(feed);
    if let Some(pump) = pump {
        pump.wake();
    }
    Poll::Pending
}

impl Pump {
    /// Polls `work`, and fetches what it wants to read for as long as there is something.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        loop {
            lock(&self.feed).is_attended = true;
            let polled = work(cx);
            if polled.is_ready() || !self.fetch(cx) {
                lock(&self.feed).is_attended = false;
                return polled;
            }
        }
    }

    /// Whether anything was fetched, so that who waits for it is to be polled.
    fn fetch(&mut self, cx: &mut Context<'_>) -> bool {
        let mut feed = lock(&self.feed);
        feed.is_attended = false;
        if !feed.is_wanted {
            keep(&mut feed.pump, cx);
            return false;
        }
        drop(feed);
        let Poll::Ready(fetched) = self.poll_frame(cx) else {
            return false;
        };
        let mut feed = lock(&self.feed);
        feed.fetched = Some(fetched);
        feed.is_wanted = false;
        let reader = feed.reader.take();
        drop(feed);
        // Most wait in this very task, which is polled now.
        if let Some(reader) = reader
            && !reader.will_wake(cx.waker())
        {
            reader.wake();
        }
        true
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        self.body.poll_next(cx).map(|piece| match piece {
            Some(Ok(piece)) => Some(Ok(Frame::data(piece))),
            Some(Err(error)) => {
                self.failure = error.of_peer();
                self.has_ended = true;
                Some(Err(error))
            }
            None => {
                self.has_ended = true;
                let trailers = self.body.trailers();
                trailers.map(|trailers| Ok(Frame::trailers(map(trailers))))
            }
        })
    }

    /// Whether nobody can ask for more.
    pub(super) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.feed) == 1
    }

    /// What the peer did wrong, if that ended its content.
    pub(super) fn take_failure(&mut self) -> Option<BodyError> {
        self.failure.take()
    }
}

impl Drop for Pump {
    /// Its request is answered, or was given up: nothing more will come for a reader that is elsewhere.
    fn drop(&mut self) {
        let mut feed = lock(&self.feed);
        feed.is_over = true;
        let reader = feed.reader.take();
        drop(feed);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl BodyError {
    /// The same error, if it is the peer's and not that of a source.
    fn of_peer(&self) -> Option<BodyError> {
        match self {
            BodyError::Refused(_) | BodyError::Disconnected | BodyError::TimedOut => {
                Some(self.again())
            }
            BodyError::Taken | BodyError::Io(_) => None,
        }
    }
}

/// Has `place` wake the task of `cx`.
fn keep(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

/// As many of `fields` as a map holds, which are more than a peer may send.
fn map(fields: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields.iter() {
        if map.try_append(name.clone(), value.clone()).is_err() {
            break;
        }
    }
    map
}

/// Nothing panics while it is locked.
fn lock(feed: &Mutex<Feed>) -> MutexGuard<'_, Feed> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}
