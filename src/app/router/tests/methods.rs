//! What a path answers to each method, and requests that have no route.

use super::*;

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
fn a_catch_all_has_the_methods_that_routes_leave() {
    async fn caught(request: Request) -> String {
        let (method, path) = (request.method(), request.path());
        format!("caught {method} {path} {}", request.route().unwrap())
    }
    let router = App::new()
        .get("/a", named("get"))
        .post("/b/{a:u64}", named("post"))
        .route(Method::OPTIONS, "/c", named("options"))
        .any("/d", named("any"))
        .nest(
            "/own",
            App::new().get("/a", named("own")).fallback(named("else")),
        )
        .nest("/in", App::new().get("/a", named("in")))
        .catch_all(caught)
        .build()
        .unwrap();
    let allow = Some("GET, HEAD, OPTIONS");
    check(
        &router,
        &[
            ("GET", "/a", 200, None, "get"),
            ("HEAD", "/a", 200, None, "get"),
            ("POST", "/a", 200, None, "caught POST /a (fallback)"),
            ("POST", "/%61", 200, None, "caught POST /%61 (fallback)"),
            ("OPTIONS", "/a", 200, None, "caught OPTIONS /a (fallback)"),
            ("BREW", "/a", 200, None, "caught BREW /a (fallback)"),
            ("POST", "/b/1", 200, None, "post"),
            ("GET", "/b/1", 200, None, "caught GET /b/1 (fallback)"),
            ("HEAD", "/b/1", 200, None, "caught HEAD /b/1 (fallback)"),
            ("POST", "/b/x", 200, None, "caught POST /b/x (fallback)"),
            ("OPTIONS", "/c", 200, None, "options"),
            ("GET", "/c", 200, None, "caught GET /c (fallback)"),
            ("BREW", "/d", 200, None, "any"),
            ("GET", "/e", 200, None, "caught GET /e (fallback)"),
            ("GET", "/in/a", 200, None, "in"),
            ("PUT", "/in/a", 200, None, "caught PUT /in/a (fallback)"),
            ("GET", "/own/b", 200, None, "else"),
            ("PUT", "/own/a", 405, allow, "405 Method Not Allowed\n"),
            (
                "OPTIONS",
                "*",
                204,
                Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
                "",
            ),
        ],
    );
    // One below a prefix is for that alone, and goes before what is around it.
    let inner = App::new().get("/a", named("a")).catch_all(caught);
    let router = App::new()
        .get("/a", named("a"))
        .nest("/in/{b}", inner)
        .fallback(named("else"))
        .build()
        .unwrap();
    check(
        &router,
        &[
            (
                "PUT",
                "/in/1/a",
                200,
                None,
                "caught PUT /in/1/a /in/{b}/(fallback)",
            ),
            (
                "PUT",
                "/in/1/b",
                200,
                None,
                "caught PUT /in/1/b /in/{b}/(fallback)",
            ),
            ("PUT", "/a", 405, allow, "405 Method Not Allowed\n"),
            ("PUT", "/b", 200, None, "else"),
        ],
    );
    let both = App::new().fallback(named("a")).catch_all(named("b"));
    assert!(both.build().is_err());
}
