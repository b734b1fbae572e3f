//! One peer's haste or sloth is nobody else's: turns among connections, and no buffering for a peer
//! that does not read.

use crate::app::{Served, app, pattern};
use crate::support::Client;
use corelane::Server;
use corelane::cores::CoreSelection;
use socket2::{Domain, Socket, Type};
use std::cell::Cell;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::{Arc, Barrier};

/// Requests of the one that pipelines.
const MANY: usize = 10_000;
/// So many of them as the kernel surely takes while nobody reads.
const AT_ONCE: usize = 1_000;

#[test]
fn a_peer_that_pipelines_does_not_starve_others() {
    // The first barrier is met when the core is held up, the second when it may go on.
    let (held, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let barriers = (Arc::clone(&held), Arc::clone(&released));
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let served = Served::on(server, move |shard| {
        let ticks = Rc::new(Cell::new(0_usize));
        let told = Rc::clone(&ticks);
        let barriers = barriers.clone();
        app(shard)
            .get("/tick", move |_| {
                ticks.set(ticks.get() + 1);
                async { "tick" }
            })
            .get("/ticks", move |_| {
                let ticks = told.get();
                async move { ticks.to_string() }
            })
            .get("/hold", move |_| {
                barriers.0.wait();
                barriers.1.wait();
                async { "held" }
            })
    });
    let mut holder = Client::connect(served.address);
    let mut other = Client::connect(served.address);
    let mut hasty = Client::connect(served.address);
    for client in [&mut other, &mut hasty] {
        client.assert_alive();
    }

    // While the core is held up, both ask: the one for everything at once, the other for little.
    holder.get("/hold");
    held.wait();
    let requests = |count| "GET /tick HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count);
    hasty.send(requests(AT_ONCE));
    other.get("/ticks");
    released.wait();
    let mut sender = Client::on(hasty.stream.try_clone().expect("a second handle"));
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(requests(MANY - AT_ONCE)));
        scope.spawn(move || {
            for _ in 0..MANY {
                assert_eq!(hasty.response().text(), "tick");
            }
        });
        let before: usize = other.response().text().parse().expect("a number");
        assert!(before < AT_ONCE / 2, "{before} were answered first");
    });
    other.get("/ticks");
    assert_eq!(other.response().text(), MANY.to_string());
}

#[test]
fn a_peer_that_does_not_read_is_not_buffered_for() {
    /// Of 10 kB each: far more than the kernel keeps for a peer, whatever its settings.
    const RESPONSES: usize = 20_000;
    /// No more than that, but room for some of the largest packets that loopback has: with less, the kernel tells
    /// the sender of room only when it probes, up to two minutes later.
    const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
    let server = Server::bind("127.0.0.1:0").cores(CoreSelection::Count(NonZeroUsize::MIN));
    let served = Served::on(server, |shard| {
        let made = Rc::new(Cell::new(0_usize));
        let told = Rc::clone(&made);
        app(shard)
            .get("/make", move |_| {
                made.set(made.get() + 1);
                async { pattern(10_000) }
            })
            .get("/made", move |_| {
                let made = told.get();
                async move { made.to_string() }
            })
    });
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
        .expect("SO_RCVBUF");
    socket
        .connect(&served.address.into())
        .expect("a connection");
    let mut deaf = Client::on(socket.into());
    let mut asking = Client::connect(served.address);
    std::thread::scope(|scope| {
        let mut sender = Client::on(deaf.stream.try_clone().expect("a second handle"));
        let requests = "GET /make HTTP/1.1\r\nHost: a\r\n\r\n".repeat(RESPONSES);
        scope.spawn(move || drop(sender.try_send(requests)));
        // It has stopped when it made none while it answered another peer a hundred times.
        let (mut made, mut unchanged) = (0, 0);
        while made == 0 || unchanged < 100 {
            asking.get("/made");
            let now: usize = asking.response().text().parse().expect("a number");
            unchanged = if now == made { unchanged + 1 } else { 0 };
            made = now;
        }
        assert!(
            made < RESPONSES / 2,
            "{made} responses were made for nobody"
        );
        // They are there when they are wanted.
        for _ in 0..10 {
            assert!(deaf.response().body == pattern(10_000));
        }
        drop(deaf.stream.shutdown(Shutdown::Both));
    });
    asking.assert_alive();
}
