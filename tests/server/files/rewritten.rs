//! A tree that is rewritten all the time: whoever downloads gets a version that was, or a connection that
//! ends.

use super::super::support::client::Broken;
use super::*;
use corelane::files::variants::coding_of;
use corelane::limits::COMPRESSIONS;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The suffixes of the codings that can be undone here, with their names.
const CODINGS: &[(&str, &str)] = &[
    ("gz", "gzip"),
    #[cfg(feature = "compression-br")]
    ("br", "br"),
    #[cfg(feature = "compression-zstd")]
    ("zst", "zstd"),
];

/// Bytes of a version: its number, over and over.
fn version(number: u64) -> Vec<u8> {
    let words = 6_000 + number as usize % 7 * 4_001;
    number.to_be_bytes().repeat(words)
}

/// The version that all of these bytes are of, which begin at a multiple of 8.
fn version_of(bytes: &[u8]) -> Option<u64> {
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    let mut words = bytes.chunks(8);
    words
        .all(|word| word == &first[..word.len()])
        .then(|| u64::from_be_bytes(first))
}

/// The version that these are all bytes of.
fn whole_version_of(bytes: &[u8]) -> Option<u64> {
    let number = version_of(bytes)?;
    (bytes.len() == version(number).len()).then_some(number)
}

fn decoded(coding: &str, coded: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    let decoded: io::Result<usize> = match coding {
        "gzip" => flate2::read::MultiGzDecoder::new(coded).read_to_end(&mut content),
        #[cfg(feature = "compression-br")]
        "br" => brotli::Decompressor::new(coded, 4096).read_to_end(&mut content),
        #[cfg(feature = "compression-zstd")]
        "zstd" => {
            content.reserve(version(6).len());
            zstd_safe::decompress(&mut content, coded)
                .map_err(|code| io::Error::other(zstd_safe::get_error_name(code)))
        }
        _ => panic!("nobody asked for {coding}"),
    };
    decoded.unwrap_or_else(|error| panic!("{coding}: {error}"));
    content
}

/// Ends what goes on until then, however the test does.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What came of downloads of which not each comes to it.
#[derive(Default)]
struct Met {
    /// Contents by their tags.
    tagged: Mutex<HashMap<String, Vec<u8>>>,
    coded: AtomicUsize,
    archives: AtomicUsize,
}

/// What some of the clients download.
#[derive(Clone, Copy)]
enum Kind {
    Coded,
    Folder,
    Files,
}

impl Kind {
    /// Sends the first request of the client with this number.
    fn begin(self, client: &mut Client, number: usize) {
        match self {
            Kind::Coded => {
                let coding = coding_wanted_by(number);
                client.send(format!(
                    "GET /coded.css HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n"
                ));
            }
            Kind::Folder => client.get(ARCHIVE),
            Kind::Files => client.get("/renamed.bin"),
        }
    }

    /// Receives the response to that.
    fn receive(self, client: &mut Client, number: usize, met: &Met) {
        match self {
            Kind::Coded => {
                let response = client.response();
                check_coded(&response, coding_wanted_by(number), true, met);
            }
            Kind::Folder => receive_folder(client, met),
            Kind::Files => receive_renamed(client),
        }
    }

    /// Downloads the rest.
    fn go_on(self, mut client: Client, number: usize, met: &Met) {
        match self {
            Kind::Coded => download_coded(&mut client, number, met),
            Kind::Folder => {
                // The archive before may have ended with its connection.
                let address = client.stream.peer_addr();
                let mut client = Client::connect(address.expect("it was connected"));
                client.get(ARCHIVE);
                receive_folder(&mut client, met);
            }
            Kind::Files => download(&mut client),
        }
    }
}

const ARCHIVE: &str = "/pack/?download=tar";

fn coding_wanted_by(number: usize) -> &'static str {
    CODINGS[number % CODINGS.len()].1
}

#[test]
fn a_thousand_clients_get_versions_that_were_while_the_tree_is_rewritten() {
    const CLIENTS: usize = 1_000;
    const THREADS: usize = 20;
    const { assert!(THREADS / 4 < COMPRESSIONS) };
    let tree = Tree::new();
    let root = tree.root();
    fs::create_dir(root.join("pack")).expect("a folder");
    let put = |name: &str, number| {
        let next = tree.outer.path().join("next");
        fs::write(&next, version(number)).expect("written");
        fs::rename(next, root.join(name)).expect("renamed");
    };
    let rewrite = |number| {
        for name in ["renamed.bin", "coded.css", "pack/renamed"] {
            put(name, number);
        }
        // Truncated first, as `cp` does.
        for name in ["written.bin", "pack/written"] {
            fs::write(root.join(name), version(number)).expect("written");
        }
    };
    rewrite(1);
    let coding = |&(suffix, _): &(&str, _)| (coding_of(suffix).expect("a coding"), 1);
    let served = tree.serve_by(Policy {
        compress: CODINGS.iter().map(coding).collect(),
        tar: true,
        ..Policy::default()
    });
    let is_over = AtomicBool::new(false);
    let met = Met::default();
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| {
            for number in 2.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                rewrite(number);
            }
        });
        let kinds = [Kind::Coded, Kind::Folder, Kind::Files, Kind::Files];
        let mut groups: Vec<_> = (0..THREADS)
            .map(|thread| (kinds[thread % kinds.len()], Vec::new()))
            .collect();
        // All have asked before anybody reads.
        for client in 0..CLIENTS {
            let (kind, clients) = &mut groups[client % THREADS];
            let (number, mut client) = (client / THREADS, Client::connect(served.address));
            kind.begin(&mut client, number);
            clients.push((number, client));
        }
        let met = &met;
        let groups = groups.into_iter().map(|(kind, mut clients)| {
            scope.spawn(move || {
                for (number, client) in &mut clients {
                    kind.receive(client, *number, met);
                }
                // Fewer insist on a coding at once than the core compresses files.
                for (number, client) in clients {
                    kind.go_on(client, number, met);
                }
            })
        });
        for group in groups.collect::<Vec<_>>() {
            group.join().expect("its clients");
        }
    });
    let Met {
        coded, archives, ..
    } = met;
    let [coded, archives] = [coded, archives].map(AtomicUsize::into_inner);
    eprintln!("{coded} were coded, and {archives} were whole archives");
    assert!(coded > 0, "none is coded");
    assert!(archives > 0, "no archive is whole");
}

