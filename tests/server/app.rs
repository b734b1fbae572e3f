//! The application that most tests serve: each route does one thing that a handler may do.

use corelane::app::{BodyError, BodySource, demo::demo};
use corelane::ring::{Deadline, Ring};
use corelane::{App, Body, Error, Request, Response, Running, Server, Shard};
use http::header::UPGRADE;
use http::{HeaderValue, StatusCode};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A server that runs while the test does.
#[derive(Debug)]
pub(crate) struct Served {
    running: Option<Running>,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Serves [`app`].
    pub(crate) fn new() -> Self {
        Self::with(app)
    }

    /// Serves what `factory` makes.
    pub(crate) fn with(factory: impl Fn(&Shard) -> App + Send + Sync + 'static) -> Self {
        Self::on(Server::bind("127.0.0.1:0"), factory)
    }

    /// Serves what `factory` makes on `server`.
    pub(crate) fn on(
        server: Server,
        factory: impl Fn(&Shard) -> App + Send + Sync + 'static,
    ) -> Self {
        let server = server.shutdown_timeout(Duration::from_secs(2));
        let running = server.start(factory).expect("the server starts");
        let address = running.addresses()[0];
        Self {
            running: Some(running),
            address,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let stopped = self.running.take().map(Running::stop);
        if !std::thread::panicking() {
            stopped.expect("it runs").expect("no shard failed");
        }
    }
}

/// The demo application and routes for everything else that a handler may do.
pub(crate) fn app(shard: &Shard) -> App {
    let (ring, other_ring) = (shard.ring().clone(), shard.ring().clone());
    // A body that outlives its request, for the next one on this core.
    let kept = std::rc::Rc::new(std::cell::RefCell::new(Body::Empty));
    let keeper = std::rc::Rc::clone(&kept);
    demo()
        .post("/collect", async |mut request: Request| {
            request.bytes().await
        })
        .post("/ignore", async |_| "ignored")
        .post("/keep", move |request: Request| {
            keeper.replace(request.into_body());
            async { "kept" }
        })
        .post("/take", move |_: Request| {
            let mut body = kept.take();
            async move {
                match body.next().await {
                    Some(Ok(piece)) => piece,
                    _ => "nothing".into(),
                }
            }
        })
        .post("/first", first_piece)
        .get("/empty", async |_| ())
        .get("/bytes/{n}", async |request: Request| {
            pattern(number(&request))
        })
        .get("/stream/{n}", async |request: Request| {
            streamed(number(&request), Told::Nothing)
        })
        .get("/known/{n}", async |request: Request| {
            streamed(number(&request), Told::Length)
        })
        .get("/fails/{n}", async |request: Request| {
            streamed(number(&request), Told::Failure)
        })
        .get("/fails-at-once", async |_| failing(None))
        .get("/known-fails", async |_| failing(Some(10)))
        .get("/too-short", async |_| pieces(b"12345", 10))
        .get("/too-long", async |_| pieces(b"1234567890", 5))
        .get("/panic", panicking)
        .get("/panic-later", async |_| {
            futures_lite::future::yield_now().await;
            panicking(()).await
        })
        .get("/panic-in-body", async |_| {
            Response::new(StatusCode::OK).with_body(Body::stream(Panics, None))
        })
        .get("/error", async |_| {
            Err::<(), _>(Error::new(StatusCode::CONFLICT, "Not so."))
        })
        .get("/failure", async |_| -> corelane::Result<String> {
            Ok(std::fs::read_to_string("/a secret path")?)
        })
        .get("/interim", async |_| StatusCode::EARLY_HINTS)
        .get("/not-modified", async |_| {
            (StatusCode::NOT_MODIFIED, "no content")
        })
        .get("/status/{n}", async |request: Request| {
            (status(&request), "content")
        })
        .get("/stream-status/{n}", async |request: Request| {
            streamed(7, Told::Nothing).with_status(status(&request))
        })
        .get("/upgrade", async |_| {
            Response::new(StatusCode::UPGRADE_REQUIRED)
                .with_header(UPGRADE, HeaderValue::from_static("h2c"))
        })
        .get("/host", async |request: Request| {
            request.host().unwrap_or("no host").to_owned()
        })
        .get("/x", async |request: Request| {
            let value = request.header_bytes("x").unwrap_or_default();
            format!("[{}]", String::from_utf8_lossy(value))
        })
        .post("/names", names)
        .get("/timer", async |_| {
            glommio::timer::sleep(Duration::from_millis(1)).await;
            "after a timer"
        })
        .get("/deadline", move |_| {
            wait(ring.clone(), Duration::from_millis(1))
        })
        .get("/never", move |_| {
            wait(other_ring.clone(), Duration::from_secs(3600))
        })
}

async fn wait(ring: Ring, duration: Duration) -> &'static str {
    let deadline = Deadline::new(&ring);
    deadline.arm(duration);
    deadline.passed().await;
    "after a deadline"
}

