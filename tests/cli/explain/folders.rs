//! Listings, archives, and the addresses of folders.

use super::*;

#[test]
fn what_becomes_of_folders_is_told() {
    assert_alike(&[
        (
            "GET",
            "/sub/",
            &[],
            200,
            "text/html; charset=utf-8, by the program's table",
        ),
        (
            "GET",
            "/sub?a=b",
            &[],
            301,
            "to the folder with a slash behind it",
        ),
        ("GET", "/bare/", &["Accept: application/json"], 200, "bare"),
        ("GET", "/bare/?download=tar", &[], 200, "bare, as tar"),
        ("GET", "/bare/", &["If-Match: \"x\""], 412, "bare"),
        (
            "HEAD",
            "/bare/",
            &["If-None-Match: *"],
            304,
            "none by /bare/=/bare: a folder is there, to which /bare would lead back",
        ),
        (
            "GET",
            "/bare/?download=tar",
            &[],
            200,
            "max-age=9, by /bare/*",
        ),
        ("HEAD", "/bare/", &[], 200, "x-bare: yes, by /bare"),
        (
            "GET",
            "/plain/",
            &["Accept: text/html"],
            200,
            "no-cache, as no rule matches",
        ),
        (
            "GET",
            "/plain/?download=tar",
            &[],
            200,
            "no-store, as no rule matches",
        ),
        (
            "GET",
            "/plain/",
            &["Accept: text/html"],
            200,
            "none, by Accept-Encoding",
        ),
        (
            "GET",
            "/plain/",
            &["Accept: text/html", "Accept-Encoding: gzip"],
            200,
            "gzip, by Accept-Encoding; made of the listing",
        ),
        (
            "HEAD",
            "/plain/",
            &["Accept: application/json", "Accept-Encoding: gzip"],
            200,
            "gzip, left alone: the listing is short, or too many are compressed",
        ),
    ]);
}
