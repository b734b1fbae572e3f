//! Compressed responses as peers get them: which are, what their fields say, and how they are streamed.
//! Which coding is chosen stands in `http/coding.rs`.

use super::request;
use super::streaming::Feed;
use bytes::Bytes;
use corelane::app::middleware::Compression;
use corelane::app::{Headers, Response, Sse, SseEvent};
use corelane::http::ContentCoding;
use corelane::limits::{CODING_SLICE_BYTES, COMPRESS_FROM_BYTES, ENCODERS};
use corelane::testing::{Conversation, TestClient, TestResponse};
use corelane::{App, Body, IntoResponse, Request};
use flate2::read::MultiGzDecoder;
use futures_lite::StreamExt as _;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::cell::Cell;
use std::io::{self, Read as _};
use std::rc::Rc;
use std::time::Duration;

fn value(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

/// A client of an app that answers everything with what `make` makes, compressed as by default.
fn answering(make: impl Fn() -> Response + 'static) -> TestClient {
    TestClient::new(app(Compression::new(), make))
}

fn app(compression: Compression, make: impl Fn() -> Response + 'static) -> App {
    App::new().wrap(compression).any("/", move |_: Request| {
        let response = make();
        async { response }
    })
}

fn text(bytes: usize) -> Response {
    "a".repeat(bytes).into_response()
}

fn accepting(client: &mut TestClient, codings: &str) -> TestResponse {
    client.get("/").header("accept-encoding", codings).send()
}

fn unzipped(content: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    MultiGzDecoder::new(content)
        .read_to_end(&mut decoded)
        .expect("one whole gzip stream");
    decoded
}

/// The content of the chunks in `sent`.
fn joined(mut sent: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = sent.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&sent[..end]).expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        content.extend_from_slice(&sent[end + 2..end + 2 + size]);
        sent = &sent[end + 2 + size + 2..];
    }
    content
}

#[test]
fn content_is_compressed_from_the_least_length_on() {
    let sizes = [
        COMPRESS_FROM_BYTES - 1,
        COMPRESS_FROM_BYTES,
        CODING_SLICE_BYTES,
        CODING_SLICE_BYTES + 1,
        1 << 20,
    ];
    for size in sizes {
        let answer = accepting(&mut answering(move || text(size)), "gzip");
        let is_compressed = size >= COMPRESS_FROM_BYTES;
        let coding = answer.header("content-encoding");
        assert_eq!(coding, is_compressed.then_some("gzip"), "{size}");
        let vary = answer.header("vary");
        assert_eq!(vary, is_compressed.then_some("Accept-Encoding"), "{size}");
        let content = match is_compressed {
            true => unzipped(answer.bytes()),
            false => answer.bytes().to_vec(),
        };
        assert!(content == vec![b'a'; size], "{size}");
        assert!(answer.bytes().len() < COMPRESS_FROM_BYTES.max(size / 100));
        let has_length = answer.header("content-length").is_some();
        assert_eq!(has_length, size <= CODING_SLICE_BYTES, "{size}");
    }
    let small = Compression::new().from_bytes(2);
    let mut client = TestClient::new(app(small.clone(), || text(1)));
    assert_eq!(accepting(&mut client, "gzip").text(), "a");
    let mut client = TestClient::new(app(small, || text(2)));
    assert_eq!(unzipped(accepting(&mut client, "gzip").bytes()), b"aa");
}

#[test]
fn what_peers_do_not_accept_is_sent_as_it_is_and_varies_all_the_same() {
    let mut client = answering(|| text(2_000));
    for codings in [
        "",
        "identity",
        "deflate",
        "gzip;q=0",
        "identity, gzip;q=0.5",
        "*;q=0",
    ] {
        let answer = accepting(&mut client, codings);
        assert_eq!(answer.header("content-encoding"), None, "{codings}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"), "{codings}");
        assert_eq!(answer.bytes().len(), 2_000, "{codings}");
    }
    let answer = client.get("/").send();
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
}

