//! Templates with parameters, and the values that these take.

use super::*;

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
#[should_panic(expected = "the route /{a} has no parameter `b`")]
fn a_parameter_that_the_route_does_not_have_is_a_mistake() {
    let handler = |request: Request| async move { request.param("b").into_owned() };
    let router = App::new().get("/{a}", handler).build().unwrap();
    ask(&router, "GET", "/x");
}
