//! Connecting to real sockets on loopback.

use super::*;
use crate::ring::{RingOptions, run};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

/// Longer than anything here takes, unless it is stuck.
const PATIENCE: Duration = Duration::from_secs(40);

fn with_ring<F>(test: impl FnOnce(Ring) -> F)
where
    F: Future<Output = ()> + 'static,
{
    run(None, RingOptions::default(), test).unwrap();
}

/// Sends back in upper case what one connection sends.
fn shout(mut stream: impl Read + Write) {
    let mut word = [0; 5];
    stream.read_exact(&mut word).unwrap();
    stream.write_all(&word.to_ascii_uppercase()).unwrap();
}

async fn hello(ring: &Ring, to: &Address) {
    let mut stream = connect(ring, to, PATIENCE).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "HELLO");
}

#[test]
fn by_address_and_by_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            shout(listener.accept().unwrap().0);
        }
    });
    with_ring(move |ring| async move {
        hello(&ring, &Address::tcp("127.0.0.1", port)).await;
        // It may lead to ::1 first, where nobody listens: the next address is tried.
        hello(&ring, &Address::tcp("localhost", port)).await;
    });
    server.join().unwrap();
}

#[test]
fn by_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || shout(listener.accept().unwrap().0));
    with_ring(|ring| async move { hello(&ring, &Address::unix(path)).await });
    server.join().unwrap();
}

#[test]
fn what_cannot_be_reached_is_told_by_kind() {
    // Bound, so that nobody else listens there, and not listening.
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    bound.bind(&any.into()).unwrap();
    let port = bound.local_addr().unwrap().as_socket().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let cases = [
        (
            Address::tcp("127.0.0.1", port),
            ErrorKind::ConnectionRefused,
        ),
        (
            Address::tcp("localhost", port),
            ErrorKind::ConnectionRefused,
        ),
        (Address::unix(stale), ErrorKind::ConnectionRefused),
        (
            Address::unix(folder.path().join("none")),
            ErrorKind::NotFound,
        ),
        (
            Address::unix("/".to_owned() + &"x".repeat(107)),
            ErrorKind::InvalidInput,
        ),
    ];
    with_ring(|ring| async move {
        for (to, kind) in cases {
            let error = connect(&ring, &to, PATIENCE).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{error:?}");
            assert_eq!(error.to_string(), format!("no connection to {to}"));
        }
        // Refused by the C library itself, whatever the machine's network is like.
        let label = "x".repeat(64);
        let error = connect(&ring, &Address::tcp(&label, 1), PATIENCE).await;
        let error = error.unwrap_err();
        assert!(matches!(error, ConnectError::Name { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("no address for the name {label}")
        );
    });
}

#[test]
fn a_listener_that_takes_nobody_is_waited_for_no_longer_than_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let within = Duration::from_millis(1);
    with_ring(move |ring| async move {
        let to = Address::unix(path);
        // A queue of one place.
        let _queued = connect(&ring, &to, PATIENCE).await.unwrap();
        let error = connect(&ring, &to, within).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
        drop(listener);
    });
}