#[test]
fn every_coding_there_is_a_feature_for_is_spoken() {
    let mut client = answering(|| text(2_000));
    for (coding, is_there) in [
        ("gzip", true),
        ("x-gzip", true),
        ("br", cfg!(feature = "compression-br")),
        ("zstd", cfg!(feature = "compression-zstd")),
        ("deflate", false),
    ] {
        let answer = accepting(&mut client, coding);
        let expected = is_there.then_some(coding.trim_start_matches("x-"));
        assert_eq!(answer.header("content-encoding"), expected);
    }
    let all = "gzip, deflate, br, zstd";
    let cheapest = if cfg!(feature = "compression-zstd") {
        "zstd"
    } else {
        "gzip"
    };
    let answer = accepting(&mut client, all);
    assert_eq!(answer.header("content-encoding"), Some(cheapest));
    let gzip = Compression::new().prefer([ContentCoding::Gzip]);
    let mut client = TestClient::new(app(gzip, || text(2_000)));
    assert_eq!(
        accepting(&mut client, all).header("content-encoding"),
        Some("gzip")
    );
    assert_eq!(
        accepting(&mut client, "zstd").header("content-encoding"),
        None
    );
}

#[test]
fn what_is_better_left_alone_is() {
    let with = |name, value| text(2_000).with_header(name, value);
    let typed = |media_type| text(2_000).with_header(CONTENT_TYPE, value(media_type));
    let digest = HeaderName::from_static("repr-digest");
    let make: Vec<(&str, Response)> = vec![
        ("a picture", typed("image/png")),
        ("an archive", typed("application/zip")),
        ("unknown", typed("application/octet-stream")),
        ("events", typed("text/event-stream")),
        (
            "no type",
            Response::new(StatusCode::OK).with_body("a".repeat(2_000)),
        ),
        ("coded", with(CONTENT_ENCODING, value("br"))),
        ("a part", with(CONTENT_RANGE, value("bytes 0-1999/9999"))),
        (
            "partial",
            text(2_000).with_status(StatusCode::PARTIAL_CONTENT),
        ),
        (
            "fixed",
            with(CACHE_CONTROL, value("max-age=1, No-Transform")),
        ),
        ("digested", with(digest, value("sha-256=:AAAA:"))),
        ("empty", text(0)),
    ];
    for (name, response) in make {
        let told = response.headers.get(&CONTENT_ENCODING).cloned();
        let length = response.body.length();
        let response = Rc::new(Cell::new(Some(response)));
        let mut client = answering(move || response.take().expect("one request"));
        let answer = accepting(&mut client, "gzip");
        let coding = answer.header("content-encoding");
        assert_eq!(
            coding,
            told.as_ref().map(|told| told.to_str().unwrap()),
            "{name}"
        );
        assert_eq!(Some(answer.bytes().len() as u64), length, "{name}");
        assert_eq!(answer.header("vary"), None, "{name}");
    }
    for status in [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT] {
        let mut client = answering(move || text(2_000).with_status(status));
        let answer = accepting(&mut client, "gzip");
        assert_eq!(answer.header("content-encoding"), None);
    }
    // An error with content is as good as any other.
    let mut client = answering(|| text(2_000).with_status(StatusCode::NOT_FOUND));
    assert_eq!(
        accepting(&mut client, "gzip").header("content-encoding"),
        Some("gzip")
    );
}

#[test]
fn media_types_are_the_programs_to_choose() {
    let chosen = Compression::new().media_types(|media_type| media_type == "image/png");
    for (media_type, is_compressed) in [("image/png; a=b", true), ("text/plain", false)] {
        let make = move || text(2_000).with_header(CONTENT_TYPE, value(media_type));
        let mut client = TestClient::new(app(chosen.clone(), make));
        let answer = accepting(&mut client, "gzip");
        let coding = answer.header("content-encoding");
        assert_eq!(coding.is_some(), is_compressed, "{media_type}");
    }
}

#[test]
fn who_refuses_content_without_a_coding_gets_some() {
    let picture = || text(2_000).with_header(CONTENT_TYPE, value("image/png"));
    for codings in ["gzip, identity;q=0", "gzip, *;q=0"] {
        for mut client in [answering(|| text(1)), answering(picture)] {
            let answer = accepting(&mut client, codings);
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{codings}");
            assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
            assert_eq!(unzipped(answer.bytes())[0], b'a');
        }
    }
}

