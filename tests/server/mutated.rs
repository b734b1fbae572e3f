//! Mutated messages over real sockets: every answer must be about the request at its place, and
//! the server must be well afterwards.
//!
//! `FUZZ_SOCKETS` sets how many are sent, `FUZZ_SEED` where the random numbers start. A long run:
//! `FUZZ_SOCKETS=200000 cargo test --release --test server mutated`.

use super::app::Served;
use super::support::mutate::Mutator;
use super::support::seeds::CONNECTIONS;
use super::support::transcript::{Transcript, app};
use super::support::{PATIENCE, fresh_stats, number, setting};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Messages that are sent if `FUZZ_SOCKETS` is not set.
const MESSAGES: u64 = 2_000;

/// Longest message, in bytes.
const MESSAGE_BYTES: usize = 4096;

/// Connections from one address before the next is taken: a closed one keeps its port for a minute.
const PER_ADDRESS: u64 = 1_000;

#[test]
fn mutated_messages_get_the_answers_that_they_must() {
    let served = Served::with(|_| app());
    let messages = setting("FUZZ_SOCKETS").unwrap_or(MESSAGES);
    // The first octet of these seeds chooses a delivery, of which there is one here.
    let seeds: Vec<_> = CONNECTIONS.iter().map(|seed| &seed[1..]).collect();
    let mut mutator = Mutator::new(setting("FUZZ_SEED").unwrap_or(1), &seeds);
    let mut message = Vec::new();
    for index in 0..messages {
        mutator.mutate(&mut message);
        message.truncate(MESSAGE_BYTES);
        let from = Ipv4Addr::from(0x7f00_0101 + (index / PER_ADDRESS % 0xfe00) as u32);
        let sent = talk(from, served.address, &message);
        let held = catch_unwind(AssertUnwindSafe(|| {
            Transcript::of(&message).check_closed(&sent);
        }));
        if let Err(panic) = held {
            eprintln!("the message was b\"{}\"", message.escape_ascii());
            resume_unwind(panic);
        }
    }
    let stats = fresh_stats(served.address);
    assert_eq!(number(&stats, "/connections/accepted_total"), messages + 1);
    assert_eq!(number(&stats, "/connections/closed/failed"), 0, "{stats}");
    for (code, _) in stats["status"]["codes"].as_object().expect("an object") {
        // These two say what is not implemented; every other of its class would be a failure.
        assert!(
            !code.starts_with('5') || ["501", "505"].contains(&&**code),
            "{stats}"
        );
    }
}

/// Sends `message` to `address`, closes that side, and returns everything that comes back.
fn talk(from: Ipv4Addr, address: SocketAddr, message: &[u8]) -> Vec<u8> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::from((from, 0)).into())
        .expect("an address of loopback");
    socket.connect(&address.into()).expect("a connection");
    socket.set_tcp_nodelay(true).expect("an option");
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(message).expect("room for a message");
    stream
        .shutdown(Shutdown::Write)
        .expect("an open connection");
    let mut sent = Vec::new();
    stream
        .read_to_end(&mut sent)
        .expect("the end of the connection");
    sent
}
