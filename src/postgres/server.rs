//! The server, as the pool sees it: making connections, driving them, and their orderly end.
//!
//! Each connection has a task that drives it, and that outlives its being lent: whoever discards a
//! session leaves its place in the pool with the task, which gives it back when it has ended.

use super::options::Options;
use super::session::Session;
use super::status::{Messages, Status};
use crate::app::Time;
use crate::flag::Flag;
use crate::log;
use crate::net::{self, Address};
use crate::pool::{Manager, Place};
use crate::ring::Ring;
use futures_lite::FutureExt;
use futures_lite::future::{or, zip};
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::NoTlsStream;
use tokio_postgres::{CancelToken, Connection, NoTls};
use tokio_util::io::InspectReader;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A database, and how its core reaches it.
#[derive(Debug)]
pub(crate) struct Server {
    ring: Ring,
    time: Time,
    options: Options,
}

/// What a session and the task that drives its connection know of each other.
#[derive(Default)]
pub(super) struct Link {
    /// The session will not be used again.
    discarded: Flag,
    ended: Flag,
    pub(super) status: Status,
    farewell: RefCell<Farewell>,
}

/// What the task has still to do for a session that was discarded.
#[derive(Default)]
struct Farewell {
    /// Kept, for the pool, until the connection has ended.
    _place: Option<Place>,
    /// A query is still being done.
    cancel: Option<CancelToken>,
}

/// How to reach the server of one connection once more.
struct Way {
    ring: Ring,
    time: Time,
    address: Address,
    within: Duration,
}

impl Server {
    pub(super) fn new(ring: Ring, time: Time, options: Options) -> Server {
        Server {
            ring,
            time,
            options,
        }
    }

    async fn connect_to(&self, address: Address) -> Result<Session, BoxError> {
        let within = self.options.connect_timeout;
        let stream = net::connect(&self.ring, &address, within).await?;
        let link = Rc::new(Link::default());
        let (told, mut messages) = (Rc::clone(&link), Messages::default());
        let stream = InspectReader::new(stream, move |bytes: &[u8]| {
            told.status.told(messages.follow(bytes));
        });
        // Its own connect timeout is for its own way of connecting.
        let letting_in = self.options.config.connect_raw(stream, NoTls);
        let (client, connection) = self.time.limit(within, letting_in).await??;
        let way = Way {
            ring: self.ring.clone(),
            time: self.time.clone(),
            address,
            within,
        };
        glommio::spawn_local(drive(connection, Rc::clone(&link), way)).detach();
        let (time, query_timeout) = (self.time.clone(), self.options.query_timeout);
        Ok(Session::new(client, link, time, query_timeout))
    }
}

impl Manager for Server {
    type Connection = Session;

    async fn connect(&self) -> Result<Session, BoxError> {
        let mut outcome = Err("there is no host".into());
        for address in self.options.addresses() {
            outcome = self.connect_to(address).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn is_fit(&self, session: &Session) -> bool {
        session.is_fit()
    }

    async fn check(&self, session: &Session) -> bool {
        session.batch("").await.is_ok()
    }

    fn discard(&self, session: Session, place: Place) {
        let (link, cancel) = session.into_link();
        if !link.ended.is_raised() {
            link.farewell.replace(Farewell {
                _place: Some(place),
                cancel,
            });
            link.discarded.raise();
        }
    }
}

/// Drives a connection until it ends, and for no longer than it takes to end once its session was
/// discarded.
async fn drive<S>(connection: Connection<S, NoTlsStream>, link: Rc<Link>, way: Way)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let driving = async {
        let is_over = Cell::new(false);
        let mut connection = pin!(async {
            // How it fails, its session's queries tell.
            drop(connection.await);
            is_over.set(true);
        });
        or(connection.as_mut(), link.discarded.wait()).await;
        if !is_over.get() {
            let cancel = link.farewell.borrow_mut().cancel.take();
            let canceling = async {
                if let Some(token) = cancel {
                    way.cancel(token).await;
                }
            };
            // Past its time it is dropped, which closes the socket.
            let _ = way.time.limit(way.within, zip(connection, canceling)).await;
        }
    };
    if let Err(payload) = AssertUnwindSafe(driving).catch_unwind().await {
        log::connection_panicked("PostgreSQL", &*payload);
    }
    link.ended.raise();
    drop(link.farewell.take());
}

impl Way {
    /// Asks the server to stop what the connection is doing. It may be done already, and it may be
    /// that nobody hears: the connection is closed either way.
    async fn cancel(&self, token: CancelToken) {
        if let Ok(stream) = net::connect(&self.ring, &self.address, self.within).await {
            let _ = token.cancel_query_raw(stream, NoTls).await;
        }
    }
}
