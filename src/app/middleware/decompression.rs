//! Decoding the content of requests, piece by piece as it is read.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderValue, StatusCode};

use super::{Coders, Middleware, Next};
use crate::app::{Answer, Body, BodyError, BodySource, Headers, Request, Response};
use crate::coding::{Decode, Malformed, can_decode, decoder};
use crate::http::{ContentCoding, Refusal, RequestHead, members};
use crate::limits::CODING_SLICE_BYTES;
use crate::permits::{Permit, Permits};

/// What a step of a decoder counts for at least, in bytes: empty members of gzip, for one, are work
/// without output.
const STEP_BYTES: usize = 1024;

/// Decodes the content of requests that have a Content-Encoding, so that handlers read it as if it had
/// come without: gzip and deflate, br and zstd with their features.
///
/// Decoded content is bounded as other content is: by what its route takes, or by
/// [`Decompression::limit`]. Beyond that it is answered 413. So a few bytes that stand for many take
/// little time: no more is ever decoded than the limit, at most [`CODING_SLICE_BYTES`] at a time, and
/// only when the handler asks for more. How much smaller the coded content is does not matter, for
/// honest content may repeat itself as well.
///
/// They take memory, though, and a peer that falls silent behind them holds it until its connection is
/// given up ([`BODY_TIMEOUT`](crate::limits::BODY_TIMEOUT),
/// [`BODY_RATE_BYTES`](crate::limits::BODY_RATE_BYTES)): the decoder, with what was decoded last, up to
/// the window that its stream asks for, and what the handler keeps, such as all of it in
/// [`Request::text`]. A window is up to 32 KiB for gzip and deflate, 8 MiB for zstd (RFC 9659) and
/// 16 MiB for br (RFC 7932); streams with a larger one are malformed. So there is a most of decoders on a
/// core, [`DECODERS`](crate::limits::DECODERS) or its own ([`Decompression::decoders`]). Requests beyond it are answered 503, before any content is read.
///
/// Content that is not what its coding says, breaks off or goes on behind its end is answered 400. A
/// coding that is not known, or more than one, is answered 415 with Accept-Encoding, which tells those
/// that are (RFC 7694), before any content is read.
///
/// The request's fields stay as they were sent; [`Body::length`] is not known. Where there are several,
/// on an app and on one nested in it, the first decodes, and the limit of the last counts.
///
/// ```
/// use corelane::app::middleware::Decompression;
/// use corelane::{App, Request};
///
/// let app = App::new()
///     .wrap(Decompression::new().limit(64 * 1024))
///     .post("/", |mut req: Request| async move { req.text().await });
/// ```
#[derive(Clone, Debug)]
pub struct Decompression {
    limit: Option<u64>,
    /// For decoders of its own; `None` for the core's.
    permits: Option<Permits>,
}

/// A request's content is being decoded: how much more may come out.
struct Decoding(Rc<Cell<u64>>);

impl Decompression {
    /// Decodes as much as the route of the request takes of content that is not coded.
    pub fn new() -> Decompression {
        Decompression {
            limit: None,
            permits: None,
        }
    }

    /// Decodes up to `bytes` instead. The coded content may still be no larger than the route takes.
    #[must_use]
    pub fn limit(mut self, bytes: u64) -> Decompression {
        self.limit = Some(bytes);
        self
    }

    /// Has at most so many decoders of its own at a time on each core. Default:
    /// [`DECODERS`](crate::limits::DECODERS), together with all others on the core that are not told otherwise.
    #[must_use]
    pub fn decoders(mut self, decoders: usize) -> Decompression {
        self.permits = Some(Permits::new(decoders));
        self
    }
}

impl Default for Decompression {
    fn default() -> Decompression {
        Decompression::new()
    }
}

impl Middleware for Decompression {
    fn call(&self, mut request: Request, next: Next) -> Answer {
        // Nothing is in no coding, whatever is said of it.
        if request.body().is_empty() {
            return next.run(request);
        }
        let coding = match coding(request.head()) {
            Ok(None) => return next.run(request),
            Ok(Some(coding)) => coding,
            Err(Unsupported) => return Answer::ready(unsupported()),
        };
        if let Some(Decoding(left)) = request.extension() {
            if let Some(limit) = self.limit {
                left.set(limit);
                request.set_body_limit(limit);
            }
            return next.run(request);
        }
        let permit = match &self.permits {
            Some(own) => own.take(),
            None => Coders::of(&request).decoders.take(),
        };
        let Some(permit) = permit else {
            let detail = "Too much content is being decoded.";
            return Answer::ready(Response::error(StatusCode::SERVICE_UNAVAILABLE, detail));
        };
        let Some(decoder) = decoder(coding) else {
            return Answer::ready(unsupported());
        };
        let limit = self.limit.unwrap_or_else(|| request.body_limit());
        request.set_body_limit(limit);
        let left = Rc::new(Cell::new(limit));
        request.extensions().insert(Decoding(Rc::clone(&left)));
        let decoded = Decoded {
            body: std::mem::take(request.body_mut()),
            decoder: Some((decoder, permit)),
            piece: Bytes::new(),
            has_begun: false,
            is_full: false,
            left,
            done: 0,
        };
        request.set_body(Body::stream(decoded, None));
        next.run(request)
    }
}

