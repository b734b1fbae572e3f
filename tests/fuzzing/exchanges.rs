//! What must hold whatever handlers do with a request's content, and whatever limits there are: it
//! ends when the peer falls silent, what was sent is whole responses, no failure is the server's,
//! and none of it depends on how the bytes were split. No model says what the answers are.

use crate::conversation::{Ending, talk};
use bytes::Bytes;
use corelane::Limits;
use corelane::app::{
    App, Body, BodyError, BodySource, Headers, Request, Response, with_body_limit,
};
use corelane::http::{BodyDecoder, BodyLimits, CONTINUE, CloseReason, Framing};
use corelane::limits;
use corelane::testing::Conversation;
use http::header::TRAILER;
use http::{HeaderName, HeaderValue, StatusCode};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What the peer takes at once, in turn; see [`talk`].
const ROOMS: &[usize] = &[1, usize::MAX, 7, 1, 300, 2, 4096, 30];

/// The first octet chooses the limits, how the rest is delivered and how it ends.
pub(crate) fn exchange(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let limits = limits(choice);
    let run = |pieces: &[&[u8]], rooms: &[usize], ending| {
        let peer = Conversation::with_limits(app(), limits).expect("routes that fit together");
        let (sent, reason) = talk(peer, pieces, rooms, ending);
        read(&sent, reason)
    };
    let whole = run(&[bytes], &[usize::MAX], Ending::Silence);
    let delivery = usize::from(choice >> 4);
    let pieces: Vec<_> = match delivery % 4 {
        0 if bytes.len() <= 512 => bytes.chunks(1).collect(),
        0 | 1 => bytes.chunks(delivery + 1).collect(),
        _ => {
            let (first, second) = bytes.split_at(bytes.len() * delivery / 16);
            vec![first, second]
        }
    };
    let rooms = &ROOMS[delivery % ROOMS.len()..];
    assert_alike(&whole, &run(&pieces, rooms, Ending::Silence));
    if delivery.is_multiple_of(2) {
        run(&pieces, rooms, Ending::Close);
    }
}

/// The limits that `choice` stands for.
fn limits(choice: u8) -> Limits {
    let mut limits = Limits::default();
    limits.body_bytes = [limits::BODY_BYTES, 0, 4, 16][usize::from(choice % 4)];
    if choice & 4 != 0 {
        limits.pipelined_requests = 1;
    }
    if choice & 8 != 0 {
        limits.requests_per_connection = Some(1 + u64::from(choice >> 6));
    }
    limits
}

/// Handlers that take a request's content in every way. Each says whether it was asked by HEAD.
fn app() -> App {
    App::new()
        .any("/echo", async |request: Request| {
            answer(&request).with_body(request.into_body())
        })
        .any("/early", async |request: Request| {
            answer(&request).with_body("early")
        })
        .any("/part", async |mut request: Request| {
            let mut part = Vec::new();
            while part.len() < 3
                && let Some(piece) = request.body_mut().next().await
            {
                part.extend(piece?);
            }
            part.truncate(3);
            Ok::<_, corelane::Error>(answer(&request).with_body(part))
        })
        .any("/trailers", async |request: Request| {
            answer(&request)
                .with_header(TRAILER, HeaderValue::from_static("X-Sum"))
                .with_body(Body::stream(Summed(3), None))
        })
        .any("/less", with_body_limit(8, collect))
        .fallback(collect)
}

fn answer(request: &Request) -> Response {
    let method = HeaderValue::from_str(request.method().as_str());
    Response::new(StatusCode::OK).with_header(
        HeaderName::from_static("asked"),
        method.expect("a token is a value"),
    )
}

async fn collect(mut request: Request) -> corelane::Result<Response> {
    let content = request.bytes().await?;
    Ok(answer(&request).with_body(content))
}

/// Yields so many pieces, and a trailer behind them.
struct Summed(u32);

impl BodySource for Summed {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or_default();
        Poll::Ready(left.map(|_| Ok(Bytes::from_static(b"piece"))))
    }

    fn take_trailers(self: Pin<&mut Self>) -> Headers {
        let mut trailers = Headers::new();
        let name = HeaderName::from_static("x-sum");
        trailers.append(name, HeaderValue::from_static("15"));
        trailers
    }
}

