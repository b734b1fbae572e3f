//! What is sent of a file: conditions, ranges and fields.

use super::*;
use crate::files::decision::Seen;
use crate::files::version::Version;
use crate::http::{HeadLimits, HeadParser};

const NOW: Duration = Duration::from_secs(784_111_877);
/// A hundred seconds before.
const CHANGED: Duration = Duration::from_secs(784_111_777);
const TAG: &str = "\"a\"";

/// A file with these neighbours, each of another length.
fn variants(changed: Duration, codings: &[ContentCoding]) -> Variants {
    let mut variants = Variants::new(c"a.txt".to_owned(), Version::made(1, 1000, changed));
    for &coding in codings {
        let length = 500 + coding as u64;
        let seen = Seen::File(Version::made(2, length, changed));
        assert!(variants.saw(Some(coding), seen));
    }
    variants
}

fn answer(changed: Duration, fields: &str) -> Outcome {
    answer_of(&variants(changed, &[]), fields)
}

fn answer_of(variants: &Variants, fields: &str) -> Outcome {
    answer_to("GET", variants, fields)
}

fn answer_to(method: &str, variants: &Variants, fields: &str) -> Outcome {
    let mut policy = Policy {
        cache_control: vec![(
            "*.txt".parse().unwrap(),
            HeaderValue::from_static("max-age=5"),
        )],
        ..Policy::default()
    };
    for rule in [
        "*.txt=X-A: b",
        "*.css=X-C: d",
        "/**=Content-Security-Policy: e",
    ] {
        policy.response_headers.add(rule).unwrap();
    }
    let bytes = format!("{method} /a.txt HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let parsed = HeadParser::default().parse(bytes.as_bytes(), &HeadLimits::default());
    let (head, _) = parsed.unwrap().unwrap();
    let tag = Some(HeaderValue::from_static(TAG));
    let variant = variants.choose(&head);
    let representation = Representation::new(&policy, variants, variant, tag, NOW);
    representation.answer(&head, || "BOUNDARY".to_owned())
}

fn lines(response: &Response) -> Vec<String> {
    let line =
        |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
    response.headers.iter().map(line).collect()
}

#[test]
fn what_is_said_of_the_whole_of_a_part_and_of_nothing_new() {
    let said = [
        "content-type: text/plain; charset=utf-8",
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "etag: \"a\"",
        "cache-control: max-age=5",
        "x-a: b",
        "content-security-policy: e",
        "accept-ranges: bytes",
    ];
    match answer(CHANGED, "") {
        Outcome::Whole(response) => assert_eq!(lines(&response), said),
        other => panic!("{other:?}"),
    }
    match answer(CHANGED, "Range: bytes=0-9\r\n") {
        Outcome::Part(response, part) => {
            assert_eq!((response.status.as_u16(), part), (206, 0..10));
            let mut said = said.to_vec();
            said.push("content-range: bytes 0-9/1000");
            assert_eq!(lines(&response), said);
        }
        other => panic!("{other:?}"),
    }
    match answer(CHANGED, "If-None-Match: \"a\"\r\n") {
        Outcome::Bare(response) => {
            assert_eq!(response.status, 304);
            assert_eq!(lines(&response), said[1..6]);
        }
        other => panic!("{other:?}"),
    }
    match answer(CHANGED, "Range: bytes=1000-\r\n") {
        Outcome::Bare(response) => {
            assert_eq!(response.status, 416);
            assert_eq!(lines(&response), ["content-range: bytes */1000"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_methods_have_neither_conditions_nor_ranges_nor_validators() {
    let variants = variants(CHANGED, &[ContentCoding::Gzip]);
    let said = [
        "content-type: text/plain; charset=utf-8",
        "content-encoding: gzip",
        "cache-control: max-age=5",
        "x-a: b",
        "content-security-policy: e",
        "vary: Accept-Encoding",
    ];
    for fields in [
        "",
        "Range: bytes=0-9\r\n",
        "Range: bytes=1000-\r\n",
        "If-Match: \"x\"\r\n",
        "If-None-Match: *\r\n",
        "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
    ] {
        let fields = format!("Accept-Encoding: gzip\r\n{fields}");
        match answer_to("POST", &variants, &fields) {
            Outcome::Whole(response) => {
                assert_eq!(response.status, 200, "{fields}");
                assert_eq!(lines(&response), said, "{fields}");
            }
            other => panic!("{fields}: {other:?}"),
        }
    }
}

#[test]
fn several_parts_are_told_apart_by_a_boundary() {
    let Outcome::Parts(response, multipart) = answer(CHANGED, "Range: bytes=0-1,-2\r\n") else {
        panic!("no parts");
    };
    let media_type = "content-type: multipart/byteranges; boundary=BOUNDARY";
    assert_eq!(lines(&response)[0], media_type);
    let head = |place| {
        format!(
            "--BOUNDARY\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {place}/1000\r\n\r\n"
        )
    };
    let expected = [
        (head("0-1"), 0..2),
        (format!("\r\n{}", head("998-999")), 998..1000),
    ];
    assert_eq!(multipart.parts, expected);
    assert_eq!(multipart.end, "\r\n--BOUNDARY--\r\n");
}

#[test]
fn a_date_proves_nothing_before_its_second_is_over() {
    let fields = |date: &str| format!("Range: bytes=0-1\r\nIf-Range: {date}\r\n");
    let old = fields("Sun, 06 Nov 1994 08:49:37 GMT");
    assert!(matches!(answer(CHANGED, &old), Outcome::Part(..)));
    let young = fields("Sun, 06 Nov 1994 08:51:17 GMT");
    assert!(matches!(answer(NOW, &young), Outcome::Whole(_)));
    // A tag does.
    assert!(matches!(answer(NOW, &fields(TAG)), Outcome::Part(..)));
}

#[test]
fn what_is_said_of_variants() {
    let variants = variants(CHANGED, &[ContentCoding::Gzip]);
    let rest = [
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "etag: \"a-gzip\"",
        "cache-control: max-age=5",
        "x-a: b",
        "content-security-policy: e",
        "vary: Accept-Encoding",
    ];
    let mut said = vec![
        "content-type: text/plain; charset=utf-8",
        "content-encoding: gzip",
    ];
    said.extend(rest);
    said.push("accept-ranges: bytes");
    let coded = |fields: &str| answer_of(&variants, &format!("Accept-Encoding: gzip\r\n{fields}"));
    match coded("") {
        Outcome::Whole(response) => assert_eq!(lines(&response), said),
        other => panic!("{other:?}"),
    }
    match coded("If-None-Match: \"a-gzip\"\r\n") {
        Outcome::Bare(response) => {
            assert_eq!(response.status, 304);
            assert_eq!(lines(&response), rest);
        }
        other => panic!("{other:?}"),
    }
    // The tag of another variant is none of this one.
    let other_tag = "If-None-Match: \"a\"\r\n";
    assert!(matches!(coded(other_tag), Outcome::Whole(_)));
    match coded("If-Match: \"a\"\r\n") {
        Outcome::Bare(response) => {
            assert_eq!(response.status, 412);
            assert_eq!(lines(&response), ["vary: Accept-Encoding"]);
        }
        other => panic!("{other:?}"),
    }
    match answer_of(&variants, "") {
        Outcome::Whole(response) => {
            let lines = lines(&response);
            assert!(lines.contains(&"vary: Accept-Encoding".to_owned()));
            assert!(lines.contains(&"etag: \"a\"".to_owned()));
            assert!(
                !lines
                    .iter()
                    .any(|line| line.starts_with("content-encoding"))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ranges_are_of_the_variant() {
    let variants = variants(CHANGED, &[ContentCoding::Gzip]);
    let coded = |fields: &str| answer_of(&variants, &format!("Accept-Encoding: gzip\r\n{fields}"));
    match coded("Range: bytes=-10\r\n") {
        Outcome::Part(response, part) => {
            assert_eq!(part, 490..500);
            assert!(lines(&response).contains(&"content-range: bytes 490-499/500".to_owned()));
            assert!(lines(&response).contains(&"content-encoding: gzip".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    match coded("Range: bytes=500-\r\n") {
        Outcome::Bare(response) => {
            let said = ["vary: Accept-Encoding", "content-range: bytes */500"];
            assert_eq!(lines(&response), said);
        }
        other => panic!("{other:?}"),
    }
    let several = coded("Range: bytes=0-0,250-250,499-499\r\n");
    assert!(matches!(several, Outcome::Whole(_)), "{several:?}");
    let several = answer_of(&variants, "Range: bytes=0-0,500-500\r\n");
    assert!(matches!(several, Outcome::Parts(..)), "{several:?}");
    // A date is that of every variant, and a tag that of one.
    let range = |validator| format!("Range: bytes=0-0\r\nIf-Range: {validator}\r\n");
    let dated = coded(&range("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert!(matches!(dated, Outcome::Whole(_)), "{dated:?}");
    assert!(matches!(coded(&range("\"a-gzip\"")), Outcome::Part(..)));
    assert!(matches!(coded(&range("\"a\"")), Outcome::Whole(_)));
}
