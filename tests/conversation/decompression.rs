//! Requests whose content is coded: what handlers read of it, and what is refused.

use super::{request, sent, statuses};
use corelane::app::middleware::Decompression;
use corelane::app::with_body_limit;
use corelane::limits::{BODY_BYTES, CODING_SLICE_BYTES, DECODERS};
use corelane::testing::{Conversation, TestClient};
use corelane::{App, Request};
use flate2::Compression;
use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
use std::io::Read as _;

const SMALL: usize = 1_000;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut encoder = GzEncoder::new(content, Compression::best());
    encoder.read_to_end(&mut coded).unwrap();
    coded
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut encoder = ZlibEncoder::new(content, Compression::best());
    encoder.read_to_end(&mut coded).unwrap();
    coded
}

/// An app whose `/` and `/pieces` tell how much they were sent; `/small` takes less.
fn app(decompression: Decompression) -> App {
    async fn count(mut request: Request) -> corelane::Result<String> {
        Ok(request.bytes().await?.len().to_string())
    }
    App::new()
        .wrap(decompression)
        .post("/", count)
        .post("/small", with_body_limit(SMALL as u64, count))
        .post("/pieces", async |mut request: Request| {
            let (mut bytes, mut longest) = (0, 0);
            while let Some(piece) = request.body_mut().next().await.transpose()? {
                bytes += piece.len();
                longest = longest.max(piece.len());
            }
            assert!(longest <= CODING_SLICE_BYTES);
            let trailers = request.trailers().map_or(0, corelane::app::Headers::len);
            Ok::<_, corelane::Error>(format!("{bytes}+{trailers}"))
        })
        .post("/echo", async |mut request: Request| request.text().await)
        .post("/unread", async |_| "unread")
        .post("/wait", async |mut request: Request| {
            while let Some(piece) = request.body_mut().next().await.transpose()? {
                assert!(!piece.is_empty());
            }
            std::future::pending::<corelane::Result<()>>().await
        })
}

/// Sends `content` as `coding`; the status and the text of the answer.
fn post(client: &mut TestClient, path: &str, coding: &str, content: &[u8]) -> (u16, String) {
    let request = client.post(path).header("content-encoding", coding);
    let answer = request.body(content).send();
    (answer.status().as_u16(), answer.text().to_owned())
}

#[test]
fn handlers_read_what_was_encoded() {
    let mut client = TestClient::new(app(Decompression::new()));
    let hello = |text: &str| (200, text.to_owned());
    for (coding, content) in [
        ("gzip", gzip(b"hello")),
        ("X-GZIP", gzip(b"hello")),
        ("gzip, identity", gzip(b"hello")),
        ("gzip", [gzip(b"hel"), gzip(b""), gzip(b"lo")].concat()),
        ("deflate", zlib(b"hello")),
        ("identity", b"hello".to_vec()),
        ("", b"hello".to_vec()),
    ] {
        assert_eq!(
            post(&mut client, "/echo", coding, &content),
            hello("hello"),
            "{coding}"
        );
    }
    let plain = client.post("/echo").body("hello").send();
    assert_eq!(plain.text(), "hello");
    // Nothing is in no coding.
    assert_eq!(post(&mut client, "/echo", "gzip", b""), hello(""));
    let chunks = client.post("/echo").header("content-encoding", "gzip");
    let none = chunks
        .header("transfer-encoding", "chunked")
        .body("0\r\n\r\n")
        .send();
    assert_eq!((none.status().as_u16(), none.text()), (200, ""));
}

#[test]
fn content_arrives_in_any_pieces_with_its_trailers() {
    let coded = gzip(&b"0123456789".repeat(10_000));
    for size in [1, 7, coded.len()] {
        let fields = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n";
        let mut message = request("POST", "/pieces", fields);
        for piece in coded.chunks(size) {
            message.extend(format!("{:x}\r\n", piece.len()).bytes());
            message.extend(piece);
            message.extend(b"\r\n");
        }
        message.extend(b"0\r\nX-Sum: 1\r\n\r\n");
        let mut peer = Conversation::new(app(Decompression::new())).unwrap();
        message.chunks(size).for_each(|piece| peer.deliver(piece));
        let answer = sent(&mut peer);
        assert!(answer.ends_with("\r\n\r\n100000+1"), "{answer}");
    }
}

#[test]
fn decoded_content_is_bounded_as_other_content_is() {
    let most = BODY_BYTES as usize;
    let mut client = TestClient::new(app(Decompression::new()));
    for (path, most) in [("/", most), ("/pieces", most), ("/small", SMALL)] {
        let fits = gzip(&vec![b'a'; most]);
        assert!(fits.len() < most / 20);
        assert_eq!(post(&mut client, path, "gzip", &fits).0, 200, "{path}");
        let more = gzip(&vec![b'a'; most + 1]);
        assert_eq!(post(&mut client, path, "gzip", &more).0, 413, "{path}");
    }
    let mut client = TestClient::new(app(Decompression::new().limit(10)));
    for (path, bytes, status) in [
        ("/", 10, 200),
        ("/", 11, 413),
        ("/pieces", 10, 200),
        ("/pieces", 11, 413),
    ] {
        let content = gzip(&vec![b'a'; bytes]);
        assert_eq!(
            post(&mut client, path, "gzip", &content).0,
            status,
            "{path} {bytes}"
        );
    }
    // A limit of its own may be more than the route takes of coded content.
    let mut client = TestClient::new(app(Decompression::new().limit(5_000)));
    for (bytes, status) in [(5_000, 200), (5_001, 413)] {
        let content = gzip(&vec![b'a'; bytes]);
        assert_eq!(
            post(&mut client, "/small", "gzip", &content).0,
            status,
            "{bytes}"
        );
    }
}

