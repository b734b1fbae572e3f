//! A client for tests: one connection, one request at a time, in memory or over a socket. It is
//! strict where a test wants to know, and no client for anything else.

use super::Conversation;
use crate::app::{App, AppError};
use crate::http::{BodyDecoder, BodyLimits, Framing};
use crate::limits::Limits;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server at an address may be silent before the test fails.
const SILENCE: Duration = Duration::from_secs(30);

/// The most fields that a response may have.
const FIELDS: usize = 100;

/// Sends requests to an [`App`] and reads the responses.
///
/// The same test runs in memory, where it needs no ports and no waiting, and over a socket:
///
/// ```
/// use corelane::testing::TestClient;
/// use corelane::{App, Request, Server};
///
/// fn app() -> App {
///     App::new().post("/{name}", |mut req: Request| async move {
///         let greeting = req.text().await?;
///         Ok::<_, corelane::Error>(format!("{greeting}, {}", req.param("name")))
///     })
/// }
///
/// fn greets(client: &mut TestClient) {
///     let answer = client.post("/Ada").header("accept", "text/plain").body("Hello").send();
///     assert_eq!((answer.status().as_u16(), answer.text()), (200, "Hello, Ada"));
/// }
///
/// greets(&mut TestClient::new(app()));
/// let server = Server::bind("127.0.0.1:0").start(|_shard| app()).unwrap();
/// greets(&mut TestClient::connect(server.addresses()[0]));
/// server.stop().unwrap();
/// ```
///
/// The connection is kept for the next request, and made anew when the server has closed it.
/// In memory the handlers' waits ([`Request::time`](crate::Request::time)) are over at once: the
/// client lets their time pass. What waits for something else (a file, a socket, a glommio timer)
/// needs a core, and a server.
#[derive(Debug)]
pub struct TestClient {
    way: Way,
    /// What was received and belongs to no response yet.
    received: Vec<u8>,
    /// The server has said that nothing more is answered on this connection.
    is_over: bool,
}

#[derive(Debug)]
enum Way {
    Memory(Box<Conversation>),
    Socket(SocketAddr, TcpStream),
}

/// Defines the methods that begin a request of one HTTP method.
macro_rules! methods {
    ($($name:ident = $method:ident;)*) => {$(
        #[doc = concat!("Begins a ", stringify!($method), " request for `target`: a path and a query.")]
        pub fn $name<'a>(&'a mut self, target: &str) -> RequestBuilder<'a> {
            self.request(Method::$method, target)
        }
    )*};
}

impl TestClient {
    /// A client of `app`, in memory.
    ///
    /// # Panics
    /// If the app does not fit together or cannot start; [`TestClient::try_new`] does not.
    #[track_caller]
    pub fn new(app: App) -> TestClient {
        match TestClient::try_new(app, Limits::default()) {
            Ok(client) => client,
            Err(error) => panic!("{error}"),
        }
    }

    /// A client of `app` that keeps `limits`, in memory.
    ///
    /// # Errors
    /// The problems of the app, or why its [start](App::on_start) failed.
    pub fn try_new(app: App, limits: Limits) -> Result<TestClient, AppError> {
        Ok(TestClient {
            way: Way::Memory(Box::new(Conversation::with_limits(app, limits)?)),
            received: Vec::new(),
            is_over: false,
        })
    }

