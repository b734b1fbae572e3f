//! Conditions and ranges, and which field decided.

use super::*;

#[test]
fn the_condition_that_decides_is_told() {
    assert_alike(&[
        (
            "GET",
            "/a.css",
            &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
            304,
            "x-frame-options: DENY, by *.css",
        ),
        (
            "GET",
            "/a.css",
            &["If-None-Match: *"],
            304,
            "a.css.gz: a file of 2 bytes",
        ),
        (
            "GET",
            "/a.css",
            &[
                "If-None-Match: *",
                "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
            ],
            304,
            "the peer has this version, by if-none-match",
        ),
        (
            "GET",
            "/a.css",
            &["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"],
            304,
            "the peer has this version, by if-modified-since",
        ),
        (
            "GET",
            "/a.css",
            &["If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT"],
            412,
            "the peer means another version, by if-unmodified-since",
        ),
        (
            "GET",
            "/a.css",
            &["If-Match: \"x\""],
            412,
            "the peer means another version, by if-match",
        ),
        (
            "GET",
            "/a.css",
            &["If-Match: \"x\""],
            412,
            "a.css: a file of 16 bytes",
        ),
    ]);
}

#[test]
fn what_becomes_of_ranges_is_told() {
    assert_alike(&[
        (
            "GET",
            "/a.css",
            &["Range: bytes=2-5"],
            206,
            "4 bytes from 2 on, by range",
        ),
        (
            "GET",
            "/large.css",
            &["Range: bytes=0-0,5000-5001"],
            206,
            "2 parts, by range",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=16-"],
            416,
            "none, for it begins behind the end",
        ),
        (
            "HEAD",
            "/a.css",
            &["Range: bytes=0-1"],
            200,
            "ignored: GET alone has ranges",
        ),
        (
            "GET",
            "/a.css",
            &["Range: lines=0-1"],
            200,
            "ignored: it is malformed, of another unit than bytes, repeated, or more than 100",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-1", "If-Range: \"x\""],
            200,
            "ignored: if-range does not prove that the peer has a part of this",
        ),
        (
            "GET",
            "/large.css",
            &["Range: bytes=0-0,500-501", "Accept-Encoding: gzip"],
            200,
            "ignored: several of what is coded",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-1"],
            206,
            "a.css.br: missing",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=0-0,-1"],
            206,
            "a core remembers it whole",
        ),
        (
            "GET",
            "/a.css",
            &["Range: bytes=16-"],
            416,
            "a.css.zst: missing",
        ),
    ]);
}
