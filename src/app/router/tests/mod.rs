//! Requests against routers: which handler answers, and what the router answers itself.

use bytes::Bytes;
use futures_lite::future::block_on;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION};

use super::*;
use crate::app::{App, Body, Error, demo};
use crate::http::HeadParser;

mod links;
mod methods;
mod mounts;
mod parts;
mod precedence;
mod templates;

/// A request as it comes from the wire.
fn request(method: &str, target: &str, fields: &str, body: impl Into<Body>) -> Request {
    let bytes = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let (head, _) = HeadParser::new()
        .parse(bytes.as_bytes(), &Default::default())
        .unwrap()
        .unwrap();
    Request::new(head, body.into(), ([127, 0, 0, 1], 1).into())
}

/// Status, Allow and content of the response.
fn ask(router: &Router, method: &str, target: &str) -> (u16, Option<String>, Bytes) {
    let response = block_on(router.respond(request(method, target, "", Body::Empty)));
    let allow = response.headers.get(&ALLOW);
    (
        response.status.as_u16(),
        allow.map(|value| value.to_str().unwrap().to_owned()),
        block_on(response.body.collect(1000)).unwrap(),
    )
}

/// Status and Location of the response.
fn moved(router: &Router, method: &str, target: &str) -> (u16, Option<String>) {
    let response = block_on(router.respond(request(method, target, "", Body::Empty)));
    let location = response.headers.get(&LOCATION);
    let location = location.map(|value| value.to_str().unwrap().to_owned());
    (response.status.as_u16(), location)
}

/// A handler that says its name.
fn named(name: &'static str) -> impl Handler {
    move |_: Request| async move { name }
}

async fn parameters(request: Request) -> String {
    let of = |name| request.try_param(name);
    format!("{:?} {:?} {}", of("a"), of("b"), request.rest())
}

fn check(router: &Router, cases: &[(&str, &str, u16, Option<&str>, &'static str)]) {
    for &(method, target, status, allow, content) in cases {
        let expected = (status, allow.map(str::to_owned), content.into());
        assert_eq!(ask(router, method, target), expected, "{method} {target}");
    }
}

#[test]
fn the_demo() {
    const HELLO: &str = "{\"message\":\"Hello, World!\"}";
    let router = demo::demo().build().unwrap();
    check(
        &router,
        &[
            ("GET", "/", 200, None, "Hello, Anonymous"),
            ("GET", "http://h", 200, None, "Hello, Anonymous"),
            ("GET", "/?name=x", 200, None, "Hello, Anonymous"),
            ("GET", "/Ada", 200, None, "Hello, Ada"),
            ("GET", "/Ada%20Lovelace", 200, None, "Hello, Ada Lovelace"),
            ("GET", "/Andr%C3%A9", 200, None, "Hello, André"),
            ("GET", "/a%2Fb", 200, None, "Hello, a/b"),
            ("GET", "/a+b", 200, None, "Hello, a+b"),
            (
                "GET",
                "/%FF",
                400,
                None,
                "400 Bad Request: The path is not UTF-8 text.\n",
            ),
            ("GET", "/plaintext", 200, None, "Hello, World!"),
            ("GET", "/%70laintext", 200, None, "Hello, World!"),
            ("GET", "/plaintext/", 404, None, "404 Not Found\n"),
            ("GET", "/json", 200, None, HELLO),
            ("HEAD", "/json", 200, None, HELLO),
            ("POST", "/echo", 200, None, ""),
            ("GET", "/a/b", 404, None, "404 Not Found\n"),
        ],
    );
}

#[test]
fn the_echo_keeps_content_and_type() {
    let router = demo::demo().build().unwrap();
    let cases = [
        ("Content-Type: a/b; c=\"d\"\r\n", Some("a/b; c=\"d\"")),
        ("", None),
    ];
    for (fields, content_type) in cases {
        let response = block_on(router.respond(request("POST", "/echo", fields, "abc")));
        let echoed = response.headers.get(&CONTENT_TYPE);
        assert_eq!(echoed.map(|value| value.to_str().unwrap()), content_type);
        assert_eq!(response.body.length(), Some(3));
        assert_eq!(block_on(response.body.collect(3)).unwrap(), "abc");
    }
}

#[test]
fn a_dispatch_names_its_route() {
    let router = App::new()
        .get("/", named("get"))
        .mount("/s", named("s"))
        .fallback(named("fallback"))
        .build()
        .unwrap();
    let cases = [
        ("GET", "/", Some(0)),
        ("HEAD", "/", Some(0)),
        ("PUT", "/", None),
        ("GET", "/s", Some(1)),
        ("GET", "/s/x", Some(1)),
        ("GET", "/other", Some(2)),
        ("OPTIONS", "*", None),
    ];
    for (method, target, id) in cases {
        let dispatch = router.dispatch(request(method, target, "", Body::Empty));
        assert_eq!(dispatch.route, id.map(RouteId), "{method} {target}");
    }
    let routes: Vec<_> = router
        .routes()
        .map(|r| (r.id.0, r.method, r.template))
        .collect();
    assert_eq!(
        routes,
        [
            (0, Some(&Method::GET), "/"),
            (1, None, "/s/{*rest}"),
            (2, None, "(fallback)")
        ]
    );
}

#[test]
fn a_handler_that_waits_is_polled_again() {
    let handler = async |_| {
        futures_lite::future::yield_now().await;
        "done"
    };
    let router = App::new().get("/", handler).build().unwrap();
    check(&router, &[("GET", "/", 200, None, "done")]);
}

#[test]
fn handlers_read_their_request() {
    async fn describe(mut request: Request) -> Result<String, Error> {
        let text = request.text().await?;
        assert_eq!(request.bytes().await?, text);
        Ok(format!(
            "{} {} {:?} {:?} {:?} {} {} {}",
            request.method(),
            request.path(),
            request.query_str(),
            request.header("X-A"),
            request.header("x-b"),
            request.route().unwrap(),
            request.peer(),
            text,
        ))
    }
    let router = App::new().post("/{a}/%61", describe).build().unwrap();
    let cases: [(&str, &str, Bytes, u16, &str); 4] = [
        (
            "/%41/a?q",
            "X-A: 1\r\nx-a: 2\r\nX-B: \u{e9}\r\n",
            "text".into(),
            200,
            "POST /%41/a Some(\"q\") Some(\"1\") Some(\"é\") /{a}/%61 127.0.0.1:1 text",
        ),
        (
            "/A/%61",
            "",
            "".into(),
            200,
            "POST /A/%61 None None None /{a}/%61 127.0.0.1:1 ",
        ),
        (
            "/A/a",
            "",
            Bytes::from_static(b"\xFF"),
            400,
            "400 Bad Request: The content is not UTF-8 text.\n",
        ),
        (
            "/A/a",
            "",
            vec![b'a'; crate::limits::BODY_BYTES as usize + 1].into(),
            413,
            "413 Payload Too Large: The request content is larger than this server accepts here.\n",
        ),
    ];
    for (target, fields, body, status, expected) in cases {
        let response = block_on(router.respond(request("POST", target, fields, body)));
        assert_eq!(response.status.as_u16(), status);
        assert_eq!(block_on(response.body.collect(1000)).unwrap(), expected);
    }
}
