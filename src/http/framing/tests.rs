//! Fields as they are written, and what they decide.

use super::*;

/// Names and values, as a head would have them.
type Written<'a> = &'a [(&'a str, &'a str)];

/// Decides by these fields alone.
fn decide(is_http_10: bool, fields: Written<'_>) -> Result<Decided, Refusal> {
    let mut facts = Facts::default();
    for (name, value) in fields {
        facts.note(name, value.as_bytes())?;
    }
    facts.decide(is_http_10)
}

const H: (&str, &str) = ("Host", "h");
const CL: &str = "Content-Length";
const TE: &str = "Transfer-Encoding";

#[test]
fn framing_by_the_fields() {
    use Framing::*;
    let cases: &[(Written<'_>, Result<Framing, Refusal>)] = &[
        (&[H], Ok(None)),
        (&[H, (CL, "0")], Ok(Length(0))),
        (&[H, ("content-length", "42")], Ok(Length(42))),
        (&[H, (CL, "0042")], Ok(Length(42))),
        (&[H, (CL, "42"), (CL, "42")], Ok(Length(42))),
        (&[H, (CL, "18446744073709551615")], Ok(Length(u64::MAX))),
        (
            &[H, (CL, "18446744073709551616")],
            Err(Refusal::LENGTH_INVALID),
        ),
        (&[H, (CL, "42"), (CL, "43")], Err(Refusal::LENGTHS_DIFFER)),
        (&[H, (CL, "42, 42")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "42,43")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "+1")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "-1")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "1 1")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "0x1")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "1_0")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "1.0")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (CL, "\u{661}")], Err(Refusal::LENGTH_INVALID)),
        (&[H, (TE, "chunked")], Ok(Chunked)),
        (&[H, (TE, "CHUNKED")], Ok(Chunked)),
        (
            &[H, (CL, "1"), (TE, "chunked")],
            Err(Refusal::LENGTH_AND_CODING),
        ),
        (
            &[H, (TE, "chunked"), (CL, "1")],
            Err(Refusal::LENGTH_AND_CODING),
        ),
        (
            &[H, (TE, "chunked, chunked")],
            Err(Refusal::CODING_NOT_CHUNKED),
        ),
        (
            &[H, (TE, "chunked"), (TE, "chunked")],
            Err(Refusal::CODING_NOT_CHUNKED),
        ),
        (
            &[H, (TE, "chunked, gzip")],
            Err(Refusal::CODING_NOT_CHUNKED),
        ),
        (
            &[H, (TE, "chunked"), (TE, "identity")],
            Err(Refusal::CODING_NOT_CHUNKED),
        ),
        (&[H, (TE, "gzip")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "identity")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "xchunked")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "\"chunked\"")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "chunked;a=b")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, ",chunked")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "chunked,")], Err(Refusal::CODING_NOT_CHUNKED)),
        (&[H, (TE, "gzip, chunked")], Err(Refusal::CODING_UNKNOWN)),
        (
            &[H, (TE, "gzip"), (TE, "chunked")],
            Err(Refusal::CODING_UNKNOWN),
        ),
    ];
    for (fields, expected) in cases {
        assert_eq!(
            decide(false, fields).map(|d| d.framing),
            *expected,
            "{fields:?}"
        );
    }
    for (fields, expected) in [
        (&[(CL, "1")][..], Ok(Length(1))),
        (&[(TE, "chunked")], Err(Refusal::CODING_IN_HTTP_10)),
        (
            &[(TE, "chunked"), (CL, "1")],
            Err(Refusal::CODING_IN_HTTP_10),
        ),
    ] {
        assert_eq!(
            decide(true, fields).map(|d| d.framing),
            expected,
            "{fields:?}"
        );
    }
}

#[test]
fn exactly_one_host() {
    let cases: &[(bool, Written<'_>, Option<Refusal>)] = &[
        (false, &[("hOsT", "a:1")], None),
        (false, &[], Some(Refusal::HOST_MISSING)),
        (true, &[], None),
        (true, &[H], None),
        (false, &[H, H], Some(Refusal::HOST_REPEATED)),
        (true, &[H, H], Some(Refusal::HOST_REPEATED)),
        (false, &[("Host", "")], Some(Refusal::HOST_INVALID)),
        (true, &[("Host", "")], Some(Refusal::HOST_INVALID)),
        (false, &[("Host", "a, b")], Some(Refusal::HOST_INVALID)),
        (false, &[("Host", "http://a")], Some(Refusal::HOST_INVALID)),
    ];
    for &(is_http_10, fields, refusal) in cases {
        assert_eq!(
            decide(is_http_10, fields).err(),
            refusal,
            "{is_http_10} {fields:?}"
        );
    }
}

#[test]
fn persistence_by_version_and_connection() {
    // The fields' values, then whether 1.0 and whether 1.1 keeps the connection.
    let cases: &[(&[&str], bool, bool)] = &[
        (&[], false, true),
        (&[""], false, true),
        (&["close"], false, false),
        (&["Close"], false, false),
        (&["keep-alive"], true, true),
        (&["Keep-Alive, Upgrade"], true, true),
        (&["upgrade ,\tCLOSE"], false, false),
        (&["keep-alive, close"], false, false),
        (&["keep-alive", "close"], false, false),
        (&[",,close,"], false, false),
        (&["closed"], false, true),
        (&["x-close"], false, true),
    ];
    for (values, in_10, in_11) in cases {
        let mut fields = vec![H];
        fields.extend(values.iter().map(|value| ("Connection", *value)));
        let keeps = |is_http_10| decide(is_http_10, &fields).map(|d| d.keep_alive);
        assert_eq!(
            (keeps(true), keeps(false)),
            (Ok(*in_10), Ok(*in_11)),
            "{values:?}"
        );
    }
}

#[test]
fn expectations() {
    let body = (CL, "1");
    let cases: &[(bool, Written<'_>, Result<bool, Refusal>)] = &[
        (false, &[H, body], Ok(false)),
        (false, &[H, body, ("Expect", "100-continue")], Ok(true)),
        (false, &[H, body, ("expect", "100-Continue")], Ok(true)),
        (false, &[H, body, ("Expect", "100-continue,")], Ok(true)),
        (
            false,
            &[H, (TE, "chunked"), ("Expect", "100-continue")],
            Ok(true),
        ),
        (false, &[H, ("Expect", "100-continue")], Ok(false)),
        (
            false,
            &[H, (CL, "0"), ("Expect", "100-continue")],
            Ok(false),
        ),
        (true, &[H, body, ("Expect", "100-continue")], Ok(false)),
        (true, &[H, body, ("Expect", "x")], Ok(false)),
        (false, &[H, ("Expect", "x")], Err(Refusal::EXPECTATION)),
        (
            false,
            &[H, ("Expect", "100-continue, x")],
            Err(Refusal::EXPECTATION),
        ),
        (
            false,
            &[H, ("Expect", "100-continue;a")],
            Err(Refusal::EXPECTATION),
        ),
    ];
    for (is_http_10, fields, expected) in cases {
        let decided = decide(*is_http_10, fields).map(|d| d.expects_continue);
        assert_eq!(decided, *expected, "{is_http_10} {fields:?}");
    }
}
