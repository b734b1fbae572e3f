//! The log on standard error: what it tells at which level, and that nobody waits for it.

use super::support::client::Broken;
use super::support::outside;
use super::support::process::{CORELANE, Process};
use super::support::{Client, wait_until};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

/// The beginning of what a TLS client says first.
const TLS_HELLO: &[u8] = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03";

/// A client that has been told that its TLS is not understood.
fn misdirected(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(TLS_HELLO);
    assert_eq!(client.response().status, 400);
    client
}

#[test]
fn a_client_that_speaks_tls_is_one_line_that_names_it() {
    let mut process = Process::start(["demo", "--listen", "127.0.0.1:0"]);
    let client = misdirected(process.listening());
    let peer = client.stream.local_addr().expect("its address");
    drop(client);
    process.signal("TERM");
    let end = process.end();
    let [line] = &end.lines[..] else {
        panic!("not one line: {end:?}");
    };
    for part in [
        " WARN corelane::refusal: a peer speaks TLS to a port that speaks plain HTTP: ",
        &format!(" peer={peer} "),
        " status=400 ",
    ] {
        assert!(line.contains(part), "{part} in {line:?}");
    }
    assert!(!line.contains(char::is_control), "{line:?}");
    assert_eq!(end.code, Some(0));
}

#[test]
fn each_level_tells_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    std::fs::write(&file, "log_level = 'off'\n").expect("a file");
    let file = file.to_str().expect("text");
    // What a malformed request, a TLS client, a shard's start and a shutdown come to, in any order.
    let (server, shard) = ("INFO corelane::server", "INFO corelane::shard");
    let life = [server, server, shard, shard];
    let tls = ["WARN corelane::refusal"];
    let malformed = ["DEBUG corelane::refusal"];
    let table: [(&[&str], Vec<&str>); 6] = [
        (&["--log-level", "off"], vec![]),
        (&["--log-level", "error"], vec![]),
        (&["--log-level", "warn"], tls.into()),
        (&["--log-level", "info"], [&life[..], &tls].concat()),
        (
            &["--log-level", "debug"],
            [&malformed[..], &life[..], &tls].concat(),
        ),
        (&["--config", file], vec![]),
    ];
    for (arguments, expected) in table {
        let common = ["demo", "--cores", "1", "--listen", "127.0.0.1:0"];
        let mut process = Process::start(common.iter().chain(arguments));
        // The address is told by a line of its own, which a line of the log may come before.
        let mut lines = Vec::new();
        let address = loop {
            let line = process.line("");
            match line.strip_prefix("listening on http://") {
                Some(address) => break address.parse().expect("an address"),
                None => lines.push(line),
            }
        };
        misdirected(address);
        let mut client = Client::connect(address);
        client.send("GET\r\n\r\n");
        assert_eq!(client.response().status, 400);
        drop(client);
        process.signal("TERM");
        lines.extend(process.end().lines);
        let mut told: Vec<_> = lines
            .iter()
            .map(|line| {
                // Behind the time, as far as the target.
                let (_, event) = line.split_once(' ').expect("a time");
                event.trim_start().split(": ").next().expect("a target")
            })
            .collect();
        told.sort_unstable();
        assert_eq!(told, expected, "{arguments:?}: {lines:#?}");
    }
}

#[test]
fn files_that_change_and_peers_that_leave_are_no_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("big")).expect("a folder");
    let path = folder.path().join("big/file");
    // More than sockets hold of what nobody reads.
    let much = 64 << 20;
    File::create(&path)
        .and_then(|file| file.set_len(much))
        .expect("a file");
    let root = folder.path().to_str().expect("text");
    let arguments = ["serve", "--tar", "--log-level", "debug", "--listen"];
    let mut process = Process::start(arguments.into_iter().chain(["127.0.0.1:0", root]));
    let line = process.line("listening on http://");
    let address = line.rsplit("http://").next().expect("an address");
    let address: SocketAddr = address.parse().expect("an address");
    let cut = |length| {
        let file = OpenOptions::new().write(true).open(&path);
        file.and_then(|file| file.set_len(length))
            .expect("it is cut");
    };
    for (target, what) in [
        ("/big/?download=tar", "big/file: the file was changed"),
        ("/big/file", "the file was changed"),
    ] {
        let mut client = Client::connect(address);
        client.get(target);
        client.exactly(1000).expect("the beginning");
        cut(much / 2);
        if let Broken::Closed(rest) = client.rest() {
            assert!(1000 + (rest.len() as u64) < much, "all of it came");
        }
        let line = process.line("a response broke off");
        assert!(line.contains(" WARN corelane::handler: "), "{line}");
        assert!(line.contains(what), "{line}");
        cut(much);

        let mut client = Client::connect(address);
        client.get(target);
        client.exactly(1000).expect("the beginning");
        drop(client);
        let line = process.line("a request was given up");
        assert!(line.contains(" DEBUG corelane::handler: "), "{line}");
    }
    process.signal("TERM");
    let end = process.end();
    assert!(
        !end.lines.iter().any(|line| line.contains("ERROR")),
        "{end:?}"
    );
}