/// A file that is replaced is of one version.
fn receive_renamed(client: &mut Client) {
    let response = client.response();
    assert_eq!(response.status, 200);
    whole_version_of(&response.body).expect("all of one version");
}

/// A client: each of its downloads is of one version, or its connection ends.
fn download(client: &mut Client) {
    client.send("GET /renamed.bin HTTP/1.1\r\nHost: a\r\nRange: bytes=16-40015\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 206);
    let number = version_of(&response.body).expect("one version");
    let length = version(number).len();
    let place = format!("bytes 16-40015/{length}");
    assert_eq!(response.field("content-range"), Some(&*place));

    client.get("/written.bin");
    match client.try_response(false) {
        // What was written of it at the time; nothing, as it was truncated.
        Ok(response) if response.status == 200 => {
            if !response.body.is_empty() {
                let number = version_of(&response.body).expect("one version");
                assert!(response.body.len() <= version(number).len());
            }
        }
        // It is written to all the time.
        Ok(response) => assert_eq!(response.status, 503),
        Err(Broken::Closed(_) | Broken::Reset) => {}
    }
}

/// A client that decodes: what it gets is all of one version, in the coding that it is said to be in, and
/// the same octets as everybody's with the same tag.
fn download_coded(client: &mut Client, number: usize, met: &Met) {
    let wanted = coding_wanted_by(number);
    // Some of them take nothing else.
    let takes_all = (number / CODINGS.len()).is_multiple_of(2);
    let others = if takes_all { "" } else { ", identity;q=0" };
    let accept = format!("Accept-Encoding: {wanted}{others}\r\n");
    let response = client.ask("GET", "/coded.css", &accept);
    let Some(tag) = check_coded(&response, wanted, takes_all, met) else {
        return;
    };
    // A part of the same, or all of another.
    let range = format!("{accept}Range: bytes=8-15\r\nIf-Range: {tag}\r\n");
    let part = client.ask("GET", "/coded.css", &range);
    match part.status {
        206 => {
            assert_eq!(part.field("etag"), Some(tag));
            assert!(part.body == response.body[8..16]);
        }
        status => {
            assert_eq!(status, 200);
            assert_ne!(part.field("etag"), Some(tag));
        }
    }
}

/// Looks at what somebody got who takes what is `wanted`, and perhaps all else; tells its tag, if it is a strong one.
fn check_coded<'a>(
    response: &'a Response,
    wanted: &str,
    takes_all: bool,
    met: &Met,
) -> Option<&'a str> {
    assert_eq!(response.status, 200);
    assert_eq!(response.field("vary"), Some("Accept-Encoding"));
    let coding = response.field("content-encoding");
    let tag = response.field("etag");
    let content = match coding {
        Some(coding) => {
            assert_eq!(coding, wanted);
            let end = format!("-{coding}\"");
            assert!(tag.is_some_and(|tag| tag.ends_with(&end)), "{tag:?}");
            met.coded.fetch_add(1, Ordering::Relaxed);
            decoded(coding, &response.body)
        }
        None if !takes_all => panic!("it is sent as it is"),
        None => response.body.clone(),
    };
    whole_version_of(&content).expect("all of one version");
    let tag = tag.filter(|tag| tag.starts_with('"'))?;
    let mut tagged = met.tagged.lock().expect("nobody failed");
    let same = tagged
        .entry(tag.to_owned())
        .or_insert_with(|| response.body.clone());
    assert!(*same == response.body, "two contents are tagged {tag}");
    Some(tag)
}

/// Of a folder that is downloaded, each file in the archive is of one version, and one that could not be finished has
/// no end.
fn receive_folder(client: &mut Client, met: &Met) {
    let response = match client.try_response(false) {
        Ok(response) if response.status == 200 => response,
        // A file in it is written to all the time, or as many have archives as may.
        Ok(response) => return assert_eq!(response.status, 503),
        Err(Broken::Closed(_) | Broken::Reset) => return,
    };
    let mut rest = &*response.body;
    let mut names = Vec::new();
    while let Some((head, after)) = rest.split_at_checked(512).filter(|(head, _)| head[0] != 0) {
        let name = head[..100].split(|&byte| byte == 0).next().expect("a name");
        let digits = str::from_utf8(&head[124..135]).expect("text");
        let length = usize::from_str_radix(digits, 8).expect("a length");
        let (content, after) = after.split_at(length);
        let name = str::from_utf8(name).expect("text");
        match name {
            "pack/renamed" => assert!(whole_version_of(content).is_some(), "not all of one"),
            // What was written of it at the time.
            "pack/written" if content.is_empty() => {}
            "pack/written" => assert!(version_of(content).is_some(), "not of one"),
            name => assert_eq!((name, length), ("pack/", 0)),
        }
        names.push(name.to_owned());
        rest = &after[length.wrapping_neg() % 512..];
    }
    assert!(
        rest.len() == 1024 && rest.iter().all(|&byte| byte == 0),
        "its end"
    );
    assert!(names.iter().any(|name| name == "pack/renamed"), "{names:?}");
    met.archives.fetch_add(1, Ordering::Relaxed);
}
