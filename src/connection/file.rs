//! Sends what of a response lies in a file from there, turn by turn with the core's other connections.

use super::respond::Broken;
use super::transport::{Host, Transport};
use super::visit::Visit;
use super::wire::broken;
use crate::app::{Body, FilePiece};
use crate::http::Event;
use crate::limits::FILE_TURN;
use crate::log::Cause;
use futures_lite::future::yield_now;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What became of handing over one piece: how much went out, and what is next.
struct Turn {
    head_bytes: usize,
    file_bytes: usize,
    next: Result<Next, Broken>,
}

/// What follows a turn.
enum Next {
    /// Another.
    Turn,
    /// The source has to be asked for a piece.
    Piece,
    /// The peer takes no more now.
    Wait,
}

impl<H: Host> Visit<'_, H> {
    /// Sends what was gathered and then of `body` what its source can send from a file, until the
    /// source has to be asked for a piece. Returns how much of the body went out.
    pub(super) async fn send_from_file(
        &mut self,
        body: &mut Body,
        is_held: &mut bool,
    ) -> Result<u64, Broken> {
        let mut sent = 0;
        let mut began_ns = self.wire.transport.clock_ns();
        loop {
            let turn = self.send_turn(body);
            // Though the source may have failed behind it, this is out.
            let bytes = turn.head_bytes + turn.file_bytes;
            if bytes > 0 {
                *is_held = false;
                self.work.out.drain(..turn.head_bytes);
                sent += turn.file_bytes as u64;
                self.recorder().sent(bytes as u64);
                self.work.pace.add_bytes(bytes);
            }
            match turn.next? {
                Next::Turn if self.may_go_on(began_ns) => continue,
                // Others get theirs.
                Next::Turn => yield_now().await,
                Next::Piece => return Ok(sent),
                Next::Wait => self.writable().await?,
            }
            began_ns = self.wire.transport.clock_ns();
        }
    }

    /// Whether a turn that began at `began_ns` is still short. A system call costs less than to let others
    /// have theirs, and how long it takes nobody knows before: to queue pages takes a fifth of what it takes to
    /// send them.
    fn may_go_on(&self, began_ns: u64) -> bool {
        let taken_ns = self.wire.transport.clock_ns().saturating_sub(began_ns);
        taken_ns < FILE_TURN.as_nanos() as u64
    }

    fn send_turn(&self, body: &mut Body) -> Turn {
        let transport = &self.wire.transport;
        let head = &self.work.out;
        let mut head_bytes = 0;
        let mut outcome = None;
        let mut is_full = false;
        let offered = catch_unwind(AssertUnwindSafe(|| {
            body.send_from_file(&mut |piece| {
                // The head goes before what is sent first, and what is sent next has its own turn.
                if outcome.is_some() {
                    return 0;
                }
                let sent = send_behind(transport, head, &mut head_bytes, || match piece {
                    FilePiece::Pages {
                        file,
                        offset,
                        bytes,
                    } => transport.try_send_file(file, offset, bytes),
                    FilePiece::Copy(content) => transport.try_send(content, false),
                });
                is_full = matches!(sent, Ok(sent) if sent < piece.len());
                *outcome.insert(sent).as_ref().unwrap_or(&0)
            })
        }));
        let sent = outcome.unwrap_or(Ok(0));
        let file_bytes = *sent.as_ref().unwrap_or(&0);
        let next = match (offered, sent) {
            (Err(payload), _) => Err(Broken::Source(Cause::Panic(payload))),
            (Ok(Some(Err(error))), _) => Err(Broken::Source(Cause::Source(error))),
            (Ok(None), _) => Ok(Next::Piece),
            // The file ended before its time: the source finds out when it is asked for a piece.
            (_, Ok(0)) if head_bytes == 0 => Ok(Next::Piece),
            // To try again would only tell the same.
            (_, Ok(_)) if is_full => Ok(Next::Wait),
            (_, Ok(_)) => Ok(Next::Turn),
            (_, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(Next::Wait),
            (_, Err(error)) => Err(Broken::Wire(broken(&error))),
        };
        Turn {
            head_bytes,
            file_bytes,
            next,
        }
    }

    /// Waits until the peer takes more, as long as it may take.
    async fn writable(&mut self) -> Result<(), Broken> {
        let (transport, limits) = (&self.wire.transport, self.limits());
        let (pause, rate) = (limits.write_timeout, limits.write_rate_bytes);
        let patience_ns = self.work.pace.patience_ns(pause, rate);
        transport.arm(Duration::from_nanos(patience_ns));
        let since_ns = transport.now_ns();
        match transport.limit(transport.writable()).await {
            Some(Ok(())) => {
                self.work.pace.add_wait(since_ns, transport.now_ns());
                Ok(())
            }
            Some(Err(error)) => Err(Broken::Wire(broken(&error))),
            None => Err(Broken::Wire(Event::Late)),
        }
    }
}

/// Sends `head`, and what `send` sends once all of that is out.
fn send_behind(
    transport: &impl Transport,
    head: &[u8],
    head_sent: &mut usize,
    send: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    if !head.is_empty() {
        *head_sent = transport.try_send(head, true)?;
        if *head_sent < head.len() {
            return Ok(0);
        }
    }
    send()
}
