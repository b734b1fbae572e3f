//! The other ways between paths and routes: redirects to what differs in its last slash, names.

use super::*;
use crate::app::TrailingSlash;

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
