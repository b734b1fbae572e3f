//! Requests against routers: which handler answers, and what the router answers itself.

use bytes::Bytes;
use futures_lite::future::block_on;
use http::header::CONTENT_TYPE;

use super::*;
use crate::app::{App, Body, Error, TrailingSlash, demo};
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
fn what_stands_before_the_rest() {
    async fn before(request: Request) -> String {
        request.before_rest().to_owned()
    }
    let router = App::new()
        .mount("/s/{a}", before)
        .mount("/", before)
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/s/%2F/b%2fc/d", 200, None, "/s/%2F"),
            ("GET", "/s/x/", 200, None, "/s/x"),
            ("GET", "/b", 200, None, ""),
            ("GET", "//b/c", 200, None, ""),
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

#[test]
fn parameters_of_a_kind() {
    const NOT_FOUND: &str = "404 Not Found\n";
    let router = App::new()
        .post("/{name}", named("any name"))
        .get("/{id:u64}", named("number"))
        .get("/{word:red|green}", named("word"))
        .delete("/{word:red|green}", named("delete a word"))
        .any("/{id:uuid}", named("uuid"))
        .get("/x/{a:hex}/{b}", parameters)
        .mount("/m/{a:alpha}", parameters)
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/7", 200, None, "number"),
            ("GET", "/%37", 200, None, "number"),
            ("POST", "/7", 200, None, "any name"),
            ("GET", "/red", 200, None, "word"),
            ("HEAD", "/red", 200, None, "word"),
            ("DELETE", "/red", 200, None, "delete a word"),
            ("POST", "/red", 200, None, "any name"),
            (
                "PUT",
                "/red",
                405,
                Some("DELETE, GET, HEAD, OPTIONS, POST"),
                "405 Method Not Allowed\n",
            ),
            ("OPTIONS", "/7", 204, Some("GET, HEAD, OPTIONS, POST"), ""),
            (
                "GET",
                "/blue",
                405,
                Some("OPTIONS, POST"),
                "405 Method Not Allowed\n",
            ),
            (
                "PUT",
                "/00112233-4455-6677-8899-aabbccddeeff",
                200,
                None,
                "uuid",
            ),
            (
                "GET",
                "/x/0f/%FF",
                400,
                None,
                "400 Bad Request: The path is not UTF-8 text.\n",
            ),
            ("GET", "/x/0f/y", 200, None, "Some(\"0f\") Some(\"y\") y"),
            ("GET", "/x/0g/y", 404, None, NOT_FOUND),
            ("BREW", "/x/0g/y", 404, None, NOT_FOUND),
            ("GET", "/m/a", 200, None, "Some(\"a\") None "),
            ("GET", "/m/a/b/c", 200, None, "Some(\"a\") None b/c"),
            ("GET", "/m/1", 404, None, NOT_FOUND),
            ("GET", "/m/1/b", 404, None, NOT_FOUND),
        ],
    );
}

#[test]
fn parameters_that_are_read() {
    async fn read(request: Request) -> Result<String, Error> {
        let id: i8 = request.param_as("id")?;
        Ok(id.to_string())
    }
    const MALFORMED: &str = "404 Not Found: The `id` in the path is malformed.\n";
    let router = App::new().get("/{id}", read).build().unwrap();
    check(
        &router,
        &[
            ("GET", "/-7", 200, None, "-7"),
            ("GET", "/%37", 200, None, "7"),
            ("GET", "/128", 404, None, MALFORMED),
            ("GET", "/x", 404, None, MALFORMED),
        ],
    );
    let response = block_on(router.respond(request("GET", "/x", "", Body::Empty)));
    let cause = response.failure().unwrap().source().unwrap();
    assert_eq!(cause.to_string(), "invalid digit found in string");
}

