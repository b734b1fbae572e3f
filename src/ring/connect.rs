//! Connecting to others. The address that the kernel reads is the operation's, so a connect that is
//! given up leaves neither memory in use nor a descriptor: it is cancelled, and then closed.

use super::op::Payload;
use super::stream::{Stream, check};
use super::{Deadline, Ring};
use crate::limits::QUEUE_PAUSE;
use io_uring::opcode;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

impl Stream {
    /// Connects to `address`, with TCP_NODELAY set.
    ///
    /// # Errors
    /// What `socket(2)` and `connect(2)` answer. There is no deadline but the kernel's; race the
    /// future against a [`Deadline`] and drop it to give up.
    pub async fn connect(ring: &Ring, address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_tcp_nodelay(true)?;
        let stream = Self::adopt(ring, socket.into(), false);
        let payload = Payload::Connect(vec![address.into()]);
        let (result, _) = stream
            .operate(payload, |fd, payload| {
                let Payload::Connect(address) = payload else {
                    unreachable!("made above")
                };
                opcode::Connect::new(fd, address[0].as_ptr().cast(), address[0].len()).build()
            })
            .await;
        check(result).map(|_| stream)
    }

    /// Connects to the stream socket that is bound to `path`. While the listener's queue is full it
    /// is asked again every 100 ms, for ever: race the future against a [`Deadline`].
    ///
    /// # Errors
    /// What `socket(2)` and `connect(2)` answer: ENOENT where there is no socket, ECONNREFUSED where
    /// nobody listens; `InvalidInput` for a path of more than 107 bytes, or with a NUL in it.
    pub async fn connect_unix(ring: &Ring, path: &Path) -> io::Result<Self> {
        // There is nothing to wait for but a place in the queue. The kernel's ring cannot be told to
        // stop waiting for one: it tries again and again, and a cancellation in between is lost.
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let pause = Deadline::new(ring);
        loop {
            match socket.connect(&address) {
                Ok(()) => return Ok(Self::new(ring, socket.into())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    pause.arm(QUEUE_PAUSE);
                    pause.passed().await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
