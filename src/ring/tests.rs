//! The ring against real sockets on loopback.

use super::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// Runs `test` in an executor of its own with a listener on a free port.
fn with_listener<F>(test: impl FnOnce(Ring, Listener, SocketAddr) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    run(None, RingOptions::default(), |ring| {
        let listener = Listener::new(&ring, Arc::new(socket.into()), MULTISHOT_CREDIT);
        test(ring, listener, address)
    })
    .unwrap();
}

#[test]
fn echoes() {
    with_listener(|_ring, listener, address| async move {
        let client = std::thread::spawn(move || {
            let mut socket = TcpStream::connect(address).unwrap();
            for round in 0..1000_u32 {
                socket.write_all(&round.to_be_bytes()).unwrap();
                let mut answer = [0; 4];
                socket.read_exact(&mut answer).unwrap();
                assert_eq!(answer, round.to_be_bytes());
            }
        });
        let stream = listener.accept().await.unwrap();
        while let Some(lease) = stream.receive().await.unwrap() {
            stream.send_all(lease.to_vec().into()).await.unwrap();
        }
        client.join().unwrap();
    });
}
