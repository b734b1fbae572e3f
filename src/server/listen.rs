//! Binding: for each address one listening socket per shard, all in one SO_REUSEPORT group.

use crate::failure::Failure;
use crate::limits::{ACCEPT_BACKLOG, PEER_PROBE_INTERVAL, PEER_PROBES, PEER_SILENCE};
use crate::preflight;
use socket2::{Domain, SockFilter, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The listening sockets of a server. They belong to the supervisor and are lent to shards.
#[derive(Debug)]
pub(super) struct Listening {
    /// The addresses, with the ports that were picked.
    pub(super) addresses: Vec<SocketAddr>,
    /// For each shard, one socket for each address.
    pub(super) by_shard: Vec<Vec<Arc<OwnedFd>>>,
}

impl Listening {
    /// Binds every address once for each shard, in the order of the shards.
    pub(super) fn bind(addresses: &[SocketAddr], shards: usize) -> Result<Self, Failure> {
        let mut bound = Vec::new();
        let mut by_shard = vec![Vec::new(); shards];
        for address in addresses {
            let failed = |error: io::Error| preflight::listen_error(*address, &error);
            let mut address = claim(*address).map_err(failed)?;
            for sockets in &mut by_shard {
                let socket = listener(address).map_err(failed)?;
                if address.port() == 0 {
                    address = local_address(&socket).map_err(failed)?;
                }
                sockets.push(Arc::new(socket.into()));
            }
            bound.push(address);
        }
        Ok(Self {
            addresses: bound,
            by_shard,
        })
    }

    /// Drops connection attempts from now on, so that the queues can be emptied for good. The
    /// peers try again by themselves (TCP sends a SYN again after a second) and meet whoever
    /// listens then.
    pub(super) fn refuse_new(&self) {
        // A filter that cannot be set leaves the drain with what it can do.
        for socket in self.by_shard.iter().flatten() {
            let _ = SockRef::from(&**socket).attach_filter(&NO_SYN);
        }
    }
}

/// Classic BPF over a TCP segment from its header on: flags are octet 13 (RFC 9293 §3.1); a
/// segment with SYN and without ACK is dropped, any other is taken whole.
const NO_SYN: [SockFilter; 5] = [
    SockFilter::new(0x30, 0, 0, 13),       // A = octet 13
    SockFilter::new(0x54, 0, 0, 0x12),     // A &= SYN | ACK
    SockFilter::new(0x15, 0, 1, 0x02),     // if A == SYN, next, else skip one
    SockFilter::new(0x06, 0, 0, 0),        // drop
    SockFilter::new(0x06, 0, 0, u32::MAX), // take
];

/// Makes sure that nobody else listens on `address`: SO_REUSEPORT would let a second server of
/// the same user share it unnoticed. Returns the address, its port picked if it was 0.
fn claim(address: SocketAddr) -> io::Result<SocketAddr> {
    if address.port() == 0 {
        return Ok(address);
    }
    // Without SO_REUSEPORT this fails if anybody is bound there with it.
    let probe = socket(address)?;
    probe.bind(&address.into())?;
    probe.listen(1)?;
    Ok(address)
}

fn listener(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    // Accepted connections inherit both.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&probes())?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Ok(socket)
}

/// How the kernel finds out that a peer is gone without a word.
fn probes() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(PEER_SILENCE)
        .with_interval(PEER_PROBE_INTERVAL)
        .with_retries(PEER_PROBES)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address
        .as_socket()
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn every_shard_gets_a_socket_on_the_same_port() {
        let listening = Listening::bind(&[loopback(), "[::1]:0".parse().unwrap()], 3).unwrap();
        assert_eq!(listening.by_shard.len(), 3);
        for sockets in &listening.by_shard {
            let addresses: Vec<_> = sockets
                .iter()
                .map(|socket| {
                    SockRef::from(&**socket)
                        .local_addr()
                        .unwrap()
                        .as_socket()
                        .unwrap()
                })
                .collect();
            assert_eq!(addresses, listening.addresses);
        }
    }

    #[test]
    fn the_kernel_asks_after_silent_peers() {
        let listening = Listening::bind(&[loopback()], 1).unwrap();
        let _peer = TcpStream::connect(listening.addresses[0]).unwrap();
        let (accepted, _) = SockRef::from(&*listening.by_shard[0][0]).accept().unwrap();
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), PEER_SILENCE);
        assert_eq!(
            accepted.tcp_keepalive_interval().unwrap(),
            PEER_PROBE_INTERVAL
        );
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), PEER_PROBES);
    }

    #[test]
    fn an_address_in_use_is_refused_with_and_without_reuse() {
        let plain = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
        let held = TcpListener::bind(plain).unwrap();
        let ours = Listening::bind(&[loopback()], 1).unwrap();
        for address in [held.local_addr().unwrap(), ours.addresses[0]] {
            let failure = Listening::bind(&[address], 2).unwrap_err();
            assert_eq!(failure.what(), format!("{address} is in use"));
        }
    }

    #[test]
    fn refusing_new_connections_keeps_the_queued_ones() {
        let listening = Listening::bind(&[loopback()], 1).unwrap();
        let address = listening.addresses[0];
        let queued = TcpStream::connect(address).unwrap();
        listening.refuse_new();
        let late = TcpStream::connect_timeout(&address, std::time::Duration::from_millis(50));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (_, peer) = SockRef::from(&*listening.by_shard[0][0]).accept().unwrap();
        assert_eq!(peer.as_socket(), queued.local_addr().ok());
    }
}
