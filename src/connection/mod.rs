//! Serves one connection: HTTP/1.1 over a [`Transport`], for a [`Host`].
//!
//! Between requests a connection is its wire and its task. When bytes come it takes a [`Work`],
//! answers everything that has arrived, gathers the responses and sends them as one message, and
//! gives the work back.
//!
//! ```text
//! serve ─first byte→ Visit ─head→ exchange ─→ Router ─→ Handler ─reads→ Incoming
//!   ▲                  │                                   │               │
//!   └── nothing to do ─┴─ flush ◀── gathered responses ◀───┘       Wire ◀──┘
//! ```
//!
//! A connection that switches protocols leaves this cycle for good: see `upgrade.rs`.
//!
//! It knows nothing of sockets, rings and cores: those are the [`Transport`]'s and the [`Host`]'s,
//! and what came of the connection is the [`CloseReason`] that [`serve`] returns.
//!
//! [`Work`]: work::Work

mod access;
mod body;
mod exchange;
mod file;
mod file_turns;
mod inbound;
mod pace;
mod respond;
mod service;
mod tell;
mod transport;
mod upgrade;
mod visit;
mod waiting;
mod wire;
mod work;

pub(crate) use self::service::Service;
pub(crate) use self::transport::{Clocked, Host, Received, Transport};
#[cfg(test)]
pub(crate) use self::visit::waiting_bytes;
pub(crate) use self::wire::Wire;

use self::visit::Visit;
use crate::http::{CloseReason, Event, State};
use std::rc::Rc;

/// Serves a connection to its end, and counts it.
///
/// Every connection at rest has this future, and so it is one block and no async function, which
/// would keep what it was called with beside what it made of it.
pub(crate) fn serve<H: Host>(
    host: &Rc<H>,
    wire: Rc<Wire<H::Transport>>,
) -> impl Future<Output = CloseReason> {
    let service = host.service();
    service.recorder().accepted();
    service.recorder().connection_idle();
    async move {
        let reason = loop {
            if wire.stopped.take() {
                // The shutdown came while a request was under way. Now the connection ends, unless
                // another request has come already.
                wire.transport.interrupt();
            }
            let service = host.service();
            let event = match wire.receive(Some(service.limits().idle_timeout)).await {
                Ok(received) => {
                    host.service().recorder().received(received.len() as u64);
                    *wire.received.borrow_mut() = Some(received);
                    Event::FirstByte
                }
                Err(event) => event,
            };
            let mut state = State::Idle.advance(event);
            if state == State::Head {
                host.service().recorder().connection_busy();
                // Boxed, so that a connection at rest does not pay for the size of one at work.
                let switching;
                (state, switching) = Box::pin(Visit::new(host, &wire).run()).await;
                if let Some(switching) = switching {
                    state = Box::pin(upgrade::speak(host, &wire, switching)).await;
                }
                host.service().recorder().connection_idle();
            }
            if let State::Closed(reason) = state {
                break reason;
            }
        };
        let mut recorder = host.service().recorder();
        recorder.connection_busy();
        recorder.closed(reason.index());
        reason
    }
}