async fn panicking<T>(_: T) -> &'static str {
    panic!("a handler that panics, on purpose")
}

/// Reads one piece of the content and leaves the rest.
async fn first_piece(mut request: Request) -> corelane::Result<&'static str> {
    request.body_mut().next().await.transpose()?;
    Ok("had some")
}

/// The names of the fields, told after the content was read.
async fn names(mut request: Request) -> corelane::Result<String> {
    request.bytes().await?;
    let names: Vec<_> = request.headers().map(|(name, _)| name).collect();
    Ok(names.join(","))
}

fn status(request: &Request) -> StatusCode {
    StatusCode::from_u16(number(request) as u16).expect("a status")
}

fn number(request: &Request) -> usize {
    request.param("n").parse().unwrap_or(0)
}

/// Bytes that differ from place to place, so that none can be lost or moved unseen.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    pattern_from(0, length)
}

fn pattern_from(start: usize, length: usize) -> Vec<u8> {
    (start..start + length)
        .map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8)
        .collect()
}

/// What a streamed response says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Length,
    /// Nothing, and it fails instead of ending.
    Failure,
}

/// The pattern in pieces of different lengths, small, larger than what is gathered, and empty.
fn streamed(length: usize, told: Told) -> Response {
    let source = Pattern {
        at: 0,
        length,
        turn: 0,
        fails: told == Told::Failure,
    };
    let length = (told == Told::Length).then_some(length as u64);
    Response::new(StatusCode::OK).with_body(Body::stream(source, length))
}

struct Pattern {
    at: usize,
    length: usize,
    turn: usize,
    fails: bool,
}

impl BodySource for Pattern {
    fn poll_data(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        const LENGTHS: [usize; 6] = [1, 5_000, 0, 16 * 1024, 16 * 1024 + 1, 300_000];
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            // Not there at once, as from a disk or another server.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.at == self.length {
            return Poll::Ready(self.fails.then(failure));
        }
        let piece = LENGTHS[self.turn % LENGTHS.len()].min(self.length - self.at);
        let bytes = pattern_from(self.at, piece);
        self.at += piece;
        Poll::Ready(Some(Ok(bytes.into())))
    }
}

fn failure() -> Result<bytes::Bytes, BodyError> {
    Err(std::io::Error::other("a source that fails, on purpose").into())
}

/// A response whose content fails before its first byte.
fn failing(length: Option<u64>) -> Response {
    Response::new(StatusCode::OK).with_body(Body::stream(Fails, length))
}

struct Fails;

impl BodySource for Fails {
    fn poll_data(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        Poll::Ready(Some(failure()))
    }
}

struct Panics;

impl BodySource for Panics {
    fn poll_data(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        panic!("a source that panics, on purpose")
    }
}

/// A response of `content` that claims to be `length` bytes.
fn pieces(content: &'static [u8], length: u64) -> Response {
    Response::new(StatusCode::OK).with_body(Body::stream(Once(Some(content)), Some(length)))
}

struct Once(Option<&'static [u8]>);

impl BodySource for Once {
    fn poll_data(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<bytes::Bytes, BodyError>>> {
        Poll::Ready(
            self.0
                .take()
                .map(|content| Ok(bytes::Bytes::from_static(content))),
        )
    }
}
