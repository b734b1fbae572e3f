//! Whether a server is about to go: told apart from its draining, because it may serve on for a while.

use std::cell::Cell;
use std::rc::Rc;

/// Whether more requests should go elsewhere, because the server's shutdown has begun or is to begin
/// ([`Server::shutdown_delay`](crate::Server::shutdown_delay)). It is for handlers that tell of the health
/// of their app themselves.
#[derive(Clone, Debug, Default)]
pub struct Leaving(Rc<Cell<bool>>);

impl Leaving {
    /// Whether it is so now.
    pub fn is_announced(&self) -> bool {
        self.0.get()
    }

    pub(super) fn announce(&self) {
        self.0.set(true);
    }
}
