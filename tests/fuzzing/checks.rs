//! What must hold for any input whatever: one function for each parser. None opens a file, a
//! socket or a clock.
//!
//! They are shared between the seeded run on stable Rust and the targets of cargo-fuzz.

use corelane::app::{App, Body, Request};
use corelane::files::Policy;
use corelane::files::path::{Located, directory_location, locate};
use corelane::files::redirects::Redirects;
use corelane::http::{
    BodyDecoder, BodyLimits, Framing, HeadLimits, HeadParser, HttpDate, Refusal, RequestHead,
    Selection, TargetForm, Validators, Verdict, chunk, last_chunk,
};
use corelane::limits;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, UNIX_EPOCH};

/// The head at the beginning of `input` is the same however the bytes arrive, takes no byte that
/// is not its own, and parses to the same again when it is written down from its parts.
pub(crate) fn head(input: &[u8]) {
    let limits = HeadLimits::default();
    let whole = parse_in_steps(input, &limits, []);
    assert_eq!(
        told(&parse_in_steps(input, &limits, cuts(input))),
        told(&whole)
    );
    if input.len() <= 512 {
        assert_eq!(
            told(&parse_in_steps(input, &limits, 0..input.len())),
            told(&whole)
        );
    }
    let Ok(Some((head, consumed))) = whole else {
        return;
    };
    assert!(consumed <= input.len());
    assert!(matches!(
        parse_in_steps(&input[..consumed - 1], &limits, []),
        Ok(None)
    ));
    check_head(&head);
    let written = write_head(&head);
    let roomy = HeadLimits {
        request_line_bytes: usize::MAX,
        field_section_bytes: usize::MAX,
        ..limits
    };
    match parse_in_steps(&written, &roomy, []) {
        Ok(Some((again, consumed))) => {
            assert_eq!(consumed, written.len());
            assert_eq!(facts(&again), facts(&head));
            check_request(&request_of(again));
        }
        other => panic!("{} → {}", written.escape_ascii(), told(&other)),
    }
}

