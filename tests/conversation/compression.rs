//! Compressed responses as peers get them: which are, what their fields say, and how they are streamed.
//! Which coding is chosen stands in `http/coding.rs`.

mod streamed;

use super::request;
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
