//! Folders that are listed or sent as archives to peers that have left.

use super::super::support::{PATIENCE, fresh_stats, number};
use super::*;
use corelane::limits::{ARCHIVE_PIECE_SLICES, ARCHIVE_SLICE_ENTRIES, LISTING_SLICE_ENTRIES};
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Slices of a folder that takes a while to read.
const SLICES: usize = 40;

/// A server of one core, whose thread for blocking calls the test can hold.
struct Holding {
    served: Served,
    held: Receiver<()>,
    release: Sender<()>,
}

impl Holding {
    fn new(root: &Path) -> Self {
        let (is_held, held) = channel();
        let (release, released) = channel();
        let released = Arc::new(Mutex::new(released));
        let root = root.to_owned();
        let policy = Policy {
            listing: true,
            tar: true,
            ..Policy::default()
        };
        let server = Server::bind("127.0.0.1:0").cores("1".parse().expect("one core"));
        let served = Served::on(server.files(policy), move |_| {
            let (is_held, released) = (is_held.clone(), Arc::clone(&released));
            App::new()
                .files("/", &root)
                .get("/hold", move |_: corelane::Request| {
                    let (is_held, released) = (is_held.clone(), Arc::clone(&released));
                    let hold = move || {
                        // The test may have ended, which releases it.
                        let _ = is_held.send(());
                        let _ = released.lock().expect("its turn").recv();
                    };
                    async move {
                        glommio::executor().spawn_blocking(hold).await;
                        "released"
                    }
                })
        });
        Self {
            served,
            held,
            release,
        }
    }

    /// Holds the thread until the client that is returned has been answered.
    fn hold(&self) -> Client {
        let mut client = Client::connect(self.served.address);
        client.get("/hold");
        self.held.recv_timeout(PATIENCE).expect("it is held");
        client
    }

    fn release(&self, mut holder: Client) {
        self.release.send(()).expect("it is held");
        assert_eq!(holder.response().text(), "released");
    }
}

/// Asks for `target`, and reads the head of the response; returned is what came behind it.
fn ask(address: SocketAddr, target: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut received = Vec::new();
    loop {
        let mut bytes = [0; 1024];
        let count = match stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.expect("a head"),
        };
        assert_ne!(count, 0, "it ended");
        received.extend_from_slice(&bytes[..count]);
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            assert!(received.starts_with(b"HTTP/1.1 200 "));
            return (stream, received.split_off(end + 4));
        }
    }
}

/// Whether entries have come, of `stream` or behind the head that came before.
fn has_entries(stream: &mut TcpStream, mut received: Vec<u8>) -> bool {
    stream.set_nonblocking(true).expect("no waiting");
    match stream.read_to_end(&mut received) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        end => panic!("{end:?}"),
    }
    received.windows(8).any(|part| part == b"\"entries")
}

#[test]
fn a_listing_is_not_read_on_for_a_peer_that_left() {
    let outer = tempfile::tempdir().expect("a folder");
    for number in 0..SLICES * LISTING_SLICE_ENTRIES {
        fs::File::create(outer.path().join(number.to_string())).expect("a file");
    }
    let holding = Holding::new(outer.path());
    let address = holding.served.address;
    let begun = Instant::now();
    let leaver = loop {
        let (mut stream, received) = ask(address, "/?format=json");
        let holder = holding.hold();
        if !has_entries(&mut stream, received) {
            break (stream, holder);
        }
        // It was read to its end before.
        holding.release(holder);
        assert!(
            begun.elapsed() < PATIENCE,
            "nothing is sent before all is read"
        );
    };
    let (stream, holder) = leaver;
    let socket = SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
    // While the folder cannot be read on.
    wait_until("only who holds and who asks are left", || {
        number(&fresh_stats(address), "/connections/active") == 2
    });
    holding.release(holder);
}

/// So that a peer is found to be gone that closed its side in good order.
#[test]
fn something_is_sent_for_each_slice_that_is_read() {
    let outer = tempfile::tempdir().expect("a folder");
    for number in 0..SLICES * LISTING_SLICE_ENTRIES {
        fs::File::create(outer.path().join(number.to_string())).expect("a file");
    }
    let holding = Holding::new(outer.path());
    let mut client = Client::connect(holding.served.address);
    for (query, behind) in [("format=json", "\"sort\""), ("format=html", "<p>")] {
        let response = get(&mut client, &format!("/?{query}"));
        let (begun, rest) = response.text().split_once(behind).expect("a head");
        let waited = begun.len() - begun.trim_end_matches('\n').len();
        assert!(waited >= SLICES - 1, "{waited}");
        assert!(!rest.contains("\n\n"));
        let chunks = response.chunks.expect("chunks");
        let alone = chunks.iter().filter(|&&bytes| bytes == 1).count();
        assert!(alone >= SLICES - 1, "{chunks:?}");
    }
}

/// As it is where nothing that is read is listed.
#[test]
fn something_is_sent_for_each_slice_of_hidden_entries() {
    let outer = tempfile::tempdir().expect("a folder");
    for number in 0..SLICES * LISTING_SLICE_ENTRIES {
        fs::File::create(outer.path().join(format!(".{number}"))).expect("a file");
    }
    let holding = Holding::new(outer.path());
    let mut client = Client::connect(holding.served.address);
    for sort in ["name", "none"] {
        let response = get(&mut client, &format!("/?format=json&sort={sort}"));
        let listing: serde_json::Value = serde_json::from_str(response.text()).expect("JSON");
        assert_eq!(listing["entries"], serde_json::json!([]));
        let chunks = response.chunks.expect("chunks");
        assert!(chunks.len() >= SLICES - 1, "{sort}: {chunks:?}");
    }
}

/// However few of the entries are served that are read for it.
#[test]
fn a_piece_of_an_archive_comes_before_all_is_read() {
    let tree = Tree::new();
    let most = ARCHIVE_PIECE_SLICES * ARCHIVE_SLICE_ENTRIES;
    for number in 0..2 * most {
        let path = tree.root().join(format!("bare/.{number}"));
        fs::File::create(path).expect("a file");
    }
    let holding = Holding::new(&tree.root());
    let mut client = Client::connect(holding.served.address);
    client.send("GET /bare/?download=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    // The head of the folder, and the end of the archive.
    assert_eq!(response.chunks.expect("chunks"), [512, 1024]);
}
