//! Writes requests by the grammar of RFC 9112, in all its forms, and the same with faults in them
//! which a mutation of octets would seldom make.

use super::mutate::Mutator;
use super::seeds::HEADS;
use fastrand::Rng;

/// Longest message, in bytes: far below every limit on bytes, so that none of them differs.
const MESSAGE_BYTES: usize = 4096;

const METHODS: &[&str] = &[
    "GET",
    "POST",
    "PUT",
    "HEAD",
    "OPTIONS",
    "get",
    "M-SEARCH",
    "!#$%&'*+-.^_`|~9",
];
const PATHS: &[&str] = &[
    "/",
    "/a/b",
    "//",
    "/%41%2f",
    "/a;b=c",
    "/.",
    "/:@!$&'()*+,=~",
];
const QUERIES: &[&str] = &["", "", "?", "?a=b&c", "?/?:@", "?%20"];
const HOSTS: &[&str] = &[
    "h",
    "example.com:8080",
    "[::1]:80",
    "h:",
    "127.0.0.1",
    "a%2Db",
    "[v1.a:b]",
    "[vF.:::::::::]:",
];
const FIELDS: &[&str] = &[
    "Accept: */*",
    "X:",
    "X: \t a  b\t ",
    "x:y",
    "Cookie: a=b; c=\"d\"",
    "Y: \u{e9}\u{a0}",
    "Connection: keep-alive",
    "Connection: , x,\tKEEP-ALIVE",
    "Upgrade: websocket",
    "Content-Type: text/plain",
    "Transfer-Coding: chunked",
    "Expect: 100-Continue",
    "!#$%&'*+-.^_`|~9Az: :",
];
const CLOSES: &[&str] = &["Connection: close", "connection:x ,Close"];
const EXTENSIONS: &[&str] = &[
    "",
    "",
    "",
    ";a",
    ";a=b",
    ";a=\"b\\\"; c\"",
    "; a = b ;c",
    " ;a",
];
const TRAILERS: &[&str] = &["A: b\r\n", "A:\r\n", "Etag: \"\u{e9}\"\r\n"];

/// What may stand in the place of a valid request line, field or chunk size, and is a fault or
/// reads in more than one way.
const ODD_LINES: &[&str] = &[
    "GET  / HTTP/1.1\r\n",
    "GET / HTTP/1.1\n",
    "GET / HTTP/2.0\r\n",
    "GET / HTTP/0.9\r\n",
    "GET / HTTP/1.10\r\n",
    "GET / http/1.1\r\n",
    "GET /\r\n",
    "GET a HTTP/1.1\r\n",
    "GET * HTTP/1.1\r\n",
    "GET h:80 HTTP/1.1\r\n",
    "GET ?a HTTP/1.1\r\n",
    "GET /a#b HTTP/1.1\r\n",
    "GET /% HTTP/1.1\r\n",
    "GET /\"<> HTTP/1.1\r\n",
    "GET /|[^] HTTP/1.1\r\n",
    "GET /?|[^]`{\\}% HTTP/1.1\r\n",
    "GET /\u{e9} HTTP/1.1\r\n",
    "GET /a\tb HTTP/1.1\r\n",
    "GET https://h/ HTTP/1.1\r\n",
    "GET ftp://h/ HTTP/1.1\r\n",
    "GET http:///a HTTP/1.1\r\n",
    "GET http://u@h/ HTTP/1.1\r\n",
    "GET http://h:99999/ HTTP/1.1\r\n",
    "CONNECT / HTTP/1.1\r\n",
    "CONNECT h HTTP/1.1\r\n",
    "CONNECT h:0 HTTP/1.1\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\n",
    "\nGET / HTTP/1.1\r\n",
    " GET / HTTP/1.1\r\n",
];
const ODD_FIELDS: &[&str] = &[
    "Host: h\r\n",
    "Host: a, b\r\n",
    "A: b\n",
    "A: b\r\n c\r\n",
    "\tA: b\r\n",
    "A : b\r\n",
    "A\r\n",
    ": b\r\n",
    "A: b\rc\r\n",
    "A: \u{1}\u{7f}\r\n",
    "A: \0\r\n",
    "\u{e9}: b\r\n",
    "Content-Length: 1\r\n",
    "Content-Length: 1\r\nContent-Length: 1\r\n",
    "Content-Length: 1, 1\r\n",
    "Content-Length: +1\r\n",
    "Content-Length: \r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer-Encoding:\r\n",
    "Expect: more\r\n",
    "Connection: \u{e9}, close\r\n",
    "Expect: 100-continue, more\r\n",
];
const ODD_HOSTS: &[&str] = &[
    "",
    "a b",
    "u@h",
    "h:x",
    "h:65536",
    "[::1",
    "[fe80::1%1]",
    "a/b",
    "\u{e9}",
];
const ODD_CHUNKS: &[&str] = &[
    "1 \r\nx\r\n",
    "1;\r\nx\r\n",
    "1;a=\r\nx\r\n",
    "1;a=\"b\r\nx\r\n",
    "1;a\rb\r\nx\r\n",
    "1;a\u{1}\r\nx\r\n",
    "1\nx\r\n",
    "1\r\nx\n",
    "1\r\nx \n",
    "1\r\nxx\r\n",
    "0x1\r\nx\r\n",
    "+1\r\nx\r\n",
    "\r\n",
    "10000000000000001\r\nx\r\n",
];
const ODD_TRAILERS: &[&str] = &[
    "A: b\n",
    "A\r\n",
    "A: b\r\n c\r\n",
    "A: \u{1}\r\n",
    "A : b\r\n",
    "Content-Length: 1\r\nContent-Length: 2\r\n",
    "Transfer-Encoding: gzip\r\n",
];

