//! Peers that leave, over sockets: the kernel tells, and what was made for them is dropped.

use super::app::{Served, pattern};
use super::support::client::Broken;
use super::support::{Client, fresh_stats, number, wait_until};
use corelane::app::{Sse, finish_after_disconnect};
use corelane::{App, Request};
use futures_lite::{StreamExt, stream};
use socket2::SockRef;
use std::future::pending;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Tells the test when it is dropped.
struct Held(Sender<()>);

impl Drop for Held {
    fn drop(&mut self) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

/// Handlers that wait for ever and hold something, and who is told when they are dropped.
fn waiting() -> (Served, Receiver<()>) {
    let (sender, receiver) = channel();
    let served = Served::with(move |_| {
        let (never, events) = (sender.clone(), sender.clone());
        App::new()
            .any("/never", move |_: Request| {
                let held = Held(never.clone());
                async move {
                    let _held = held;
                    pending::<&str>().await
                }
            })
            .get("/events", move |_: Request| {
                let held = Held(events.clone());
                let silence = stream::pending().map(move |event| {
                    let _held = &held;
                    event
                });
                async { Sse::new(silence) }
            })
    });
    (served, receiver)
}

/// Ends a connection in a reset.
fn reset(client: Client) {
    let socket = SockRef::from(&client.stream);
    socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
}

/// Waits until a handler has been called: a reset before that takes the request with it.
fn wait_until_asked(served: &Served) {
    wait_until("it is asked", || {
        number(&fresh_stats(served.address), "/requests/in_flight") == 2
    });
}

/// Makes sure that one more was dropped, and that only the connection that asks is left.
fn assert_dropped(served: &Served, dropped: &Receiver<()>) {
    let patience = super::support::PATIENCE;
    dropped.recv_timeout(patience).expect("it is dropped");
    wait_until("only the connection that asks is left", || {
        number(&fresh_stats(served.address), "/connections/active") == 1
    });
    let stats = fresh_stats(served.address);
    assert_eq!(number(&stats, "/requests/in_flight"), 1, "{stats}");
}

#[test]
fn a_peer_that_leaves_has_what_waits_for_it_dropped() {
    let (served, dropped) = waiting();
    let ways: [fn(Client); 2] = [drop, reset];
    for path in ["/never", "/events"] {
        for leave in ways {
            let mut client = Client::connect(served.address);
            client.get(path);
            if path == "/events" {
                client.exactly(10).expect("the head");
            }
            wait_until_asked(&served);
            leave(client);
            assert_dropped(&served, &dropped);
        }
    }
    let stats = fresh_stats(served.address);
    let closed = |reason: &str| number(&stats["connections"]["closed"], reason);
    assert_eq!(
        (closed("/peer_aborted"), closed("/failed")),
        (4, 0),
        "{stats}"
    );
}

#[test]
fn a_reset_is_the_peers_doing() {
    let served = Served::new();
    let mut idle = Client::connect(served.address);
    idle.assert_alive();
    reset(idle);
    let mut in_a_head = Client::connect(served.address);
    in_a_head.assert_alive();
    in_a_head.send("GET / HT");
    reset(in_a_head);
    let mut sending = Client::connect(served.address);
    sending.get("/stream/100000000");
    sending.exactly(10).expect("the head");
    reset(sending);
    wait_until("only the connection that asks is left", || {
        number(&fresh_stats(served.address), "/connections/active") == 1
    });
    let stats = fresh_stats(served.address);
    let closed = &stats["connections"]["closed"];
    assert_eq!(number(closed, "/peer_aborted"), 3, "{stats}");
    assert_eq!(number(closed, "/failed"), 0, "{stats}");
}

#[test]
fn one_that_closed_its_side_alone_reads_the_end() {
    let (served, dropped) = waiting();
    let mut client = Client::connect(served.address);
    client.get("/never");
    client.finish_sending();
    assert_eq!(client.rest(), Broken::Closed(Vec::new()));
    assert_dropped(&served, &dropped);
}

#[test]
fn bytes_that_nobody_reads_hide_no_end() {
    let (served, dropped) = waiting();
    // More than the server has to receive ahead, and less than the kernel has room for.
    let content = pattern(60_000);
    for leave in [drop as fn(Client), reset] {
        let mut client = Client::connect(served.address);
        let head = "POST /never HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
        client.send([head.as_bytes(), &content].concat());
        wait_until_asked(&served);
        leave(client);
        assert_dropped(&served, &dropped);
    }
}

#[test]
fn who_reads_on_another_task_is_still_told_of_what_comes() {
    let served = Served::with(|_| {
        App::new().post("/", |request: Request| {
            let mut body = request.into_body();
            let reading = glommio::spawn_local(async move {
                let mut bytes = 0;
                while let Some(Ok(piece)) = body.next().await {
                    bytes += piece.len();
                }
                bytes
            });
            async { reading.await.to_string() }
        })
    });
    for pieces in [1, 20] {
        let mut client = Client::connect(served.address);
        let length = pieces * 1000;
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        for _ in 0..pieces {
            client.send(pattern(1000));
            // The server has taken it before the next is sent.
            fresh_stats(served.address);
        }
        assert_eq!(client.response().text(), length.to_string());
    }
}

#[test]
fn what_is_to_finish_goes_to_one_that_reads_on() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("large"), pattern(3_000_000)).expect("a file");
    let path = folder.path().to_owned();
    let served = Served::with(move |_| {
        let later = async |_: Request| {
            glommio::timer::sleep(Duration::from_millis(20)).await;
            "at last"
        };
        App::new()
            .get("/later", finish_after_disconnect(later))
            .files("/files", &path)
    });
    let mut client = Client::connect(served.address);
    client.get("/later");
    client.finish_sending();
    assert_eq!(client.response().text(), "at last");
    client.assert_closed();
    // Files wait for the disk alone.
    let mut client = Client::connect(served.address);
    client.get("/files/large");
    client.get("/files/large");
    client.finish_sending();
    for _ in 0..2 {
        assert!(client.response().body == pattern(3_000_000));
    }
    client.assert_closed();
}
