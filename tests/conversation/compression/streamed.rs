//! Content that is compressed as it is made: when it is sent, what becomes of it when it fails, and how much
//! of it is held for peers that do not read.

use super::super::streaming::Feed;
use super::*;

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
