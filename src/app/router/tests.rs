//! Requests against routers: which handler answers, and what the router answers itself.

use bytes::Bytes;
use futures_lite::future::block_on;
use http::header::CONTENT_TYPE;

use super::*;
use crate::app::{App, Body, Error, demo};
use crate::http::HeadParser;

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
fn methods_of_a_path() {
    let purge = Method::from_bytes(b"PURGE").unwrap();
    let router = App::new()
        .put("/a", named("put"))
        .get("/a", named("get"))
        .route(purge, "/a", named("purge"))
        .post("/b", named("post"))
        .get("/c", named("get"))
        .head("/c", named("head"))
        .options("/c", named("options"))
        .any("/d", named("any"))
        .get("/d", named("get"))
        .any("/e", named("any"))
        .build()
        .unwrap();
    const A: Option<&str> = Some("GET, HEAD, OPTIONS, PURGE, PUT");
    const B: Option<&str> = Some("OPTIONS, POST");
    const NOT_ALLOWED: &str = "405 Method Not Allowed\n";
    check(
        &router,
        &[
            ("GET", "/a", 200, None, "get"),
            ("HEAD", "/a", 200, None, "get"),
            ("PUT", "/a", 200, None, "put"),
            ("PURGE", "/a", 200, None, "purge"),
            ("OPTIONS", "/a", 204, A, ""),
            ("POST", "/a", 405, A, NOT_ALLOWED),
            ("get", "/a", 405, A, NOT_ALLOWED),
            ("TRACE", "/a", 405, A, NOT_ALLOWED),
            ("GET", "/b", 405, B, NOT_ALLOWED),
            ("HEAD", "/b", 405, B, NOT_ALLOWED),
            ("OPTIONS", "/b", 204, B, ""),
            ("HEAD", "/c", 200, None, "head"),
            ("OPTIONS", "/c", 200, None, "options"),
            ("GET", "/d", 200, None, "get"),
            ("HEAD", "/d", 200, None, "get"),
            ("OPTIONS", "/d", 200, None, "any"),
            ("HEAD", "/e", 200, None, "any"),
            ("BREW", "/e", 200, None, "any"),
        ],
    );
}

#[test]
fn requests_without_a_route() {
    const EVERYTHING: Option<&str> = Some("GET, HEAD, OPTIONS, POST");
    const COMMON: Option<&str> = Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    let app = || App::new().get("/a", named("a")).post("/b", named("b"));
    let router = app().build().unwrap();
    check(
        &router,
        &[
            ("GET", "/c", 404, None, "404 Not Found\n"),
            ("PATCH", "/c", 404, None, "404 Not Found\n"),
            ("OPTIONS", "/c", 404, None, "404 Not Found\n"),
            ("BREW", "/c", 501, None, "501 Not Implemented\n"),
            ("TRACE", "/c", 501, None, "501 Not Implemented\n"),
            ("CONNECT", "h:1", 501, None, "501 Not Implemented\n"),
            ("OPTIONS", "*", 204, EVERYTHING, ""),
        ],
    );
    let router = app().fallback(named("fallback")).build().unwrap();
    check(
        &router,
        &[
            ("GET", "/a", 200, None, "a"),
            (
                "PUT",
                "/a",
                405,
                Some("GET, HEAD, OPTIONS"),
                "405 Method Not Allowed\n",
            ),
            ("GET", "/c", 200, None, "fallback"),
            ("BREW", "/%FF", 200, None, "fallback"),
            ("OPTIONS", "*", 204, COMMON, ""),
            ("CONNECT", "h:1", 501, None, "501 Not Implemented\n"),
        ],
    );
}

#[test]
fn literal_text_goes_before_parameters() {
    let router = App::new()
        .get("/{a}", parameters)
        .get("/x", named("x"))
        .get("/x/{a}", parameters)
        .get("/x/y", named("x/y"))
        .get("/x/{a}/{b}", parameters)
        .get("/café", named("café"))
        .get("/a b{{c}}", named("a b{c}"))
        .get("/img-{a}.png", parameters)
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/x", 200, None, "x"),
            ("GET", "/%78", 200, None, "x"),
            ("GET", "/xy", 200, None, "Some(\"xy\") None xy"),
            ("GET", "/x/y", 200, None, "x/y"),
            ("GET", "/x%2Fy", 200, None, "Some(\"x/y\") None x%2Fy"),
            ("GET", "/x/yz", 200, None, "Some(\"yz\") None yz"),
            ("GET", "/x/y/z", 200, None, "Some(\"y\") Some(\"z\") z"),
            (
                "GET",
                "/x/%25/%252F",
                200,
                None,
                "Some(\"%\") Some(\"%2F\") %252F",
            ),
            (
                "GET",
                "/x/%C3%A9/%C3",
                400,
                None,
                "400 Bad Request: The path is not UTF-8 text.\n",
            ),
            ("GET", "/x//z", 404, None, "404 Not Found\n"),
            ("GET", "/caf%c3%a9", 200, None, "café"),
            ("GET", "/a%20b%7Bc%7D", 200, None, "a b{c}"),
            ("GET", "/img-%31.png", 200, None, "Some(\"1\") None 1"),
        ],
    );
}

#[test]
fn a_mount_takes_everything_below_its_prefix() {
    let router = App::new()
        .mount("/s/{a}/", parameters)
        .get("/s/x/special", named("special"))
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/s", 404, None, "404 Not Found\n"),
            ("GET", "/s/x", 200, None, "Some(\"x\") None "),
            ("GET", "/s/x/", 200, None, "Some(\"x\") None "),
            ("GET", "/s/x/y//z/", 200, None, "Some(\"x\") None y//z/"),
            ("PUT", "/s/x/..", 200, None, "Some(\"x\") None .."),
            (
                "GET",
                "/s/x/%FF%2f%20",
                200,
                None,
                "Some(\"x\") None %FF%2F ",
            ),
            ("GET", "/s/%FF/y", 200, None, "Some(\"\u{fffd}\") None y"),
            ("GET", "/s/x/special", 200, None, "special"),
        ],
    );
    let root = App::new().mount("/", parameters).build().unwrap();
    check(
        &root,
        &[
            ("GET", "/", 200, None, "None None "),
            ("GET", "/a/b", 200, None, "None None a/b"),
        ],
    );
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

#[test]
#[should_panic(expected = "the route /{a} has no parameter `b`")]
fn a_parameter_that_the_route_does_not_have_is_a_mistake() {
    let handler = |request: Request| async move { request.param("b").into_owned() };
    let router = App::new().get("/{a}", handler).build().unwrap();
    ask(&router, "GET", "/x");
}