/// Not one coding that there is a decoder for.
struct Unsupported;

/// The coding of the content.
fn coding(head: &RequestHead) -> Result<Option<ContentCoding>, Unsupported> {
    let listed = head
        .field_values(CONTENT_ENCODING.as_str())
        .flat_map(members);
    // RFC 9110 §12.5.3 reserves the name for Accept-Encoding; some send it all the same.
    let mut listed = listed.filter(|name| !name.eq_ignore_ascii_case(b"identity"));
    let Some(name) = listed.next() else {
        return Ok(None);
    };
    match ContentCoding::from_name(name) {
        Some(coding) if can_decode(coding) && listed.next().is_none() => Ok(Some(coding)),
        _ => Err(Unsupported),
    }
}

fn unsupported() -> Response {
    let known = ContentCoding::ALL
        .into_iter()
        .filter(|&coding| can_decode(coding));
    let names: Vec<&str> = known.map(ContentCoding::name).collect();
    let detail = "The content has a coding that this server does not decode.";
    let response = Response::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    match HeaderValue::try_from(names.join(", ")) {
        Ok(names) => response.with_header(ACCEPT_ENCODING, names),
        Err(_) => response,
    }
}

struct Decoded {
    body: Body,
    /// None when the content has ended.
    decoder: Option<(Box<dyn Decode>, Permit)>,
    /// What of the body's last piece was not taken.
    piece: Bytes,
    /// Whether there was any content.
    has_begun: bool,
    /// Whether the decoder may have more without having more to read.
    is_full: bool,
    /// How much more may come out.
    left: Rc<Cell<u64>>,
    /// What was done since the core's other tasks had their turn, in bytes.
    done: usize,
}

impl Decoded {
    /// Goes on until there is output; `None` at the end.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let Some((decoder, _)) = &mut self.decoder else {
            return Poll::Ready(Ok(None));
        };
        let mut output = Vec::new();
        loop {
            if self.done >= CODING_SLICE_BYTES {
                self.done = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.piece.is_empty() && !self.is_full {
                match self.body.poll_next(cx) {
                    Poll::Ready(Some(piece)) => self.piece = piece?,
                    Poll::Ready(None) if decoder.is_complete() || !self.has_begun => {
                        return Poll::Ready(Ok(None));
                    }
                    Poll::Ready(None) => return Poll::Ready(Err(malformed(Malformed))),
                    Poll::Pending => {
                        self.done = 0;
                        return Poll::Pending;
                    }
                }
                self.has_begun |= !self.piece.is_empty();
                continue;
            }
            output.reserve_exact(CODING_SLICE_BYTES);
            let taken = decoder.decode(&self.piece, &mut output);
            let taken = taken.map_err(malformed)?;
            self.piece.advance(taken);
            self.is_full = output.len() == output.capacity();
            self.done += taken.max(output.len()).max(STEP_BYTES);
            if output.is_empty() {
                if taken == 0 && !self.piece.is_empty() {
                    return Poll::Ready(Err(malformed(Malformed)));
                }
                continue;
            }
            let left = self.left.get().checked_sub(output.len() as u64);
            self.left
                .set(left.ok_or(BodyError::Refused(Refusal::BODY_TOO_LARGE))?);
            // A short piece may be kept for long.
            output.shrink_to_fit();
            return Poll::Ready(Ok(Some(output.into())));
        }
    }
}

fn malformed(_: Malformed) -> BodyError {
    BodyError::Refused(Refusal::CONTENT_CODING)
}

impl BodySource for Decoded {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let polled = self.advance(cx).map(Result::transpose);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.decoder = None;
        }
        polled
    }

    fn stop(mut self: Pin<&mut Self>) {
        self.body.stop();
    }

    fn take_trailers(mut self: Pin<&mut Self>) -> Headers {
        self.body.take_trailers()
    }
}
