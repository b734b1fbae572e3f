//! A client that sends exactly the bytes it is given and reads responses strictly: what is not
//! exactly HTTP/1.1 fails the test.

use super::PATIENCE;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Received and not yet part of a response.
    buffer: Vec<u8>,
    /// Bytes received so far.
    pub(crate) received: u64,
    /// Bytes sent so far.
    pub(crate) sent: u64,
    /// Requests for `/stats` that were only asked to come to the last one.
    pub(crate) asked: u64,
    /// Bytes of the last response.
    pub(crate) last_received: u64,
}

/// A response, read to its end.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// In the order sent, names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What each chunk held, if it came in chunks.
    pub(crate) chunks: Option<Vec<usize>>,
}

/// How a connection ended before a response did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The server closed it; these bytes had come.
    Closed(Vec<u8>),
    /// The server reset it.
    Reset,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .unwrap_or_else(|error| panic!("no connection to {address}: {error}"));
        Self::on(stream)
    }

    /// Takes over a connected socket.
    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("SO_RCVTIMEO");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("SO_SNDTIMEO");
        Self {
            stream,
            buffer: Vec::new(),
            received: 0,
            sent: 0,
            asked: 0,
            last_received: 0,
        }
    }

    /// Sends all of it in one write if the kernel takes it.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes)
            .unwrap_or_else(|error| panic!("the server took no more: {error}"));
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let bytes = bytes.as_ref();
        self.stream.write_all(bytes)?;
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// Sends each byte in a write of its own, until the server takes no more.
    pub(crate) fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            if self.try_send([*byte]).is_err() {
                return;
            }
        }
    }

    /// Sends a request for `path` without content.
    pub(crate) fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    }

    /// Sends a request without content that has these field lines, and reads the response to it.
    pub(crate) fn ask(&mut self, method: &str, target: &str, fields: &str) -> Response {
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
        ));
        self.try_response(method == "HEAD")
            .unwrap_or_else(|broken| panic!("no response to {method} {target}: {broken:?}"))
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("half close");
    }

    /// The response to a request that is not HEAD.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response(false)
            .unwrap_or_else(|broken| panic!("no response: {broken:?}"))
    }

    /// The response to HEAD.
    pub(crate) fn head_response(&mut self) -> Response {
        self.try_response(true)
            .unwrap_or_else(|broken| panic!("no response: {broken:?}"))
    }

    /// The response, final or interim, or how the connection ended before it did.
    pub(crate) fn try_response(&mut self, to_head: bool) -> Result<Response, Broken> {
        let before = self.received - self.buffer.len() as u64;
        let response = self.read_response(to_head)?;
        self.last_received = self.received - self.buffer.len() as u64 - before;
        Ok(response)
    }

    fn read_response(&mut self, to_head: bool) -> Result<Response, Broken> {
        let end = loop {
            if let Some(end) = self
                .buffer
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n")
            {
                break end + 4;
            }
            self.more()?;
        };
        let (status, fields) = parse_head(&self.buffer[..end - 2]);
        self.buffer.drain(..end);
        let mut response = Response {
            status,
            fields,
            body: Vec::new(),
            chunks: None,
        };
        if to_head || status < 200 || status == 204 || status == 304 {
            return Ok(response);
        }
        match (
            response.field("transfer-encoding"),
            response.field("content-length"),
        ) {
            (Some("chunked"), None) => {
                let (body, chunks) = self.chunked()?;
                (response.body, response.chunks) = (body, Some(chunks));
            }
            (None, Some(length)) => {
                response.body = self.exactly(length.parse().expect("a length"))?;
            }
            (None, None) => {
                assert!(response.closes(), "{response:?}");
                response.body = match self.rest() {
                    Broken::Closed(rest) => rest,
                    Broken::Reset => return Err(Broken::Reset),
                };
            }
            framing => panic!("framed as {framing:?}"),
        }
        Ok(response)
    }

    /// Everything that comes until the end of the connection.
    pub(crate) fn rest(&mut self) -> Broken {
        loop {
            if let Err(broken) = self.more() {
                return broken;
            }
        }
    }

    /// Fails the test unless the server closes in order, and sends nothing before that.
    pub(crate) fn assert_closed(&mut self) {
        assert_eq!(self.rest(), Broken::Closed(Vec::new()));
    }

    /// Fails the test unless another request is answered on this connection.
    pub(crate) fn assert_alive(&mut self) {
        self.get("/plaintext");
        let response = self.response();
        assert_eq!((response.status, response.text()), (200, "Hello, World!"));
    }

    /// This many bytes, as they are.
    pub(crate) fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        while self.buffer.len() < length {
            self.more()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn chunked(&mut self) -> Result<(Vec<u8>, Vec<usize>), Broken> {
        let (mut body, mut chunks) = (Vec::new(), Vec::new());
        loop {
            let data = self.chunk()?;
            if data.is_empty() {
                return Ok((body, chunks));
            }
            chunks.push(data.len());
            body.extend(data);
        }
    }

    /// What the next chunk of a response holds, of which the head was read; nothing in the last.
    pub(crate) fn chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let line = loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\r\n") {
                break self.exactly(end + 2)?;
            }
            self.more()?;
        };
        let digits = std::str::from_utf8(&line[..line.len() - 2]).expect("a chunk size");
        let size = usize::from_str_radix(digits, 16).expect("a chunk size");
        let data = self.exactly(size)?;
        assert_eq!(self.exactly(2)?, b"\r\n", "behind a chunk");
        Ok(data)
    }

    fn more(&mut self) -> Result<(), Broken> {
        let mut piece = vec![0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(Broken::Closed(std::mem::take(&mut self.buffer))),
            Ok(length) => {
                self.received += length as u64;
                self.buffer.extend_from_slice(&piece[..length]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Broken::Reset),
            Err(error) => {
                let had = String::from_utf8_lossy(&self.buffer).into_owned();
                panic!("nothing came: {error}; before that: {had:.200?}")
            }
        }
    }
}

impl Response {
    /// The only value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(other, _)| other == name);
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "{name} is repeated");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Whether the server will close after it.
    pub(crate) fn closes(&self) -> bool {
        let options = self.field("connection").unwrap_or_default();
        options.split(", ").any(|option| option == "close")
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.body[..self.body.len().min(100)];
        write!(f, "{} {:?} ", self.status, self.fields)?;
        write!(
            f,
            "{} bytes {:?}",
            self.body.len(),
            String::from_utf8_lossy(start)
        )
    }
}

/// Status and fields of a head without its empty line.
fn parse_head(head: &[u8]) -> (u16, Vec<(String, String)>) {
    let head = std::str::from_utf8(head).expect("a head of ASCII");
    let mut lines = head.strip_suffix("\r\n").expect("CR LF").split("\r\n");
    let status_line = lines.next().expect("a status line");
    let after = status_line.strip_prefix("HTTP/1.1 ").expect("HTTP/1.1");
    let (code, _reason) = after.split_once(' ').expect("a space behind the code");
    assert!(
        code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()),
        "{head}"
    );
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").expect("a field line");
        let is_token = !name.is_empty() && !name.contains([' ', '\t', '\r', '\n', '\0']);
        assert!(is_token && !value.contains(['\r', '\n', '\0']), "{line:?}");
        (name.to_ascii_lowercase(), value.to_owned())
    });
    (code.parse().expect("digits"), fields.collect())
}