#[test]
fn fields_of_what_was_compressed() {
    let make = || {
        text(2_000)
            .with_header(header::ETAG, value("\"a\""))
            .with_header(ACCEPT_RANGES, value("bytes"))
            .with_header(header::VARY, value("Origin"))
    };
    let vary = |answer: &TestResponse| -> Vec<String> {
        let fields = answer.headers().filter(|(name, _)| *name == header::VARY);
        fields
            .map(|(_, value)| value.to_str().unwrap().to_owned())
            .collect()
    };
    let mut client = answering(make);
    let answer = accepting(&mut client, "gzip");
    assert_eq!(answer.header("etag"), Some("W/\"a\""));
    assert_eq!(answer.header("accept-ranges"), None);
    assert_eq!(vary(&answer), ["Origin", "Accept-Encoding"]);
    let answer = client.get("/").send();
    assert_eq!(answer.header("etag"), Some("\"a\""));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(vary(&answer), ["Origin", "Accept-Encoding"]);
    // What says it already does not say it twice.
    for told in ["origin, accept-encoding", "*"] {
        let mut client = answering(move || text(2_000).with_header(header::VARY, value(told)));
        assert_eq!(vary(&accepting(&mut client, "gzip")), [told]);
    }
    let mut client = answering(|| text(2_000).with_header(header::ETAG, value("W/\"a\"")));
    assert_eq!(
        accepting(&mut client, "gzip").header("etag"),
        Some("W/\"a\"")
    );
}

#[test]
fn not_modified_tells_the_tag_that_its_peer_has() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let mut client = answering(|| {
        Response::new(StatusCode::NOT_MODIFIED).with_header(header::ETAG, value("\"a\""))
    });
    for (codings, name, known, tag) in [
        ("gzip", "if-none-match", "W/\"a\"", "W/\"a\""),
        ("gzip", "if-none-match", "\"b\", W/\"a\"", "W/\"a\""),
        ("gzip", "if-none-match", "\"a\", W/\"a\"", "W/\"a\""),
        ("gzip", "if-none-match", "\"a\"", "\"a\""),
        ("gzip", "if-none-match", "\"a\", W/\"b\"", "\"a\""),
        // What has never been compressed has a strong tag.
        ("gzip", "if-none-match", "*", "\"a\""),
        ("gzip", "if-modified-since", DATE, "\"a\""),
        ("", "if-none-match", "\"a\"", "\"a\""),
        ("", "if-none-match", "W/\"a\"", "\"a\""),
    ] {
        let request = client.get("/").header("accept-encoding", codings);
        let answer = request.header(name, known).send();
        assert_eq!(answer.status(), 304);
        assert_eq!(answer.header("etag"), Some(tag), "{codings} {known}");
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("content-encoding"), None);
    }
}

#[test]
fn head_has_the_same_fields_and_encodes_nothing() {
    let polls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&polls);
    let mut client = answering(move || {
        let polls = Rc::clone(&counted);
        let pieces = futures_lite::stream::poll_fn(move |_| {
            polls.set(polls.get() + 1);
            std::task::Poll::Ready((polls.get() < 3).then(|| Ok::<_, io::Error>("a".repeat(2_000))))
        });
        let body = Body::from_stream(pieces);
        Response::with_content(value("text/plain"), body).with_header(header::ETAG, value("\"a\""))
    });
    let fields = |answer: &TestResponse| -> Vec<String> {
        let fields = answer.headers().filter(|(name, _)| *name != header::DATE);
        fields
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect()
    };
    let head = client.head("/").header("accept-encoding", "gzip").send();
    assert_eq!(polls.get(), 0);
    let get = accepting(&mut client, "gzip");
    assert_eq!(fields(&head), fields(&get));
    assert_eq!(get.header("content-encoding"), Some("gzip"));
    // A length that is not known before is left out.
    let mut client = answering(|| text(2_000));
    let head = client.head("/").header("accept-encoding", "gzip").send();
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(head.header("content-length"), None);
}

