//! Server-sent events: a stream of events as the content of a response (the HTML standard, §9.2).
//! It has no clock: time is the app's.

use std::error::Error as StdError;
use std::fmt::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::{Stream, StreamExt};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, HeaderName};
use serde::Serialize;

use super::body::Body;
use super::into_response::IntoResponse;
use super::response::Response;
use super::time::{Pause, Time};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What goes out where there is no event: an empty comment.
const COMMENT: &[u8] = b":\n\n";

type Written = Result<Bytes, Box<dyn StdError + Send + Sync>>;

/// A response of server-sent events, which goes on as long as its stream does.
///
/// An event goes out as soon as the stream has yielded it and the peer takes it; a peer that does
/// not read has the stream wait. When the peer goes away the stream is dropped at once, though it may
/// be silent; what its program holds goes with it. A peer whose machine or network is gone says
/// nothing of it: [`Sse::keep_alive`] finds that out, and keeps proxies from closing a silent
/// connection.
///
/// When the server shuts down the stream ends in order, where no event is ready: its peer comes again
/// by itself, and meets whoever serves then. [`Sse::to_its_end`] has it go on.
///
/// ```
/// use corelane::app::{Sse, SseEvent};
/// use corelane::{App, Request, Shard};
/// use futures_lite::{StreamExt, stream};
/// use std::time::Duration;
///
/// fn app(shard: &Shard) -> App {
///     let ring = shard.ring().clone();
///     App::new().get("/countdown", move |req: Request| {
///         let seconds = ring.ticks(Duration::from_secs(1));
///         let numbers = stream::iter((0..=10).rev()).zip(seconds);
///         let events = numbers.map(|(number, ())| SseEvent::json(&number).event("tick"));
///         async move { Sse::new(events).keep_alive(&req.time(), Duration::from_secs(15)) }
///     })
/// }
/// ```
pub struct Sse {
    events: Pin<Box<dyn Stream<Item = Written>>>,
    goes_on: bool,
}

/// One event, or a comment.
///
/// A name or an id that would end its line cannot be sent: the stream then fails, as it does when
/// the program's own stream fails.
#[derive(Debug, Clone)]
pub struct SseEvent {
    lines: String,
    problem: Option<SseError>,
}

/// Why an event cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SseError {
    #[error("the name or id of a server-sent event has a line break or a NUL in it")]
    LineBreak,
    #[error("the data of a server-sent event is not serializable: {0}")]
    Json(String),
}

impl Sse {
    /// The events that `events` yields, until it ends.
    pub fn new(events: impl Stream<Item = SseEvent> + 'static) -> Sse {
        Sse::of(events.map(SseEvent::write))
    }

    /// The events that `events` yields, until it ends or fails. The peer of a stream that failed
    /// sees it broken off, and usually comes again; the log has the error.
    pub fn from_results<S, E>(events: S) -> Sse
    where
        S: Stream<Item = Result<SseEvent, E>> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Sse::of(events.map(|event| event.map_err(E::into)?.write()))
    }

    /// Events as they are sent, in pieces of which each follows the one before at once but for the first of an
    /// event.
    pub(crate) fn written(pieces: impl Stream<Item = Bytes> + 'static) -> Sse {
        Sse::of(pieces.map(Ok))
    }

    fn of(events: impl Stream<Item = Written> + 'static) -> Sse {
        Sse {
            events: Box::pin(events),
            goes_on: false,
        }
    }

    /// These events to their end, though the server shuts down meanwhile: for few, as the shutdown waits
    /// for them until its deadline.
    #[must_use]
    pub fn to_its_end(self) -> Sse {
        Sse {
            goes_on: true,
            ..self
        }
    }

    /// These events with an empty comment whenever `interval` has passed on `time` without one. On a
    /// core that is as late as [`Time`] may be.
    #[must_use]
    pub fn keep_alive(self, time: &Time, interval: Duration) -> Sse {
        let kept_alive = KeptAlive {
            events: self.events,
            silence: Silence::begin(time, interval),
        };
        Sse {
            events: Box::pin(kept_alive),
            ..self
        }
    }
}

/// The stream as text/event-stream, which no cache keeps.
impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let mut body = Body::from_stream(self.events);
        if !self.goes_on {
            body = body.until_shutdown();
        }
        Response::with_content(EVENT_STREAM, body)
            .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
            // nginx would gather the events otherwise.
            .with_header(
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            )
    }
}

impl std::fmt::Debug for Sse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sse")
    }
}

impl SseEvent {
    /// An event with `text` as its data, which may have more lines than one.
    ///
    /// CR, LF and CR LF all end a line, and arrive as LF.
    pub fn data(text: impl AsRef<str>) -> SseEvent {
        let mut event = SseEvent::empty();
        for line in lines(text.as_ref()) {
            event.line("data", line);
        }
        event
    }

    /// An event with `value` as its data, in JSON.
    ///
    /// A value that cannot be serialized has the stream fail.
    pub fn json(value: &impl Serialize) -> SseEvent {
        match serde_json::to_string(value) {
            Ok(text) => SseEvent::data(text),
            Err(error) => SseEvent {
                problem: Some(SseError::Json(error.to_string())),
                ..SseEvent::empty()
            },
        }
    }

