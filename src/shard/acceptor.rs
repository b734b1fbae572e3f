//! Takes connections from one listener and gives each to a task.

use super::Shard;
use crate::limits::ACCEPT_PAUSE;
use crate::ring::{Deadline, Listener, Stream};
use futures_lite::future::or;
use std::io;
use std::rc::Rc;

/// What an acceptor is woken by.
enum Next {
    Accepted(io::Result<Stream>),
    Drain,
}

/// Accepts until the shard drains, and then takes what the kernel still has queued.
pub(super) async fn accept(shard: Rc<Shard>, listener: Rc<Listener>) {
    let pause = Deadline::new(shard.ring());
    loop {
        let accepted = async { Next::Accepted(listener.accept().await) };
        let drain = async {
            shard.service.draining.wait().await;
            Next::Drain
        };
        match or(drain, accepted).await {
            Next::Accepted(Ok(stream)) => shard.serve(stream, Some(Rc::clone(&listener))),
            Next::Accepted(Err(_)) => {
                // Out of descriptors or memory: trying at once would spin. The connections wait in
                // the kernel's queue meanwhile.
                shard.recorder().accept_paused();
                pause.arm(ACCEPT_PAUSE);
                or(pause.passed(), shard.service.draining.wait()).await;
            }
            Next::Drain => break,
        }
    }
    // What could not be taken for want of descriptors is reset with the socket; there is no way
    // to answer it.
    let (streams, _) = listener.drain().await;
    streams
        .into_iter()
        .for_each(|stream| shard.serve(stream, None));
    shard.acceptor_ended();
}
