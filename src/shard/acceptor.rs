//! Takes connections from one listener and gives each to a task.

use super::{Door, Shard};
use crate::limits::{ACCEPT_CALM, ACCEPT_PAUSE};
use crate::log;
use crate::ring::{Deadline, Listener, Stream};
use futures_lite::future::{or, pending};
use std::io;
use std::rc::Rc;

/// What an acceptor is woken by.
enum Next {
    Accepted(io::Result<Stream>),
    /// It has gone well for so long that what was wrong is over.
    Calm,
    Drain,
}

/// Accepts until the shard drains, and then takes what the kernel still has queued.
pub(super) async fn accept(shard: Rc<Shard>, door: Door, listener: Rc<Listener>) {
    let pause = Deadline::new(shard.ring());
    let calm = Deadline::new(shard.ring());
    // Since accepting began to fail; none when that is over, and was told.
    let mut pauses = 0;
    loop {
        let accepted = async { Next::Accepted(listener.accept().await) };
        let drain = async {
            shard.service.draining.wait().await;
            Next::Drain
        };
        let is_over = async {
            match pauses {
                0 => pending().await,
                _ => calm.passed().await,
            }
            Next::Calm
        };
        match or(drain, or(accepted, is_over)).await {
            Next::Accepted(Ok(stream)) => shard.serve(stream, door, Some(Rc::clone(&listener))),
            Next::Accepted(Err(error)) => {
                // Out of descriptors or memory: trying at once would spin. The connections wait in
                // the kernel's queue meanwhile.
                shard.recorder().accept_paused();
                if pauses == 0 {
                    log::accepting_pauses(shard.index, &error);
                }
                pauses += 1;
                pause.arm(ACCEPT_PAUSE);
                or(pause.passed(), shard.service.draining.wait()).await;
                calm.arm(ACCEPT_CALM);
            }
            Next::Calm => log::accepting_goes_on(shard.index, std::mem::take(&mut pauses)),
            Next::Drain => break,
        }
    }
    // What could not be taken for want of descriptors is reset with the socket; there is no way
    // to answer it.
    let (streams, _) = listener.drain().await;
    streams
        .into_iter()
        .for_each(|stream| shard.serve(stream, door, None));
    shard.acceptor_ended();
}
