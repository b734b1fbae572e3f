//! SIGTERM and SIGINT: what was begun is finished, what waits is closed, and the process ends.

use super::support::client::Broken;
use super::support::process::Process;
use super::support::{Client, fresh_stats, number, wait_until};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn demo(arguments: &[&str]) -> (Process, SocketAddr) {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"].iter().chain(arguments));
    let address = process.listening();
    (process, address)
}

/// Begins a request that the handler cannot finish before more is sent; its answer has begun.
fn begin_echo(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    wait_until("the request is being handled", || {
        number(&fresh_stats(address), "/requests/in_flight") >= 2
    });
    client
}

#[test]
fn what_was_begun_is_finished() {
    for signal in ["TERM", "INT"] {
        let (process, address) = demo(&[]);
        let mut idle = Client::connect(address);
        idle.assert_alive();
        let mut fresh = Client::connect(address);
        let mut chunked = Client::connect(address);
        chunked.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab");
        let mut half = Client::connect(address);
        half.send("GET /half HTTP/1.1\r\nHo");
        let mut unread = Client::connect(address);
        unread.send("POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
        assert_eq!(unread.response().status, 405);
        let mut active = begin_echo(address);
        process.signal(signal);

        // Connections with nothing to do are closed. By then the shutdown is under way.
        idle.assert_closed();
        fresh.assert_closed();
        // Those that have are answered, and closed after that.
        half.send("st: a\r\n\r\n");
        let response = half.response();
        assert_eq!((response.text(), response.closes()), ("Hello, half", true));
        half.assert_closed();
        active.send("56789");
        assert_eq!(active.response().text(), "0123456789");
        active.assert_closed();
        chunked.send("\r\n1\r\nc\r\n0\r\n\r\n");
        assert_eq!(chunked.response().text(), "abc");
        chunked.assert_closed();
        // What its handler left of a body is still taken, and the answer was out before.
        unread.send("56789");
        unread.assert_closed();
        let end = process.end();
        assert_eq!((end.code, end.lines.len()), (Some(0), 0), "{end:?}");
    }
}

/// What new clients met.
#[derive(Debug, Default)]
struct Met {
    answered: AtomicUsize,
    /// Connected, and then not answered whole.
    broken: AtomicUsize,
}

/// Connects and asks, again and again, until nobody listens any more.
fn keep_coming(address: SocketAddr, met: &Met, stopping: &AtomicBool) {
    loop {
        // While it shuts down attempts are dropped: TCP would try again for a minute.
        let patience = match stopping.load(Ordering::Relaxed) {
            true => Duration::from_millis(300),
            false => super::support::PATIENCE,
        };
        let stream = match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => stream,
            Err(error) => {
                let kinds = [ErrorKind::TimedOut, ErrorKind::ConnectionRefused];
                assert!(kinds.contains(&error.kind()), "{error}");
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                continue;
            }
        };
        let mut client = Client::on(stream);
        let sent =
            client.try_send("GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answered = sent.is_ok() && client.try_response(false).is_ok();
        let count = if answered { &met.answered } else { &met.broken };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_request_fails_while_it_shuts_down() {
    for _ in 0..5 {
        let (process, address) = demo(&[]);
        let (met, stopping) = (Met::default(), AtomicBool::new(false));
        let end = std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| keep_coming(address, &met, &stopping));
            }
            wait_until("the load is there", || {
                met.answered.load(Ordering::Relaxed) > 200
            });
            process.signal("TERM");
            stopping.store(true, Ordering::Relaxed);
            process.end()
        });
        assert_eq!(end.code, Some(0), "{end:?}");
        assert_eq!(met.broken.load(Ordering::Relaxed), 0, "{met:?}");
    }
}

#[test]
fn connections_in_the_queue_are_served() {
    // Stopped, it cannot accept: all of these wait in the kernel's queues when it is told to end.
    let (process, address) = demo(&[]);
    process.signal("STOP");
    let mut queued: Vec<_> = (0..200).map(|_| Client::connect(address)).collect();
    for client in &mut queued {
        client.get("/queued");
    }
    process.signal("TERM");
    process.signal("CONT");
    for client in &mut queued {
        assert_eq!(client.response().text(), "Hello, queued");
        client.assert_closed();
    }
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (process, address) = demo(&[]);
    let mut idle = Client::connect(address);
    idle.assert_alive();
    let _active = begin_echo(address);
    process.signal("TERM");
    idle.assert_closed();
    process.signal("TERM");
    let end = process.end();
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(end.lines.len(), 1, "{end:?}");
    assert!(
        end.lines[0].starts_with("corelane: a second signal"),
        "{end:?}"
    );
}

