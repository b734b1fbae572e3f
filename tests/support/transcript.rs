//! What a connection must answer to a run of bytes: the requests in it are read one after the
//! other by the parsers alone, and each answer must be about the request at its place. An answer
//! about any other would mean that server and peer no longer agree where a request begins.
//!
//! The parsers are the server's own, so this holds the connection to them, and not them to the RFCs.

use corelane::app::{App, Request};
use corelane::http::{BodyDecoder, BodyLimits, Framing, HeadLimits, HeadParser, RequestHead};
use corelane::limits::{BODY_BYTES, UNREAD_BODY_BYTES};

/// One response that is expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    /// The content, where it is known: what [`app`] says of a request.
    content: Option<String>,
    is_head: bool,
    /// The peer may have been invited to send the body before.
    may_continue: bool,
}

/// What the bytes of a peer lead to.
#[derive(Debug)]
pub(crate) struct Transcript {
    answers: Vec<Answer>,
    /// The status of one more, which comes only when the peer is waited for in vain.
    late: Option<Answer>,
}

/// Answers every request with its method, its target and its content.
pub(crate) fn app() -> App {
    App::new().fallback(async |mut request: Request| {
        let content = request.bytes().await?;
        Ok::<_, corelane::Error>(describe(request.head(), &content))
    })
}

fn describe(head: &RequestHead, content: &[u8]) -> String {
    let content = content.escape_ascii();
    format!("{} {} {content}", head.method(), head.target())
}

impl Transcript {
    /// What [`app`] must answer to `bytes`, with the default limits.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (mut answers, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let mut parser = HeadParser::new();
            let parsed = parser.parse(rest, &HeadLimits::default());
            let failed = |status| Answer {
                is_head: parser.is_head(rest),
                ..Answer::failed(status, None)
            };
            let (head, consumed) = match parsed {
                Ok(Some(parsed)) => parsed,
                // The empty line that may precede a request is none.
                Ok(None) if rest == b"\r\n" => break,
                Ok(None) => return Self::with_late(answers, failed(408)),
                Err(refusal) => {
                    answers.push(failed(refusal.status.as_u16()));
                    break;
                }
            };
            rest = &rest[consumed..];
            if head.path() == "*" {
                let status = if head.method() == "OPTIONS" { 204 } else { 501 };
                answers.push(Answer::failed(status, Some(&head)));
                if !is_skipped(&head, &mut rest) {
                    break;
                }
            } else {
                match read_body(&head, &mut rest, BODY_BYTES) {
                    Ok(Some(content)) => answers.push(Answer {
                        content: Some(describe(&head, &content)),
                        ..Answer::failed(200, Some(&head))
                    }),
                    Ok(None) => {
                        return Self::with_late(answers, Answer::failed(408, Some(&head)));
                    }
                    Err(status) => {
                        answers.push(Answer::failed(status, Some(&head)));
                        break;
                    }
                }
            }
            if !head.keep_alive() {
                break;
            }
        }
        Self {
            answers,
            late: None,
        }
    }

    fn with_late(answers: Vec<Answer>, late: Answer) -> Self {
        Self {
            answers,
            late: Some(late),
        }
    }

    /// Holds all that was sent to a peer that was waited for against this.
    pub(crate) fn check(&self, sent: &[u8]) {
        let mut rest = sent;
        for answer in self.answers.iter().chain(&self.late) {
            rest = answer.take(rest);
        }
        assert!(rest.is_empty(), "nobody asked for {}", rest.escape_ascii());
    }

    /// Holds what was sent to a peer that closed its side behind its last byte against this: it
    /// may have broken off a request, which is answered or not, but never with success.
    pub(crate) fn check_closed(&self, sent: &[u8]) {
        let mut rest = sent;
        for answer in &self.answers {
            rest = answer.take(rest);
        }
        if self.late.is_none() || rest.is_empty() {
            assert!(rest.is_empty(), "nobody asked for {}", rest.escape_ascii());
            return;
        }
        let broken = Answer {
            is_head: self.late.as_ref().is_some_and(|late| late.is_head),
            ..Answer::failed(400, None)
        };
        let rest = rest.strip_prefix(CONTINUE).unwrap_or(rest);
        if !rest.is_empty() {
            assert!(broken.take(rest).is_empty());
        }
    }
}

/// Whether the content that nobody reads is thrown away and the next request read behind it.
/// Content that was not invited ends the connection, and so does much of it.
fn is_skipped(head: &RequestHead, rest: &mut &[u8]) -> bool {
    let is_long = matches!(head.framing(), Framing::Length(length) if length > UNREAD_BODY_BYTES);
    let is_expected = !head.expects_continue() && !is_long;
    is_expected && matches!(read_body(head, rest, u64::MAX), Ok(Some(_)))
}

/// The content of a request, `None` if it is not all there, or the status that refuses it.
fn read_body(head: &RequestHead, rest: &mut &[u8], limit: u64) -> Result<Option<Vec<u8>>, u16> {
    let limits = BodyLimits::default().with_content_bytes(limit);
    let mut decoder =
        BodyDecoder::new(head.framing(), &limits).map_err(|refusal| refusal.status.as_u16())?;
    let mut content = Vec::new();
    while !decoder.is_complete() {
        if rest.is_empty() {
            return Ok(None);
        }
        let decoded = decoder
            .decode(rest)
            .map_err(|refusal| refusal.status.as_u16())?;
        content.extend_from_slice(&rest[decoded.data]);
        *rest = &rest[decoded.consumed..];
    }
    Ok(Some(content))
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Answer {
    fn failed(status: u16, head: Option<&RequestHead>) -> Self {
        Self {
            status,
            content: None,
            is_head: head.is_some_and(|head| head.method() == "HEAD"),
            may_continue: head.is_some_and(RequestHead::expects_continue),
        }
    }

    /// Takes this response off the front of `sent`.
    fn take<'a>(&self, sent: &'a [u8]) -> &'a [u8] {
        let told = || format!("{self:?}, but got {}", sent.escape_ascii());
        let after_interim = sent.strip_prefix(CONTINUE);
        assert!(after_interim.is_none() || self.may_continue, "{}", told());
        let sent = after_interim.unwrap_or(sent);
        let end = sent.windows(4).position(|octets| octets == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no whole head: {}", told()));
        let head = std::str::from_utf8(&sent[..end]).expect("a head of text");
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|line| line.get(..3)?.parse::<u16>().ok());
        assert_eq!(status, Some(self.status), "{}", told());
        let mut length = 0;
        for line in lines {
            let (name, value) = line.split_once(": ").expect("a field line");
            match name {
                "Content-Length" => length = value.parse().expect("a length"),
                "Transfer-Encoding" => panic!("a coding nobody chose: {}", told()),
                _ => {}
            }
        }
        let rest = &sent[end + 4..];
        if self.is_head {
            return rest;
        }
        let content = rest.get(..length);
        let content = content.unwrap_or_else(|| panic!("not all of the content: {}", told()));
        if let Some(expected) = &self.content {
            assert_eq!(content, expected.as_bytes(), "{}", told());
        }
        &rest[length..]
    }
}