/// A final response as the peer saw it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    content: Vec<u8>,
    is_whole: bool,
}

/// The final responses in all that was sent on a connection that ended for `reason`.
fn read(sent: &[u8], reason: CloseReason) -> Vec<Seen> {
    let mut responses = Vec::new();
    let mut rest = sent;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(CONTINUE) {
            rest = after;
            continue;
        }
        let seen = read_response(&mut rest);
        let told = || format!("{seen:?} of {}, {reason:?}", sent.escape_ascii());
        assert!(matches!(seen.status, 200..=499 | 501 | 505), "{}", told());
        let may_break_off = matches!(reason, CloseReason::Truncated | CloseReason::Failed);
        assert!(
            seen.is_whole || rest.is_empty() && may_break_off,
            "{}",
            told()
        );
        responses.push(seen);
    }
    responses
}

/// Takes a final response off the front of `rest`.
fn read_response(rest: &mut &[u8]) -> Seen {
    let told = rest.escape_ascii();
    let end = rest.windows(4).position(|octets| octets == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no whole head: {told}"));
    let head = std::str::from_utf8(&rest[..end]).expect("a head of text");
    *rest = &rest[end + 4..];
    let field = |name: &str| {
        let mut lines = head.split("\r\n").skip(1);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|line| line.get(..3));
    let status = status.and_then(|code| code.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {told}"));
    let length = field("Content-Length").map(|length| length.parse().expect("a length"));
    let closes = field("Connection").is_some_and(|options| options.starts_with("close"));
    // The server's own refusals do not say that they are to HEAD, but are the last then.
    let is_to_head = field("Asked") == Some("HEAD") || status >= 400 && closes && rest.is_empty();
    let (content, is_whole) = match (length, field("Transfer-Encoding")) {
        _ if is_to_head || status == 204 => (Vec::new(), true),
        (Some(length), None) => {
            let content = rest.get(..length).unwrap_or(rest);
            *rest = &rest[content.len()..];
            (content.to_vec(), content.len() == length)
        }
        (None, Some("chunked")) => read_chunks(rest),
        (None, None) if closes => (std::mem::take(rest).to_vec(), true),
        framing => panic!("framed by {framing:?}: {told}"),
    };
    Seen {
        status,
        content,
        is_whole,
    }
}

/// Takes chunks off the front of `rest`; says whether the last one was among them.
fn read_chunks(rest: &mut &[u8]) -> (Vec<u8>, bool) {
    let limits = BodyLimits::default().with_content_bytes(u64::MAX);
    let mut decoder = BodyDecoder::new(Framing::Chunked, &limits).expect("no length is declared");
    let mut content = Vec::new();
    while !decoder.is_complete() && !rest.is_empty() {
        let decoded = decoder.decode(rest).expect("well-formed chunks");
        content.extend_from_slice(&rest[decoded.data]);
        *rest = &rest[decoded.consumed..];
    }
    (content, decoder.is_complete())
}

/// Holds what two deliveries of the same bytes led to against each other.
///
/// How far a handler got before the content's framing was found to be wrong depends on when that
/// came, so then the last response may be an answer, a part of one, or the refusal.
fn assert_alike(whole: &[Seen], split: &[Seen]) {
    let told = || format!("whole: {whole:?}\nsplit: {split:?}");
    assert_eq!(whole.len(), split.len(), "{}", told());
    let (Some((last, before)), Some((split_last, split_before))) =
        (whole.split_last(), split.split_last())
    else {
        return;
    };
    assert_eq!(before, split_before, "{}", told());
    let is_refusal = |seen: &Seen| matches!(seen.status, 400 | 413 | 431);
    if is_refusal(last) == is_refusal(split_last) {
        assert_eq!(last.status, split_last.status, "{}", told());
        assert_eq!(last.is_whole, split_last.is_whole, "{}", told());
        let is_prefix = last.content.starts_with(&split_last.content)
            || split_last.content.starts_with(&last.content);
        assert!(is_prefix, "{}", told());
        assert!(
            !last.is_whole || last.content == split_last.content,
            "{}",
            told()
        );
    }
}
