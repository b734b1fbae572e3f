//! Test help: delivers each case whole and split at every byte, and holds the outcomes together.

use super::{BodyDecoder, BodyLimits, Framing, HeadLimits, HeadParser, Refusal, RequestHead};

/// What a head came to: the head and the bytes it took, or nothing yet.
pub(crate) type HeadOutcome = Result<Option<(RequestHead, usize)>, Refusal>;

/// What a body came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BodyRead {
    pub(crate) content: Vec<u8>,
    pub(crate) consumed: usize,
    pub(crate) complete: bool,
}

/// The head of a request for `/` with these fields behind its Host.
pub(crate) fn head_with(method: &str, fields: &[(&str, &str)]) -> RequestHead {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("{method} / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let parsed = HeadParser::new().parse(head.as_bytes(), &HeadLimits::default());
    parsed.expect("a valid head").expect("a whole head").0
}

/// Parses a head that arrives up to each of `ends` in turn, and at last whole.
pub(crate) fn head_in_steps(
    bytes: &[u8],
    limits: &HeadLimits,
    ends: impl IntoIterator<Item = usize>,
) -> HeadOutcome {
    let mut parser = HeadParser::new();
    for end in ends.into_iter().chain([bytes.len()]) {
        if let Some(head) = parser.parse(&bytes[..end], limits)? {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// Parses a head whole, in two pieces at every place, and byte by byte; `check` sees each outcome.
pub(crate) fn head(bytes: &[u8], limits: &HeadLimits, check: impl Fn(&HeadOutcome)) {
    check(&head_in_steps(bytes, limits, []));
    check(&head_in_steps(bytes, limits, 0..bytes.len()));
    // The places for the cut are thinned out in long cases, which repeat themselves.
    for cut in (0..bytes.len()).step_by(bytes.len() / 256 + 1) {
        check(&head_in_steps(bytes, limits, [cut]));
    }
}

/// Decodes a body that arrives in pieces which begin at 0 and at each of `cuts`.
pub(crate) fn body_in_steps(
    framing: Framing,
    limit_bytes: u64,
    bytes: &[u8],
    cuts: impl IntoIterator<Item = usize>,
) -> Result<BodyRead, Refusal> {
    let mut decoder = BodyDecoder::new(
        framing,
        &BodyLimits::default().with_content_bytes(limit_bytes),
    )?;
    let mut content = Vec::new();
    let mut consumed = 0;
    for cut in cuts.into_iter().chain([bytes.len()]) {
        while consumed < cut && !decoder.is_complete() {
            let input = &bytes[consumed..cut];
            let decoded = decoder.decode(input)?;
            assert!(decoded.consumed > 0, "no progress at {consumed}");
            assert!(decoded.data.end <= decoded.consumed);
            content.extend_from_slice(&input[decoded.data]);
            consumed += decoded.consumed;
        }
    }
    Ok(BodyRead {
        content,
        consumed,
        complete: decoder.is_complete(),
    })
}

/// Decodes a body whole, in two pieces at every place, and byte by byte.
pub(crate) fn body(
    framing: Framing,
    limit_bytes: u64,
    bytes: &[u8],
    check: impl Fn(&Result<BodyRead, Refusal>),
) {
    check(&body_in_steps(framing, limit_bytes, bytes, []));
    check(&body_in_steps(framing, limit_bytes, bytes, 0..bytes.len()));
    for cut in (0..bytes.len()).step_by(bytes.len() / 256 + 1) {
        check(&body_in_steps(framing, limit_bytes, bytes, [cut]));
    }
}
