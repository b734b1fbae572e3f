//! Sends what of a response lies in a file from there, turn by turn with the core's other connections.

use super::respond::Broken;
use super::transport::{Clocked, Host, Transport};
use super::visit::Visit;
use super::wire::broken;
use crate::app::{Body, FilePiece};
use crate::http::Event;
use crate::log::Cause;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What became of handing over one piece: how much went out, and what is next.
struct Sent {
    head_bytes: usize,
    file_bytes: usize,
    next: Result<Next, Broken>,
}

/// What follows a piece.
#[derive(PartialEq, Eq)]
enum Next {
    /// Another.
    Piece,
    /// The source has to be asked to read one.
    Read,
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
        let host = self.host;
        while is_in_file(body)? {
            let turn = host.service().file_turns.take(&self.wire.transport).await;
            let next = loop {
                let piece = self.send_piece(body);
                // Though the source may have failed behind it, this is out.
                let bytes = piece.head_bytes + piece.file_bytes;
                if bytes > 0 {
                    *is_held = false;
                    self.work.out.drain(..piece.head_bytes);
                    sent += piece.file_bytes as u64;
                    self.recorder().sent(bytes as u64);
                    self.work.pace.add_bytes(bytes);
                }
                let next = piece.next?;
                let goes_on = next == Next::Piece && turn.may_go_on(&self.wire.transport);
                if !goes_on || !is_in_file(body)? {
                    break next;
                }
            };
            drop(turn);
            match next {
                Next::Piece => {}
                Next::Read => break,
                Next::Wait => self.writable().await?,
            }
        }
        Ok(sent)
    }

    fn send_piece(&self, body: &mut Body) -> Sent {
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
            (Ok(None), _) => Ok(Next::Read),
            // The file ended before its time: the source finds out when it is asked for a piece.
            (_, Ok(0)) if head_bytes == 0 => Ok(Next::Read),
            // To try again would only tell the same.
            (_, Ok(_)) if is_full => Ok(Next::Wait),
            (_, Ok(_)) => Ok(Next::Piece),
            (_, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(Next::Wait),
            (_, Err(error)) => Err(Broken::Wire(broken(&error))),
        };
        Sent {
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

/// Whether the source of `body` may send what comes next from a file.
fn is_in_file(body: &Body) -> Result<bool, Broken> {
    catch_unwind(AssertUnwindSafe(|| body.is_in_file()))
        .map_err(|payload| Broken::Source(Cause::Panic(payload)))
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