/// A request target is refused, or has parts that lie in it; the input is `METHOD target`.
pub(crate) fn target(input: &[u8]) {
    let bytes = [input, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
    head(&bytes);
    let Ok(Some((head, _))) = HeadParser::new().parse(&bytes, &HeadLimits::default()) else {
        return;
    };
    let rebuilt = match head.query() {
        Some(query) => format!("{}?{query}", head.path()),
        None => head.path().to_owned(),
    };
    match head.form() {
        TargetForm::Origin | TargetForm::Asterisk => assert_eq!(head.target(), rebuilt),
        TargetForm::Authority => assert_eq!(Some(head.target()), head.host()),
        TargetForm::Absolute => {
            let host = head.host().unwrap_or_default();
            assert!(!host.is_empty() && head.target().contains(host));
        }
    }
}

/// A body has the same content however the bytes arrive, within the limit, and what follows it is
/// left alone. The first octet chooses: below 128 chunked, above a length; the limit by the rest.
pub(crate) fn body(input: &[u8]) {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    let limit = [limits::BODY_BYTES, 16, u64::MAX, 0][usize::from(choice % 4)];
    let framing = match choice {
        0..128 => Framing::Chunked,
        _ => Framing::Length(u64::from(choice - 128)),
    };
    let whole = decode_in_steps(framing, limit, bytes, []);
    assert_eq!(decode_in_steps(framing, limit, bytes, cuts(bytes)), whole);
    if bytes.len() <= 512 {
        assert_eq!(
            decode_in_steps(framing, limit, bytes, 0..bytes.len()),
            whole
        );
    }
    let Ok((content, consumed, is_complete)) = whole else {
        return;
    };
    assert!(content.len() as u64 <= limit && content.len() <= consumed);
    assert!(is_complete || consumed == bytes.len());
    if !is_complete {
        return;
    }
    let alone = decode_in_steps(framing, limit, &bytes[..consumed], []);
    assert_eq!(alone, Ok((content.clone(), consumed, true)));
    let mut written = Vec::new();
    for piece in content.chunks(7) {
        chunk(&mut written, piece);
    }
    last_chunk(&mut written, []);
    let again = decode_in_steps(Framing::Chunked, limit, &written, []);
    assert_eq!(again, Ok((content, written.len(), true)));
}

/// A date that is read is a whole second, and its one written form is read back to it.
pub(crate) fn date(input: &[u8]) {
    let Some(time) = HttpDate::parse(input) else {
        return;
    };
    let since = time
        .duration_since(UNIX_EPOCH)
        .expect("dates begin in 1970");
    assert_eq!(since.subsec_nanos(), 0);
    let written = HttpDate::from_unix_seconds(since.as_secs());
    assert_eq!(HttpDate::parse(written.as_bytes()), Some(time));
}

/// A path names something strictly below the root or nothing; a redirect to a folder leads back
/// to it, on the same host. A `?` in the input begins the query.
pub(crate) fn path(input: &[u8]) {
    let mut parts = input.splitn(2, |&octet| octet == b'?');
    let (raw, query) = (parts.next().unwrap_or_default(), parts.next());
    let Ok(Located::File { relative } | Located::Directory { relative }) = locate(raw) else {
        return;
    };
    let bytes = relative.to_bytes();
    assert!(!bytes.is_empty() && bytes.len() <= limits::PATH_BYTES);
    let is_root = bytes == b".";
    for name in bytes.split(|&octet| octet == b'/') {
        assert!(!name.is_empty() && name.len() <= limits::NAME_BYTES && name != b"..");
        assert!(is_root || name != b".");
    }
    if Policy::default().hides(bytes).is_none() {
        let mut names = bytes.split(|&octet| octet == b'/');
        assert!(is_root || names.all(|name| !name.starts_with(b".") || name == b".well-known"));
    }
    let location = directory_location(&relative, query);
    assert!(location.bytes().all(|octet| octet.is_ascii_graphic()));
    assert!(location.starts_with('/') && !location.starts_with("//"));
    if !is_root {
        let path = location.split('?').next().unwrap_or_default();
        assert_eq!(locate(path.as_bytes()), Ok(Located::Directory { relative }));
    }
}

/// Redirects are refused, or lead where the operator says, whatever is asked for. The lines are rules, but
/// for the last: the path and the query of a request.
pub(crate) fn redirect(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (rules, asked) = text.rsplit_once('\n').unwrap_or(("", text));
    let rules = rules.lines().filter_map(|line| line.parse().ok());
    let Ok(redirects) = Redirects::new(rules.collect()) else {
        return;
    };
    let (path, query) = match asked.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (asked, None),
    };
    let Some(found) = redirects.find(path) else {
        return;
    };
    assert!(matches!(
        found.rule().status().as_u16(),
        301 | 302 | 307 | 308
    ));
    let location = found.location("", query);
    assert!(
        location
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b'\\')
    );
    let to = found.rule().as_str().split_once('=').expect("FROM=TO").1;
    if to.starts_with('/') {
        assert!(location.starts_with('/') && !location.starts_with("//"));
        // Whatever can be asked for does not become what cannot.
        let path = location.split(['?', '#']).next().unwrap_or_default();
        assert!(locate(path.as_bytes()).is_ok(), "{location}");
        return;
    }
    let authority = |url: &str| {
        let url: http::Uri = url.parse().expect("a URL");
        url.authority().expect("a host").clone()
    };
    let to = to.split(['*', '?', '#', ' ']).next().unwrap_or_default();
    assert_eq!(authority(&location), authority(to));
}

/// Templates are refused or make an app that answers any request, each parameter with something.
pub(crate) fn route(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut lines: Vec<&str> = text.split('\n').collect();
    let path = lines.pop().unwrap_or_default();
    let mut app = App::new();
    for line in &lines {
        let names: Vec<String> = line.split(['{', '}']).map(str::to_owned).collect();
        app = app.get(line, move |request: Request| {
            for name in &names {
                let value = request.try_param(name.trim_start_matches('*'));
                assert!(value.is_none_or(|value| !value.is_empty()));
            }
            async { "found" }
        });
    }
    let Ok(router) = app.build() else { return };
    let bytes = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
    let Ok(Some((head, _))) = HeadParser::new().parse(&bytes, &HeadLimits::default()) else {
        return;
    };
    let answer = router.respond(request_of(head));
    let response = futures_lite::future::block_on(answer);
    assert!(
        matches!(response.status.as_u16(), 200 | 400 | 404),
        "{}",
        response.status
    );
}

