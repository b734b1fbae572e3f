//! The example `site` as a process, under transfers, event streams and plain requests at once: all of them
//! get on together, and its memory is flat. How fast they are `benches/mixed` measures.

mod support;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use support::process::{Process, example};
use support::{Client, fresh_stats, number, outside, wait_until};

/// Echoes, which go as fast as they can, and downloads, which wait for their reader; of each.
const TRANSFERS: usize = 8;
/// Who follows `/stats`, which has an event a second.
const FOLLOWERS: usize = 24;
/// Connections for plain requests, and how many requests each sends between two events.
const PLAIN: usize = 8;
const REQUESTS: usize = 50;
/// Events that each follower waits for.
const EVENTS: usize = 2;
/// Times that all of them come and go. The first two make what the others find.
const WAVES: usize = 4;

/// What an echo sends before it reads as much, in bytes.
const PIECE: usize = 64 * 1024;
/// More than any transfer gets through, so that none has ended before it is broken off.
const ENDLESS: u64 = 1 << 40;
/// What is downloaded. It takes no room on the disk.
const FILE_BYTES: u64 = 1 << 30;

/// How much more memory the last wave may leave than the second, in bytes: half of what it would be, had
/// each transfer left one piece. What is left besides is the allocator's, in parts: up to 0.4 MB.
const MOST_GROWTH: u64 = ((WAVES - 2) * 2 * TRANSFERS * PIECE / 2) as u64;

/// An event stream, of which the head was read.
struct Follower(Client);

impl Follower {
    fn start(address: SocketAddr) -> Follower {
        let mut client = Client::connect(address);
        client.get("/stats?format=sse");
        let head = client.head_response();
        assert_eq!(
            head.field("content-type"),
            Some("text/event-stream"),
            "{head:?}"
        );
        Follower(client)
    }

    /// Reads the next event to its end.
    fn event(&mut self) {
        let mut event = Vec::new();
        while !event.ends_with(b"\n\n") {
            let piece = self.0.chunk().expect("an event");
            assert!(!piece.is_empty(), "the events ended");
            event.extend(piece);
        }
        let text = String::from_utf8_lossy(&event);
        assert!(text.contains("data: "), "{text}");
    }
}

/// Has content echoed until `is_over`, and counts in `echoed` what came back.
fn echo(address: SocketAddr, is_over: &AtomicBool, echoed: &AtomicU64) {
    let mut client = Client::connect(address);
    client.send(format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {ENDLESS}\r\n\r\n"
    ));
    let mut has_head = false;
    let mut piece = vec![b'x'; PIECE];
    while !is_over.load(Ordering::Relaxed) {
        client.send(&piece);
        if !has_head {
            assert_eq!(client.head_response().status, 200);
            has_head = true;
        }
        piece = client.exactly(PIECE).expect("the echo");
        assert!(piece.iter().all(|&byte| byte == b'x'));
        echoed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Everything at once.
fn wave(address: SocketAddr) {
    let counts: Vec<_> = (0..TRANSFERS).map(|_| AtomicU64::new(0)).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = Over(&is_over);
        for count in &counts {
            let is_over = &is_over;
            scope.spawn(move || echo(address, is_over, count));
        }
        let mut downloads: Vec<_> = (0..TRANSFERS)
            .map(|_| {
                let mut client = Client::connect(address);
                client.get("/large");
                assert_eq!(client.head_response().status, 200);
                client
            })
            .collect();
        let mut followers: Vec<_> = (0..FOLLOWERS).map(|_| Follower::start(address)).collect();
        let mut plain: Vec<_> = (0..PLAIN).map(|_| Client::connect(address)).collect();
        for _ in 0..EVENTS {
            followers.iter_mut().for_each(Follower::event);
            let before: Vec<_> = counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect();
            for _ in 0..REQUESTS {
                for client in &mut plain {
                    client.get("/small");
                    assert_eq!(client.response().text(), "small");
                }
            }
            for client in &mut downloads {
                let piece = client.exactly(4 * PIECE).expect("more of the file");
                assert!(piece.iter().all(|&byte| byte == 0));
            }
            wait_until("every echo has got on", || {
                let mut counts = counts.iter().zip(&before);
                counts.all(|(count, before)| count.load(Ordering::Relaxed) > *before)
            });
        }
        drop(over);
    });
}

/// Ends the echoes, though a test may fail meanwhile.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn all_get_on_together_and_memory_is_flat() {
    let Some(site) = example("site") else {
        return;
    };
    if !outside::has("taskset") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small"), "small").unwrap();
    let large = File::create(folder.path().join("large")).unwrap();
    large.set_len(FILE_BYTES).unwrap();
    // One core, so that each wave finds what the one before had made.
    let cpu = core_affinity::get_core_ids().expect("the CPUs")[0].id;
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string()]).arg(site);
    command.arg(folder.path()).args(["--listen", "127.0.0.1:0"]);
    let mut process = Process::spawn(&mut command);
    let address = process.listening();
    assert_eq!(process.shards().len(), 1);
    let mut left = [0; WAVES];
    for left in &mut left {
        wave(address);
        // Whoever asks is the one.
        let is_quiet = || number(&fresh_stats(address), "/connections/active") == 1;
        wait_until("all connections are gone", is_quiet);
        *left = process.bytes_of_shards();
    }
    assert!(left[WAVES - 1] < left[1] + MOST_GROWTH, "{left:?} bytes");
    process.signal("TERM");
    assert_eq!(process.end().code, Some(0));
}
