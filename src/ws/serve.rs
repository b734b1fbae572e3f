//! Serves a WebSocket to its end: runs the program's function, receives for it, answers pings, beats,
//! and closes.
//!
//! ```text
//!   Link ── bytes ──▶ Reader ── Item ──▶ inbox (one message) ──▶ recv
//!     ▲                           └────▶ pong, Close
//!     └──────────────── frames ◀──────── send, ping, close
//! ```
//!
//! - One message is read ahead of the program, and no further byte while it is there: a program that
//!   takes no messages has its peer wait.
//! - A ping is answered when there is room to send. Where there is none, the last alone is (RFC 6455
//!   §5.5.3), so pings cost their peer's own room.
//! - Our Close is followed by the peer's, or by [`WEBSOCKET_CLOSE_TIMEOUT`]; behind a peer that broke
//!   the protocol nothing is waited for (RFC 6455 §7.1.7).

use super::WebSocketError;
use super::message::code;
use super::reader::Reader;
use super::socket::WebSocket;
use super::state::{Phase, Shared};
use crate::app::{Pause, Time, Upgraded};
use crate::http::Event;
use crate::limits::WEBSOCKET_CLOSE_TIMEOUT;
use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What was agreed on.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) message_bytes: usize,
    pub(super) frame_bytes: usize,
    pub(super) heartbeat: Option<Duration>,
    pub(super) protocol: Option<String>,
}

/// Serves a socket over `stream` to its end.
pub(super) async fn serve<F>(
    stream: Upgraded,
    settings: Settings,
    time: Time,
    handle: impl FnOnce(WebSocket) -> F,
) where
    F: Future<Output = ()>,
{
    let reader = Reader::new(settings.message_bytes, settings.frame_bytes);
    let shared = Rc::new(Shared::new(stream, settings.protocol, reader));
    let _ending = Ending(&shared);
    let socket = WebSocket {
        shared: Rc::clone(&shared),
    };
    // Called below, where a panic is caught, so that the peer is told before it goes on.
    let mut served = pin!(async move { handle(socket).await });
    let mut outcome: Option<Result<(), Box<dyn Any + Send>>> = None;
    let mut heart = settings
        .heartbeat
        .map(|interval| Heart::new(&time, interval));
    let mut patience = None;
    poll_fn(|cx| {
        shared.waiters.enter(cx);
        shared.receive(cx);
        loop {
            shared.waiters.take_woken();
            if outcome.is_none() {
                let poll = AssertUnwindSafe(|| served.as_mut().poll(cx));
                outcome = match catch_unwind(poll) {
                    Ok(Poll::Pending) => None,
                    Ok(Poll::Ready(())) => {
                        shared.start_close(code::NORMAL, "", Event::Ended);
                        Some(Ok(()))
                    }
                    Err(payload) => {
                        shared.fail(code::INTERNAL, "", Event::Truncated);
                        Some(Err(payload))
                    }
                };
            }
            shared.receive(cx);
            shared.answer(cx);
            if let Some(heart) = &mut heart {
                heart.beat(&shared, cx);
            }
            shared.heed_shutdown(cx);
            heed_patience(&shared, &time, &mut patience, cx);
            if outcome.is_some() && shared.phase.get() == Phase::Closed {
                return Poll::Ready(());
            }
            if !shared.waiters.take_woken() {
                shared.waiters.leave();
                return Poll::Pending;
            }
        }
    })
    .await;
    if let Some(Err(payload)) = outcome {
        resume_unwind(payload);
    }
}

/// Has every handle know the end, however it came.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Asks the peer from time to time whether it is there.
struct Heart {
    time: Time,
    interval: Duration,
    wait: Pause,
    /// The peer was asked since the wait began.
    has_asked: bool,
}

impl Heart {
    fn new(time: &Time, interval: Duration) -> Self {
        Self {
            time: time.clone(),
            interval,
            wait: time.pause(interval),
            has_asked: false,
        }
    }

    fn beat(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        if shared.phase.get() != Phase::Open || self.wait.as_mut().poll(cx).is_pending() {
            return;
        }
        let has_heard = shared.has_heard.take();
        // What is not received, because the program takes nothing, is not missed.
        let is_listening = shared.inbox.borrow().is_none();
        if self.has_asked && !has_heard && is_listening {
            shared.lose(WebSocketError::PeerSilent, Some(Event::Silent));
            return;
        }
        self.has_asked = shared.ask(cx);
        self.wait = self.time.pause(self.interval);
        // The new wait is to know whom to wake.
        shared.waiters.wake();
    }
}

/// Gives up a peer that does not answer our Close.
fn heed_patience(shared: &Shared, time: &Time, patience: &mut Option<Pause>, cx: &mut Context<'_>) {
    let Phase::Closing(event) = shared.phase.get() else {
        return;
    };
    let wait = patience.get_or_insert_with(|| time.pause(WEBSOCKET_CLOSE_TIMEOUT));
    if wait.as_mut().poll(cx).is_ready() {
        shared.end(event);
    }
}
