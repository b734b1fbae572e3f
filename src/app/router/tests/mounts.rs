//! What takes everything below a prefix.

use super::*;

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

/// A mount, of which the content tells what follows its prefix.
fn below(name: &'static str) -> impl Handler {
    move |request: Request| async move { format!("{name}: {}", request.rest()) }
}

#[test]
fn routes_beside_a_mount_at_the_root() {
    let router = App::new()
        .get("/", named("home"))
        .get("/{a}", parameters)
        .get("/users/{a:u64}", parameters)
        .post("/users/{a:u64}/", named("post"))
        .mount("/", below("root"))
        .build()
        .unwrap();
    const GET: Option<&str> = Some("GET, HEAD, OPTIONS");
    const NOT_ALLOWED: &str = "405 Method Not Allowed\n";
    check(
        &router,
        &[
            ("GET", "/", 200, None, "home"),
            ("HEAD", "/", 200, None, "home"),
            ("POST", "/", 200, None, "root: "),
            ("GET", "/x", 200, None, "Some(\"x\") None x"),
            ("HEAD", "/x", 200, None, "Some(\"x\") None x"),
            ("GET", "/%78%2Fy", 200, None, "Some(\"x/y\") None x%2Fy"),
            // The path is the template's for all methods, as it is where no mount is.
            ("PUT", "/x", 405, GET, NOT_ALLOWED),
            ("BREW", "/x", 405, GET, NOT_ALLOWED),
            ("OPTIONS", "/x", 204, GET, ""),
            (
                "GET",
                "/%FF",
                400,
                None,
                "400 Bad Request: The path is not UTF-8 text.\n",
            ),
            ("GET", "/x/", 200, None, "root: x/"),
            ("PUT", "/x/y", 200, None, "root: x/y"),
            ("BREW", "//x", 200, None, "root: /x"),
            ("GET", "/x/%FF%2f%20", 200, None, "root: x/%FF%2F "),
            ("GET", "/users", 200, None, "Some(\"users\") None users"),
            ("GET", "/users/7", 200, None, "Some(\"7\") None 7"),
            ("PUT", "/users/7", 405, GET, NOT_ALLOWED),
            ("GET", "/users/ada", 200, None, "root: users/ada"),
            ("PUT", "/users/ada", 200, None, "root: users/ada"),
            ("OPTIONS", "/users/ada", 200, None, "root: users/ada"),
            ("POST", "/users/7/", 200, None, "post"),
            ("GET", "/users/7/", 405, Some("OPTIONS, POST"), NOT_ALLOWED),
            ("POST", "/users/x/", 200, None, "root: users/x/"),
        ],
    );
}

#[test]
fn the_more_specific_of_mounts_and_routes() {
    let router = App::new()
        .mount("/static", below("static"))
        .get("/static/{a}", parameters)
        .get("/static/{a:u64}/{b}", parameters)
        .get("/{a}/{b}/{c}", named("three"))
        .mount("/{a}", below("any"))
        .mount("/{a:u64}", below("number"))
        .get("/7", named("seven"))
        .get("/x/{*b}", named("rest"))
        .mount("/x/y", below("x/y"))
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/static", 200, None, "static: "),
            ("GET", "/static/", 200, None, "static: "),
            ("GET", "/static/1", 200, None, "Some(\"1\") None 1"),
            ("GET", "/static/1/2", 200, None, "Some(\"1\") Some(\"2\") 2"),
            ("GET", "/static/a/2", 200, None, "static: a/2"),
            ("GET", "/static/a/", 200, None, "static: a/"),
            ("GET", "/a/b/c", 200, None, "three"),
            ("GET", "/a", 200, None, "any: "),
            ("GET", "/a/", 200, None, "any: "),
            ("GET", "/a/b", 200, None, "any: b"),
            ("GET", "/a/b/c/d", 200, None, "any: b/c/d"),
            ("GET", "/1/b", 200, None, "number: b"),
            ("GET", "/1", 200, None, "number: "),
            ("GET", "/7", 200, None, "seven"),
            (
                "PUT",
                "/7",
                405,
                Some("GET, HEAD, OPTIONS"),
                "405 Method Not Allowed\n",
            ),
            ("GET", "/7/", 200, None, "number: "),
            ("GET", "/x/z", 200, None, "rest"),
            ("GET", "/x/y", 200, None, "x/y: "),
            ("GET", "/x/y/z", 200, None, "x/y: z"),
            ("GET", "/x", 200, None, "any: "),
            ("GET", "//", 404, None, "404 Not Found\n"),
        ],
    );
}