/// A conversation in which `/` was asked for with gzip, and what was sent of its content so far.
fn asked(
    compression: Compression,
    make: impl Fn() -> Response + 'static,
) -> (Conversation, Vec<u8>) {
    let mut peer = Conversation::new(app(compression, make)).unwrap();
    peer.deliver(&request("GET", "/", "Accept-Encoding: gzip\r\n"));
    let sent = peer.take_sent();
    let end = sent.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("a head") + 4;
    assert!(
        sent.starts_with(b"HTTP/1.1 200 "),
        "{:?}",
        sent.escape_ascii()
    );
    (peer, sent[end..].to_vec())
}

#[test]
fn what_was_yielded_before_a_pause_is_sent_before_it() {
    let feed = Feed::<SseEvent>::new();
    let source = feed.clone();
    let events = Compression::new().media_types(|media_type| media_type == "text/event-stream");
    let (mut peer, mut content) = asked(events, move || Sse::new(source.stream()).into_response());
    let mut expected = String::new();
    for number in 0..3 {
        feed.push(SseEvent::data(number.to_string()));
        peer.pass(Duration::ZERO);
        content.extend(peer.take_sent());
        expected.push_str(&format!("data: {number}\n\n"));
        let content = joined(&content);
        let mut decoder = MultiGzDecoder::new(&content[..]);
        let (mut read, mut buffer) = (Vec::new(), [0; 64]);
        while let Ok(bytes @ 1..) = decoder.read(&mut buffer) {
            read.extend_from_slice(&buffer[..bytes]);
        }
        assert_eq!(read, expected.as_bytes());
    }
    feed.end();
    peer.pass(Duration::ZERO);
    content.extend(peer.take_sent());
    assert_eq!(unzipped(&joined(&content)), expected.as_bytes());
}

#[test]
fn trailers_stay_behind_the_content() {
    const SUM: HeaderName = HeaderName::from_static("x-sum");
    let make = || {
        text(2_000).with_trailers(&[SUM], || {
            let mut trailers = Headers::new();
            trailers.append(SUM, HeaderValue::from(7));
            trailers
        })
    };
    let (_, content) = asked(Compression::new(), make);
    let end = b"\r\n0\r\nX-Sum: 7\r\n\r\n";
    let content = content.strip_suffix(end).expect("trailers");
    let content = [content, b"\r\n"].concat();
    assert_eq!(unzipped(&joined(&content)), "a".repeat(2_000).as_bytes());
}

#[test]
fn content_that_breaks_off_looks_so() {
    let ended = |length: Option<u64>, more: Option<io::Result<&'static str>>| {
        let feed = Feed::<io::Result<&'static str>>::new();
        let source = feed.clone();
        let make = move || {
            let body = Body::from_stream(source.stream());
            let body = match length {
                Some(_) => Body::from_reader(body.into_reader(), length),
                None => body,
            };
            Response::with_content(value("text/plain"), body)
        };
        feed.push(Ok("abc"));
        let (mut peer, mut content) = asked(Compression::new().from_bytes(1), make);
        assert!(!content.is_empty());
        more.into_iter().for_each(|more| feed.push(more));
        feed.end();
        peer.pass(Duration::ZERO);
        content.extend(peer.take_sent());
        (peer.is_shut(), content.ends_with(b"\r\n0\r\n\r\n"))
    };
    let error = || Err(io::Error::other("disk on fire"));
    let (broken, whole) = ((true, false), (false, true));
    assert_eq!(ended(None, None), whole);
    assert_eq!(ended(None, Some(Ok("def"))), whole);
    assert_eq!(ended(None, Some(error())), broken);
    assert_eq!(ended(Some(3), None), whole);
    assert_eq!(ended(Some(4), None), broken);
    assert_eq!(ended(Some(3), Some(Ok("d"))), broken);
}

/// A slice of what compression makes no smaller.
fn noise() -> Bytes {
    let mut noise = vec![0; CODING_SLICE_BYTES];
    fastrand::Rng::with_seed(1).fill(&mut noise);
    Bytes::from(noise)
}