    /// A client of the server at `address`.
    ///
    /// # Panics
    /// If nobody listens there.
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> TestClient {
        let connected = address.to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
            Ok((address, open(address)?))
        });
        match connected {
            Ok((address, stream)) => TestClient {
                way: Way::Socket(address, stream),
                received: Vec::new(),
                is_over: false,
            },
            Err(error) => panic!("cannot connect: {error}"),
        }
    }

    methods! {
        get = GET;
        post = POST;
        put = PUT;
        delete = DELETE;
        patch = PATCH;
        head = HEAD;
        options = OPTIONS;
    }

    /// Begins a request of `method` for `target`: a path and a query.
    pub fn request<'a>(&'a mut self, method: Method, target: &str) -> RequestBuilder<'a> {
        RequestBuilder {
            client: self,
            method,
            target: target.to_owned(),
            fields: Vec::new(),
            body: None,
        }
    }

    /// The conversation that it is in, to let time pass or to be rude; `None` over a socket.
    pub fn conversation(&mut self) -> Option<&mut Conversation> {
        match &mut self.way {
            Way::Memory(conversation) => Some(conversation),
            Way::Socket(..) => None,
        }
    }

    fn exchange(&mut self, message: &[u8], is_head: bool) -> io::Result<TestResponse> {
        if self.is_over {
            self.reconnect()?;
        }
        match &mut self.way {
            Way::Memory(conversation) => conversation.deliver(message),
            Way::Socket(_, stream) => stream.write_all(message)?,
        }
        let mut is_whole = false;
        loop {
            if let Some((response, taken, is_last)) = read(&self.received, is_head, is_whole)? {
                self.received.drain(..taken);
                self.is_over = is_last;
                return Ok(response);
            }
            if is_whole {
                let what = "the connection ended before the response did";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            is_whole = !self.receive()?;
        }
    }

    /// Receives more of a response; whether there was any, or the connection has ended.
    fn receive(&mut self) -> io::Result<bool> {
        match &mut self.way {
            Way::Memory(conversation) => loop {
                let sent = conversation.take_sent();
                if !sent.is_empty() {
                    self.received.extend_from_slice(&sent);
                    return Ok(true);
                }
                if conversation.is_shut() {
                    return Ok(false);
                }
                if !conversation.pass_next() {
                    let what = "the handler waits for something that does not come in memory";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
            },
            Way::Socket(_, stream) => {
                let mut buffer = [0; 16 * 1024];
                let bytes = loop {
                    match stream.read(&mut buffer) {
                        // Signals are not the test's business, but a server in its process has some.
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        outcome => break outcome?,
                    }
                };
                self.received.extend_from_slice(&buffer[..bytes]);
                Ok(bytes > 0)
            }
        }
    }

    fn reconnect(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Memory(conversation) => **conversation = conversation.reconnect(),
            Way::Socket(address, stream) => *stream = open(*address)?,
        }
        self.received.clear();
        self.is_over = false;
        Ok(())
    }
}

fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A request that is being put together; nothing is sent before [`RequestBuilder::send`].
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct RequestBuilder<'a> {
    client: &'a mut TestClient,
    method: Method,
    target: String,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl RequestBuilder<'_> {
    /// Adds a field, as it is written: a test may send what is not allowed.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let field = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.fields.push(field);
        self
    }

    /// Sends `content` with its length.
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.body = Some(content.into());
        self
    }

    /// Sends `value` as JSON, with its length and its media type.
    ///
    /// # Panics
    /// If it cannot be serialized.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(content) => self
                .header("content-type", "application/json")
                .body(content),
            Err(error) => panic!("this is no JSON: {error}"),
        }
    }

    /// Sends the request and reads the response, to the end of its content.
    ///
    /// # Panics
    /// If there is none, or none that is whole: [`RequestBuilder::try_send`] says so instead.
    #[track_caller]
    pub fn send(self) -> TestResponse {
        let what = format!("{} {}", self.method, self.target);
        match self.try_send() {
            Ok(response) => response,
            Err(error) => panic!("no response to {what}: {error}"),
        }
    }

    /// Sends the request and reads the response, to the end of its content.
    ///
    /// # Errors
    /// `UnexpectedEof` if the connection ended first, `InvalidData` if the response is malformed,
    /// `TimedOut` if the handler waits for something that does not come in memory, and those of a
    /// socket. The client goes on with another connection then.
    pub fn try_send(self) -> io::Result<TestResponse> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let has = |name: &str| {
            self.fields
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        if !has("host") {
            head.push_str("Host: localhost\r\n");
        }
        if let Some(body) = &self.body
            && !has("content-length")
            && !has("transfer-encoding")
        {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        message.extend_from_slice(&self.body.unwrap_or_default());
        let outcome = self.client.exchange(&message, self.method == Method::HEAD);
        self.client.is_over |= outcome.is_err();
        outcome
    }
}

/// A response, whole.
#[derive(Clone)]
pub struct TestResponse {
    status: StatusCode,
    fields: Vec<(HeaderName, HeaderValue)>,
    content: Vec<u8>,
}