/// Waits until a new connection is told that the server is to be left.
fn await_announcement(address: SocketAddr) {
    wait_until("the shutdown is announced", || {
        let mut client = Client::connect(address);
        client.get("/healthz");
        let response = client.response();
        let told = (response.status, response.text());
        assert!([(200, "serving\n"), (503, "draining\n")].contains(&told));
        response.status == 503
    });
}

/// Tells it again, when that is no more the same signal.
fn signal_again(process: &Process) {
    // As the README says: what comes within 50 ms is one.
    std::thread::sleep(Duration::from_millis(50));
    process.signal("TERM");
}

#[test]
fn an_announced_shutdown_is_served_through() {
    let (process, address) = demo(&["--shutdown-delay", "1h"]);
    let mut kept = Client::connect(address);
    kept.assert_alive();
    process.signal("TERM");
    await_announcement(address);
    for client in [&mut kept, &mut Client::connect(address)] {
        client.get("/late");
        let response = client.response();
        assert_eq!((response.text(), response.closes()), ("Hello, late", false));
        client.assert_alive();
    }
    // Who tells it again does not want to wait.
    let mut active = begin_echo(address);
    signal_again(&process);
    kept.assert_closed();
    active.send("56789");
    assert_eq!(active.response().text(), "0123456789");
    let end = process.end();
    assert_eq!((end.code, end.lines.len()), (Some(0), 0), "{end:?}");
}

#[test]
fn an_announced_shutdown_begins_by_itself() {
    let (process, address) = demo(&["--shutdown-delay", "100ms"]);
    let mut idle = Client::connect(address);
    idle.assert_alive();
    process.signal("TERM");
    idle.assert_closed();
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn a_third_signal_ends_an_announced_shutdown_at_once() {
    let (process, address) = demo(&["--shutdown-delay", "1h"]);
    let mut idle = Client::connect(address);
    idle.assert_alive();
    let _active = begin_echo(address);
    process.signal("TERM");
    await_announcement(address);
    signal_again(&process);
    idle.assert_closed();
    signal_again(&process);
    assert_eq!(process.end().code, Some(1));
}

#[test]
fn signals_that_come_together_are_one() {
    let (process, address) = demo(&[]);
    Client::connect(address).assert_alive();
    // Stopped, it gets both when it goes on, however long it takes to send them.
    process.signal("STOP");
    process.signal("TERM");
    process.signal("INT");
    process.signal("CONT");
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn the_timeout_cuts_off_what_does_not_end() {
    let (process, address) = demo(&["--shutdown-timeout", "300ms"]);
    let mut active = begin_echo(address);
    process.signal("TERM");
    let end = process.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    let [line] = &end.lines[..] else {
        panic!("not one line: {end:?}");
    };
    assert!(line.contains(" WARN corelane::server: "), "{line}");
    assert!(line.contains("raise --shutdown-timeout"), "{line}");
    active
        .try_response(false)
        .expect_err("all of what was cut off");
}

#[test]
fn it_ends_without_ever_having_been_asked_for_anything() {
    let (process, _) = demo(&[]);
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}

#[test]
fn a_large_response_under_way_is_sent_to_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let content = vec![7; 20_000_000];
    std::fs::write(folder.path().join("large.bin"), &content).expect("a file");
    let path = folder.path().to_str().expect("text");
    let mut process = Process::start(["serve", path, "--listen", "127.0.0.1:0"]);
    let address = process.listening();
    let mut idle = Client::connect(address);
    idle.get("/none");
    idle.response();
    let mut reader = Client::connect(address);
    reader.get("/large.bin");
    wait_until("it is being sent", || {
        number(&fresh_stats(address), "/bytes/sent_total") > 100_000
    });
    process.signal("TERM");
    idle.assert_closed();
    assert!(reader.response().body == content);
    assert_eq!(reader.rest(), Broken::Closed(Vec::new()));
    assert_eq!(process.end().code, Some(0));
}
