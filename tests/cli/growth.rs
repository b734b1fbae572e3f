//! What a long life leaves behind: descriptors, memory, and the bound on connections.

use super::support::process::{CORELANE, Process};
use super::support::{Client, assert_adds_up, fresh_stats, number, outside, scrape, wait_until};
use corelane::limits::{ARCHIVE_DESCRIPTORS, ARCHIVES, RESERVED_DESCRIPTORS};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

fn descriptors(process: &Process) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.id()))
        .expect("its descriptors")
        .count()
}

/// The `n`th of many connections, each of which lives and ends in another way.
fn live(address: SocketAddr, n: usize) {
    let mut client = Client::connect(address);
    let host = "HTTP/1.1\r\nHost: a\r\n";
    match n % 10 {
        0 => client.assert_alive(),
        1 => drop(client),
        2 => {
            client.send(format!("GET / {host}Connection: close\r\n\r\n"));
            client.response();
            client.assert_closed();
        }
        3 => {
            client.send("no request\r\n\r\n");
            assert_eq!(client.response().status, 400);
        }
        4 => client.send("GET / HTTP/1.1\r\nHo"),
        5 => {
            client.send(format!(
                "POST /echo {host}Content-Length: 100000\r\n\r\nabc"
            ));
        }
        6 => {
            // Closed with bytes unread, so the server sees a reset.
            client.send(format!("GET / {host}\r\n").repeat(100));
        }
        7 => {
            client.get("/last");
            client.finish_sending();
            client.response();
            client.assert_closed();
        }
        8 => {
            client.send(format!(
                "POST /json {host}Content-Length: 100000\r\n\r\nabc"
            ));
            assert_eq!(client.response().status, 405);
        }
        _ => {
            client.get("/stats?fresh=1");
            client.response();
        }
    }
}

#[test]
fn descriptors_come_back() {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let address = process.listening();
    (0..20).for_each(|n| live(address, n));
    let quiet = || number(&fresh_stats(address), "/connections/active") == 1;
    wait_until("the first connections are gone", quiet);
    let before = descriptors(&process);
    (0..2_000).for_each(|n| live(address, n));
    wait_until("all connections are gone", quiet);
    assert_adds_up(&fresh_stats(address));
    // The connection that asks, and one of the look before, may be there or not.
    wait_until("all descriptors are back", || {
        descriptors(&process).abs_diff(before) <= 1
    });
}

#[test]
fn memory_stays_flat() {
    const PIPELINED: usize = 1_000;
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let address = process.listening();
    let requests = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n".repeat(PIPELINED);
    let ask = |times: usize| {
        for _ in 0..times {
            let mut client = Client::connect(address);
            client.send(&requests);
            (0..PIPELINED).for_each(|_| drop(client.response()));
        }
    };
    ask(40);
    let before = process.resident_bytes();
    ask(200);
    let after = process.resident_bytes();
    assert!(
        after < before + 8 * 1024 * 1024,
        "from {before} to {after} bytes"
    );
    let mut scraper = Client::connect(address);
    let total = number(&scrape(&mut scraper), "/requests/total");
    assert_eq!(total, 240 * PIPELINED as u64 + scraper.asked);
}

#[test]
fn connections_are_taken_as_far_as_descriptors_go() {
    if !outside::has("prlimit") {
        return;
    }
    const OPEN_FILES: usize = 200;
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--nofile={OPEN_FILES}:{OPEN_FILES}"))
        .args(["--", CORELANE]);
    let mut process =
        Process::spawn(command.args(["demo", "--listen", "127.0.0.1:0", "--cores", "1"]));
    let address = process.listening();
    // One shard and one address: what is reserved for both, and the listening socket.
    let most = OPEN_FILES - 2 * RESERVED_DESCRIPTORS - 1;
    let mut taken: Vec<_> = (0..most).map(|_| Client::connect(address)).collect();
    taken.iter_mut().for_each(Client::assert_alive);

    let mut waiting: Vec<_> = (0..100).map(|_| Client::connect(address)).collect();
    waiting.iter_mut().for_each(|client| client.get("/waiting"));
    taken.iter_mut().for_each(Client::assert_alive);
    let stats = scrape(&mut taken[0]);
    assert_eq!(
        number(&stats, "/connections/active"),
        most as u64,
        "{stats}"
    );
    assert_eq!(
        number(&stats, "/connections/accepted_total"),
        most as u64,
        "{stats}"
    );
    // As one goes the next is served.
    for mut client in waiting {
        drop(taken.pop());
        assert_eq!(client.response().text(), "Hello, waiting");
    }
}