#[test]
fn nested_apps() {
    const NOT_FOUND: &str = "404 Not Found\n";
    let notes = || {
        App::new()
            .get("/", named("notes"))
            .get("/{b:u64}", parameters)
            .post("/new", named("new"))
    };
    let api = App::new()
        .nest("/{a}/notes", notes().fallback(parameters))
        .nest("/plain/", notes())
        .mount("/files", parameters)
        .fallback(named("api"));
    let router = App::new()
        .get("/", named("root"))
        .put("/api/x/notes/new", named("put"))
        .nest("/api", api)
        .nest("/m", App::new().mount("/", parameters))
        .nest("", App::new().get("/flat", named("flat")))
        .build()
        .unwrap();
    let cases: [(&str, &str, u16, Option<&str>, &str); 25] = [
        ("GET", "/", 200, None, "root"),
        ("GET", "/flat", 200, None, "flat"),
        ("GET", "/api/x/notes", 200, None, "notes"),
        (
            "GET",
            "/api/x/notes/7",
            200,
            None,
            "Some(\"x\") Some(\"7\") 7",
        ),
        (
            "HEAD",
            "/api/x/notes/7",
            200,
            None,
            "Some(\"x\") Some(\"7\") 7",
        ),
        (
            "OPTIONS",
            "/api/x/notes/7",
            204,
            Some("GET, HEAD, OPTIONS"),
            "",
        ),
        (
            "PUT",
            "/api/x/notes/7",
            405,
            Some("GET, HEAD, OPTIONS"),
            "405 Method Not Allowed\n",
        ),
        ("POST", "/api/y/notes/new", 200, None, "new"),
        ("PUT", "/api/x/notes/new", 200, None, "put"),
        // Each prefix has the routes of its own paths only, even where they look alike.
        (
            "POST",
            "/api/x/notes/new",
            405,
            Some("OPTIONS, PUT"),
            "405 Method Not Allowed\n",
        ),
        ("GET", "/api/x/notes/z", 200, None, "Some(\"x\") None z"),
        ("GET", "/api/x/notes/", 200, None, "Some(\"x\") None "),
        (
            "PUT",
            "/api/%FF/notes/z/%2f",
            200,
            None,
            "Some(\"\u{fffd}\") None z/%2F",
        ),
        ("GET", "/api/plain/", 200, None, "notes"),
        ("GET", "/api/plain", 200, None, "api"),
        ("GET", "/api/plain/5", 200, None, "None Some(\"5\") 5"),
        ("GET", "/api/plain/z", 200, None, "api"),
        ("GET", "/api/files/a/b", 200, None, "None None a/b"),
        ("GET", "/api/files", 200, None, "None None "),
        ("GET", "/api", 200, None, "api"),
        ("BREW", "/api/", 200, None, "api"),
        ("GET", "/apis", 404, None, NOT_FOUND),
        ("BREW", "/apis", 404, None, NOT_FOUND),
        ("GET", "/m", 200, None, "None None "),
        ("GET", "/m/a/b", 200, None, "None None a/b"),
    ];
    check(&router, &cases);
    let request = request("GET", "/api/x/notes/z", "", Body::Empty);
    let id = router.dispatch(request).route.unwrap();
    let info = router.routes().find(|route| route.id == id).unwrap();
    assert_eq!(info.template, "/api/{a}/notes/(fallback)");
}

#[test]
fn a_nested_fallback_says_nothing_of_other_paths() {
    let router = App::new().nest("/a", App::new().fallback(named("a")));
    check(
        &router.build().unwrap(),
        &[
            ("BREW", "/a", 200, None, "a"),
            ("BREW", "/b", 501, None, "501 Not Implemented\n"),
            ("GET", "/b", 404, None, "404 Not Found\n"),
        ],
    );
}

#[test]
fn hosts() {
    let customer = App::new()
        .get("/{a}", parameters)
        .fallback(named("customer"));
    let router = App::new()
        .get("/", named("any"))
        .put("/x", named("put"))
        .host(
            "example.org",
            App::new().get("/", named("site")).post("/x", named("post")),
        )
        .host("*.example.org", customer)
        .build()
        .unwrap();
    let cases = [
        ("GET", "/", "h", 200, "any"),
        ("GET", "/", "example.org", 200, "site"),
        ("HEAD", "/", "Example.ORG:8080", 200, "site"),
        ("GET", "/", "a.example.org", 200, "customer"),
        ("GET", "/y", "a.b.example.org", 200, "Some(\"y\") None y"),
        ("GET", "/y", "example.org", 404, "404 Not Found\n"),
        ("GET", "http://example.org/", "h", 200, "site"),
        ("POST", "/x", "example.org", 200, "post"),
        ("POST", "/x", "h", 405, "405 Method Not Allowed\n"),
        ("PUT", "/x", "example.org", 405, "405 Method Not Allowed\n"),
        ("OPTIONS", "/x", "example.org", 204, ""),
        ("OPTIONS", "*", "a.example.org", 204, ""),
    ];
    for (method, target, host, status, content) in cases {
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut parser = HeadParser::new();
        let parsed = parser.parse(bytes.as_bytes(), &Default::default());
        let (head, _) = parsed.unwrap().unwrap();
        let request = Request::new(head, Body::Empty, ([127, 0, 0, 1], 1).into());
        let response = block_on(router.respond(request));
        assert_eq!(response.status.as_u16(), status, "{method} {target} {host}");
        let found = block_on(response.body.collect(100)).unwrap();
        assert_eq!(found, content, "{method} {target} {host}");
    }
    let hosts: Vec<_> = router
        .routes()
        .map(|route| (route.host, route.template))
        .collect();
    let (site, below) = (Some("example.org"), Some("*.example.org"));
    assert_eq!(
        hosts,
        [
            (None, "/"),
            (None, "/x"),
            (site, "/"),
            (site, "/x"),
            (below, "/{a}"),
            (below, "(fallback)")
        ]
    );
}

