//! Making a connection, within the time for it. It is then driven by whoever wanted it.

use super::link::Reason;
use super::options::Options;
use crate::app::Time;
use crate::net;
use crate::ring::{Ring, Stream};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use send_wrapper::SendWrapper;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What makes a connection move: it ends when that does.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()>>>;

/// A connection to the server of `options`, let in as `login` says.
pub(super) async fn connect(
    ring: &Ring,
    time: &Time,
    options: &Options,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Driver), Reason> {
    let within = options.connect_timeout;
    let stream = net::connect(ring, &options.address, within).await;
    let stream = OfThisCore(SendWrapper::new(stream.map_err(Reason::Connect)?));
    // Its own timeouts are tokio's: without a runtime of that, they would panic.
    let config = config
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let letting_in = MultiplexedConnection::new_with_config(login, stream, config);
    match time.limit(within, letting_in).await {
        Ok(Ok((connection, driver))) => Ok((connection, Box::pin(driver))),
        Ok(Err(error)) => Err(Reason::Refused(error)),
        Err(_) => Err(Reason::Silent),
    }
}

/// A stream in the hands of a crate that asks for `Send`, and never leaves the task that it is in.
struct OfThisCore(SendWrapper<Stream>);

impl AsyncRead for OfThisCore {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for OfThisCore {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut *self.0), cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut *self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut *self.0), cx)
    }
}