impl TestResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The first field called `name`, in any case, if it is there and is ASCII text.
    pub fn header(&self, name: impl AsRef<str>) -> Option<&str> {
        let name = name.as_ref();
        let is_name = |(other, _): &&(HeaderName, _)| other.as_str().eq_ignore_ascii_case(name);
        self.fields.iter().find(is_name)?.1.to_str().ok()
    }

    /// All fields, in the order received.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (name, value))
    }

    /// The content.
    pub fn bytes(&self) -> &[u8] {
        &self.content
    }

    /// The content as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[track_caller]
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.content) {
            Ok(text) => text,
            Err(error) => panic!("the content is no text: {error}"),
        }
    }

    /// The content, read as JSON.
    ///
    /// # Panics
    /// If it is none, or not that of a `T`.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.content) {
            Ok(value) => value,
            Err(error) => panic!("the content cannot be read as JSON: {error}: {self:?}"),
        }
    }
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .field("content", &String::from_utf8_lossy(&self.content))
            .finish()
    }
}

/// The response at the front of `bytes`, how many of them it takes, and whether it is the last of
/// its connection; `None` if more is needed. `is_whole` says that no more will come.
fn read(
    bytes: &[u8],
    is_head: bool,
    is_whole: bool,
) -> io::Result<Option<(TestResponse, usize, bool)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let taken = match head.parse(bytes).map_err(malformed)? {
        httparse::Status::Complete(taken) => taken,
        httparse::Status::Partial => return Ok(None),
    };
    let status = StatusCode::from_u16(head.code.unwrap_or(0)).map_err(malformed)?;
    let rest = &bytes[taken..];
    if status.is_informational() {
        let final_one = read(rest, is_head, is_whole)?;
        return Ok(final_one.map(|(response, more, is_last)| (response, taken + more, is_last)));
    }
    let mut fields = Vec::new();
    for field in &*head.headers {
        let name = HeaderName::try_from(field.name).map_err(malformed)?;
        fields.push((
            name,
            HeaderValue::from_bytes(field.value).map_err(malformed)?,
        ));
    }
    let mut response = TestResponse {
        status,
        fields,
        content: Vec::new(),
    };
    let is_last = response.header("connection") == Some("close");
    let has_none = is_head || matches!(status.as_u16(), 204 | 304);
    let framing = match response.header("content-length").map(str::parse) {
        _ if has_none => Framing::None,
        _ if response.header("transfer-encoding") == Some("chunked") => Framing::Chunked,
        Some(length) => Framing::Length(length.map_err(malformed)?),
        // RFC 9112 §6.3: it ends with the connection.
        None if !is_whole => return Ok(None),
        None => Framing::Length(rest.len() as u64),
    };
    let limits = BodyLimits::default().with_content_bytes(u64::MAX);
    let mut decoder = BodyDecoder::new(framing, &limits).map_err(malformed)?;
    let mut at = 0;
    while !decoder.is_complete() {
        let input = &rest[at..];
        if input.is_empty() {
            return Ok(None);
        }
        let decoded = decoder.decode(input).map_err(malformed)?;
        response.content.extend_from_slice(&input[decoded.data]);
        at += decoded.consumed;
    }
    Ok(Some((response, taken + at, is_last || is_whole)))
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_read_however_they_end() {
        let head = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
        let table = [
            (head("Content-Length: 2\r\n\r\nab"), "ab", false),
            (head("Content-Length: 0\r\n\r\n"), "", false),
            (
                head("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
                "ab",
                false,
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), "", false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 1\r\n\r\na"
                    .to_owned(),
                "a",
                false,
            ),
            (
                head("Connection: close\r\nContent-Length: 1\r\n\r\na"),
                "a",
                true,
            ),
        ];
        for (message, content, is_last) in table {
            let bytes = message.as_bytes();
            for cut in 0..bytes.len() {
                assert!(
                    read(&bytes[..cut], false, false).unwrap().is_none(),
                    "{message:?} {cut}"
                );
            }
            let followed = [bytes, b"HTTP"].concat();
            let (response, taken, last) = read(&followed, false, false).unwrap().unwrap();
            assert_eq!(
                (response.text(), taken, last),
                (content, bytes.len(), is_last)
            );
        }
        let until_close = head("\r\nab");
        assert!(
            read(until_close.as_bytes(), false, false)
                .unwrap()
                .is_none()
        );
        let (response, ..) = read(until_close.as_bytes(), false, true).unwrap().unwrap();
        assert_eq!(response.text(), "ab");
        let to_head = head("Content-Length: 9\r\n\r\n");
        assert!(read(to_head.as_bytes(), true, false).unwrap().is_some());
        let (cut, malformed) = (
            head("Content-Length: 9\r\n\r\na"),
            head("Content-Length: x\r\n\r\n"),
        );
        assert!(read(cut.as_bytes(), false, true).unwrap().is_none());
        assert!(read(malformed.as_bytes(), false, false).is_err());
    }
}
