//! The life of a connection as one table: in which state it is, what may happen there, and what
//! that makes of it. It does nothing itself; whoever owns the connection acts on the state.
//!
//! ```text
//!            first byte        head read           answered, all read
//!   Idle ───────────────▶ Head ──────────▶ Exchange ───────────────────▶ Idle
//!    │                     │                  │  │ answered, body left
//!    │ closed, late,       │ refused, late    │  └───────────▶ Discard ──▶ Idle
//!    │ stopped             ▼                  ▼                   │
//!    └──────▶ Closed ◀── Linger ◀─────────── last response ◀──────┘ refused, too much left
//!                           ▲                  │ switched
//!                           └──── Switched ◀───┘
//! ```
//!
//! How a connection ended is a [`CloseReason`], and each reason is counted.

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Between requests: not one byte of the next has come.
    Idle,
    /// A part of a request's head has come.
    Head,
    /// A request is being handled and its response sent.
    Exchange,
    /// The response is out; what its handler left of the request's body is thrown away.
    Discard,
    /// The response is out that switched protocols; another one is spoken, to the connection's end.
    Switched,
    /// The last response is out and our side is closed; the peer's bytes are thrown away until it
    /// closes its side (RFC 9112 §9.6).
    Linger(CloseReason),
    /// It ended.
    Closed(CloseReason),
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first byte of a request came.
    FirstByte,
    /// What came is the empty line that may precede a request (RFC 9112 §2.2), and nothing of one.
    EmptyLine,
    /// The head of a request was read and understood.
    HeadRead,
    /// The peer's bytes were refused, and the response that says so is out.
    Refused,
    /// A response is out, and another request may follow.
    Answered {
        /// Nothing of the request's body is left to read.
        body_read: bool,
    },
    /// A response is out that said `Connection: close`, and the request was read to its end by a
    /// peer that expects nothing more: RFC 9112 §9.6 has nothing to protect.
    AnsweredLast,
    /// A response is out that said `Connection: close` to a peer that may still be sending.
    AnsweredEarly,
    /// A response could not be completed after its head was out.
    Truncated,
    /// A response is out that switched protocols (RFC 9110 §15.2.2).
    Switched,
    /// Whoever speaks the other protocol is done, and what it sent is out.
    Ended,
    /// The peer has not shown in time that it is still there, or cannot be reached any more.
    Silent,
    /// The rest of the request's body was thrown away.
    Discarded,
    /// A response is out, and more is left of the request's body than is worth throwing away.
    TooMuchLeft,
    /// The peer closed its side, or everything.
    PeerClosed,
    /// The peer reset the connection, or had gone when something was sent.
    Reset,
    /// The connection failed on our side.
    Failed,
    /// The state's deadline passed.
    Late,
    /// The server shuts down.
    Stopped,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed it between requests.
    PeerClosed,
    /// The peer broke it off: it closed it in the middle of a request, or reset it whenever that was.
    PeerAborted,
    /// It failed on our side, which no peer should be able to cause.
    Failed,
    /// Either side had asked for it to close after this response.
    Completed,
    /// No request came in time.
    IdleTimeout,
    /// A head was not complete in time.
    HeadTimeout,
    /// A body was not delivered in time.
    BodyTimeout,
    /// The peer did not read the response in time.
    WriteTimeout,
    /// The peer sent what cannot be understood or served.
    Refused,
    /// A body was left unread, and longer than is worth discarding.
    BodyUnread,
    /// A response could not be completed.
    Truncated,
    /// The server shut down.
    Stopped,
    /// The peer, asked whether it is still there, did not show it in time, or cannot be reached any more.
    PeerSilent,
}