/// A message, and how many requests are in it where every one is valid.
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) valid_requests: Option<usize>,
}

/// A source of messages, the same for the same start.
pub(crate) struct Messages {
    random: Rng,
    mutator: Mutator<'static>,
    /// Whether the message that is being written may have faults.
    odd: bool,
}

impl Messages {
    pub(crate) fn new(start: u64) -> Self {
        let mutator = Mutator::new(start, HEADS);
        let random = Rng::with_seed(start);
        Self {
            random,
            mutator,
            odd: false,
        }
    }

    /// One of four is valid, one has faults of grammar, and two have changes of octets.
    pub(crate) fn next(&mut self) -> Message {
        let kind = self.random.u8(..4);
        self.odd = kind == 1;
        let mut bytes = Vec::new();
        let mut requests = 0;
        let mut persists = true;
        for _ in 0..=self.random.u8(..3) {
            requests += usize::from(persists);
            persists &= self.request(&mut bytes);
        }
        if kind > 1 {
            self.mutator.disturb(&mut bytes);
        }
        if kind > 0 {
            bytes.truncate(MESSAGE_BYTES);
        }
        let valid_requests = (kind == 0).then_some(requests);
        Message {
            bytes,
            valid_requests,
        }
    }

    /// Writes a request; says whether its connection persists.
    fn request(&mut self, out: &mut Vec<u8>) -> bool {
        let mut persists = true;
        if self.random.u8(..16) == 0 {
            out.extend(b"\r\n");
        }
        let host = self.pick(HOSTS);
        let minor = [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 7][self.random.usize(..12)];
        if self.is_odd() {
            self.write(out, ODD_LINES);
        } else {
            let line = self.request_line(host);
            out.extend(format!("{line} HTTP/1.{minor}\r\n").bytes());
        }
        if self.is_odd() {
            let host = self.pick(ODD_HOSTS);
            out.extend(format!("Host: {host}\r\n").bytes());
        } else if !self.is_odd() && (minor > 0 || self.random.bool()) {
            let name = self.pick(&["Host", "host", "HOST"]);
            out.extend(format!("{name}: {host}\r\n").bytes());
        }
        let keeps = minor == 0 && self.random.bool();
        if minor == 0 {
            persists = keeps;
        }
        if keeps {
            out.extend(b"Connection: Keep-Alive\r\n");
        }
        for _ in 0..self.random.u8(..5) {
            if self.is_odd() {
                self.write(out, ODD_FIELDS);
                continue;
            }
            let field = self.pick(FIELDS);
            // Only the one above keeps a connection of HTTP/1.0.
            if minor == 0 && field.starts_with("Connection") {
                continue;
            }
            out.extend(format!("{field}\r\n").bytes());
        }
        if self.random.u8(..12) == 0 {
            persists = false;
            self.write(out, CLOSES);
            out.extend(b"\r\n");
        }
        if self.odd && self.random.u8(..64) == 0 {
            out.extend(b"A:\r\n".repeat(101));
        }
        match self.random.u8(..4) {
            0 | 1 => out.extend(b"\r\n"),
            2 if minor > 0 || self.odd => {
                let coding =
                    self.pick(&["Transfer-Encoding: chunked", "transfer-encoding:\tChunked "]);
                if self.is_odd() {
                    out.extend(b"Content-Length: 5\r\n");
                }
                out.extend(format!("{coding}\r\n\r\n").bytes());
                self.chunks(out);
            }
            _ => self.counted(out),
        }
        persists
    }

