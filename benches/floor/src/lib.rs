//! What the two floor servers share: the listening socket and the answers. How bytes move, which is
//! all that they differ in, is in `bin/`.
//!
//! The floor answers correctly and does nothing else: no routes to configure, no limits, no
//! statistics, a `Date` that stands still. It is what the kernel and the parser cost.

pub mod answer;
pub mod buffers;

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; above every case's number of connections.
const BACKLOG: i32 = 1024;

/// The output that may wait for a peer that does not read, in bytes; beyond it the peer is dropped.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// Listens where the command line says (`--listen ADDR:PORT`), non-blocking.
///
/// # Errors
/// What is wrong with the arguments or the address.
pub fn listen_from_args() -> io::Result<TcpListener> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, address] = args.as_slice() else {
        return Err(io::Error::other("usage: --listen ADDR:PORT"));
    };
    if name != "--listen" {
        return Err(io::Error::other(format!("unknown argument {name}")));
    }
    listen(address.parse().map_err(io::Error::other)?)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit it, which saves a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
