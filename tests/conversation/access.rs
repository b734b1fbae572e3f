//! What an app is told of requests that are over: once for each, when that is so.

use super::{get, request, sent, statuses};
use corelane::app::middleware::RequestId;
use corelane::app::{Access, AccessFormat, BodyError, Ended, Response};
use corelane::http::CloseReason;
use corelane::limits::{COPIED_BODY_BYTES, HEAD_TIMEOUT};
use corelane::testing::Conversation;
use corelane::{App, Body, Request};
use futures_lite::stream;
use http::StatusCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What was told, a text each.
type Told = Rc<RefCell<Vec<String>>>;

/// Some pieces, and then its end or a failure.
fn streamed<const N: usize>(pieces: [Result<&'static str, BodyError>; N]) -> Response {
    Response::new(StatusCode::OK).with_body(Body::from_stream(stream::iter(pieces)))
}

/// An app that is told of in the text that `tell` makes.
fn told_by(tell: impl Fn(&Access<'_>) -> String + 'static) -> (Conversation, Told) {
    let told = Told::default();
    let notes = Rc::clone(&told);
    let app = App::new()
        .access_log(move |access| notes.borrow_mut().push(tell(access)))
        .get("/", async |_| "Hello")
        .get("/{name}", async |request: Request| {
            request.param("name").into_owned()
        })
        .post("/take", async |mut request: Request| {
            Ok::<_, corelane::Error>(request.bytes().await?.len().to_string())
        })
        .get("/large", async |_| vec![b'x'; 1 << 20])
        .get("/copied", async |_| vec![b'c'; COPIED_BODY_BYTES])
        .get("/behind", async |_| vec![b'b'; COPIED_BODY_BYTES + 1])
        .get("/stream", async |_| streamed([Ok("ab"), Ok("cd")]))
        .get("/broken", async |_| {
            let failure = std::io::Error::other("it fails");
            streamed([Ok("ab"), Err(BodyError::Io(failure))])
        })
        .get("/panic", async |_| -> &str { panic!("it panics") })
        .get("/never", async |_| std::future::pending::<&str>().await)
        .get("/sleep", async |request: Request| {
            request.time().sleep(Duration::from_millis(3)).await;
            "slept"
        });
    let peer = Conversation::new(app).expect("routes that fit together");
    (peer, told)
}

/// Route, status, bytes, and how it ended.
fn short(access: &Access<'_>) -> String {
    format!(
        "{} {} {}/{} {}",
        access.route().unwrap_or("-"),
        access.status().map_or(0, |status| status.as_u16()),
        access.received_bytes(),
        access.sent_bytes(),
        access.ended().as_str(),
    )
}

fn take(told: &Told) -> Vec<String> {
    std::mem::take(&mut told.borrow_mut())
}

#[test]
fn each_request_is_told_of_with_its_own_bytes() {
    let (mut peer, told) = told_by(short);
    // What is gathered, what goes out from where it lies, and what is streamed, by themselves and
    // behind each other.
    let post = request("POST", "/take", "Content-Length: 5\r\n");
    let chunked = request("POST", "/take", "Transfer-Encoding: chunked\r\n");
    let kinds = [
        (get(), "/ 200"),
        (request("HEAD", "/", ""), "/ 200"),
        (request("GET", "/Ada", ""), "/{name} 200"),
        (request("GET", "/a/b", ""), "- 404"),
        (request("PUT", "/", ""), "- 405"),
        (request("GET", "/behind", ""), "/behind 200"),
        (request("GET", "/copied", ""), "/copied 200"),
        (request("GET", "/behind", ""), "/behind 200"),
        (request("HEAD", "/behind", ""), "/behind 200"),
        (request("GET", "/behind", ""), "/behind 200"),
        (request("GET", "/large", ""), "/large 200"),
        (request("GET", "/behind", ""), "/behind 200"),
        (request("GET", "/stream", ""), "/stream 200"),
        (request("GET", "/behind", ""), "/behind 200"),
        (request("GET", "/panic", ""), "/panic 500"),
        ([&post[..], b"12345"].concat(), "/take 200"),
        (
            [&chunked[..], b"2\r\nab\r\n0\r\n\r\n"].concat(),
            "/take 200",
        ),
    ];
    let (mut expected, mut sent) = (Vec::new(), Vec::new());
    for (message, what) in &kinds {
        peer.deliver(message);
        let response = peer.take_sent();
        expected.push(format!("{what} {}/{} sent", message.len(), response.len()));
        assert_eq!(take(&told), expected[expected.len() - 1..]);
        sent.extend(response);
    }
    let all: Vec<u8> = kinds
        .iter()
        .flat_map(|(message, _)| message.clone())
        .collect();
    peer.deliver(&all);
    assert_eq!(take(&told), expected);
    assert!(peer.take_sent() == sent, "other bytes, or in another order");
}

#[test]
fn it_is_told_when_the_response_is_sent_and_not_when_it_is_made() {
    let (mut peer, told) = told_by(|access| {
        let ms = access.duration().as_millis();
        format!("{} {ms} ms", short(access))
    });
    peer.set_room(100);
    peer.deliver(&request("GET", "/large", ""));
    peer.pass(Duration::from_millis(7));
    assert!(take(&told).is_empty());
    peer.set_room(usize::MAX);
    let bytes = peer.take_sent().len();
    let head = request("GET", "/large", "").len();
    assert_eq!(
        take(&told),
        [format!("/large 200 {head}/{bytes} sent 7 ms")]
    );
    // Two that are gathered are sent at once; one that waits lets the others go first.
    peer.deliver(&[get(), get(), request("GET", "/sleep", "")].concat());
    assert_eq!(take(&told).len(), 2);
    assert!(peer.pass_next());
    let last = take(&told);
    assert!(last[0].starts_with("/sleep 200 ") && last[0].ends_with(" sent 3 ms"));
    assert_eq!(last.len(), 1);
}

#[test]
fn what_has_no_whole_response_is_told_of_as_well() {
    // A handler whose peer leaves.
    let (mut peer, told) = told_by(short);
    let never = request("GET", "/never", "");
    peer.deliver(&never);
    peer.close();
    let bytes = never.len();
    assert_eq!(take(&told), [format!("/never 0 {bytes}/0 peer_aborted")]);

    // One that is there when the connection is cut off.
    let (mut peer, told) = told_by(short);
    peer.deliver(&[get(), never.clone()].concat());
    assert_eq!(take(&told).len(), 1);
    drop(peer);
    assert_eq!(take(&told), [format!("/never 0 {bytes}/0 stopped")]);

    // Responses of which only some bytes go out.
    let (mut peer, told) = told_by(short);
    let large = request("GET", "/large", "");
    peer.deliver(&get());
    let first = peer.take_sent().len();
    take(&told);
    peer.set_room(first + 100);
    peer.deliver(&[get(), large.clone()].concat());
    peer.reset();
    let expected = [
        format!("/ 200 {}/{first} peer_aborted", get().len()),
        format!("/large 200 {}/100 peer_aborted", large.len()),
    ];
    assert_eq!(take(&told), expected);

    // One that breaks off.
    let (mut peer, told) = told_by(short);
    let broken = request("GET", "/broken", "");
    peer.deliver(&broken);
    let bytes = peer.take_sent().len();
    let expected = format!("/broken 200 {}/{bytes} truncated", broken.len());
    assert_eq!(take(&told), [expected]);
}

#[test]
fn what_is_refused_is_told_of_without_its_head() {
    for (message, status) in [("GET / HTTP/1.1\n", 400), ("GET / HTTP/3.0\r\n\r\n", 505)] {
        let (mut peer, told) = told_by(|access| {
            let head = (access.method(), access.target(), access.version());
            assert_eq!((head, access.host()), ((None, None, None), None));
            assert_eq!(access.header_bytes("host"), None);
            short(access)
        });
        peer.deliver(message.as_bytes());
        let bytes = peer.take_sent().len();
        peer.close();
        assert_eq!(take(&told), [format!("- {status} 0/{bytes} sent")]);
    }
    let (mut peer, told) = told_by(short);
    peer.deliver(b"GET");
    peer.pass(HEAD_TIMEOUT);
    assert_eq!(statuses(&sent(&mut peer)), [408]);
    assert_eq!(take(&told).len(), 1);
    // A connection without a request is none.
    let (mut peer, told) = told_by(short);
    peer.deliver(b"GE");
    peer.close();
    assert!(take(&told).is_empty());
}

#[test]
fn lines_hold_what_the_peer_sent_and_are_one_each() {
    for (format, expected) in [
        (
            AccessFormat::Common,
            r#"127.0.0.1 - - [09/Sep/2001:01:46:42 +0000] "GET /a%0Ab?c' HTTP/1.1" 200 SENT"#,
        ),
        (
            AccessFormat::Combined,
            r#"127.0.0.1 - - [09/Sep/2001:01:46:42 +0000] "GET /a%0Ab?c' HTTP/1.1" 200 SENT "-" "a\"\xc3\xa9\x09\xff""#,
        ),
        (
            AccessFormat::Json,
            concat!(
                r#"{"began_at_ms":1000000002000,"duration_ns":0,"peer":"127.0.0.1:1","#,
                r#""method":"GET","target":"/a%0Ab?c'","protocol":"HTTP/1.1","host":"h","#,
                r#""route":"/{name}","status":200,"received_bytes":GOT,"sent_bytes":SENT,"#,
                "\"ended\":\"sent\",\"user_agent\":\"a\\\"é\\u0009\u{fffd}\"}"
            ),
        ),
    ] {
        let (mut peer, told) = told_by(move |access| access.line(format).to_string());
        peer.pass(Duration::from_secs(2));
        let head = b"GET /a%0Ab?c' HTTP/1.1\r\nHost: h\r\nUser-Agent: a\"\xc3\xa9\t\xff\r\n\r\n";
        peer.deliver(head);
        let sent = peer.take_sent().len().to_string();
        let expected = expected.replace("SENT", &sent);
        assert_eq!(
            take(&told),
            [expected.replace("GOT", &head.len().to_string())]
        );
    }
    let (mut peer, told) = told_by(|access| access.line(AccessFormat::Combined).to_string());
    peer.deliver(b"\n");
    let bytes = peer.take_sent().len();
    let expected = format!(r#"127.0.0.1 - - [09/Sep/2001:01:46:40 +0000] "-" 400 {bytes} "-" "-""#);
    assert_eq!(take(&told), [expected]);
}

#[test]
fn request_ids_and_nested_apps() {
    let told = Told::default();
    let tell = |name: &'static str| {
        let notes = Rc::clone(&told);
        move |access: &Access<'_>| {
            let id = access.request_id().map(str::len);
            let note = format!(
                "{name} {} {id:?} {:?}",
                access.route().unwrap(),
                access.ended()
            );
            notes.borrow_mut().push(note);
        }
    };
    let inner = App::new()
        .access_log(tell("inner"))
        .wrap(RequestId::new())
        .get("/", async |_| "inner");
    let app = App::new()
        .access_log(tell("outer"))
        .nest("/in", inner)
        .get("/out", async |_| "outer");
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&[request("GET", "/in", ""), request("GET", "/out", "")].concat());
    let expected = [
        "outer /in Some(32) Sent",
        "inner /in Some(32) Sent",
        "outer /out None Sent",
        "inner /out None Sent",
    ];
    assert_eq!(take(&told), expected);
    assert_eq!(Ended::Abandoned(CloseReason::Stopped).as_str(), "stopped");
}

#[test]
fn a_panic_in_it_changes_nothing_else() {
    let calls = Told::default();
    let notes = Rc::clone(&calls);
    let app = App::new()
        .access_log(|_| panic!("it panics"))
        .access_log(move |access| notes.borrow_mut().push(short(access)))
        .get("/", async |_| "Hello");
    let mut peer = Conversation::new(app).unwrap();
    peer.deliver(&[get(), get()].concat());
    assert_eq!(statuses(&sent(&mut peer)), [200, 200]);
    assert_eq!((peer.ended(), peer.in_flight()), (None, 0));
    assert_eq!(take(&calls).len(), 2);
}