#[test]
fn routes_take_the_path_of_a_prefix_from_its_mount() {
    let only_get = |app: App| app.route(Method::GET, "/a/{*rest}", below("get"));
    let router = App::new()
        .any("/m", named("any"))
        .mount("/m", below("m"))
        .mount("/n", below("n"))
        .get("/n/", named("get"))
        .mount("/{a:u64}", below("number"))
        .get("/{a}", named("one"))
        .mount("/a", below("a"));
    let router = only_get(router).build().unwrap();
    check(
        &router,
        &[
            ("GET", "/m", 200, None, "any"),
            ("PUT", "/m", 200, None, "any"),
            ("GET", "/m/", 200, None, "m: "),
            ("GET", "/n", 200, None, "n: "),
            ("GET", "/n/", 200, None, "get"),
            ("HEAD", "/n/", 200, None, "get"),
            ("PUT", "/n/", 200, None, "n: "),
            ("GET", "/5", 200, None, "number: "),
            ("GET", "/x", 200, None, "one"),
            ("GET", "/a/b", 200, None, "get: b"),
            ("PUT", "/a/b", 200, None, "a: b"),
            ("GET", "/a", 200, None, "a: "),
        ],
    );
}

#[test]
fn a_mount_of_a_nested_app() {
    async fn before(request: Request) -> String {
        let (before, rest) = (request.before_rest(), request.rest());
        format!("{} {before} {rest}", request.route().unwrap())
    }
    let api = || {
        App::new()
            .mount("/", before)
            .name("files")
            .get("/{b}", parameters)
    };
    let router = App::new()
        .nest("/api", api())
        .nest("/{a}/v2", api())
        .name("v2")
        .get("/{*rest}", named("rest"))
        .trailing_slash(crate::app::TrailingSlash::Redirect)
        .host(
            "h",
            App::new().mount("/", below("host")).get("/{a}", parameters),
        )
        .build()
        .unwrap();
    check(
        &router,
        &[
            ("GET", "/x", 200, None, "Some(\"x\") None x"),
            ("GET", "/x/y", 200, None, "host: x/y"),
            ("GET", "http://i/api/x", 200, None, "None Some(\"x\") x"),
            ("GET", "http://i/api/", 200, None, "/api/{*rest} /api "),
            ("GET", "http://i/api/x/", 200, None, "/api/{*rest} /api x/"),
            (
                "PUT",
                "http://i/api/%61/%FF",
                200,
                None,
                "/api/{*rest} /api a/%FF",
            ),
            (
                "GET",
                "http://i/1/v2/x",
                200,
                None,
                "Some(\"1\") Some(\"x\") x",
            ),
            (
                "GET",
                "http://i/%2F/v2/x/y",
                200,
                None,
                "/{a}/v2/{*rest} /%2F/v2 x/y",
            ),
            ("GET", "http://i/apis/x", 200, None, "rest"),
            ("GET", "http://i/", 404, None, "404 Not Found\n"),
        ],
    );
    let url = router.url_for("v2.files", &[("a", &1), ("rest", &"x/y")]);
    assert_eq!(url.unwrap(), "/1/v2/x/y");
    // What a mount takes is not redirected to a route beside it.
    assert_eq!(moved(&router, "GET", "http://i/api/x/"), (200, None));
}
