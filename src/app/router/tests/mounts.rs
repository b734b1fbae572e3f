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