/// Up to four places to cut `bytes` at, in order: the same for the same bytes.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    // FNV-1a, and from there on a linear congruential generator.
    let mut state = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let count = next(5);
    let mut cuts: Vec<usize> = (0..count).map(|_| next(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts
}

type Parsed = Result<Option<(RequestHead, usize)>, Refusal>;

/// Parses a head of which the bytes arrive up to each of `ends` in turn, and at last all.
fn parse_in_steps(
    bytes: &[u8],
    limits: &HeadLimits,
    ends: impl IntoIterator<Item = usize>,
) -> Parsed {
    let mut parser = HeadParser::new();
    for end in ends.into_iter().chain([bytes.len()]) {
        if let Some(head) = parser.parse(&bytes[..end], limits)? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// What can be asked of an outcome, for comparing two.
fn told(parsed: &Parsed) -> String {
    match parsed {
        Ok(Some((head, consumed))) => format!("{consumed} {:?} {}", head.form(), facts(head)),
        Ok(None) => "needs more".to_owned(),
        Err(refusal) => format!("{} {}", refusal.status, refusal.detail),
    }
}

/// What can be asked of a head.
fn facts(head: &RequestHead) -> String {
    let fields: Vec<_> = head.fields().collect();
    let basics = (
        head.method(),
        head.target(),
        head.path(),
        head.query(),
        head.host(),
    );
    let decided = (
        head.version(),
        head.framing(),
        head.keep_alive(),
        head.expects_continue(),
    );
    format!("{basics:?} {decided:?} {fields:?}")
}

/// What every accepted head has.
fn check_head(head: &RequestHead) {
    assert!(head.path() == "*" || head.path().starts_with('/'));
    assert!(head.fields().len() <= limits::FIELD_LINES);
    assert!(head.version() == http::Version::HTTP_10 || head.host().is_some());
    for (name, value) in head.fields() {
        assert!(!name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic()));
        let is_control = |octet: &u8| octet.is_ascii_control() && *octet != b'\t';
        assert!(!value.iter().any(is_control));
        assert_eq!(value.trim_ascii().len(), value.len());
    }
    let has = |name| head.field(name).is_some();
    match head.framing() {
        Framing::Chunked => assert!(has("transfer-encoding") && !has("content-length")),
        Framing::Length(_) => assert!(has("content-length") && !has("transfer-encoding")),
        Framing::None => assert!(!has("content-length") && !has("transfer-encoding")),
    }
    let validators = Validators {
        entity_tag: Some("\"a\""),
        modified: Some(UNIX_EPOCH + Duration::from_secs(784_111_777)),
    };
    let verdict = validators.judge(head);
    let by_tag = has("if-match") || has("if-none-match");
    let by_date = has("if-modified-since") || has("if-unmodified-since");
    assert!(verdict == Verdict::Perform || by_tag || by_date);
    assert!(verdict != Verdict::NotModified || matches!(head.method().as_str(), "GET" | "HEAD"));
    for length in [0, 1, 10, u64::MAX] {
        let selection = validators.select(head, length);
        assert!(selection == Selection::Whole || has("range"));
        if let Selection::Part(part) = selection {
            assert!(part.start < part.end && part.end <= length);
        }
    }
}

/// What handlers read of a request is what its head has.
fn check_request(request: &Request) {
    for (name, value) in request.cookies() {
        assert!(!name.is_empty() && !name.contains(['=', ';']) && !value.contains(';'));
        assert!(request.cookie(name).is_some());
    }
    let slashes = request.path().matches('/').count();
    let segments = request.segments().count();
    assert!(segments == slashes || segments == 0 && request.path() == "/");
    let media_type = request.media_type();
    assert!(media_type.is_none_or(|is| !is.is_empty() && !is.contains(';')));
    let pairs: corelane::Result<Vec<(String, String)>> = request.query();
    assert!(pairs.is_ok(), "any query is a list of pairs");
}

fn request_of(head: RequestHead) -> Request {
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Request::new(head, Body::Empty, peer)
}

fn write_head(head: &RequestHead) -> Vec<u8> {
    let mut bytes = format!(
        "{} {} {:?}\r\n",
        head.method(),
        head.target(),
        head.version()
    )
    .into_bytes();
    for (name, value) in head.fields() {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

type Read = (Vec<u8>, usize, bool);

/// Decodes a body that arrives in pieces which end at each of `ends`, and at last all: its
/// content, the bytes it took, and whether it is complete.
fn decode_in_steps(
    framing: Framing,
    limit: u64,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<Read, Refusal> {
    let mut decoder = BodyDecoder::new(framing, &BodyLimits::default().with_content_bytes(limit))?;
    let (mut content, mut consumed) = (Vec::new(), 0);
    for end in ends.into_iter().chain([bytes.len()]) {
        while consumed < end && !decoder.is_complete() {
            let piece = &bytes[consumed..end];
            let decoded = decoder.decode(piece)?;
            assert!(decoded.consumed > 0 && decoded.consumed <= piece.len());
            assert!(decoded.data.end <= decoded.consumed);
            content.extend_from_slice(&piece[decoded.data]);
            consumed += decoded.consumed;
        }
    }
    Ok((content, consumed, decoder.is_complete()))
}
