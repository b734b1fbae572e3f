//! What answers a request, and the answer on its way.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::containment::Asked;
use super::into_response::IntoResponse;
use super::request::Request;
use super::response::Response;

/// Something that answers requests: usually an `async fn(Request) -> impl IntoResponse`.
///
/// Handlers stay on their core, so neither they nor their futures need `Send`; they may hold
/// `Rc` and `RefCell`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not an `async fn(Request) -> impl IntoResponse`",
    note = "a handler takes one `Request` by value and owns what it captures (`async move`)",
    note = "it returns something with `IntoResponse`: text, bytes, `Json`, a status, `Result`"
)]
pub trait Handler: 'static {
    /// Begins to answer `request`.
    fn call(&self, request: Request) -> Answer;

    /// The most content that it takes, in bytes; `None` for what the server is set to
    /// ([`crate::Limits`]). A request with more is answered 413, before it is called where the
    /// length is declared.
    fn body_limit(&self) -> Option<u64> {
        None
    }

    /// Whether it runs to its end though its peer leaves: see [`finish_after_disconnect`].
    fn finishes_after_disconnect(&self) -> bool {
        false
    }
}

/// `handler` for requests with up to `bytes` of content, instead of what the server is set to.
///
/// ```
/// use corelane::app::{App, Request, with_body_limit};
///
/// async fn upload(mut request: Request) -> corelane::Result<String> {
///     Ok(format!("{} bytes", request.bytes().await?.len()))
/// }
///
/// let app = App::new().post("/upload", with_body_limit(64 << 20, upload));
/// ```
pub fn with_body_limit(bytes: u64, handler: impl Handler) -> impl Handler {
    Limited { bytes, handler }
}

struct Limited<H> {
    bytes: u64,
    handler: H,
}

impl<H: Handler> Handler for Limited<H> {
    fn call(&self, request: Request) -> Answer {
        self.handler.call(request)
    }

    fn body_limit(&self) -> Option<u64> {
        Some(self.bytes)
    }

    fn finishes_after_disconnect(&self) -> bool {
        self.handler.finishes_after_disconnect()
    }
}

/// `handler` run to its end, whether its peer stays or not.
///
/// Without this a handler that waits is dropped where it stands when its peer leaves, and what it
/// holds with it; a streamed response is dropped with its source. A peer leaves by closing its
/// connection, or its side of it: TCP does not tell the two apart. One that does not wait is not
/// concerned.
///
/// With it the response still goes to a peer that closed its side alone and reads on. Nobody reads
/// after a reset: the handler is run to its end then, too, but the source of a streamed response
/// is dropped.
///
/// [`App::finish_after_disconnect`](super::App::finish_after_disconnect) does this for a whole app.
///
/// ```
/// use corelane::app::{App, Request, finish_after_disconnect};
///
/// async fn pay(mut request: Request) -> corelane::Result<&'static str> {
///     let order = request.text().await?;
///     // What follows has several steps, and none of them may be left out.
///     Ok("paid")
/// }
///
/// let app = App::new().post("/pay", finish_after_disconnect(pay));
/// ```
pub fn finish_after_disconnect(handler: impl Handler) -> impl Handler {
    Finishing(handler)
}

struct Finishing<H>(H);

impl<H: Handler> Handler for Finishing<H> {
    fn call(&self, request: Request) -> Answer {
        self.0.call(request)
    }

    fn body_limit(&self) -> Option<u64> {
        self.0.body_limit()
    }

    fn finishes_after_disconnect(&self) -> bool {
        true
    }
}

impl<F, A> Handler for F
where
    F: Fn(Request) -> A + 'static,
    A: Asynchronous<Response: IntoResponse> + 'static,
{
    #[inline]
    fn call(&self, request: Request) -> Answer {
        Answer::pending(self(request))
    }
}

/// A future: what an `async fn` returns. It is here for what the compiler says where it is missing.
#[diagnostic::on_unimplemented(
    message = "this is not `async`: it returns `{Self}` at once",
    label = "not an `async fn`",
    note = "write `async fn`, or give a closure an `async move` block"
)]
pub(super) trait Asynchronous: Future<Output = Self::Response> {
    type Response;
}

#[diagnostic::do_not_recommend]
impl<A: Future> Asynchronous for A {
    type Response = A::Output;
}

/// A response on its way: the future of a handler, or a response that was known at once.
///
/// The former is one allocation, the latter none. Dropping it cancels the handler.
#[must_use = "an answer does nothing unless polled"]
pub struct Answer(State);

enum State {
    Ready(Option<Response>),
    Pending(Pin<Box<dyn Respond>>),
    /// The same, of a handler whose panic ends here.
    Contained(Pin<Box<dyn Respond>>, Asked),
}

impl Answer {
    /// An answer that needs no waiting.
    #[inline]
    pub fn ready(response: impl IntoResponse) -> Answer {
        Answer(State::Ready(Some(response.into_response())))
    }

    /// The answer that `future` will give.
    #[inline]
    pub fn pending<A>(future: A) -> Answer
    where
        A: Future<Output: IntoResponse> + 'static,
    {
        Answer(State::Pending(Box::pin(future)))
    }

    /// Drops what is left of a contained handler that panicked, which may panic as well.
    #[cold]
    fn let_go(&mut self) {
        let left = std::mem::replace(&mut self.0, State::Ready(None));
        if let State::Contained(future, asked) = left {
            let _ = asked.contain(|| drop(future));
        }
    }

    /// This answer to what was `asked`, but a panic on its way becomes a response.
    pub(super) fn contained(self, asked: Asked) -> Answer {
        Answer(match self.0 {
            State::Pending(future) => State::Contained(future, asked),
            other => other,
        })
    }
}

impl Future for Answer {
    type Output = Response;

    /// # Panics
    /// If the handler panics, or if it is polled after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        match &mut self.0 {
            State::Pending(future) => future.as_mut().poll_response(cx),
            State::Contained(future, asked) => {
                match asked.contain(|| future.as_mut().poll_response(cx)) {
                    Ok(polled) => polled,
                    Err(panicked) => {
                        self.let_go();
                        Poll::Ready(panicked.response())
                    }
                }
            }
            State::Ready(response) => {
                let response = response.take();
                Poll::Ready(response.expect("an answer is not polled after it was ready"))
            }
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Ready(response) => f.debug_tuple("Ready").field(response).finish(),
            State::Pending(_) | State::Contained(..) => f.write_str("Pending"),
        }
    }
}

/// A handler's future whose output is turned into a response as it leaves.
///
/// An `async` block around the future would do the same, but would be twice its size and move it
/// once more.
trait Respond {
    fn poll_response(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response>;
}

impl<A> Respond for A
where
    A: Future<Output: IntoResponse>,
{
    #[inline]
    fn poll_response(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        self.poll(cx).map(IntoResponse::into_response)
    }
}
