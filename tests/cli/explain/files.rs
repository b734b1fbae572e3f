//! Which file is served, in which of its variants, and with which fields; and why none is.

use super::*;

#[test]
fn the_variant_and_its_rules_are_told() {
    assert_alike(&[
        ("GET", "/a.css", &[], 200, "max-age=60, by *.css"),
        (
            "GET",
            "/a.css",
            &["Accept-Encoding: gzip"],
            200,
            "gzip, by Accept-Encoding",
        ),
        (
            "HEAD",
            "/a.css",
            &["Accept-Encoding: br"],
            200,
            "none, by Accept-Encoding",
        ),
        (
            "GET",
            "/stale.css",
            &["Accept-Encoding: gzip, br"],
            200,
            "stale.css.gz: it is older than its file",
        ),
        (
            "GET",
            "/stale.css",
            &["Accept-Encoding: gzip, br"],
            200,
            "stale.css.br: it is empty",
        ),
        (
            "GET",
            "/large.css",
            &["Accept-Encoding: gzip"],
            200,
            "gzip, by Accept-Encoding; made of the file",
        ),
        (
            "HEAD",
            "/large.css",
            &["Accept-Encoding: gzip"],
            200,
            "a core remembers it whole",
        ),
        (
            "HEAD",
            "/a.css",
            &[],
            200,
            "not remembered: HEAD gets no content",
        ),
        ("GET", "/b.raw", &[], 200, "text/x-raw, by a rule"),
        ("GET", "/b.raw", &[], 200, "no rule matches"),
    ]);
}

#[test]
fn what_a_path_leads_to_is_told() {
    assert_alike(&[
        (
            "GET",
            "/linked",
            &[],
            200,
            "linked: a symbolic link is on the way; what hides does so by the path that is asked for",
        ),
        ("GET", "/c.key", &[], 404, "it is hidden by *.key"),
        ("GET", "/.env", &[], 404, "a name begins with a dot"),
        (
            "GET",
            "/out",
            &[],
            404,
            "out: a symbolic link leads out of the root",
        ),
        ("GET", "/../x", &[], 404, "no file can have such a name"),
        (
            "HEAD",
            "/old/a%20b?c=d",
            &[],
            308,
            "to /sub/a%20b?c=d, by /old/*=/sub/* 308",
        ),
    ]);
}