#[test]
fn slashes_at_the_end() {
    let app = || {
        App::new()
            .get("/a", named("a"))
            .get("/b/", named("b"))
            .get("/c", named("c"))
            .get("/c/", named("c/"))
            .get("/{x:u64}/{y}/", parameters)
            .any("/d%2F", named("d"))
            .nest("/strict", {
                let inner = App::new().trailing_slash(TrailingSlash::Strict);
                inner.get("/a", named("a"))
            })
            .nest("/like", App::new().get("/", named("like")))
            .host("h", App::new().get("/e", named("e")))
    };
    let redirecting = app().trailing_slash(TrailingSlash::Redirect);
    let cases: [(&str, &str, u16, Option<&str>); 21] = [
        ("GET", "/a", 404, None),
        ("GET", "/e", 200, None),
        ("GET", "/e/?q=/&r", 308, Some("/e?q=/&r")),
        ("GET", "/e/?", 308, Some("/e?")),
        ("GET", "/e//", 404, None),
        ("POST", "/e/", 404, None),
        ("HEAD", "/e/", 308, Some("/e")),
        ("GET", "/", 404, None),
        ("GET", "/b", 404, None),
        ("GET", "http://other/a/", 308, Some("/a")),
        ("GET", "http://other/%61/", 308, Some("/%61")),
        ("GET", "http://other/b?", 308, Some("/b/?")),
        ("GET", "http://other/b/", 200, None),
        ("GET", "http://other/c", 200, None),
        ("GET", "http://other/c/", 200, None),
        ("GET", "http://other/1/%20", 308, Some("/1/%20/")),
        ("GET", "http://other/x/y", 404, None),
        ("PUT", "http://other/d%2f/", 308, Some("/d%2f")),
        ("GET", "http://other/strict/a/", 404, None),
        ("GET", "http://other/like/", 308, Some("/like")),
        ("OPTIONS", "*", 204, None),
    ];
    let router = redirecting.build().unwrap();
    for (method, target, status, location) in cases {
        let expected = (status, location.map(str::to_owned));
        assert_eq!(
            moved(&router, method, target),
            expected,
            "{method} {target}"
        );
    }
    let strict = app().build().unwrap();
    assert_eq!(moved(&strict, "GET", "/e/"), (404, None));
    // Only a template with `//` could lead off the site.
    let odd = App::new().get("//{x}/", named("x")).get("/ok", named("ok"));
    let odd = odd
        .trailing_slash(TrailingSlash::Redirect)
        .fallback(named("fallback"));
    let odd = odd.build().unwrap();
    assert_eq!(moved(&odd, "GET", "//example.org"), (200, None));
    assert_eq!(moved(&odd, "GET", "/ok/"), (308, Some("/ok".to_owned())));
}

#[test]
fn named_routes() {
    async fn link(request: Request) -> Result<String, Error> {
        Ok(request.url_for("v2.note", &[("id", &7), ("rest", &"a b")])?)
    }
    let notes = || App::new().mount("/{id:u64}/", link).name("note");
    let router = App::new()
        .get("/", link)
        .name("root")
        .nest("/v1", notes())
        .name("v1")
        .nest("/v2", notes())
        .name("v2")
        .host("h", App::new().get("/h/{x}", link).name("host"))
        .build()
        .unwrap();
    let cases = [
        router.url_for("root", &[]),
        router.url_for("v1.note", &[("rest", &""), ("id", &1)]),
        router.url_for("host", &[("x", &'é')]),
    ];
    let paths = cases.map(Result::unwrap);
    assert_eq!(paths, ["/", "/v1/1/", "/h/%C3%A9"]);
    let names: Vec<_> = router.routes().map(|route| route.name).collect();
    assert_eq!(
        names,
        [Some("root"), Some("v1.note"), Some("v2.note"), Some("host")]
    );
    assert!(router.url_for("note", &[]).is_err());
    let elsewhere = block_on(router.respond(request("GET", "http://i/v1/5", "", Body::Empty)));
    assert_eq!(
        block_on(elsewhere.body.collect(100)).unwrap(),
        "/v2/7/a%20b"
    );
}