#[test]
fn what_is_no_such_coding_is_refused() {
    let coded = gzip(b"hello hello");
    let mut bare = Vec::new();
    let mut encoder = DeflateEncoder::new(&b"hello"[..], Compression::best());
    encoder.read_to_end(&mut bare).unwrap();
    let mut damaged = coded.clone();
    let sum = damaged.len() - 5;
    damaged[sum] ^= 1;
    for (name, coding, content) in [
        ("text", "gzip", b"hello".to_vec()),
        ("cut off", "gzip", coded[..coded.len() - 1].to_vec()),
        ("begun", "gzip", coded[..5].to_vec()),
        ("followed", "gzip", [&coded[..], b"x"].concat()),
        ("padded", "gzip", [&coded[..], b"\0\0\0"].concat()),
        ("damaged", "gzip", damaged),
        ("another", "deflate", coded),
        ("bare", "deflate", bare),
        ("followed", "deflate", [zlib(b"a"), zlib(b"b")].concat()),
    ] {
        let mut client = TestClient::new(app(Decompression::new()));
        for path in ["/", "/pieces"] {
            let (status, text) = post(&mut client, path, coding, &content);
            assert_eq!(status, 400, "{name} {coding}");
            assert!(text.contains("Content-Encoding"), "{text}");
        }
    }
}

#[cfg(feature = "compression-br")]
#[test]
fn windows_of_brotli_are_bounded() {
    for (name, content, status) in [
        ("nothing, with a window of 2^24", &[0x3f][..], 200),
        ("nothing, with a large window of 2^24", &[0x11, 0xd8], 400),
        ("nothing, with a large window of 2^30", &[0x11, 0xde], 400),
    ] {
        let mut client = TestClient::new(app(Decompression::new()));
        assert_eq!(post(&mut client, "/", "br", content).0, status, "{name}");
    }
}

#[test]
fn codings_that_are_not_known_are_told_from_those_that_are() {
    let mut known = vec!["gzip", "deflate"];
    known.extend(cfg!(feature = "compression-br").then_some("br"));
    known.extend(cfg!(feature = "compression-zstd").then_some("zstd"));
    for coding in [
        "compress",
        "gzip, gzip",
        "gzip, x",
        "bzip2",
        "gzip;q=1",
        "aes128gcm",
    ] {
        let mut client = TestClient::new(app(Decompression::new()));
        let request = client.post("/unread").header("content-encoding", coding);
        let answer = request.body("hello").send();
        assert_eq!(answer.status(), 415, "{coding}");
        assert_eq!(answer.header("accept-encoding"), Some(&*known.join(", ")));
    }
    // It is not invited, either.
    let mut peer = Conversation::new(app(Decompression::new())).unwrap();
    let fields = "Content-Encoding: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n";
    peer.deliver(&request("POST", "/", fields));
    assert_eq!(statuses(&sent(&mut peer)), [415]);
}

#[test]
fn peers_that_fall_silent_have_so_many_decoders_and_the_next_is_refused() {
    let two = Decompression::new().decoders(2);
    for (decompression, most) in [(Decompression::new(), DECODERS), (two, 2)] {
        let coded = gzip(&vec![b'a'; 100_000]);
        let first = Conversation::new(app(decompression)).unwrap();
        let begin = |path, bytes: usize| {
            let length = coded.len();
            let fields = format!("Content-Encoding: gzip\r\nContent-Length: {length}\r\n");
            let mut peer = first.reconnect();
            peer.deliver(&request("POST", path, &fields));
            peer.deliver(&coded[..bytes]);
            let answered = statuses(&sent(&mut peer));
            (peer, answered)
        };
        // Whoever is read to the end is done, even if its request is not answered.
        let waiting: Vec<_> = (0..most).map(|_| begin("/wait", coded.len())).collect();
        let silent: Vec<_> = (0..most)
            .map(|_| begin("/pieces", coded.len() / 2))
            .collect();
        let mut silent: Vec<_> = silent.into_iter().chain(waiting).collect();
        assert!(silent.iter().all(|(_, answered)| answered.is_empty()));
        assert_eq!(begin("/pieces", 0).1, [503]);
        let mut plain = first.reconnect();
        plain.deliver(&request("POST", "/echo", "Content-Length: 1\r\n"));
        plain.deliver(b"a");
        assert_eq!(statuses(&sent(&mut plain)), [200]);
        silent[0].0.reset();
        assert_eq!(begin("/pieces", coded.len()).1, [200]);
        let (_again, answered) = begin("/pieces", 0);
        assert!(answered.is_empty());
        assert_eq!(begin("/pieces", 0).1, [503]);
    }
}

#[test]
fn content_is_decoded_once_however_many_would_and_the_last_limits_it() {
    let inner = app(Decompression::new().limit(10));
    let outer = App::new().wrap(Decompression::new().limit(5));
    let mut client = TestClient::new(outer.nest("/in", inner));
    let hello = (200, "hello".to_owned());
    assert_eq!(
        post(&mut client, "/in/echo", "gzip", &gzip(b"hello")),
        hello
    );
    for path in ["/in", "/in/pieces"] {
        for (bytes, status) in [(10, 200), (11, 413)] {
            let content = gzip(&vec![b'a'; bytes]);
            let answered = post(&mut client, path, "gzip", &content).0;
            assert_eq!(answered, status, "{path} {bytes}");
        }
    }
    let twice = app(Decompression::new()).wrap(Decompression::new());
    let mut client = TestClient::new(twice);
    assert_eq!(post(&mut client, "/echo", "gzip", &gzip(b"hello")), hello);
}
