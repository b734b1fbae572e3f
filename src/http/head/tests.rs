//! Complete heads, and what the rest of the server reads in them.

use ::http::header;

use super::super::deliveries;
use super::*;
use crate::limits::HeadLimits;

/// Runs `check` on the head that `bytes` are, however they arrive.
fn with(bytes: &[u8], check: impl Fn(&RequestHead)) {
    deliveries::head(bytes, &HeadLimits::default(), |outcome| match outcome {
        Ok(Some((head, _))) => check(head),
        other => panic!("{other:?}: {}", bytes.escape_ascii()),
    });
}

#[test]
fn the_parts_of_the_request_line() {
    let cases: &[(&str, &str, &str, Option<&str>, TargetForm)] = &[
        ("GET", "/", "/", None, TargetForm::Origin),
        (
            "GET",
            "/a%20b?c=d",
            "/a%20b",
            Some("c=d"),
            TargetForm::Origin,
        ),
        ("GET", "/a?", "/a", Some(""), TargetForm::Origin),
        ("GET", "http://x", "/", None, TargetForm::Absolute),
        ("GET", "http://x?a", "/", Some("a"), TargetForm::Absolute),
        (
            "GET",
            "http://x:8/b?a",
            "/b",
            Some("a"),
            TargetForm::Absolute,
        ),
        ("OPTIONS", "*", "*", None, TargetForm::Asterisk),
        ("OPTIONS", "http://x", "*", None, TargetForm::Absolute),
        ("OPTIONS", "http://x/", "/", None, TargetForm::Absolute),
        ("OPTIONS", "http://x?", "/", Some(""), TargetForm::Absolute),
        ("CONNECT", "x:1", "*", None, TargetForm::Authority),
        (
            "A-METHOD-OF-MORE-THAN-FIFTEEN",
            "/",
            "/",
            None,
            TargetForm::Origin,
        ),
    ];
    for (method, target, path, query, form) in cases {
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        with(bytes.as_bytes(), |head| {
            assert_eq!(head.method().as_str(), *method);
            assert_eq!(head.target(), *target);
            assert_eq!(
                (head.path(), head.query(), head.form()),
                (*path, *query, *form),
                "{bytes}"
            );
        });
    }
}

#[test]
fn the_version_is_one_of_two() {
    for (version, expected) in [
        ("HTTP/1.0", Version::HTTP_10),
        ("HTTP/1.1", Version::HTTP_11),
        ("HTTP/1.2", Version::HTTP_11),
        ("HTTP/1.9", Version::HTTP_11),
    ] {
        let bytes = format!("GET /HTTP/1.5 {version}\r\nHost: h\r\n\r\n");
        with(bytes.as_bytes(), |head| {
            assert_eq!(head.version(), expected);
            assert_eq!(head.target(), "/HTTP/1.5");
        });
    }
}

#[test]
fn the_host_is_the_targets_or_else_the_fields() {
    for (bytes, host) in [
        (
            &b"GET / HTTP/1.1\r\nHost: \t a.b:80 \t\r\n\r\n"[..],
            Some("a.b:80"),
        ),
        (b"GET / HTTP/1.0\r\nHost: [::1]\r\n\r\n", Some("[::1]")),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET http://t:1/ HTTP/1.1\r\nHost: h\r\n\r\n", Some("t:1")),
        (b"GET http://t HTTP/1.0\r\n\r\n", Some("t")),
        (b"CONNECT t:1 HTTP/1.1\r\nHost: h\r\n\r\n", Some("t:1")),
    ] {
        with(bytes, |head| {
            assert_eq!(head.host(), host, "{}", bytes.escape_ascii())
        });
    }
}

#[test]
fn fields_keep_their_order_and_spelling() {
    let bytes =
        b"GET / HTTP/1.1\r\nhOST: h\r\nX-a:1\r\nX-B: \t\xff \t 2 \t\r\nx-A:\r\nx-a: 3\r\n\r\n";
    with(bytes, |head| {
        let fields: Vec<_> = head.fields().collect();
        assert_eq!(
            fields,
            [
                ("hOST", &b"h"[..]),
                ("X-a", b"1"),
                ("X-B", b"\xff \t 2"),
                ("x-A", b""),
                ("x-a", b"3"),
            ]
        );
        assert_eq!(head.fields().len(), 5);
        assert_eq!(head.field("x-a"), Some(&b"1"[..]));
        assert_eq!(head.field("x"), None);
        assert_eq!(head.field(header::HOST), Some(&b"h"[..]));
        let values: Vec<_> = head.field_values("X-A").collect();
        assert_eq!(values, [&b"1"[..], b"", b"3"]);
        assert_eq!(head.field_values(&header::ACCEPT).count(), 0);
    });
}

#[test]
fn what_was_decided_is_told() {
    let bytes = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n";
    with(bytes, |head| {
        assert_eq!(head.framing(), Framing::Length(7));
        assert!(!head.keep_alive());
        assert!(head.expects_continue());
    });
}

#[test]
fn debug_output_hides_values() {
    with(b"GET /p HTTP/1.0\r\nCookie: secret\r\n\r\n", |head| {
        let text = format!("{head:?}");
        assert!(text.contains("\"/p\""), "{text}");
        assert!(!text.contains("secret"), "{text}");
    });
}

#[test]
fn fields_about_the_connection_alone() {
    let bytes = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-A\r\nX-A: 1\r\nX-B: 2\r\n\
        Connection:,x-c ,\r\nTE: trailers\r\n\r\n";
    with(bytes, |head| {
        for name in ["Connection", "x-a", "X-C", "te", "Keep-Alive", "Upgrade"] {
            assert!(head.is_hop_by_hop(name), "{name}");
        }
        for name in ["Host", "X-B", "x", "", "x-a, x-b"] {
            assert!(!head.is_hop_by_hop(name), "{name}");
        }
    });
}