#[test]
fn a_peer_that_does_not_read_is_not_compressed_for() {
    let taken = Rc::new(Cell::new(0_usize));
    let counted = Rc::clone(&taken);
    let noise = noise();
    let app = app(Compression::new(), move || {
        let (taken, noise) = (Rc::clone(&counted), noise.clone());
        let endless = futures_lite::stream::repeat_with(move || {
            taken.set(taken.get() + noise.len());
            Ok::<_, io::Error>(noise.clone())
        });
        Response::with_content(value("text/plain"), Body::from_stream(endless))
    });
    let mut peer = Conversation::new(app).unwrap();
    let room = 200_000;
    peer.set_room(room);
    peer.deliver(&request("GET", "/", "Accept-Encoding: gzip\r\n"));
    let bound = room + 4 * CODING_SLICE_BYTES;
    assert!((room / 2..bound).contains(&taken.get()), "{}", taken.get());
    for _ in 0..10 {
        peer.pass(Duration::from_millis(1));
    }
    assert!(taken.get() < bound, "{}", taken.get());
}

#[test]
fn slow_peers_have_so_many_encoders_and_the_next_gets_content_as_it_is() {
    let two = Compression::new().encoders(2);
    for (compression, most) in [(Compression::new(), ENCODERS), (two, 2)] {
        let noise = noise();
        let app = App::new()
            .wrap(compression)
            .get("/", move |_: Request| {
                let endless = futures_lite::stream::repeat(noise.clone()).map(Ok::<_, io::Error>);
                let response =
                    Response::with_content(value("text/plain"), Body::from_stream(endless))
                        .with_header(header::ETAG, value("\"a\""));
                async { response }
            })
            .get("/short", async |_| text(CODING_SLICE_BYTES));
        let first = Conversation::new(app).unwrap();
        let ask = |path| {
            let mut peer = first.reconnect();
            peer.set_room(1_000);
            peer.deliver(&request("GET", path, "Accept-Encoding: gzip\r\n"));
            let sent = peer.take_sent();
            let head = String::from_utf8_lossy(&sent).to_lowercase();
            assert!(head.contains("\r\nvary: accept-encoding\r\n"), "{head}");
            let is_coded = head.contains("\r\ncontent-encoding: gzip\r\n");
            let is_weak = head.contains("\r\netag: w/");
            assert_eq!(is_weak, is_coded && path == "/");
            (peer, is_coded)
        };
        let mut slow: Vec<_> = (0..most).map(|_| ask("/")).collect();
        assert!(slow.iter().all(|(_, is_coded)| *is_coded));
        assert!(!ask("/").1);
        // What is compressed at once holds nothing.
        assert!(ask("/short").1);
        slow[0].0.reset();
        let (_again, is_coded) = ask("/");
        assert!(is_coded);
        assert!(!ask("/").1);
    }
}

#[test]
fn all_compression_of_a_core_has_so_many_encoders() {
    let endless = || {
        let noise = noise();
        let handler = move |_: Request| {
            let endless = futures_lite::stream::repeat(noise.clone()).map(Ok::<_, io::Error>);
            let body = Body::from_stream(endless);
            async { Response::with_content(value("text/plain"), body) }
        };
        App::new().get("/x", handler)
    };
    let app = App::new()
        .nest("/a", endless().wrap(Compression::new()))
        .nest("/b", endless().wrap(Compression::new().from_bytes(1)))
        .nest("/c", endless().wrap(Compression::new().encoders(1)));
    let first = Conversation::new(app).unwrap();
    let ask = |path| {
        let mut peer = first.reconnect();
        peer.set_room(1_000);
        peer.deliver(&request("GET", path, "Accept-Encoding: gzip\r\n"));
        let head = String::from_utf8_lossy(&peer.take_sent()).to_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        (peer, head.contains("\r\ncontent-encoding: gzip\r\n"))
    };
    let paths = ["/a/x", "/b/x"].into_iter().cycle();
    let mut slow: Vec<_> = paths.take(ENCODERS).map(ask).collect();
    assert!(slow.iter().all(|(_, is_coded)| *is_coded));
    assert!(!ask("/a/x").1 && !ask("/b/x").1);
    // What is told otherwise has its own.
    let own = ask("/c/x");
    assert!(own.1 && !ask("/c/x").1);
    slow[0].0.reset();
    let again = ask("/b/x");
    assert!(again.1 && !ask("/a/x").1);
}