impl CloseReason {
    /// The name of each reason in `/stats`, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &[
        "peer_closed",
        "peer_aborted",
        "failed",
        "completed",
        "idle_timeout",
        "head_timeout",
        "body_timeout",
        "write_timeout",
        "refused",
        "body_unread",
        "truncated",
        "stopped",
        "peer_silent",
    ];

    /// Its place in [`CloseReason::NAMES`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl State {
    /// What `event` makes of this state.
    ///
    /// A pair that cannot happen closes the connection as [`CloseReason::Failed`], and is a bug
    /// that debug builds stop at.
    #[must_use]
    pub fn advance(self, event: Event) -> State {
        use CloseReason as Why;
        use Event as E;
        use State as S;
        match (self, event) {
            (S::Idle, E::FirstByte) => S::Head,
            (S::Idle, E::PeerClosed) => S::Closed(Why::PeerClosed),
            (S::Idle, E::Late) => S::Closed(Why::IdleTimeout),
            (S::Idle, E::Stopped) => S::Closed(Why::Stopped),

            (S::Head, E::EmptyLine) => S::Idle,
            (S::Head, E::HeadRead) => S::Exchange,
            (S::Head, E::Refused) => S::Linger(Why::Refused),
            (S::Head, E::Late) => S::Linger(Why::HeadTimeout),
            (S::Head, E::PeerClosed) => S::Closed(Why::PeerAborted),

            (S::Exchange, E::Answered { body_read: true }) => S::Idle,
            (S::Exchange, E::Answered { body_read: false }) => S::Discard,
            (S::Exchange, E::AnsweredLast) => S::Closed(Why::Completed),
            (S::Exchange, E::AnsweredEarly) => S::Linger(Why::Completed),
            (S::Exchange, E::TooMuchLeft) => S::Linger(Why::BodyUnread),
            (S::Exchange, E::Refused) => S::Linger(Why::Refused),
            (S::Exchange, E::Switched) => S::Switched,
            (S::Exchange, E::Truncated) => S::Closed(Why::Truncated),
            (S::Exchange, E::Late) => S::Closed(Why::WriteTimeout),
            (S::Exchange, E::PeerClosed) => S::Closed(Why::PeerAborted),

            (S::Discard, E::Discarded) => S::Idle,
            (S::Discard, E::TooMuchLeft) => S::Linger(Why::BodyUnread),
            (S::Discard, E::Refused) => S::Linger(Why::Refused),
            (S::Discard, E::Late) => S::Closed(Why::BodyTimeout),
            (S::Discard, E::PeerClosed) => S::Closed(Why::PeerAborted),

            (S::Switched, E::Ended) => S::Linger(Why::Completed),
            (S::Switched, E::Refused) => S::Linger(Why::Refused),
            (S::Switched, E::Truncated) => S::Linger(Why::Truncated),
            (S::Switched, E::Stopped) => S::Linger(Why::Stopped),
            (S::Switched, E::Late) => S::Closed(Why::WriteTimeout),
            (S::Switched, E::PeerClosed) => S::Closed(Why::PeerClosed),

            // The reason stands; how the peer then leaves does not matter.
            (S::Linger(why), E::PeerClosed | E::Reset | E::Silent | E::Failed | E::Late) => {
                S::Closed(why)
            }

            (S::Closed(why), _) => S::Closed(why),
            // What ends a connection in every other state.
            (_, E::Reset) => S::Closed(Why::PeerAborted),
            (_, E::Silent) => S::Closed(Why::PeerSilent),
            (_, E::Failed) => S::Closed(Why::Failed),
            (state, event) => {
                debug_assert!(false, "{event:?} cannot happen in {state:?}");
                S::Closed(Why::Failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_name() {
        let table = [
            (CloseReason::PeerClosed, "peer_closed"),
            (CloseReason::HeadTimeout, "head_timeout"),
            (CloseReason::Stopped, "stopped"),
            (CloseReason::PeerSilent, "peer_silent"),
        ];
        for (reason, name) in table {
            assert_eq!(CloseReason::NAMES[reason.index()], name);
        }
        assert_eq!(
            CloseReason::NAMES.len(),
            CloseReason::PeerSilent.index() + 1
        );
    }

    #[test]
    fn lives_of_connections() {
        use Event as E;
        let answered = |body_read| E::Answered { body_read };
        let table: [(&[E], State); 18] = [
            (&[E::PeerClosed], State::Closed(CloseReason::PeerClosed)),
            (&[E::FirstByte, E::HeadRead, answered(true)], State::Idle),
            (
                &[E::FirstByte, E::HeadRead, answered(false), E::Discarded],
                State::Idle,
            ),
            (
                &[E::FirstByte, E::HeadRead, E::TooMuchLeft, E::PeerClosed],
                State::Closed(CloseReason::BodyUnread),
            ),
            (
                &[
                    E::FirstByte,
                    E::HeadRead,
                    answered(false),
                    E::TooMuchLeft,
                    E::Late,
                ],
                State::Closed(CloseReason::BodyUnread),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::AnsweredLast],
                State::Closed(CloseReason::Completed),
            ),
            (
                &[E::FirstByte, E::Refused, E::Failed],
                State::Closed(CloseReason::Refused),
            ),
            (
                &[E::FirstByte, E::Late, E::Late],
                State::Closed(CloseReason::HeadTimeout),
            ),
            (
                &[E::FirstByte, E::PeerClosed],
                State::Closed(CloseReason::PeerAborted),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Failed],
                State::Closed(CloseReason::Failed),
            ),
            (&[E::Reset], State::Closed(CloseReason::PeerAborted)),
            (
                &[E::FirstByte, E::Reset],
                State::Closed(CloseReason::PeerAborted),
            ),
            (
                &[E::FirstByte, E::Refused, E::Reset],
                State::Closed(CloseReason::Refused),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Silent],
                State::Closed(CloseReason::PeerSilent),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Switched, E::Ended, E::Late],
                State::Closed(CloseReason::Completed),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Switched, E::Silent],
                State::Closed(CloseReason::PeerSilent),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Switched, E::Stopped],
                State::Linger(CloseReason::Stopped),
            ),
            (
                &[E::FirstByte, E::HeadRead, E::Switched, E::Failed],
                State::Closed(CloseReason::Failed),
            ),
        ];
        for (events, end) in table {
            let state = events
                .iter()
                .fold(State::Idle, |state, event| state.advance(*event));
            assert_eq!(state, end, "{events:?}");
        }
    }

    #[test]
    fn a_closed_connection_stays_closed_for_its_reason() {
        let closed = State::Closed(CloseReason::Refused);
        assert_eq!(closed.advance(Event::Late), closed);
        assert_eq!(closed.advance(Event::FirstByte), closed);
    }
}