    fn request_line(&mut self, host: &str) -> String {
        let (path, query) = (self.pick(PATHS), self.pick(QUERIES));
        match self.random.u8(..12) {
            0 => format!("GET http://{host}{path}{query}"),
            1 => format!("POST HTTP://{host}{query}"),
            2 => "OPTIONS *".to_owned(),
            3 => format!(
                "CONNECT {}",
                self.pick(&["h:443", "[::1]:1", "127.0.0.1:65535"])
            ),
            _ => format!("{} {path}{query}", self.pick(METHODS)),
        }
    }

    /// The end of a head that says its body's length, and the body.
    fn counted(&mut self, out: &mut Vec<u8>) {
        let length = self.random.usize(..40);
        let zeros = "0".repeat([0, 0, 0, 2, 30][self.random.usize(..5)]);
        let field = format!("Content-Length: {zeros}{length}\r\n");
        out.extend(field.repeat(self.random.usize(1..3)).bytes());
        if self.is_odd() {
            out.extend(format!("Content-Length: 0{length}\r\n").bytes());
        }
        out.extend(b"\r\n");
        out.extend((0..length).map(|_| self.random.u8(..)));
    }

    fn chunks(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.random.u8(..4) {
            if self.is_odd() {
                self.write(out, ODD_CHUNKS);
                continue;
            }
            let size = self.random.usize(1..40);
            let digits = match self.random.bool() {
                true => format!("{size:x}"),
                false => format!("{size:02X}"),
            };
            self.chunk_line(out, &digits);
            out.extend((0..size).map(|_| self.random.u8(..)));
            out.extend(b"\r\n");
        }
        let zeros = "0".repeat([1, 1, 1, 3, 30][self.random.usize(..5)]);
        self.chunk_line(out, &zeros);
        for _ in 0..self.random.u8(..3) {
            let trailers = if self.is_odd() {
                ODD_TRAILERS
            } else {
                TRAILERS
            };
            self.write(out, trailers);
        }
        if self.odd && self.random.u8(..64) == 0 {
            out.extend(b"A:\r\n".repeat(101));
        }
        out.extend(b"\r\n");
    }

    fn chunk_line(&mut self, out: &mut Vec<u8>, size: &str) {
        let extension = self.pick(EXTENSIONS);
        out.extend(format!("{size}{extension}").bytes());
        if self.odd && self.random.u8(..64) == 0 {
            out.extend(format!(";a={}", "b".repeat(1024)).bytes());
        }
        out.extend(b"\r\n");
    }

    /// Whether to write a fault now.
    fn is_odd(&mut self) -> bool {
        self.odd && self.random.u8(..12) == 0
    }

    fn write(&mut self, out: &mut Vec<u8>, choices: &[&'static str]) {
        out.extend(self.pick(choices).bytes());
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.random.usize(..choices.len())]
    }
}
