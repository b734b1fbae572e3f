//! Connecting to other servers, by address, by name, or by the path of a socket, within a time.
//!
//! ```no_run
//! use corelane::{Result, Shard, net};
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use std::time::Duration;
//!
//! /// What the server of the network's time has to say.
//! async fn ask(shard: &Shard) -> Result<String> {
//!     let server = "time.example:13".parse::<net::Address>()?;
//!     let mut stream = net::connect(shard.ring(), &server, Duration::from_secs(2)).await?;
//!     stream.write_all(b"\r\n").await?;
//!     stream.flush().await?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).await?;
//!     Ok(answer)
//! }
//! ```
//!
//! A [`Stream`] is on its core's ring, as the accepted ones are, and has the traits of futures-io;
//! with the feature `tokio-io` those of tokio as well, so that protocols which are written for either
//! run on it. It stays on its core. Only making it has a deadline: what is sent and received later,
//! [`Ring`]'s deadlines or [`Time::limit`](crate::app::Time::limit) bound.
//!
//! Names are looked up by the C library, as the machine is set up to, on the core's thread for
//! blocking calls: a lookup that hangs delays the lookups behind it, each for no longer than its
//! deadline, and nothing else. Nothing is remembered between two lookups. The addresses of a name are
//! tried in the order of the answer, each for its share of the time that is left, so one that swallows
//! what it is sent leaves time for the next.

mod address;

pub use self::address::{Address, AddressError};

use crate::ring::{Deadline, Ring, Stream};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no address, or nobody who knows could be asked.
    #[error("no address for the name {host}")]
    Name {
        /// The name.
        host: String,
        /// What the C library says.
        source: io::Error,
    },
    /// The kernel says why not: nobody listens, no route, no such socket, no descriptors left. Of a
    /// name with many addresses, this is of the last.
    #[error("no connection to {to}")]
    Failed {
        /// Whereto.
        to: Address,
        /// What `socket(2)` or `connect(2)` answered.
        source: io::Error,
    },
    /// It was not there in time.
    #[error("no connection to {to} within {within:?}")]
    TimedOut {
        /// Whereto.
        to: Address,
        /// How long was waited.
        within: Duration,
    },
}

impl ConnectError {
    /// What kind of error it is: `ConnectionRefused`, `TimedOut`, `NotFound` and so on.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Name { source, .. } | Self::Failed { source, .. } => source.kind(),
            Self::TimedOut { .. } => io::ErrorKind::TimedOut,
        }
    }
}

/// Connects to `to` within a time, looking up a name included. The time passes up to 100 ms late, or
/// up to 1 s late if it is longer than 5 s.
///
/// TCP_NODELAY is set.
///
/// # Errors
/// [`ConnectError`]. As an error of a handler, by `?`, it is answered with 500.
pub async fn connect(ring: &Ring, to: &Address, within: Duration) -> Result<Stream, ConnectError> {
    let deadline = Deadline::new(ring);
    deadline.arm(within);
    let end_ns = ring.now_ns().saturating_add(within.as_nanos() as u64);
    let outcome = deadline.limit(connect_until(ring, to, end_ns)).await;
    outcome
        .unwrap_or(Ok(None))?
        .ok_or_else(|| ConnectError::TimedOut {
            to: to.clone(),
            within,
        })
}

/// Connects; `None` when the time has passed.
async fn connect_until(
    ring: &Ring,
    to: &Address,
    end_ns: u64,
) -> Result<Option<Stream>, ConnectError> {
    let failed = |source| ConnectError::Failed {
        to: to.clone(),
        source,
    };
    let addresses = match to {
        Address::Unix(path) => {
            let connected = Stream::connect_unix(ring, path).await;
            return connected.map(Some).map_err(failed);
        }
        Address::Ip(address) => vec![*address],
        Address::Name { host, port } => look_up(host, *port).await?,
    };
    let mut outcome = Ok(None);
    for (tried, address) in addresses.iter().enumerate() {
        let share_ns = end_ns.saturating_sub(ring.now_ns()) / (addresses.len() - tried) as u64;
        let share = Deadline::new(ring);
        share.arm(Duration::from_nanos(share_ns));
        outcome = match share.limit(Stream::connect(ring, *address)).await {
            Ok(Ok(stream)) => return Ok(Some(stream)),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Ok(None),
        };
    }
    outcome
}

/// The addresses of a name, at least one.
async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
    let name = host.to_owned();
    let lookup = move || {
        let found = (name.as_str(), port).to_socket_addrs()?;
        Ok(found.collect::<Vec<_>>())
    };
    let found = glommio::executor().spawn_blocking(lookup).await;
    let found = found.and_then(|addresses| match addresses.is_empty() {
        true => Err(io::ErrorKind::NotFound.into()),
        false => Ok(addresses),
    });
    found.map_err(|source| ConnectError::Name {
        host: host.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