/// The program serving `folder` on one core, with so many open files at most.
fn serve_with(open_files: usize, folder: &Path, options: &[&str]) -> Process {
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--nofile={open_files}:{open_files}"))
        .args(["--", CORELANE, "serve"])
        .arg(folder)
        .args(["--listen", "127.0.0.1:0", "--cores", "1"])
        .args(options);
    Process::spawn(&mut command)
}

#[test]
fn files_above_the_limit_of_their_size_are_sent_without_copies() {
    if !outside::has("prlimit") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), [b'a'; 200_000]).expect("a file");
    let mut command = Command::new("prlimit");
    command
        .args(["--fsize=100000", "--", CORELANE, "serve"])
        .arg(folder.path())
        .args(["--listen", "127.0.0.1:0", "--cores", "1"]);
    let mut process = Process::spawn(&mut command);
    let mut client = Client::connect(process.listening());
    // The first moment of a file is not remembered.
    wait_until("it is remembered", || {
        client.get("/file");
        assert!(client.response().body == [b'a'; 200_000]);
        let stats = scrape(&mut client);
        number(&stats, "/cores/0/file_cache/hits") > 1
    });
    let stats = scrape(&mut client);
    assert!(
        number(&stats, "/cores/0/file_cache/bytes") < 200_000,
        "{stats}"
    );
}

#[test]
fn the_soft_limit_of_descriptors_is_raised_to_the_hard_one() {
    if !outside::has("prlimit") {
        return;
    }
    let mut command = Command::new("prlimit");
    command.args(["--nofile=200:300", "--", CORELANE]);
    let mut process = Process::spawn(command.args(["demo", "--listen", "127.0.0.1:0"]));
    process.listening();
    let limits = fs::read_to_string(format!("/proc/{}/limits", process.id()));
    let limits = limits.expect("its limits");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.expect("it").split_ascii_whitespace().collect();
    assert_eq!(words[3..5], ["300", "300"], "{limits}");
}

#[test]
fn connections_leave_descriptors_for_the_files_that_they_are_sent() {
    if !outside::has("prlimit") {
        return;
    }
    const OPEN_FILES: usize = 300;
    /// More than sockets hold of what nobody reads.
    const MUCH: u64 = 64 << 20;
    // One shard and one address: as many as could be taken if they were sent nothing, and as many as are.
    let all = OPEN_FILES - 2 * RESERVED_DESCRIPTORS - 1;
    let most = all / 2;
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..all {
        let file = fs::File::create(folder.path().join(number.to_string()));
        file.and_then(|file| file.set_len(MUCH)).expect("a file");
        fs::write(folder.path().join(format!("small-{number}")), "small").expect("a file");
    }
    let mut process = serve_with(OPEN_FILES, folder.path(), &[]);
    let address = process.listening();
    let before = descriptors(&process);
    let mut other = Client::connect(address);
    other.get("/small-0");
    assert_eq!(other.response().status, 200);
    // All others are each sent another file, which they do not read.
    let ask = |number| {
        let mut client = Client::connect(address);
        client.get(&format!("/{number}"));
        client
    };
    let mut slow: Vec<_> = (1..all).map(ask).collect();
    let waiting = slow.split_off(most - 1);
    let is_sent = |client: &mut Client| client.exactly(12).expect("a status") == b"HTTP/1.1 200";
    assert!(slow.iter_mut().all(is_sent));
    for number in 1..all {
        other.get(&format!("/small-{number}"));
        assert_eq!(other.response().text(), "small");
    }
    // As they go, others are sent theirs.
    drop(slow);
    for mut client in waiting {
        assert!(is_sent(&mut client));
    }
    drop(other);
    // But for those that are kept open to be sent again.
    let kept = corelane::limits::OPEN_FILES;
    wait_until("all are closed", || descriptors(&process) <= before + kept);
}

#[test]
fn archives_of_many_small_files_leave_descriptors() {
    if !outside::has("prlimit") {
        return;
    }
    // As many connections as there may be archives, and another.
    let open_files = 2 * RESERVED_DESCRIPTORS + ARCHIVE_DESCRIPTORS + 1 + 2 * (ARCHIVES + 1);
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..200 {
        fs::write(folder.path().join(number.to_string()), "").expect("a file");
    }
    let mut process = serve_with(open_files, folder.path(), &["--tar"]);
    let address = process.listening();
    let mut other = Client::connect(address);
    other.get("/0");
    assert_eq!(other.response().status, 200);
    let before = descriptors(&process);
    let mut clients: Vec<_> = (0..ARCHIVES).map(|_| Client::connect(address)).collect();
    for _ in 0..5 {
        for client in &mut clients {
            client.get("/?download=tar");
        }
        other.get("/0");
        assert_eq!(other.response().status, 200);
        for client in &mut clients {
            let response = client.response();
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(response.body.len(), (1 + 200 + 2) * 512);
        }
    }
    drop(clients);
    wait_until("all are closed", || descriptors(&process) <= before);
}
