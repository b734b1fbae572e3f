//! Apps that consist of others: nested ones, and those of hosts.

use super::*;

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
fn the_rest_of_a_fallback_is_what_follows_its_prefix() {
    let nested = App::new().fallback(parameters);
    let router = App::new().nest("/x/{a}", nested).fallback(parameters);
    check(
        &router.build().unwrap(),
        &[
            ("GET", "/x/1/y/%62", 200, None, "Some(\"1\") None y/b"),
            ("GET", "/x/1/", 200, None, "Some(\"1\") None "),
            ("GET", "/x/%31", 200, None, "Some(\"1\") None "),
            ("GET", "/y/%62", 200, None, "None None y/b"),
            ("GET", "/", 200, None, "None None "),
        ],
    );
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
