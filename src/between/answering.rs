//! A handler at work on a question: for as long as the question has, and whatever it does.

use super::core::Core;
use super::error::CallError;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What comes of a question.
pub(super) struct Answering<A> {
    core: Core,
    until_ns: u64,
    /// The handler, until it is done; or why there is none.
    handler: Result<Boxed<A>, CallError>,
    /// Made when the handler has to be waited for.
    late: Option<Boxed<()>>,
}

/// Has `begin` answer a question on `core`, which is dropped at `until_ns`.
pub(super) fn answer<A>(
    core: &Core,
    until_ns: u64,
    begin: impl FnOnce() -> Boxed<A>,
) -> Answering<A> {
    let handler = if core.host().now_ns() >= until_ns {
        // Work that nobody waits for would make what waits behind it late as well.
        Err(CallError::TimedOut)
    } else {
        catch_unwind(AssertUnwindSafe(begin)).map_err(|payload| {
            core.host().panicked(&*payload);
            CallError::Panicked
        })
    };
    Answering {
        handler,
        core: core.clone(),
        until_ns,
        late: None,
    }
}

impl<A> Answering<A> {
    /// Drops the handler, which may panic even then.
    fn end(&mut self, with: CallError) {
        let handler = std::mem::replace(&mut self.handler, Err(with));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(handler))) {
            self.core.host().panicked(&*payload);
        }
    }
}

impl<A> Future for Answering<A> {
    type Output = Result<A, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let handler = match &mut this.handler {
            Ok(handler) => handler,
            Err(error) => return Poll::Ready(Err(*error)),
        };
        match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
            Ok(Poll::Ready(answer)) => Poll::Ready(Ok(answer)),
            Ok(Poll::Pending) => {
                let host = this.core.host();
                let late = this.late.get_or_insert_with(|| host.passed(this.until_ns));
                ready!(late.as_mut().poll(cx));
                this.end(CallError::TimedOut);
                Poll::Ready(Err(CallError::TimedOut))
            }
            Err(payload) => {
                this.core.host().panicked(&*payload);
                this.end(CallError::Panicked);
                Poll::Ready(Err(CallError::Panicked))
            }
        }
    }
}

impl<A> Drop for Answering<A> {
    fn drop(&mut self) {
        self.end(CallError::Lost);
    }
}
