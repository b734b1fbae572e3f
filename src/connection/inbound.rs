//! Where the reading of a request's body stands: how far it is decoded, whether its peer waits to
//! be invited, and how long the peer may take.

use super::pace::Pace;
use crate::http::{BodyDecoder, Decoded, Refusal};
use crate::limits::Limits;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A request's body on its way in.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) decoder: BodyDecoder,
    /// It was asked for more than has come, since this was last lowered.
    pub(super) is_awaited: bool,
    failed: bool,
    invitation: Invitation,
    /// What was taken of it, framing included.
    pace: Pace,
    /// The wait that is going on.
    wait: Option<Wait>,
}

/// Whether the peer is asked for the body (RFC 9110 §10.1.1).
#[derive(Debug)]
enum Invitation {
    /// It sends without being asked, or has been asked.
    Done,
    /// It is to be asked when the body is first wanted.
    Due,
    /// It is wanted: the connection is about to ask, and then wakes whoever wants it.
    Wanted(Waker),
}

/// From when to when the next bytes are waited for, on the transport's clock.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since_ns: u64,
    until_ns: u64,
}

impl Inbound {
    /// A body to be read by `decoder`, whose peer waits for an invitation if `expects_continue`.
    pub(super) fn new(decoder: BodyDecoder, expects_continue: bool) -> Self {
        Self {
            decoder,
            is_awaited: false,
            failed: false,
            invitation: match expects_continue {
                true => Invitation::Due,
                false => Invitation::Done,
            },
            pace: Pace::default(),
            wait: None,
        }
    }

    /// Whether the rest of it is to be expected. A peer that was not asked for it may never send it.
    pub(super) fn will_come(&self) -> bool {
        !self.failed && matches!(self.invitation, Invitation::Done)
    }

    /// Whether it was found that nothing more of it is to be expected.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Nothing more of it is to be expected.
    pub(super) fn fail(&mut self) {
        self.failed = true;
    }

    /// Ready when its peer has been invited.
    pub(super) fn poll_invited(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.invitation, Invitation::Done) {
            return Poll::Ready(());
        }
        self.invitation = Invitation::Wanted(cx.waker().clone());
        Poll::Pending
    }

    /// Whether somebody waits for its peer to be invited.
    pub(super) fn is_inviting(&self) -> bool {
        matches!(self.invitation, Invitation::Wanted(_))
    }

    /// Its peer has been invited: who waits for that is to be woken.
    pub(super) fn invited(&mut self) -> Option<Waker> {
        match std::mem::replace(&mut self.invitation, Invitation::Done) {
            Invitation::Wanted(waker) => Some(waker),
            Invitation::Done | Invitation::Due => None,
        }
    }

    /// How much longer its peer has for the next bytes. The wait began when this was first asked
    /// since bytes came.
    pub(super) fn time_left(&mut self, now_ns: u64, limits: &Limits) -> Duration {
        self.is_awaited = true;
        let (pause, rate) = (limits.body_timeout, limits.body_rate_bytes);
        let patience_ns = self.pace.patience_ns(pause, rate);
        let wait = self.wait.get_or_insert(Wait {
            since_ns: now_ns,
            until_ns: now_ns.saturating_add(patience_ns),
        });
        Duration::from_nanos(wait.until_ns.saturating_sub(now_ns))
    }

    /// Reads on in `bytes`, like [`BodyDecoder::decode`].
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, Refusal> {
        let decoded = self.decoder.decode(bytes)?;
        self.pace.add_bytes(decoded.consumed);
        Ok(decoded)
    }

    /// How much of it was read, framing included.
    pub(super) fn taken_bytes(&self) -> u64 {
        self.pace.bytes()
    }

    /// Bytes came, at `arrived_ns`.
    pub(super) fn received(&mut self, arrived_ns: u64) {
        if let Some(wait) = self.wait.take() {
            self.pace.add_wait(wait.since_ns, arrived_ns);
        }
    }

    /// How long its peer was waited for until `now_ns`. A wait that was given up ends when its peer
    /// would have been late.
    pub(super) fn waited_ns(&self, now_ns: u64) -> u64 {
        let ongoing_ns = self.wait.map_or(0, |wait| {
            now_ns.min(wait.until_ns).saturating_sub(wait.since_ns)
        });
        self.pace.waited_ns() + ongoing_ns
    }
}
