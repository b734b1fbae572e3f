//! The other ways between paths and routes: redirects to what differs in its last slash, names.

use http::StatusCode;

use super::*;
use crate::app::{Next, TrailingSlash};

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

#[test]
fn a_written_path_is_the_most_specific_route_s() {
    let router = App::new()
        .get("/users/{a}", parameters)
        .name("user")
        .get("/users/me", named("me"))
        .build()
        .unwrap();
    for (name, content) in [("you", "Some(\"you\") None you"), ("me", "me")] {
        let path = router.url_for("user", &[("a", &name)]).unwrap();
        check(&router, &[("GET", &path, 200, None, content)]);
    }
}

#[test]
fn requests_without_a_route_have_links_too() {
    async fn link(request: Request, next: Next) -> String {
        let url = request.url_with_query("note", &[("id", &7)], &[("a", &1)]);
        let url = url.unwrap_or_else(|error| error.to_string());
        format!("{} {url}", next.run(request).await.status.as_u16())
    }
    let router = App::new()
        .wrap(link)
        .get("/notes/{id}", parameters)
        .name("note")
        .get("/slash", named("slash"))
        .trailing_slash(TrailingSlash::Redirect)
        .host("h", App::new().get("/h", named("h")))
        .build()
        .unwrap();
    let cases = [
        ("GET", "http://other/", "404 /notes/7?a=1"),
        ("POST", "http://other/notes/1", "405 /notes/7?a=1"),
        ("OPTIONS", "http://other/notes/1", "204 /notes/7?a=1"),
        ("GET", "http://other/slash/", "308 /notes/7?a=1"),
        ("GET", "http://other/notes/%FF", "400 /notes/7?a=1"),
        ("GET", "http://other/notes/1", "200 /notes/7?a=1"),
        ("OPTIONS", "*", "204 /notes/7?a=1"),
        ("GET", "/x", "404 /notes/7?a=1"),
        ("GET", "/h", "200 /notes/7?a=1"),
    ];
    for (method, target, content) in cases {
        check(&router, &[(method, target, 200, None, content)]);
    }
}

#[test]
fn guards_see_the_paths_that_routes_match() {
    async fn guard(request: Request, next: Next) -> Response {
        match request.normal_path().starts_with("/admin") {
            true => Response::error(StatusCode::FORBIDDEN, ""),
            false => next.run(request).await,
        }
    }
    const NO: &str = "403 Forbidden\n";
    let router = App::new()
        .wrap(guard)
        .get("/admin/{a}", named("admin"))
        .get("/{a}", parameters)
        .build()
        .unwrap();
    let cases = [
        ("GET", "/admin/users", 403, None, NO),
        ("GET", "/%61dmin/users", 403, None, NO),
        ("GET", "/%61%64%6d%69%6E/users?x", 403, None, NO),
        ("GET", "/adm%69n", 403, None, NO),
        // Another segment, and so it is for the routes.
        (
            "GET",
            "/%2Fadmin%2fusers",
            200,
            None,
            "Some(\"/admin/users\") None %2Fadmin%2Fusers",
        ),
        (
            "GET",
            "/%2561dmin",
            200,
            None,
            "Some(\"%61dmin\") None %2561dmin",
        ),
        (
            "GET",
            "/%FFadmin",
            400,
            None,
            "400 Bad Request: The path is not UTF-8 text.\n",
        ),
    ];
    check(&router, &cases);
    let normal = |target| {
        request("GET", target, "", Body::Empty)
            .normal_path()
            .into_owned()
    };
    assert_eq!(normal("/a%2fb/%ff/%C3%A9?%61"), "/a%2Fb/%FF/é");
    assert_eq!(normal("/a/%2e%2E//b"), "/a/..//b");
    assert_eq!(request("OPTIONS", "*", "", Body::Empty).normal_path(), "*");
}
