//! Peers that send garbage, that never finish and that never read must hurt nobody else.

use super::app::{Served, app};
use super::support::{Client, assert_adds_up, fresh_stats, number, wait_until};
use corelane::Request;
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const BAD: usize = 1_000;
const GOOD: usize = 64;
const LARGE: usize = 10 * 1024 * 1024;

/// The `n`th connection that means no good.
fn bad(address: SocketAddr, n: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(1).expect("SO_RCVBUF");
    socket.connect(&address.into()).expect("a connection");
    let mut client = Client::on(socket.into());
    let garbage = super::app::pattern(300 + n);
    let bytes: &[u8] = match n % 8 {
        0 => &garbage,
        1 => &b"\0".repeat(5_000),
        2 => b"GET / HTTP/1.1\r\nHost: a\r\nNever-fin",
        3 => b"POST /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc",
        4 => b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
        5 => b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
        6 => &b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100),
        _ => b"",
    };
    // A refusal may be out, and the connection gone, before all is sent.
    let _ = client.try_send(bytes);
    client.stream
}

/// Asks and checks on several connections in turn until told to stop, then once more on each.
fn good(address: SocketAddr, connections: usize, stop: &AtomicBool, answered: &AtomicU64) {
    let mut clients: Vec<_> = (0..connections).map(|_| Client::connect(address)).collect();
    let content = super::app::pattern(20_000);
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let echo = [head.as_bytes(), &content].concat();
    let mut last = false;
    for round in 0.. {
        for client in &mut clients {
            client.get(&format!("/{round}"));
            assert_eq!(client.response().text(), format!("Hello, {round}"));
            client.send(&echo);
            assert!(client.response().body == content);
            answered.fetch_add(2, Ordering::Relaxed);
        }
        if last {
            return;
        }
        last = stop.load(Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_bad_connections_leave_sixty_four_good_ones_alone() {
    let served = Served::with(|shard| {
        let large = bytes::Bytes::from(super::app::pattern(LARGE));
        app(shard).get("/large", move |_: Request| {
            let large = large.clone();
            async move { large }
        })
    });
    let address = served.address;
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let bad: Vec<_> = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| good(address, GOOD / 4, &stop, &answered));
        }
        let bad = (0..BAD).map(|n| bad(address, n)).collect();
        // All of them are there at once now, and the good ones go on.
        let during = answered.load(Ordering::Relaxed);
        wait_until("every good connection is answered twice more", || {
            answered.load(Ordering::Relaxed) >= during + 2 * GOOD as u64
        });
        stop.store(true, Ordering::Relaxed);
        bad
    });

    let stats = fresh_stats(address);
    assert_adds_up(&stats);
    drop(bad);
    wait_until("only the connection that asks is left", || {
        number(&fresh_stats(address), "/connections/active") == 1
    });
    let stats = fresh_stats(address);
    assert_adds_up(&stats);
    assert_eq!(number(&stats, "/requests/in_flight"), 1, "{stats}");
    assert_eq!(number(&stats, "/status/5xx"), 0, "{stats}");
    let refused = number(&stats, "/status/codes/400");
    assert!(refused >= 2 * BAD as u64 / 8, "{stats}");
    assert!(
        number(&stats, "/status/codes/200") >= answered.load(Ordering::Relaxed),
        "{stats}"
    );
    Client::connect(address).assert_alive();
}