/// A process whose standard error nobody reads; killed when the test lets go of it.
struct Stuck {
    child: Child,
    /// Where it writes.
    writer: io::PipeWriter,
    reader: BufReader<io::PipeReader>,
}

impl Stuck {
    fn start() -> (Self, SocketAddr) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let child = Command::new(CORELANE)
            .args(["demo", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(writer.try_clone().expect("a descriptor"))
            .spawn()
            .expect("the program");
        let mut stuck = Self {
            child,
            writer,
            reader: BufReader::new(reader),
        };
        let mut line = String::new();
        stuck.reader.read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.expect("where it listens").parse();
        stuck.fill();
        (stuck, address.expect("an address"))
    }

    /// Writes into the pipe until not one byte more goes in.
    fn fill(&self) {
        // A description of its own, for the program's must go on to wait.
        let path = format!("/proc/self/fd/{}", self.writer.as_raw_fd());
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let pipe = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(path);
        let mut pipe: File = pipe.expect("the pipe");
        for piece in [&b"."[..].repeat(4096), &b"."[..].to_vec()] {
            let error = loop {
                if let Err(error) = pipe.write(piece) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill").success());
    }

    /// Its exit code, and whatever it wrote since the pipe was full.
    fn end(mut self) -> (Option<i32>, String) {
        let mut code = None;
        wait_until("its end", || {
            let status = self.child.try_wait().expect("it is our child");
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        // The other end is then closed, and what is in the pipe has an end.
        let (_, closed) = io::pipe().expect("a pipe");
        self.writer = closed;
        let mut rest = String::new();
        self.reader.read_to_string(&mut rest).expect("text");
        (code, rest.trim_matches('.').to_owned())
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // It may have ended already, and that is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nobody_waits_for_a_standard_error_that_is_not_read() {
    let (stuck, address) = Stuck::start();
    // More lines than the pipe would have had room for, on every core.
    for _ in 0..16 {
        misdirected(address);
    }
    for _ in 0..16 {
        Client::connect(address).assert_alive();
    }
    stuck.signal("TERM");
    // Nothing could be written, so whatever the log had to tell was waiting for it.
    assert_eq!(stuck.end(), (Some(0), String::new()));

    // Not even a failure that has to be reported.
    let (stuck, address) = Stuck::start();
    let mut active = Client::connect(address);
    active.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    let mut idle = misdirected(address);
    assert_eq!(idle.rest(), Broken::Closed(Vec::new()));
    let mut idle = Client::connect(address);
    idle.assert_alive();
    stuck.signal("TERM");
    idle.assert_closed();
    stuck.signal("TERM");
    assert_eq!(stuck.end(), (Some(1), String::new()));
}

fn limit_open_files(process: &Process, files: u32) {
    let id = process.id().to_string();
    let status = Command::new("prlimit")
        .args(["--pid", &id, &format!("--nofile={files}:")])
        .status();
    assert!(status.expect("prlimit").success());
}

#[test]
fn a_lack_of_descriptors_is_told_when_it_begins_and_when_it_is_over() {
    if !outside::has("prlimit") {
        return;
    }
    // With little credit each connection is accepted by an operation of its own, to which the limit
    // applies that was set when it began.
    let arguments = ["--cores", "1", "--limit", "connections=100"];
    let common = ["demo", "--listen", "127.0.0.1:0"];
    let mut process = Process::start(common.iter().chain(&arguments));
    let address = process.listening();
    // Once one is answered, the operation that accepts the next has begun.
    let mut first = Client::connect(address);
    first.assert_alive();
    limit_open_files(&process, 3);
    let mut taken = Client::connect(address);
    taken.assert_alive();
    let mut waiting = Client::connect(address);
    waiting.get("/waiting");
    let begun = process.line("");
    assert!(
        begun.contains(" WARN corelane::accept: accepting pauses: "),
        "{begun}"
    );
    assert!(begun.contains("Too many open files"), "{begun}");
    taken.assert_alive();
    limit_open_files(&process, 1000);
    assert_eq!(waiting.response().text(), "Hello, waiting");
    let over = process.line("");
    assert!(
        over.contains(" WARN corelane::accept: accepting goes on "),
        "{over}"
    );
    process.signal("TERM");
    let end = process.end();
    assert_eq!((end.code, end.lines.len()), (Some(0), 0), "{end:?}");
}
