//! Requests in, answers out: the least HTTP/1.1 that `wrk`, `curl` and pipelining clients need. It
//! knows two resources, no bodies, and no sockets.

/// The body of `GET /plaintext`.
const HELLO: &[u8] = b"Hello, World!";

/// The length of the body of `GET /10k.bin`. It is served from memory: no file is opened.
const FILE_BYTES: usize = 10 * 1024;

/// A request head longer than this ends the connection.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// More header fields than this end the connection.
const FIELDS_MAX: usize = 32;

/// The ready-made answers, each in its keep-alive and in its closing form.
pub struct Answers {
    hello: Answer,
    file: Answer,
    not_found: Answer,
}

struct Answer {
    keep: Vec<u8>,
    close: Vec<u8>,
}

/// What one connection has received and not yet answered: the start of a request head.
#[derive(Default)]
pub struct Unanswered(Vec<u8>);

/// Whether the connection goes on after the answers that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More requests may come.
    Keep,
    /// The peer asked to close, or sent what is no request.
    Close,
}

impl Answers {
    /// Makes every answer once.
    #[must_use]
    pub fn new() -> Answers {
        let letters: Vec<u8> = (b'a'..=b'z').cycle().take(FILE_BYTES).collect();
        Answers {
            hello: Answer::new("200 OK", "text/plain", HELLO),
            file: Answer::new("200 OK", "application/octet-stream", &letters),
            not_found: Answer::new("404 Not Found", "text/plain", b""),
        }
    }

    /// Answers every complete request in `received`, after what was left before, into `output`.
    ///
    /// All answers of one receive stand in `output` together, so that one send carries them.
    pub fn answer(&self, left: &mut Unanswered, received: &[u8], output: &mut Vec<u8>) -> Next {
        if left.0.is_empty() {
            let (consumed, next) = self.answer_all(received, output);
            left.0.extend_from_slice(&received[consumed..]);
            return next;
        }
        left.0.extend_from_slice(received);
        let (consumed, next) = self.answer_all(&left.0, output);
        left.0.drain(..consumed);
        next
    }

    /// Returns how many bytes the answered requests took.
    fn answer_all(&self, input: &[u8], output: &mut Vec<u8>) -> (usize, Next) {
        let mut consumed = 0;
        while consumed < input.len() {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut request = httparse::Request::new(&mut fields);
            match request.parse(&input[consumed..]) {
                Ok(httparse::Status::Complete(length)) => consumed += length,
                Ok(httparse::Status::Partial) if input.len() - consumed < HEAD_BYTES_MAX => break,
                Ok(httparse::Status::Partial) | Err(_) => return (input.len(), Next::Close),
            }
            let answer = match request.path {
                Some("/plaintext") => &self.hello,
                Some("/10k.bin") => &self.file,
                _ => &self.not_found,
            };
            if asks_to_close(&request) {
                // RFC 9112 §9.6: what follows such a request is not processed.
                output.extend_from_slice(&answer.close);
                return (input.len(), Next::Close);
            }
            output.extend_from_slice(&answer.keep);
        }
        (consumed, Next::Keep)
    }
}

impl Default for Answers {
    fn default() -> Answers {
        Answers::new()
    }
}

impl Answer {
    fn new(status: &str, media_type: &str, body: &[u8]) -> Answer {
        let form = |connection: &str| {
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Type: {media_type}\r\n\
                 {connection}Server: floor\r\nDate: Mon, 23 Nov 2026 01:30:00 GMT\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        Answer {
            keep: form(""),
            close: form("Connection: close\r\n"),
        }
    }
}

/// RFC 9112 §9.3: `close` ends the connection, and so does HTTP/1.0 (its keep-alive is not offered).
fn asks_to_close(request: &httparse::Request) -> bool {
    request.version == Some(0)
        || request.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case("connection")
                && field.value.eq_ignore_ascii_case(b"close")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: &str = "GET /plaintext HTTP/1.1\r\nHost: x\r\n\r\n";
    const CLOSE: &str = "GET /plaintext HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n";

    #[test]
    fn answers_whole_and_byte_by_byte() {
        let cases: &[(String, usize, Next)] = &[
            (KEEP.into(), 1, Next::Keep),
            (KEEP.repeat(16), 16, Next::Keep),
            (KEEP.repeat(2) + "GET / HT", 2, Next::Keep),
            (KEEP.to_owned() + CLOSE, 2, Next::Close),
            (CLOSE.to_owned() + KEEP, 1, Next::Close),
            ("GET /10k.bin HTTP/1.0\r\n\r\n".into(), 1, Next::Close),
            ("GET /other HTTP/1.1\r\n\r\n".into(), 1, Next::Keep),
            ("no request\r\n\r\n".into(), 0, Next::Close),
        ];
        for (input, count, next) in cases {
            for step in [1, 7, input.len()] {
                assert_eq!(
                    feed(input.as_bytes(), step),
                    (*count, *next),
                    "{input:?} by {step}"
                );
            }
        }
    }

    #[test]
    fn an_endless_head_ends_the_connection() {
        let start = "GET / HTTP/1.1\r\nX: ";
        let fill = |length: usize| format!("{start}{}", "y".repeat(length - start.len()));
        assert_eq!(
            feed(fill(HEAD_BYTES_MAX - 1).as_bytes(), 4096),
            (0, Next::Keep)
        );
        assert_eq!(
            feed(fill(HEAD_BYTES_MAX).as_bytes(), 4096),
            (0, Next::Close)
        );
    }

    /// Feeds `input` in pieces; returns how many answers came and the last verdict.
    fn feed(input: &[u8], step: usize) -> (usize, Next) {
        let answers = Answers::new();
        let mut left = Unanswered::default();
        let mut output = Vec::new();
        let mut next = Next::Keep;
        for piece in input.chunks(step) {
            next = answers.answer(&mut left, piece, &mut output);
            if next == Next::Close {
                break;
            }
        }
        let count = output
            .windows(9)
            .filter(|window| window == b"HTTP/1.1 ")
            .count();
        (count, next)
    }
}