    /// A comment, which the peer's program never sees: it shows that the connection is alive.
    pub fn comment(text: impl AsRef<str>) -> SseEvent {
        let mut event = SseEvent::empty();
        for line in lines(text.as_ref()) {
            event.line("", line);
        }
        event
    }

    /// The name of the event, for which the peer's program listens; `message` unless set.
    #[must_use]
    pub fn event(self, name: &str) -> SseEvent {
        self.field("event", name)
    }

    /// What the peer sends as Last-Event-ID when it comes again after a break.
    #[must_use]
    pub fn id(self, id: &str) -> SseEvent {
        self.field("id", id)
    }

    /// How long the peer waits from now on before it comes again after a break, in whole
    /// milliseconds.
    #[must_use]
    pub fn retry(mut self, time: Duration) -> SseEvent {
        // Writing to a String cannot fail.
        let _ = writeln!(self.lines, "retry: {}", time.as_millis());
        self
    }

    fn empty() -> SseEvent {
        SseEvent {
            lines: String::new(),
            problem: None,
        }
    }

    fn field(mut self, name: &str, value: &str) -> SseEvent {
        // A NUL has peers ignore an id.
        if value.contains(['\r', '\n', '\0']) {
            self.problem = Some(SseError::LineBreak);
        } else {
            self.line(name, value);
        }
        self
    }

    fn line(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\n"] {
            self.lines.push_str(part);
        }
    }

    /// The event as it is sent.
    fn write(mut self) -> Written {
        if let Some(problem) = self.problem {
            return Err(problem.into());
        }
        self.lines.push('\n');
        Ok(self.lines.into())
    }
}

/// The lines of `text`, one at least, and an empty one behind a break at its end.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = memchr::memchr2(b'\r', b'\n', text.as_bytes()) else {
            return rest.take();
        };
        let (line, behind) = text.split_at(at);
        let behind = behind.strip_prefix("\r\n").unwrap_or(&behind[1..]);
        rest = Some(behind);
        Some(line)
    })
}

/// Events, and a comment for each time that none comes for as long as silence may last.
struct KeptAlive {
    events: Pin<Box<dyn Stream<Item = Written>>>,
    silence: Silence,
}

/// How long nothing has been sent. An event only notes when it was: the wait that is going on is not
/// begun anew for each.
struct Silence {
    time: Time,
    most: Duration,
    since: Duration,
    wait: Pause,
}

impl Silence {
    fn begin(time: &Time, most: Duration) -> Silence {
        Silence {
            time: time.clone(),
            most,
            since: time.now(),
            wait: time.pause(most),
        }
    }

    fn end(&mut self) {
        self.since = self.time.now();
    }

    /// Ready when it has lasted long enough; it then begins anew.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.wait.as_mut().poll(cx));
            let lasted = self.time.now().saturating_sub(self.since);
            let left = self.most.saturating_sub(lasted);
            if left.is_zero() {
                self.end();
                self.wait = self.time.pause(self.most);
                return Poll::Ready(());
            }
            self.wait = self.time.pause(left);
        }
    }
}

impl Stream for KeptAlive {
    type Item = Written;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Written>> {
        if let Poll::Ready(event) = self.events.as_mut().poll_next(cx) {
            self.silence.end();
            return Poll::Ready(event);
        }
        ready!(self.silence.poll_over(cx));
        Poll::Ready(Some(Ok(Bytes::from_static(COMMENT))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn events_as_they_are_sent() {
        let cases = [
            (SseEvent::data("a"), "data: a\n\n"),
            (SseEvent::data(""), "data: \n\n"),
            (SseEvent::data(" a: b "), "data:  a: b \n\n"),
            (
                SseEvent::data("a\nb\r\nc\rd"),
                "data: a\ndata: b\ndata: c\ndata: d\n\n",
            ),
            (SseEvent::data("\n\r"), "data: \ndata: \ndata: \n\n"),
            (SseEvent::data("é\n"), "data: é\ndata: \n\n"),
            (SseEvent::json(&[1, 2]), "data: [1,2]\n\n"),
            (SseEvent::comment("a\nb"), ": a\n: b\n\n"),
            (
                SseEvent::data("a").event("b").id("c"),
                "data: a\nevent: b\nid: c\n\n",
            ),
            (
                SseEvent::data("a").retry(Duration::from_micros(1_999)),
                "data: a\nretry: 1\n\n",
            ),
            (SseEvent::data("a").id(""), "data: a\nid: \n\n"),
        ];
        for (event, expected) in cases {
            assert_eq!(event.write().unwrap(), expected);
        }
    }

    #[test]
    fn what_would_inject_is_not_sent() {
        for text in ["a\nb", "a\r", "\n", "a\0"] {
            assert!(SseEvent::data("x").event(text).write().is_err(), "{text:?}");
            assert!(SseEvent::data("x").id(text).write().is_err(), "{text:?}");
        }
        let keyed_by_pairs = BTreeMap::from([((1, 2), 3)]);
        assert!(SseEvent::json(&keyed_by_pairs).write().is_err());
    }
}
